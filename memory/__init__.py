"""What lasts: checkpointers for the state of threads, a store, and the memories on it.

`checkpoints` keeps threads; `store` is LangGraph's `BaseStore` on SQLite and Chroma;
`semantic`, `episodic`, `patterns` and `working` are memories, and `recall` asks all of them.
Names are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cogwork.memory.checkpoints import create_checkpointer, with_state_types
    from cogwork.memory.episodic import EpisodicMemory
    from cogwork.memory.experience import Experience, Outcome
    from cogwork.memory.namespaces import user_namespace
    from cogwork.memory.patterns import Patterns
    from cogwork.memory.recall import Memories
    from cogwork.memory.semantic import SemanticMemory
    from cogwork.memory.store import ChromaStore
    from cogwork.memory.working import WorkingMemory, working_item

__all__ = [
    "ChromaStore",
    "EpisodicMemory",
    "Experience",
    "Memories",
    "Outcome",
    "Patterns",
    "SemanticMemory",
    "WorkingMemory",
    "create_checkpointer",
    "user_namespace",
    "with_state_types",
    "working_item",
]

_HOMES = {
    "ChromaStore": "store",
    "EpisodicMemory": "episodic",
    "Experience": "experience",
    "Memories": "recall",
    "Outcome": "experience",
    "Patterns": "patterns",
    "SemanticMemory": "semantic",
    "WorkingMemory": "working",
    "create_checkpointer": "checkpoints",
    "user_namespace": "namespaces",
    "with_state_types": "checkpoints",
    "working_item": "working",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"cogwork.memory.{_HOMES[name]}"), name)
