"""Tools that read, write, list and delete text files inside one folder or several."""

import codecs

from langchain_core.tools import BaseTool

from cogwork.core.errors import ToolError
from cogwork.tools.base import tool
from cogwork.tools.root import MAX_BYTES, MAX_NAMES
from cogwork.tools.roots import Folders, hinted, open_roots

__all__ = [
    "file_tools",
    "make_delete_file",
    "make_file_exists",
    "make_list_files",
    "make_read_file",
    "make_write_file",
]

_TIMEOUT = 30.0

# Python knows these as text encodings; no file is written in them, and some take a time
# that grows with the square of the text.
_NO_FILE_ENCODINGS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined"}
)


def file_tools(*roots: Folders, max_bytes: int = MAX_BYTES) -> list[BaseTool]:
    """Return `read_file`, `write_file`, `list_files` and `file_exists`, bound to folders.

    Who wants files deleted adds `make_delete_file(root)`.

    Args:
        roots: Existing folders, which the tools cannot leave. In a single one, paths are
            relative to it; of several, paths begin with the name of one: that of the folder,
            or the one that it is given, as in `file_tools({"data": "/srv/data"})`.
        max_bytes: Size of the largest file that is read or written.

    Raises:
        ConfigurationError: There is no such folder, or two have one name.
    """
    makers = (make_read_file, make_write_file, make_list_files, make_file_exists)
    return [make(*roots, max_bytes=max_bytes) for make in makers]


def make_read_file(*roots: Folders, max_bytes: int = MAX_BYTES) -> BaseTool:
    """Return the tool that reads a text file; arguments as in `file_tools`."""
    inside = open_roots(*roots, max_bytes=max_bytes)

    @tool(effect="read", network=False, timeout=_TIMEOUT, parse_docstring=True)
    def read_file(path: str, encoding: str = "utf-8") -> str:
        """Read a text file and return its whole content.

        Args:
            path: The file, relative to the root folder, for example "data/sales.csv".
            encoding: The encoding of its text.
        """
        codec = _codec(encoding)
        return _decode(path, inside.read(path), codec)

    return hinted(read_file, inside)


def make_write_file(*roots: Folders, max_bytes: int = MAX_BYTES) -> BaseTool:
    """Return the tool that writes a text file; arguments as in `file_tools`."""
    inside = open_roots(*roots, max_bytes=max_bytes)

    @tool(effect="write", idempotent=True, network=False, timeout=_TIMEOUT, parse_docstring=True)
    def write_file(path: str, content: str, encoding: str = "utf-8") -> str:
        """Write a text file, replacing the whole file if it exists; folders are created.

        Args:
            path: The file, relative to the root folder, for example "out/answer.txt".
            content: The whole text of the file.
            encoding: The encoding to write it in.
        """
        encoded = _encode(path, content, _codec(encoding))
        inside.write(path, encoded)
        return f"wrote {len(encoded):,} bytes to {path}"

    return hinted(write_file, inside)


def make_list_files(*roots: Folders, max_bytes: int = MAX_BYTES) -> BaseTool:
    """Return the tool that lists a folder; arguments as in `file_tools`."""
    inside = open_roots(*roots, max_bytes=max_bytes)

    @tool(effect="read", network=False, timeout=_TIMEOUT, parse_docstring=True)
    def list_files(path: str = ".", pattern: str = "*") -> str:
        """List the files and folders in a folder, one path per line; folders end with "/".

        Args:
            path: The folder, relative to the root folder; "." is the root folder itself.
            pattern: Which names, for example "*.csv"; "**/*.csv" looks in folders below too.
        """
        names = inside.names(path, pattern)
        if len(names) > MAX_NAMES:
            names[MAX_NAMES:] = [f"… and more than these {MAX_NAMES:,}; choose a narrower pattern"]
        return "\n".join(names) or f"nothing in '{path}' matches '{pattern}'"

    return hinted(list_files, inside)


def make_file_exists(*roots: Folders, max_bytes: int = MAX_BYTES) -> BaseTool:
    """Return the tool that looks for a file; arguments as in `file_tools`."""
    inside = open_roots(*roots, max_bytes=max_bytes)

    @tool(effect="read", network=False, timeout=_TIMEOUT, parse_docstring=True)
    def file_exists(path: str) -> bool:
        """Tell whether a file or folder exists.

        Args:
            path: The file or folder, relative to the root folder.
        """
        return inside.exists(path)

    return hinted(file_exists, inside)


def make_delete_file(*roots: Folders, max_bytes: int = MAX_BYTES) -> BaseTool:
    """Return the tool that deletes a file; arguments as in `file_tools`."""
    inside = open_roots(*roots, max_bytes=max_bytes)

    @tool(effect="write", network=False, timeout=_TIMEOUT, parse_docstring=True)
    def delete_file(path: str) -> str:
        """Delete a file, or a folder that is empty.

        Args:
            path: The file or folder, relative to the root folder.
        """
        inside.delete(path)
        return f"deleted {path}"

    return hinted(delete_file, inside)


def _codec(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)  # refuses codecs from bytes to bytes, such as hex and zip
    except (LookupError, ValueError):
        name = "undefined"
    if name in _NO_FILE_ENCODINGS:
        raise ToolError(f"the encoding {encoding!r} is unknown; use utf-8, utf-16 or latin-1")
    return name


def _decode(path: str, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ToolError(
            f"'{path}' is no {encoding} text: byte 0x{content[error.start]:02x} at offset "
            f"{error.start:,}; pass the encoding it has, or treat it as no text file"
        ) from None


def _encode(path: str, content: str, encoding: str) -> bytes:
    try:
        return content.encode(encoding)
    except UnicodeEncodeError as error:
        raise ToolError(
            f"cannot write '{path}' in {encoding}: it has no {content[error.start]!a} "
            f"(character {error.start + 1:,}); write it in utf-8"
        ) from None
