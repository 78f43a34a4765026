"""Each node reads and writes what the first lines of its docstring say, and nothing else."""

import re

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel
from scripted import ScriptedChatModel, calls

from cogwork.nodes.action import make_act
from cogwork.nodes.decision import make_decide
from cogwork.nodes.memorize import make_memorize
from cogwork.nodes.observation import make_observe
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.planning import make_plan, make_review
from cogwork.nodes.ranking import expected_utility
from cogwork.nodes.recall import make_recall
from cogwork.nodes.response import make_respond
from cogwork.nodes.synthesis import make_synthesize
from cogwork.nodes.thought import make_think
from cogwork.tools.base import tool


class Recorder(dict):
    """A state that remembers which of its keys were read."""

    def __init__(self, values):
        super().__init__(values)
        self.read = set()

    def __getitem__(self, key):
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.read.add(key)
        return super().get(key, default)


class Sum(BaseModel):
    total: int


@tool(effect="read")
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


CALL = calls(("add", {"a": 1, "b": 2}))
RESULT = ToolMessage("3", tool_call_id="call-0-0-add")
ASKED = {"messages": [HumanMessage("1 + 2?")], "stop_reason": None, "other": 1}
ACTED = {**ASKED, "messages": [*ASKED["messages"], CALL, RESULT], "stop_reason": "step_limit"}


def model(*script):
    return ScriptedChatModel(script=list(script))


PLAN = Plan(goal="1 + 2?", steps=[Step(id="add", tool="add", args={"a": 1, "b": 2})])
PLANNED = {**ASKED, "plan": PLAN, "results": {}}
DONE = {**PLANNED, "results": {"add": StepResult(id="add", status="completed", result=3)}}


async def planned(request, config):
    return PLAN


NODES = {
    "think, a call": (make_think(model(CALL), [add]), ASKED),
    "think, an answer": (make_think(model("3"), [add]), ASKED),
    "think, the conclusion": (make_think(model("3"), [add]), ACTED),
    "act": (make_act([add]), CALL.tool_calls[0]),
    "observe": (make_observe(), ACTED),
    "observe, the limit": (make_observe(max_steps=1), ACTED),
    "recall": (make_recall(user="ada", store=InMemoryStore()), ASKED),
    "recall, promoting": (make_recall(user="ada", store=InMemoryStore(), promote=True), ASKED),
    "memorize": (make_memorize(user="ada", store=InMemoryStore()), ASKED),
    "decide": (make_decide(expected_utility), {**ASKED, "options": {"a": {"value": 1}}}),
    "plan": (make_plan(planned, [add]), ASKED),
    "review": (make_review(1), DONE),
    "synthesize": (make_synthesize(model("3")), DONE),
    "respond": (make_respond(model('{"total": 3}'), Sum), ACTED),
}


def declared(node, kind):
    (line,) = re.findall(rf"^ *{kind}: (.*)$", node.__doc__, re.MULTILINE)
    return set(line.split(", "))


@pytest.mark.parametrize("case", NODES)
def test_a_node_keeps_to_what_it_declares(case):
    node, state = NODES[case]
    recorder = Recorder(state)
    written = node.invoke(recorder)
    assert set(written) <= declared(node, "Writes")
    if case != "act":
        assert recorder.read <= declared(node, "Reads")
        assert recorder.read
