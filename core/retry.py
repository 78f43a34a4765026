"""Which errors are worth another try, how often, and how long a server asked us to wait.

LangGraph's default predicate retries assertion errors and client libraries' 400 and 401,
and lets `TimeoutError` and httpx's 429 pass; this one is used instead, everywhere.
"""

import errno
import math
import sqlite3
import ssl
import time
from collections.abc import Iterator
from email.utils import mktime_tz, parsedate_tz
from typing import TYPE_CHECKING, Any

from cogwork.core.errors import CogworkError, ConfigurationError

if TYPE_CHECKING:  # importing langgraph takes most of a second
    from langgraph.types import RetryPolicy

__all__ = ["is_transient", "retry_after", "retry_policy"]

_TRANSIENT_STATUS = frozenset({408, 425, 429})

# A rate-limit answer with one of these codes lasts until somebody pays.
_LASTING_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})

_NETWORK_ERRNO = frozenset(
    {errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH}
)

_SQLITE_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

# Network failures of clients that derive from neither ConnectionError nor TimeoutError,
# by package and class, so that none of them has to be imported.
_HTTPX = frozenset({"TimeoutException", "NetworkError", "RemoteProtocolError", "ProxyError"})
_NETWORK_ERRORS = {
    "httpx": _HTTPX,
    "httpx2": _HTTPX,
    "httpcore": _HTTPX,
    "httpcore2": _HTTPX,
    "openai": frozenset({"APIConnectionError"}),
    "requests": frozenset({"ConnectionError", "Timeout", "ChunkedEncodingError"}),
    "urllib3": frozenset({"TimeoutError", "NewConnectionError", "ProtocolError"}),
    "aiohttp": frozenset({"ClientConnectionError", "ClientPayloadError"}),
    "http": frozenset({"IncompleteRead"}),
    "socket": frozenset({"gaierror"}),
    "ssl": frozenset({"SSLEOFError", "SSLZeroReturnError"}),
    "langgraph": frozenset({"NodeTimeoutError"}),
}


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed when it is made again.

    Yes for network failures, timeouts, HTTP 408, 425, 429 and 5xx of any client, a locked
    SQLite database, and a `CogworkError` that says so of itself; a group of errors when
    each of its members is. No for everything else: wrong values, missing files or
    permissions, refused certificates, exhausted quotas, other HTTP 4xx, and whatever is
    unknown, because a bug does not go away by repetition.
    """
    if isinstance(error, CogworkError):
        return error.transient
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_transient, error.exceptions))
    status = _status(error)
    if status is not None:
        return _is_transient_status(status) and not _is_lasting(error)
    if isinstance(error, sqlite3.OperationalError):
        return _is_locked(error)
    return _is_network(error) and not any(
        isinstance(cause, ssl.SSLCertVerificationError) for cause in _chain(error)
    )


def retry_policy(
    *,
    max_attempts: int = 3,
    initial_interval: float = 0.5,
    backoff_factor: float = 2.0,
    max_interval: float = 30.0,
    jitter: bool = True,
) -> "RetryPolicy":
    """Return a LangGraph retry policy that repeats transient errors only.

    Args:
        max_attempts: Calls in all, the first included.
        initial_interval: Seconds before the second attempt.
        backoff_factor: What the wait is multiplied by after each attempt.
        max_interval: Seconds that a wait never exceeds, before jitter.
        jitter: Whether waits are spread at random, so that clients don't return in step.

    Raises:
        ConfigurationError: A number is impossible.
    """
    if max_attempts < 1 or backoff_factor < 1 or not 0 <= initial_interval <= max_interval:
        raise ConfigurationError(
            f"no retry policy can have max_attempts={max_attempts}, "
            f"initial_interval={initial_interval}, backoff_factor={backoff_factor} and "
            f"max_interval={max_interval}; attempts and factor start at 1, and the intervals "
            "are seconds from 0, the initial one not above the maximum"
        )
    from langgraph.types import RetryPolicy

    return RetryPolicy(
        initial_interval=initial_interval,
        backoff_factor=backoff_factor,
        max_interval=max_interval,
        max_attempts=max_attempts,
        jitter=jitter,
        retry_on=is_transient,
    )


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that a server asked us to wait, or None if it did not ask.

    Reads `Retry-After` (RFC 9110, section 10.2.3) as seconds or as a date, and OpenAI's
    `retry-after-ms`, from the response of the error or of what caused it. A date is
    compared with the response's own `Date` where it has one, so clocks need not agree;
    one that has passed is 0.
    """
    for each in _chain(error):
        headers = _headers(each)
        milliseconds = _seconds(headers.get("retry-after-ms"))
        if milliseconds is not None:
            return milliseconds / 1000
        asked = headers.get("retry-after")
        seconds = _seconds(asked)
        if seconds is None:
            seconds = _until(asked, headers.get("date"))
        if seconds is not None:
            return seconds
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, each once."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error carries, whichever client raised it."""
    response = getattr(error, "response", None)
    for holder in (error, response):
        for name in ("status_code", "status"):
            status = getattr(holder, name, None)
            if type(status) is int and 100 <= status <= 599:
                return status
    return None


def _is_transient_status(status: int) -> bool:
    return status in _TRANSIENT_STATUS or status >= 500


def _is_lasting(error: BaseException) -> bool:
    code = getattr(error, "code", None)
    return isinstance(code, str) and code in _LASTING_CODES


def _is_locked(error: sqlite3.OperationalError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return (code & 0xFF) in _SQLITE_BUSY
    return "is locked" in str(error)


def _is_network(error: BaseException) -> bool:
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno in _NETWORK_ERRNO:
        return True
    for kind in type(error).__mro__:
        package = kind.__module__.partition(".")[0]
        if kind.__name__ in _NETWORK_ERRORS.get(package, ()):
            return True
    reason = getattr(error, "reason", None)  # urllib wraps what happened
    return isinstance(reason, BaseException) and _is_network(reason)


def _headers(error: BaseException) -> dict[str, str]:
    response = getattr(error, "response", None)
    headers: Any = getattr(response, "headers", None) or getattr(error, "headers", None)
    if not hasattr(headers, "items"):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _until(text: str | None, now: str | None) -> float | None:
    """Seconds from the HTTP date `now`, or from the present without one, to the date `text`."""
    then = _timestamp(text)
    if then is None:
        return None
    present = _timestamp(now)
    return max(0.0, then - (time.time() if present is None else present))


def _timestamp(text: str | None) -> float | None:
    parsed = parsedate_tz(text) if text else None
    if parsed is None:
        return None
    try:
        return float(mktime_tz(parsed))
    except (OverflowError, ValueError):
        return None
