"""Three layers: directives and orders go down, errors go up, and the layer above decides."""

import json
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command
from scripted import ScriptedChatModel

from cogwork.core.errors import ConfigurationError, InDoubtError, ModelError, PlanningError
from cogwork.core.topology import to_ascii
from cogwork.graphs.hierarchical import Ladders, create_hierarchical_agent
from cogwork.graphs.layers import (
    create_operational_layer,
    create_strategic_layer,
    create_tactical_layer,
)
from cogwork.memory import create_checkpointer
from cogwork.nodes.layers import LAYERS, Directive, Goal
from cogwork.nodes.recovery import Rung
from cogwork.nodes.roles import Role
from cogwork.tools.base import tool

ROLES = [Role(name="cook", capabilities=("cook",)), Role(name="clerk", capabilities=("file",))]
GOAL = Goal(intent="Cook dinner", outcomes=("soup", "list"), success=("all are full",))
ONE = Goal(intent="Cook dinner", outcomes=("soup",))
THREAD = {"configurable": {"thread_id": "1"}}


def parts(*given: tuple[str, str, tuple[str, ...]]) -> str:
    """What a model says a goal requires."""
    steps = [
        {"id": key, "description": f"Do {key}", "capability": capability, "depends_on": before}
        for key, capability, before in given
    ]
    return json.dumps({"steps": steps})


BOTH = parts(("soup", "cook", ()), ("list", "file", ()))
OTHER = parts(("stew", "cook", ()), ("list", "file", ()))


def member(answer: Any, seen: list[str] | None = None) -> Any:
    def work(state: MessagesState) -> dict[str, Any]:
        asked = state["messages"][-1].text
        if seen is not None:
            seen.append(asked)
        said = answer(asked) if callable(answer) else answer
        if isinstance(said, Exception):
            raise said
        return {"messages": [AIMessage(said)]}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    return builder.compile()


def build(*script: Any, cook: Any = "cooked", clerk: Any = "filed", **options: Any) -> Any:
    members = {
        "cook": cook if not isinstance(cook, str | Exception) else member(cook),
        "clerk": clerk if not isinstance(clerk, str | Exception) else member(clerk),
    }
    return create_hierarchical_agent(
        ScriptedChatModel(script=list(script)), roles=ROLES, members=members, **options
    )


def refuse(*tasks: str) -> Any:
    return lambda asked: ValueError("burnt") if asked in tasks else f"done: {asked}"


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_goal_is_clarified_broken_down_and_done(how):
    graph = build(GOAL.model_dump_json(), BOTH, "dinner is ready")
    asked = {"messages": "Dinner for six, please"}
    done = graph.invoke(asked) if how == "invoke" else await graph.ainvoke(asked)
    assert done["goal"] == GOAL
    assert done["directive"].strategy == "divide"
    assert done["report"].outputs == {"soup": "cooked", "list": "filed"}
    assert [(one.requirement, one.member) for one in done["contributions"]] == [
        ("soup", "cook"),
        ("list", "clerk"),
    ]
    assert done["messages"][-1].text == "dinner is ready"
    assert (done["stop_reason"], done["failure"]) == ("answered", None)


async def test_goal_can_be_given_and_one_outcome_goes_to_one_agent():
    done = await build().ainvoke({"given_goal": ONE.model_dump()})
    assert done["directive"].strategy == "direct"
    assert done["messages"][-1].text == "cooked"
    assert done["given_goal"] is None


async def test_model_that_cannot_clarify_leaves_the_question():
    done = await build("no", "nor now").ainvoke({"messages": "Cook soup"})
    assert done["goal"] == Goal(intent="Cook soup", outcomes=("Cook soup",))


async def test_budget_is_split_and_handed_down():
    done = await build(BOTH, "x", budget=50).ainvoke({"given_goal": GOAL})
    assert done["directive"].budget == {name: 50 * share for name, share in LAYERS.items()}
    assert done["orders"].budget == {"soup": 20, "list": 20}


async def test_what_costs_more_than_the_layer_may_spend_is_not_begun():
    seen: list[str] = []
    budget = {"strategic": 1, "tactical": 1, "operational": 1}
    graph = build(BOTH, cook=member("cooked", seen), budget=budget)
    done = await graph.ainvoke({"given_goal": GOAL})
    assert done["tried"] == ["divide", "direct"]
    assert seen == ["Cook dinner"]
    with pytest.raises(ConfigurationError, match=r"split by \['tactical'\]"):
        build(budget={"tactical": 1})


async def test_failed_step_is_broken_down_anew_and_what_is_done_is_kept():
    seen: list[str] = []
    cook = member(refuse("Do soup"))
    graph = build(BOTH, OTHER, "stew it is", cook=cook, clerk=member("filed", seen))
    done = await graph.ainvoke({"given_goal": GOAL})
    assert done["report"].outputs == {"stew": "done: Do stew", "list": "filed"}
    assert seen == ["Do list"]
    assert done["tried"] == ["divide"]
    assert done["stop_reason"] == "answered"


async def test_planner_is_told_what_failed():
    model = ScriptedChatModel(script=[BOTH, OTHER, "stew"])
    members = {"cook": member(refuse("Do soup")), "clerk": member("filed")}
    graph = create_hierarchical_agent(model, roles=ROLES, members=members)
    await graph.ainvoke({"given_goal": GOAL})
    assert "step 'soup' failed" in model.sent[1][-1].text


async def test_when_the_tactical_layer_gives_up_another_strategy_is_chosen():
    cook = member(refuse("Do soup"))
    done = await build(BOTH, BOTH, cook=cook).ainvoke({"given_goal": GOAL})
    assert done["tried"] == ["divide", "direct"]
    assert done["directive"].notes == ("the parts are those that failed",)
    assert done["messages"][-1].text == "done: Cook dinner"
    assert done["stop_reason"] == "answered"


async def test_nothing_left_to_try_is_said():
    cook = member(lambda asked: ValueError("no gas"))
    model_says = [BOTH, BOTH, BOTH, BOTH, "Only the list."]
    done = await build(*model_says, cook=cook).ainvoke({"given_goal": GOAL})
    assert done["tried"] == ["divide", "direct", "stepwise"]
    assert "no gas" in done["failure"] or "those that failed" in done["failure"]
    assert done["stop_reason"] == "incomplete"
    assert done["directive"] is None


async def test_what_nobody_can_do_goes_up():
    fly = parts(("fly", "pilot a plane", ()))
    ladders = Ladders(strategic=())
    done = await build(fly, ladders=ladders).ainvoke({"given_goal": GOAL})
    assert "nobody in the team can do 'fly'" in done["failure"]
    assert done["messages"][-1].text.startswith("Nothing could be done: nobody in the team")
    assert done["contributions"] == []


async def test_stepwise_parts_wait_for_all_before():
    def stepwise(options: Any) -> Any:
        from cogwork.nodes.ranking import Ranked

        return [Ranked("stepwise", 1.0, 1)]

    done = await build(BOTH, "x", method=stepwise).ainvoke({"given_goal": GOAL})
    assert done["plan"]["list"].depends_on == ("soup",)


async def test_person_decides_when_asked():
    ladders = Ladders(strategic=(Rung("escalate", limit=2),), tactical=())
    graph = build(
        *(BOTH, BOTH, "x"),
        cook=member(refuse("Do soup", "Cook dinner")),
        ladders=ladders,
        checkpointer=create_checkpointer("memory://"),
    )
    waiting = await graph.ainvoke({"given_goal": GOAL}, THREAD)
    (asked,) = waiting["__interrupt__"]
    assert asked.value["type"] == "setback"
    assert asked.value["tried"] == ["divide"]
    assert "burnt" in asked.value["error"]
    again = await graph.ainvoke(Command(resume="dance"), THREAD)
    assert "'dance' is no answer here" in again["__interrupt__"][0].value["trouble"]
    more = await graph.ainvoke(Command(resume="direct"), THREAD)
    assert more["__interrupt__"][0].value["tried"] == ["divide", "direct"]
    done = await graph.ainvoke(Command(resume=" STOP"), THREAD)
    assert done["stop_reason"] == "incomplete"
    assert "burnt" in done["failure"]


async def test_what_may_have_happened_is_not_done_in_another_way():
    cook = member(InDoubtError("sent, and no answer"))
    graph = build(BOTH, "x", cook=cook, on_doubt="fail")
    done = await graph.ainvoke({"given_goal": GOAL})
    assert done["tried"] == ["divide"]
    assert done["report"].setback.is_uncertain
    assert done["stop_reason"] == "incomplete"


async def test_outputs_are_transformed_once_and_a_refused_one_fails_its_step():
    def shout(step: Any, given: str) -> str:
        if step.id == "soup":
            raise ValueError("no soup today")
        return f"{given}!"

    graph = build(BOTH, OTHER, "x", transform=shout)
    done = await graph.ainvoke({"given_goal": GOAL})
    assert done["report"].outputs == {"stew": "cooked!", "list": "filed!"}


async def test_report_has_a_word_about_what_took_long():
    tries = iter([ConnectionError("try again"), "cooked"])
    ladder = (Rung("retry", wait=0),)
    graph = build(
        *(BOTH, "x"),
        cook=member(lambda _: next(tries)),
        ladders=Ladders(operational=ladder),
        max_seconds=1e-9,
    )
    remarks = (await graph.ainvoke({"given_goal": GOAL}))["report"].remarks
    assert "step 'soup' took 2 attempts" in remarks
    assert any("over 1e-09 s" in each for each in remarks)


async def test_what_an_unfinished_run_left_behind_does_not_lead_the_next():
    graph = build(
        *(BOTH, RuntimeError("no model there to answer")),
        cook=member(refuse("Do soup")),
        ladders=Ladders(tactical=(), strategic=()),
        checkpointer=create_checkpointer("memory://"),
    )
    with pytest.raises(ModelError, match="no model there"):
        await graph.ainvoke({"given_goal": GOAL}, THREAD)
    done = await graph.ainvoke({"given_goal": ONE}, THREAD)
    assert (done["tried"], done["stop_reason"]) == (["direct"], "answered")


async def test_run_that_broke_off_within_a_layer_goes_on_there():
    class Failing(Embeddings):
        """Embeddings that are there at the second time."""

        times = 0

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            self.times += 1
            if self.times == 1:
                raise ConnectionError("not there")
            return [[1.0, 0.0] for _ in texts]

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    saver = create_checkpointer("memory://")
    graph = build(BOTH, "dinner", embeddings=Failing(), checkpointer=saver)
    with pytest.raises(ModelError, match="not there"):
        await graph.ainvoke({"given_goal": GOAL}, THREAD, durability="sync")
    done = await graph.ainvoke(None, THREAD)
    assert done["messages"][-1].text == "dinner"
    assert set(done["report"].outputs) == {"soup", "list"}


async def test_each_step_gets_the_tools_it_needs():
    @tool(effect="read")
    def weigh(what: str) -> str:
        """Weigh flour on the kitchen scales."""
        return "1 kg"

    others = [_tool(f"tool_{n}", f"Repair engine number {n} of a ship.") for n in range(12)]
    model = ScriptedChatModel(script=[parts(("a", "cook", ())), "weighed"], forever=True)
    graph = create_hierarchical_agent(model, [weigh, *others], roles=ROLES, method=_divide)
    await graph.ainvoke({"given_goal": Goal(intent="Weigh flour on the scales")})
    bound = next(names for names in model.bound if len(names) > 1)
    assert len(bound) == 8
    assert all(name in {"weigh", *(each.name for each in others)} for name in bound)


def _divide(options: Any) -> Any:
    from cogwork.nodes.ranking import Ranked

    return [Ranked("divide", 1.0, 1)]


def _tool(name: str, about: str) -> Any:
    def work(what: str) -> str:
        return what

    work.__name__, work.__doc__ = name, about
    return tool(effect="read")(work)


async def test_layers_stand_alone_with_typed_inputs_and_outputs():
    model = ScriptedChatModel(script=[BOTH])
    strategic = create_strategic_layer(model)
    down = await strategic.ainvoke({"given_goal": GOAL})
    assert set(down) == {
        *("goal", "given_goal", "directive", "tried"),
        *("tactical_used", "setback", "orders", "report"),
    }
    tactical = create_tactical_layer(model, ROLES)
    orders = await tactical.ainvoke({"directive": down["directive"]})
    assert set(orders) == {"orders", "setback"}
    operational = create_operational_layer(lambda role, tools: member(f"by {role}"))
    up = await operational.ainvoke({"orders": orders["orders"]})
    assert up["report"].outputs == {"soup": "by cook", "list": "by clerk"}
    assert isinstance(down["directive"], Directive)


async def test_offline_model_leads_all_layers():
    from cogwork.tools import load_tools

    graph = create_hierarchical_agent("offline", load_tools(["calculator"]))
    done = await graph.ainvoke({"messages": "Compute 6 * 7, and compute 10 / 4"})
    assert done["messages"][-1].text == "6 * 7 is 42. 10 / 4 is 2.5."
    assert done["directive"].strategy == "divide"
    with pytest.raises(PlanningError, match="nothing to clarify"):
        await graph.ainvoke({"messages": []})


def test_topology():
    drawn = to_ascii(build(), xray=1)
    for line in (
        "strategic:END        ┄┄▶ tactical:START | synthesize",
        "tactical:END         ┄┄▶ strategic:START ↺ | operational:prepare",
        "operational:report   ┄┄▶ tactical:START ↺ | synthesize",
    ):
        assert line in drawn
