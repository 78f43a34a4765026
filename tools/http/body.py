"""What a server answers, read in bounded memory: its head, its body, its text."""

import codecs
import json
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from cogwork.core.errors import ConfigurationError, ToolError

__all__ = [
    "ENCODINGS",
    "Answer",
    "Limits",
    "StatusError",
    "check_head",
    "decompressed",
    "read_body",
]

ENCODINGS = "gzip, deflate"
"""Compressions that are asked for: those whose output the standard library can bound."""

_TOLD = 2_000  # characters of a refusal
_MOST_MEMBERS = 16  # of a gzip stream; each costs a copy of the rest
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.ASCII | re.IGNORECASE)
_CHARSETS = frozenset(
    {"ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "big5", "gbk", "gb2312"}
    | {"gb18030", "euc_jp", "euc_kr", "shift_jis", "koi8-r", "koi8-u", "iso2022_jp"}
    | {f"iso8859-{number}" for number in range(1, 17)}
    | {f"cp{number}" for number in range(1250, 1259)}
)  # as Python names them; others take a time that grows with the square of the text


@dataclass(frozen=True, slots=True)
class Limits:
    """What one exchange may take, redirects included.

    Args:
        seconds: For everything, from the name's resolution to the last byte.
        body_bytes: Of an answer, as sent and again as decompressed.
        request_bytes: Of a request's body.
        header_bytes: Of an answer's headers, names and values.
        headers: How many headers an answer may have.
        redirects: How many are followed.

    Raises:
        ConfigurationError: One is not positive, or the redirects are negative.
    """

    seconds: float = 30.0
    body_bytes: int = 5 * 1024 * 1024
    request_bytes: int = 1024 * 1024
    header_bytes: int = 32 * 1024
    headers: int = 100
    redirects: int = 5

    def __post_init__(self) -> None:
        for name in ("seconds", "body_bytes", "request_bytes", "header_bytes", "headers"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; give more than 0")
        if self.redirects < 0:
            raise ConfigurationError(f"redirects is {self.redirects}; give 0 or more")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Args:
        url: Where it was found, after redirects.
        status: The status code.
        headers: By names in lower case; those that come twice are joined with commas.
        body: Decompressed.
    """

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; empty when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_text(self) -> bool:
        """Whether the body can be shown."""
        kind = self.content_type
        if kind.startswith(("image/", "audio/", "video/", "font/")) and kind != "image/svg+xml":
            return False
        if kind in {"application/octet-stream", "application/pdf", "application/zip"}:
            return False
        return b"\0" not in self.body[:4096] or "utf-16" in self.headers.get("content-type", "")

    def require_success(self) -> None:
        """Check that the server did what it was asked.

        Raises:
            StatusError: The status is 400 or more.
        """
        if self.status >= 400:
            raise StatusError(self)

    def text(self) -> str:
        """The body as text, in the charset that the server names, else UTF-8."""
        named = _CHARSET.search(self.headers.get("content-type", ""))
        return self.body.decode(_codec(named[1]) if named else "utf-8", "replace").lstrip("\ufeff")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ToolError: It is none, or is nested too deeply.
        """
        try:
            return json.loads(self.text())
        except (ValueError, RecursionError) as error:
            kind = self.content_type or "of no type"
            raise ToolError(f"{self.url} answered no JSON but {kind}: {error}") from error


class StatusError(ToolError):
    """A server refuses or fails; the beginning of what it says is in the message.

    Args:
        answer: What it answered.
    """

    def __init__(self, answer: Answer) -> None:
        said = " ".join(answer.text()[:_TOLD].split()) if answer.is_text else ""
        super().__init__(
            f"{answer.url.partition('?')[0]} answers {answer.status}{f': {said}' if said else ''}",
            transient=answer.status >= 500 or answer.status in {408, 425, 429},
        )
        self.status = answer.status
        self.headers = answer.headers  # `retry_after` looks there


def check_head(response: httpx.Response, limits: Limits, shown: str) -> None:
    """Check the headers of a response, before anything of its body is read.

    Raises:
        ToolError: There is too much of them, or they announce too much.
    """
    size = sum(len(name) + len(value) + 4 for name, value in response.headers.raw)
    if len(response.headers.raw) > limits.headers or size > limits.header_bytes:
        raise ToolError(
            f"{shown} answers with {len(response.headers.raw)} headers of {size:,} bytes; "
            f"the limits are {limits.headers} and {limits.header_bytes:,}"
        )
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.body_bytes:
        raise _too_large(shown, limits)


async def read_body(response: httpx.Response, limits: Limits, shown: str) -> bytes:
    """Read the body of a response and decompress it.

    Raises:
        ToolError: It is larger than the limit before or after, or not what it says it is.
    """
    raw = bytearray()
    async for chunk in response.aiter_raw():
        raw += chunk
        if len(raw) > limits.body_bytes:
            raise _too_large(shown, limits)
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if not raw or encoding in {"", "identity"}:
        return bytes(raw)
    try:
        return decompressed(bytes(raw), encoding, limits.body_bytes)
    except OverflowError:
        raise _too_large(shown, limits) from None
    except (ValueError, zlib.error) as error:
        raise ToolError(f"the body that {shown} answers cannot be read: {error}") from error


def decompressed(raw: bytes, encoding: str, limit: int) -> bytes:
    """Decompress a body without making more than the limit of it.

    Args:
        raw: As it was sent.
        encoding: The header `Content-Encoding`.
        limit: Bytes.

    Raises:
        OverflowError: It holds more.
        ValueError: It was compressed in another way, or is cut off.
        zlib.error: It is damaged.
    """
    readers: dict[str, Callable[[bytes, int], bytes]] = {
        "gzip": _gunzipped,
        "x-gzip": _gunzipped,
        "deflate": _inflated,
    }
    if encoding not in readers:
        raise ValueError(f"it is compressed with '{encoding:.40}'; asked was for {ENCODINGS}")
    return readers[encoding](raw, limit)


def _gunzipped(raw: bytes, limit: int) -> bytes:
    """Read the members of a gzip stream; zeros and other rest behind them are no part of it."""
    found = b""
    for _ in range(_MOST_MEMBERS):
        part, raw = _expanded(raw, limit - len(found), zlib.MAX_WBITS | 16)
        found += part
        if not raw.startswith(b"\x1f\x8b"):
            return found
    raise ValueError(f"it has more than {_MOST_MEMBERS} parts")


def _inflated(raw: bytes, limit: int) -> bytes:
    """Read a zlib stream, or the bare deflate stream that some servers send instead."""
    try:
        return _expanded(raw, limit, zlib.MAX_WBITS)[0]
    except zlib.error:
        return _expanded(raw, limit, -zlib.MAX_WBITS)[0]


def _expanded(raw: bytes, limit: int, window: int) -> tuple[bytes, bytes]:
    reader = zlib.decompressobj(window)
    found = reader.decompress(raw, limit + 1)
    if len(found) > limit:
        raise OverflowError
    if not reader.eof:
        raise ValueError("it is cut off")
    return found, reader.unused_data


def _codec(charset: str) -> str:
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        return "utf-8"
    return name if name in _CHARSETS else "utf-8"


def _too_large(shown: str, limits: Limits) -> ToolError:
    return ToolError(
        f"{shown} answers more than {limits.body_bytes:,} bytes; ask for less, or raise body_bytes"
    )
