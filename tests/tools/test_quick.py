"""A QuickTool does what LangChain's tool does, whether anybody listens or not."""

import functools
from typing import Annotated, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler, CallbackManager
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import (
    InjectedToolArg,
    InjectedToolCallId,
    StructuredTool,
    ToolException,
)
from langchain_core.tools import tool as langchain_tool
from langgraph.types import Command
from pydantic import BaseModel, Field, ValidationError

from cogwork.tools.quick import QuickTool, quick


class Count(BaseModel):
    word: str
    times: int = Field(default=2, ge=1)


class OnlyWord(BaseModel):
    word: str


class Opaque:
    def __str__(self):
        return "opaque"


def plain(word: str, times: int = 2) -> str:
    """Say."""
    return word * times


def nothing() -> None:
    """Say nothing."""


def listed(word: str) -> list:
    """Say it in a list."""
    return [word, 1]


def blocks(word: str) -> list:
    """Say it in blocks."""
    return [{"type": "text", "text": word}]


def table(word: str) -> dict:
    """Say it in a table."""
    return {"word": word, "ä": 1}


def opaque() -> Opaque:
    """Give an object."""
    return Opaque()


def message(word: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
    """Give a message."""
    return ToolMessage(word, tool_call_id=tool_call_id)


def command(word: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command:
    """Give a command."""
    return Command(update={"messages": [ToolMessage(word, tool_call_id=tool_call_id)]})


def hidden(word: str, secret: Annotated[str, InjectedToolArg] = "s") -> str:
    """Have an argument that the model is not shown."""
    return word + secret


def told(word: str, config: RunnableConfig) -> str:
    """Take the config."""
    return f"{word} {config['tags']}"


def configured(word: str, config: RunnableConfig) -> str:
    """Read the config."""
    return f"{word} {config['recursion_limit']}"


def listening(word: str, callbacks: Any = None) -> str:
    """Take the callbacks."""
    return f"{word} {type(callbacks).__name__}"


def broken(word: str) -> str:
    """Fail."""
    raise ToolException(f"no {word}")


WORD = {"word": "ab"}
CASES = [
    (plain, WORD, {}),
    (plain, {"word": "ab", "times": 3}, {"args_schema": Count}),
    (plain, WORD, {"args_schema": Count}),
    (plain, {"word": "ab", "times": "3"}, {}),
    (nothing, {}, {}),
    (listed, WORD, {}),
    (blocks, WORD, {}),
    (table, WORD, {}),
    (opaque, {}, {}),
    (message, WORD, {}),
    (command, WORD, {}),
    (hidden, WORD, {}),
    (told, WORD, {}),
    (configured, WORD, {}),
    (listening, WORD, {}),
    (lambda word: (word, 7), WORD, {"response_format": "content_and_artifact", "description": "x"}),
]
FAILING = [
    (plain, {"times": 3}, {}, ValidationError),
    (plain, {"word": "ab", "times": 0}, {"args_schema": Count}, ValidationError),
    (broken, WORD, {}, ToolException),
]


class Listener(BaseCallbackHandler):
    def __init__(self):
        self.heard = []

    def on_tool_start(self, serialized, input_str, **kwargs):
        self.heard.append(("start", serialized["name"], kwargs["inputs"]))

    def on_tool_end(self, output, **kwargs):
        self.heard.append(("end", str(output)))

    def on_tool_error(self, error, **kwargs):
        self.heard.append(("error", repr(error)))


def pair(function, options):
    theirs = langchain_tool("said", **options)(function)
    ours = quick(theirs)
    assert type(ours) is QuickTool
    return theirs, ours


def call(args):
    return {"name": "said", "args": args, "id": "1", "type": "tool_call"}


def outcome(said: Any) -> Any:
    return said.model_dump() if isinstance(said, ToolMessage) else said


def config(handlers):
    return {"callbacks": CallbackManager(list(handlers), list(handlers)), "tags": ["t"]}


@pytest.mark.parametrize("is_heard", [False, True])
@pytest.mark.parametrize(("function", "args", "options"), CASES)
async def test_it_gives_what_langchains_tool_gives(function, args, options, is_heard):
    theirs, ours = pair(function, options)
    heard = []
    for one in (theirs, ours):
        listeners = [Listener()] if is_heard else []
        said = one.invoke(call(args), config(listeners))
        assert outcome(await one.ainvoke(call(args), config(listeners))) == outcome(said)
        heard.append((outcome(said), [listener.heard for listener in listeners]))
    assert heard[0] == heard[1]


@pytest.mark.parametrize("is_heard", [False, True])
@pytest.mark.parametrize(("function", "args", "options", "kind"), FAILING)
def test_it_fails_as_langchains_tool_fails(function, args, options, kind, is_heard):
    seen = []
    for one in pair(function, options):
        listeners = [Listener()] if is_heard else []
        with pytest.raises(kind) as caught:
            one.invoke(call(args), config(listeners))
        seen.append((str(caught.value), [listener.heard for listener in listeners]))
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("function", "args", "options"),
    [
        (broken, WORD, {"handle_tool_error": True}),
        (broken, WORD, {"handle_tool_error": lambda error: f"caught {error}"}),
        (plain, {"times": 3}, {"handle_validation_error": "wrong"}),
    ],
)
def test_it_handles_errors_as_langchains_tool_is_told_to(function, args, options):
    theirs, _ = pair(function, {})
    theirs = theirs.model_copy(update=options)
    ours = quick(theirs)
    assert outcome(ours.invoke(call(args), config([]))) == outcome(
        theirs.invoke(call(args), config([]))
    )


def test_a_partial_function_gets_its_config():
    def said(prefix: str, word: str, config: RunnableConfig) -> str:
        """Say."""
        return f"{prefix} {word} {config['tags']}"

    theirs = StructuredTool.from_function(
        functools.partial(said, "well,"), name="said", description="Say.", args_schema=OnlyWord
    )
    expected = outcome(theirs.invoke(call(WORD), config([])))
    assert outcome(quick(theirs).invoke(call(WORD), config([]))) == expected


async def test_an_async_tool_is_quick_too():
    @langchain_tool("said")
    async def said(word: str, config: RunnableConfig) -> str:
        """Say."""
        return f"{word} {config['tags']}"

    answer = await quick(said).ainvoke(call(WORD), config([]))
    assert outcome(answer) == outcome(await said.ainvoke(call(WORD), config([])))


@pytest.mark.parametrize("given", ["ab", {"word": "ab", "times": 3}])
def test_other_forms_of_input_go_langchains_way(given):
    @langchain_tool
    def once(word: str) -> str:
        """Say."""
        return word

    arguments = given if isinstance(given, str) else {"word": given["word"]}
    assert quick(once).invoke(arguments, config([])) == once.invoke(arguments, config([])) == "ab"


def test_tools_of_another_class_stay_as_they_are():
    class Mine(QuickTool):
        pass

    mine = Mine(name="mine", description="x", args_schema=Count, func=plain)
    assert quick(mine) is mine
