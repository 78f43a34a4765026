"""A team divides a goal, each part is done by who can, and the answer says who gave what."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from scripted import ScriptedChatModel

from cogwork.core.errors import ConfigurationError, PlanningError
from cogwork.core.topology import to_ascii
from cogwork.graphs import create_react_agent
from cogwork.graphs.team import create_team
from cogwork.memory import create_checkpointer
from cogwork.nodes.recovery import FULL_LADDER
from cogwork.nodes.roles import Requirement, Role

COOK = Role(name="cook", capabilities=("cook",))
BAKER = Role(name="baker", capabilities=("bake",))
WAITER = Role(name="waiter", capabilities=("serve",))
ASK = {"messages": "Dinner, please"}
THREAD = {"configurable": {"thread_id": "1"}}
ANALYSIS = """{"steps": [
    {"id": 1, "description": "Make soup", "capability": "cook"},
    {"id": 2, "description": "Make bread", "capability": "bake"},
    {"id": 3, "description": "Bring both", "capability": "serve", "depends_on": [1, 2]}]}"""


def needs(*parts: tuple[str, str, tuple[str, ...]]) -> list[Requirement]:
    return [
        Requirement(id=key, description=f"Do {key}", capability=capability, depends_on=before)
        for key, capability, before in parts
    ]


DINNER = needs(("soup", "cook", ()), ("bread", "bake", ()), ("meal", "serve", ("soup", "bread")))


def member(answer: Any, seen: list[Any] | None = None) -> Any:
    """A graph that answers with a text, what a function of the messages says, or an error."""

    def work(state: MessagesState) -> dict[str, Any]:
        if seen is not None:
            seen.append([message.text for message in state["messages"]])
        if isinstance(answer, Exception):
            raise answer
        said = answer(state["messages"]) if callable(answer) else answer
        return {"messages": [AIMessage(said)]}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    return builder.compile()


def build(*script: Any, members: dict[str, Any] | None = None, **options: Any) -> Any:
    filled = {"cook": member("soup"), "baker": member("bread"), "waiter": member("served")}
    model = ScriptedChatModel(script=list(script) or ["Dinner is served."])
    options.setdefault("roles", [COOK, BAKER, WAITER])
    return create_team(model, members=filled | (members or {}), **options)


def given(done: dict[str, Any]) -> list[tuple[str, str | None, Any]]:
    return [(each.requirement, each.member, each.result) for each in done["contributions"]]


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_goal_is_divided_done_and_integrated(how):
    model = ScriptedChatModel(script=[ANALYSIS, "Soup with bread."])
    seen: list[Any] = []
    members = {"cook": member("soup"), "baker": member("bread"), "waiter": member("served", seen)}
    team = create_team(model, roles=[COOK, BAKER, WAITER], members=members)
    done = team.invoke(ASK) if how == "invoke" else await team.ainvoke(ASK)
    assert given(done) == [
        ("1", "cook", "soup"),
        ("2", "baker", "bread"),
        ("3", "waiter", "served"),
    ]
    assert done["messages"][-1].text == "Soup with bread."
    assert done["stop_reason"] == "answered"
    assert seen == [["Make soup", "soup", "Make bread", "bread", "Bring both"]]
    assert "- cook: cook" in model.sent[0][0].text
    told = next(message for message in model.sent[1] if message.type == "ai")
    assert [call["args"]["member"] for call in told.tool_calls] == ["cook", "baker", "waiter"]


async def test_requirements_can_be_given_as_data_and_hold_for_one_run():
    team = build("first", ANALYSIS, "second", checkpointer=create_checkpointer("memory://"))
    first = await team.ainvoke(
        {**ASK, "requirements": [one.model_dump() for one in DINNER]}, THREAD
    )
    assert [key for key, _, _ in given(first)] == ["soup", "bread", "meal"]
    second = await team.ainvoke(ASK, THREAD)
    assert [key for key, _, _ in given(second)] == ["1", "2", "3"]
    assert [message.text for message in second["messages"]] == [
        *("Dinner, please", "first"),
        *("Dinner, please", "second"),
    ]


async def test_requirements_alone_are_enough():
    done = await build().ainvoke({"requirements": DINNER})
    assert [message.text for message in done["messages"]] == ["Dinner is served."]


async def test_answer_of_the_only_member_is_forwarded_unchanged():
    team = build(members={"cook": member("  soup\n\nà la Ada ")})
    done = await team.ainvoke({**ASK, "requirements": DINNER[:1]})
    assert done["messages"][-1].text == "  soup\n\nà la Ada "


async def test_nobody_for_a_requirement_is_said_and_nothing_is_begun():
    seen: list[Any] = []
    team = build(members={"cook": member("soup", seen)})
    asked = [*DINNER, *needs(("flight", "fly an aeroplane", ()), ("tax", "tax law", ()))]
    with pytest.raises(PlanningError, match=r"nobody .* 'flight', which takes 'fly an") as refused:
        await team.ainvoke({"requirements": asked})
    assert "nearest roles: '" in str(refused.value)
    assert "add Role(name=…, capabilities=('tax law',))" in str(refused.value)
    assert [gap["requirement"] for gap in refused.value.details["gaps"]] == ["flight", "tax"]
    assert seen == []


async def test_allowed_gap_is_named_in_the_result_and_to_the_coordinator():
    model = ScriptedChatModel(script=["No flight."])
    team = create_team(
        model,
        roles=[COOK],
        members={"cook": member(lambda messages: messages[-1].text)},
        allow_gaps=True,
    )
    asked = needs(
        ("soup", "cook", ()), ("fly", "fly an aeroplane", ("soup",)), ("eat", "cook", ("fly",))
    )
    done = await team.ainvoke({**ASK, "requirements": asked})
    assert [(gap.requirement, gap.needed) for gap in done["gaps"]] == [("fly", "fly an aeroplane")]
    assert done["plan"]["eat"].depends_on == ("soup",)
    assert done["stop_reason"] == "incomplete"
    assert any("nobody in the team can do this" in message.text for message in model.sent[0])


async def test_failed_member_is_replaced_by_another_with_the_capability():
    second = Role(name="second", capabilities=("cook",))
    team = build(
        members={"cook": member(ValueError("burnt")), "second": member("new soup")},
        roles=[COOK, BAKER, WAITER, second],
    )
    done = await team.ainvoke({**ASK, "requirements": DINNER})
    assert given(done)[0] == ("soup", "second", "new soup")
    assert done["results"]["soup"].rung == "fallback"
    assert done["stop_reason"] == "answered"


async def test_failure_blocks_only_what_depends_on_it_and_is_told():
    team = build("Only bread.", members={"cook": member(ValueError("burnt"))})
    done = await team.ainvoke({**ASK, "requirements": DINNER})
    assert [(one.member, one.status) for one in done["contributions"]] == [
        ("cook", "failed"),
        ("baker", "completed"),
        (None, "blocked"),
    ]
    assert "burnt" in done["contributions"][0].error
    assert done["stop_reason"] == "incomplete"


async def test_parts_run_at_the_same_time():
    both = asyncio.Barrier(2)

    async def meet(state: MessagesState) -> dict[str, Any]:
        async with asyncio.timeout(5):
            await both.wait()
        return {"messages": [AIMessage("met")]}

    builder = StateGraph(MessagesState)
    builder.add_node("meet", meet)
    builder.add_edge(START, "meet")
    graph = builder.compile()
    team = build(members={"cook": graph, "baker": graph})
    done = await team.ainvoke({**ASK, "requirements": DINNER})
    assert [result for _, _, result in given(done)] == ["met", "met", "served"]


async def test_member_asks_a_person_and_nothing_finished_is_done_again():
    def ask(messages: Any) -> str:
        return f"served {interrupt('red or white?')}"

    seen: list[Any] = []
    team = build(
        members={"cook": member("soup", seen), "waiter": member(ask)},
        checkpointer=create_checkpointer("memory://"),
    )
    waiting = await team.ainvoke({**ASK, "requirements": DINNER}, THREAD)
    (asked,) = waiting["__interrupt__"]
    assert asked.value["questions"][0]["question"] == "red or white?"
    done = await team.ainvoke(Command(resume="red"), THREAD)
    assert given(done)[2] == ("meal", "waiter", "served red")
    assert len(seen) == 1


async def test_failure_can_be_escalated_to_a_person():
    team = build(
        members={"cook": member(ValueError("burnt"))},
        ladder=FULL_LADDER,
        checkpointer=create_checkpointer("memory://"),
    )
    await team.ainvoke({**ASK, "requirements": DINNER}, THREAD)
    done = await team.ainvoke(Command(resume={"action": "result", "result": "my soup"}), THREAD)
    assert done["results"]["soup"].result == "my soup"
    assert done["stop_reason"] == "answered"


async def test_history_of_a_member_is_its_own():
    first = ScriptedChatModel(script=["thinking of soup"])
    team = build(members={"cook": create_react_agent(first, [], name="cook")})
    done = await team.ainvoke({**ASK, "requirements": DINNER})
    assert [message.text for message in first.sent[0]] == ["Do soup"]
    assert [message.text for message in done["messages"]] == ["Dinner, please", "Dinner is served."]


async def test_role_without_a_member_is_filled_by_an_agent_with_its_prompt():
    model = ScriptedChatModel(script=["soup"])
    team = create_team(model, roles=[COOK])
    await team.ainvoke({**ASK, "requirements": DINNER[:1]})
    system, asked = model.sent[0]
    assert "You are the cook of a team" in system.text
    assert asked == HumanMessage("Do soup", id=asked.id)


async def test_member_can_be_a_chat_model():
    cook = ScriptedChatModel(script=["soup of another model"])
    done = await build(members={"cook": cook}).ainvoke({**ASK, "requirements": DINNER[:1]})
    assert done["messages"][-1].text == "soup of another model"


async def test_parts_in_a_circle_are_sent_back_once_then_refused():
    circle = (
        '{"steps": [{"id": "a", "description": "x", "depends_on": ["a"], "capability": "cook"}]}'
    )
    model = ScriptedChatModel(script=[circle, ANALYSIS, "done"])
    filled = {"cook": member("s"), "baker": member("b"), "waiter": member("w")}
    team = create_team(model, roles=[COOK, BAKER, WAITER], members=filled)
    await team.ainvoke(ASK)
    assert "in a circle" in model.sent[1][-1].text
    with pytest.raises(PlanningError, match="cannot be executed: the steps wait for each other"):
        await build(circle, circle).ainvoke(ASK)


async def test_model_that_says_nothing_usable_leaves_the_goal_whole():
    answers = ["no idea", "still none", "soup"]
    model = ScriptedChatModel(script=answers)
    team = create_team(model, roles=[Role(name="cook", capabilities=("dinner",))])
    done = await team.ainvoke({"messages": "Dinner please"})
    assert given(done) == [("goal", "cook", "soup")]


async def test_impossible_requirements_and_members_are_refused():
    with pytest.raises(
        ConfigurationError, match=r"did you mean 'cook'.*Role\(name='cock', capabilities"
    ):
        build(members={"cock": member("")})
    with pytest.raises(ConfigurationError, match="max_concurrency is 0"):
        build(max_concurrency=0)
    with pytest.raises(PlanningError, match="2 steps are called 'soup'"):
        await build().ainvoke({"requirements": [DINNER[0], DINNER[0]]})
    for nothing in ([], " \n"):
        with pytest.raises(PlanningError, match="the team has no goal"):
            await build().ainvoke({"messages": nothing})


async def test_offline_model_leads_a_team():
    from cogwork.tools import load_tools

    team = create_team("offline", load_tools(["calculator"]))
    done = await team.ainvoke({"messages": "Compute 6 * 7, and compute 10 / 4"})
    assert {member for _, member, _ in given(done)} == {"analyst"}
    assert done["messages"][-1].text == "6 * 7 is 42. 10 / 4 is 2.5."


def test_topology():
    assert to_ascii(build()).splitlines() == [
        "START      ──▶ analyze",
        "analyze    ──▶ assign",
        "assign     ──▶ execute",
        "execute    ──▶ synthesize",
        "synthesize ──▶ END",
    ]
