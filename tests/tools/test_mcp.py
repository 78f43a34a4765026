"""Tools of real MCP servers: over pipes and HTTP, with effects declared here alone."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedChatModel, calls

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.graphs.react import create_react_agent
from cogwork.tools.base import spec_of
from cogwork.tools.mcp import load_mcp_tools, open_mcp_tools

SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"
HOSTILE = {
    "bad": {"command": sys.executable, "args": [str(Path(__file__).parent / "hostile_mcp.py")]}
}
STDIO = {"test": {"command": sys.executable, "args": [str(SERVER)]}}


@pytest.fixture(scope="module")
def http() -> Iterator[dict[str, Any]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, str(SERVER), str(port)], stderr=subprocess.DEVNULL
    ) as server:
        until = time.monotonic() + 30
        while time.monotonic() < until and server.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield {"test": {"url": f"http://127.0.0.1:{port}/mcp"}}
        server.terminate()


def named(tools: list[Any]) -> dict[str, Any]:
    return {each.name: each for each in tools}


def asking(tool: str, **args: Any) -> ScriptedChatModel:
    return ScriptedChatModel(script=[calls((tool, args)), "done"])


async def answer(tools: list[Any], tool: str, **args: Any) -> Any:
    agent = create_react_agent(asking(tool, **args), tools)
    return (await agent.ainvoke({"messages": "go"}))["messages"][-2]


async def test_session_is_kept_and_effects_are_those_declared_here():
    async with open_mcp_tools(STDIO, effects={"add": "read"}) as tools:
        found = named(tools)
        assert spec_of(found["add"]).effect == "read"
        assert spec_of(found["wipe"]).effect == "external"
        assert all(spec_of(each).is_untrusted for each in tools)
        assert all("readOnlyHint" not in (each.metadata or {}) for each in tools)
        assert (await answer(tools, "add", a=2, b=3)).text == "5"
        assert (await answer(tools, "note", text="a")).text == "a"
        assert (await answer(tools, "note", text="b")).text == "a, b"


async def test_parameters_that_are_called_as_langchain_s_own_reach_the_server():
    async with open_mcp_tools(STDIO, only="tune") as tools:
        shown = tools[0].tool_call_schema
        told = await answer(tools, "tune", config_="fast", config__=3, runtime_="x")
        unnamed = await answer(tools, "tune", config_="fast")
    assert list(shown["properties"]) == ["config_", "config__", "runtime_", "callbacks_"]
    assert shown["required"] == ["config_", "config__"]
    assert told.text == "fast, 3, x, none"
    assert (unnamed.status, "Field required" in unnamed.text) == ("error", True)


async def test_failures_are_observations():
    async with open_mcp_tools(STDIO) as tools:
        failed = await answer(tools, "fail")
        wrong = await answer(tools, "add", a="two", b=3)
    assert (failed.status, wrong.status) == ("error", "error")
    assert "it went wrong" in failed.text
    assert "valid integer" in wrong.text


async def test_secrets_of_this_process_are_not_handed_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    entry = {**STDIO["test"], "env": {"GIVEN": "1", "PATH": "/usr/bin"}}
    async with open_mcp_tools({"test": entry}) as tools:
        seen = (await answer(tools, "environment")).text.split()
    assert "GIVEN" in seen
    assert "OPENAI_API_KEY" not in seen


async def test_http_servers_serve_async_runs(http: dict[str, Any]):
    tools = await load_mcp_tools(http, effects={"add": {"effect": "read", "timeout": 5}})
    assert spec_of(named(tools)["add"]).timeout == 5
    assert (await answer(tools, "add", a=2, b=3)).text == "5"


def test_http_servers_serve_synchronous_runs(http: dict[str, Any]):
    import asyncio

    tools = asyncio.run(load_mcp_tools(http, prefix=True))
    agent = create_react_agent(asking("test_add", a=2, b=3), tools)
    assert agent.invoke({"messages": "go"})["messages"][-2].text == "5"


@pytest.mark.parametrize("entry", [{}, {"command": "x", "url": "http://127.0.0.1:1"}])
async def test_entry_has_one_way_to_reach_its_server(entry: dict[str, Any]):
    with pytest.raises(ConfigurationError, match="MCP server 'bad' has"):
        await load_mcp_tools({"bad": entry})


async def test_effects_of_unknown_tools_are_refused():
    with pytest.raises(ConfigurationError, match="'ad', which no server offers; did you mean"):
        await load_mcp_tools(STDIO, effects={"ad": "read"})


@pytest.mark.parametrize(
    "entry", [{"url": "http://127.0.0.1:9/mcp"}, {"command": "no-such-command-anywhere"}]
)
@pytest.mark.parametrize("how", ["load", "open"])
async def test_server_that_cannot_be_reached_is_named(entry: dict[str, Any], how: str):
    async def opened() -> None:
        async with open_mcp_tools({"away": entry}):
            pytest.fail("it is not there")

    with pytest.raises(ToolError, match="MCP server 'away' cannot be reached"):
        await (load_mcp_tools({"away": entry}) if how == "load" else opened())


async def test_names_that_two_servers_share_need_a_prefix():
    both = {"one": STDIO["test"], "two": STDIO["test"]}
    with pytest.raises(ConfigurationError, match="two tools are called"):
        await load_mcp_tools(both)
    assert {"one_add", "two_add"} <= named(await load_mcp_tools(both, prefix=True)).keys()


async def test_a_name_that_models_cannot_call_is_refused_and_can_be_left_out():
    with pytest.raises(ConfigurationError, match=r"called 'odd name\\n', .* only=\["):
        await load_mcp_tools(HOSTILE)
    [boom] = await load_mcp_tools(HOSTILE, only="boom")
    assert boom.name == "boom"


async def test_only_those_that_are_named_are_taken():
    assert named(await load_mcp_tools(STDIO, only=["add", "note"])).keys() == {"add", "note"}
    with pytest.raises(ConfigurationError, match=r"only names 'ad', .* did you mean 'add'"):
        await load_mcp_tools(STDIO, only=["ad"])


async def test_what_a_server_tells_is_bounded():
    async with open_mcp_tools(HOSTILE, only=["boom", "talk"]) as tools:
        assert len(named(tools)["talk"].description) == 8_001
        said = await answer(tools, "boom")
    assert said.status == "error"
    assert "no-no-no" in said.text
    assert len(said.text) < 20_200
