"""Results of several graphs side by side: a table for terminals, Markdown, JSON."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cogwork.runtime.evaluation.results import Results

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["as_json", "as_markdown", "as_table"]


def as_table(results: Sequence[Results]) -> "Table":
    """Return a table with one row a graph; figures but the rates are means of a run."""
    from rich.table import Table

    head, *rows = _cells(results)
    table = Table(box=None)
    for index, name in enumerate(head):
        table.add_column(name, justify="left" if not index else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def as_markdown(results: Sequence[Results]) -> str:
    """Return the same table as Markdown."""
    head, *rows = _cells(results)
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows)) + "\n"


def as_json(results: Sequence[Results], *, runs: bool = True) -> str:
    """Return an array of objects with the fields and properties of `Results`.

    With several attempts at each task, `pass_at` and `pass_all` hold pass@k and pass^k for
    every k.

    Args:
        results: Of each graph.
        runs: Whether each has its single runs too.
    """
    plain = []
    for each in results:
        row = each.model_dump(mode="json", exclude=None if runs else {"runs"})
        ks = range(1, each.attempts + 1)
        row["pass_at"] = {str(k): each.pass_at(k) for k in ks}
        row["pass_all"] = {str(k): each.pass_all(k) for k in ks}
        plain.append(row)
    return json.dumps(plain, ensure_ascii=False)


def _cells(results: Sequence[Results]) -> Iterator[list[str]]:
    kinds = list(dict.fromkeys(kind for each in results for kind in each.by_kind))
    repeats = min((each.attempts for each in results), default=0)
    several = [f"pass@{repeats}", f"pass^{repeats}"] if repeats > 1 else []
    costs = ["model calls", "tool calls", "tokens", "dollars", "seconds"]
    shown = kinds if len(kinds) > 1 else []
    yield ["graph", "success", "95 %", *several, *shown, "steps", *costs]
    for each in results:
        mean = each.mean
        chances = [each.pass_at(repeats), each.pass_all(repeats)] if several else []
        low, high = each.interval
        yield [
            each.graph,
            f"{each.success:.0%}",
            f"{low:.0%} to {high:.0%}",
            *(f"{chance:.0%}" for chance in chances),
            *(f"{each.by_kind[kind]:.0%}" if kind in each.by_kind else "" for kind in shown),
            *(f"{mean[name]:.1f}" for name in ("steps", "model_calls", "tool_calls")),
            f"{mean['tokens']:.0f}",
            f"{mean['cost']:.4f}",
            f"{mean['seconds']:.2f}",
        ]
