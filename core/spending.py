"""What calls spend, and whether more of it fits under a limit."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cogwork.core.errors import BudgetError

__all__ = ["KINDS", "NOTHING", "Spent", "check"]


class Spent(NamedTuple):
    """What calls took, or may take; a tuple, because every call makes some.

    Attributes:
        tokens: Of input and output, of models.
        cost: In dollars.
        seconds: On the clock, of a run; of a call, how long it took.
        model_calls: Calls of models that began; one that failed counts.
        tool_calls: Calls of tools that began.
    """

    tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    model_calls: int = 0
    tool_calls: int = 0

    def __add__(self, other: "Spent") -> "Spent":  # type: ignore[override] # sums, not sequences
        return Spent(
            self.tokens + other.tokens,
            self.cost + other.cost,
            self.seconds + other.seconds,
            self.model_calls + other.model_calls,
            self.tool_calls + other.tool_calls,
        )

    def as_dict(self) -> dict[str, float]:
        """Return it as plain data."""
        return self._asdict()

    @classmethod
    def of(cls, data: Mapping[str, Any] | None) -> "Spent":
        """Return what `as_dict` gave as data."""
        data = data or {}
        return cls(**{name: data[name] for name in KINDS if name in data})


NOTHING: Final = Spent()
KINDS: Final = ("tokens", "cost", "seconds", "model_calls", "tool_calls")


def check(ledger: str, name: str, limit: float, taken: tuple[float, float, float]) -> None:
    """Refuse what does not fit under a limit.

    Args:
        ledger: Its name.
        name: What is limited, of `KINDS`.
        limit: How much of it there may be.
        taken: How much is spent, how much is reserved, and how much is asked for.

    Raises:
        BudgetError: It does not fit; `details` has `ledger`, `limit`, `of`, `spent`,
            `reserved` and `asked`.
    """
    spent, held, wanted = taken
    if spent + held + wanted <= limit and (wanted or spent < limit):
        return
    kind = name.replace("_", " ") if name != "cost" else "dollars"
    kind = kind.removesuffix("s") if limit == 1 else kind
    raise BudgetError(
        f"the budget of the {ledger} allows {limit:g} {kind}: {spent:.6g} spent, {held:.6g} "
        f"reserved by calls in flight, {wanted:.6g} asked for; raise max_{name}, or ask for less",
        details={
            "ledger": ledger,
            "limit": f"max_{name}",
            "of": limit,
            "spent": spent,
            "reserved": held,
            "asked": wanted,
        },
    )
