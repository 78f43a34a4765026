import asyncio
import base64
import gzip
import json
import zlib

import pytest
from web_server import NAME, Asked, WebServer, exchange_with, names, redirect, reply

from cogwork.core.errors import ConfigurationError, InDoubtError, ToolError
from cogwork.tools.http.body import Limits, StatusError
from cogwork.tools.http.exchange import Exchange

SECRET = "s3cret-value-of-the-key"


@pytest.fixture
async def server():
    async with WebServer() as running:
        yield running


async def forever(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def test_an_answer_has_its_status_headers_and_body(server):
    server.routes["/x"] = reply('{"a": 1}', content_type="application/json", X_Rate="7")
    answer = await exchange_with(server).request("get", server.url("/x"), params={"q": "a b&c"})
    assert (answer.status, answer.json(), answer.headers["x-rate"]) == (200, {"a": 1}, "7")
    assert answer.content_type == "application/json"
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/x?q=a+b%26c")
    assert asked.headers["host"] == f"{NAME}:{server.port}"
    assert asked.headers["user-agent"] == "cogwork"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_body_is_sent_with_its_length_and_type(server, method):
    server.routes["/"] = reply("done")
    await exchange_with(server).request(method, server.url(), json_body={"name": "Zoë"})
    (asked,) = server.asked
    assert (asked.method, json.loads(asked.body)) == (method, {"name": "Zoë"})
    assert asked.headers["content-type"] == "application/json"


ORDINARY = {
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    "trailers": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nx: y\r\n\r\n",
    "until it closes": b"HTTP/1.1 200 OK\r\n\r\nabcde",
    "old": b"HTTP/1.0 200 OK\r\n\r\nabcde",
    "no reason": b"HTTP/1.1 200 \r\ncontent-length: 5\r\n\r\nabcde",
    "kept alive": b"HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nabcde",
    "after hints": b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nabcde",
    "an odd header": b"HTTP/1.1 200 OK\r\nx-name: Zo\xeb \xc3\xab\r\nx-name: 2\r\n\r\nabcde",
    "a cookie": b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 5\r\n\r\nabcde",
}


@pytest.mark.parametrize("told", ORDINARY.values(), ids=ORDINARY)
async def test_ordinary_answers_of_all_kinds_are_read(server, told):
    server.routes["/"] = told
    exchange = exchange_with(server)
    for _ in range(2):
        assert (await exchange.request("GET", server.url())).text() == "abcde"
    assert "cookie" not in server.asked[-1].headers


@pytest.mark.parametrize("status", [204, 304, 404, 500])
async def test_a_status_without_a_body_is_an_answer(server, status):
    server.routes["/"] = f"HTTP/1.1 {status} X\r\netag: e\r\n\r\n".encode()
    answer = await exchange_with(server).request("GET", server.url())
    assert (answer.status, answer.body, answer.headers["etag"]) == (status, b"", "e")


async def test_head_answers_headers_only(server):
    server.routes["/"] = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\nx-a: b\r\n\r\n"
    answer = await exchange_with(server).request("HEAD", server.url())
    assert (answer.body, answer.headers["x-a"]) == (b"", "b")


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        ("TRACE", {}, "none of GET"),
        ("CONNECT", {}, "none of GET"),
        ("GET", {"content": b"x"}, "takes no body"),
        ("POST", {"content": b"x" * 2_000_000}, "the limit is 1,048,576"),
        ("GET", {"headers": {"Host": "evil"}}, "cannot be chosen"),
        ("GET", {"headers": {"Transfer-Encoding": "chunked"}}, "cannot be chosen"),
        ("GET", {"headers": {"Metadata-Flavor": "Google"}}, "cannot be chosen"),
        ("GET", {"headers": {"Proxy-Authorization": "x"}}, "cannot be chosen"),
        ("GET", {"headers": {"Authorization": "Bearer abc"}}, "come from the configuration"),
        ("GET", {"headers": {"X-API-Key": "abc"}}, "come from the configuration"),
        ("GET", {"headers": {"Cookie": "a=b"}}, "come from the configuration"),
        ("GET", {"headers": {"X-A": "b\r\nHost: evil"}}, "characters"),
        ("GET", {"headers": {"X-A\r\nHost": "evil"}}, "no header's name"),
        ("GET", {"headers": {"X A": "evil"}}, "no header's name"),
        ("GET", {"headers": {f"X-{number}": "a" for number in range(31)}}, "too many"),
    ],
)
async def test_what_may_not_be_sent_is_refused_before_anything_is(server, method, options, said):
    with pytest.raises(ToolError, match=said):
        await exchange_with(server).request(method, server.url(), **options)
    assert server.connections == 0


@pytest.mark.parametrize(
    ("status", "sent", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (302, "GET", "GET"),
    ],
)
async def test_a_redirect_changes_the_method_as_browsers_do(server, status, sent, then):
    server.routes |= {"/": redirect("/next", status), "/next": reply(b"")}
    content = b"" if sent in {"GET", "HEAD"} else b"body"
    headers = {"Content-Type": "text/plain"} if content else {}
    await exchange_with(server).request(sent, server.url(), content=content, headers=headers)
    first, second = server.asked
    assert (first.method, second.method) == (sent, then)
    assert second.body == (content if then == sent else b"")
    assert ("content-type" in second.headers) == bool(second.body)


async def test_credentials_stay_with_their_origin(server):
    async with WebServer() as other:
        exchange = exchange_with(
            server,
            other,
            hosts=[NAME, "other.com", f"sub.{NAME}"],
            headers={f"http://{NAME}:{server.port}": {"Authorization": f"Bearer {SECRET}"}},
        )
        server.routes["/same"] = redirect("/end")
        server.routes["/name"] = redirect(server.url("/end", "other.com"))
        server.routes["/sub"] = redirect(server.url("/end", f"sub.{NAME}"))
        server.routes["/port"] = redirect(other.url("/end"))
        server.routes["/back"] = redirect(other.url("/return"))
        other.routes["/return"] = redirect(server.url("/end"))
        for path in ("/same", "/name", "/sub", "/port", "/back"):
            await exchange.request(
                "GET", server.url(path), headers={"X-Tenant": "t", "Accept": "a"}
            )
    ends = [asked.headers for asked in [*server.asked, *other.asked] if asked.path == "/end"]
    seen = [("authorization" in each, "x-tenant" in each, each["accept"]) for each in ends]
    kept, without = (True, True, "a"), (False, False, "a")
    # Coming back, the origin's own credentials are sent again; what was dropped stays dropped.
    assert seen == [kept, without, without, (True, False, "a"), without]


async def test_a_host_s_credentials_are_not_sent_unencrypted(server):
    exchange = exchange_with(server, headers={NAME: {"Authorization": f"Bearer {SECRET}"}})
    await exchange.request("GET", server.url())
    assert "authorization" not in server.asked[0].headers


async def test_a_secret_that_a_server_sends_back_is_not_shown(server):
    async def echo(asked: Asked, writer: asyncio.StreamWriter) -> None:
        told = json.dumps(asked.headers)
        writer.write(reply(told, content_type="application/json", x_echo=asked.headers["x-key"]))

    async def leak(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(redirect(f"http://elsewhere.example:1/{asked.headers['x-key']}"))

    async def garble(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\n{asked.headers['x-key']}\r\n\r\n".encode())

    password = base64.b64encode(b"me:pass-word-9").decode()
    own = {"X-Key": SECRET, "Authorization": f"Basic {password}"}
    exchange = exchange_with(server, headers={f"http://{NAME}:{server.port}": own})
    server.routes |= {"/echo": echo, "/leak": leak, "/garble": garble}
    server.routes["/decoded"] = reply("you are me:pass-word-9")
    said = [str(await exchange.request("GET", server.url(path))) for path in ("/echo", "/decoded")]
    for path in ("/leak", "/garble"):
        with pytest.raises(ToolError) as raised:
            await exchange.request("GET", server.url(path))
        said.append(f"{raised.value} {raised.value.__cause__} {raised.value.details}")
    assert server.asked[0].headers["x-key"] == SECRET
    for text in said:
        assert "***" in text or "elsewhere" in text
        for secret in (SECRET, password, "pass-word-9"):
            assert secret not in text


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "bare", "identity"])
async def test_a_compressed_body_is_read(server, encoding):
    bare = zlib.compressobj(wbits=-15)
    body = {
        "gzip": gzip.compress(b"one ") + gzip.compress(b"two") + b"\0\0",
        "x-gzip": gzip.compress(b"one two"),
        "deflate": zlib.compress(b"one two"),
        "bare": bare.compress(b"one two") + bare.flush(),
        "identity": b"one two",
    }[encoding]
    named = "deflate" if encoding == "bare" else encoding
    server.routes["/"] = reply(body, content_encoding=named)
    answer = await exchange_with(server).request("GET", server.url())
    assert answer.text() == "one two"


async def test_a_post_whose_answer_does_not_arrive_is_in_doubt(server):
    server.routes["/"] = forever
    with pytest.raises(InDoubtError, match="had been sent"):
        await exchange_with(server, seconds=0.2).request("POST", server.url(), content=b"pay")
    server.routes["/"] = b""
    with pytest.raises(InDoubtError, match="had been sent"):
        await exchange_with(server).request("POST", server.url(), content=b"pay")
    with pytest.raises(ToolError, match="does not speak"):
        await exchange_with(server).request("PUT", server.url(), content=b"set")


async def test_a_post_that_was_not_sent_is_not_in_doubt():
    exchange = Exchange(resolver=names({NAME: ["127.0.0.1"]}), permit=[("127.0.0.1", 1)])
    with pytest.raises(ToolError, match="cannot be connected") as raised:
        await exchange.request("POST", f"http://{NAME}:1/", content=b"pay")
    assert raised.value.transient


async def test_a_post_that_was_answered_is_not_offered_for_repetition(server):
    server.routes |= {
        "/": redirect("/receipt", 303),
        "/receipt": b"",
        "/in": redirect("/loop", 307),
    }
    server.routes["/big"] = reply(bytes(2_000_000), status=201)
    exchange = exchange_with(server, limits=Limits(body_bytes=1_000_000))
    for path, status in (("/", 303), ("/big", 201)):
        with pytest.raises(ToolError, match=f"answered {status} and has taken effect") as raised:
            await exchange.request("POST", server.url(path), content=b"pay")
        assert not raised.value.transient


async def test_the_next_address_is_tried_when_one_cannot_be_connected(server):
    exchange = Exchange(
        resolver=names({NAME: ["127.0.0.1", "::1"]}),
        permit=[("127.0.0.1", server.port), ("::1", server.port)],
    )
    server.routes["/"] = reply("six")
    server._servers[0].close()
    assert (await exchange.request("GET", server.url())).text() == "six"


async def test_refusals_say_whether_to_try_again_and_when(server):
    server.routes |= {
        "/missing": reply('{"error": "no such thing"}', status=404),
        "/busy": reply("slow down", status=429, retry_after="7"),
        "/broken": reply(b"\x00\x01", status=503, content_type="image/png"),
    }
    found = {}
    for path in server.routes:
        answer = await exchange_with(server).request("GET", server.url(path))
        with pytest.raises(StatusError) as raised:
            answer.require_success()
        found[path] = (raised.value.status, raised.value.transient)
        assert b"\x00" not in str(raised.value).encode()
    assert found == {"/missing": (404, False), "/busy": (429, True), "/broken": (503, True)}


@pytest.mark.parametrize(
    "options",
    [
        {"allowed_domains": "example.com"},
        {"allowed_domains": ["*.example.com"]},
        {"allowed_domains": ["http://example.com"]},
        {"permit": [("localhost", 80)]},
        {"forbid": ["10.0.0.1/8"]},
        {"headers": {"example.com/path": {"X": "y"}}},
        {"headers": {"user:hunter22@example.com": {"X": "y"}}},
        {"headers": {"example.com": {"X Y": "z"}}},
        {"headers": {"example.com": {"X": "hunter22\n"}}},
        {"headers": {"example.com": {"X": ""}}},
    ],
)
def test_a_wrong_configuration_is_refused_without_its_secrets(options):
    with pytest.raises(ConfigurationError) as raised:
        Exchange(**options)
    assert "hunter22" not in str(raised.value)


def test_limits_are_positive():
    with pytest.raises(ConfigurationError, match="seconds is 0"):
        Limits(seconds=0)
    with pytest.raises(ConfigurationError, match="redirects is -1"):
        Limits(redirects=-1)
