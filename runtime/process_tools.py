"""Which tools the steps of a process call: those of the registry, or of a file of one's own."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from langchain_core.tools import BaseTool

from cogwork.core.errors import CogworkError, ConfigurationError
from cogwork.core.settings import Settings
from cogwork.nodes.process.definition import Definition
from cogwork.nodes.process.library import Library
from cogwork.tools.registry import load_tools
from cogwork.tools.registry import tools as registry

__all__ = ["load_process_tools"]


def load_process_tools(
    definitions: Sequence[Definition], own: str | None, settings: Settings
) -> Sequence[BaseTool]:
    """Return the tools of a file, or those of the registry that steps name.

    Args:
        definitions: Whose steps call them.
        own: `file.py:function`, which is called with the root; None for the registry.
        settings: The root, and what tools need.

    Raises:
        ConfigurationError: A step names a tool that is not there, or the file gives none.
    """
    if own is not None:
        return _tools_of(own, Path(settings.root))
    library = Library(definitions)
    named = sorted(name for name in library.tools if name in registry)
    if len(named) < len(library.tools):
        try:
            library.check(named, [*library.agents])
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{error}\n--tools file.py:function gives tools of your own"
            ) from None
    return load_tools(named, root=settings.root, settings=settings)


def _tools_of(own: str, root: Path) -> Sequence[BaseTool]:
    file, _, function = own.rpartition(":")
    spec = importlib.util.spec_from_file_location(Path(file).stem, file) if file else None
    if spec is None or spec.loader is None or not Path(file).is_file():
        raise ConfigurationError(f"--tools is '{own}', which names no file; write file.py:function")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        return _made_by(module, function, root)
    except CogworkError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"--tools '{own}' gives no tools: {type(error).__name__}: {error}; it names a function "
            "that is called with the root folder and returns a list of tools"
        ) from error


def _made_by(module: ModuleType, function: str, root: Path) -> Sequence[BaseTool]:
    if not hasattr(module, function):
        raise ConfigurationError(
            f"'{module.__file__}' has no function '{function}'; correct --tools"
        )
    return list(getattr(module, function)(root))
