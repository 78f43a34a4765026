import json

import pytest
from web_server import NAME, WebServer, exchange_with, reply

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.tools.api import api_call, http_get, make_api_call, make_http_get
from cogwork.tools.base import spec_of
from cogwork.tools.calling import ReadyTool
from cogwork.tools.effects import _key
from cogwork.tools.http.body import StatusError


@pytest.fixture
async def server():
    async with WebServer() as running:
        yield running


def test_reading_is_a_read_and_calling_is_external():
    read, call = spec_of(http_get), spec_of(api_call)
    assert (read.effect, read.idempotent, read.network) == ("read", True, True)
    assert (call.effect, call.idempotent, call.network) == ("external", False, True)
    assert read.retry is not None
    assert call.retry is None


async def test_json_is_shown_as_it_is(server):
    server.routes["/x"] = reply('{"a": [1, 2]}', content_type="application/json")
    told = await make_http_get(exchange_with(server)).ainvoke({"url": server.url("/x")})
    head, _, body = told.partition("\n\n")
    assert head == f"200 {server.url('/x')} (application/json)"
    assert json.loads(body) == {"a": [1, 2]}


async def test_a_page_is_shown_as_text_with_its_links(server):
    page = "<title>T</title><script>x</script><p>Read <a href='/b'>this</a>"
    server.routes["/"] = reply(page, content_type="text/html; charset=utf-8")
    told = await make_http_get(exchange_with(server)).ainvoke({"url": server.url()})
    assert told.endswith(f"\n\nT\nRead this <{server.url('/b')}>")


async def test_what_is_no_text_is_only_counted(server):
    server.routes["/"] = reply(bytes(300), content_type="image/png")
    told = await make_http_get(exchange_with(server)).ainvoke({"url": server.url()})
    assert told.endswith("[300 bytes that are no text]")


async def test_a_long_answer_is_cut_off_and_says_so(server):
    server.routes["/"] = reply("x" * 5_000)
    told = await make_http_get(exchange_with(server), max_chars=100).ainvoke({"url": server.url()})
    assert len(told) < 200
    assert "cut off after 100 of 5," in told


async def test_head_shows_every_header_and_get_only_some(server):
    server.routes["/"] = reply(b"", etag="abc", x_other="d", set_cookie="s=1")
    read = make_http_get(exchange_with(server))
    head = await read.ainvoke({"url": server.url(), "method": "HEAD"})
    assert "x-other: d" in head
    assert "cookie" not in head
    told = await read.ainvoke({"url": server.url()})
    assert "etag: abc" in told
    assert "x-other" not in told


@pytest.mark.parametrize(
    ("body", "kind", "sent"),
    [
        ({"a": "é"}, "application/json", '{"a": "é"}'),
        ([1, 2], "application/json", "[1, 2]"),
        ('{"a":1}', "application/json", '{"a":1}'),
        ("hello", "text/plain; charset=utf-8", "hello"),
    ],
)
async def test_a_body_is_sent_as_what_it_is(server, body, kind, sent):
    server.routes["/"] = reply("ok", status=201, location="/1")
    told = await make_api_call(exchange_with(server)).ainvoke(
        {"method": "POST", "url": server.url(), "body": body}
    )
    (asked,) = server.asked
    assert (asked.headers["content-type"], asked.body.decode()) == (kind, sent)
    assert told.startswith("201 ")
    assert "location: /1" in told


async def test_a_chosen_content_type_is_kept(server):
    server.routes["/"] = reply("ok")
    headers = {"content-type": "text/csv"}
    call = {"method": "PUT", "url": server.url(), "body": "a,b", "headers": headers}
    await make_api_call(exchange_with(server)).ainvoke(call)
    assert server.asked[0].headers["content-type"] == "text/csv"


async def test_the_key_of_a_call_that_happens_once_is_sent_along(server):
    server.routes["/"] = reply("ok")
    call = make_api_call(exchange_with(server))
    before = _key.set("key-1")
    try:
        for method in ("POST", "DELETE", "GET"):
            headers = {"idempotency-key": "forged"} if method == "POST" else {}
            await call.ainvoke({"method": method, "url": server.url(), "headers": headers})
    finally:
        _key.reset(before)
    sent = [asked.headers.get("idempotency-key") for asked in server.asked]
    assert sent == ["key-1", "key-1", None]


async def test_a_refusal_is_an_error_with_what_the_server_said(server):
    server.routes["/"] = reply('{"error": "name is missing"}', status=422)
    with pytest.raises(StatusError, match=r"answers 422: .*name is missing"):
        await make_api_call(exchange_with(server)).ainvoke({"method": "POST", "url": server.url()})


async def test_reading_is_tried_again_when_the_server_was_busy(server):
    answers = [reply(status=503, retry_after="0"), reply("at last")]

    async def route(asked, writer):
        writer.write(answers.pop(0))

    server.routes["/"] = route
    ready = ReadyTool(make_http_get(exchange_with(server)), None)
    assert "at last" in await ready.call({"url": server.url()}, {})


async def test_the_default_tools_do_not_lead_inside(server):
    for url in (f"http://127.0.0.1:{server.port}/", "http://localhost:8080/", "http://[::1]/"):
        with pytest.raises(ToolError, match="not called"):
            await http_get.ainvoke({"url": url})
        with pytest.raises(ToolError, match="not called"):
            await api_call.ainvoke({"method": "POST", "url": url})
    assert server.connections == 0


async def test_a_secret_of_the_configuration_is_used_and_not_shown(server):
    async def echo(asked, writer):
        writer.write(reply(json.dumps(asked.headers), status=403))

    server.routes["/"] = echo
    secret = {f"http://{NAME}:{server.port}": {"Authorization": "Bearer abcdefgh12345"}}
    with pytest.raises(StatusError) as raised:
        await make_http_get(exchange_with(server, headers=secret)).ainvoke({"url": server.url()})
    assert server.asked[0].headers["authorization"] == "Bearer abcdefgh12345"
    assert "abcdefgh12345" not in str(raised.value)


def test_the_size_shown_is_positive():
    with pytest.raises(ConfigurationError, match="max_chars is 0"):
        make_http_get(max_chars=0)
