"""Readings: what a table says to a query, read off or as sums for a calculator."""

from collections.abc import Callable, Sequence

from cogwork.core.offline.comparisons import difference, ratio, share
from cogwork.core.offline.conditions import verdict_columns
from cogwork.core.offline.figures import Figure, Reading, about, column_of, numbers_of, where
from cogwork.core.offline.queries import Query
from cogwork.core.offline.results import CannotError
from cogwork.core.offline.tables import Table, figure

__all__ = ["Figure", "Reading", "consult"]

_NOUNS = {
    "sum": "total", "mean": "mean", "median": "median", "max": "highest", "min": "lowest",
    "stdev": "standard deviation",
}  # fmt: skip
_PLAIN = {"sum": "{}", "mean": "({}) / {n}"}  # for calculators that know no functions


def consult(query: Query, table: Table, source: str = "") -> Reading | None:
    """Return what `table` says to `query`, or `None` if the query is no question to it.

    Args:
        query: What is asked.
        table: Where to look.
        source: The name of the table in answers, such as its file's.

    Raises:
        CannotError: No row or no column fits.
    """
    place = f" in {source}" if source else ""
    if query.checks and query.selection.scope:
        return _check(query, table, place)
    if query.selection.scope and not query.selection.rows:
        raise CannotError(f"no row{place} has {query.selection.scope}")
    for kind, way in _COMPARISONS.items():
        if kind in query.measures:
            return way(query, table, place)
    if query.picks:
        return _grouped_pick(query, table, place) or _pick(query, table, place)
    if query.measures:
        return _aggregate(query, table, place)
    return _lookup(query, table, place)


def _figure(measure: str, query: Query, table: Table, rows: Sequence[int], of: str) -> Figure:
    if measure == "count":
        ones = ["1"] * len(rows)
        return Figure(f"The number of {of} is {{}}.", f"sum({', '.join(ones)})", " + ".join(ones))
    numbers = numbers_of(query, table, rows)
    if not numbers:
        raise CannotError(f"there is no figure for the {_NOUNS[measure]} of {of}")
    noun = of if len(rows) == 1 and measure == "sum" else f"{_NOUNS[measure]} of {of}"
    left_out = "" if len(numbers) == len(rows) else " Rows without a figure are left out."
    sentence = f"The {noun} is {{}}.{left_out}"
    if len(numbers) == 1:
        seen = _cell(query, table, rows)
        return Figure(sentence, "" if seen else numbers[0], seen=seen)
    plain = _PLAIN.get(measure, "").format(" + ".join(numbers), n=len(numbers))
    extreme = {"max": max, "min": min}.get(measure)
    seen = _cell(query, table, rows, extreme) if extreme else ""
    return Figure(sentence, f"{measure}({', '.join(numbers)})", plain, seen)


def _count(query: Query, table: Table, limits: str) -> Figure:
    rows = query.selection.rows
    if not query.distinct or not query.texts:
        return _figure("count", query, table, rows, f"rows{limits}")
    name = table.header[query.label]
    values = list(dict.fromkeys(table.rows[row][query.label] for row in rows))
    return _figure("count", query, table, range(len(values)), f"different values of {name}{limits}")


def _cell(query: Query, table: Table, rows: Sequence[int], pick: Callable[..., str] = max) -> str:
    """Return the highest or lowest cell as it stands in the table; none for a product."""
    if query.multiplied:
        return ""
    cells = [table.rows[row][query.columns[0]] for row in rows]
    return pick((cell for cell in cells if figure(cell)), key=lambda cell: float(figure(cell) or 0))


def _aggregate(query: Query, table: Table, place: str) -> Reading | None:
    limits = where(query, place)
    if query.group is not None:
        return _per_group(query, table, place)
    rows = query.selection.rows
    figures = [_count(query, table, limits)] if "count" in query.measures else []
    if query.multiplied:
        measure = query.measures[0]
        figures = [_figure(measure, query, table, rows, f"{column_of(query, table)}{limits}")]
    elif not query.pairs and not figures:
        column_of(query, table)  # says that no column is meant
        return None
    for measure, column in query.pairs if not query.multiplied else ():
        one = about(query, column)
        figures.append(_figure(measure, one, table, rows, f"{table.header[column]}{limits}"))
    return Reading(figures=tuple(figures))


def _groups(query: Query, table: Table, column: int) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for row in query.selection.rows:
        groups.setdefault(table.rows[row][column], []).append(row)
    return groups


def _per_group(query: Query, table: Table, place: str) -> Reading:
    measure = query.measures[0]
    by = query.group if query.group is not None else query.label
    noun = "rows" if measure == "count" else column_of(query, table)
    limits = where(query, place)
    return Reading(
        figures=tuple(
            Figure(f"{label}: {{}}", made.expression, made.plain, made.seen, label)
            for label, rows in _groups(query, table, by).items()
            for made in [_figure(measure, query, table, rows, noun)]
        ),
        sentence=f"The {_NOUNS.get(measure, 'number')} of {noun} by {table.header[by]}{limits}: ",
    )


def _grouped_pick(query: Query, table: Table, place: str) -> Reading | None:
    """The group with the highest total: its figures have to be computed first."""
    measure = next((m for m in query.measures if m in {"sum", "mean", "count"}), "")
    groups = _groups(query, table, query.label)
    if not measure or len(groups) == len(query.selection.rows):
        return None
    extreme = "max" if "max" in query.measures else "min"
    one = Query((measure,), query.columns, query.label, query.selection, query.label)
    made = _per_group(one, table, place)
    noun = made.sentence.partition(" by ")[0].replace("The ", "", 1)
    return Reading(
        f"has the {_NOUNS[extreme]} {noun}{where(query, place)}", "", made.figures, extreme
    )


def _pick(query: Query, table: Table, place: str) -> Reading:
    name = column_of(query, table)
    column = query.columns[0]
    extreme = "max" if "max" in query.measures else "min"
    known = [row for row in query.selection.rows if figure(table.rows[row][column]) is not None]
    ordered = sorted(
        known, key=lambda row: float(figure(table.rows[row][column]) or 0), reverse=extreme == "max"
    )
    if not ordered:
        raise CannotError(f"there is no figure in {name}{where(query, place)}")
    limits = where(query, place)
    if query.top > 1:
        shown = [
            f"{table.rows[r][query.label]} ({table.rows[r][column]})" for r in ordered[: query.top]
        ]
        return Reading(
            f"By {_NOUNS[extreme]} {name}{limits}: {', '.join(shown)}.", "\n".join(shown)
        )
    place_in_order = min(-query.top - 1, len(ordered) - 1) if query.top < 0 else 0
    best = table.rows[ordered[place_in_order]][column]
    names = [table.rows[row][query.label] for row in ordered if table.rows[row][column] == best]
    rank = {-2: "second ", -3: "third "}.get(query.top, "")
    verb = "have" if len(names) > 1 else "has"
    who = " and ".join(dict.fromkeys(names))
    return Reading(f"{who} {verb} the {rank}{_NOUNS[extreme]} {name}{limits}: {best}.", who)


def _check(query: Query, table: Table, place: str) -> Reading:
    """Answer "did Cara pass" by the cell that says it, "is Oslo in it" by whether it is."""
    known = verdict_columns(table)
    asked = [
        column
        for column in query.texts
        if column in known and column not in query.selection.columns
    ]
    if asked and len(query.selection.rows) == 1:
        cell = table.rows[query.selection.rows[0]][asked[0]]
        verdict = "yes" if cell == known[asked[0]][0] else "no"
        said = f"the {table.header[asked[0]]}{where(query, place)} is {cell}"
        return Reading(f"{verdict.capitalize()}: {said}.", verdict)
    found = bool(query.selection.rows)
    kind = "a row" if found else "no row"
    sentence = f"{'Yes' if found else 'No'}: there is {kind}{place} where {query.selection.scope}."
    return Reading(sentence, "yes" if found else "no")


def _lookup(query: Query, table: Table, place: str) -> Reading | None:
    rows = query.selection.rows
    wanted = [c for c in (*query.columns, *query.texts) if c not in query.selection.columns]
    if not query.selection.scope:
        if not wanted:
            return None
        values = table.distinct(wanted[0])
        head = f"{table.header[wanted[0]]}{place}"
        return Reading(f"{head}: {', '.join(values)}.", "\n".join(values))
    if not wanted:
        names = range(len(table.header))
        lines = [", ".join(f"{table.header[c]} {table.rows[r][c]}" for c in names) for r in rows]
        return Reading("; ".join(lines) + ".", "\n".join(lines))
    if len(rows) == 1:
        row = table.rows[rows[0]]
        said = [f"The {table.header[c]}{where(query, place)} is {row[c]}." for c in wanted]
        return Reading(" ".join(said), ", ".join(row[c] for c in wanted))
    return _list(query, table, place, wanted)


def _list(query: Query, table: Table, place: str, wanted: list[int]) -> Reading:
    """Name the rows, each with the columns that are wanted of it."""
    others = [column for column in wanted if column != query.label]
    shown = []
    for row in query.selection.rows:
        cells = ", ".join(table.rows[row][column] for column in others)
        shown.append(f"{table.rows[row][query.label]} {cells}".strip())
    shown = list(dict.fromkeys(shown))
    head = ", ".join(table.header[column] for column in others or wanted)
    limits = place if query.selection.columns == {query.label} else where(query, place)
    return Reading(f"{head}{limits}: {'; '.join(shown)}.", "\n".join(shown))


_COMPARISONS: dict[str, Callable[[Query, Table, str], Reading]] = {
    "share": share,
    "ratio": ratio,
    "difference": difference,
}
