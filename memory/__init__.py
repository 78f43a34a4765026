"""Where agents keep things: checkpointers for the state of threads."""

from cogwork.memory.checkpoints import create_checkpointer, with_state_types

__all__ = ["create_checkpointer", "with_state_types"]
