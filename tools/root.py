"""One folder that its users cannot leave.

A path is resolved first, so links that stay inside work; then it is walked from the
root's descriptor, folder by folder and without following links, so that a link put in
place in between leads nowhere. What is opened is checked on its own descriptor.
"""

import fnmatch
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.core.registry import nearest
from cogwork.tools.listing import split_pattern, walk

__all__ = ["CLOSED", "MAX_BYTES", "MAX_NAMES", "Root"]

CLOSED = (".cogwork", ".env*", ".git", ".ssh", ".netrc", "cogwork.yaml")
"""Names, as in a shell, that stay closed inside a root: keys, settings and cogwork's own data."""

MAX_BYTES = 10 * 1024 * 1024
"""Bytes of the largest file that is read or written."""
MAX_NAMES = 1_000
"""Names that a listing shows."""

_MAX_LINK_FOLDERS = 10_000  # that are searched for the names of a file that has several

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe would wait for its other end.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a link that leads nowhere"),
)


class Root:
    """Reads, writes, lists and deletes files inside one folder.

    Paths are relative to the folder, or absolute and inside of it.

    Args:
        folder: An existing folder.
        max_bytes: Size of the largest file that is read or written.
        closed: Names of files and folders that stay closed wherever they are.
        name: With which relative paths begin; see `cogwork.tools.roots`.

    Raises:
        ConfigurationError: There is no such folder.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        max_bytes: int = MAX_BYTES,
        closed: Sequence[str] = CLOSED,
        name: str = "",
    ) -> None:
        if "\0" in str(folder):
            raise ConfigurationError(f"the root {str(folder)!r} holds a zero byte; name a folder")
        self.folder = Path(os.path.realpath(folder))
        self.max_bytes = max_bytes
        self._name = (name,) if name else ()
        self.closed = tuple(name.casefold() for name in closed)
        if not self.folder.is_dir():
            raise ConfigurationError(
                f"the root '{folder}' is no folder; create it or name another one"
            )

    def read(self, path: str) -> bytes:
        """Return the content of a regular file.

        Raises:
            ToolError: It is outside, missing, no regular file, too large or unreadable.
        """
        parts = self._parts(path)
        with self._explained("read", path), self._open(parts[:-1]) as folder:
            name = parts[-1] if parts else "."
            self._check(path, os.stat(name, dir_fd=folder, follow_symlinks=False))
            descriptor = os.open(name, _READ, dir_fd=folder)
            try:
                status = os.fstat(descriptor)
                self._check(path, status)
                self._check_links(path, status)
                with open(descriptor, "rb", closefd=False) as file:
                    content = file.read(self.max_bytes + 1)
            finally:
                os.close(descriptor)
        self._check_size(path, len(content))  # it may have grown, or hide its size as in /proc
        return content

    def write(self, path: str, content: bytes) -> None:
        """Make `content` the whole content of a file, or leave everything as it was.

        Missing folders are created; the permissions of an existing file are kept.

        Raises:
            ToolError: It is outside, no regular file, too large or cannot be written.
        """
        parts = self._parts(path)
        self._check_size(path, len(content))
        if not parts:
            raise ToolError(f"'{path}' is a folder, the root '{self.folder}'; add a file name")
        if path.endswith("/"):
            raise ToolError(f"'{path}' names a folder; add a file name")
        if not parts[-1].isprintable():
            raise ToolError(f"the name {parts[-1]!r} holds control characters; choose another")
        with self._explained("write", path), self._open(parts[:-1], create=True) as folder:
            mode = self._mode(path, parts[-1], folder)
            temporary = f".cogwork-{secrets.token_hex(8)}.tmp"
            try:
                _write_new(temporary, content, mode, folder)
                os.replace(temporary, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            with suppress(OSError):  # some file systems cannot sync a folder
                os.fsync(folder)

    def delete(self, path: str) -> None:
        """Delete a regular file, or a folder that is empty.

        Raises:
            ToolError: It is outside, missing, something else, or a folder with something in it.
        """
        parts = self._parts(path)
        if not parts:
            raise ToolError(f"'{path}' is the root '{self.folder}' itself; name what is in it")
        with self._explained("delete", path), self._open(parts[:-1]) as folder:
            status = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                os.rmdir(parts[-1], dir_fd=folder)
            else:
                self._check_kind(path, status)
                os.unlink(parts[-1], dir_fd=folder)

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder.

        Raises:
            ToolError: The path leads outside, or cannot be looked at.
        """
        parts = self._parts(path)
        with self._explained("look at", path):
            try:
                with self._open(parts[:-1]) as folder:
                    os.stat(parts[-1] if parts else ".", dir_fd=folder, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

    def names(self, path: str = ".", pattern: str = "*") -> list[str]:
        """Return the sorted paths in a folder, relative to the root; folders end with `/`.

        At most `MAX_NAMES` + 1 are returned, so that a caller can see that there are more.

        Args:
            path: The folder.
            pattern: As in a shell for names in the folder, `*.csv`; with `**/` before it,
                for names in all folders below as well. A leading dot has to be in the
                pattern; links are listed, not followed.

        Raises:
            ToolError: The folder is outside, missing or no folder, or the pattern is none.
        """
        deep, pattern = split_pattern(pattern)
        parts = self._parts(path)
        with self._explained("list", path), self._open(parts) as folder:
            found = list(islice(walk(folder, pattern, deep=deep), MAX_NAMES + 1))
        return sorted("/".join([*self._name, *parts, name]) for name in found)

    def _parts(self, path: str) -> tuple[str, ...]:
        """The folders and the name that lead from the root to `path`, links resolved."""
        try:
            resolved = Path(os.path.realpath(self.folder / self._unnamed(path)))
        except ValueError as error:
            raise ToolError(f"{path!r} cannot be a path: {error}") from None
        except OSError as error:  # it changed while it was looked at
            raise ToolError(f"'{path}' cannot be looked up: {error.strerror}") from error
        if not resolved.is_relative_to(self.folder):
            raise ToolError(
                f"'{path}' leads outside of the root '{self.folder}'; "
                "give a path inside it, relative to it"
            )
        parts = resolved.relative_to(self.folder).parts
        for part in parts:
            if any(fnmatch.fnmatchcase(part.casefold(), name) for name in self.closed):
                raise ToolError(
                    f"'{path}' is closed to tools: '{part}' may hold keys, settings or the "
                    "data that runs depend on; use another file"
                )
        return parts

    def _unnamed(self, path: str) -> str | Path:
        given = Path(path)
        return Path(*given.parts[1:]) if self._name and not given.is_absolute() else path

    @contextmanager
    def _open(self, parts: Sequence[str], *, create: bool = False) -> Iterator[int]:
        """A descriptor of the folder that `parts` lead to."""
        folder = os.open(self.folder, _FOLDER)
        try:
            for part in parts:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=folder)
                inner = os.open(part, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)

    def _mode(self, path: str, name: str, folder: int) -> int | None:
        """The permissions of the file that is to be replaced; None if there is none."""
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        self._check_kind(path, status)
        return stat.S_IMODE(status.st_mode) & 0o777

    def _check(self, path: str, status: os.stat_result) -> None:
        self._check_kind(path, status)
        self._check_size(path, status.st_size)

    def _check_kind(self, path: str, status: os.stat_result) -> None:
        if stat.S_ISREG(status.st_mode):
            return
        kind = next((name for test, name in _KINDS if test(status.st_mode)), "something else")
        raise ToolError(f"'{path}' in the root '{self.folder}' is {kind}, not a file")

    def _check_size(self, path: str, size: int) -> None:
        if size > self.max_bytes:
            raise ToolError(
                f"'{path}' in the root '{self.folder}' has {size:,} bytes or more; "
                f"the limit is {self.max_bytes:,}"
            )

    def _check_links(self, path: str, status: os.stat_result) -> None:
        """Refuse a file that has a name elsewhere, through which its content came in."""
        if status.st_nlink == 1:
            return
        with self._open(()) as folder:
            inside = sum(
                same
                for _, _, files, at in islice(os.fwalk(".", dir_fd=folder), _MAX_LINK_FOLDERS)
                for name in files
                if (same := _is_same(name, at, status))
            )
        if inside < status.st_nlink:
            raise ToolError(
                f"'{path}' in the root '{self.folder}' has another name outside of it; copy the "
                "file into the root instead of linking it"
            )

    @contextmanager
    def _explained(self, doing: str, path: str) -> Iterator[None]:
        """Turn what the operating system says into what a model can act on."""
        try:
            yield
        except FileNotFoundError:
            raise ToolError(
                f"'{path}' does not exist in the root '{self.folder}'; {self._nearest(path)}"
            ) from None
        except OSError as error:
            kept = "; nothing was changed" if doing == "write" else ""
            reason = (error.strerror or str(error)).lower()
            raise ToolError(
                f"cannot {doing} '{path}' in the root '{self.folder}': {reason}{kept}"
            ) from error

    def _nearest(self, path: str) -> str:
        known: list[str] = []
        with suppress(OSError), self._open(()) as folder:
            found = islice(walk(folder, "*", deep=True), MAX_NAMES)
            known += ("/".join([*self._name, each]) for each in found)
        return nearest(path, known) if known else "the root is empty"


def _is_same(name: str, folder: int, status: os.stat_result) -> bool:
    try:
        other = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return (other.st_dev, other.st_ino) == (status.st_dev, status.st_ino)


def _write_new(name: str, content: bytes, mode: int | None, folder: int) -> None:
    descriptor = os.open(name, _CREATE, 0o666, dir_fd=folder)
    try:
        if mode is not None:
            os.fchmod(descriptor, mode)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
