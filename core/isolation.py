"""A place of its own in a run, for one of several things that a node does at the same time.

LangGraph matches the answers to `interrupt` by the order of calls in a task, and names
subgraphs by the order in which a task calls them. Where a node runs several things at once
that order is chance: answers would reach the wrong question, and a subgraph would go on
from another's checkpoint. A place gives each its own answers and its own namespace, by name.
"""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from langchain_core.runnables import RunnableConfig

__all__ = ["place_of"]

# LangGraph hands these to a node in its config; it publishes no other way to them.
_SCRATCHPAD: Final = "__pregel_scratchpad"
_SEND: Final = "__pregel_send"
_ANSWERS: Final = "__pregel_resume_map"
_NAMESPACE: Final = "checkpoint_ns"


def place_of(
    config: RunnableConfig,
    name: str,
    answers: Sequence[Any] = (),
    *,
    resume: Mapping[str, Any] | None = None,
) -> RunnableConfig:
    """Return the config for one part of a node, to call a tool or a graph with.

    What it runs under is the same whenever the node is run again: a graph goes on from
    its own checkpoint. What interrupts raises `GraphInterrupt` here, and it is for the
    caller to ask the question and to come back with the answer.

    Args:
        config: Of the node.
        name: Names the part by its content.
        answers: What the calls of `interrupt` in a tool are to return, in their order.
        resume: Answers to the open questions of a graph, by the ids of their interrupts.
    """
    configurable = dict(config.get("configurable") or {})
    scratchpad = configurable.get(_SCRATCHPAD)
    if scratchpad is None:
        return config
    namespace = str(configurable.get(_NAMESPACE) or "")
    part = f"{_plain(name)}:{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}"
    configurable[_NAMESPACE] = f"{namespace}|{part}" if namespace else part
    configurable[_SEND] = _send_nothing
    configurable[_ANSWERS] = dict(resume or {})
    configurable[_SCRATCHPAD] = replace(
        scratchpad,
        call_counter=itertools.count().__next__,
        interrupt_counter=itertools.count().__next__,
        subgraph_counter=itertools.count().__next__,
        resume=list(answers),
        get_null_resume=_no_answer,
    )
    return {**config, "configurable": configurable}


def _send_nothing(_: Any) -> None:
    """Answers that were used are remembered by the caller, not as writes of the node."""


def _no_answer(consume: bool = False) -> None:
    """An answer for the node as a whole is no part's."""


def _plain(name: str) -> str:
    """A name that can stand in a namespace."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
