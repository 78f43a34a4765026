"""Bars over time as SVG: one text, no script, nothing fetched, light and dark."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cogwork.core.drawing.diagram import shorten

__all__ = ["Bar", "Kind", "draw_gantt"]

Kind: TypeAlias = Literal["done", "critical", "failed", "idle"]

_WIDTH, _ROW, _TOP, _LEFT, _RIGHT, _BOTTOM = 960, 30, 84, 220, 40, 40
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_LIGHT = {"card": "#ffffff", "edge": "#e3e6ee", "text": "#1d2440", "note": "#5c6684"}
_DARK = {"card": "#171a23", "edge": "#2b3040", "text": "#eceffb", "note": "#a3aed2"}
_BARS: dict[Kind, tuple[str, str]] = {  # light, dark
    "done": ("#56a8dc", "#4aa8e0"),
    "critical": ("#d98200", "#f0ad3d"),
    "failed": ("#c2410c", "#f0803c"),
    "idle": ("#9aa3b8", "#6b7280"),
}
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Bar:
    """One row.

    Args:
        label: What stands before it.
        start: Seconds.
        end: Seconds; not before `start`. A bar without length is drawn as a mark.
        kind: Says its colour.
        note: What stands behind it.
        text: What is shown when the pointer rests on it.
    """

    label: str
    start: float
    end: float
    kind: Kind = "done"
    note: str = ""
    text: str = ""


def draw_gantt(title: str, subtitle: str, bars: Sequence[Bar]) -> str:
    """Return the picture as the text of an SVG file.

    Args:
        title: What was done.
        subtitle: How long it took, or what else is to be said.
        bars: The rows, in their order from the top.
    """
    begin = min((bar.start for bar in bars), default=0.0)
    span = max((bar.end for bar in bars), default=0.0) - begin or 1.0
    wide = _WIDTH - _LEFT - _RIGHT
    height = _TOP + _ROW * max(len(bars), 1) + _BOTTOM
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" style="max-width:100%;height:auto" '
        f'font-family="{_FONT}">'
    )
    card = (
        f'<rect class="g-card" fill="{_LIGHT["card"]}" stroke="{_LIGHT["edge"]}" x="0.5" y="0.5" '
        f'width="{_WIDTH - 1}" height="{height - 1}" rx="10"/>'
    )
    parts = [
        opening,
        f"<title>{_escape(title)}</title><style>{_style()}</style>",
        card,
        _words(shorten(title, 80), 32, 38, 20, "text", weight=600),
        _words(shorten(subtitle, 120), 32, 60, 13, "note"),
        *_scale(span, wide, height),
    ]
    for row, bar in enumerate(bars):
        top = _TOP + row * _ROW
        left = _LEFT + (bar.start - begin) / span * wide
        length = max((bar.end - bar.start) / span * wide, 3.0)
        drawn = (
            f'<rect class="g-{bar.kind}" fill="{_BARS[bar.kind][0]}" x="{left:.1f}" y="{top + 6}" '
            f'width="{length:.1f}" height="{_ROW - 12}" rx="4">'
            f"<title>{_escape(bar.text or bar.label)}</title></rect>"
        )
        label = _words(shorten(bar.label, 26), _LEFT - 12, top + 19, 13, "text", anchor="end")
        parts += [label, drawn, _note(bar, top, left, length)]
    return "\n".join([*filter(None, parts), "</svg>\n"])


def _note(bar: Bar, top: float, left: float, length: float) -> str:
    """Behind the bar, or before it where there is no room."""
    note = shorten(bar.note, 40)
    if not note:
        return ""
    beyond = left + length + 6
    if beyond + 7 * len(note) > _WIDTH - 8:
        return _words(note, left - 6, top + 19, 11, "note", anchor="end")
    return _words(note, beyond, top + 19, 11, "note")


def _scale(span: float, wide: float, height: int) -> list[str]:
    """A line with its time every 1, 2 or 5 units, about eight of them."""
    unit = 10.0**-6
    steps = (factor * unit * 10**power for power in range(16) for factor in _STEPS)
    step = next(step for step in steps if span / step <= 8)
    parts = []
    for number in range(int(span / step) + 1):
        x = _LEFT + number * step / span * wide
        parts.append(
            f'<line class="g-edge" stroke="{_LIGHT["edge"]}" x1="{x:.1f}" x2="{x:.1f}" '
            f'y1="{_TOP}" y2="{height - _BOTTOM}"/>'
        )
        time = _seconds(number * step)
        parts.append(_words(time, x, height - _BOTTOM + 18, 11, "note", anchor="middle"))
    return parts


def _seconds(value: float) -> str:
    rounded = round(value, 9)
    return f"{rounded * 1000:g} ms" if 0 < rounded < 1 else f"{rounded:g} s"


def _words(
    text: str,
    x: float,
    y: float,
    size: float,
    kind: str,
    *,
    anchor: str = "start",
    weight: int = 400,
) -> str:
    return (
        f'<text class="g-{kind}" fill="{_LIGHT[kind]}" x="{x:.1f}" y="{y:.1f}" '
        f'font-size="{size:g}" text-anchor="{anchor}" font-weight="{weight}">{_escape(text)}</text>'
    )


def _style() -> str:
    dark = (
        f".g-card{{fill:{_DARK['card']};stroke:{_DARK['edge']}}}.g-edge{{stroke:{_DARK['edge']}}}"
        f".g-text{{fill:{_DARK['text']}}}.g-note{{fill:{_DARK['note']}}}"
    )
    dark += "".join(f".g-{kind}{{fill:{colour}}}" for kind, (_, colour) in _BARS.items())
    return f"@media (prefers-color-scheme:dark){{{dark}}}"


def _escape(text: str) -> str:
    return html.escape("".join(letter if letter.isprintable() else " " for letter in text))
