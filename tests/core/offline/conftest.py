"""A folder of real files, real tools on it, and a small loop that runs a goal to its end."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool

from cogwork.core.offline import OfflineChatModel
from cogwork.tools.calculator import calculator
from cogwork.tools.files import file_tools

FILES = {
    "energy.csv": "country,year,twh,renewable_twh\nNorway,2020,154,151\nSweden,2020,161,109\n"
    "Germany,2020,568,251\nFrance,2020,532,125\n",
    "cities.csv": "city,country,population\nOslo,Norway,709000\nBergen,Norway,286000\n"
    "Stockholm,Sweden,975000\nNew York,USA,8336000\n",
    "sales.csv": "date,region,product,amount,quantity\n2024-01-03,North,Widget,120.50,3\n"
    "2024-01-04,South,Gadget,80,2\n2024-01-05,North,Gadget,45.25,1\n2024-01-06,East,Widget,200,5\n",
    "people.csv": "name;age;job\nAda;36;engineer\nBob;41;baker\nCleo;29;engineer\n",
    "gaps.csv": "item,price\na,10\nb,n/a\nc,30\n",
    "notes.txt": "The project started in March 2021. Ada Lovelace leads the team. The budget is "
    "50,000 euros.\nThe office is in Vienna. We ship every Friday because customers asked for it.\n",
    "config.json": '{"server": {"host": "example.org", "port": 8080}, "debug": false}',
    "stock.json": '[{"part": "bolt", "count": 12}, {"part": "nut", "count": 30}]',
    "notebooks/data/energy.csv": "country,twh\nNorway,154\nSweden,161\n",
    "data/a.csv": "x,y\n1,2\n3,4\n",
    "data/b.md": "# B\nhello\n",
}


@dataclass
class Run:
    """What a goal came to: all messages, the calls in their order, and the answer."""

    messages: list[BaseMessage]
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    answer: str = ""


Runner = Callable[..., Run]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the files above in it."""
    folder = tmp_path / "root"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    rows = "\n".join(f"City{n},{'ABC'[n % 3]},{n}" for n in range(1, 201))
    (folder / "long.csv").write_text(f"city,zone,amount\n{rows}\n")
    return folder


@pytest.fixture
def tools(root: Path) -> list[BaseTool]:
    """The calculator, and the file tools in `root`."""
    return [calculator, *file_tools(root)]


@pytest.fixture
def run(tools: list[BaseTool]) -> Runner:
    """Return a function that runs a goal with real tools until the model answers."""

    def loop(
        goal: str,
        bound: Sequence[BaseTool] | None = None,
        before: Sequence[BaseMessage] = (),
        limit: int = 15,
    ) -> Run:
        chosen = tools if bound is None else list(bound)
        by_name = {tool.name: tool for tool in chosen}
        model = OfflineChatModel().bind_tools(chosen) if chosen else OfflineChatModel()
        made = Run([*before, HumanMessage(goal)])
        for _ in range(limit):
            answer = model.invoke(made.messages)
            assert isinstance(answer, AIMessage)
            made.messages.append(answer)
            if not answer.tool_calls:
                made.answer = str(answer.content)
                return made
            made.turns.append(len(answer.tool_calls))
            for call in answer.tool_calls:
                made.calls.append((call["name"], call["args"]))
                made.messages.append(_called(by_name[call["name"]], call))
        raise AssertionError(f"no answer to {goal!r} after {limit} turns: {made.calls}")

    return loop


def _called(tool: BaseTool, call: Any) -> ToolMessage:
    """Call a tool as LangGraph's tool nodes do: a failure becomes an observation."""
    try:
        given = tool.invoke(call["args"])
    except Exception as error:  # noqa: BLE001 - whatever a tool raises is an observation
        return ToolMessage(
            f"Error: {error}", tool_call_id=call["id"], name=tool.name, status="error"
        )
    text = given if isinstance(given, str) else json.dumps(given)
    return ToolMessage(text, tool_call_id=call["id"], name=tool.name)
