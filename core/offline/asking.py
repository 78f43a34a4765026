"""Asking: questions to the table in a document."""

import re

from cogwork.core.offline.answers import asked_stems, join, shorten
from cogwork.core.offline.calculating import compute, worth
from cogwork.core.offline.desk import Attempt, CannotError, Desk, Found, Result
from cogwork.core.offline.documents import Document, is_cut
from cogwork.core.offline.goals import intent
from cogwork.core.offline.matching import main_verb
from cogwork.core.offline.measures import SHOWING, measures, spoken
from cogwork.core.offline.queries import read_query
from cogwork.core.offline.readings import Figure, Reading, consult
from cogwork.core.offline.tables import read_items, read_table
from cogwork.core.offline.words import stem, stems, tokens

__all__ = ["consult_table", "count_items", "count_lines", "where_in"]

_ABOUT_COLUMNS = re.compile(r"(?i)\b(?:which|what|list|name)\b.*\b(?:columns|headers?|fields)\b")


def consult_table(text: str, desk: Desk, document: Document) -> Attempt:
    """Ask the table in a document, if there is one and the question is about it."""
    table = read_table(document.text)
    if table is None:
        return None
    if _ABOUT_COLUMNS.search(text) and not measures(text):
        listed = ", ".join(table.header)
        return Result(f"The columns{where_in(document)} are {listed}.", "\n".join(table.header))
    if main_verb(text) in SHOWING and not spoken(text, verb=True):
        return None  # all of it is to be shown
    if is_cut(document.text):
        raise CannotError(
            f"only a part of {document.name or 'the table'} was shown, so no figure is of all of it"
        )
    if table.uneven:
        raise CannotError(
            f"the row “{shorten(table.uneven[0], 60)}”{where_in(document)} has not as many cells as "
            "the header"
        )
    query = read_query(spoken(text), table, desk.questions, document.name)
    reading = consult(query, table, document.name) if query else None
    if query is None or reading is None:
        return None
    names = frozenset({*stems(text), *(stem(name) for name, _ in query.measures)})
    return (yield from _finish(reading, desk, text, names))


def where_in(document: Document) -> str:
    """Return " in sales.csv", or nothing where the document has no name."""
    return f" in {document.name}" if document.name else ""


def _finish(reading: Reading, desk: Desk, text: str, names: frozenset[str]) -> Found[Result]:
    if reading.extreme:
        return _winners(reading, (yield from _values(reading.figures, desk, text)), names)
    if not reading.figures:
        kind = "verdict" if reading.value in {"yes", "no"} else "value"
        return Result(reading.sentence, reading.value, names, kind)
    told = yield from _values(reading.figures, desk, text)
    figures = reading.figures
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


def _winners(reading: Reading, told: list[str], names: frozenset[str]) -> Result:
    """Return the groups with the highest or lowest figure."""
    values = [(worth(value), figure) for value, figure in zip(told, reading.figures, strict=True)]
    if not all(value for value, _ in values):
        raise CannotError("the calculator's answers are no numbers")
    best = (max if reading.extreme == "max" else min)(values, key=lambda pair: float(pair[0]))[0]
    labels = [figure.label for value, figure in values if float(value) == float(best)]
    who = " and ".join(labels)
    verb = "have" if len(labels) > 1 else "has"
    return Result(f"{who} {verb} {reading.sentence}: {best}.", who, names)


_LINES = re.compile(r"\b(?:lines?|entries|items|files|results|names)\b")
_COUNTING = re.compile(
    r"\b(?:how many|number of|count|lines?|entries|items|files|results|names|them|contain(?:s|ing)?"
    r"|with|have|has|mention(?:s|ing)?|words?(?= ['\"“])|occur)\b"
)


def count_lines(text: str, desk: Desk, document: Document) -> Attempt:
    """Count the lines of a text, or those with a word: "how many errors are in log.txt"."""
    if measures(text)[:1] != ("count",):
        return None
    items = read_items(document.text)
    place = where_in(document)
    if is_cut(document.text):
        raise CannotError(f"only a part{place} was shown, so it cannot be counted")
    if re.search(r"(?i)\b(?:not|no|without|except|never|or)\b|n't\b", text):
        raise CannotError("I can count lines with a word, but no others")
    lines = _LINES.search(text.lower())
    words = asked_stems(_COUNTING.sub(" ", spoken(text).lower()))
    if (lines or re.search(r"(?i)\bthem\b", text)) and not words:
        return (yield from count_items(items, desk, text, place))
    if len(words) != 1 or (not lines and len(stems(spoken(text))) > len(words) + 2):
        return None
    (word,) = words
    hits = [item for item in items if word in stems(item)]
    if not lines and (len(hits) < 2 or any(re.search(r"\d", item) for item in hits)):
        return None  # "3 eggs" says it in words
    noun = next((n for n in tokens(text) if stem(n) == word), word)
    return (yield from _count(len(hits), desk, f"lines with “{noun}”{place}", {word}))


def count_items(items: list[str], desk: Desk, text: str, place: str = "") -> Found[Result]:
    """Count the entries of a listing."""
    kind = _LINES.search(text.lower())
    noun = kind.group() if kind else "entries"
    return (yield from _count(len(items), desk, f"{noun}{place}", {stem(noun)}))


def _count(size: int, desk: Desk, what: str, names: set[str]) -> Found[Result]:
    ones = ["1"] * size or ["0"]
    values = yield from compute(
        desk,
        [f"sum({', '.join(ones)})"],
        simple=[" + ".join(ones)],
        thought="I need to count them.",
    )
    return Result(
        f"The number of {what} is {values[0]}.", values[0], frozenset(names | {"count", "number"})
    )
