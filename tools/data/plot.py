"""Tables as pictures: lines, bars, points, histograms and boxes, as PNG."""

import io
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.tools.data.analysis import column_of, numbers
from cogwork.tools.data.loading import require_polars

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from polars import DataFrame

__all__ = ["PlotKind", "draw"]

PlotKind: TypeAlias = Literal["line", "bar", "scatter", "histogram", "box"]

_MOST_POINTS: Final = 20_000
_MOST_BARS: Final = 40


def draw(table: "DataFrame", kind: PlotKind, y: str, x: str | None = None) -> bytes:
    """Return a picture of a column as PNG, 800 by 500 pixels.

    Args:
        table: The table; of more than 20,000 rows evenly many are left out, and of bars the
            first 40 are drawn.
        kind: What to draw. A `histogram` and a `box` take one column of numbers.
        y: The column of numbers.
        x: What they are drawn over, or for `box` grouped by; the number of the row unless
            given.

    Raises:
        ConfigurationError: The extra `data` is not installed.
        ToolError: There is no such column or kind, or it has no numbers.
    """
    pl = require_polars()
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigurationError(
            "pictures of tables need the extra 'data'; run: pip install 'cogwork[data]'"
        ) from error
    if kind not in get_args(PlotKind):
        raise ToolError(f"there is no plot '{kind}'; choose {', '.join(get_args(PlotKind))}")
    numbers(table, y)
    if x is not None:
        column_of(table, x)
    finite = pl.when(pl.col(y).cast(pl.Float64).is_finite()).then(pl.col(y))
    thinned = table.gather_every(max(1, -(-table.height // _MOST_POINTS))).with_columns(finite)
    figure = Figure(figsize=(8, 5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _DRAWN[kind](axes, thinned, y, x)
    axes.grid(visible=True, alpha=0.3)
    made = io.BytesIO()
    figure.savefig(made, format="png", metadata={"Software": None})
    return made.getvalue()


def _places(table: "DataFrame", x: str | None) -> list[Any]:
    if x is None:
        return list(range(1, table.height + 1))
    is_scale = table[x].dtype.is_numeric() or table[x].dtype.is_temporal()
    return table[x].to_list() if is_scale else list(map(_label, table[x]))


def _label(value: Any) -> str:
    return str(value)[:30].replace("$", r"\$")  # between dollars stands a formula


def _line(axes: "Axes", table: "DataFrame", y: str, x: str | None) -> None:
    if x is not None and not table[x].dtype.is_nested():
        table = table.sort(x, nulls_last=True)
    axes.plot(_places(table, x), table[y].to_list())
    axes.set(xlabel=_label(x or "row"), ylabel=_label(y))


def _scatter(axes: "Axes", table: "DataFrame", y: str, x: str | None) -> None:
    axes.scatter(_places(table, x), table[y].to_list(), s=12, alpha=0.7)
    axes.set(xlabel=_label(x or "row"), ylabel=_label(y))


def _bar(axes: "Axes", table: "DataFrame", y: str, x: str | None) -> None:
    first = table.head(_MOST_BARS)
    axes.bar(list(map(str, _places(first, x))), first[y].fill_null(0).to_list())
    axes.tick_params(axis="x", rotation=45 if first.height > 6 else 0)
    axes.set(xlabel=_label(x or "row"), ylabel=_label(y))


def _histogram(axes: "Axes", table: "DataFrame", y: str, x: str | None) -> None:  # noqa: ARG001 - as the others
    axes.hist(_finite(table, y), bins="auto")
    axes.set(xlabel=_label(y), ylabel="rows")


def _box(axes: "Axes", table: "DataFrame", y: str, x: str | None) -> None:
    if x is None:
        axes.boxplot(_finite(table, y), tick_labels=[_label(y)])
        return
    parts = table.partition_by(x, as_dict=True, maintain_order=True)
    named = {_label(key[0]): _finite(part, y) for key, part in parts.items()}
    chosen = list(named.items())[:_MOST_BARS]
    axes.boxplot([values for _, values in chosen], tick_labels=[name for name, _ in chosen])
    axes.set(xlabel=_label(x), ylabel=_label(y))


def _finite(table: "DataFrame", y: str) -> list[float]:
    return table[y].drop_nulls().to_list()


_DRAWN: Final = {
    "line": _line,
    "bar": _bar,
    "scatter": _scatter,
    "histogram": _histogram,
    "box": _box,
}
