import json
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.tools import tool as langchain_tool
from langgraph.types import RetryPolicy
from pydantic import ValidationError

from cogwork.core.errors import ConfigurationError
from cogwork.core.retry import is_transient, retry_policy
from cogwork.tools.base import ToolSpec, spec_of, tool, with_spec


@langchain_tool
def foreign(text: str) -> str:
    """A tool of another package."""
    return text.upper()


def test_bare_decorator_assumes_the_worst() -> None:
    @tool
    def shout(text: str) -> str:
        """Say it loudly."""
        return text.upper()

    assert isinstance(shout, StructuredTool)
    assert spec_of(shout) == ToolSpec("external", idempotent=False, network=True)
    assert shout.invoke({"text": "a"}) == "A"


def test_declared_read_is_idempotent_and_retried() -> None:
    @tool(effect="read", network=False, timeout=5)
    def peek(text: str) -> str:
        """Look at it."""
        return text

    assert spec_of(peek) == ToolSpec(
        "read", idempotent=True, network=False, timeout=5, retry=retry_policy()
    )


@pytest.mark.parametrize(
    ("declared", "idempotent", "retried"),
    [
        ({}, False, False),
        ({"effect": "write"}, False, False),
        ({"effect": "external"}, False, False),
        ({"effect": "write", "idempotent": True}, True, True),
        ({"idempotent": True}, True, True),
        ({"effect": "read", "idempotent": False}, False, True),
        ({"effect": "read", "retry": None}, True, False),
    ],
    ids=str,
)
def test_only_read_and_idempotent_tools_are_retried_by_default(
    declared: Any, idempotent: bool, retried: bool
) -> None:
    spec = spec_of(with_spec(foreign, **declared))
    assert (spec.idempotent, spec.retry is not None) == (idempotent, retried)


def test_name_and_langchains_own_options_pass_through() -> None:
    @tool("look_up", effect="read", description="Find it.", return_direct=True)
    def anything(word: str) -> str:
        return word

    assert (anything.name, anything.description, anything.return_direct) == (
        "look_up",
        "Find it.",
        True,
    )
    assert spec_of(anything).effect == "read"


def test_argument_descriptions_come_from_the_docstring() -> None:
    @tool(effect="read", parse_docstring=True)
    def find(word: str) -> str:
        """Find a word.

        Args:
            word: What to find.
        """
        return word

    assert find.description == "Find a word."
    assert find.args["word"]["description"] == "What to find."
    with pytest.raises(ValidationError, match="word"):
        find.invoke({})


async def test_async_function_and_runnable_become_tools() -> None:
    @tool(effect="external", timeout=2.5)
    async def send(text: str) -> str:
        """Send it."""
        return f"sent {text}"

    assert await send.ainvoke({"text": "a"}) == "sent a"
    assert spec_of(send).timeout == 2.5

    def swap(value: dict[str, int]) -> int:
        return -value["x"]

    negate = tool(
        "negate",
        RunnableLambda(swap).with_types(input_type=dict[str, int]),
        effect="read",
        description="Negate x.",
    )
    assert isinstance(negate, BaseTool)
    assert spec_of(negate).effect == "read"


def test_spec_travels_as_plain_json_to_tracers() -> None:
    seen: list[Any] = []

    class Tracer(BaseCallbackHandler):
        def on_tool_start(self, *args: Any, metadata: Any = None, **kwargs: Any) -> None:
            seen.append(metadata["cogwork"])

    @tool(effect="read", retry=RetryPolicy(max_attempts=5))
    def peek(text: str) -> str:
        """Look at it."""
        return text

    peek.invoke({"text": "a"}, {"callbacks": [Tracer()]})
    assert json.loads(json.dumps(seen)) == seen
    assert seen[0]["retry"]["max_attempts"] == 5


def test_numbers_of_a_retry_policy_survive_and_only_transient_errors_are_retried() -> None:
    given = RetryPolicy(initial_interval=0.1, backoff_factor=3, max_interval=9, jitter=False)
    kept = spec_of(with_spec(foreign, retry=given)).retry
    assert kept == given._replace(retry_on=is_transient)


def test_foreign_tool_is_copied_not_changed() -> None:
    declared = with_spec(foreign, effect="read", network=False)
    assert spec_of(foreign) == ToolSpec()
    assert (declared.name, declared.invoke({"text": "a"})) == ("foreign", "A")
    again = with_spec(declared, timeout=3)
    assert spec_of(again) == ToolSpec(
        "read", idempotent=True, network=False, timeout=3, retry=retry_policy()
    )
    assert spec_of(with_spec(again, effect="write")).retry is None


def test_other_metadata_of_a_tool_is_kept() -> None:
    noted = foreign.model_copy(update={"metadata": {"owner": "them"}})
    assert with_spec(noted, effect="read").metadata["owner"] == "them"
    assert spec_of(noted) == ToolSpec()


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"effect": "delete"}, "'delete' is unknown; choose one of read, write, external"),
        ({"timeout": 0}, "timeout 0 is not a positive number"),
        ({"timeout": -1.0}, "timeout -1.0"),
        ({"timeout": float("inf")}, "timeout inf"),
        ({"timeout": True}, "timeout True"),
        ({"network": "no"}, "network 'no' is neither True nor False"),
        ({"idempotent": None}, "idempotent None"),
        ({"speed": 3}, "no speed; it has effect, idempotent"),
        ({"retry": RetryPolicy(retry_on=ValueError)}, r"transient=True"),
        ({"retry": RetryPolicy(max_attempts=0)}, "max_attempts=0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_impossible_declaration_is_refused(declared: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        with_spec(foreign, **declared)


@pytest.mark.parametrize("kept", ["read", 5, {"effect": "read", "colour": 1}, {"retry": {"x": 1}}])
def test_unreadable_metadata_is_an_error_that_names_the_tool(kept: Any) -> None:
    broken = foreign.model_copy(update={"metadata": {"cogwork": kept}})
    with pytest.raises(ConfigurationError, match="tool 'foreign' declares"):
        spec_of(broken)


def test_partial_metadata_is_completed_with_the_cautious_defaults() -> None:
    noted = foreign.model_copy(update={"metadata": {"cogwork": {"effect": "write"}}})
    assert spec_of(noted) == ToolSpec("write")


class Listener(BaseCallbackHandler):
    def __init__(self):
        self.heard = []

    def on_tool_start(self, serialized, input_str, **kwargs):
        self.heard.append(("start", input_str))

    def on_tool_end(self, output, **kwargs):
        self.heard.append(("end", str(output)))


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_function_gets_its_config_and_callbacks_and_is_listened_to(is_async):
    def told(x: int, config: RunnableConfig, callbacks: Any = None) -> str:
        """Tell what came."""
        return f"{x} {config['tags']} {callbacks is not None}"

    async def atold(x: int, config: RunnableConfig, callbacks: Any = None) -> str:
        """Tell what came."""
        return told(x, config, callbacks)

    made = tool("told", effect="read")(atold if is_async else told)
    listener = Listener()
    config = {"tags": ["t"], "callbacks": [listener]}
    said = await made.ainvoke({"x": 1}, config)
    assert said == "1 ['t'] True"
    assert listener.heard == [("start", "{'x': 1}"), ("end", said)]
    if not is_async:
        assert made.invoke({"x": 1}, config) == said


def test_a_function_whose_hints_cannot_be_resolved_still_runs():
    def odd(x: int) -> "NoSuchType":  # noqa: F821 - the point of the test
        """Odd."""
        return x

    assert (
        tool("odd", args_schema={"type": "object", "properties": {"x": {}}})(odd).invoke({"x": 3})
        == 3
    )
