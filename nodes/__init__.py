"""One kind of step a file: a function from the state to an update, or a `make_…` that returns one."""

from cogwork.nodes.action import make_act
from cogwork.nodes.history import bound_history
from cogwork.nodes.memories import memory_tools
from cogwork.nodes.memorize import make_memorize
from cogwork.nodes.observation import make_observe
from cogwork.nodes.recall import Recalled, make_recall, recalled_prompt
from cogwork.nodes.response import make_respond
from cogwork.nodes.thought import make_think
from cogwork.nodes.trace import TraceStep, trace

__all__ = [
    "Recalled",
    "TraceStep",
    "bound_history",
    "make_act",
    "make_memorize",
    "make_observe",
    "make_recall",
    "make_respond",
    "make_think",
    "memory_tools",
    "recalled_prompt",
    "trace",
]
