"""A web server on loopback that answers what its routes say, byte for byte.

async with WebServer() as server:
    server.routes["/hello"] = reply("hi", content_type="text/plain")
    answer = await exchange_with(server).request("GET", server.url("/hello"))

It counts connections and keeps what it was asked. A route is bytes, or an async function of
the request and the writer. What no route knows answers 404.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from cogwork.tools.http.body import Limits
from cogwork.tools.http.exchange import Exchange

NAME = "api.example.com"
"""What the test resolver sends to the server."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Route = bytes | Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def reply(
    body: str | bytes = b"", *, status: int = 200, content_type: str = "text/plain", **headers: str
) -> bytes:
    """A whole answer; `x_name="v"` is a header `x-name: v`."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(content)}"]
    lines += [f"content-type: {content_type}"] if content_type else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def redirect(location: str, status: int = 302) -> bytes:
    """An answer that leads elsewhere."""
    return reply(status=status, content_type="", location=location)


class WebServer:
    """Listens on 127.0.0.1 and, on the same port, on ::1."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.routes: dict[str, Route] = {}
        self.asked: list[Asked] = []
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._servers: list[asyncio.Server] = []
        self._busy: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        first = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = first.sockets[0].getsockname()[1]
        second = await asyncio.start_server(self._serve, "::1", self.port, ssl=self._tls)
        self._servers = [first, second]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in list(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)
        for server in self._servers:
            server.close()
            await server.wait_closed()

    def url(self, path: str = "/", name: str = NAME) -> str:
        return f"http{'s' if self._tls else ''}://{name}:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client has gone, as it may
        finally:
            self._busy.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        pairs = (line.partition(": ") for line in head[1:] if line)
        headers = {name.lower(): value for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        asked = Asked(method, path, headers, body)
        self.asked.append(asked)
        route = self.routes.get(path, self.routes.get(path.partition("?")[0], reply(status=404)))
        if callable(route):
            await route(asked, writer)
        else:
            writer.write(route)
        await writer.drain()


def names(known: dict[str, Sequence[str]]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A resolver that knows these names and no others."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        if host not in known:
            raise OSError(f"no such host: {host}")
        return known[host]

    return resolve


def exchange_with(
    *servers: WebServer,
    hosts: Sequence[str] = (NAME,),
    seconds: float = 10.0,
    limits: Limits | None = None,
    **options: Any,
) -> Exchange:
    """An exchange that finds the servers under these names, and may dial them."""
    return Exchange(
        resolver=names({host: ["127.0.0.1"] for host in hosts}),
        permit=[("127.0.0.1", server.port) for server in servers],
        limits=limits or Limits(seconds=seconds),
        **options,
    )
