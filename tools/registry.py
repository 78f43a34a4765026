"""Tools by name, for the command line and for configuration; nothing is imported to list them."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from cogwork.core.errors import ConfigurationError, UnknownNameError
from cogwork.core.registry import Registry, nearest

if TYPE_CHECKING:  # importing LangChain takes a second
    from langchain_core.tools import BaseTool

    from cogwork.core.settings import Settings

__all__ = ["ToolEntry", "default_tools", "load_tools", "tools"]

ToolEntry: TypeAlias = Union["BaseTool", Callable[..., "BaseTool"]]
"""A tool, or a function that makes one for a root folder; one that has a parameter `settings` is
given them too, or `None`, which stands for `load_settings()`."""

tools: Registry[ToolEntry] = Registry("tool", group="cogwork.tools")
"""Every tool that can be had by name; other packages add to it with the same entry-point
group. Metadata: `effect`, `network`, `group`, a name for several tools together, and
`optional` for what an agent is not given unasked."""

tools.add(
    "calculator",
    "cogwork.tools.calculator:calculator",
    description="Compute an arithmetic expression exactly.",
    effect="read",
    network=False,
)
for _name, _effect, _description in (
    ("read_file", "read", "Read a text file inside the root folder."),
    ("write_file", "write", "Write a text file inside the root folder, whole or not at all."),
    ("list_files", "read", "List files and folders inside the root folder."),
    ("file_exists", "read", "Tell whether a file or folder exists inside the root folder."),
):
    tools.add(
        _name,
        f"cogwork.tools.files:make_{_name}",
        description=_description,
        effect=_effect,
        network=False,
        group="files",
    )
for _name, _effect, _description in (
    ("analyze_data", "read", "Describe, group, correlate or fit a table in a file."),
    ("plot_data", "write", "Draw a column of a table in a file as a PNG picture."),
):
    tools.add(
        _name,
        f"cogwork.tools.data:make_{_name}",
        description=_description,
        effect=_effect,
        network=False,
        group="data",
        optional=True,
    )
for _name, _effect, _description in (
    ("http_get", "read", "Read a web page or an API by GET."),
    ("api_call", "external", "Call an HTTP API by any method."),
):
    tools.add(
        _name,
        f"cogwork.tools.api:{_name}",
        description=_description,
        effect=_effect,
        network=True,
        group="web",
        optional=True,
    )
for _name, _description in (
    ("web_search", "Search the web by the services whose keys are set."),
    ("paper_search", "Search scientific papers on arXiv and Semantic Scholar."),
    ("encyclopedia_search", "Search Wikipedia."),
):
    tools.add(
        _name,
        f"cogwork.tools.search.tool:make_{_name}",
        description=_description,
        effect="read",
        network=True,
        group="web",
        optional=True,
    )
tools.add(
    "search_files",
    "cogwork.tools.search.tool:make_search_files",
    description="Search the texts inside the root folder by meaning and words.",
    effect="read",
    network=False,
    optional=True,
)
tools.add(
    "delete_file",
    "cogwork.tools.files:make_delete_file",
    description="Delete a file or an empty folder inside the root folder.",
    effect="write",
    network=False,
    optional=True,
)
tools.add(
    "run_code",
    "cogwork.tools.code:make_run_code_in",
    description="Run Python, JavaScript or bash in a sandbox, in a folder inside the root folder.",
    effect="write",
    network=False,
    optional=True,
)


def default_tools() -> list[str]:
    """Return the names of the tools that agents have unless others are asked for."""
    return [entry.name for entry in tools if not entry.metadata.get("optional")]


def load_tools(
    names: str | Sequence[str], *, root: str | Path = ".", settings: "Settings | None" = None
) -> "list[BaseTool]":
    """Return the tools called `names`, each once, in that order.

    Args:
        names: Names of tools, or of groups such as `files`; or a single one.
        root: The folder that tools for files cannot leave.
        settings: Where tools that need keys find them; else `load_settings()`.

    Raises:
        UnknownNameError: There is no such tool or group; the nearest names are offered.
        ConfigurationError: There is no such root, or what is registered is no tool.
    """
    if isinstance(names, str):
        names = [names]
    wanted = [single for name in names for single in _members(name)]
    return [_load(name, Path(root), settings) for name in dict.fromkeys(wanted)]


def _members(name: str) -> list[str]:
    if name in tools:
        return [name]
    groups = {str(entry.metadata["group"]) for entry in tools if "group" in entry.metadata}
    if name not in groups:
        raise UnknownNameError(
            f"no tool is called '{name}'; {nearest(name, [*tools.names(), *groups])}"
        )
    return [entry.name for entry in tools if entry.metadata.get("group") == name]


def _load(name: str, root: Path, settings: "Settings | None") -> "BaseTool":
    from langchain_core.tools import BaseTool

    made: Any = tools.get(name)
    if callable(made) and not isinstance(made, BaseTool):
        takes = "settings" in inspect.signature(made).parameters
        made = made(root, settings=settings) if takes else made(root)
    if not isinstance(made, BaseTool):
        raise ConfigurationError(
            f"'{name}' is registered as a tool but is {type(made).__name__!r}; register a "
            "LangChain tool, or a function that takes the root folder and returns one"
        )
    return made
