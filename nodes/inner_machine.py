"""The steps around a machine inside a state of another: showing it its state, taking it over."""

from collections.abc import Collection
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Overwrite

from cogwork.core.bridge import Node, call, node
from cogwork.nodes.machine import Cursor

__all__ = ["make_descend", "make_return"]


def make_descend(reduced: Collection[str]) -> Node:
    """Make the step before a machine inside: show it its own part of the state.

    Args:
        reduced: Keys with a reducer, whose values are handed over as they are.
    """

    @node
    def descend(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Show the machine inside its own part of the state.

        Reads: everything
        Writes: everything
        """
        shown = {key: Overwrite(state[key]) if key in reduced else state[key] for key in state}
        cursor = state["cursor"]
        if cursor["phase"] != "inside":
            return {**shown, "cursor": {"asleep": cursor}}
        return {
            **shown,
            "state": state["state"].partition("/")[2],
            "cursor": cursor.get("inner"),
        }

    return descend


def make_return(here: str, reduced: Collection[str], leave: Node) -> Node:
    """Make the step behind a machine inside: take over what it did, or go on with the state.

    Args:
        here: The state around it.
        reduced: Keys with a reducer.
        leave: The node of the state itself.
    """

    @node
    async def come_back(state: Any, config: RunnableConfig) -> Any:
        """Take over what the machine inside did.

        Reads: everything
        Writes: everything
        """
        if "asleep" in (state.get("cursor") or {}):
            return await call(leave, state, config)
        path = f"{here}/{state['state']}"
        done: Cursor = {"at": path, "phase": "leave", "inner": state.get("cursor")}
        update = {key: Overwrite(state[key]) if key in reduced else state[key] for key in state}
        return Command(update={**update, "state": path, "cursor": done}, goto=here)

    return come_back
