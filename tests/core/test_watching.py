"""What watches are told, and what becomes of calls that one of them refuses."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tools import tool
from scripted import ScriptedChatModel, calls

from cogwork.core.budget import Budget, Ledger
from cogwork.core.budget_runs import open_budget, with_budget
from cogwork.core.budget_watch import LedgerWatch
from cogwork.core.errors import BudgetError
from cogwork.core.watching import WatchedCall


class Faulty(BaseCallbackHandler):
    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        raise ValueError("broken")


@pytest.mark.parametrize("limits", [Budget(max_model_calls=1), Budget(max_tool_calls=0)])
@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_a_refusal_is_logged_nowhere_as_a_fault(mode, limits, caplog):
    @tool
    def look() -> str:
        """Look."""
        return "nothing"

    model = ScriptedChatModel(script=[calls(("look", {}))], forever=True)
    agent, given = with_budget(create_agent(model, [look]), limits), {"messages": "go"}
    with pytest.raises(BudgetError):
        _ = agent.invoke(given) if mode == "sync" else await agent.ainvoke(given)
    assert not caplog.records


def test_faults_of_other_callbacks_are_logged_as_ever(caplog):
    model = ScriptedChatModel(script=["hello"])
    with open_budget(Budget(max_model_calls=1)):
        model.invoke("hi", {"callbacks": [Faulty()]})
    assert [each.getMessage()[:24] for each in caplog.records] == ["Error in Faulty.on_chat_"]


def test_a_call_that_one_ledger_refuses_is_spent_in_none():
    wide, narrow = Ledger(Budget(max_tool_calls=9)), Ledger(Budget(max_tool_calls=0))
    config = {"callbacks": [LedgerWatch(wide), LedgerWatch(narrow)]}
    with pytest.raises(BudgetError), WatchedCall("look", config):
        pytest.fail("it was let through")
    assert (wide.committed.tool_calls, narrow.committed.tool_calls) == (0, 0)


def test_a_ledger_s_watch_tells_another_one_once():
    told, ledger = LedgerWatch(Ledger(Budget())), Ledger(Budget())
    config = {"callbacks": [LedgerWatch(ledger, told), told]}
    with WatchedCall("look", config) as call:
        assert call.gave("seen") == "seen"
    ScriptedChatModel(script=["hello"]).invoke("hi", {"callbacks": [LedgerWatch(ledger, told)]})
    for each in (ledger, told.ledger):
        assert (each.spent.tool_calls, each.spent.model_calls) == (1, 1)
