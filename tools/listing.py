"""Names in a folder, found from its descriptor and without following links."""

import fnmatch
import os
from collections.abc import Iterator

from cogwork.core.errors import ToolError

__all__ = ["split_pattern", "walk"]

_MAX_FOLDERS = 40  # how deep a listing goes; every level holds a descriptor open


def split_pattern(pattern: str) -> tuple[bool, str]:
    """Whether a pattern goes into folders, and its part for names."""
    deep = pattern == "**" or pattern.startswith("**/")
    name = (pattern.removeprefix("**").removeprefix("/") or "*") if deep else pattern
    if "/" in name or not name:
        raise ToolError(
            f"the pattern '{pattern}' is neither for names, as '*.csv', nor for names in all "
            "folders below, as '**/*.csv'; give the folder as path"
        )
    return deep, name


def walk(folder: int, pattern: str, *, deep: bool) -> Iterator[str]:
    """Give the paths of what matches, relative to the folder; folders end with `/`."""
    hidden = pattern.startswith(".")
    for at, folders, files, _ in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
        if not hidden:
            folders[:] = [name for name in folders if not name.startswith(".")]
        prefix = at.removeprefix(".").removeprefix("/")
        for name in sorted([*files, *(f"{name}/" for name in folders)]):
            if name.startswith(".") and not hidden:
                continue
            if fnmatch.fnmatchcase(name.removesuffix("/"), pattern):
                yield _printable(f"{prefix}/{name}" if prefix else name)
        folders.sort()
        if not deep or at.count("/") >= _MAX_FOLDERS:
            folders.clear()


def _printable(name: str) -> str:
    """A name without the stand-ins for bytes that are not UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
