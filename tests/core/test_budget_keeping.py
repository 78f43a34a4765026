"""What a run has spent is kept with its checkpoints, whichever checkpointer keeps them."""

import contextlib

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command, interrupt
from scripted import ScriptedChatModel, calls

from cogwork import create_react_agent
from cogwork.core.budget import Budget, Spent
from cogwork.core.budget_runs import spent_by, with_budget
from cogwork.core.errors import BudgetError, MemoryStoreError
from cogwork.memory import create_checkpointer

THREAD = {"configurable": {"thread_id": "1"}}


@tool
def ask() -> str:
    """Ask a person."""
    return interrupt("sure?")


def agent(saver, script=("done",), limits=None, **options):
    """As another process would build it."""
    model = ScriptedChatModel(script=[*script])
    return with_budget(
        create_react_agent(model, [ask], checkpointer=saver, **options), limits or LIMITS
    )


LIMITS = Budget(max_model_calls=1, max_tool_calls=1)


@contextlib.asynccontextmanager
async def opened(kind, tmp_path, request):
    if kind == "InMemorySaver":
        yield InMemorySaver()
    elif kind == "SqliteSaver":
        with SqliteSaver.from_conn_string(f"{tmp_path}/stock.sqlite") as saver:
            yield saver
    elif kind == "AsyncSqliteSaver":
        async with AsyncSqliteSaver.from_conn_string(f"{tmp_path}/stock.sqlite") as saver:
            yield saver
    else:
        url = f"sqlite:///{tmp_path}/ours.sqlite"
        if kind == "postgresql":
            url = request.getfixturevalue("postgres_url")
        with create_checkpointer(url) as saver:
            yield saver


@pytest.mark.parametrize("kind", ["InMemorySaver", "SqliteSaver", "sqlite", "postgresql"])
async def test_a_resume_goes_on_counting(kind, tmp_path, request):
    async with opened(kind, tmp_path, request) as saver:
        agent(saver, [calls(("ask", {}))]).invoke({"messages": "go"}, THREAD)
        with pytest.raises(BudgetError, match="allows 1 model call: 1 spent"):
            agent(saver).invoke(Command(resume="yes"), THREAD)
        with pytest.raises(BudgetError, match="allows 1 model call: 1 spent"):
            agent(saver).invoke(None, THREAD)
        saver.delete_thread("1")
        assert not [*saver.list(THREAD)]


@pytest.mark.parametrize("kind", ["InMemorySaver", "AsyncSqliteSaver", "sqlite", "postgresql"])
async def test_an_async_resume_goes_on_counting(kind, tmp_path, request):
    async with opened(kind, tmp_path, request) as saver:
        await agent(saver, [calls(("ask", {}))]).ainvoke({"messages": "go"}, THREAD)
        with pytest.raises(BudgetError, match="allows 1 model call: 1 spent"):
            await agent(saver).ainvoke(Command(resume="yes"), THREAD)
        with pytest.raises(BudgetError, match="allows 1 model call: 1 spent"):
            await agent(saver).ainvoke(None, THREAD)
        await saver.adelete_thread("1")
        assert not [each async for each in saver.alist(THREAD)]


def test_a_question_to_a_person_is_no_call_of_a_tool():
    saver = InMemorySaver()
    first = [calls(("ask", {}))]
    given = agent(saver, first).invoke({"messages": "go"}, THREAD)
    assert given["__interrupt__"]
    with pytest.raises(BudgetError, match="model call"):  # the tool was called, once
        agent(saver).invoke(Command(resume="yes"), THREAD)


def test_a_new_input_is_a_new_run():
    saver = InMemorySaver()
    for _ in range(3):
        answered = agent(saver).invoke({"messages": "go"}, THREAD)
    assert answered["messages"][-1].text == "done"


def test_the_record_is_no_checkpoint_of_the_graph():
    saver = InMemorySaver()
    limited = agent(saver)
    limited.invoke({"messages": "go"}, THREAD)
    assert [each.config["configurable"]["checkpoint_ns"] for each in saver.list(THREAD)].count(
        "cogwork_budget"
    ) == 1
    history = [*limited.get_state_history(THREAD)]
    assert {each.config["configurable"]["checkpoint_ns"] for each in history} == {""}
    assert limited.get_state(THREAD).next == ()


def test_a_checkpointer_that_cannot_write_lets_no_call_be_made():
    class Full(InMemorySaver):
        fails = False

        def put(self, config, *args):
            if self.fails and config["configurable"]["checkpoint_ns"] == "cogwork_budget":
                raise OSError("disk full")
            return super().put(config, *args)

    saver = Full()
    model = ScriptedChatModel(script=["done"])

    def fill(state):
        saver.fails = True
        return state["messages"]

    limited = with_budget(create_react_agent(model, prompt=fill, checkpointer=saver), LIMITS)
    with pytest.raises(MemoryStoreError, match="cannot keep what the run has spent: disk full"):
        limited.invoke({"messages": "go"}, THREAD)
    assert not model.sent


async def test_what_a_thread_has_spent_is_told_over_resumes(tmp_path):
    with create_checkpointer(f"sqlite:///{tmp_path}/ours.sqlite") as saver:
        run = agent(saver, [calls(("ask", {})), "done"], Budget())
        await run.ainvoke({"messages": "go"}, THREAD)
        first = await spent_by(run, THREAD)
        await run.ainvoke(Command(resume="yes"), THREAD)
        both = await spent_by(run, THREAD)
        assert (first.model_calls, both.model_calls, both.tool_calls) == (1, 2, 1)
        assert both.tokens > first.tokens > 0
        assert await spent_by(run, {"configurable": {"thread_id": "another"}}) == Spent()


def test_a_second_budget_of_a_graph_counts_beside_the_first():
    saver = InMemorySaver()
    script = [calls(("ask", {})), "done"]
    twice = with_budget(agent(saver, script), Budget(max_model_calls=9), name="second")
    twice.invoke({"messages": "go"}, THREAD)
    with pytest.raises(BudgetError, match="of the run allows 1 model call: 1 spent"):
        twice.invoke(Command(resume="yes"), THREAD)
