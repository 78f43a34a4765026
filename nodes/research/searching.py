"""The search of one source for one sub-question, and the quotations that are taken from it."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.errors import GraphBubbleUp

from cogwork.core.bridge import Node, call, in_thread, node
from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import BudgetError
from cogwork.core.offline.words import stems
from cogwork.nodes.action import make_act
from cogwork.nodes.research.evidence import Evidence, SearchResult, SubQuestion, is_quoted
from cogwork.nodes.research.reading import Sentence, speaks_to_readers
from cogwork.nodes.research.sources import Found, Source
from cogwork.tools.audit import AuditLog
from cogwork.tools.calling import reason_of
from cogwork.tools.policy import Policy
from cogwork.tools.taint import has_read, reading, taint_of

__all__ = ["make_search_source", "quotations", "step_of", "tell_step"]

_PER_HIT: Final = 3  # quotations of one hit
_LEAST: Final = 0.2  # relevance below which a sentence is chance
_BY_WORDS: Final = 0.65  # of how a sentence bears on a query; the rest is by meaning
_IN_TITLE: Final = 0.75
_SHORTEST: Final = 4  # words of a quotation
_LEADING: Final = 10  # words of one that leads to what is left out, such as code
_LONGEST: Final = 600  # characters of one
_VAGUE: Final = frozenset(
    stems(
        "happen happens happening mean means work works use used using make makes kind kinds way ways "
        "difference differ different many most least much get need needs thing things tell explain "
        "describe compare find show best main good give given go goes know say says one two"
    )
)
_DANGLING: Final = re.compile(
    r"(?:it|its|this|that|these|those|they|their|them|he|she|both|such|then|so|but|and|otherwise"
    r"|instead|there|here|also|neither|either|another|however|therefore)\b",
    re.IGNORECASE,
)


def make_search_source(
    sources: Mapping[str, Source],
    *,
    embeddings: Embeddings | str = "static",
    timeout: float | None = None,
    policy: Policy | None = None,
    audit: AuditLog | None = None,
) -> Node:
    """Make the node that searches one source for one sub-question.

    A router sends each pair to it by `Send`, so that they run in parallel and what is done is
    not done again. A source that fails is noted in the result, and others go on.

    Args:
        sources: By name.
        embeddings: By which sentences are compared with the sub-question.
        timeout: Seconds for one search whose tool declares none.
        policy: Which searches are made, ask a person first, or are refused.
        audit: Where searches are noted.
    """
    act = make_act(
        [each.tool for each in sources.values()], timeout=timeout, policy=policy, audit=audit
    )
    measure = create_embeddings(embeddings)

    @node
    async def search(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Search a source for a sub-question.

        Reads: subquestion, question, source, k
        Writes: searches, taint
        """
        asked, source = state["subquestion"], sources[state["source"]]
        args = {"query": asked.query, **({"k": state["k"]} if source.is_sized else {})}
        made = {"name": source.tool.name, "args": args, "type": "tool_call"}
        made["id"] = f"{asked.id}-{source.name}"
        try:
            with reading(()) as read:
                update = await call(act, made, config)
            (message,) = update["messages"]
            hits = source.hits(message)
            found = [await in_thread(None, source.open, hit) for hit in hits[: state["k"]]]
            evidence, refused = await in_thread(
                None, quotations, asked, found, measure, state["question"]
            )
        except (GraphBubbleUp, BudgetError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a source raises, the others go on
            result = SearchResult(
                subquestion=asked.id, source=source.name, error=reason_of(error, source.name)
            )
            tell_step(step_of(asked, source.name), "failed")
            return {"searches": [result]}
        taint = sorted({*read, *_taint(message)})
        has_read(*taint)
        labelled = tuple(_labelled(each, source) for each in evidence)
        tell_step(step_of(asked, source.name), "finished")
        result = SearchResult(
            subquestion=asked.id, source=source.name, evidence=labelled, refused=refused
        )
        return {"searches": [result], **({"taint": taint} if taint else {})}

    return search


def quotations(
    asked: SubQuestion, found: Sequence[Found], measure: Embeddings, question: str = ""
) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """Return the sentences that bear on a sub-question, and the places that were refused.

    The relevance of a sentence is the mean of its hit's score, the cosine of its vector with
    the query's, and the share of the query's words in it; the last two count for the whole
    question as much as for the part. What is no whole sentence, or mostly code, loses a part.

    Args:
        asked: What is looked for.
        found: What a source gave.
        measure: Makes the vectors.
        question: The whole one.
    """
    kept, refused = _told(found)
    if not kept:
        return (), refused
    wholes = [one for _, one in kept]
    bearing = _bearing(asked.query, wholes, measure)
    if question and question != asked.query:
        whole = _bearing(question, wholes, measure)
        bearing = [(part + all_) / 2 for part, all_ in zip(bearing, whole, strict=True)]
    scored: dict[int, list[Evidence]] = {}
    for (each, one), bears in zip(kept, bearing, strict=True):
        score = (each.hit.score + 2 * bears) / 3 * _readable(one)
        if score >= _LEAST:
            scored.setdefault(id(each), []).append(_evidence(asked, each, one, score))
    best = [
        made
        for group in scored.values()
        for made in sorted(group, key=lambda made: -made.relevance)[:_PER_HIT]
    ]
    once = {
        (each.locator, each.quote): each for each in best if is_quoted(each.quote, each.passage)
    }
    return tuple(once.values()), refused


def _told(found: Sequence[Found]) -> tuple[list[tuple[Found, Sentence]], tuple[str, ...]]:
    """The sentences that tell something, and the places that give orders instead."""
    refused: list[str] = []
    kept: list[tuple[Found, Sentence]] = []
    for each in found:
        for one in each.sentences:
            if speaks_to_readers(one.paragraph):
                refused.append(each.locator(one.line))
            elif one.text.endswith("?"):
                continue  # it tells nothing
            elif len(one.text.split()) >= (_LEADING if one.text.endswith(":") else _SHORTEST):
                kept.append((each, one))
    return kept, tuple(dict.fromkeys(refused))


def step_of(part: SubQuestion, source: str) -> str:
    """Return how the search of a source for a sub-question is called in what a run streams."""
    return f"{source}: {part.text[:80]}"


def tell_step(step: str, event: str) -> None:
    """Stream that a step was planned, has finished or failed; a task counts its progress by it."""
    try:
        write = get_stream_writer()
    except (RuntimeError, KeyError):  # the node is called outside of a run
        return
    write({"type": "step", "step": step, "event": event})


def _taint(message: ToolMessage) -> list[str]:
    return taint_of({"messages": [message]})


def _labelled(each: Evidence, source: Source) -> Evidence:
    label = "untrusted" if source.is_untrusted else each.label
    return each.model_copy(update={"label": label, "source": source.name})


def _bearing(query: str, parts: Sequence[Sentence], measure: Embeddings) -> list[float]:
    """How far sentences bear on a query, by meaning and by words."""
    likeness = _likeness(query, [f"{one.title}. {one.text}" for one in parts], measure)
    shares = _shares(query, parts)
    return [
        (1 - _BY_WORDS) * like + _BY_WORDS * share
        for like, share in zip(likeness, shares, strict=True)
    ]


def _shares(query: str, parts: Sequence[Sentence]) -> list[float]:
    """The share of the query's words that each has, rare ones weighing more; headings count less."""
    wanted = set(stems(query)) - _VAGUE or set(stems(query))
    said = [(set(stems(one.text)), set(stems(one.title))) for one in parts]
    weights = {
        word: 0.1
        + math.log((1 + len(said)) / (1 + sum(word in text | title for text, title in said)))
        for word in wanted
    }
    total = sum(weights.values()) or 1.0

    def weight(words: set[str]) -> float:
        return sum(weights[word] for word in words)

    return [
        (weight(wanted & text) + _IN_TITLE * weight((wanted & title) - text)) / total
        for text, title in said
    ]


def _readable(one: Sentence) -> float:
    """Less than 1 for what does not read as a sentence that stands alone."""
    code = sum(map(len, re.findall(r"`[^`]*`", one.text))) / max(len(one.text), 1)
    whole = one.text.rstrip("”\"')*").endswith((".", "!", "?"))
    hangs = _DANGLING.match(one.text) and not one.before
    return (1.0 if whole else 0.8) * (0.8 if code > 0.5 else 1.0) * (0.8 if hangs else 1.0)


def _likeness(query: str, texts: Sequence[str], measure: Embeddings) -> list[float]:
    vectors = np.asarray(measure.embed_documents([query, *texts]), np.float32)
    sizes = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(sizes == 0, 1, sizes)
    return [float(each) for each in np.clip(unit[1:] @ unit[0], 0, 1)]


def _evidence(asked: SubQuestion, found: Found, one: Sentence, score: float) -> Evidence:
    hit = found.hit
    return Evidence(
        quote=_quote(one),
        passage=one.paragraph,
        title=one.title or hit.title or hit.url,
        source=hit.source,
        document=found.document,
        locator=found.locator(one.line),
        url=hit.url,
        date=found.date,
        relevance=round(min(1.0, score), 4),
        label="untrusted" if hit.source.startswith("untrusted ") else "trusted",
        subquestions=(asked.id,),
    )


def _quote(one: Sentence) -> str:
    """The sentence; with the one before it where it begins with "It" and the like."""
    joined = f"{one.before} {one.text}"
    hangs = one.before and _DANGLING.match(one.text)
    return joined if hangs and len(joined) <= _LONGEST else _cut(one.text)


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return text[:_LONGEST].rsplit(" ", 1)[0]
