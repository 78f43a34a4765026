"""A picture as PNG (extra `png`)."""

from importlib import import_module

from cogwork.core.errors import ConfigurationError

__all__ = ["to_png"]


def to_png(svg: str) -> bytes:
    """Return an SVG picture as the bytes of a PNG file, twice as large, on white.

    Args:
        svg: Its text, such as `to_svg` of `cogwork.core.topology` returns it.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    try:
        resvg = import_module("resvg_py")
    except ImportError as error:
        raise ConfigurationError(
            "a PNG needs the package resvg-py: pip install 'cogwork[png]', or draw an SVG"
        ) from error
    return bytes(resvg.svg_to_bytes(svg_string=svg, zoom=2, background="#ffffff"))
