"""The report as data, and as Markdown: every claim with the numbers of its evidence."""

import re
from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel, ConfigDict

from cogwork.nodes.research.claims import Claim
from cogwork.nodes.research.contradictions import Contradiction
from cogwork.nodes.research.evidence import Depth, Evidence

__all__ = ["Finding", "Report", "cited", "inert"]

_WORDS: Final = ((0.75, "high"), (0.5, "moderate"), (0.0, "low"))
_LIVE: Final = re.compile(r"!\[|\[(?=\d+\]|[^\]]{0,300}\]\()|<(?=[a-zA-Z/!])")
_SHOWN: Final = 240  # characters of a quotation in the list of sources


class Finding(BaseModel):
    """What was found about a part of the question.

    Attributes:
        heading: The part.
        claims: What is known of it; the same objects as the report's.
    """

    model_config = ConfigDict(frozen=True)

    heading: str
    claims: tuple[Claim, ...]


class Report(BaseModel):
    """What research came to.

    Attributes:
        question: Of the person.
        depth: How thoroughly it was looked up.
        situation: The kind of question, by which feedback is remembered.
        answer: The claims that answer the question, with citations such as `[1]`; without any,
            that there is none.
        confidence: Of the least sure of these claims; 0 without any.
        findings: By part of the question.
        contradictions: Pairs of quotations that cannot both hold.
        missing: What was not found, and what could not be asked.
        sources: The evidence that is cited; the citation `[1]` is the first of them.
        notes: How the report came about, and what was not used.
    """

    model_config = ConfigDict(frozen=True)

    question: str
    depth: Depth = "standard"
    situation: str = ""
    answer: str
    confidence: float = 0.0
    findings: tuple[Finding, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    missing: tuple[str, ...] = ()
    sources: tuple[Evidence, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All claims."""
        return tuple(claim for finding in self.findings for claim in finding.claims)

    def number(self, evidence: str) -> int:
        """Return by which number evidence of this id is cited."""
        return next(n for n, each in enumerate(self.sources, 1) if each.id == evidence)

    def to_markdown(self) -> str:
        """Return the report as Markdown."""
        return "\n".join(_lines(self)).strip() + "\n"

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


def _lines(report: Report) -> Iterator[str]:
    yield from (f"# {inert(report.question)}", "", "## Short answer", "", report.answer)
    if report.claims:
        yield from ("", f"Confidence: {_sure(report.confidence)}.")
    if report.findings:
        yield from ("", "## Findings")
    for finding in report.findings:
        if len(report.findings) > 1:
            yield from ("", f"### {inert(finding.heading)}")
        yield ""
        yield from (f"- {_told(report, claim)}" for claim in finding.claims)
    if report.contradictions:
        yield from ("", "## Contradictions", "")
        yield from (_contradiction(report, each) for each in report.contradictions)
    yield from _listed("What is missing", report.missing)
    if report.sources:
        yield from ("", "## Sources", "")
        yield from (_source(n, each) for n, each in enumerate(report.sources, 1))
    yield from _listed("Notes", report.notes)


def _told(report: Report, claim: Claim) -> str:
    also = "; contradicted" if claim.is_contradicted else ""
    return f"{inert(claim.text)} {cited(report, claim)} *({_sure(claim.confidence)}{also})*"


def cited(report: Report, claim: Claim) -> str:
    """Return the citations of a claim, such as `[1][4]`."""
    return "".join(f"[{number}]" for number in sorted(map(report.number, claim.evidence)))


def _sure(confidence: float) -> str:
    word = next(word for least, word in _WORDS if confidence >= least)
    return f"{word}, {confidence:.2f}"


def _contradiction(report: Report, each: Contradiction) -> str:
    one, other = report.number(each.one), report.number(each.other)
    sides = [f"“{inert(report.sources[number - 1].quote)}” [{number}]" for number in (one, other)]
    about = f"**{inert(each.about)}**: " if each.about else ""
    newer = f" [{report.number(each.newer)}] is newer." if each.newer else ""
    return f"- {about}{sides[0]} against {sides[1]}.{newer}"


def _source(number: int, each: Evidence) -> str:
    quote = each.quote if len(each.quote) <= _SHOWN else f"{each.quote[:_SHOWN]}…"
    where = each.url if each.url.startswith(("http://", "https://")) else f"`{each.locator}`"
    title = f", {inert(each.title)}" if each.title and each.title not in each.locator else ""
    date = f", {each.date}" if each.date else ""
    return f"{number}. {where}{title}{date} ({each.source}): “{inert(quote)}”"


def _listed(title: str, lines: tuple[str, ...]) -> Iterator[str]:
    if lines:
        yield from ("", f"## {title}", "")
        yield from (f"- {inert(line)}" for line in lines)


def inert(text: str) -> str:
    """Return text of others on one line, without pictures, links, HTML, headings or citations."""
    text = " ".join(text.split())
    return _LIVE.sub(lambda found: f"\\{found.group()}", text)
