"""Contracts: what is announced, who may bid, what is bid and awarded, and who holds what."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from cogwork.core.errors import ConfigurationError
from cogwork.nodes.plan import Status
from cogwork.nodes.roles import Requirement, Role

__all__ = ["Award", "Bid", "Contract", "Contractor", "Ledger", "Terms"]

Amount: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Resources: TypeAlias = dict[str, Amount]
Tie: TypeAlias = Literal["earlier", "less_loaded"]

_SAME: Final = 1e-9  # of an amount; what is less is rounding


class Contract(Requirement):
    """A requirement that is announced.

    Attributes:
        capabilities: What it takes; each counts. The `capability`, else the description,
            unless given.
        resources: What it takes while it is carried out, by kind.
        joint: Whether all who bid carry it out, and their results are voted on.
    """

    capabilities: tuple[str, ...] = ()
    resources: Resources = Field(default_factory=dict)
    joint: bool = False

    @property
    def wanted(self) -> tuple[str, ...]:
        """The capabilities that it takes; an empty one stands for what the description needs."""
        return self.capabilities or (self.capability,)

    @property
    def is_open(self) -> bool:
        """Whether a generalist may take it: nobody has demanded a capability."""
        return super().is_open and not self.capabilities


class Contractor(Role):
    """A role that has resources.

    Attributes:
        resources: What it has at one time, by kind, such as `{"slots": 2}`.
    """

    resources: Resources = Field(default_factory=dict)

    def could_take(self, contract: Contract) -> bool:
        """Whether it has enough for a contract when it has nothing else in hand."""
        return _covers(self.resources, contract.resources)


class Bid(BaseModel):
    """What a contractor offers for a contract.

    Attributes:
        contract: Its id.
        contractor: Who bids.
        matched: Which of the capabilities it has.
        eta: How long it says it will take, in whatever unit all use.
        note: Why it bids, where it has none of the capabilities.
    """

    model_config = ConfigDict(frozen=True)

    contract: str
    contractor: str
    matched: tuple[str, ...]
    eta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    note: str = ""


class Award(BaseModel):
    """A contract that somebody carries out.

    Attributes:
        contract: Its id.
        contractor: Who was awarded it.
        score: What the bid was worth.
        round: In which round, from 1 on.
        status: How it went; `running` until it is settled.
        error: Why it failed.
        note: As the bid has it.
    """

    model_config = ConfigDict(frozen=True)

    contract: str
    contractor: str
    score: float
    round: int = 1
    status: Status = "running"
    error: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a bid is worth, and who gets a contract when bids are worth the same.

    Args:
        capability: For each capability that is matched.
        resources: For having enough of every resource now.
        idle: For having nothing in hand.
        min_match: Least share of the capabilities, up to 1; whoever has none never bids.
        ties: What decides first, then what decides next; the name decides last. `earlier`
            is the lower eta, `less_loaded` the fewer contracts so far.

    Raises:
        ConfigurationError: A number is impossible or a tie breaker unknown.
    """

    capability: float = 10.0
    resources: float = 5.0
    idle: float = 3.0
    min_match: float = 0.0
    ties: tuple[Tie, ...] = ("earlier", "less_loaded")

    def __post_init__(self) -> None:
        points = (self.capability, self.resources, self.idle)
        if not all(0 <= each < math.inf for each in points) or not 0 <= self.min_match <= 1:
            raise ConfigurationError(
                f"{self} is impossible; points are finite from 0 on, and min_match is from 0 to 1"
            )
        if unknown := set(self.ties) - {"earlier", "less_loaded"}:
            raise ConfigurationError(
                f"nothing breaks ties by {', '.join(sorted(unknown))}; use earlier, less_loaded"
            )


class Ledger(BaseModel):
    """Who holds which contracts with which resources.

    Attributes:
        capacity: What each contractor has when it holds nothing, by kind.
        held: The contracts that each has in hand, by id, with what they take.
        awarded: How many contracts each was awarded so far.
    """

    model_config = ConfigDict(frozen=True)

    capacity: dict[str, dict[str, float]]
    held: dict[str, dict[str, dict[str, float]]]
    awarded: dict[str, int]

    @classmethod
    def of(cls, contractors: Sequence[Contractor]) -> "Ledger":
        """Return the ledger before anything is awarded."""
        return cls(
            capacity={each.name: dict(each.resources) for each in contractors},
            held={each.name: {} for each in contractors},
            awarded={each.name: 0 for each in contractors},
        )

    def free(self, contractor: str) -> dict[str, float]:
        """Return what a contractor has left, by kind."""
        taken = self.held[contractor].values()
        return {
            kind: much - math.fsum(each.get(kind, 0.0) for each in taken)
            for kind, much in self.capacity[contractor].items()
        }

    def can_take(self, contractor: str, contract: Contract) -> bool:
        """Whether a contractor has enough of everything now."""
        return _covers(self.free(contractor), contract.resources)

    def reserve(self, contractor: str, contract: Contract) -> "Ledger":
        """Return the ledger with a contract in somebody's hand.

        Raises:
            ConfigurationError: It has it already, or not enough to take it.
        """
        if contract.id in self.held[contractor] or not self.can_take(contractor, contract):
            raise ConfigurationError(
                f"'{contractor}' cannot take contract '{contract.id}': it holds "
                f"{sorted(self.held[contractor])} and has {self.free(contractor)} left"
            )
        held = {**self.held[contractor], contract.id: dict(contract.resources)}
        count = self.awarded[contractor] + 1
        return self.model_copy(
            update={
                "held": {**self.held, contractor: held},
                "awarded": {**self.awarded, contractor: count},
            }
        )

    def release(self, contractor: str, contract: str) -> "Ledger":
        """Return the ledger with a contract given back, however it ended.

        Raises:
            ConfigurationError: The contractor does not hold it.
        """
        if contract not in self.held[contractor]:
            raise ConfigurationError(f"'{contractor}' does not hold contract '{contract}'")
        held = {key: much for key, much in self.held[contractor].items() if key != contract}
        return self.model_copy(update={"held": {**self.held, contractor: held}})


def _covers(has: Mapping[str, float], needs: Mapping[str, float]) -> bool:
    return all(has.get(kind, 0.0) >= much - _SAME for kind, much in needs.items())
