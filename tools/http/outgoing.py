"""What is sent: a method, headers and a body, and what becomes of them at a redirect."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from cogwork.core.errors import ToolError
from cogwork.tools.http.targets import Target

__all__ = ["METHODS", "REDIRECTS", "REPEATING", "Outgoing", "redirected"]

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""What may be asked of a server."""

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
"""The statuses that lead elsewhere."""

REPEATING: Final = frozenset({307, 308})
"""Those that mean: nothing was done here, ask there."""

_MOST_HEADERS = 30
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", re.ASCII)
# What says where a message ends or whom it is for is ours, and credentials are configured.
_OURS = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te"}
    | {"trailer", "transfer-encoding", "upgrade", "via", "forwarded", "metadata", "http2-settings"}
)
_OURS_BEGIN = ("proxy-", "sec-", "x-forwarded-", "x-aws-ec2-metadata", "metadata-", "x-http-method")
_SECRET = re.compile(
    r"authorization|cookie|api-?key|access-?key|auth-?token|access-?token|secret|password"
)
_HARMLESS = frozenset({"accept", "accept-language", "content-type", "user-agent"})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is asked of a server.

    Args:
        method: One of `METHODS`.
        headers: By name, as the caller wants them.
        content: The body.
        repeatable: Whether sending a POST or PATCH twice is as good as once.

    Raises:
        ToolError: The method is unknown, a header may not be set, or GET has a body.
    """

    method: str
    headers: Mapping[str, str]
    content: bytes = b""
    repeatable: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ToolError(f"the method '{self.method:.20}' is none of {', '.join(METHODS)}")
        if self.content and self.method in {"GET", "HEAD"}:
            raise ToolError(f"{self.method} takes no body; put it into the URL, or use POST")
        if len(self.headers) > _MOST_HEADERS:
            raise ToolError(f"{len(self.headers)} headers are too many; {_MOST_HEADERS} are sent")
        lower = {name.lower(): value for name, value in self.headers.items()}
        for name, value in lower.items():
            _check(name, value)
        object.__setattr__(self, "headers", lower)

    @property
    def is_repeatable(self) -> bool:
        """Whether a second identical request leaves things as the first did (RFC 9110)."""
        return self.repeatable or self.method not in {"POST", "PATCH"}


def redirected(sent: Outgoing, status: int, source: Target, goal: Target) -> Outgoing:
    """Return what is sent where a redirect leads, as the Fetch standard has it.

    A 303 becomes a GET without a body, and so does the 301 or 302 of a POST. To another
    origin go only headers that nobody would keep a secret in.

    Args:
        sent: What was answered with the redirect.
        status: One of `REDIRECTS`.
        source: Where it was sent.
        goal: Where the redirect leads.

    Raises:
        ToolError: It leads from https to http.
    """
    if source.scheme == "https" and goal.scheme == "http":
        raise ToolError(f"{source.shown} redirects to {goal.shown}, which is not encrypted")
    headers = dict(sent.headers)
    if goal.origin != source.origin:
        headers = {name: value for name, value in headers.items() if name in _HARMLESS}
    becomes_get = (status == 303 and sent.method not in {"GET", "HEAD"}) or (
        status in {301, 302} and sent.method == "POST"
    )
    if not becomes_get:
        return replace(sent, headers=headers)
    kept = {name: value for name, value in headers.items() if not name.startswith("content-")}
    return Outgoing("GET", kept)


def _check(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ToolError(f"{name!r:.80} is no header's name")
    if name in _OURS or name.startswith(_OURS_BEGIN):
        raise ToolError(f"the header '{name}' cannot be chosen; leave it out")
    if _SECRET.search(name):
        raise ToolError(
            f"the header '{name}' holds credentials, which come from the configuration of this "
            "tool; leave it out"
        )
    if not (value.isascii() and value.isprintable() and len(value) <= 4_096):
        raise ToolError(
            f"the header '{name}' holds characters that a header cannot, or more than 4,096"
        )
