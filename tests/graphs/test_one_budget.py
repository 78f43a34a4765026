"""What a whole tree of agents spends counts in one budget."""

from typing import Any

import pytest
from scripted import ScriptedChatModel

from cogwork.core.budget import Budget
from cogwork.core.budget_runs import with_budget
from cogwork.core.errors import BudgetError
from cogwork.graphs import (
    create_ensemble,
    create_plan_execute_agent,
    create_react_agent,
    create_reflexion_agent,
    create_team,
)
from cogwork.nodes import Requirement

LIMIT = 2


class Counted:
    """A model of which everybody has the same."""

    def __init__(self) -> None:
        self.model = ScriptedChatModel(script=["42"], forever=True)

    @property
    def calls(self) -> int:
        return len(self.model.sent)


def ensemble(model: Any) -> Any:
    return create_ensemble(model, size=5)


def reflexion(model: Any) -> Any:
    actor = create_react_agent(model)
    return create_reflexion_agent(model, actor=actor, evaluator=lambda task, answer: 0.1)


def team(model: Any) -> Any:
    return create_team(model)


def plan(model: Any) -> Any:
    return create_plan_execute_agent(model)


GIVEN = {
    "team": {
        "requirements": [
            Requirement(id=f"r{n}", description=f"find {n}", capability="research")
            for n in range(5)
        ]
    }
}


@pytest.mark.parametrize("create", [ensemble, reflexion, team, plan])
@pytest.mark.parametrize("is_async", [False, True])
async def test_members_cannot_outspend_the_whole(create, is_async):
    counted = Counted()
    graph = with_budget(create(counted.model), Budget(max_model_calls=LIMIT))
    asked = {"messages": "What is 6 * 7?", **GIVEN.get(create.__name__, {})}
    with pytest.raises(BudgetError, match="max_model_calls"):
        _ = await graph.ainvoke(asked) if is_async else graph.invoke(asked)
    assert counted.calls <= LIMIT
