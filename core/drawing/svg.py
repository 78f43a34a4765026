"""A picture as SVG: one text, no script, nothing fetched, light and dark."""

import html
import math
from collections.abc import Mapping

from cogwork.core.drawing.curves import Path, Point
from cogwork.core.drawing.diagram import one_line, shorten
from cogwork.core.drawing.layout import (
    FRAME_TEXT,
    LABEL_LENGTH,
    LABEL_TEXT,
    NODE_TEXT,
    NOTE_TEXT,
    Frame,
    Picture,
    Placed,
    Route,
    label_size,
)

__all__ = ["STATUSES", "draw_svg"]

STATUSES = ("visited", "running", "failed", "interrupted")
"""What a node of a run can be shown as."""

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_ARROW = (9.0, 3.8)

# Every shape carries its light colours as attributes, so that programs without style
# sheets draw it right; the style sheet only replaces them where the reader prefers dark.
_LIGHT = {
    "card": {"fill": "#ffffff", "stroke": "#e3e6ee"},
    "frame": {"fill": "#6b7fd7", "fill-opacity": "0.05", "stroke": "#b9c1dd"},
    "frame-title": {"fill": "#59658c"},
    "step": {"fill": "#eef1fb", "stroke": "#8391c4"},
    "start": {"fill": "#3d4a7a", "stroke": "#3d4a7a"},
    "end": {"fill": "#ffffff", "stroke": "#3d4a7a"},
    "text": {"fill": "#1d2440"},
    "start-text": {"fill": "#ffffff"},
    "end-text": {"fill": "#3d4a7a"},
    "note": {"fill": "#66708f"},
    "line": {"fill": "none", "stroke": "#7580a3"},
    "arrow": {"fill": "#7580a3"},
    "chip": {"fill": "#ffffff"},
    "label": {"fill": "#4d5878"},
    "visited": {"fill": "#e3f6ea", "stroke": "#2f9e60"},
    "running": {"fill": "#fff3d4", "stroke": "#d99a0b"},
    "failed": {"fill": "#fde7e7", "stroke": "#d64545"},
    "interrupted": {"fill": "#f0e8ff", "stroke": "#8257e6"},
}
_DARK = {
    "card": {"fill": "#171a23", "stroke": "#2b3040"},
    "frame": {"fill": "#8fa0f0", "stroke": "#444d70"},
    "frame-title": {"fill": "#a3aed2"},
    "step": {"fill": "#262c40", "stroke": "#6f7cb0"},
    "start": {"fill": "#c3ccf2", "stroke": "#c3ccf2"},
    "end": {"fill": "#171a23", "stroke": "#c3ccf2"},
    "text": {"fill": "#eceffb"},
    "start-text": {"fill": "#171a23"},
    "end-text": {"fill": "#c3ccf2"},
    "note": {"fill": "#9ba5c6"},
    "line": {"stroke": "#8a95ba"},
    "arrow": {"fill": "#8a95ba"},
    "chip": {"fill": "#171a23"},
    "label": {"fill": "#b4bdda"},
    "visited": {"fill": "#173626", "stroke": "#46b97a"},
    "running": {"fill": "#3d3010", "stroke": "#e8b437"},
    "failed": {"fill": "#431f22", "stroke": "#ec6a6a"},
    "interrupted": {"fill": "#2f2350", "stroke": "#a585f5"},
}


def draw_svg(picture: Picture, highlight: Mapping[str, str]) -> str:
    """Return the picture as the text of an SVG file.

    Args:
        picture: What to draw.
        highlight: One of `STATUSES` per id of a node or path of a subgraph.
    """
    width, height = math.ceil(picture.width), math.ceil(picture.height)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" style="max-width:100%;height:auto" '
        f'font-family="{_FONT}" text-anchor="middle">'
    )
    parts = [
        opening,
        f"<title>{_escape(picture.title)}</title>",
        f"<style>{_style()}</style>",
        f'<rect {_look("card")} x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10"/>',
    ]
    parts += [_frame(frame, highlight) for frame in picture.frames]
    parts += [_route(route) for route in picture.routes]
    parts += [_label(route) for route in picture.routes if route.label_at]
    parts += [_node(placed, highlight.get(placed.node.id, "")) for placed in picture.nodes]
    return "\n".join([*parts, "</svg>\n"])


def _style() -> str:
    rules = "".join(
        f".cw-{name}{{{';'.join(f'{key}:{value}' for key, value in look.items())}}}"
        for name, look in _DARK.items()
    )
    return f"@media (prefers-color-scheme:dark){{{rules}}}"


def _look(name: str) -> str:
    colours = " ".join(f'{key}="{value}"' for key, value in _LIGHT[name].items())
    return f'class="cw-{name}" {colours}'


def _frame(frame: Frame, highlight: Mapping[str, str]) -> str:
    name = ":".join(frame.path)
    status = highlight.get(name, "")
    look = f'{_look("frame")} {_box(frame)} rx="10" stroke-width="1"'
    if status:
        look = f'{_look(status)} fill-opacity="0.35" {_box(frame)} rx="10" stroke-width="2"'
    at = (frame.title_x, frame.y + 19)
    title = _text(shorten(frame.path[-1]), at, FRAME_TEXT, "frame-title")
    group = '<g font-weight="600" text-anchor="start">'
    return f"{group}{_tooltip(name, status)}<rect {look}/>{title}</g>"


def _node(placed: Placed, status: str) -> str:
    node = placed.node
    middle = placed.x + placed.width / 2
    pill = node.kind != "step"
    rounding = placed.height / 2 if pill else 9
    base = placed.y + placed.height / 2 - (8 if node.note else 0) + NODE_TEXT * 0.35
    words = f"{node.kind}-text" if pill and not status else "text"
    box = (
        f'<rect {_look(status or node.kind)} {_box(placed)} rx="{_number(rounding)}" '
        f'stroke-width="{2.25 if status else 1.4}"/>'
    )
    name = _text(shorten(node.label), (middle, base), NODE_TEXT - (1.5 if pill else 0), words)
    note = _text(shorten(node.note), (middle, base + 17), NOTE_TEXT, "note") if node.note else ""
    group = '<g font-weight="600">' if pill else "<g>"
    return f"{group}{_tooltip(node.id, node.note, status)}{box}{name}{note}</g>"


def _route(route: Route) -> str:
    edge = route.edge
    tip, tail = route.path[-1][-1], _before_end(route.path)
    dashes = ' stroke-dasharray="5 4"' if edge.conditional else ""
    words = f"{edge.source} → {edge.target}"
    return (
        f"<g>{_tooltip(words, edge.label)}"
        f'<path {_look("line")} stroke-width="1.5"{dashes} d="{_path(route.path, tip, tail)}"/>'
        f'<path {_look("arrow")} d="{_head(tip, tail)}"/></g>'
    )


def _label(route: Route) -> str:
    x, y = route.label_at or (0.0, 0.0)
    width, height = label_size(route.edge.label)
    chip = (
        f'<rect {_look("chip")} x="{_number(x - width / 2)}" y="{_number(y - height / 2)}" '
        f'width="{_number(width)}" height="{_number(height)}" rx="5"/>'
    )
    text = shorten(route.edge.label, LABEL_LENGTH)
    return f"<g>{chip}{_text(text, (x, y + LABEL_TEXT * 0.35), LABEL_TEXT, 'label')}</g>"


def _before_end(path: Path) -> Point:
    """The last point of the path that is not its end; it gives the arrow its direction."""
    points = [point for piece in path for point in piece]
    return next((point for point in reversed(points) if point != points[-1]), points[-1])


def _head(tip: Point, tail: Point) -> str:
    length, half = _ARROW
    along = math.atan2(tip[1] - tail[1], tip[0] - tail[0])
    cos, sin = math.cos(along), math.sin(along)
    base = (tip[0] - length * cos, tip[1] - length * sin)
    left = (base[0] - half * sin, base[1] + half * cos)
    right = (base[0] + half * sin, base[1] - half * cos)
    return f"M{_point(tip)}L{_point(left)}L{_point(right)}Z"


def _path(path: Path, tip: Point, tail: Point) -> str:
    """The line ends inside its arrow, so that the tip stays sharp."""
    back = min(_ARROW[0] - 1, math.dist(tip, tail) / 2) / (math.dist(tip, tail) or 1)
    end = (tip[0] + (tail[0] - tip[0]) * back, tip[1] + (tail[1] - tip[1]) * back)
    *pieces, last = path
    pieces.append((*last[:-1], end))
    commands = [
        ("L" if len(piece) == 1 else "C") + " ".join(map(_point, piece)) for piece in pieces[1:]
    ]
    return f"M{_point(pieces[0][0])}{''.join(commands)}"


def _text(text: str, at: Point, size: float, look: str) -> str:
    return (
        f'<text {_look(look)} x="{_number(at[0])}" y="{_number(at[1])}" '
        f'font-size="{_number(size)}">{_escape(text)}</text>'
    )


def _tooltip(*words: str) -> str:
    return f"<title>{_escape(' · '.join(filter(None, words)))}</title>"


def _box(part: Placed | Frame) -> str:
    return (
        f'x="{_number(part.x)}" y="{_number(part.y)}" '
        f'width="{_number(part.width)}" height="{_number(part.height)}"'
    )


def _escape(text: str) -> str:
    return html.escape(one_line(text))


def _point(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    """At most one decimal, and never a minus before zero."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")
