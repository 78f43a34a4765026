"""Counts, durations, amounts and Markdown tables, as people read them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["amounts", "counted", "duration", "table"]

_UNITS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def counted(count: int, one: str, many: str = "") -> str:
    """Return how many things there are; `many` where the plural has no s.

    >>> counted(1, "task"), counted(2_000, "task"), counted(0, "memory", "memories")
    ('1 task', '2,000 tasks', '0 memories')
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def duration(seconds: float) -> str:
    """Return seconds with the unit that suits them.

    >>> duration(0.25), duration(90), duration(86_400)
    ('0.25 s', '1.5 min', '1.0 d')
    """
    for size, name in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def amounts(spent: Mapping[str, float]) -> str:
    """Return what was spent.

    >>> amounts({"tokens": 1200, "cost": 0.03, "tool_calls": 0})
    '1,200 tokens, $0.0300'
    """
    return ", ".join(
        f"${value:.4f}" if name == "cost" else counted(round(value), _one(name))
        for name, value in spent.items()
        if value
    )


def table(left: str, right: str, rows: Iterable[tuple[str, Any]]) -> str:
    """Return a Markdown table of two columns; rows with nothing to say are left out.

    >>> print(table("state", "tasks", [("failed", 2), ("lost", None)]))
    | state  | tasks |
    | ------ | ----- |
    | failed | 2     |
    <BLANKLINE>
    """
    cells = [(_cell(name), _cell(value)) for name, value in rows if value not in (None, "")]
    if not cells:
        return ""
    wide = [max(3, *(len(row[place]) for row in [(left, right), *cells])) for place in (0, 1)]
    lines = [(left, right), ("-" * wide[0], "-" * wide[1]), *cells]
    return "".join(f"| {a:<{wide[0]}} | {b:<{wide[1]}} |\n" for a, b in lines)


def _cell(value: Any) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def _one(name: str) -> str:
    return name.removesuffix("s").replace("_", " ")
