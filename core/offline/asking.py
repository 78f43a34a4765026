"""Asking: questions to the table in a document."""

import re

from cogwork.core.offline.answers import join
from cogwork.core.offline.calculating import compute, worth
from cogwork.core.offline.desk import Attempt, Desk, Found
from cogwork.core.offline.documents import Document, is_cut
from cogwork.core.offline.matching import main_verb
from cogwork.core.offline.measures import measures
from cogwork.core.offline.phrases import intent
from cogwork.core.offline.queries import read_query
from cogwork.core.offline.readings import Figure, Reading, consult
from cogwork.core.offline.results import CannotError, Result
from cogwork.core.offline.tables import read_table
from cogwork.core.offline.words import stem, stems, word_set

__all__ = ["SHOWING", "consult_table", "where_in"]

SHOWING = word_set(
    "read open load show view display print cat fetch get give import visit browse download return"
)
_ABOUT_COLUMNS = re.compile(r"(?i)\b(?:which|what|list|name)\b.*\b(?:columns|headers?|fields)\b")


def consult_table(text: str, desk: Desk, document: Document) -> Attempt:
    """Ask the table in a document, if there is one and the question is about it."""
    table = read_table(document.text)
    if table is None:
        return None
    if _ABOUT_COLUMNS.search(text) and not measures(text):
        listed = ", ".join(table.header)
        return Result(f"The columns{where_in(document)} are {listed}.", "\n".join(table.header))
    query = read_query(text, table, desk.questions)
    if query is None or (
        main_verb(text) in SHOWING and not query.measures and not query.selection.scope
    ):
        return None
    if is_cut(document.text) and (query.measures or query.picks):
        raise CannotError(
            f"only a part of {document.name or 'the table'} was shown, so no figure is of all of it"
        )
    reading = consult(query, table, document.name)
    if reading is None:
        return None
    names = frozenset({*stems(text), *(stem(m) for m in query.measures)})
    return (yield from _finish(reading, desk, text, names))


def where_in(document: Document) -> str:
    """Return " in sales.csv", or nothing where the document has no name."""
    return f" in {document.name}" if document.name else ""


def _finish(reading: Reading, desk: Desk, text: str, names: frozenset[str]) -> Found[Result]:
    if not reading.figures:
        kind = "verdict" if reading.value in {"yes", "no"} else "value"
        return Result(reading.sentence, reading.value, names, kind)
    told = yield from _values(reading.figures, desk, text)
    figures = reading.figures
    if reading.extreme:
        return _winner(reading, told, names)
    lines = [
        figure.sentence.replace("{}", value) for figure, value in zip(figures, told, strict=True)
    ]
    sentence = reading.sentence + "; ".join(lines) + "." if reading.sentence else join(lines)
    return Result(sentence, told[0] if len(told) == 1 else "\n".join(lines), names)


def _values(figures: tuple[Figure, ...], desk: Desk, text: str) -> Found[list[str]]:
    """Return the values of figures: computed, or read off where no calculator is bound."""
    able = desk.tools.calculator is not None
    wanted = [f for f in figures if f.expression and (able or not f.seen)]
    expressions = [figure.expression for figure in wanted]
    simple = [figure.plain for figure in wanted]
    found: list[str] = []
    if wanted:
        found = yield from compute(desk, expressions, simple=simple, thought=intent(text))
    left = iter(found)
    return [next(left) if figure in wanted else figure.seen for figure in figures]


def _winner(reading: Reading, told: list[str], names: frozenset[str]) -> Result:
    """Return the group with the highest or lowest figure."""
    values = [(worth(value), figure) for value, figure in zip(told, reading.figures, strict=True)]
    if not all(value for value, _ in values):
        raise CannotError("the calculator's answers are no numbers")
    pick = max if reading.extreme == "max" else min
    value, best = pick(values, key=lambda pair: float(pair[0]))
    return Result(f"{best.label} {reading.sentence}: {value}.", best.label, names)
