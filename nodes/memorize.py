"""Memorize: what the user said that is worth knowing tomorrow, and not known yet.

Most of a conversation is not. Only what the user said since the last answer is looked at
(never the model's own words, tool results or what was recalled), cut into statements; a
statement is kept when it is important enough, says something new and tells no secret. One
that denies or corrects what is known takes its place.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore
from pydantic import BaseModel, ConfigDict, Field

from cogwork.core.bridge import Node, node
from cogwork.core.errors import ConfigurationError
from cogwork.core.models import ChatModel
from cogwork.core.secrets import holds_secret
from cogwork.core.structured import structured_output
from cogwork.memory.facts import with_sources
from cogwork.memory.sameness import says_the_same
from cogwork.memory.semantic import SemanticMemory
from cogwork.memory.statements import Fact, denies, draw_facts, replaces
from cogwork.nodes.history import is_question
from cogwork.nodes.memories import open_memories
from cogwork.tools.taint import inherited_taint, taint_of

__all__ = ["Drawn", "Fact", "Facts", "draw_facts", "make_memorize"]


class Facts(BaseModel):
    """What is worth knowing later; usually nothing."""

    model_config = ConfigDict(frozen=True)

    facts: list[Fact] = Field(default_factory=list)


Drawn: TypeAlias = Callable[[str], Sequence[Fact]]
"""From what the user said to the statements in it, each with its importance."""

_ASK = (
    "Which lasting facts about the user or the user's world does this message state? Leave out "
    "questions, requests (also to forget), quotations, small talk and what matters only now; "
    "most messages state none. "
    "Write each fact as one sentence with names instead of pronouns, and call the user "
    '"the user".\n\nThe message:\n'
)


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
        worthy = [f for f in facts if f.importance >= min_importance and _is_keepable(f.text)]
        noted = with_sources({"source": "user"}, taint_of(state), inherited_taint())
        return {"memorized": await _keep_new(known, worthy, recalled, noted)}

    return memorize


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
        wrong = [each for each in near if _is_corrected(each.text, fact)]
        said = [*recalled, *(each.text for each in near), *kept]
        if wrong or not any(says_the_same(fact.text, text) for text in said):
            await known.correct(
                fact.text,
                instead_of=[each.id for each in wrong],
                metadata=noted,
                importance=fact.importance,
            )
            kept.append(fact.text)
    return kept


def _is_corrected(known: str, fact: Fact) -> bool:
    return denies(fact.text, known) or (fact.corrects and replaces(fact.text, known))


def _is_keepable(text: str) -> bool:
    return bool(text.strip()) and not holds_secret(text)
