"""What to look up: sub-questions of a question, and in a second round what is still open."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import get_runtime
from langgraph.store.base import BaseStore
from pydantic import BaseModel, Field

from cogwork.core.bridge import Node, node
from cogwork.core.errors import ConfigurationError, ModelError
from cogwork.core.models import ChatModel
from cogwork.core.offline.words import stems
from cogwork.core.registry import nearest
from cogwork.core.structured import structured_output
from cogwork.nodes.analysis import QueryAnalysis, find_concepts
from cogwork.nodes.memories import user_of
from cogwork.nodes.requirements import goal_of
from cogwork.nodes.research.contradictions import Contradiction
from cogwork.nodes.research.evidence import DEPTHS, Depth, Evidence, Outline, SubQuestion, alike
from cogwork.nodes.research.preferences import Preferences, preferences_of, situation_of
from cogwork.nodes.research.searching import step_of, tell_step

__all__ = ["divide_question", "follow_up", "make_deepen", "make_outline"]

_FOLLOWING: Final = 4  # sub-questions of the second round
_SAME: Final = 0.75  # alikeness from which a part is the whole again
_LONGEST: Final = 300
_SPLIT: Final = re.compile(
    r"\?\s+|;\s+|,?\s+and\s+(?=(?:what|how|why|when|which|who|where|is|are|does|do|can)\b)",
    re.IGNORECASE,
)
_STANDS_IN: Final = re.compile(r"\b(?:it|its|they|them|their|this|these|those)\b", re.IGNORECASE)
_THING: Final = r"(?:(?:an?|the)\s+)?(?P<{}>[\w.@/-]+(?:\s[\w.@/-]+)?)"
_VERSUS: Final = re.compile(
    rf"\bbetween\s+{_THING.format('a')}\s+and\s+{_THING.format('b')}"
    rf"|\b{_THING.format('c')}\s+(?:vs\.?|versus|compared (?:to|with))\s+{_THING.format('d')}",
    re.IGNORECASE,
)
_RULES: Final = """
You plan research. Divide the question into at most {most} parts that can be looked up on their own and
together answer it. Give each as a question in text, and in query the words to search for. Leave out
what the question does not ask.
"""


class _Part(BaseModel, title="Part"):
    text: str
    query: str = ""


class _Parts(BaseModel, title="Parts"):
    parts: list[_Part] = Field(min_length=1)


def make_outline(
    sources: Sequence[str],
    *,
    model: ChatModel | None = None,
    depth: Depth | None = None,
    user: str | None = None,
    store: BaseStore | None = None,
) -> Node:
    """Make the node that says what to look up and where.

    Args:
        sources: Names.
        model: Divides the question; rules do, unless given, and where it fails.
        depth: How thoroughly; the state's `depth` comes before it. None takes what the user's
            feedback taught, else `standard`.
        user: Whose preferences; the user of the run unless given.
        store: Where they are; the graph's own unless given.

    Raises:
        ConfigurationError: From the node: there is no such depth.
    """

    @node(loop=True)
    async def outline(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Divide the question.

        Reads: messages, analysis, depth
        Writes: outline, searches
        """
        question, _ = goal_of(state.get("messages") or ())
        analysis = state["analysis"]
        prefers = await _preferences(config, user, store, analysis)
        chosen = _checked(state.get("depth") or depth or prefers.depth or "standard")
        parts = await _parts(model, question, analysis, DEPTHS[chosen].questions, config)
        ordered = sorted(sources, key=lambda name: -prefers.sources.get(name, 1.0))
        done = Outline(
            question=question,
            depth=chosen,
            subquestions=tuple(parts),
            sources=tuple(ordered),
            preferred=prefers.sources,
        )
        for part in parts:
            for name in ordered:
                tell_step(step_of(part, name), "planned")
        for step in ("compare", "reason", "write"):
            tell_step(step, "planned")
        return {"outline": done, "searches": None}

    return outline


def make_deepen() -> Node:
    """Make the node that adds what another round is to look up; see `follow_up`."""

    @node
    def deepen(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Take up what is still open.

        Reads: outline, evidence, contradictions
        Writes: outline
        """
        outline = state["outline"]
        more = follow_up(outline, state["evidence"], state.get("contradictions") or ())
        for part in more:
            for name in outline.sources:
                tell_step(step_of(part, name), "planned")
        parts = (*outline.subquestions, *more)
        update = {"round": outline.round + 1, "subquestions": parts}
        return {"outline": outline.model_copy(update=update)}

    return deepen


def divide_question(question: str, analysis: QueryAnalysis, most: int) -> list[SubQuestion]:
    """Return the question and its parts, by rules.

    Parts are the questions in it. The sides of a comparison and key phrases are searched for too,
    and serve a part.

    Args:
        question: Of the person.
        analysis: What it asks.
        most: How many at most.
    """
    found = [part.strip(" ?.") for part in _SPLIT.split(question)]
    asked = [part for part in found if stems(part)] if len(found) > 1 else []
    sides = _VERSUS.search(question) if analysis.intent == "comparison" else None
    named = [each for each in sides.groups() if each] if sides else []
    parts = _new(asked, [])[: most - 1]
    phrases = _new([*named, *analysis.concepts], [question, *parts])[: most - 1 - len(parts)]
    texts = [question, *parts, *phrases]
    subject = " ".join(find_concepts(found[0])[:1])
    divided = len(parts) > 1
    return [
        SubQuestion(
            id=f"q{n}",
            text=_headed(text),
            query=_complete(text, subject if n > 1 else "")[:_LONGEST],
            serves=_serves(n, len(parts), divided=divided),
        )
        for n, text in enumerate(texts, 1)
    ]


def _complete(part: str, subject: str) -> str:
    """A part with what its "it" stands for: the subject of the first part."""
    return f"{part} {subject}".strip() if _STANDS_IN.search(part) else part


def _serves(number: int, parts: int, *, divided: bool) -> str | None:
    """What a text is searched for; the whole is no part where its parts make it up."""
    if number == 1:
        return "" if divided else None
    return None if number <= 1 + parts else "" if divided else "q1"


def _new(texts: Iterable[str], known: Sequence[str]) -> list[str]:
    """Those that say something that others do not."""
    kept: list[str] = []
    for text in texts:
        if stems(text) and not any(alike(text, other) >= _SAME for other in [*known, *kept]):
            kept.append(text)
    return kept


def follow_up(
    outline: Outline, evidence: Sequence[Evidence], contradictions: Sequence[Contradiction]
) -> list[SubQuestion]:
    """Return what to look up in the next round: contradictions, gaps, and what is said beside.

    Args:
        outline: Of the round before.
        evidence: That it found.
        contradictions: In it.
    """
    texts = [each.about for each in contradictions if each.about]
    answered = {name for each in evidence for name in each.subquestions}
    for part in outline.subquestions:
        if part.id not in answered:
            texts += find_concepts(part.text)[:2]
    subject = " ".join(find_concepts(outline.question)[:1])
    for each in evidence[:8]:
        if not set(stems(each.title)) <= set(stems(outline.question)):
            texts.append(f"{each.title} {subject}")
    asked = [part.query for part in outline.subquestions]
    first = len(outline.subquestions) + 1
    return [
        SubQuestion(
            id=f"q{n}",
            text=_headed(text),
            query=text[:_LONGEST],
            round=outline.round + 1,
            serves=outline.parts[0].id,
        )
        for n, text in enumerate(_new(texts, asked)[:_FOLLOWING], first)
    ]


async def _parts(
    model: ChatModel | None,
    question: str,
    analysis: QueryAnalysis,
    most: int,
    config: RunnableConfig,
) -> list[SubQuestion]:
    whole = SubQuestion(id="q1", text=_headed(question), query=question[:_LONGEST])
    if model is None or most < 2:
        return divide_question(question, analysis, most)
    rules = _RULES.format(most=most - 1).strip()
    try:
        said: _Parts = await structured_output(
            model, _Parts, [SystemMessage(rules), HumanMessage(question)], config
        )
    except ModelError:
        return divide_question(question, analysis, most)
    texts = [(" ".join(part.text.split()), " ".join(part.query.split())) for part in said.parts]
    useful = [(t, q) for t, q in texts if stems(t) and alike(t, question) < _SAME]
    return [
        whole,
        *(
            SubQuestion(id=f"q{n}", text=_headed(text)[:_LONGEST], query=(query or text)[:_LONGEST])
            for n, (text, query) in enumerate(useful[: most - 1], 2)
        ),
    ]


async def _preferences(
    config: RunnableConfig, user: str | None, store: BaseStore | None, analysis: QueryAnalysis
) -> Preferences:
    """What the run's user wants; nothing is known of a run without user or store."""
    try:
        kept_in = store or get_runtime().store
        name = user or user_of(config)
    except (RuntimeError, KeyError, ConfigurationError):  # outside of a run, or nobody's
        return Preferences()
    if kept_in is None or not name:
        return Preferences()
    return await preferences_of(kept_in, name, situation_of(analysis))


def _checked(depth: str) -> Depth:
    for known in DEPTHS:
        if known == depth:
            return known
    raise ConfigurationError(f"no depth is called '{depth}'; {nearest(depth, list(DEPTHS))}")


def _headed(text: str) -> str:
    """The text as a heading."""
    text = " ".join(text.split()).strip(" .")
    return text[:1].upper() + text[1:]
