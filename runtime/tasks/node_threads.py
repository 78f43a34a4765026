"""The threads in which synchronous nodes of tasks run, and whether one is stuck in there."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

__all__ = ["are_stuck", "node_threads"]

_NAMES: Final = "cogwork-nodes"


def node_threads() -> ThreadPoolExecutor:
    """Return threads for the nodes of a loop."""
    return ThreadPoolExecutor(thread_name_prefix=_NAMES)


def are_stuck(patience: float = 1.0) -> bool:
    """Return whether a node runs on in its thread, when all runners of this process have stopped.

    Python cannot end a thread, and a process does not end before its threads. The task has been let
    go by then: another runner may run the node, too.

    Args:
        patience: Seconds that it has to end.
    """
    deadline = time.monotonic() + patience
    while any(each.name.startswith(_NAMES) for each in threading.enumerate()):
        if time.monotonic() > deadline:
            return True
        time.sleep(0.01)
    return False
