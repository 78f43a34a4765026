"""One guarded request: resolved once, checked, dialled by address, redirected by hand.

Nothing of the surroundings takes part: no proxies or `.netrc` of the environment, no unix
sockets, no cookies, no connections of earlier requests.
"""

import asyncio
import copy
import json
import ssl
from collections.abc import Collection, Mapping
from typing import Any

import httpx

from cogwork.core.errors import CogworkError, InDoubtError, ToolError
from cogwork.tools.http.addresses import Address
from cogwork.tools.http.body import ENCODINGS, Answer, Limits, check_head, read_body
from cogwork.tools.http.credentials import Credentials
from cogwork.tools.http.outgoing import REDIRECTS, REPEATING, Outgoing, redirected
from cogwork.tools.http.resolving import PORTS, Reach, Resolver, system_resolver
from cogwork.tools.http.targets import Target, parse_target

__all__ = ["Exchange"]

_MOST_DIALLED = 4


class Exchange:
    """Makes requests that cannot be led inside.

    Args:
        allowed_domains: Domains that may be called with all that is below them; None for
            every public one.
        headers: Secrets by host or origin, as in `Credentials`: `{"api.example.com":
            {"Authorization": "Bearer …"}}`.
        limits: What one exchange may take.
        ports: Ports that may be called.
        permit: Addresses with ports that may be dialled although they are inside.
        forbid: Networks that are forbidden besides the built-in ones.
        resolver: What turns names into addresses.
        tls: How servers prove who they are; else by the authorities that browsers trust.

    Raises:
        ConfigurationError: One of these cannot be read.
    """

    def __init__(
        self,
        *,
        allowed_domains: Collection[str] | None = None,
        headers: Mapping[str, Mapping[str, str]] | None = None,
        limits: Limits | None = None,
        ports: Collection[int] = PORTS,
        permit: Collection[tuple[str, int]] = (),
        forbid: Collection[str] = (),
        resolver: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._reach = Reach(
            allowed_domains=allowed_domains,
            ports=ports,
            permit=permit,
            forbid=forbid,
            resolver=resolver,
        )
        self._credentials = Credentials(headers)
        self._tls = tls

    def with_headers(self, headers: Mapping[str, Mapping[str, str]]) -> "Exchange":
        """Return a copy that has these secrets too."""
        other = copy.copy(self)
        other._credentials = Credentials({**self._credentials.given, **headers})  # noqa: SLF001 - of the same class
        return other

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        json_body: Any = None,
        repeatable: bool = False,
    ) -> Answer:
        """Ask a server for something; also what it refuses is an answer.

        Args:
            method: One of `METHODS`.
            url: With http or https.
            params: To be added to the URL's query.
            headers: Besides the configured ones.
            content: The body.
            json_body: The body as plain data, in place of `content`.
            repeatable: Whether sending a POST or PATCH twice is as good as once.

        Raises:
            ToolError: It may not be sent, or is not answered within the limits.
            InDoubtError: A POST or PATCH was sent and its answer did not arrive.
        """
        if json_body is not None:
            content = json.dumps(json_body, ensure_ascii=False).encode("utf-8", "replace")
            headers = {"content-type": "application/json", **(headers or {})}
        if len(content) > self.limits.request_bytes:
            raise ToolError(
                f"the body has {len(content):,} bytes; the limit is {self.limits.request_bytes:,}"
            )
        outgoing = Outgoing(method.strip().upper(), headers or {}, content, repeatable)
        return await self._bounded(outgoing, _with_params(url, params))

    async def _bounded(self, outgoing: Outgoing, url: str) -> Answer:
        way = _Way()
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await self._followed(outgoing, parse_target(url), way)
        except TimeoutError as error:
            why = f"did not answer within {self.limits.seconds:g} seconds"
            raise self._failed(way, why) from error
        except (httpx.HTTPError, OSError) as error:
            raise self._failed(way, _reason(error)) from None  # its cause holds the headers
        except ToolError as error:
            said = self._credentials.mask(f"{error}{way.warning}")
            raise ToolError(said, transient=error.transient and not way.warning) from None

    async def _followed(self, outgoing: Outgoing, target: Target, way: "_Way") -> Answer:
        for _ in range(self.limits.redirects + 1):
            way.visit(outgoing, target)
            addresses = await self._reach.addresses(target)
            found = await self._hop(outgoing, target, addresses, way)
            location = found.headers.get("location")
            if found.status not in REDIRECTS or not location:
                return found
            goal = target.join(location)
            outgoing = redirected(outgoing, found.status, target, goal)
            target = goal
        raise ToolError(
            f"more than {self.limits.redirects} redirects, the last to {target.shown}; "
            "give the final address"
        )

    async def _hop(
        self, outgoing: Outgoing, target: Target, addresses: list[Address], way: "_Way"
    ) -> Answer:
        tls = await self._trusted()
        async with httpx.AsyncHTTPTransport(verify=tls, trust_env=False) as transport:
            response = await self._dialled(transport, outgoing, target, addresses, way)
            way.was_answered(response.status_code)
            try:
                check_head(response, self.limits, target.shown)
                leads_on = response.status_code in REDIRECTS and "location" in response.headers
                body = b"" if leads_on else await read_body(response, self.limits, target.shown)
            finally:
                await response.aclose()
        mask = self._credentials.masked
        location = response.headers.get("location")
        headers = {
            name.lower(): mask(value.encode("utf-8", "replace")).decode("utf-8", "replace")
            for name, value in response.headers.items()
        }
        return Answer(
            url=mask(target.url.encode()).decode(),
            status=response.status_code,
            headers={**headers, "location": location} if leads_on and location else headers,
            body=mask(body),
        )

    async def _dialled(
        self,
        transport: httpx.AsyncHTTPTransport,
        outgoing: Outgoing,
        target: Target,
        addresses: list[Address],
        way: "_Way",
    ) -> httpx.Response:
        """Send it to the first address that can be connected; the name goes into Host and SNI."""
        dialled = addresses[:_MOST_DIALLED]
        for address in dialled:
            request = httpx.Request(
                outgoing.method,
                httpx.URL(f"{target.scheme}://{_bracketed(address)}:{target.port}{target.path}"),
                headers=self._headers(outgoing, target),
                content=outgoing.content or None,
                extensions={
                    "sni_hostname": target.host,
                    "timeout": {"connect": self.limits.seconds / len(dialled)},
                    "trace": way.trace,
                },
            )
            try:
                return await transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if address is dialled[-1]:
                    raise
        raise AssertionError("the last address answers or raises")

    def _headers(self, outgoing: Outgoing, target: Target) -> dict[str, str]:
        length = {"content-length": str(len(outgoing.content))}
        sends = bool(outgoing.content) or outgoing.method in {"POST", "PUT", "PATCH"}
        return {
            "host": target.netloc,
            "accept": "*/*",
            "user-agent": "cogwork",
            **outgoing.headers,
            **self._credentials.for_target(target),
            "accept-encoding": ENCODINGS,
            "connection": "close",
            **(length if sends else {}),
        }

    async def _trusted(self) -> ssl.SSLContext:
        """The authorities that are believed; reading them takes a moment."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
        return self._tls

    def _failed(self, way: "_Way", why: str) -> CogworkError:
        said = self._credentials.mask(f"{way.method} {way.shown} {why}{way.warning}")
        if way.in_doubt:
            return InDoubtError(
                f"{said}; the request had been sent, and whether it took effect is unknown: "
                "look before you repeat it"
            )
        # A certificate does not become valid, nor what took effect undone, by trying again.
        return ToolError(said, transient="certificate" not in why and not way.warning)


class _Way:
    """How far an exchange has come, and what it may have changed."""

    def __init__(self) -> None:
        self.method = ""
        self.shown = ""
        self.in_doubt = False
        self.warning = ""
        self._is_repeatable = True

    def visit(self, outgoing: Outgoing, target: Target) -> None:
        """A request is about to be made."""
        self.method, self.shown = outgoing.method, target.shown
        self._is_repeatable = outgoing.is_repeatable

    async def trace(self, event: str, _: Mapping[str, Any]) -> None:
        """Hear from httpcore what it does."""
        if event.endswith("send_request_headers.started"):
            self.in_doubt = not self._is_repeatable

    def was_answered(self, status: int) -> None:
        """The request is no longer in doubt; what it asked for may have happened."""
        self.in_doubt = False
        if not self._is_repeatable and status < 400 and status not in REPEATING:
            self.warning = (
                f"; the {self.method} was answered {status} and has taken effect: do not repeat it"
            )


def _with_params(url: str, params: Mapping[str, str | int] | None) -> str:
    if not params:
        return url
    added = str(httpx.QueryParams(dict(params)))
    return f"{url}{'&' if '?' in url else '?'}{added}"


def _bracketed(address: Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)


def _reason(error: Exception) -> str:
    kinds = {
        httpx.ConnectTimeout: "cannot be connected in time",
        httpx.ConnectError: "cannot be connected",
        httpx.RemoteProtocolError: "does not speak HTTP properly",
        httpx.ReadError: "broke off",
    }
    said = next((what for kind, what in kinds.items() if isinstance(error, kind)), "failed")
    return f"{said} ({str(error)[:200] or type(error).__name__})"
