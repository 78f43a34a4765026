"""The writing of the report, from claims that have evidence."""

from collections.abc import Mapping, Sequence, Sized
from typing import Any, Final

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig

from cogwork.core.bridge import Node, node
from cogwork.nodes.analysis import QueryAnalysis
from cogwork.nodes.research.claims import Claim
from cogwork.nodes.research.contradictions import Contradiction
from cogwork.nodes.research.evidence import Evidence, Outline, SearchResult
from cogwork.nodes.research.preferences import situation_of
from cogwork.nodes.research.reasoning import Reasoning
from cogwork.nodes.research.report import Finding, Report, cited, inert
from cogwork.nodes.research.searching import tell_step
from cogwork.nodes.research.sources import Source
from cogwork.tools.taint import labelled

__all__ = ["make_write_report"]

_LOOSE: Final = 0.4  # relevance below which evidence hardly bears on the question
_NOTHING: Final = "Nothing was found that answers this."
_GIVE: Final = (
    "Give a folder of documents as corpus (--corpus docs/ on the command line), other sources, or "
    "tools that search."
)
_NO_SOURCE: Final = f"There is no source to search. {_GIVE}"
_CAVEATS: Final = {
    "medical": "This tells what documents say; it is no medical advice.",
    "legal": "This tells what documents say; it is no legal advice.",
    "financial": "This tells what documents say; it is no advice to buy or sell.",
}


def make_write_report(sources: Mapping[str, Source]) -> Node:
    """Make the node that writes the report, and says it as Markdown.

    Args:
        sources: By name; what they leave out is noted.
    """

    @node
    def write(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Write the report.

        Reads: outline, searches, evidence, contradictions, reasoning, analysis, messages, taint
        Writes: report, messages, stop_reason
        """
        outline, reasoning = state["outline"], state["reasoning"]
        searches = state.get("searches") or []
        draft = Report(
            question=outline.question,
            depth=outline.depth,
            situation=situation_of(state["analysis"]),
            answer=_NOTHING if sources else _NO_SOURCE,
            findings=_findings(outline, reasoning.claims),
            contradictions=_disputed(state.get("contradictions") or (), reasoning.claims),
            missing=_missing(outline, searches, state["evidence"], reasoning.claims),
            notes=_notes(
                searches, reasoning, state["evidence"], sources, _plain_domains(state["analysis"])
            ),
        )
        report = _answered(_cited(draft, state["evidence"]))
        tell_step("write", "finished")
        said = AIMessage(report.to_markdown())
        return {
            "report": report,
            "messages": [labelled(said, state)],
            "stop_reason": "answered" if report.claims else "nothing_found",
        }

    return write


def _findings(outline: Outline, claims: Sequence[Claim]) -> tuple[Finding, ...]:
    found = []
    for part in outline.parts:
        own = tuple(claim for claim in claims if claim.subquestion == part.id)
        if own:
            found.append(Finding(heading=part.text, claims=own))
    return tuple(found)


def _disputed(
    contradictions: Sequence[Contradiction], claims: Sequence[Claim]
) -> tuple[Contradiction, ...]:
    """Those that are about what the report says; others have nothing to do with the question."""
    told = {key for claim in claims for key in claim.evidence}
    return tuple(each for each in contradictions if each.one in told or each.other in told)


def _cited(draft: Report, evidence: Sequence[Evidence]) -> Report:
    """The report with its sources, numbered as they are cited first."""
    known = {each.id: each for each in evidence}
    main = [claim for claim in draft.claims if claim.is_main]
    ids = [key for claim in [*main, *draft.claims] for key in claim.evidence]
    ids += [key for each in draft.contradictions for key in (each.one, each.other)]
    return draft.model_copy(update={"sources": tuple(known[key] for key in dict.fromkeys(ids))})


def _answered(report: Report) -> Report:
    """The report with its short answer: the main claims."""
    main = [claim for claim in report.claims if claim.is_main]
    if not main:
        return report
    said = " ".join(f"{_ended(inert(claim.text))} {cited(report, claim)}" for claim in main)
    doubted = " The sources disagree; see Contradictions." if _is_doubted(main) else ""
    least = min(claim.confidence for claim in main)
    return report.model_copy(update={"answer": said + doubted, "confidence": least})


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?", ":", "”")) else f"{text}."


def _is_doubted(claims: Sequence[Claim]) -> bool:
    return any(claim.is_contradicted for claim in claims)


def _missing(
    outline: Outline,
    searches: Sequence[SearchResult],
    evidence: Sequence[Evidence],
    claims: Sequence[Claim],
) -> tuple[str, ...]:
    told = {name for each in evidence for name in each.subquestions}
    lost = [
        f"Nothing was found about “{part.text}”."
        for part in outline.subquestions
        if part.id not in told and part.round == 1
    ]
    failed = {each.source: each.error for each in searches if each.error}
    lost += [f"The source {name} failed: {why}" for name, why in sorted(failed.items())]
    if claims and max(each.relevance for each in evidence) < _LOOSE:
        lost.append("What was found bears on the question only loosely.")
    if outline.sources == ("memory",):
        lost.append(f"Only memories were searched. {_GIVE}")
    return tuple(lost if outline.sources else [])


def _notes(
    searches: Sequence[SearchResult],
    reasoning: Reasoning,
    evidence: Sequence[Evidence],
    sources: Mapping[str, Source],
    domains: Sequence[str],
) -> tuple[str, ...]:
    notes = []
    if searches:
        documents = {each.document for each in evidence}
        asked = ", ".join(dict.fromkeys(each.source for each in searches))
        notes.append(
            f"Searched: {asked}; {_counted(evidence, 'quotation')} of "
            f"{_counted(documents, 'document')}."
        )
    if evidence and reasoning.method == "rules":
        notes.append("Findings are quotations, chosen by rules.")
    if reasoning.dropped:
        count = _counted(reasoning.dropped, "claim")
        notes.append(f"Left out, for the evidence does not support it: {count} of the model.")
    refused = sorted({place for each in searches for place in each.refused})
    if refused:
        notes.append(
            "Not used, for it gives orders to its reader instead of telling something: "
            + ", ".join(refused[:10])
        )
    notes += [note for each in sources.values() for note in each.notes()]
    if evidence:
        notes += [_CAVEATS[name] for name in domains[:1] if name in _CAVEATS]
    return tuple(notes)


def _counted(things: Sized, one: str) -> str:
    return f"{len(things):,} {one}{'' if len(things) == 1 else 's'}"


def _plain_domains(analysis: QueryAnalysis) -> list[str]:
    """Those that fit, not only better than the others; a model gives no scores."""
    scores = analysis.domain_scores
    return [name for name in analysis.domains if scores.get(name, 1.0) > 0]
