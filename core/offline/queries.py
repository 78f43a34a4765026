"""Queries: what a question wants to know of a table, every word of it understood.

The skeleton of a question (`question`) is taken apart in a fixed order: comparisons,
conditions, groups, sorting, counting, measures. What is left are the columns that are asked
for and words that say nothing here; any other word is a reason to refuse.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cogwork.core.offline.conditions import Selection, select
from cogwork.core.offline.desk import CannotError
from cogwork.core.offline.question import (
    NOISE,
    Skeleton,
    date_columns,
    is_key,
    read_skeleton,
    refusal,
)
from cogwork.core.offline.tables import Table

__all__ = ["Query", "read_query"]

_HIGH = "maximum|max|highest|largest|biggest|greatest|most|top|more|higher|larger|bigger|greater"
_LOW = "minimum|min|lowest|smallest|least|fewest|fewer|less|lower|smaller"
_MEASURES = {
    "stdev": "standard deviation|stdev|std",
    "mean": "mean|averages?|avg",
    "median": "median",
    "sum": "totals?|sum(?:med)?(?: up)?|altogether|combined|overall|add(?:ed|ing)? up|in all",
    "max": _HIGH,
    "min": _LOW,
}
_IMPLIED = {  # adjectives, with the end and the columns that they mean
    "oldest": "max age", "older": "max age", "youngest": "min age", "younger": "min age",
    "most expensive": "max price cost", "cheapest": "min price cost", "cheaper": "min price cost",
    "least expensive": "min price cost", "tallest": "max height", "heaviest": "max weight mass",
    "lightest": "min weight mass", "longest": "max length duration", "hottest": "max temp",
    "shortest": "min length duration height", "warmest": "max temp", "coldest": "min temp",
    "warmer": "max temp", "colder": "min temp", "fastest": "max speed", "slowest": "min speed",
    "richest": "max income gdp", "most populous": "max population", "taller": "max height",
    "heavier": "max weight mass",
}  # fmt: skip
_ENDS = {"max": "highest", "min": "lowest"}
_SMALL = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}
_SIZE = rf"N\d+|{'|'.join(_SMALL)}"
_MEASURE = re.compile("|".join(f" (?P<{name}>{said})(?= )" for name, said in _MEASURES.items()))
_OF_GROUPS = re.compile(
    rf" (?P<end>{_HIGH}|{_LOW}) (?P<of>totals?|sum of|average|mean|number of)(?= )"
)
_MOST_ROWS = re.compile(r" (?P<end>most|fewest) (?:C(?P<column>\d+)|rows)(?= )")
_TOP = re.compile(
    rf" (?:(?P<how>top|bottom) (?P<a>{_SIZE})|(?P<b>{_SIZE}) (?P<end>{_HIGH}|{_LOW})"
    rf"|(?P<rank>second|third) (?P<ranked>{_HIGH}|{_LOW}))(?= )"
)
_GROUP = re.compile(
    r" (?:per|by|for each|in each|for every|of each|in every|each|every) C(\d+)(?= )"
)
_SHARE = re.compile(r" (?:percentages?|percent|%|shares?|proportion|fraction)(?: of)?(?P<base>.*)")
_VERB = r" (?:is|are|was|were|comes?|does|do|did|has|have|had|earns?|lives?|for|from) "
_DIFFERENCE = re.compile(
    rf" (?:differences?|how (?:much|many) (?:more|less|fewer|(?P<adjective>{_HIGH}|{'|'.join(_IMPLIED)})))(?= )"
)
_COUNT = re.compile(
    r" (?:how many|the number of|number of|count(?: of)?)(?P<all> the| all| of)*"
    r"(?: (?P<kind>different|distinct|unique))?(?: (?P<what>\S+))?(?= )"
)
_UNCOUNTED = {
    "columns",
    "values",
    "figures",
    "numbers",
    "files",
    "tables",
    "names",
    "kind",
    "column",
}
_HOWS = {
    "old": "oldest", "tall": "tallest", "heavy": "heaviest", "expensive": "cheapest",
    "hot": "hottest", "cold": "coldest", "warm": "warmest", "long": "longest", "fast": "fastest",
}  # fmt: skip
_HOW = re.compile(rf" how ({'|'.join(_HOWS)})(?= )")
_CHECK = re.compile(r" (?:is|are|was|were|does|do|did|has|have) ")
_NAMES = re.compile(r"(?i)name|person|employee|customer|player|student|author|member|user")
_PLACES = re.compile(r"(?i)city|location|place|country|region|address|town")


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a table.

    Attributes:
        selection: The rows it is about.
        measures: What is to be computed, and of which column: ("sum", 3). A "count" is of
            the different cells of its column, or of rows (-1).
        columns: The columns of figures that are asked for.
        texts: The other columns that are asked for.
        label: The column whose cells name rows.
        group: The column by which rows are grouped.
        picks: "max" or "min" where rows or groups are wanted that have that figure.
        top: How many rows are wanted, or the place of the one that is (negative).
        compares: "share", "ratio" or "difference", where figures are compared.
        multiplied: Whether the product of the columns is meant ("price times quantity").
        checks: Whether only yes or no is asked for.
        names: Whether rows are asked for by name: "which", "who".
    """

    selection: Selection
    measures: tuple[tuple[str, int], ...] = ()
    columns: tuple[int, ...] = ()
    texts: tuple[int, ...] = ()
    label: int = 0
    group: int | None = None
    picks: str = ""
    top: int = 1
    compares: str = ""
    multiplied: bool = False
    checks: bool = False
    names: bool = False


def read_query(
    question: str, table: Table, hints: Sequence[str] = (), source: str = ""
) -> Query | None:
    """Return what `question` asks of `table`, or `None` if it asks for nothing in it.

    Args:
        question: What is asked, without paths.
        table: The table it may be about.
        hints: Earlier questions, whose column is meant when this one names none.
        source: The table's file.

    Raises:
        CannotError: A word of it is not understood, or it may mean several things.
    """
    skeleton = read_skeleton(question, table, source)
    asked = skeleton.text
    if _CHECK.match(asked):
        skeleton.tidy(r"(?<!not) any(?= )", " ")
    if (how := _HOW.search(asked)) and (column := _implied(_HOWS[how[1]], table)) is not None:
        skeleton.take(how, f" C{column} ")
    compares = _compares(skeleton)
    multiplied = _multiplied(skeleton)
    selection = select(skeleton)
    query = Query(selection, compares=compares, multiplied=multiplied)
    query = _order(skeleton, _grouped(skeleton, query))
    query = _counted(skeleton, _picked(skeleton, query))
    query = _measured(skeleton, query, hints)
    checks = bool(_CHECK.match(asked)) and not (query.measures or query.picks or compares)
    query = _targets(skeleton, replace(query, checks=checks), asked)
    _refuse_the_rest(skeleton, query, asked)
    nothing = not (query.columns or query.texts or query.measures or query.picks or selection.scope)
    return None if nothing else query


def _refuse_the_rest(skeleton: Skeleton, query: Query, asked: str) -> None:
    """Raise if there is a word that nothing has taken and that is no empty one."""
    words = [word for word in skeleton.text.split() if not re.fullmatch(r"C\d+|\||rows|and", word)]
    left = [word for word in words if word not in NOISE]
    if query.checks and re.search(r" (?:all|every|each|only|always) ", asked):
        left += ["all"]
    if {"sold", "sell"} & set(words) and not query.columns:
        left += ["sold"]
    if left:
        raise refusal(skeleton, left)
    if not (query.measures or query.compares):
        return
    spare = set(query.columns) - {column for _, column in query.measures}
    if spare and not (query.picks or query.compares or query.multiplied):
        raise CannotError(f"I don't see what is asked of “{skeleton.table.header[min(spare)]}”")
    taken = {c for _, c in query.measures} | ({query.label} if query.picks else set())
    for column in query.texts:
        if column not in taken and not _names_rows(skeleton.table, column):
            raise CannotError(f"I don't see what “{skeleton.table.header[column]}” is to mean here")


def _names_rows(table: Table, column: int) -> bool:
    """Tell whether each row has a cell of its own there, so that it stands for the rows."""
    return len(table.distinct(column)) == len(table.rows)


def _compares(skeleton: Skeleton) -> str:
    """Take the words of a comparison of two figures."""
    if match := _SHARE.search(skeleton.text):
        base = re.split(_VERB, match["base"] + " ", maxsplit=1)[0]
        if re.search(r" [VND]\d", base):
            raise CannotError("I can only give the share of all rows or of a whole column")
        skeleton.text = f"{skeleton.text[: match.start()]} {match['base']} "
        skeleton.tidy(r" (?:totals?|overall)(?= )", " ")
        return "share"
    if match := re.search(r" ratio(?: of)?(?= )", skeleton.text):
        skeleton.take(match)
        return "ratio"
    if match := _DIFFERENCE.search(skeleton.text):
        column = _implied(match["adjective"], skeleton.table)
        many = " total " if "how many" in match[0] else " "
        skeleton.take(match, many if column is None else f" C{column} ")
        skeleton.tidy(r" than(?= )", " ")
        skeleton.tidy(r" between(?= (?:the |C\d+ |of )*(?:V|highest|lowest|most|least))", " ")
        return "difference"
    return ""


def _implied(adjective: str | None, table: Table) -> int | None:
    """Return the column of figures that an adjective means: older, of the ages."""
    for name in _IMPLIED.get(adjective or "", "").split()[1:]:
        for column in sorted(table.numeric):
            if name in re.split(r"[\W_]+", table.header[column].lower()):
                return column
    return None


def _multiplied(skeleton: Skeleton) -> bool:
    times = re.compile(r" (C\d+) (?:times|multiplied by|\*|×)(?: the)? (C\d+)(?= )")
    product = re.compile(r" product of (?:the )?(C\d+) and (?:the )?(C\d+)(?= )")
    for pattern in (times, product):
        if match := pattern.search(skeleton.text):
            skeleton.take(match, f" {match[1]} {match[2]} ")
            return True
    return False


def _grouped(skeleton: Skeleton, query: Query) -> Query:
    match = _GROUP.search(skeleton.text)
    if not match:
        return query
    column = int(match[1])
    if column in skeleton.table.numeric and not is_key(skeleton.table, column):
        skeleton.tidy(r" by (?=C\d)", " ")  # "top 2 by amount"
        return query
    skeleton.take(match)
    return replace(query, group=column)


def _order(skeleton: Skeleton, query: Query) -> Query:
    """Take "sort the … by x in descending order"."""
    match = re.search(r" (?P<how>sort|rank|order)(?:ed|s)?(?= )", skeleton.text)
    if not match:
        return query
    skeleton.take(match)
    falling = r" (?:descending|(?:highest|largest|most) first)(?: order)?(?= )"
    rising = r" (?:ascending|(?:lowest|smallest|least) first)(?: order)?(?= )"
    falls = re.search(falling, skeleton.text)
    rises = re.search(rising, skeleton.text)
    for found in (falls or rises,):
        if found:
            skeleton.take(found)
    high = falls or (match["how"] == "rank" and not rises)
    return replace(query, picks="max" if high else "min", top=max(2, len(query.selection.rows)))


def _picked(skeleton: Skeleton, query: Query) -> Query:
    """Take "top 3", "second highest", "highest total" and "most orders"."""
    if match := _TOP.search(skeleton.text):
        size = match["a"] or match["b"] or ""
        number = skeleton.numbers[int(size[1:])] if size[:1] == "N" else str(_SMALL.get(size, 0))
        if size and not number.isdigit():
            return query
        low = match["how"] == "bottom" or (match["end"] or match["ranked"] or "") in _LOW.split("|")
        top = int(number) if size else {"second": -2, "third": -3}[match["rank"]]
        skeleton.take(match, " ")
        return replace(query, picks="min" if low else "max", top=top)
    if match := _OF_GROUPS.search(skeleton.text):
        measure = {"t": "sum", "s": "sum", "a": "mean", "m": "mean", "n": "count"}[match["of"][0]]
        skeleton.take(match, f" {'how many' if measure == 'count' else match['of'].split()[0]} ")
        return replace(query, picks="min" if match["end"] in _LOW.split("|") else "max", group=-1)
    match = _MOST_ROWS.search(skeleton.text)
    if match and (not match["column"] or int(match["column"]) not in skeleton.table.numeric):
        skeleton.take(match, " how many rows " if _fits_rows(match, skeleton.table) else " ? ")
        return replace(query, picks="max" if match["end"] == "most" else "min", group=-1)
    for adjective, meant in _IMPLIED.items():
        found = re.search(rf" (?P<rank>second |third )?{adjective}(?= )", skeleton.text)
        column = _implied(adjective, skeleton.table)
        if found and column is not None:
            end = _ENDS[meant[:3]] if not found["rank"] else ""
            skeleton.take(found, f" {end} C{column} ")
            top = {"second ": -2, "third ": -3}.get(found["rank"] or "", 1)
            return replace(query, top=top, picks=meant[:3] if top < 0 else "")
    return query


def _fits_rows(match: re.Match[str], table: Table) -> bool:
    return not match["column"] or _names_rows(table, int(match["column"]))


def _counted(skeleton: Skeleton, query: Query) -> Query:
    """Take "how many rows", "how many different cities"; of figures a total is meant."""
    match = _COUNT.search(skeleton.text)
    if not match:
        return query
    what = match["what"] or ""
    table = skeleton.table
    if what in _UNCOUNTED or (match["kind"] and what[:1] != "C"):
        raise refusal(skeleton, [what or "different"])
    if what[:1] != "C":
        skeleton.take(match, f" {what if what not in {'rows', '|'} else ''} | ")
        return replace(query, measures=(("count", -1),))
    column = int(what[1:])
    if column in table.numeric and not match["kind"] and not is_key(table, column):
        skeleton.take(match, f" total {what} ")
        return query
    skeleton.take(match)
    return replace(query, measures=(("count", column),))


def _measured(skeleton: Skeleton, query: Query, hints: Sequence[str]) -> Query:
    """Take the measures, each with the columns that it is of."""
    table = skeleton.table
    runs: list[tuple[list[str], list[int]]] = []
    text = skeleton.text
    for match in re.finditer(rf"{_MEASURE.pattern}| C(?P<column>\d+)(?= )", text):
        if match["column"] is None:
            if not runs or runs[-1][1]:
                runs.append(([], []))
            runs[-1][0].append(match.lastgroup or "")
        elif runs and int(match["column"]) in table.numeric:
            runs[-1][1].append(int(match["column"]))
    skeleton.text = _MEASURE.sub(" ", text)
    named = [int(c) for c in re.findall(r"C(\d+)", text) if int(c) in table.numeric]
    columns = tuple(dict.fromkeys(named))
    asked = [name for names, _ in runs for name in names]
    if (
        not columns
        and (asked or query.compares or query.picks)
        and query.measures[:1] != (("count", -1),)
    ):
        columns = _meant(table, hints, skeleton, query)
    pairs = [(n, c) for names, own in runs for n in names for c in own or columns]
    if query.multiplied:
        pairs = [(name, columns[0]) for name in asked[:1] or ["sum"]]
    if len(pairs) < len(asked):
        raise CannotError(f"I don't see which column is meant; there are {', '.join(table.header)}")
    return replace(query, columns=columns, measures=(*query.measures, *dict.fromkeys(pairs)))


def _meant(table: Table, hints: Sequence[str], skeleton: Skeleton, query: Query) -> tuple[int, ...]:
    """Return the column of figures where none is named: the one of before, or the only one."""
    if query.compares == "share" and " rows " in f" {skeleton.text} ":
        return ()
    for hint in filter(None, hints):
        before = read_skeleton(hint, table)
        found = [int(c) for c in re.findall(r"C(\d+)", before.text) if int(c) in table.numeric]
        if found:
            if re.search(r" [VND]\d", before.text) and query.compares != "share":
                raise CannotError(
                    "I don't see whether the conditions from before hold here as well"
                )
            return (found[0],)
    plain = [c for c in sorted(table.numeric) if not is_key(table, c)]
    return (plain[0],) if len(plain) == 1 else ()


def _targets(skeleton: Skeleton, query: Query, asked: str) -> Query:
    """Find out what rows are named by, and whether rows or figures are wanted."""
    table = skeleton.table
    named = [int(c) for c in re.findall(r"C(\d+)", skeleton.text)]
    texts = tuple(dict.fromkeys(c for c in named if c not in table.numeric))
    keys = [c for c in query.columns if is_key(table, c)]
    dates = date_columns(table)
    plain = [c for c in range(len(table.header)) if c not in table.numeric and c not in dates]
    if re.match(r" where ", asked) and not texts:
        texts = tuple(c for c in plain if _PLACES.search(table.header[c]))[:2]
        if len(texts) != 1:
            raise refusal(skeleton, ["where"])
    who = bool(re.search(r" (?:who|whose) ", asked))
    persons = [c for c in plain if _NAMES.search(table.header[c])]
    if who and not persons and not texts:
        raise refusal(skeleton, ["who"])
    label = next(iter([*texts, *(persons if who else ()), *plain, *dates, *keys]), 0)
    whole = {"row", "rows", "record", "records"} & skeleton.told.keys()
    names = not whole and (who or bool(re.search(r" (?:which|list|name|whose) ", asked)))
    ends = [(name, column) for name, column in query.measures if name in _ENDS]
    picks, measures = query.picks, query.measures
    if len(ends) == 1 == len(measures) and not picks and (names or texts) and not query.compares:
        picks, measures = ends[0][0], ()
    elif picks and query.group != -1 and measures:
        raise CannotError("I don't see what is to be done with the highest or lowest ones")
    return replace(query, texts=texts, label=label, names=names, picks=picks, measures=measures)
