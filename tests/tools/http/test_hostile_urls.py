"""URLs that want to lead inside: none of them makes a connection."""

from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from web_server import WebServer, names, redirect, reply

from cogwork.core.errors import ToolError
from cogwork.tools.http.exchange import Exchange

# `PORT` is that of a server that listens on 127.0.0.1 and ::1.
SPACED = [
    "http://127.0.0.1:P\t/",
    "http://127.0.0.1\n:PORT/",
    "http://local\thost:PORT/",
    "ht\ttp://127.0.0.1:PORT/",
    "http://127.0.0.1 :PORT/",
    "http://evil.com\r\nHost: localhost:PORT/",
    "http://1.1.1.1 &@127.0.0.1:PORT/",
    "http://1.1.1.1#@127.0.0.1:PORT/\x00",
    "\x00http://127.0.0.1:PORT/",
    "http://127.0.0.1:\uff18\uff10/",
]
URLS = [*(Path(__file__).parent / "hostile_urls.txt").read_text().split("\n")[:-1], *SPACED]

EVIL = names(
    {
        "evil.com": ["127.0.0.1"],
        "a.evil.com": ["10.0.0.1"],
        "local.evil.com": ["::1"],
        "mapped.evil.com": ["::ffff:127.0.0.1"],
        "six.evil.com": ["2002:7f00:1::"],
        "mixed.evil.com": ["93.184.216.34", "127.0.0.1"],
        "private.evil.com": ["192.168.0.1"],
        "zone.evil.com": ["fe80::1%lo"],
        "none.evil.com": [],
        "text.evil.com": ["localhost"],
        "rebind.evil.com": ["127.0.0.1", "93.184.216.34"],
        "metadata.google.internal": ["169.254.169.254"],
        "127.0.0.1.nip.io": ["127.0.0.1"],
        "localhost": ["127.0.0.1", "::1"],
        "localhost.localdomain": ["127.0.0.1"],
        "ip6-localhost": ["::1"],
    }
)


def at(port: int, url: str) -> str:
    return url.replace("PORT", str(port)) if "://PRIVATE" not in url else url


def test_there_are_enough_of_them():
    assert len(set(URLS)) >= 200


async def test_the_server_can_be_reached_by_who_does_not_look():
    async with WebServer() as server:
        async with httpx.AsyncClient(trust_env=False) as client:
            for host in ("127.0.0.1", "[::1]", "2130706433", "127.1"):
                await client.get(f"http://{host}:{server.port}/")
        assert server.connections == 4


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_hostile_url_makes_a_connection(method):
    async with WebServer() as server:
        exchange = Exchange(resolver=EVIL, ports=[80, 443, server.port])
        for url in URLS:
            with pytest.raises(ToolError):
                await exchange.request(method, at(server.port, url))
        assert server.connections == 0


async def test_nor_does_one_that_the_system_resolves():
    async with WebServer() as server:
        exchange = Exchange(ports=[server.port])
        for host in ("localhost", "LOCALHOST.", "ip6-localhost", "0", "127.1", "[::1]"):
            with pytest.raises(ToolError):
                await exchange.request("GET", f"http://{host}:{server.port}/")
        assert server.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_leads_inside(status):
    async with WebServer() as inside, WebServer() as outside:
        exchange = Exchange(
            resolver=names({"site.example": ["127.0.0.1"], "evil.com": ["127.0.0.1"]}),
            ports=[80, 443, inside.port],
            permit=[("127.0.0.1", outside.port)],
        )
        for number, url in enumerate([*URLS, "/\\\\127.0.0.1:P/", "//127.0.0.1:PORT/"]):
            goal = at(inside.port, url)
            outside.routes[f"/{number}"] = redirect_to(goal, status)
            with suppress(ToolError):  # some are relative, and lead to a 404 outside
                await exchange.request("GET", outside.url(f"/{number}", "site.example"))
        assert outside.connections >= len(URLS)
        assert inside.connections == 0


def redirect_to(goal: str, status: int) -> bytes:
    """As a server would send it that does not care for ASCII."""
    blank = redirect("GOAL", status)
    return blank.replace(b"GOAL", goal.encode())


async def test_a_name_is_resolved_once_and_its_answer_dialled():
    asked = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["::1"]

    async with WebServer() as server:
        server.routes["/"] = reply("here")
        exchange = Exchange(resolver=rebinding, permit=[("127.0.0.1", server.port)])
        answer = await exchange.request("GET", server.url())
        assert (answer.text(), asked) == ("here", ["api.example.com"])
        with pytest.raises(ToolError, match="::1 is"):
            await exchange.request("GET", server.url())
        assert server.connections == 1


async def test_a_permitted_address_is_permitted_on_its_port_only():
    async with WebServer() as one, WebServer() as other:
        exchange = Exchange(permit=[("127.0.0.1", one.port)], ports=[other.port])
        assert (await exchange.request("GET", f"http://127.0.0.1:{one.port}/")).status == 404
        for host in (f"127.0.0.1:{other.port}", f"[::1]:{one.port}", f"1.1.1.1:{one.port}"):
            with pytest.raises(ToolError):
                await exchange.request("GET", f"http://{host}/")
        assert (one.connections, other.connections) == (1, 0)


async def test_the_proxies_of_the_environment_are_not_used(monkeypatch):
    async with WebServer() as proxy, WebServer() as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        server.routes["/"] = reply("direct")
        exchange = Exchange(
            resolver=names({"site.example": ["127.0.0.1"]}), permit=[("127.0.0.1", server.port)]
        )
        assert (await exchange.request("GET", server.url("/", "site.example"))).text() == "direct"
        assert proxy.connections == 0


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("example.com", True),
        ("api.example.com", True),
        ("a.b.EXAMPLE.com.", True),
        ("badexample.com", False),
        ("example.com.evil.com", False),
        ("example.org", False),
        ("com", False),
        ("xn--bcher-kva.example", True),
        ("bücher.example", True),
        ("127.0.0.1", False),
    ],
)
async def test_allowed_domains_are_matched_by_whole_labels(host, is_allowed):
    async with WebServer() as server:
        server.routes["/"] = reply("ok")

        async def resolve(name: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        exchange = Exchange(
            allowed_domains=["Example.com", "bücher.example"],
            resolver=resolve,
            permit=[("127.0.0.1", server.port)],
        )
        if is_allowed:
            assert (await exchange.request("GET", server.url("/", host))).text() == "ok"
        else:
            with pytest.raises(ToolError, match="not among the allowed domains"):
                await exchange.request("GET", server.url("/", host))
        assert server.connections == is_allowed


async def test_a_redirect_cannot_leave_the_allowed_domains():
    async with WebServer() as server, WebServer() as other:
        server.routes["/"] = redirect(other.url("/", "evil.com"))
        server.routes["/in"] = redirect(other.url("/", "b.a.com"))
        other.routes["/"] = reply("there")
        exchange = Exchange(
            allowed_domains=["a.com"],
            resolver=names({name: ["127.0.0.1"] for name in ("a.com", "b.a.com", "evil.com")}),
            permit=[("127.0.0.1", server.port), ("127.0.0.1", other.port)],
        )
        with pytest.raises(
            ToolError, match=r"'evil\.com' is not among the allowed domains: a\.com"
        ):
            await exchange.request("GET", server.url("/", "a.com"))
        assert other.connections == 0
        assert (await exchange.request("GET", server.url("/in", "a.com"))).text() == "there"
