"""Lessons: what earlier tasks taught is recalled for like ones, rated by its use, and added to."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore

from cogwork.core.bridge import Node, node
from cogwork.core.errors import ConfigurationError
from cogwork.core.journal import Journal
from cogwork.core.secrets import holds_secret
from cogwork.memory.experience import Experience, Outcome, importance_of
from cogwork.memory.facts import with_sources
from cogwork.memory.recall import Memories
from cogwork.memory.semantic import SemanticMemory
from cogwork.nodes.trial import Lesson, Trial, task_in
from cogwork.tools.taint import has_read, inherited_taint, merge_taint, taint_of

__all__ = ["lesson_memories", "make_learn", "make_remind"]

_RATED = 0.1  # what a use adds to a lesson's importance, or takes from it
_LEAST = 0.2  # importance below which a lesson is not recalled any more
_TASK = 300  # characters of a task that stand in a lesson
_FROM = {"source": "experience"}


def lesson_memories(store: BaseStore, namespace: tuple[str, ...]) -> Memories:
    """Return memories whose knowledge are lessons, each with the task that it comes from.

    Args:
        store: Any LangGraph store; with vectors it finds like tasks by meaning.
        namespace: Whose lessons these are, such as `user_namespace("ada")`.
    """
    return Memories(store, namespace, draw=_drawn)


def make_remind(
    memories: Memories | None = None, *, k: int = 3, min_similarity: float = 0.3
) -> Node:
    """Make the node that begins a task: earlier trials are put away, and lessons recalled.

    Lessons whose importance has fallen below 0.2 are left out. What was drawn from untrusted
    text taints the run.

    Args:
        memories: Where lessons are (see `lesson_memories`); without, there are none.
        k: How many at most.
        min_similarity: Least cosine of a lesson, with its task, to the task now.

    Raises:
        ConfigurationError: `k` is impossible; from the node: there is no question.
    """
    if k < 1:
        raise ConfigurationError(f"k is {k}; it must be 1 or more")

    @node(loop=True)
    async def recall(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Begin a task with what earlier ones taught.

        Reads: messages
        Writes: trials, best, lessons, learned, stop_reason, taint
        """
        task = task_in(state["messages"])
        if not task:
            raise ConfigurationError("there is no task to try; send a message with a text")
        update: dict[str, Any] = {
            "trials": [],
            "best": None,
            "lessons": [],
            "learned": [],
            "stop_reason": None,
        }
        if memories is None:
            return update
        found = await memories.semantic.search(task, 4 * k, filter=_FROM, touch=False)
        near = [
            one
            for one in found
            if one.importance >= _LEAST
            and (one.similarity is None or one.similarity >= min_similarity)
        ][:k]
        update["lessons"] = [
            Lesson(id=one.id, text=one.text, importance=one.importance) for one in near
        ]
        if taint := merge_taint((), (source for one in near for source in one.taint)):
            has_read(*taint)
            update["taint"] = taint
        return update

    return recall


def make_learn(memories: Memories, *, success: float = 0.8) -> Node:
    """Make the node that ends a task: it rates the lessons that were recalled, and adds its own.

    A recalled lesson gains 0.1 of importance where the first trial was good enough, and loses
    as much where it was not; nothing where the actor failed. The lessons of a reflection are kept if the next trial was better,
    the more important the better it was. Each of these is done once, also when the process
    dies meanwhile. What holds a secret is not kept.

    Args:
        memories: Where lessons are kept.
        success: The score from which a trial was good enough.

    Raises:
        MemoryStoreError: From the node: the store cannot be written.
    """

    @node(loop=True)
    async def learn(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Rate the lessons that were recalled, and keep what this task taught.

        Reads: messages, trials, lessons, taint
        Writes: learned
        """
        trials, used = state["trials"], state.get("lessons") or ()
        learned = [pair for pair in pairwise(trials) if pair[0].lessons and _gain(*pair) > 0]
        if not used and not learned:
            return {"learned": []}
        journal = Journal(config)
        first = trials[0]
        helped = (first.score or 0.0) >= success
        for lesson in used if first.error is None else ():
            await _rate(journal, memories.semantic, lesson, _RATED if helped else -_RATED)
        taint = merge_taint(taint_of(state), inherited_taint())
        task = task_in(state["messages"])
        kept: list[str] = []
        for trial, after in learned:
            kept += await _keep(
                journal, memories, _experience(task, trial), _came(trial, after), taint
            )
        return {"learned": list(dict.fromkeys(kept))}

    return learn


async def _rate(journal: Journal, known: SemanticMemory, lesson: Lesson, delta: float) -> None:
    """Change a lesson's importance once; one that was forgotten meanwhile has none."""

    async def importance() -> float | None:
        memory = await known.get(lesson.id)
        return memory.importance if memory else None

    before = await journal.step(f"importance:{lesson.id}", importance)
    was_cut_off = await journal.doubts(f"rate:{lesson.id}")

    async def rate() -> None:
        now = await importance()
        if now is not None and (not was_cut_off or now == before):
            await known.update_importance(lesson.id, delta)

    await journal.step(f"rate:{lesson.id}", rate, effect="write", on_doubt="retry")


async def _keep(
    journal: Journal, memories: Memories, met: Experience, came: Outcome, taint: Sequence[str]
) -> list[str]:
    """Keep the lessons of an experience once, and return those that are kept."""
    key = f"learn:{met.action}"
    was_cut_off = await journal.doubts(key)

    async def keep() -> list[str]:
        texts = _drawn(met, came)
        if not texts:
            return []
        if was_cut_off:
            # A text is its own key, so that no lesson is kept twice; an episode would be.
            noted, weight = with_sources(_FROM, taint), importance_of(came.success, came.reward)
            for text in texts:
                await memories.semantic.remember(text, metadata=noted, importance=weight)
        else:
            await memories.learn_from_experience(met, came, taint=taint)
        return texts

    kept: list[str] = await journal.step(key, keep, effect="write", on_doubt="retry")
    return kept


def _experience(task: str, trial: Trial) -> Experience:
    return Experience(situation=task[:_TASK], action=f"trial {trial.number}", lessons=trial.lessons)


def _came(trial: Trial, after: Trial) -> Outcome:
    said = "" if holds_secret(after.feedback) else after.feedback
    return Outcome(success=after.score or 0.0, reward=_gain(trial, after), description=said)


def _gain(trial: Trial, after: Trial) -> float:
    return (after.score or 0.0) - (trial.score or 0.0)


def _drawn(met: Experience, came: Outcome) -> list[str]:  # noqa: ARG001 - as `Memories` calls it
    """Each lesson with its task, by which it is found again; none that holds a secret."""
    task = " ".join(met.situation.split())
    found = [f"{lesson} (learned from the task: {task})" for lesson in met.lessons]
    return [text for text in found if not holds_secret(text)]
