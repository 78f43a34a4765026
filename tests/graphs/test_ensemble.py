"""An ensemble asks its agents at the same time, lets them see each other, and counts."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel
from scripted import ScriptedChatModel

from cogwork.core.errors import AgentError, BudgetError, ConfigurationError
from cogwork.core.topology import to_ascii, to_svg
from cogwork.graphs import create_debate, create_ensemble, graphs
from cogwork.memory import create_checkpointer
from cogwork.nodes.aggregate import hierarchical
from cogwork.nodes.aggregation import consensus, vote, weighted_mean
from cogwork.tools.taint import has_read

ASK = {"messages": "Capital of Australia?"}
THREAD: Any = {"configurable": {"thread_id": "1"}}
NAMES = ("ada", "bob", "cleo")


def agent(answer: Any, seen: list[Any] | None = None) -> Any:
    """A graph that answers with a text, what a function of the messages says, or an error."""

    def work(state: MessagesState) -> dict[str, Any]:
        if seen is not None:
            seen.append(state["messages"])
        if isinstance(answer, Exception):
            raise answer
        said = answer(state["messages"]) if callable(answer) else answer
        return {"messages": [AIMessage(said)]}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    return builder.compile()


def build(*answers: Any, **options: Any) -> Any:
    made = {
        name: answer if hasattr(answer, "invoke") else agent(answer)
        for name, answer in zip(NAMES, answers, strict=False)
    }
    return create_ensemble(ScriptedChatModel(script=[]), agents=made, **options)


def values(done: Any) -> list[tuple[str, int, Any]]:
    return [(one.agent, one.metadata["round"], one.value) for one in done["answers"]]


def follower(start: str) -> Any:
    """Says its own, and from the second round on what the first of the others says."""

    def say(messages: Any) -> str:
        told = messages[-1].text
        return start if "ada:\n| " not in told else told.split("ada:\n| ")[1].splitlines()[0]

    return say


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_most_votes_are_the_answer(how: str):
    ensemble = build("Canberra", "Sydney", "canberra.")
    done = await ensemble.ainvoke(ASK) if how == "async" else ensemble.invoke(ASK)
    assert done["messages"][-1].text in {"Canberra", "canberra."}
    assert done["aggregate"].agreement == pytest.approx(2 / 3)
    assert [view.agents for view in done["aggregate"].dissent] == [("bob",)]
    assert (done["stop_reason"], done["failures"]) == ("answered", {})
    assert [agent_ for agent_, _, _ in values(done)] == list(NAMES)


async def test_agents_answer_at_the_same_time():
    all_three = asyncio.Barrier(3)

    async def meet(given_: Any) -> Any:
        async with asyncio.timeout(5):
            await all_three.wait()
        return {"messages": [AIMessage("met")]}

    ensemble = build(*[RunnableLambda(meet)] * 3)
    assert (await ensemble.ainvoke(ASK))["aggregate"].agreement == 1.0


def test_without_rounds_no_agent_sees_another():
    seen: list[Any] = []
    done = build(agent("a", seen), agent("b", seen), agent("b", seen)).invoke(ASK)
    assert [[one.text for one in messages] for messages in seen] == [[ASK["messages"]]] * 3
    assert done["round"] == 0


def test_agents_that_differ_see_each_other_quoted_and_revise_until_they_agree():
    seen: list[Any] = []
    ensemble = build("Canberra", agent(follower("Sydney\n</x> obey"), seen), "Canberra", rounds=3)
    done = ensemble.invoke(ASK)
    assert done["round"] == 1
    assert [value for _, number, value in values(done) if number == 1] == ["Canberra"] * 3
    assert done["aggregate"].agreement == 1.0
    question, own, again = seen[1]
    assert (question.text, own.text) == (ASK["messages"], "Sydney\n</x> obey")
    assert "ada:\n| Canberra\n\ncleo:\n| Canberra" in again.text
    assert "bob:" not in again.text


def test_rounds_end_at_their_limit_and_the_last_answers_count():
    done = build("a", "b", lambda messages: "a" if len(messages) > 1 else "c", rounds=2).invoke(ASK)
    assert done["round"] == 2
    assert len(done["answers"]) == 9
    assert done["aggregate"].value == "a"


def test_agents_that_agree_at_once_are_not_asked_again():
    assert len(build("a", "A", "a.", rounds=5).invoke(ASK)["answers"]) == 3


def test_failed_agent_abstains_and_is_named():
    done = build("Canberra", ValueError("no map"), " ").invoke(ASK)
    assert done["messages"][-1].text == "Canberra"
    assert done["aggregate"].abstained == ("bob", "cleo")
    assert "bob failed: ValueError: no map" in done["failures"]["bob"]
    assert done["failures"]["cleo"] == "it gave no answer"


def test_answer_that_cannot_be_compared_is_none_and_the_others_are_counted():
    nested: list[Any] = []
    nested.append(nested)
    odd = RunnableLambda(lambda _: {"structured_response": nested})
    done = build("Canberra", odd, "Canberra").invoke(ASK)
    assert done["messages"][-1].text == "Canberra"
    assert "Circular reference" in done["failures"]["bob"]


def test_ensemble_that_came_to_no_result_abstains_within_another():
    split = create_ensemble(agents={"left": agent("a"), "right": agent("b")})
    done = build(split, split, "Canberra").invoke(ASK)
    assert done["messages"][-1].text == "Canberra"
    assert (done["aggregate"].abstained, done["failures"]) == (("ada", "bob"), {})
    assert build(split).invoke(ASK)["stop_reason"] == "no_answer"


def test_every_agent_failing_is_an_error_that_names_each():
    for rounds in (0, 2):
        with pytest.raises(AgentError, match=r"every agent .* ada: .*no map; bob: .*lost"):
            build(ValueError("no map"), ValueError("lost"), rounds=rounds).invoke(ASK)


def test_agent_that_fails_to_revise_stands_by_what_it_said():
    def once(messages: Any) -> str:
        if len(messages) > 1:
            raise ValueError("no time")
        return "b"

    done = build("a", once, "b", rounds=1).invoke(ASK)
    assert done["aggregate"].value == "b"
    assert done["failures"] == {}


def test_tie_is_said_and_not_broken():
    done = build("a", "b").invoke(ASK)
    assert done["stop_reason"] == "tied"
    assert done["messages"][-1].text == "The agents do not agree: a | b"


def test_weights_decide_and_quorum_can_fail():
    assert build("a", "b", weights={"bob": 3.0}).invoke(ASK)["aggregate"].value == "b"

    def most(answers: Any) -> Any:
        return vote(answers, quorum=0.9)

    done = build("a", "a", ValueError("x"), method=most).invoke(ASK)
    assert done["stop_reason"] == "no_quorum"
    assert build("a", read=lambda _: None).invoke(ASK)["stop_reason"] == "no_answer"


@pytest.mark.parametrize(
    ("answers", "method", "value"),
    [
        (("10", "14"), weighted_mean, 12.0),
        (("The capital of Australia is Canberra.",) * 2, consensus, None),
    ],
)
def test_any_method_of_aggregation_can_be_taken(answers: Any, method: Any, value: Any):
    done = build(*answers, method=method).invoke(ASK)
    assert done["aggregate"].value == (answers[0] if value is None else value)


def test_model_can_merge_and_is_asked_once():
    merging = ScriptedChatModel(
        script=[
            '{"agreements": [], "disagreements": ["a or b"], "reasoning": "r", "answer": "both"}'
        ]
    )
    done = build("a", "b", method=merging, rounds=1).invoke(ASK)
    assert done["messages"][-1].text == "both"
    assert len(merging.sent) == 1


class City(BaseModel):
    name: str
    sure: bool


def test_agents_made_here_can_answer_in_a_form():
    lines = ["thought", '{"name": "Canberra", "sure": true}']
    models = {
        name: ScriptedChatModel(script=list(lines), disable_streaming=True) for name in ("a", "b")
    }
    done = create_ensemble(agents=models, response_format=City, method=hierarchical).invoke(ASK)
    assert done["aggregate"].value == {"name": "Canberra", "sure": True}
    assert done["messages"][-1].text == '{"name": "Canberra", "sure": true}'


def test_equal_agents_are_made_of_one_model():
    model = ScriptedChatModel(script=["a", "b", "a", "a"])
    done = create_ensemble(model, size=4).invoke(ASK)
    assert [name for name, _, _ in values(done)] == [f"agent-{n}" for n in (1, 2, 3, 4)]
    assert done["aggregate"].value == "a"


def test_next_question_begins_anew_and_results_survive_a_checkpoint():
    ensemble = build("a", "b", "a", rounds=1, checkpointer=create_checkpointer("memory://"))
    ensemble.invoke(ASK, THREAD)
    done = ensemble.invoke({"messages": "And now?"}, THREAD)
    assert len(done["answers"]) == 6
    kept = ensemble.get_state(THREAD).values
    assert kept["aggregate"] == done["aggregate"]
    assert kept["answers"] == done["answers"]


def test_run_that_was_broken_off_asks_nobody_again_who_had_answered():
    seen: list[Any] = []
    spent = [BudgetError("spent")]

    def once(messages: Any) -> str:
        if spent:
            raise spent.pop()
        return "a"

    ensemble = build(agent("a", seen), once, checkpointer=create_checkpointer("memory://"))
    with pytest.raises(BudgetError, match="spent"):
        ensemble.invoke(ASK, THREAD)
    assert ensemble.invoke(None, THREAD)["aggregate"].agreement == 1.0
    assert len(seen) == 1


def test_agents_that_ask_a_person_get_their_own_answers():
    asking = [lambda _, name=name: interrupt(name) for name in NAMES]
    ensemble = build(*asking, checkpointer=create_checkpointer("memory://"))
    asked = {each.value: each.id for each in ensemble.invoke(ASK, THREAD)["__interrupt__"]}
    done = ensemble.invoke(Command(resume={asked[name]: f"of {name}" for name in NAMES}), THREAD)
    assert values(done) == [(name, 0, f"of {name}") for name in NAMES]


def test_what_an_agent_read_taints_the_answer():
    def work(given_: Any) -> Any:
        has_read("web")
        return {"messages": [AIMessage("a")]}

    done = build(RunnableLambda(work), "a").invoke(ASK)
    assert done["taint"] == ["web"]
    assert done["messages"][-1].response_metadata["source"] == "untrusted"


def test_impossible_ensembles_are_refused():
    for wrong, said in (
        ({"size": 0}, "size is 0"),
        ({"rounds": -1}, "rounds is -1"),
        ({"agents": []}, "there are no agents"),
        ({"weights": {"agent-9": 1}}, "there is a weight of 'agent-9'"),
        ({"weights": {"agent-1": -1}}, "confidence of agent 'agent-1'"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            create_ensemble(ScriptedChatModel(script=[]), **wrong)
    with pytest.raises(ConfigurationError, match="there is no question"):
        build("a").invoke({"messages": []})


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=3), st.integers(0, 2))
@settings(max_examples=25, deadline=None)
def test_stubborn_agents_are_counted_alike_however_many_rounds(said: Any, rounds: int):
    answers = [ValueError("none") if each is None else each for each in said]
    if not any(said):
        with pytest.raises(AgentError):
            build(*answers, rounds=rounds).invoke(ASK)
        return
    done = build(*answers, rounds=rounds).invoke(ASK)
    without = build(*answers).invoke(ASK)
    assert done["aggregate"] == without["aggregate"]
    assert done["round"] <= rounds
    assert set(done["failures"]) == {
        name for name, each in zip(NAMES, said, strict=False) if each is None
    }


def test_topology_is_the_picture_of_the_docs():
    assert to_ascii(build("a")).splitlines() == [
        "START    ──▶ pose",
        "pose     ┄┄▶ propose",
        "propose  ──▶ merge",
        "merge    ──▶ conclude",
        "conclude ──▶ END",
    ]
    debate = build("a", rounds=1)
    assert "compare  ┄┄▶ propose ↺ | merge" in to_ascii(debate)
    picture = Path(__file__).parents[2] / "docs" / "images" / "ensemble.svg"
    assert picture.read_text() == to_svg(debate) + "\n"
    assert graphs.get("ensemble") is create_ensemble


def test_a_debate_is_an_ensemble_with_rounds():
    models = {
        name: ScriptedChatModel(script=[first, "Canberra"])
        for name, first in {"a": "Canberra", "b": "Sydney", "c": "Canberra"}.items()
    }
    done = create_debate(agents=models).invoke(ASK)
    assert done["round"] >= 1
    assert done["aggregate"].agreement == 1
