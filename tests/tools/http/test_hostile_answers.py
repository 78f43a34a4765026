"""Servers that want to hold us up or fill the memory: each ends in an error that says why."""

import asyncio
import gzip
import ssl
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_server import Asked, WebServer, exchange_with, redirect, reply

from cogwork.core.errors import ToolError
from cogwork.tools.http.body import Limits
from cogwork.tools.http.exchange import Exchange


@pytest.fixture
async def server():
    async with WebServer() as running:
        yield running


async def forever(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


BOMB = gzip.compress(bytes(20_000_000))
NESTED = gzip.compress(gzip.compress(bytes(50_000_000)))
DEFLATED = zlib.compress(bytes(20_000_000))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(BOMB, content_encoding="gzip"), "more than 1,000,000 bytes"),
        (reply(DEFLATED, content_encoding="deflate"), "more than 1,000,000 bytes"),
        (reply(NESTED, content_encoding="gzip, gzip"), "compressed with 'gzip, gzip'"),
        (reply(b"x", content_encoding="br"), "compressed with 'br'; asked was for gzip"),
        (reply(b"x", content_encoding="zstd"), "compressed with 'zstd'"),
        (reply(b"no gzip", content_encoding="gzip"), "cannot be read"),
        (reply(gzip.compress(b"x" * 999)[:-9], content_encoding="gzip"), "cut off"),
        (reply(gzip.compress(b"") * 20_000, content_encoding="gzip"), "more than 16 parts"),
        (reply(bytes(1_000_001)), "more than 1,000,000 bytes"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "more than 1,000,000 bytes"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", "not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort", "does not speak HTTP"),
        (
            b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            "does not speak HTTP",
        ),
        (b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 200 + b"\r\n", "200 headers"),
        (b"HTTP/1.1 200 OK\r\nx-a: " + b"b" * 60_000 + b"\r\n\r\n", "headers of 60,"),
        (b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 500_000 + b"\r\n", "does not speak HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "does not speak HTTP"),
        (b"", "does not speak HTTP"),
        (b"\x00" * 200_000, "does not speak HTTP"),
        (redirect("/"), "more than 5 redirects"),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_a_hostile_answer_ends_in_an_error_that_says_why(server, answer, said):
    server.routes["/"] = answer
    exchange = exchange_with(server, limits=Limits(body_bytes=1_000_000))
    with pytest.raises(ToolError, match=said):
        await exchange.request("GET", server.url())


def endless(head: bytes, chunk: bytes, pause: float):
    async def route(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause)

    return route


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
DRIPS = {
    "silence": forever,
    "a dripping head": endless(b"HTTP/1.1 200 OK\r\nx-a: ", b"b", 0.01),
    "dripping headers": endless(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", 0.05),
    "a dripping body": endless(CHUNKED, b"1\r\nx\r\n", 0.01),
    "endless interim answers": endless(b"", b"HTTP/1.1 103 Hints\r\n\r\n", 0.0),
    "a chunk that does not end": endless(CHUNKED + b"fffffff\r\n", b"x", 0.01),
}


@pytest.mark.parametrize("route", DRIPS.values(), ids=DRIPS)
async def test_what_does_not_end_ends_at_the_deadline(server, route):
    server.routes["/"] = route
    with pytest.raises(ToolError, match=r"within 0\.3 seconds") as raised:
        await exchange_with(server, seconds=0.3).request("GET", server.url())
    assert raised.value.transient


FLOODS = {
    "a body": endless(CHUNKED, b"10000\r\n" + bytes(65536) + b"\r\n", 0.0),
    "a body without a length": endless(b"HTTP/1.1 200 OK\r\n\r\n", bytes(65536), 0.0),
    "headers": endless(b"HTTP/1.1 200 OK\r\n", b"x-a: bbbbbbbb\r\n" * 1000, 0.0),
    "trailers": endless(CHUNKED + b"0\r\n", b"x-a: bbbbbbbb\r\n" * 1000, 0.0),
    "a chunk's extension": endless(CHUNKED + b"1;", b"a" * 65536, 0.0),
    "a status line": endless(b"HTTP/1.1 200 ", b"a" * 65536, 0.0),
}


@pytest.mark.parametrize("route", FLOODS.values(), ids=FLOODS)
async def test_what_is_endless_and_fast_ends_at_a_limit(server, route):
    server.routes["/"] = route
    with pytest.raises(ToolError, match=r"more than|does not speak HTTP") as raised:
        await exchange_with(server, seconds=30).request("GET", server.url())
    assert "within" not in str(raised.value)


async def test_a_resolver_that_hangs_ends_at_the_deadline():
    async def hang(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(ToolError, match=r"within 0\.2 seconds"):
        await Exchange(resolver=hang, limits=Limits(seconds=0.2)).request("GET", "http://a.com/")


async def test_a_bomb_takes_no_more_memory_than_the_limit_allows(server):
    packer = zlib.compressobj(1, wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(150)) + packer.flush()
    server.routes["/"] = reply(bomb, content_encoding="gzip")
    exchange = exchange_with(server, limits=Limits(body_bytes=2_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ToolError, match="more than 2,000,000 bytes"):
            await exchange.request("GET", server.url())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12_000_000


STATUS = b"HTTP/1.1 200 OK\r\n"
PARTS = [STATUS, b"HTTP/1.1 302 X\r\n", b"\r\n", b"\r\n\r\n", b"location: ", b"/", b"//[", b": "]
PARTS += [b"content-length: 3", b"transfer-encoding: chunked", b"3\r\nabc", b"0\r\n\r\n", b"\x00"]
PARTS += [
    b"content-encoding: gzip",
    b"content-type: text/html; charset=\xff",
    b"http://\xc3",
    b"\xff",
]
NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the usual authorities takes time


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PARTS) | st.binary(max_size=20), max_size=12).map(b"".join))
def test_whatever_a_server_says_is_an_answer_or_a_tool_error(said):
    async def ask() -> None:
        async with WebServer() as server:
            server.routes["/"] = said
            with suppress(ToolError):
                exchange = exchange_with(server, tls=NO_TRUST)
                answer = await exchange.request("GET", server.url())
                assert isinstance(answer.text(), str)

    asyncio.run(ask())
