"""One folder or several that tools for files cannot leave."""

import os
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

from langchain_core.tools import BaseTool

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.tools.listing import split_pattern
from cogwork.tools.root import MAX_BYTES, MAX_NAMES, Root

__all__ = ["Folders", "Roots", "hinted", "open_roots"]

Folders: TypeAlias = str | Path | Mapping[str, str | Path]
"""An existing folder, or folders by the names that paths in them begin with."""


def open_roots(*folders: Folders, max_bytes: int = MAX_BYTES) -> "Root | Roots":
    """Return a `Root` for a single folder, in which paths need no name; else `Roots`.

    Args:
        folders: The folders; one that is given without a name is called as on the disk.
        max_bytes: Size of the largest file that is read or written.

    Raises:
        ConfigurationError: There is none, one is no folder, or two have one name.
    """
    if len(folders) == 1 and not isinstance(folders[0], Mapping):
        return Root(folders[0], max_bytes=max_bytes)
    roots: dict[str, Root] = {}
    for name, folder in chain.from_iterable(map(_named, folders)):
        if name in roots:
            raise ConfigurationError(
                f"two roots are called '{name}', '{roots[name].folder}' and '{folder}'; name "
                f"them, as in {{'{name}': …, 'other': …}}"
            )
        roots[name] = Root(folder, max_bytes=max_bytes, name=name)
    if not roots:
        raise ConfigurationError("no root is given; name a folder that the tools may touch")
    return Roots(roots)


def hinted(made: BaseTool, inside: "Root | Roots") -> BaseTool:
    """Return a tool whose description says how paths begin, where there are several roots."""
    if isinstance(inside, Root):
        return made
    return made.model_copy(update={"description": f"{made.description}\n\n{inside.hint}"})


class Roots:
    """Several folders, each under a name with which the paths in it begin; else as `Root`.

    An absolute path may be given too, if it is inside of one.

    Args:
        roots: By name.
    """

    def __init__(self, roots: Mapping[str, Root]) -> None:
        self._roots = dict(roots)

    @property
    def hint(self) -> str:
        """What a model must know of the paths."""
        return f"Paths begin with one of: {', '.join(f'{name}/' for name in self._roots)}"

    def read(self, path: str) -> bytes:
        """Return the content of a regular file; see `Root.read`."""
        return self._of(path).read(path)

    def write(self, path: str, content: bytes) -> None:
        """Replace the content of a file; see `Root.write`."""
        self._of(path).write(path, content)

    def delete(self, path: str) -> None:
        """Delete a file or an empty folder; see `Root.delete`."""
        self._of(path).delete(path)

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder; see `Root.exists`."""
        return _is_top(path) or self._of(path).exists(path)

    def names(self, path: str = ".", pattern: str = "*") -> list[str]:
        """Return the paths in a folder; of `.` those of the roots, see `Root.names`."""
        if not _is_top(path):
            return self._of(path).names(path, pattern)
        deep, wanted = split_pattern(pattern)
        found = (f"{name}/" for name in self._roots if fnmatchcase(name, wanted))
        below = (root.names(name, pattern) for name, root in self._roots.items() if deep)
        return sorted(islice(chain(found, *below), MAX_NAMES + 1))

    def _of(self, path: str) -> Root:
        """The root that a path is in.

        Raises:
            ToolError: It is in none.
        """
        if Path(path).is_absolute() and "\0" not in path:
            resolved = Path(os.path.realpath(path))
            around = [root for root in self._roots.values() if resolved.is_relative_to(root.folder)]
            if around:
                return max(around, key=lambda root: len(root.folder.parts))
        first = next(iter(Path(path).parts), "")
        if first in self._roots:
            return self._roots[first]
        named = ", ".join(f"{name} ('{root.folder}')" for name, root in self._roots.items())
        raise ToolError(
            f"'{path}' is in none of the roots: {named}; begin the path with the name of one"
        )


def _is_top(path: str) -> bool:
    return not Path(path).parts


def _named(given: Folders) -> Iterator[tuple[str, str | Path]]:
    if not isinstance(given, Mapping):
        given = {Path(given).absolute().name: given}
    for name, folder in given.items():
        if not isinstance(name, str) or name in ("", ".", "..") or "/" in name:
            raise ConfigurationError(
                f"the root '{folder}' cannot be called {name!r}; give it a name, as in "
                "{'data': '/srv/data'}"
            )
        yield name, folder
