"""Tools that call the web: `http_get` reads, `api_call` may change something.

Two, because a policy decides by effect: reading passes without a question where changing
something asks first, and only what changes something is journalled to happen once.
"""

import json
from typing import Any, Literal

from langchain_core.tools import BaseTool

from cogwork.core.errors import ConfigurationError
from cogwork.tools.base import tool
from cogwork.tools.effects import idempotency_key
from cogwork.tools.http.body import Answer
from cogwork.tools.http.exchange import Exchange
from cogwork.tools.http.page import page_text

__all__ = ["api_call", "http_get", "make_api_call", "make_http_get"]

_MAX_CHARS = 50_000
_TOLD = ("location", "etag", "last-modified", "link", "retry-after")
_SLACK = 5.0  # the exchange's own deadline says more than that of the tool


def make_http_get(exchange: Exchange | None = None, *, max_chars: int = _MAX_CHARS) -> BaseTool:
    """Return the tool `http_get`.

    Args:
        exchange: What makes the requests, with its domains, secrets and limits.
        max_chars: How much of an answer a model is shown.

    Raises:
        ConfigurationError: The size is not positive.
    """
    guarded = exchange or Exchange()
    _check_size(max_chars)

    @tool(
        effect="read",
        network=True,
        timeout=guarded.limits.seconds + _SLACK,
        parse_docstring=True,
    )
    async def http_get(
        url: str, method: Literal["GET", "HEAD"] = "GET", headers: dict[str, str] | None = None
    ) -> str:
        """Read a web page or an address of an API. Pages come as text, JSON as it is.

        Args:
            url: The whole address, with https:// or http:// before it.
            method: GET, or HEAD to learn only the headers.
            headers: Further headers, for example {"Accept": "application/json"}; no credentials.
        """
        answer = await guarded.request(method, url, headers=headers)
        return _shown(answer, max_chars, headers_only=method == "HEAD")

    return http_get


def make_api_call(exchange: Exchange | None = None, *, max_chars: int = _MAX_CHARS) -> BaseTool:
    """Return the tool `api_call`; arguments as in `make_http_get`."""
    guarded = exchange or Exchange()
    _check_size(max_chars)

    @tool(
        effect="external",
        network=True,
        timeout=guarded.limits.seconds + _SLACK,
        parse_docstring=True,
    )
    async def api_call(
        method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"],
        url: str,
        body: dict[str, Any] | list[Any] | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> str:
        """Call an API, also to change something; to read only, prefer http_get.

        Args:
            method: What to do.
            url: The whole address, with https:// or http:// before it.
            body: What to send: an object or a list is sent as JSON, a text as it is.
            headers: Further headers, for example {"Accept": "application/json"}; no credentials.
        """
        content, kind = _content(body)
        added = {"Content-Type": kind} if kind else {}
        key = idempotency_key()
        if key is not None and method not in {"GET", "HEAD"}:
            added["Idempotency-Key"] = key
        answer = await guarded.request(
            method, url, headers=_merged(added, headers), content=content
        )
        return _shown(answer, max_chars, headers_only=method == "HEAD")

    return api_call


def _content(body: dict[str, Any] | list[Any] | str | None) -> tuple[bytes, str]:
    if body is None or body == "":
        return b"", ""
    if not isinstance(body, str):
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), "application/json"
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return body.encode("utf-8", "replace"), "text/plain; charset=utf-8"
    return body.encode("utf-8", "replace"), "application/json"


def _merged(ours: dict[str, str], theirs: dict[str, str] | None) -> dict[str, str]:
    """The caller's headers, and ours where theirs have none; the key of a call is never theirs."""
    chosen = {name.title(): value for name, value in (theirs or {}).items()}
    if "Idempotency-Key" in ours:
        chosen.pop("Idempotency-Key", None)
    return {**ours, **chosen}


def _shown(answer: Answer, max_chars: int, *, headers_only: bool) -> str:
    answer.require_success()
    kind = answer.content_type or "no type"
    lines = [f"{answer.status} {answer.url} ({kind})"]
    told = [name for name in answer.headers if "cookie" not in name] if headers_only else _TOLD
    lines += [f"{name}: {answer.headers[name]}" for name in told if name in answer.headers]
    text = "\n".join([*lines, "", _body(answer)] if answer.body else lines)
    if len(text) <= max_chars:
        return text
    return f"{text[:max_chars]}\n… cut off after {max_chars:,} of {len(text):,} characters"


def _body(answer: Answer) -> str:
    if not answer.is_text:
        return f"[{len(answer.body):,} bytes that are no text]"
    if answer.content_type in {"text/html", "application/xhtml+xml"}:
        return page_text(answer.text(), answer.url)
    return answer.text()


def _check_size(max_chars: int) -> None:
    if max_chars < 1:
        raise ConfigurationError(f"max_chars is {max_chars}; give 1 or more")


http_get = make_http_get()
"""Reads any public address."""
api_call = make_api_call()
"""Calls any public address."""
