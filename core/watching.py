"""Handlers that look on at the calls of models and tools, at the price of a function call.

They are LangChain's callbacks, so that they see any model and any tool. A tool of cogwork that
only watches listen to makes no run for LangChain's callbacks, which would take several times as
long; it is a `WatchedCall`.
"""

import time
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, TypeVar

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.context import register_configure_hook

__all__ = ["Watch", "WatchedCall", "watch_here", "watches"]

T = TypeVar("T")


class Watch(BaseCallbackHandler):
    """A handler that is told in the caller's task, before the call is made."""

    run_inline = True
    # LangChain's own are properties, which take a call each time they are asked.
    ignore_agent = False
    ignore_chain = False
    ignore_chat_model = False
    ignore_custom_event = True
    ignore_llm = False
    ignore_retriever = True
    ignore_retry = True
    also: "Watch | None" = None
    """Another watch, which this one tells what it sees, but for calls of tools of cogwork."""

    def __deepcopy__(self, _: Any) -> "Watch":
        return self  # a copy would count apart

    def tool_begins(self, call: "WatchedCall") -> None:
        """See a tool called, of which LangChain's callbacks are not told; may refuse by raising."""

    def tool_ends(self, call: "WatchedCall", error: BaseException | None) -> None:
        """See such a call end, with `call.result` or an error; also one that was refused."""


watch_here: Final[ContextVar[Watch | None]] = ContextVar("cogwork_watch", default=None)
"""The watch that sees what is called here, with a config or without one."""
register_configure_hook(watch_here, inheritable=True)


def watches(config: RunnableConfig) -> list[Watch]:
    """Return those that look on at what is called here with a config."""
    callbacks = config.get("callbacks")
    handlers = callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks
    found = [each for each in handlers or () if isinstance(each, Watch)]
    here = watch_here.get()
    if here is not None and here not in found:
        found.append(here)
    for each in found:  # also those that are appended here
        if each.also is not None and each.also not in found:
            found.append(each.also)
    return found


class WatchedCall:
    """A call of a tool that tells no callbacks, made inside of the `with`.

    Args:
        tool: Its name.
        config: That it is called with.

    Attributes:
        made: Whether it was made; not if a watch refused it.
        result: What it gave.
        seconds: How long it took, when it has ended.
    """

    __slots__ = ("_began", "_watches", "made", "result", "seconds", "tool")

    def __init__(self, tool: str, config: RunnableConfig) -> None:
        self.tool = tool
        self.made = False
        self.result: Any = None
        self.seconds = 0.0
        self._watches = watches(config)

    def __enter__(self) -> "WatchedCall":
        try:
            for watch in self._watches:
                watch.tool_begins(self)
        except BaseException as error:
            for watch in self._watches:
                watch.tool_ends(self, error)
            raise
        self.made = True
        self._began = time.perf_counter()
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._began
        for watch in self._watches:
            watch.tool_ends(self, error)

    def gave(self, result: T) -> T:
        """Note what it gave, and return it."""
        self.result = result
        return result
