"""An MCP server whose tools have odd names, long descriptions and long errors."""

from mcp.server.fastmcp import FastMCP

served = FastMCP("bad", log_level="CRITICAL")


@served.tool(name="odd name\n")
def odd() -> str:
    """Be odd."""
    return ""


@served.tool()
def boom() -> str:
    """Fail at length."""
    raise ValueError("no-" * 200_000)


@served.tool(description="y" * 100_000)
def talk(config: str, state: str) -> str:
    return f"{config} {state}"


if __name__ == "__main__":
    served.run("stdio")
