"""A budget as a middleware, for agents of LangChain's `create_agent` and of deepagents.

Needs the extra `langchain`. Where the compiled agent is at hand, `with_budget` does the same
and remembers more.
"""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NotRequired

from typing_extensions import TypedDict

from cogwork.core.budget import Account, Budget, BudgetWarning, Spent
from cogwork.core.budget_runs import inside, open_ledger
from cogwork.core.budget_watch import LedgerWatch
from cogwork.core.errors import ConfigurationError

if TYPE_CHECKING:
    from langchain.agents.middleware import AgentMiddleware

__all__ = ["budget_middleware"]

_KEPT: Final = 10_000  # runs that have not ended


class Kept(TypedDict):
    """What the state keeps of a run's budget."""

    run: str
    spent: dict[str, float]


def budget_middleware(
    budget: Budget,
    *,
    within: Account | None = None,
    name: str = "run",
    on_warning: Callable[[BudgetWarning], None] | None = None,
) -> "AgentMiddleware[Any, Any]":
    """Return a middleware that gives each run of an agent this budget.

    The agent's models and tools count, and all that they call. What a turn has spent is part
    of the state when the turn ends; a resume in another process has forgotten the turn that
    was cut off.

    Args:
        budget: The limits of a run.
        within: A further account to book calls in, such as a `DailyLedger`.
        name: Says in errors and warnings whose budget it is.
        on_warning: As in `open_budget`.

    Raises:
        ConfigurationError: The package `langchain` is not installed.
    """
    try:
        from langchain.agents.middleware import AgentMiddleware, AgentState
    except ImportError as error:
        raise ConfigurationError(
            "the middleware needs LangChain; pip install 'cogwork[langchain]'"
        ) from error

    class BudgetState(AgentState[Any]):
        budget: NotRequired[Kept]

    class BudgetMiddleware(AgentMiddleware[Any, Any]):
        """Holds each run of an agent to a budget."""

        state_schema = BudgetState

        def before_agent(self, state: Any, runtime: Any) -> dict[str, Any]:  # noqa: ARG002 - LangChain's signature
            return {"budget": Kept(run=uuid.uuid4().hex, spent={})}

        def after_model(self, state: Any, runtime: Any) -> dict[str, Any]:  # noqa: ARG002 - LangChain's signature
            return runs.kept(state)

        def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            with inside(runs.watch(request.state)):
                return handler(request)

        async def awrap_model_call(
            self, request: Any, handler: Callable[[Any], Awaitable[Any]]
        ) -> Any:
            with inside(runs.watch(request.state)):
                return await handler(request)

        def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            with inside(runs.watch(request.state)):
                return handler(request)

        async def awrap_tool_call(
            self, request: Any, handler: Callable[[Any], Awaitable[Any]]
        ) -> Any:
            with inside(runs.watch(request.state)):
                return await handler(request)

    runs = _Runs(lambda: LedgerWatch(open_ledger(budget, within, name, on_warning)))
    return BudgetMiddleware()


class _Runs:
    """The ledgers of the runs that are under way in this process."""

    def __init__(self, opened: Callable[[], LedgerWatch]) -> None:
        self._opened = opened
        self._watches: OrderedDict[str, LedgerWatch] = OrderedDict()
        self._guard = threading.Lock()

    def watch(self, state: Mapping[str, Any]) -> LedgerWatch:
        """That of the run that a state belongs to; of a resumed one with what it had spent."""
        kept: Kept = state["budget"]
        with self._guard:
            watch = self._watches.get(kept["run"])
            if watch is None:
                watch = self._watches[kept["run"]] = self._opened()
                watch.ledger.recover(Spent.of(kept["spent"]))
                if len(self._watches) > _KEPT:
                    self._watches.popitem(last=False)
            return watch

    def kept(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The update that keeps what a run has spent."""
        spent = self.watch(state).ledger.spent.as_dict()
        return {"budget": Kept(run=state["budget"]["run"], spent=spent)}
