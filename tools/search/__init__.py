"""Where to look things up: each source is one client behind one signature.

`hit` has the signature; `serper`, `tavily`, `arxiv`, `semantic_scholar` and `wikipedia` ask
services; `corpus` searches a folder, of which `passages` are made; `tool` makes a tool of them.
"""

from cogwork.tools.search.hit import Hit, Search
from cogwork.tools.search.tool import make_search

__all__ = ["Hit", "Search", "make_search"]
