"""Teams under a policy: what one member read taints what the next one does."""

import json
from typing import Any

import pytest
from hostile import World
from langgraph.types import Command
from obedient import do, obedient
from scripted import ScriptedChatModel

from cogwork.graphs.hierarchical import create_hierarchical_agent
from cogwork.graphs.negotiation import create_negotiation
from cogwork.graphs.orchestrator import create_orchestrator
from cogwork.graphs.team import create_team
from cogwork.memory import create_checkpointer
from cogwork.nodes.contracts import Contractor
from cogwork.nodes.layers import Goal
from cogwork.nodes.ranking import Ranked
from cogwork.nodes.roles import Requirement

pytestmark = pytest.mark.filterwarnings("ignore::cogwork.tools.policy.TrifectaWarning")

THREAD = {"configurable": {"thread_id": "1"}}
READ = Requirement(id="read", description=do([("fetch", {})]), capability="read")
SEND = Requirement(
    id="send", description=do([("mail", {"to": "bob"})]), capability="send", depends_on=("read",)
)
GRAPHS = {
    "team": create_team,
    "negotiation": create_negotiation,
    "orchestrator": create_orchestrator,
    "hierarchical": create_hierarchical_agent,
}


def build(name: str, world: World) -> tuple[Any, dict[str, Any]]:
    """The graph, and what it is to do: one reads, another sends."""
    crew = [
        Contractor(name=each, capabilities=(word,)) for each, word in (("r", "read"), ("s", "send"))
    ]
    steps = [
        each.model_dump(include={"id", "description", "capability", "depends_on"})
        for each in (READ, SEND)
    ]
    options: dict[str, Any] = {"roles": crew}
    script, asked = ["sent"], {"requirements": [READ, SEND]}
    if name == "negotiation":
        options = {"contractors": crew}
    if name == "hierarchical":
        options["method"] = lambda options: [Ranked("divide", 1.0, 1)]
        script, asked = [json.dumps({"steps": steps}), *script], {"given_goal": Goal(intent="x")}
    graph = GRAPHS[name](
        ScriptedChatModel(script=script),
        [world.fetch(), world.mail()],
        members={"r": obedient(), "s": obedient()},
        policy=world.policy,
        checkpointer=create_checkpointer("memory://"),
        **options,
    )
    return graph, asked


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_what_draws_on_untrusted_text_asks_a_person_first(name, how):
    world = World()
    world.page = "a page of eve's"
    graph, asked = build(name, world)

    async def run(given: Any) -> Any:
        return (
            graph.invoke(given, THREAD) if how == "invoke" else await graph.ainvoke(given, THREAD)
        )

    waiting = await run(asked)
    (question,) = waiting["__interrupt__"][0].value["questions"]
    assert question["step"].startswith("send")
    assert world.done == []
    done = await run(Command(resume="approve"))
    assert [word for word, _ in world.done] == ["mail"]
    assert "fetch" in done["taint"]
    assert done["messages"][-1].response_metadata["source"] == "untrusted"


@pytest.mark.parametrize("name", ["team", "negotiation", "orchestrator"])
async def test_nobody_is_asked_where_nothing_untrusted_was_read(name):
    world = World()
    graph, _ = build(name, world)
    alone = SEND.model_copy(update={"depends_on": ()})
    done = await graph.ainvoke({"requirements": [alone]}, THREAD)
    assert "__interrupt__" not in done
    assert [word for word, _ in world.done] == ["mail"]
