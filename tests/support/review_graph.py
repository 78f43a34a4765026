"""A small graph with everything a checkpointer must keep, and how to run it both ways."""

from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import _messages_delta_reducer
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel
from typing_extensions import TypedDict

from cogwork.memory import with_state_types


class Plan(BaseModel):
    goal: str
    steps: tuple[str, ...] = ()


class State(TypedDict):
    messages: Annotated[list[AnyMessage], DeltaChannel(_messages_delta_reducer)]
    plan: Plan
    part: str


def plan(state: State) -> dict[str, Any]:
    return {"plan": Plan(goal=state["messages"][-1].text, steps=("left", "right"))}


def fan_out(state: State) -> list[Send]:
    return [Send("work", {"part": step, "plan": state["plan"]}) for step in state["plan"].steps]


def work(state: State) -> dict[str, Any]:
    return {"messages": [AIMessage(f"{state['part']} of {state['plan'].goal}")]}


def review(state: State) -> dict[str, Any]:
    answer = interrupt({"question": "good?", "plan": state["plan"]})
    return {"messages": [AIMessage(f"reviewed: {answer}")]}


def build(checkpointer: BaseCheckpointSaver[Any]) -> CompiledStateGraph[Any, Any, Any, Any]:
    """plan → work (two parallel parts) → review, which asks a person."""
    builder = StateGraph(State)
    builder.add_node("plan", plan)
    builder.add_node("work", work)
    builder.add_node("review", review)
    builder.add_edge(START, "plan")
    builder.add_conditional_edges("plan", fan_out, ["work"])
    builder.add_edge("work", "review")
    builder.add_edge("review", END)
    return builder.compile(checkpointer=with_state_types(checkpointer, State))


def thread(name: str, **configurable: Any) -> dict[str, Any]:
    return {"configurable": {"thread_id": name, **configurable}}


def say(text: str) -> dict[str, Any]:
    return {"messages": [("user", text)]}


def answer(text: str) -> Command[Any]:
    return Command(resume=text)


def texts(values: dict[str, Any]) -> list[str]:
    return [message.text for message in values["messages"]]


async def run(graph: Any, how: str, given: Any, config: Any) -> dict[str, Any]:
    """Invoke synchronously or asynchronously, as `how` says."""
    return graph.invoke(given, config) if how == "sync" else await graph.ainvoke(given, config)
