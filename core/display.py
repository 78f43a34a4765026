"""Graphs show themselves in notebooks, without asking a web service for the picture.

LangGraph's own `_repr_mimebundle_` sends the topology to mermaid.ink and waits for a
PNG. A formatter that is registered for a type goes before such methods.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cogwork.core.drawing.diagram import Drawable

__all__ = ["enable_notebook_pictures"]


def enable_notebook_pictures() -> bool:
    """Let every graph of LangGraph be shown as SVG in the running IPython.

    Holds for compiled graphs of any origin and for what their `get_graph()` returns.
    Calling it again changes nothing.

    Returns:
        Whether IPython runs in this process; if not, nothing happened, and IPython was
        not imported.
    """
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_ipython() if get_ipython else None
    if shell is None:
        return False
    from langchain_core.runnables.graph import Graph
    from langgraph.pregel import Pregel

    for kind in (Pregel, Graph):
        shell.display_formatter.mimebundle_formatter.for_type(kind, _picture)
    return True


def _picture(graph: "Drawable") -> dict[str, str]:
    from cogwork.core.topology import to_ascii, to_svg

    return {"image/svg+xml": to_svg(graph), "text/plain": to_ascii(graph)}
