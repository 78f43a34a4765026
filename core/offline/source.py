"""The source: what a schema is filled from, and the values that stand there under a name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from cogwork.core.offline.conversation import Conversation
from cogwork.core.offline.desk import REFUSAL
from cogwork.core.offline.goals import Step, split_goal
from cogwork.core.offline.literals import FILLER, Literals, read_literals
from cogwork.core.offline.tables import figure
from cogwork.core.offline.toolbox import Schema, Toolbox, kind, listed_tools, plain
from cogwork.core.offline.words import STOPWORDS, stem, tokens

__all__ = [
    "Field",
    "Source",
    "labelled_number",
    "labelled_text",
    "only_number",
    "source_of",
    "stated_number",
]

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
        asked = [step for step in steps if not _is_about_itself(step.text)]
        return tuple(replace(step, number=number) for number, step in enumerate(asked))

    def about(self, text: str) -> "Source":
        """Return the same with `text` as all that is known."""
        return replace(self, material=text, answer="", said="")


def _is_about_itself(text: str) -> bool:
    found = read_literals(text)  # "read plan.json" is about a file
    return not found.paths and _ABOUT_ITSELF.search(found.masked) is not None


def source_of(talk: Conversation) -> Source:
    """Lay out what a conversation gives for a schema."""
    prompt = talk.prompt
    seen = [observation.text for observation in talk.turn.observations if not observation.error]
    before = [turn.said for turn in talk.past]
    listing = f"{talk.system}\n{prompt.tools}\n{talk.turn.said}"
    return Source(
        goal=prompt.goal,
        material="\n".join([prompt.material, *seen]).strip(),
        answer=prompt.answer or ("" if REFUSAL.match(talk.turn.answer) else talk.turn.answer),
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


_END = r"(?=\s*(?:[,;\n]|\.(?:\s|$)|$|\s+(?:and|but|with|who|which)\s))"
_BEING = r"(?:is|was|are|were|named|called)"
_BETWEEN = rf"[^\d\n.;{FILLER}]{{0,60}}(?:{FILLER}+[^\d\n;{FILLER}]{{0,30}})?"
_NUMBER = r"[$€£]?\s*(?P<n>[-+]?\d[\d,]*(?:\.\d+)?)(?![\w]*\d)"
_AGE = (
    r"(?P<n>\d{1,3})[\s-]*(?:years?|yrs?)[\s-]+old"
    r"|\b(?:aged|is|am|'m|was|turned|turns)\s+(?P<m>\d{1,3})(?=\s*(?:[.,;)]|$|and\b))"
)
_PRICE = (
    r"[$€£]\s*(?P<n>\d[\d,]*(?:\.\d+)?)"
    r"|(?P<m>\d[\d,]*(?:\.\d+)?)\s*(?:dollars|euros?|USD|EUR|€|pounds)"
)
_WRITTEN = {
    "age": _AGE,
    "year": r"\b(?P<n>(?:1[5-9]|20)\d{2})\b",
    "percentage": r"(?P<n>\d+(?:\.\d+)?)\s*(?:%|percent)",
    "price": _PRICE,
}
_ALSO = {
    "cost": "price", "amount": "price", "salary": "price", "budget": "price",
    "percent": "percentage", "share": "percentage",
}  # fmt: skip


def _labels(field: Field) -> list[str]:
    """Return patterns for a field's name, the whole of it first."""
    whole = r"[\s_-]+".join(map(re.escape, field.words))
    last = [word for word in field.words[-1:] if len(field.words) > 1 and len(word) > 3]
    return [whole, *(re.escape(word) for word in last)]


def labelled_text(field: Field, texts: Iterable[str]) -> str:
    """Return the words that stand after the field's name: "city: Oslo", "the city is Oslo"."""
    for text in texts:
        for label in _labels(field):
            for pattern in (
                rf"(?im)\b{label}s?\b[\"'*`]*\s*[:=]\s*[*]*\s*(?P<v>[^\n;]+?){_END}",
                rf"(?i)\b{label}\b(?:\s+of\s+[^.,;\n]{{1,40}}?)?\s+{_BEING}\s+(?P<v>[^\n;]+?){_END}",
            ):
                found = re.search(pattern, text)
                value = found["v"].strip(" \"'*`") if found else ""
                if value and value.lower() not in STOPWORDS:
                    return value.rstrip(".")
    return ""


def labelled_number(field: Field, texts: Iterable[str]) -> str:
    """Return the number that stands by the field's name, or in the form usual for it."""
    texts = list(texts)
    key = next((w for w in reversed(field.words) if w in _WRITTEN or w in _ALSO), "")
    for text in texts:
        masked = read_literals(text).masked
        for label in _labels(field):
            for pattern in (
                rf"(?i)\b{label}s?\b{_BETWEEN}{_NUMBER}",
                rf"(?i){_NUMBER}\s*-?\s*{label}s?\b",
            ):
                if found := re.search(pattern, masked):
                    return figure(found["n"]) or ""
        written = _WRITTEN.get(_ALSO.get(key, key))
        if written and (found := re.search(written, masked)):
            return figure(found["n"] or found.groupdict().get("m") or "") or ""
    return _by_description(field, texts)


def _by_description(field: Field, texts: Sequence[str]) -> str:
    """Return the number beside a word of the field's description: "how many children"."""
    said = [w for w in tokens(field.description) if w not in STOPWORDS and len(w) > 3]
    wanted = {stem(word) for word in said} | field.stems
    for text in texts:
        masked = read_literals(text).masked
        for found in re.finditer(rf"{_NUMBER}\s*%?\s*(?:[a-z]+\s+)?(?P<after>[a-zA-Z]+)", masked):
            if stem(found["after"]) in wanted:
                return figure(found["n"]) or ""
    return ""


def only_number(texts: Iterable[str]) -> str:
    """Return the one number of the first text that has any, if it has but one."""
    for text in texts:
        numbers = read_literals(text).numbers
        if numbers:
            return (figure(numbers[0]) or "") if len(set(numbers)) == 1 else ""
    return ""


def stated_number(answer: str) -> str:
    """Return the number that an answer ends in: "2 + 3 is 5."."""
    found = re.search(r"(?:\bis|\bare|=|:)\s*[$€£]?\s*(-?\d[\d,]*(?:\.\d+)?)\s*%?[.\s]*$", answer)
    return (figure(found[1]) or "") if found else ""
