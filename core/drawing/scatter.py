"""Dots in groups as SVG: one text, no script, nothing fetched, light and dark.

The colours are those of Okabe and Ito (Color Universal Design, 2008), which people with
any kind of colour blindness can tell apart; yellow and black are replaced, since one
vanishes on white and the other on black.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from cogwork.core.drawing.diagram import one_line, shorten, text_width

__all__ = ["MOST_GROUPS", "Dot", "Group", "Scatter", "draw_scatter"]

_WIDTH, _HEIGHT = 960, 640
_LEFT, _TOP, _BOTTOM = 56.0, 92.0, 30.0  # from the border to the dots
_LEGEND_ROW = 24.0
_TITLE, _SUBTITLE, _LABEL, _LEGEND = 20.0, 13.0, 14.0, 12.5
_LEAST_RADIUS, _MOST_RADIUS = 3.0, 7.5
_FEW = 150  # dots; more are drawn smaller
_RIM = 34  # of a cloud
_CLOUD = 0.8  # share of a group that its cloud holds
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_GROUPS = (  # light, dark
    ("#0072b2", "#4aa8e0"),
    ("#d98200", "#f0ad3d"),
    ("#009e73", "#2fc79c"),
    ("#c2410c", "#f0803c"),
    ("#b5578c", "#e08fbc"),
    ("#56a8dc", "#9ad2f5"),
    ("#8a7a00", "#e6d84a"),
    ("#6b7280", "#aeb4c0"),
)
_LIGHT = {"card": "#ffffff", "edge": "#e3e6ee", "text": "#1d2440", "note": "#5c6684"}
_DARK = {"card": "#171a23", "edge": "#2b3040", "text": "#eceffb", "note": "#a3aed2"}

MOST_GROUPS = len(_GROUPS)
"""How many groups have a colour of their own."""

_Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Dot:
    """One dot.

    Args:
        x: Anywhere; all dots together are scaled to the picture.
        y: Likewise, upwards.
        weight: 0 for the smallest dot, 1 for the largest.
        group: Index of its group.
        text: What is shown when the pointer rests on it.
    """

    x: float
    y: float
    weight: float
    group: int
    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """Dots of one colour, and how many things they stand for."""

    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Scatter:
    """What to draw; `empty` is said where there are no dots."""

    title: str
    subtitle: str
    dots: Sequence[Dot]
    groups: Sequence[Group]
    empty: str = "nothing to show yet"


def draw_scatter(scatter: Scatter) -> str:
    """Return the picture as the text of an SVG file.

    Args:
        scatter: At most `MOST_GROUPS` groups; the dots of further ones take the last colour.
    """
    legend, legend_height = _legend(scatter.groups)
    height = math.ceil(_HEIGHT + legend_height)
    places = _scaled(scatter.dots)
    scale = min(1.0, (_FEW / max(len(places), 1)) ** 0.2)
    members: dict[int, list[_Place]] = {}
    for dot, place in zip(scatter.dots, places, strict=True):
        members.setdefault(dot.group, []).append(place)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" style="max-width:100%;height:auto" '
        f'font-family="{_FONT}">'
    )
    card = (
        f'<rect class="cw-card" fill="{_LIGHT["card"]}" stroke="{_LIGHT["edge"]}" x="0.5" y="0.5" '
        f'width="{_WIDTH - 1}" height="{height - 1}" rx="10"/>'
    )
    parts = [
        opening,
        f"<title>{_escape(scatter.title)}</title>",
        f"<style>{_style()}</style>",
        card,
        _words(shorten(scatter.title, 80), (_LEFT - 24, 40), _TITLE, "text", weight=600),
        _words(shorten(scatter.subtitle, 130), (_LEFT - 24, 62), _SUBTITLE, "note"),
        *(_cloud(group, found) for group, found in sorted(members.items())),
        *(_dot(dot, place, scale) for dot, place in zip(scatter.dots, places, strict=True)),
        *_labels(scatter.groups, members),
        *legend,
    ]
    if not scatter.dots:
        middle = (_WIDTH / 2, _HEIGHT / 2)
        parts.append(_words(shorten(scatter.empty, 90), middle, 16, "note", anchor="middle"))
    return "\n".join([*filter(None, parts), "</svg>\n"])


def _style() -> str:
    dark = (
        f".cw-card{{fill:{_DARK['card']};stroke:{_DARK['edge']}}}"
        f".cw-text{{fill:{_DARK['text']}}}.cw-note{{fill:{_DARK['note']}}}"
        f".cw-chip{{fill:{_DARK['card']}}}.cw-dot{{stroke:{_DARK['card']}}}"
    )
    for number, (_, colour) in enumerate(_GROUPS):
        dark += f".cw-g{number}{{fill:{colour}}}.cw-c{number}{{fill:{colour};stroke:{colour}}}"
    # The dot under the pointer is shown whole, whatever lies over it elsewhere.
    hover = ".cw-dot:hover{fill-opacity:1;stroke-width:2.5}"
    return f"{hover}@media (prefers-color-scheme:dark){{{dark}}}"


def _scaled(dots: Sequence[Dot]) -> list[_Place]:
    """Scale the dots to the picture, both axes alike unless that wastes much of it."""
    if not dots:
        return []
    xs, ys = [dot.x for dot in dots], [dot.y for dot in dots]
    wide, tall = _WIDTH - 2 * _LEFT, _HEIGHT - _TOP - _BOTTOM
    x_span, y_span = max(xs) - min(xs), max(ys) - min(ys)
    by_x = wide / x_span if x_span > 1e-9 else 0.0
    by_y = tall / y_span if y_span > 1e-9 else 0.0
    x_mid, y_mid = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    middle = (_LEFT + wide / 2, _TOP + tall / 2)
    return [
        (middle[0] + (dot.x - x_mid) * by_x, middle[1] - (dot.y - y_mid) * by_y) for dot in dots
    ]


def _dot(dot: Dot, place: _Place, scale: float) -> str:
    number = min(dot.group, MOST_GROUPS - 1)
    weight = min(max(dot.weight, 0.0), 1.0)
    radius = scale * (_LEAST_RADIUS + (_MOST_RADIUS - _LEAST_RADIUS) * weight)
    return (
        f'<circle class="cw-dot cw-g{number}" fill="{_GROUPS[number][0]}" fill-opacity="0.82" '
        f'stroke="{_LIGHT["card"]}" cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{radius:.1f}">'
        f"<title>{_escape(dot.text)}</title></circle>"
    )


def _cloud(group: int, places: list[_Place]) -> str:
    """A soft shape around most of the group; those far from its middle are left out."""
    number = min(group, MOST_GROUPS - 1)
    hull = _hull(_near_middle(places))
    if len(hull) < 3:
        return ""
    corners = "L".join(f"{x:.1f},{y:.1f}" for x, y in hull)
    colour = _GROUPS[number][0]
    return (
        f'<path class="cw-c{number}" fill="{colour}" stroke="{colour}" stroke-width="{_RIM}" '
        f'stroke-linejoin="round" opacity="0.1" d="M{corners}Z"/>'
    )


def _near_middle(places: list[_Place]) -> list[_Place]:
    middle = _median(places)
    near = sorted(places, key=lambda place: math.dist(place, middle))
    return near[: max(3, math.ceil(len(near) * _CLOUD))]


def _hull(places: Sequence[_Place]) -> list[_Place]:
    """The convex hull, by Andrew's monotone chain (1979)."""
    ordered = sorted(set(places))
    halves = []
    for way in (ordered, ordered[::-1]):
        half: list[_Place] = []
        for place in way:
            while len(half) > 1 and _turn(half[-2], half[-1], place) <= 0:
                half.pop()
            half.append(place)
        halves += half[:-1]
    return halves


def _turn(a: _Place, b: _Place, c: _Place) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _labels(groups: Sequence[Group], members: dict[int, list[_Place]]) -> list[str]:
    """The name of each group above its cloud, moved down where it would cover another."""
    taken: list[tuple[float, float, float]] = []
    found = []
    for number, group in enumerate(groups):
        if number not in members or not group.label:
            continue
        text = shorten(group.label, 34)
        half = text_width(text, _LABEL) * 0.55  # bold
        x = _median(members[number])[0]
        y = max(min(y for _, y in _near_middle(members[number])) - _RIM / 2 - 6, _TOP - 10)
        x = min(max(x, half + 16), _WIDTH - half - 16)
        while any(abs(x - a) < half + b + 18 and abs(y - c) < 25 for a, b, c in taken):
            y += 4
        taken.append((x, half, y))
        found.append(_chip(text, half, (x, y)))
    return found


def _chip(text: str, half: float, at: _Place) -> str:
    """Words on a chip that lets the dots shine through."""
    chip = (
        f'<rect class="cw-chip" fill="{_LIGHT["card"]}" fill-opacity="0.65" '
        f'x="{at[0] - half - 7:.1f}" y="{at[1] - 11:.1f}" width="{2 * half + 14:.1f}" '
        f'height="22" rx="7"/>'
    )
    below = (at[0], at[1] + _LABEL * 0.35)
    words = _words(text, below, _LABEL, "text", anchor="middle", weight=600)
    return f'<g pointer-events="none">{chip}{words}</g>'


def _legend(groups: Sequence[Group]) -> tuple[list[str], float]:
    """Rows of coloured dots with names and counts, and their height."""
    found = []
    x, row = _LEFT - 24, 0
    for number, group in enumerate(groups):
        words = (
            f"{shorten(group.label, 34)} · {group.count:,}" if group.label else f"{group.count:,}"
        )
        width = text_width(words, _LEGEND) + 40
        if x + width > _WIDTH - 24 and x > _LEFT - 24:
            x, row = _LEFT - 24, row + 1
        y = _HEIGHT + row * _LEGEND_ROW
        key = min(number, MOST_GROUPS - 1)
        found.append(
            f'<circle class="cw-g{key}" fill="{_GROUPS[key][0]}" cx="{x + 6:.1f}" cy="{y:.1f}" r="6"/>'
            + _words(words, (x + 19, y + _LEGEND * 0.35), _LEGEND, "note")
        )
        x += width
    return found, (row + 1) * _LEGEND_ROW if groups else 0.0


def _median(places: Sequence[_Place]) -> _Place:
    xs, ys = sorted(x for x, _ in places), sorted(y for _, y in places)
    return xs[len(xs) // 2], ys[len(ys) // 2]


def _words(
    text: str, at: _Place, size: float, look: str, *, anchor: str = "start", weight: int = 400
) -> str:
    return (
        f'<text class="cw-{look}" fill="{_LIGHT[look]}" x="{at[0]:.1f}" y="{at[1]:.1f}" '
        f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">{_escape(text)}</text>'
    )


def _escape(text: str) -> str:
    return html.escape(one_line(text))
