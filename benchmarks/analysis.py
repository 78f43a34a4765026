"""What queries ask: accuracy of intent and domain offline, against matching of keywords.

The labelled queries of `data/queries` stand in two halves; whatever was chosen by measuring
was chosen on `tune.tsv`, and the goals stand on `test.tsv`. Their words do not tell the label:
few of them say "compare" or "predict". The examples that the classes are learnt from are others.
An answer is right if it is one of the labels of a query, which are two for some domains.

    python benchmarks/analysis.py [--quick] [--json]

`--quick` leaves out MiniLM.
"""

import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import Figure, options, report

from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ConfigurationError
from cogwork.nodes.analysis import QueryAnalysis, analyze_query

DATA = Path(__file__).parent / "data" / "queries"
MODELS = {"static": "static", "MiniLM": "sentence-transformers:all-MiniLM-L6-v2"}
GOAL = 0.85

# What one would write without examples: the usual words, in the order in which they decide.
INTENT_WORDS = {
    "comparison": r"compar\w+|versus|vs|differen\w+|differ|better|worse|than|similar\w*|or|prefer"
    r"|which of|pros and cons",
    "prediction": r"predict\w*|forecast\w*|will|going to|likely|future|expect\w*|next year|outlook"
    r"|chances?|odds|trend",
    "calculation": r"calculate|compute|how much|how many|convert|sum|total|percent(?:age)?|average"
    r"|[-\d.,]+ ?[-+*/%] ?[\d.,]*",
    "analysis": r"analy[sz]\w+|evaluate|assess|examine|review|investigate|identify|interpret"
    r"|patterns?|causes?|weak\w*|risks?|find out",
    "action": r"write|draft|send|book|create|make|set up|order|remind|translate|open|fix|plan|add"
    r"|put|move|design|file|fill in|schedule|cancel",
    "explanation": r"why|how|explain|understand|what does|what is meant|meaning|works?|describe"
    r"|teach|concept",
    "lookup": r"who|when|where|what|which|name|number|address|how (?:long|tall|old|high)",
}
DOMAIN_WORDS = {
    "financial": r"money|financ\w+|bank\w*|invest\w*|stocks?|shares?|bonds?|loans?|interest|tax\w*"
    r"|budget|revenue|profits?|margins?|price\w*|costs?|invoices?|dollars?|euros?|mortgage|cash"
    r"|sales|currency|accounts?|dividend|fund",
    "medical": r"medic\w+|health|doctors?|patients?|hospital|clinic\w*|disease|drugs?|dose|symptoms?"
    r"|surgery|vaccin\w+|blood|pain|cancer|treatment|therapy|diagnos\w+|nurse|tablets?|heart|pills?",
    "legal": r"laws?|legal|courts?|contracts?|lawyer|judge|rights?|clauses?|patent|copyright"
    r"|liab\w+|lease|tenants?|sue|crim\w+|regulation|attorney|trademark|act|agreement|will|trial",
    "technical": r"software|code|program\w*|servers?|database|api|network|computers?|bugs?|python"
    r"|linux|app|website|disk|memory|cloud|algorithm|function|data|script|login|cpu|voltage",
    "scientific": r"scien\w+|physics|chemi\w+|biolog\w+|energy|atoms?|molecul\w+|stars?|planets?"
    r"|cells?|species|experiment\w*|temperature|climate|gravity|dna|genes?|light|sun|moon|bacteria"
    r"|quantum|research|evolution",
}


@dataclass(frozen=True)
class Query:
    """A labelled query."""

    intent: str
    domains: frozenset[str]
    text: str


def queries(part: str) -> list[Query]:
    lines = (DATA / f"{part}.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return [Query(intent, frozenset(about.split(",")), text) for intent, about, text in rows]


def by_words(text: str, classes: Mapping[str, str], otherwise: str) -> str:
    """The class most of whose words occur; the first of those with as many."""
    counts = {
        name: len(re.findall(rf"(?<!\w)(?:{words})(?!\w)", text, re.IGNORECASE))
        for name, words in classes.items()
    }
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else otherwise


def keywords(text: str) -> tuple[str, list[str]]:
    return by_words(text, INTENT_WORDS, "lookup"), [by_words(text, DOMAIN_WORDS, "general")]


def analysis(embeddings: str) -> Callable[[str], tuple[str, list[str]]]:
    made = create_embeddings(embeddings, cache_size=0)

    def ask(text: str) -> tuple[str, list[str]]:
        found: QueryAnalysis = analyze_query(text, embeddings=made)
        return found.intent, list(found.domains)

    ask("What is this?")  # learns the classes
    return ask


def shares(
    ask: Callable[[str], tuple[str, list[str]]], asked: Sequence[Query]
) -> tuple[float, float, float, float]:
    """Accuracy of intent, of the main domain, overlap of all domains, CPU ms a query."""
    intents, mains, overlaps, spent = [], [], [], []
    for query in asked:
        started = time.process_time()
        intent, domains = ask(query.text)
        spent.append((time.process_time() - started) * 1e3)
        intents.append(intent == query.intent)
        mains.append(domains[0] in query.domains)
        overlaps.append(len(query.domains & set(domains)) / len(query.domains | set(domains)))
    return (
        statistics.fmean(intents),
        statistics.fmean(mains),
        statistics.fmean(overlaps),
        statistics.median(spent),
    )


def figures(name: str, model: str) -> list[Figure]:
    ask, shown = analysis(model), []
    for part in ("tune", "test"):
        asked = queries(part)
        found, rival = shares(ask, asked), shares(keywords, asked)
        for place, what in enumerate(("intent", "domain")):
            title = f"{what}, {name}, {part} ({len(asked)})"
            goal = GOAL if part == "test" and name == "static" else None
            shown.append(Figure(f"{title}: accuracy", found[place], None, "-", "share"))
            shown.append(Figure(f"{title}: keywords", rival[place], None, "-", "share"))
            missed = None if goal is None else round(1 - goal, 4)
            shown.append(Figure(f"{title}: wrong", 1 - found[place], missed, "-", "share"))
            behind = None if goal is None else -0.15
            lead = rival[place] - found[place]
            shown.append(Figure(f"{title}: keywords - ours", lead, behind, "keywords"))
        shown.append(
            Figure(f"domains, {name}, {part}: overlap with labels", found[2], None, "-", "share")
        )
    shown.append(Figure(f"whole analysis, a query, {name}: CPU", found[3], None, "keywords", "ms"))
    return shown


def main() -> None:
    chosen = options(__doc__ or "")
    found = figures("static", MODELS["static"])
    if not chosen.quick:
        try:
            found += figures("MiniLM", MODELS["MiniLM"])
        except ConfigurationError as error:
            print(f"MiniLM is left out: {error}")
    report(found, as_json=chosen.json)


if __name__ == "__main__":
    main()
