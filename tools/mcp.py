"""Tools of MCP servers, with what an agent must know of them declared here.

A server says of its own tools what it likes; nothing of that is believed. What is not declared
here is `external`, and what it returns is untrusted.

Model Context Protocol: https://modelcontextprotocol.io/specification
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.tools import BaseTool

from cogwork.core.errors import ConfigurationError, ToolError, redact
from cogwork.core.registry import nearest
from cogwork.tools.base import Effect, SpecFields, as_tools, with_spec

if TYPE_CHECKING:
    from langchain_mcp_adapters.client import MultiServerMCPClient

__all__ = ["Declared", "load_mcp_tools", "open_mcp_tools"]

Declared: TypeAlias = Mapping[str, Effect | SpecFields]
"""What tools do, by their names: an effect, or more of a `ToolSpec`."""


async def load_mcp_tools(
    servers: Mapping[str, Mapping[str, Any]],
    *,
    effects: Declared | None = None,
    tool_timeout: float = 60.0,
    prefix: bool = False,
) -> list[BaseTool]:
    """Return the tools of MCP servers; each call opens a session of its own.

    That suits HTTP servers, and also synchronous runs. A local server is started anew for
    each call; `open_mcp_tools` keeps it.

    Args:
        servers: How to reach each, by a name: `{"command": "python", "args": ["server.py"]}`
            starts one (it sees none of this process's environment but what `env` gives it
            and a few variables such as PATH), `{"url": "https://…/mcp", "headers": {…}}`
            connects to one.
        effects: What tools do, by their names; the others are external.
        tool_timeout: Seconds for one call, where `effects` gives no other.
        prefix: Whether tools are named `server_tool`, for servers that share names.

    Raises:
        ConfigurationError: A server's entry is wrong, `effects` names no tool, two tools have
            one name, or the extra `mcp` is not installed.
        ToolError: A server cannot be reached.
    """
    client = _client(servers, prefix)
    found: list[BaseTool] = []
    for name in servers:
        with _telling(name):
            found += await client.get_tools(server_name=name)
    return _declared(found, effects or {}, tool_timeout)


@asynccontextmanager
async def open_mcp_tools(
    servers: Mapping[str, Mapping[str, Any]],
    *,
    effects: Declared | None = None,
    tool_timeout: float = 60.0,
    prefix: bool = False,
) -> AsyncIterator[list[BaseTool]]:
    """Keep a session with each server open, and give their tools, for runs on this loop.

    Args:
        servers: As for `load_mcp_tools`.
        effects: As for `load_mcp_tools`.
        tool_timeout: As for `load_mcp_tools`.
        prefix: As for `load_mcp_tools`.

    Raises:
        ConfigurationError: As for `load_mcp_tools`.
        ToolError: A server cannot be reached.

    Example:
        ```python
        async with open_mcp_tools({"files": {"command": "mcp-files"}}) as tools:
            agent = create_react_agent(model, tools)
            await agent.ainvoke({"messages": "What is in my notes?"})
        ```
    """
    client = _client(servers, prefix)
    from langchain_mcp_adapters.tools import load_mcp_tools as tools_of

    async with AsyncExitStack() as sessions:
        found: list[BaseTool] = []
        for name in servers:
            with _telling(name):
                session = await sessions.enter_async_context(client.session(name))
                found += await tools_of(session, server_name=name, tool_name_prefix=prefix)
        yield _declared(found, effects or {}, tool_timeout)


def _client(servers: Mapping[str, Mapping[str, Any]], prefix: bool) -> "MultiServerMCPClient":
    try:
        from langchain_mcp_adapters.client import MultiServerMCPClient
    except ImportError as error:
        raise ConfigurationError(
            "MCP servers need the extra 'mcp'; run: pip install 'cogwork[mcp]'"
        ) from error
    connections: Any = {name: _connection(name, entry) for name, entry in servers.items()}
    return MultiServerMCPClient(connections, tool_name_prefix=prefix)


def _connection(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    ways = {"command", "url"} & entry.keys()
    if len(ways) != 1:
        raise ConfigurationError(
            f"MCP server '{name}' has {' and '.join(sorted(ways)) or 'neither command nor url'}; "
            "give it a command that starts it, or the url of one that runs"
        )
    if "url" in ways:
        return {"transport": "streamable_http", **entry}
    return {"transport": "stdio", "args": [], **entry}


def _declared(found: Sequence[BaseTool], effects: Declared, timeout: float) -> list[BaseTool]:
    names = [each.name for each in as_tools(found)]
    for name in effects:
        if name not in names:
            raise ConfigurationError(
                f"effects name '{name}', which no server offers; {nearest(name, names)}"
            )
    return [_with_spec(each, effects.get(each.name), timeout) for each in found]


def _with_spec(tool: BaseTool, declared: Effect | SpecFields | None, timeout: float) -> BaseTool:
    fields = SpecFields(timeout=timeout, untrusted=True)
    fields.update({"effect": declared} if isinstance(declared, str) else declared or {})
    bare = tool.model_copy(update={"metadata": None})  # the server wrote that
    return with_spec(bare, **fields)


class _telling:  # noqa: N801 - read as a word after `with`
    """Says which server cannot be reached, in place of a group of exceptions."""

    def __init__(self, server: str) -> None:
        self._server = server

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if error is None or not isinstance(error, Exception):
            return
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        raise ToolError(
            f"MCP server '{self._server}' cannot be reached: "
            f"{redact(f'{type(error).__name__}: {error}')}; see that it runs",
            transient=True,
        ) from error
