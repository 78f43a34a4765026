"""Memorize: what the user said that is worth knowing tomorrow, and not known yet.

Most of a conversation is not. Only what the user said since the last answer is looked at
(never the model's own words, tool results or what was recalled), cut into statements; a
statement is kept when it is important enough and says something new.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore
from pydantic import BaseModel, ConfigDict, Field

from cogwork.core.bridge import Node, node
from cogwork.core.errors import ConfigurationError
from cogwork.core.models import ChatModel
from cogwork.core.structured import structured_output
from cogwork.memory.facts import with_sources
from cogwork.memory.sameness import says_the_same
from cogwork.memory.semantic import SemanticMemory
from cogwork.nodes.history import is_question
from cogwork.nodes.memories import open_memories
from cogwork.tools.taint import inherited_taint, taint_of

__all__ = ["Drawn", "Fact", "Facts", "draw_facts", "make_memorize"]


class Fact(BaseModel):
    """Something worth knowing later."""

    model_config = ConfigDict(frozen=True)

    text: str = Field(description="One sentence that can be understood alone.")
    importance: float = Field(ge=0, le=1, description="How much it will matter later.")


class Facts(BaseModel):
    """What is worth knowing later; usually nothing."""

    model_config = ConfigDict(frozen=True)

    facts: list[Fact] = Field(default_factory=list)


Drawn: TypeAlias = Callable[[str], Sequence[Fact]]
"""From what the user said to the statements in it, each with its importance."""

_ASK = (
    "Which lasting facts about the user or the user's world does this message state? Leave out "
    "questions, requests, small talk and what matters only now; most messages state none. "
    "Write each fact as one sentence with names instead of pronouns, and call the user "
    '"the user".\n\nThe message:\n'
)
_LONGEST = 500  # characters of a statement; what is longer is material, not a fact

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_WISH = re.compile(
    r"(?i)^(?:please\s+)?(?:remember|note|keep in mind|don'?t forget|for the record)"
    r"(?:\s+that|\s*[:,])\s*"
)
_QUESTION = re.compile(
    r"(?i)^(?:what|who|whose|where|when|why|how|which|can|could|would|will|shall|should|do|does|did"
    r"|is|are|was|were|may)\b.*|.*\?\W*$"
)
_REQUEST = re.compile(
    r"(?i)^(?:please\b|i(?:'d| would) like\b|i (?:want|need) (?:you|to)\b|let'?s\b)"
)
_PERSONAL = re.compile(
    r"(?i)\b(?:my|our)\s+\w+(?:\s+\w+){0,3}\s+(?:is|are|was|has|have|works?|lives?)\b"
    r"|\bi(?:'m| am)\s+(?:an?\b|the\b|allergic|from|based|called|married|responsible|\d)"
    r"|\b(?:i|we)\s+(?:always|never|usually|prefer|like|love|hate|dislike|live|work|own|use|speak"
    r"|study|moved|have)\b|\bcall me\b"
)
_FLEETING = re.compile(r"(?i)\b(?:right now|at the moment|today|tonight|just now|this time)\b")
_NAMED = re.compile(
    r"\d|(?<=\s)[A-Z]\w|^(?!(?:It|This|That|There|He|She|They|You|Yes|No)\b)[A-Z]\w+\s+(?:is|was|has)\b"
)
_STATED = re.compile(r"\b(?:is|are|was|were|has|have|means|costs|belongs|starts|ends)\b")


def make_memorize(
    model: ChatModel | None = None,
    *,
    draw: Drawn | None = None,
    min_importance: float = 0.5,
    user: str | None = None,
    agent: str | None = None,
    store: BaseStore | None = None,
) -> Node:
    """Make the node that keeps what is worth knowing of what the user said last.

    Args:
        model: Finds the statements; without one, the rules of `draw_facts` do (English).
        draw: Finds them in place of the model and the rules.
        min_importance: Importance from which a statement is kept.
        user: Whose memories; the user of the run unless given.
        agent: Whose view of the user; None for what all agents share.
        store: Where they are; the graph's own unless given.

    Raises:
        ConfigurationError: Both a model and `draw` are given; from the node: the run names
            no user, or there is no store.
        StructuredOutputError: From the node: the model names no facts, even repaired.
    """
    if model is not None and draw is not None:
        raise ConfigurationError("give either a model or draw=…, not both")

    @node(loop=True)
    async def memorize(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Keep what the user said that is important and new.

        Reads: messages, recalled, taint
        Writes: memorized
        """
        said = _said(state["messages"])
        if not said.strip():
            return {"memorized": []}
        if model is None:
            facts = (draw or draw_facts)(said)
        else:
            facts = (await structured_output(model, Facts, f"{_ASK}{said}", config)).facts
        known = open_memories(config, user=user, agent=agent, store=store).semantic
        recalled = [one.text for one in state.get("recalled") or []]
        worthy = [f for f in facts if f.importance >= min_importance and f.text.strip()]
        noted = with_sources({"source": "user"}, taint_of(state), inherited_taint())
        return {"memorized": await _keep_new(known, worthy, recalled, noted)}

    return memorize


def draw_facts(said: str) -> list[Fact]:
    """Return the statements in what a user said, with an importance by rules (English).

    0.9 for what is to be remembered by wish, 0.7 for what the user says of themselves,
    0.5 for other statements that hold a name or a number, 0.3 less for what is fleeting;
    questions, requests and whatever else is no statement of this kind are left out.
    """
    drawn = []
    for sentence in _SENTENCE.split(said):
        text = _WISH.sub("", sentence).strip()
        importance = _importance(sentence.strip(), text)
        if importance > 0 and text and len(text) <= _LONGEST:
            drawn.append(Fact(text=text, importance=importance))
    return drawn


def _importance(sentence: str, text: str) -> float:
    if _WISH.match(sentence):
        return 0.9
    if _QUESTION.match(sentence) or _REQUEST.match(sentence):
        return 0.0
    fleeting = 0.3 if _FLEETING.search(text) else 0.0
    if _PERSONAL.search(text):
        return 0.7 - fleeting
    names = _NAMED.search(text)
    return 0.5 - fleeting if names and _STATED.search(text) else 0.0


def _said(messages: Sequence[AnyMessage]) -> str:
    """The user's words of this turn: those before the last answer and after the one before."""
    said: list[str] = []
    for message in reversed(messages):
        if is_question(message):
            said.append(str(message.text))
        elif said:
            break
    return "\n".join(reversed(said))


async def _keep_new(
    known: SemanticMemory,
    facts: Sequence[Fact],
    recalled: Sequence[str],
    noted: Mapping[str, Any],
) -> list[str]:
    """Keep what neither memory nor what was recalled says already; return the texts."""
    kept: list[str] = []
    for fact in facts:
        near = await known.search(fact.text, 5, touch=False)
        said = [*recalled, *(memory.text for memory in near), *kept]
        if not any(says_the_same(fact.text, text) for text in said):
            await known.remember(fact.text, metadata=noted, importance=fact.importance)
            kept.append(fact.text)
    return kept
