"""Tools of MCP servers, with what an agent must know of them declared here.

A server says of its own tools what it likes; nothing of that is believed. What is not declared
here is `external`, and what it returns is untrusted.

A parameter that has one of LangChain's own names, such as `config`, is shown to models with a `_` at
its end; the server gets it by its name.

Model Context Protocol: https://modelcontextprotocol.io/specification
"""

import re
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from langchain_core.tools import BaseTool

from cogwork.core.errors import ConfigurationError, ToolError, redact
from cogwork.core.registry import nearest
from cogwork.tools.base import Effect, SpecFields, as_tools, with_spec

if TYPE_CHECKING:
    from langchain_mcp_adapters.client import MultiServerMCPClient
    from langchain_mcp_adapters.interceptors import MCPToolCallRequest

__all__ = ["Declared", "load_mcp_tools", "open_mcp_tools"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what providers take
_LONGEST: Final = 8_000  # characters of a description
# Python's and LangChain's own parameters of a call; what a server calls so gets a _ at its end.
_TAKEN: Final = re.compile(r"(?:self|config|runtime|run_manager|callbacks)_*")

Declared: TypeAlias = Mapping[str, Effect | SpecFields]
"""What tools do, by their names: an effect, or more of a `ToolSpec`."""


async def load_mcp_tools(
    servers: Mapping[str, Mapping[str, Any]],
    *,
    effects: Declared | None = None,
    only: Collection[str] | None = None,
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
        only: Names of the tools that are taken; all of them unless given.
        tool_timeout: Seconds for one call, where `effects` gives no other.
        prefix: Whether tools are named `server_tool`, for servers that share names.

    Raises:
        ConfigurationError: A server's entry is wrong, `effects` or `only` name no tool, two tools
            have one name, a name is none that models can call, or the extra `mcp` is not installed.
        ToolError: A server cannot be reached.
    """
    client = _client(servers, prefix)
    found: list[BaseTool] = []
    for name in servers:
        with _telling(name):
            found += await client.get_tools(server_name=name)
    return _declared(_chosen(found, only), effects or {}, tool_timeout)


@asynccontextmanager
async def open_mcp_tools(
    servers: Mapping[str, Mapping[str, Any]],
    *,
    effects: Declared | None = None,
    only: Collection[str] | None = None,
    tool_timeout: float = 60.0,
    prefix: bool = False,
) -> AsyncIterator[list[BaseTool]]:
    """Keep a session with each server open, and give their tools, for runs on this loop.

    Args:
        servers: As for `load_mcp_tools`.
        effects: As for `load_mcp_tools`.
        only: As for `load_mcp_tools`.
        tool_timeout: As for `load_mcp_tools`.
        prefix: As for `load_mcp_tools`.

    Raises:
        ConfigurationError: As for `load_mcp_tools`.
        ToolError: A server cannot be reached.

    Examples:
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
                found += await tools_of(
                    session,
                    server_name=name,
                    tool_name_prefix=prefix,
                    tool_interceptors=[_with_own_names],
                )
        yield _declared(_chosen(found, only), effects or {}, tool_timeout)


def _client(servers: Mapping[str, Mapping[str, Any]], prefix: bool) -> "MultiServerMCPClient":
    try:
        from langchain_mcp_adapters.client import MultiServerMCPClient
    except ImportError as error:
        raise ConfigurationError(
            "MCP servers need the extra 'mcp'; run: pip install 'cogwork[mcp]'"
        ) from error
    connections: Any = {name: _connection(name, entry) for name, entry in servers.items()}
    return MultiServerMCPClient(
        connections, tool_name_prefix=prefix, tool_interceptors=[_with_own_names]
    )


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


def _chosen(found: Sequence[BaseTool], only: Collection[str] | None) -> list[BaseTool]:
    only = [only] if isinstance(only, str) else only
    names = [each.name for each in found]
    for name in only or ():
        if name not in names:
            raise ConfigurationError(
                f"only names '{name}', which no server offers; {nearest(name, names)}"
            )
    chosen = [each for each in found if only is None or each.name in only]
    for each in chosen:
        if not _NAME.fullmatch(each.name):
            raise ConfigurationError(
                f"a server offers a tool called {each.name!r:.100}, which models cannot call; "
                "leave it out by naming those that you want: only=[…]"
            )
    return chosen


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
    said = tool.description
    cut = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    schema = _shown(tool.args_schema)
    bare = tool.model_copy(  # the server wrote all three
        update={"metadata": None, "description": cut, "args_schema": schema}
    )
    return with_spec(bare, **fields)


def _shown(schema: Any) -> Any:
    """The schema of a tool, its parameters named so that LangChain hands all of them on."""
    told = {**schema}
    if isinstance(properties := told.get("properties"), dict):
        told["properties"] = {_shown_as(name): each for name, each in properties.items()}
    if isinstance(required := told.get("required"), list):
        told["required"] = [_shown_as(name) for name in required]
    return told


def _shown_as(name: str) -> str:
    return f"{name}_" if _TAKEN.fullmatch(name) else name


async def _with_own_names(
    request: "MCPToolCallRequest", handler: Callable[["MCPToolCallRequest"], Awaitable[Any]]
) -> Any:
    """Send a server the names that its parameters really have."""
    args = {
        name[:-1] if name.endswith("_") and _TAKEN.fullmatch(name) else name: value
        for name, value in request.args.items()
    }
    return await handler(request.override(args=args))


@contextmanager
def _telling(server: str) -> Iterator[None]:
    """Say which server cannot be reached, in place of a group of exceptions."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the adapter raises what its transports raise
        reason = error
        while isinstance(reason, ExceptionGroup):
            reason = reason.exceptions[0]
        raise ToolError(
            f"MCP server '{server}' cannot be reached: "
            f"{redact(f'{type(reason).__name__}: {reason}')}; see that it runs",
            transient=True,
        ) from reason
