"""Runs under a budget: every model and tool that a run calls, wherever it calls it.

    with open_budget(Budget(max_model_calls=50)) as ledger:     # all that runs in here
        graph.invoke(...)

    graph = with_budget(graph, Budget(max_cost=0.5))            # each run of this graph

A ledger is watched through LangChain's callbacks, which reach every model and every tool
of LangChain: through the config into subgraphs, `Send` branches, tasks and threads that are
handed it, and through a context variable into what is called without a config. A nested
budget stands within the one around it, and its calls count in both.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.config import get_stream_writer
from langgraph.pregel import Pregel
from langgraph.types import Command

from cogwork.core.budget import Account, Budget, BudgetWarning, Ledger, Spent
from cogwork.core.budget_keeping import Keeping
from cogwork.core.budget_watch import LedgerWatch
from cogwork.core.watching import Watch, watch_here, watches

__all__ = [
    "current_ledger",
    "inside",
    "open_budget",
    "open_ledger",
    "spent_by",
    "with_budget",
]

SomeGraph = TypeVar("SomeGraph", bound=Pregel[Any, Any, Any, Any])
_END: Final = object()
Warned = Callable[[BudgetWarning], None]


def current_ledger() -> Ledger | None:
    """Return the ledger that calls made here are booked in; None without a budget."""
    watch = watch_here.get()
    if isinstance(watch, LedgerWatch):
        return watch.ledger
    seen_by = watches(var_child_runnable_config.get() or {})
    found = [each.ledger for each in seen_by if isinstance(each, LedgerWatch)]
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

    Examples:
        >>> from cogwork import create_react_agent
        >>> with open_budget(Budget(max_model_calls=5)) as ledger:
        ...     _ = create_react_agent("offline").invoke({"messages": "What is 6 * 7?"})
        >>> ledger.spent.model_calls
        1
    """
    ledger = open_ledger(budget, within, name, on_warning)
    if spent is not None:
        ledger.recover(spent)
    with inside(LedgerWatch(ledger)):
        yield ledger


@contextmanager
def inside(watch: Watch) -> Iterator[None]:
    """Let a watch see the calls that are made inside of the `with`."""
    token = watch_here.set(watch)
    try:
        yield
    finally:
        watch_here.reset(token)


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
    also: Watch | None = None,
) -> SomeGraph:
    """Return a copy of a compiled graph of which each run has this budget, besides one it has.

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
        also: A watch that sees each run too, such as `Metrics().callback`; it costs less here
            than as a callback of its own.

    Raises:
        BudgetError: From a run: a call does not fit.

    Examples:
        >>> from cogwork import create_react_agent, load_tools
        >>> agent = create_react_agent("offline", load_tools(["calculator"]))
        >>> agent = with_budget(agent, Budget(max_model_calls=5))
        >>> agent.invoke({"messages": "What is 6 * 7?"})["messages"][-1].text
        '6 * 7 is 42.'
    """
    before = graph.begin if isinstance(graph, _Budgeted) else None

    def begin() -> LedgerWatch:
        if before is None:
            return LedgerWatch(open_ledger(budget, within, name, on_warning), also)
        watch = before()
        with inside(watch):
            ledger = open_ledger(budget, within, name, on_warning)
        ledger.beside = watch.ledger
        return LedgerWatch(ledger, also or watch.also)

    kind = type(graph)
    bases = (_Budgeted, kind) if before is None else (kind,)
    budgeted = type(f"Budgeted{kind.__name__}", bases, {"begin": staticmethod(begin)})
    attributes = {key: value for key, value in vars(graph).items() if key != "__orig_class__"}
    return cast("SomeGraph", budgeted(**attributes))  # as LangGraph copies a graph


async def spent_by(graph: Pregel[Any, Any, Any, Any], config: RunnableConfig) -> Spent:
    """Return what the last run of a thread has spent, also over resumes, as `with_budget` keeps it.

    Args:
        graph: Has the checkpointer.
        config: Names the thread.
    """
    return await Keeping.of(graph, config, Ledger(Budget())).afound()


class _Budgeted:
    """Before a graph's class: opens a ledger for each run.

    `batch` and the streams of events come through these four. `invoke` reads the graph's own
    stream, for looking on at each of its chunks takes longer than at the run.
    """

    begin: Callable[[], LedgerWatch]

    def invoke(
        self,
        input: Any,  # noqa: A002 - the name is LangGraph's
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        with self._kept(input, config) as watch, _watched_by(watch, self):
            return super().invoke(input, config, **kwargs)  # type: ignore[misc] # of the graph's class

    async def ainvoke(
        self,
        input: Any,  # noqa: A002 - the name is LangGraph's
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        async with self._akept(input, config) as watch:
            with _watched_by(watch, self):
                return await super().ainvoke(input, config, **kwargs)  # type: ignore[misc] # as above

    def stream(
        self,
        input: Any,  # noqa: A002 - the name is LangGraph's
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        if _invoked.get() is self:
            _invoked.set(None)  # a run of the same graph within this one is another run
            return cast("Iterator[Any]", super().stream(input, config, **kwargs))  # type: ignore[misc] # as above
        return self._stream(input, config, **kwargs)

    def astream(
        self,
        input: Any,  # noqa: A002 - the name is LangGraph's
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        if _invoked.get() is self:
            _invoked.set(None)
            return cast("AsyncIterator[Any]", super().astream(input, config, **kwargs))  # type: ignore[misc] # as above
        return self._astream(input, config, **kwargs)

    def _stream(
        self, given: Any, config: RunnableConfig | None, **kwargs: Any
    ) -> Iterator[Any]:  # fmt: skip
        with self._kept(given, config) as watch:
            chunks = super().stream(given, config, **kwargs)  # type: ignore[misc] # as above
            try:
                while True:
                    token = watch_here.set(watch)
                    try:
                        chunk = next(chunks, _END)
                    finally:  # what the stream's reader does meanwhile is not the run's
                        watch_here.reset(token)
                    if chunk is _END:
                        return
                    yield chunk
            finally:
                chunks.close()

    async def _astream(
        self, given: Any, config: RunnableConfig | None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        async with self._akept(given, config) as watch:
            chunks = super().astream(given, config, **kwargs)  # type: ignore[misc] # as above
            try:
                while True:
                    token = watch_here.set(watch)
                    try:
                        chunk = await anext(chunks, _END)
                    finally:
                        watch_here.reset(token)
                    if chunk is _END:
                        return
                    yield chunk
            finally:
                await chunks.aclose()

    @contextmanager
    def _kept(self, given: Any, config: RunnableConfig | None) -> Iterator[LedgerWatch]:
        watch = self.begin()
        keeping = Keeping.of(cast("Any", self), config, watch.ledger)
        keeping.start(resumed=_resumes(given))
        try:
            yield watch
        finally:
            keeping.stop()

    @asynccontextmanager
    async def _akept(
        self, given: Any, config: RunnableConfig | None
    ) -> AsyncIterator[LedgerWatch]:  # fmt: skip
        watch = self.begin()
        keeping = Keeping.of(cast("Any", self), config, watch.ledger)
        await keeping.astart(resumed=_resumes(given))
        try:
            yield watch
        finally:
            await keeping.astop()


_invoked: Final[ContextVar[_Budgeted | None]] = ContextVar("cogwork_invoked", default=None)
"""The graph whose `invoke` has opened a ledger for the stream that it is about to read."""


@contextmanager
def _watched_by(watch: LedgerWatch, graph: _Budgeted) -> Iterator[None]:
    seen, invoked = watch_here.set(watch), _invoked.set(graph)
    try:
        yield
    finally:
        _invoked.reset(invoked)
        watch_here.reset(seen)


def _resumes(given: Any) -> bool:
    return given is None or isinstance(given, Command)
