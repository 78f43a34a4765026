"""Tools that are ready to be called, and what is said when a call fails."""

from langchain_core.tools import ToolException

from cogwork.core.errors import ToolError
from cogwork.tools.base import tool
from cogwork.tools.calling import ReadyTools, reason_of
from cogwork.tools.discovery import ToolRegistry


@tool(effect="read")
def look(what: str) -> str:
    """Look something up."""
    return what


def test_a_reason_is_cut_where_a_server_would_fill_the_history():
    for error in (ToolException("no-" * 5_000), ToolError("no-" * 5_000), OSError("x" * 50_000)):
        said = reason_of(error, "look")
        assert "no-no-no" in said or "xxx" in said
        assert len(said) < 2_100


def test_a_secret_in_a_reason_is_masked_also_when_it_is_cut():
    said = reason_of(ToolError("api_key=abcdefgh12345678 " + "x " * 5_000), "look")
    assert said.startswith("api_key=*** x x")
    for error in (ToolError, ToolException):
        said = reason_of(error(f"{'x ' * 990}key ghp_{'k' * 40} more"), "look")
        assert "key ***" in said
        assert "ghp_" not in said


def test_a_tool_that_is_unregistered_can_no_longer_be_called():
    registry = ToolRegistry([look])
    ready = ReadyTools(registry, None)
    assert ready["look"].tool is look
    registry.unregister("look")
    assert "look" not in ready
    assert ready.get("look") is None
    assert ready.specs.get("look") is None


def test_a_tool_that_is_registered_anew_takes_the_place_of_the_old_one():
    registry = ToolRegistry([look])
    ready = ReadyTools(registry, None)
    assert ready["look"].spec.effect == "read"
    registry.unregister("look")

    @registry.tool(effect="write")
    def look_again(what: str) -> str:
        """Look something up, and note it."""
        return what

    registry.add_tools([look_again.model_copy(update={"name": "look"})])
    assert ready["look"].spec.effect == "write"
