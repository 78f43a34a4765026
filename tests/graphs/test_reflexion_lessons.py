"""Lessons outlive the run that taught them; none is kept twice, and use decides what they weigh."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forks import Forks, forks
from langchain_core.messages import AIMessage, SystemMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from scripted import ScriptedChatModel

from cogwork.core.bridge import run_blocking
from cogwork.graphs import create_reflexion_agent
from cogwork.memory import ChromaStore
from cogwork.nodes.lessons import lesson_memories
from cogwork.tools.taint import reading

PISA = "Tell the height of the tower of Pisa"
MILAN = "Tell the height of the tower of Milan"
ADA = ("ada",)
REFLECTION = (
    '{"reflections": ["no unit"], "improvements": ["say metres"], '
    '"lessons": ["Give lengths in metres."]}'
)


def learner(state: MessagesState) -> dict[str, Any]:
    """Answers with a unit only where its notes tell it."""
    notes = " ".join(one.text for one in state["messages"] if isinstance(one, SystemMessage))
    tower = state["messages"][-1].text.removeprefix("Tell ")
    unit = " metres" if "metres" in notes else ""
    return {"messages": [AIMessage(f"{tower} is 56{unit}")]}


def in_metres(task: str, answer: str) -> tuple[float, str]:
    return (1.0, "") if "metres" in answer else (0.4, "the unit is missing")


def build(store: Any, model: Any = None, **options: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("work", options.pop("work", learner))
    builder.add_edge(START, "work")
    chat = model or ScriptedChatModel(script=[REFLECTION], forever=True)
    options = {"evaluator": in_metres, "lessons": ADA, **options}
    return create_reflexion_agent(chat, actor=builder.compile(), store=store, **options)


def ask(graph: Any, question: str) -> Any:
    return graph.invoke({"messages": question})


def known(store: Any) -> list[Any]:
    return run_blocking(lesson_memories(store, ADA).semantic.everything)


def seed(store: Any, text: str, importance: float = 0.5, **noted: Any) -> None:
    async def keep() -> None:
        await lesson_memories(store, ADA).semantic.remember(
            text, metadata={"source": "experience", **noted}, importance=importance
        )

    run_blocking(keep)


def test_similar_task_succeeds_sooner_after_a_restart(tmp_path: Path):
    with ChromaStore(tmp_path / "store") as store:
        first = ask(build(store), PISA)
        assert len(first["trials"]) == 2
        assert first["learned"] == [
            f"Give lengths in metres. (learned from the task: {PISA})",
        ]
    with ChromaStore(tmp_path / "store") as store:
        second = ask(build(store), MILAN)
        assert [one.text for one in second["lessons"]] == first["learned"]
        assert len(second["trials"]) == 1
        assert second["best"].score == 1.0
        other = ask(build(store), "Translate good morning into French")
        assert other["lessons"] == []


def test_offline_model_reflects_and_its_lesson_helps_too(tmp_path: Path):
    def agent(store: Any) -> Any:
        return build(store, "offline", evaluator="offline", criteria="metres")

    with ChromaStore(tmp_path / "store") as store:
        first = ask(agent(store), PISA)
        before, after = (trial.score for trial in first["trials"])
        assert before < 0.8 <= after
        assert "Address metres in the answer." in first["trials"][0].improvements
    with ChromaStore(tmp_path / "store") as store:
        assert len(ask(agent(store), MILAN)["trials"]) == 1


def test_lesson_gains_where_it_helped_and_loses_where_it_did_not():
    store = InMemoryStore()
    seed(store, f"Use metres. (learned from the task: {PISA})")
    ask(build(store), MILAN)
    assert known(store)[0].importance == pytest.approx(0.6)
    ask(build(store, evaluator=lambda *_: 0.1), MILAN)
    assert known(store)[0].importance == pytest.approx(0.5)


def test_failure_of_the_actor_is_no_fault_of_a_lesson():
    def stumble(state: MessagesState) -> dict[str, Any]:
        raise ValueError("no ladder")

    store = InMemoryStore()
    seed(store, f"Use metres. (learned from the task: {PISA})")
    assert len(ask(build(store, work=stumble), MILAN)["lessons"]) == 1
    assert known(store)[0].importance == pytest.approx(0.5)


def test_lesson_that_keeps_failing_is_not_recalled_any_more():
    store = InMemoryStore()
    seed(store, f"Use feet. (learned from the task: {PISA})", importance=0.25)
    agent = build(store, evaluator=lambda *_: 0.1)
    assert len(ask(agent, MILAN)["lessons"]) == 1
    assert ask(agent, MILAN)["lessons"] == []
    assert known(store)[0].importance == pytest.approx(0.15)


def test_only_lessons_after_which_a_trial_was_better_are_kept():
    store = InMemoryStore()
    assert ask(build(store, evaluator=lambda *_: 0.1), PISA)["learned"] == []
    assert known(store) == []


def test_the_better_the_next_trial_the_more_a_lesson_weighs():
    weights = []
    for after in (0.5, 1.0):
        store, judged = InMemoryStore(), iter([0.4, after, after])
        ask(build(store, evaluator=lambda *_, judged=judged: next(judged)), PISA)
        weights.append(known(store)[0].importance)
    assert weights == [pytest.approx(0.48), pytest.approx(0.78)]


def test_secret_is_not_learned():
    store = InMemoryStore()
    done = ask(build(store), "Tell the height; my password is hunter2")
    assert done["learned"] == []
    assert store.search(()) == []


def test_lessons_of_another_namespace_are_not_seen():
    store = InMemoryStore()
    ask(build(store), PISA)
    assert ask(build(store, lessons=("bob",)), MILAN)["lessons"] == []


def test_number_of_lessons_and_likeness_are_set():
    store = InMemoryStore()
    for unit in ("metres", "feet", "yards"):
        seed(store, f"Use {unit}. (learned from the task: {PISA})")
    assert len(ask(build(store, max_lessons=2), MILAN)["lessons"]) == 2


def test_taint_stays_with_a_lesson_and_taints_who_recalls_it():
    store = InMemoryStore()
    with reading(["web"]):
        ask(build(store), PISA)
    assert known(store)[0].taint == ("web",)
    assert ask(build(store), MILAN)["taint"] == ["web"]


@pytest.fixture(scope="module")
def children() -> Iterator[Forks]:
    with forks("reflexion_child.py") as served:
        yield served


@pytest.mark.parametrize("how", ["sync", pytest.param("async", marks=pytest.mark.slow)])
def test_killed_run_repeats_no_judged_trial_and_learns_once(
    how: str, children: Forks, tmp_path: Path
):
    chance, killed = random.Random(7), 0
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        with ChromaStore(folder / "store") as store:
            seed(store, "Look up the tower. (learned from the task: How tall is the tower?)")
        log = folder / "log"
        job = {
            "how": how,
            "log": str(log),
            "store": str(folder / "store"),
            "url": f"sqlite:///{folder / 'threads.db'}",
        }
        killed += children.crash(job, chance, kills=4, within=0.25)
        lines = log.read_text().splitlines()
        assert not {"try 1"} & set(lines[lines.index("judge 1") :])
        assert not {"try 2", "judge 1"} & set(lines[lines.index("judge 2") :])
        with ChromaStore(folder / "store") as store:
            found = {one.text.partition(".")[0]: one for one in known(store)}
        assert set(found) == {"Look up the tower", "Give lengths in metres"}
        assert found["Look up the tower"].importance == pytest.approx(0.4)
    assert killed > 0
