"""How a model is shown evidence: quoted, line by line, so that no text can end its quotation."""

from collections.abc import Iterable

from cogwork.nodes.research.evidence import Evidence

__all__ = ["fenced"]


def fenced(evidence: Iterable[Evidence]) -> str:
    """Return evidence as text in which each line of a source begins with `|`.

    Args:
        evidence: What is shown: its id, where it is from, and its passage.
    """
    shown: list[str] = []
    told: set[str] = set()
    for each in evidence:
        where = " ".join(f"{each.locator} {each.date or ''}".split())
        text = each.quote if each.passage in told else each.passage
        told.add(each.passage)
        shown.append(
            f"[{each.id}] {each.source}, {_line(where)}\n| {_line(each.title)}\n| {_line(text)}"
        )
    return "\n\n".join(shown)


def _line(text: str) -> str:
    return " ".join(text.split())
