"""What holds for every goal, every set of tools and every observation."""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, tool

from cogwork.core.offline import OfflineChatModel
from cogwork.tools.calculator import calculator

FILES = {
    "sales.csv": "region,product,amount,quantity\nNorth,Widget,120.50,3\nSouth,Gadget,80,2\n",
    "cities.csv": 'city,population\nOslo,709000\nBergen,"286,000"\n',
    "notes.txt": "The project started in March 2021. Ada leads the team.\n",
    "odd.csv": "{a},{b}\n1,x\n\n3\n",
}


@tool
def read_file(path: str) -> str:
    """Read a text file."""
    if path not in FILES:
        raise ValueError(f"no file '{path}'; known are {', '.join(map(repr, FILES))}")
    return FILES[path]


@tool
def write_file(path: str, content: str, mode: Literal["replace", "append"] = "replace") -> str:
    """Write text to a file."""
    return f"wrote {len(content)} characters"


@tool
def list_files(path: str = ".", pattern: str = "*") -> list[str]:
    """List the files in a folder."""
    return sorted(FILES)


@tool
def file_exists(path: str) -> bool:
    """Tell whether a file exists."""
    return path in FILES


@tool
def add(a: int, b: int) -> int:
    """Add two integers."""
    return a + b


@tool
def get_weather(city: str, unit: Literal["celsius", "fahrenheit"], days: int = 1) -> str:
    """Get the weather in a city."""
    return f"Sunny in {city}."


@tool
def search(query: str, limit: int = 5) -> str:
    """Search the web."""
    return "Paris is the capital of France. Oslo has 709000 inhabitants."


@tool
def set_light(room: str, on: bool, colours: list[str], level: float = 1.0) -> str:
    """Turn the light in a room on or off."""
    return "done"


TOOLS: list[BaseTool] = [
    calculator, read_file, write_file, list_files, file_exists, add, get_weather, search, set_light,
]  # fmt: skip


def one_of(listed: str) -> st.SearchStrategy[str]:
    return st.sampled_from(listed.split("|"))


VERBS = one_of(
    "Read|Compute|What is|Which|Write|Save|List|How many|Summarise|Find|Delete|Show me|Compare|"
    "Turn on|Search for|Is there|Does|Copy|Who|Sort|Add|Multiply|And|the|Please|If|write it to|then"
)
THINGS = one_of(
    "sales.csv|cities.csv|notes.txt|odd.csv|sale.csv|out.txt|data|the total of amount|the mean|it|"
    "the result|3 * 4|17.5 % of 2340|-5 + 2|1,234|region is North|Oslo|Atlantis|population over 1000|"
    "by region|per product|the largest amount|the weather in Rome in celsius|'some text'|\"{x}\"|files|"
    "again|both|top 2|10|2021|x|?|.|, and|the light in the kitchen|(3 + 4|9**9|{}|share of amount|"
    "ratio of Oslo to Bergen|exists, read it|all the numbers from 1 to 9|median population|highest city"
)
SENTENCES = st.lists(st.one_of(VERBS, THINGS), min_size=1, max_size=9).map(" ".join)
GOALS = st.one_of(SENTENCES, st.text(max_size=60), st.tuples(SENTENCES, SENTENCES).map(". ".join))
SUBSETS = st.lists(st.sampled_from(TOOLS), unique_by=lambda t: t.name, max_size=6)


def observed(by_name: dict[str, BaseTool], call: Any) -> ToolMessage:
    try:
        given_back = by_name[call["name"]].invoke(call["args"])
    except Exception as error:  # noqa: BLE001 - whatever a tool raises is an observation
        return ToolMessage(f"Error: {error}", tool_call_id=call["id"], status="error")
    text = given_back if isinstance(given_back, str) else json.dumps(given_back)
    return ToolMessage(text, tool_call_id=call["id"])


def played(goals: Sequence[str], tools: Sequence[BaseTool], turns: int = 12) -> list[BaseMessage]:
    """Run goals one after another in one thread; each must end within `turns`."""
    model = OfflineChatModel().bind_tools(tools) if tools else OfflineChatModel()
    by_name = {known.name: known for known in tools}
    messages: list[BaseMessage] = []
    for goal in goals:
        messages.append(HumanMessage(goal))
        for _ in range(turns):
            answer = model.invoke(messages)
            messages.append(answer)
            if not answer.tool_calls:
                break
            messages += [observed(by_name, call) for call in answer.tool_calls]
        else:
            raise AssertionError(f"no end to {goal!r}")
    return messages


def answers(messages: Sequence[BaseMessage]) -> list[AIMessage]:
    return [message for message in messages if isinstance(message, AIMessage)]


@settings(max_examples=150, deadline=None)
@given(goals=st.lists(GOALS, min_size=1, max_size=2), tools=SUBSETS)
def test_every_call_is_to_a_bound_tool_and_fits_its_schema(
    goals: list[str], tools: list[BaseTool]
) -> None:
    by_name = {known.name: known for known in tools}
    for answer in answers(played(goals, tools)):
        for call in answer.tool_calls:
            assert call["name"] in by_name
            schema: Any = by_name[call["name"]].args_schema
            schema.model_validate(call["args"], strict=True)


@settings(max_examples=150, deadline=None)
@given(goals=st.lists(GOALS, min_size=1, max_size=2), tools=SUBSETS)
def test_no_answer_has_a_number_that_was_not_there_before(
    goals: list[str], tools: list[BaseTool]
) -> None:
    messages = played(goals, tools)
    known = ""
    for message in messages:
        if isinstance(message, AIMessage) and not message.tool_calls:
            for digits in re.findall(r"[0-9]+", str(message.content)):
                assert digits in known, (digits, message.content)
        called = getattr(message, "tool_calls", None)
        known += f"\n{message.content}\n{json.dumps(called) if called else ''}"


@settings(max_examples=100, deadline=None)
@given(goals=st.lists(GOALS, min_size=1, max_size=3), tools=SUBSETS)
def test_the_same_messages_give_the_same_answers_and_ids_are_unique(
    goals: list[str], tools: list[BaseTool]
) -> None:
    first, second = answers(played(goals, tools)), answers(played(goals, tools))
    assert [(a.content, a.tool_calls) for a in first] == [(a.content, a.tool_calls) for a in second]
    ids = [call["id"] for answer in first for call in answer.tool_calls]
    assert len(ids) == len(set(ids))


@settings(max_examples=60, deadline=None)
@given(goal=GOALS, tools=SUBSETS)
def test_streamed_and_whole_answers_are_the_same(goal: str, tools: list[BaseTool]) -> None:
    model = OfflineChatModel().bind_tools(tools) if tools else OfflineChatModel()
    whole = model.invoke(goal)
    streamed = None
    for chunk in model.stream(goal):
        streamed = chunk if streamed is None else streamed + chunk
    assert streamed is not None
    assert streamed.content == whole.content
    assert streamed.tool_calls == whole.tool_calls
    assert streamed.usage_metadata == whole.usage_metadata


@settings(max_examples=100, deadline=None)
@given(
    text=st.text(max_size=200),
    tools=SUBSETS,
    status=st.sampled_from(["success", "error"]),
)
def test_no_observation_whatever_breaks_the_model(
    text: str, tools: list[BaseTool], status: Literal["success", "error"]
) -> None:
    goal = "Read sales.csv, compute the total of amount and write it to out.txt"
    model = OfflineChatModel().bind_tools(tools) if tools else OfflineChatModel()
    messages: list[BaseMessage] = [HumanMessage(goal)]
    for _ in range(6):
        answer = model.invoke(messages)
        messages.append(answer)
        messages += [
            ToolMessage(text, tool_call_id=call["id"], status=status) for call in answer.tool_calls
        ]
    assert not answers(messages)[-1].tool_calls
