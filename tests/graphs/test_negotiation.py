"""A contract net: bids decide, failures go to the next bidder, resources always come back."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from scripted import ScriptedChatModel

from cogwork.core.errors import ConfigurationError, InDoubtError, PlanningError
from cogwork.core.topology import to_ascii
from cogwork.graphs.negotiation import create_negotiation
from cogwork.memory import create_checkpointer
from cogwork.nodes.contracts import Contract, Contractor, Terms

THREAD = {"configurable": {"thread_id": "1"}}


def member(answer: Any, seen: list[str] | None = None) -> Any:
    """A graph that answers with a text, what a function of the messages says, or an error."""

    async def work(state: MessagesState) -> dict[str, Any]:
        if seen is not None:
            seen.append(state["messages"][-1].text)
        if isinstance(answer, Exception):
            raise answer
        said = answer(state["messages"]) if callable(answer) else answer
        said = await said if asyncio.iscoroutine(said) else said
        return {"messages": [AIMessage(said)]}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    return builder.compile()


def crew(*names: str, **resources: float) -> list[Contractor]:
    return [Contractor(name=name, capabilities=("build",), resources=resources) for name in names]


def contract(key: str, *before: str, **more: Any) -> Contract:
    more.setdefault("capabilities", ("build",))
    return Contract(id=key, description=f"Build {key}", depends_on=before, **more)


def net(
    contractors: list[Contractor], members: dict[str, Any], *script: Any, **options: Any
) -> Any:
    model = ScriptedChatModel(script=list(script) or ["all said"])
    filled = {each.name: member(f"by {each.name}") for each in contractors} | members
    return create_negotiation(model, contractors=contractors, members=filled, **options)


async def run(graph: Any, *contracts: Contract, **config: Any) -> dict[str, Any]:
    asked = {"messages": "Build it", "requirements": list(contracts)}
    done: dict[str, Any] = await graph.ainvoke(asked, config or None)
    return done


def made(done: dict[str, Any]) -> list[tuple[int, str, str, str]]:
    return [(each.round, each.contract, each.contractor, each.status) for each in done["awards"]]


def results(done: dict[str, Any]) -> dict[str, Any]:
    return {key: one.result for key, one in done["results"].items()}


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_contracts_are_awarded_carried_out_and_told_of(how):
    graph = net(crew("ada", "bob"), {}, "a house")
    asked = {"messages": "Build it", "requirements": [contract("wall"), contract("roof", "wall")]}
    done = graph.invoke(asked) if how == "invoke" else await graph.ainvoke(asked)
    assert made(done) == [(1, "wall", "ada", "completed"), (2, "roof", "bob", "completed")]
    assert [each.score for each in done["awards"]] == [18, 18]
    assert done["messages"][-1].text == "a house"
    assert [(one.requirement, one.member) for one in done["contributions"]] == [
        ("wall", "ada"),
        ("roof", "bob"),
    ]


async def test_what_depends_on_another_sees_its_result():
    seen: list[str] = []
    graph = net(crew("ada"), {"ada": member("bricks", seen)})
    roof = contract("roof", "wall").model_copy(update={"description": "Top {wall.result}"})
    await run(graph, contract("wall"), roof)
    assert seen == ["Build wall", "Top bricks"]


async def test_failed_contract_goes_to_the_next_bidder():
    graph = net(crew("ada", "bob", "cy"), {"ada": member(ValueError("no nails"))})
    done = await run(graph, contract("wall"))
    assert made(done) == [(1, "wall", "ada", "failed"), (2, "wall", "bob", "completed")]
    assert results(done) == {"wall": "by bob"}
    assert done["contributions"][0].member == "bob"
    assert done["stop_reason"] == "answered"


async def test_when_all_bidders_fail_every_reason_is_told_and_only_dependents_are_blocked():
    broken = {name: member(ValueError(f"{name} is ill")) for name in ("ada", "bob")}
    graph = net([*crew("ada", "bob"), Contractor(name="eve", capabilities=("paint",))], broken)
    paint = contract("paint", capabilities=("paint",))
    done = await run(graph, contract("wall"), contract("roof", "wall"), paint)
    assert {key: one.status for key, one in done["results"].items()} == {
        "wall": "failed",
        "roof": "blocked",
        "paint": "completed",
    }
    assert "ada is ill" in done["results"]["wall"].error
    assert "bob is ill" in done["results"]["wall"].error
    assert done["stop_reason"] == "incomplete"


async def test_what_may_have_happened_is_not_given_to_another():
    members = {"ada": member(InDoubtError("sent, and no answer"))}
    done = await run(net(crew("ada", "bob"), members, on_doubt="fail"), contract("wall"))
    assert made(done) == [(1, "wall", "ada", "failed")]
    assert done["results"]["wall"].uncertain
    assert done["ledger"].held == {"ada": {}, "bob": {}}


async def test_contract_that_is_optional_is_skipped_when_all_fail():
    graph = net(crew("ada"), {"ada": member(ValueError("ill"))})
    done = await run(graph, contract("sauna", optional=True))
    assert done["results"]["sauna"].status == "skipped"
    assert done["stop_reason"] == "answered"


@pytest.mark.parametrize("answer", ["well done", ValueError("ill")])
async def test_resources_come_back_however_it_ended(answer):
    graph = net(crew("ada", hands=2), {"ada": member(answer)})
    done = await run(graph, contract("wall", resources={"hands": 2}))
    assert done["ledger"].free("ada") == {"hands": 2}
    assert done["ledger"].held == {"ada": {}}


async def test_nobody_has_more_in_hand_than_resources_allow():
    hands, most = [0], [0]

    async def busy(_: Any) -> str:
        hands[0] += 1
        most[0] = max(most[0], hands[0])
        await asyncio.sleep(0)
        hands[0] -= 1
        return "done"

    async def work(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(await busy(state))]}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    graph = net(crew("ada", hands=2), {"ada": builder.compile()})
    parts = [contract(f"p{n}", resources={"hands": 1}) for n in range(5)]
    done = await run(graph, *parts)
    assert len(done["results"]) == 5
    assert most == [2]
    assert [each.round for each in done["awards"]] == [1, 1, 2, 2, 3]


async def test_nobody_bids_is_an_error_that_says_who_lacks_what():
    seen: list[str] = []
    graph = net(crew("ada", hands=1), {"ada": member("x", seen)})
    with pytest.raises(PlanningError, match="nobody bids for contract 'fly', which takes 'pilot a"):
        await run(graph, contract("wall"), contract("fly", capabilities=("pilot a plane",)))
    with pytest.raises(PlanningError, match=r"ada has build and at most \{'hands': 1.0\}"):
        await run(graph, contract("wall", resources={"hands": 2}))
    assert seen == []


async def test_contractor_may_decline_and_the_faster_one_wins_a_tie():
    def estimate(work: Contract, who: Contractor) -> float | None:
        return {"ada": None, "bob": 9.0, "cy": 2.0}[who.name]

    graph = net(crew("ada", "bob", "cy"), {}, estimate=estimate)
    assert results(await run(graph, contract("wall"))) == {"wall": "by cy"}

    async def nobody(work: Contract, who: Contractor) -> None:
        return None

    with pytest.raises(PlanningError, match="nobody bids for contract 'wall'"):
        await run(net(crew("ada"), {}, estimate=nobody), contract("wall"))


@pytest.mark.parametrize(
    ("said", "status"),
    [(["go", "go", "Go."], "completed"), (["go", "go", "stay"], "failed"), (["go"], "completed")],
)
async def test_joint_contract_needs_a_consensus_of_seven_tenths(said, status):
    names = ["ada", "bob", "cy"][: len(said)]
    members = {name: member(text) for name, text in zip(names, said, strict=True)}
    done = await run(net(crew(*names), members), contract("vote", joint=True))
    result = done["results"]["vote"]
    assert result.status == status
    if status == "completed":
        assert result.result in ("go", "Go.")
    else:
        assert result.error == "no consensus: 0.7 have to agree; 'go' (0.67), 'stay' (0.33)"
    assert done["contributions"][0].member == " and ".join(names)


async def test_tie_is_no_consensus_and_says_how_the_votes_fell():
    graph = net(crew("ada", "bob"), {"ada": member("go"), "bob": member("stay")})
    done = await run(graph, contract("vote", joint=True))
    said = done["results"]["vote"].error
    assert said == "no consensus: 0.7 have to agree; 'go' (0.50), 'stay' (0.50)"


async def test_share_that_must_agree_can_be_set():
    members = {"ada": member("go"), "bob": member("go"), "cy": member("stay")}
    graph = net(crew("ada", "bob", "cy"), members, least=0.6)
    assert results(await run(graph, contract("vote", joint=True))) == {"vote": "go"}


async def test_person_is_asked_within_a_round_and_the_net_goes_on():
    def ask(messages: Any) -> str:
        return f"painted {interrupt('which colour?')}"

    seen: list[str] = []
    members = {"ada": member("wall", seen), "bob": member(ask)}
    graph = net(crew("ada", "bob"), members, checkpointer=create_checkpointer("memory://"))
    await run(graph, contract("wall"), contract("paint"), **THREAD)
    done = await graph.ainvoke(Command(resume="red"), THREAD)
    assert results(done) == {"wall": "wall", "paint": "painted red"}
    assert seen == ["Build wall"]


async def test_each_question_is_negotiated_anew():
    graph = net(crew("ada"), {}, "one", "two", checkpointer=create_checkpointer("memory://"))
    await run(graph, contract("wall"), contract("roof"), **THREAD)
    done = await run(graph, contract("door"), **THREAD)
    assert results(done) == {"door": "by ada"}
    assert done["ledger"].awarded == {"ada": 1}


async def test_terms_decide_who_wins():
    able = Contractor(name="able", capabilities=("build", "paint"))
    idle = Contractor(name="idle", capabilities=("build",), resources={"crane": 1})
    work = contract("wall", capabilities=("build", "paint"))
    assert made(await run(net([able, idle], {}), work))[0][2] == "able"
    flat = Terms(capability=0, resources=0, idle=0, ties=())
    assert made(await run(net([able, idle], {}, terms=flat), work))[0][2] == "able"
    with pytest.raises(PlanningError, match="nobody bids"):
        await run(net([idle], {}, terms=Terms(min_match=1)), work)


async def test_ids_of_any_length_that_contracts_may_have_are_carried_out():
    long, longer = "x" * 99, "x" * 100
    done = await run(net(crew("ada"), {}), contract(longer), contract(long, longer))
    assert made(done) == [(1, longer, "ada", "completed"), (2, long, "ada", "completed")]


@pytest.mark.parametrize("eta", [float("nan"), -1, "soon"])
async def test_estimate_that_is_none_is_refused_by_name(eta):
    graph = net(crew("ada"), {}, estimate=lambda *_: eta)
    with pytest.raises(ConfigurationError, match="the estimate of 'ada' for contract 'wall' is"):
        await run(graph, contract("wall"))


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigurationError, match="least is 2"):
        net(crew("ada"), {}, least=2)
    with pytest.raises(ConfigurationError, match="member 'eve' has no role"):
        net(crew("ada"), {"eve": member("")})


def test_topology():
    assert "settle     ┄┄▶ bid ↺ | synthesize (done)" in to_ascii(net(crew("ada"), {}))
