"""Runs under a budget: every model and tool that a run calls, wherever it calls it.

    with open_budget(Budget(max_model_calls=50)) as ledger:     # all that runs in here
        graph.invoke(...)

    graph = with_budget(graph, Budget(max_cost=0.5))            # each run of this graph

A ledger is watched through LangChain's callbacks, which reach every model and every tool
of LangChain: through the config into subgraphs, `Send` branches, tasks and threads that are
handed it, and through a context variable into what is called without a config. A nested
budget stands within the one around it, and its calls count in both.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar, cast

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tracers.context import register_configure_hook
from langgraph.config import get_stream_writer
from langgraph.errors import GraphBubbleUp
from langgraph.pregel import Pregel
from langgraph.types import Command

from cogwork.core.budget import Account, Budget, BudgetWarning, Ledger, Spent
from cogwork.core.budget_keeping import Keeping
from cogwork.core.budget_watch import TOOL_CALL, Watch

__all__ = ["BookedCall", "current_ledger", "inside", "open_budget", "open_ledger", "with_budget"]

SomeGraph = TypeVar("SomeGraph", bound=Pregel[Any, Any, Any, Any])
_END: Final = object()
Warned = Callable[[BudgetWarning], None]

_watch: ContextVar[Watch | None] = ContextVar("cogwork_budget", default=None)
register_configure_hook(_watch, inheritable=True)


def current_ledger() -> Ledger | None:
    """Return the ledger that calls made here are booked in; None without a budget."""
    watch = _watch.get()
    if watch is not None:
        return watch.ledger
    found = [each.ledger for each in _watches(var_child_runnable_config.get() or {})]
    return max(found, key=lambda ledger: len(ledger.accounts), default=None)


@contextmanager
def open_budget(
    budget: Budget,
    *,
    within: Account | None = None,
    spent: Spent | None = None,
    name: str = "run",
    on_warning: Warned | None = None,
) -> Iterator[Ledger]:
    """Hold everything that is run inside of the `with` to a budget, sync and async.

    Inside of another budget both count: neither can be outspent.

    Args:
        budget: The limits.
        within: A further account to book calls in, such as a `DailyLedger`.
        spent: What was spent before.
        name: Says in errors and warnings whose budget it is.
        on_warning: Called once for each limit of which `budget.warn_at` is spent. Inside of
            a graph, the warning is also an event of its custom stream.

    Raises:
        BudgetError: From a call inside that does not fit.

    Example:
        >>> from cogwork import create_react_agent
        >>> with open_budget(Budget(max_model_calls=5)) as ledger:
        ...     _ = create_react_agent("offline").invoke({"messages": "What is 6 * 7?"})
        >>> ledger.spent.model_calls
        1
    """
    ledger = open_ledger(budget, within, name, on_warning)
    if spent is not None:
        ledger.recover(spent)
    with inside(Watch(ledger)):
        yield ledger


@contextmanager
def inside(watch: Watch) -> Iterator[None]:
    """Let a watch see the calls that are made inside of the `with`."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


class BookedCall:
    """A call of a tool that tells no callbacks, booked in the ledgers that are open here.

    Args:
        config: That it is called with.

    Raises:
        BudgetError: When it is entered: it does not fit.
    """

    __slots__ = ("_began", "_ledgers")

    def __init__(self, config: RunnableConfig) -> None:
        self._ledgers = [watch.ledger for watch in _watches(config)]

    def __enter__(self) -> None:
        self._began = time.monotonic()
        for ledger in self._ledgers:
            ledger.reserve(self, TOOL_CALL)

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        for ledger in self._ledgers:
            made = not isinstance(error, GraphBubbleUp)  # a question to a person is none yet
            ledger.settle(self, Spent(0, 0.0, time.monotonic() - self._began, 0, made))


def _watches(config: RunnableConfig) -> list[Watch]:
    callbacks = config.get("callbacks")
    handlers = callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks
    found = [each for each in handlers or () if isinstance(each, Watch)]
    here = _watch.get()
    return found if here is None or here in found else [*found, here]


def open_ledger(
    budget: Budget,
    within: Account | None,
    name: str,
    on_warning: Warned | None,
) -> Ledger:
    """Open a ledger within the one that is open here, with warnings that are streamed."""

    def warn(warning: BudgetWarning) -> None:
        _stream(warning)
        if on_warning is not None:
            on_warning(warning)

    around = current_ledger()
    accounts = around.accounts if around is not None else ()
    if within is not None and within not in accounts:
        accounts = (*accounts, within)
    return Ledger(budget, within=accounts, name=name, on_warning=warn)


def _stream(warning: BudgetWarning) -> None:
    try:
        write = get_stream_writer()
    except (RuntimeError, KeyError):  # not in a graph
        return
    write(warning.event())


def with_budget(
    graph: SomeGraph,
    budget: Budget,
    *,
    within: Account | None = None,
    name: str = "run",
    on_warning: Warned | None = None,
) -> SomeGraph:
    """Return a copy of a compiled graph of which each run has this budget.

    A run begins with an input, and goes on when the graph is invoked with `None` or a
    `Command`. With a checkpointer and a thread, what it has spent is kept beside the
    checkpoints before each call is made, so that a resume in another process goes on
    counting; calls that were in flight count with what they had reserved. As a subgraph of
    another one, its runs are kept by nobody but count in the run around.

    Args:
        graph: Any compiled graph, also of LangChain's `create_agent`.
        budget: The limits of each run.
        within: A further account to book calls in, such as a `DailyLedger`.
        name: Says in errors and warnings whose budget it is.
        on_warning: As in `open_budget`.

    Raises:
        BudgetError: From a run: a call does not fit.

    Example:
        >>> from cogwork import create_react_agent, load_tools
        >>> agent = create_react_agent("offline", load_tools(["calculator"]))
        >>> agent = with_budget(agent, Budget(max_model_calls=5))
        >>> agent.invoke({"messages": "What is 6 * 7?"})["messages"][-1].text
        '6 * 7 is 42.'
    """

    def begin() -> Ledger:
        return open_ledger(budget, within, name, on_warning)

    kind = type(graph)
    budgeted = type(f"Budgeted{kind.__name__}", (_Budgeted, kind), {"begin": staticmethod(begin)})
    attributes = {key: value for key, value in vars(graph).items() if key != "__orig_class__"}
    return cast("SomeGraph", budgeted(**attributes))  # as LangGraph copies a graph


class _Budgeted:
    """Before a graph's class: opens a ledger for each run.

    `invoke`, `batch` and the streams of events all come through these two.
    """

    begin: Callable[[], Ledger]

    def stream(
        self,
        input: Any,  # noqa: A002 - the name is LangGraph's
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        watch = Watch(self.begin())
        keeping = Keeping.of(cast("Any", self), config, watch.ledger)
        keeping.start(resumed=_resumes(input))
        chunks = super().stream(input, config, **kwargs)  # type: ignore[misc] # of the graph's class
        try:
            while True:
                token = _watch.set(watch)
                try:
                    chunk = next(chunks, _END)
                finally:  # what the stream's reader does meanwhile is not the run's
                    _watch.reset(token)
                if chunk is _END:
                    return
                yield chunk
        finally:
            try:
                chunks.close()
            finally:
                keeping.stop()

    async def astream(
        self,
        input: Any,  # noqa: A002 - the name is LangGraph's
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        watch = Watch(self.begin())
        keeping = Keeping.of(cast("Any", self), config, watch.ledger)
        await keeping.astart(resumed=_resumes(input))
        chunks = super().astream(input, config, **kwargs)  # type: ignore[misc] # of the graph's class
        try:
            while True:
                token = _watch.set(watch)
                try:
                    chunk = await anext(chunks, _END)
                finally:
                    _watch.reset(token)
                if chunk is _END:
                    return
                yield chunk
        finally:
            try:
                await chunks.aclose()
            finally:
                await keeping.astop()


def _resumes(given: Any) -> bool:
    return given is None or isinstance(given, Command)
