"""One architecture a file; each factory returns a compiled LangGraph graph.

`graphs` names them all. Importing this package inside a notebook makes compiled graphs
show themselves as SVG, drawn here rather than by a web service.
"""

from cogwork.core.display import enable_notebook_pictures
from cogwork.graphs.react import ReactInput, ReactState, create_react_agent
from cogwork.graphs.registry import graphs

__all__ = ["ReactInput", "ReactState", "create_react_agent", "graphs"]

enable_notebook_pictures()
