"""The source: what a schema is filled from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from cogwork.core.offline.conversation import Conversation
from cogwork.core.offline.goals import Step, split_goal
from cogwork.core.offline.literals import Literals, read_literals
from cogwork.core.offline.schemas import Schema, kind, plain
from cogwork.core.offline.toolbox import Toolbox, listed_tools
from cogwork.core.offline.words import stem, tokens

__all__ = ["Field", "Source", "source_of"]


# What is said of the task is no part of it: "Is this task atomic? If not, split it."
_ABOUT_ITSELF = re.compile(
    r"(?i)\b(?:this|the)\s+(?:task|goal|question|plan)\b|^(?:split|decompose|break)\s+(?:it"
    r"|this)\b|\bjson\b"
)


@dataclass(frozen=True)
class Source:
    """What is asked, what is known for it, and what was answered.

    Attributes:
        goal: What is asked.
        material: What it is to be answered from: sections of the prompt, observations.
        answer: The answer that was given, to be judged or put into a form.
        said: All that the person wrote, with an instruction that stands before it.
        criteria: What an answer is to be judged by, if that was said.
        tools: The tools that the prompt lists.
    """

    goal: str
    material: str
    answer: str
    said: str
    criteria: str
    tools: Toolbox

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Where to look for a value, in this order."""
        return tuple(filter(None, (self.answer, self.material, self.said)))

    @cached_property
    def literals(self) -> Literals:
        """The literals of everything."""
        return read_literals("\n".join(self.texts))

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The goal's steps."""
        steps = split_goal(self.goal, self.tools.verbs)
        asked = [step for step in steps if not _ABOUT_ITSELF.search(step.text)]
        return tuple(replace(step, number=number) for number, step in enumerate(asked))

    def about(self, text: str) -> "Source":
        """Return the same with `text` as all that is known."""
        return replace(self, material=text, answer="", said="")


def source_of(talk: Conversation) -> Source:
    """Lay out what a conversation gives for a schema."""
    prompt = talk.prompt
    seen = [observation.text for observation in talk.turn.observations if not observation.error]
    before = [turn.said for turn in talk.past]
    listing = f"{talk.system}\n{prompt.tools}\n{talk.turn.said}"
    return Source(
        goal=prompt.goal,
        material="\n".join([prompt.material, *seen]).strip(),
        answer=prompt.answer or talk.turn.answer,
        said="\n".join([_without_instruction(talk.turn.said, prompt.goal), *before]).strip(),
        criteria=prompt.criteria,
        tools=Toolbox(listed_tools(listing)),
    )


def _without_instruction(said: str, goal: str) -> str:
    """Drop an instruction that only says what to do with the text after it."""
    opened = re.match(
        r"(?is)^\s*(?:please\s+)?(?:extract|identify|find|classify|analy[sz]e|summari[sz]e|read"
        r"|get|parse)\b"
        r"[^:\n]{0,160}(?::|\n)\s*(?P<rest>\S.*)$",
        said,
    )
    return opened["rest"] if opened and said.strip() != goal.strip(": ") + ":" else said


@dataclass(frozen=True)
class Field:
    """One field of a schema: its name, what is said of it, and what may stand in it.

    `alias` are the words to go by where the name says nothing, as of a lone "value".
    """

    name: str
    schema: Mapping[str, Any]
    root: Schema
    required: bool = False
    alias: str = ""

    @classmethod
    def of(
        cls, name: str, schema: Schema, root: Schema, *, required: bool = False, alias: str = ""
    ) -> "Field":
        """Read a field; references and `null` are resolved."""
        return cls(name, plain(schema, root), root, required, alias)

    @property
    def kind(self) -> str:
        """Its JSON type."""
        return kind(self.schema)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of its name."""
        return tuple(tokens(self.alias or self.name))

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of its name."""
        return frozenset(stem(word) for word in self.words)

    @property
    def description(self) -> str:
        """What is said of it."""
        return str(self.schema.get("description") or "")

    def is_a(self, known: frozenset[str]) -> bool:
        """Tell whether its name, or failing that its description, has one of these words.

        The last word of a name says most: a `tool_name` is a name, a `name_count` a count.
        """
        if not known.isdisjoint(self.words[-1:]) or not known.isdisjoint(self.stems_as_words):
            return True
        return not known.isdisjoint(tokens(self.description)[:4])

    @cached_property
    def stems_as_words(self) -> frozenset[str]:
        """The words of the name, plurals as singulars too."""
        return frozenset(self.words) | {word.removesuffix("s") for word in self.words}
