"""The classes that queries are put into, as data: a name, a description and examples each."""

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["QueryClass", "default_domains", "default_intents"]

_EXAMPLES = Path(__file__).with_name("query_examples.tsv")
_INTENTS = {
    "comparison": "which of several things is better, cheaper or stronger, or how they differ",
    "analysis": "an examination of data, documents or a situation: causes, patterns, weak points",
    "explanation": "how or why something works, or what a concept means",
    "prediction": "what is going to happen, when, or how likely it is",
    "lookup": "one known fact: a name, a date, a place, a figure",
    "calculation": "a number that follows from numbers that are given",
    "action": "something to be written, made, sent, booked or changed",
}
_DOMAINS = {
    "financial": "money, companies' figures, markets, banks, taxes and budgets",
    "scientific": "physics, chemistry, biology, astronomy, the earth, mathematics and research",
    "technical": "software, computers, networks, electronics and engineering",
    "medical": "health, illness, medicines, doctors, hospitals and patients",
    "legal": "law, contracts, courts, rights, regulation and liability",
    "general": "everyday life: travel, food, sport, arts, history, home and family",
}


class QueryClass(BaseModel):
    """A class of queries.

    Attributes:
        name: What the analysis calls it.
        description: What belongs to it, in a few words; a model is shown it.
        examples: Queries or subjects that belong to it; two dozen and more serve best. One
            that stands in several classes belongs to each.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1)
    description: str = Field(min_length=1)
    examples: tuple[str, ...] = ()


def default_intents() -> tuple[QueryClass, ...]:
    """Return the intents that are known without configuration."""
    return _classes(0)


def default_domains() -> tuple[QueryClass, ...]:
    """Return the domains that are known without configuration."""
    return _classes(1)


@cache
def _classes(column: int) -> tuple[QueryClass, ...]:
    lines = _EXAMPLES.read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return tuple(
        QueryClass(
            name=name,
            description=description,
            examples=tuple(row[2] for row in rows if name in row[column].split(",")),
        )
        for name, description in (_INTENTS, _DOMAINS)[column].items()
    )
