"""What words add to vectors: recall@10 of hybrid and of vector-only search, on one store.

The store holds the labelled facts of `data/retrieval` among generated ones that answer none
of the questions, 10,000 in all. Questions go by a name, by a number or code, by a paraphrase
alone, or by a name or number together with one; whatever was chosen by measuring was chosen
on the files `tune-*`. The goal is 0.15 more on the questions of `test-*`, over all kinds and on
those that go by names and numbers, which meaning alone misses.

What hybrid search and the choice of hits that differ take longer than vectors is measured
where each question is asked for the first time; only its embedding is known.

Then what episodes beside a hit add, as many being shown with them as without: in conversations,
where the answer stands beside what the question is like, and in notes that each stand alone.

    python benchmarks/retrieval.py [--quick] [--json]

`--quick` leaves out MiniLM, which takes some minutes to embed the facts.
"""

import asyncio
import csv
import itertools
import random
import re
import statistics
import string
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from langgraph.store.base import PutOp
from measure import Figure, options, report

from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ConfigurationError
from cogwork.memory import ChromaStore, Memories
from cogwork.memory.diversity import choose
from cogwork.memory.retrieval import search_hybrid

DATA = Path(__file__).parent / "data" / "retrieval"
TALKS = DATA.parent / "conversations"
MODELS = {"static": "static", "MiniLM": "sentence-transformers:all-MiniLM-L6-v2"}
KINDS = ("name", "number", "paraphrase", "mixed")
GROUPS = {**{kind: (kind,) for kind in KINDS}, "names and numbers": KINDS[:2], "all": KINDS}
SIZE, K, DEPTH = 10_000, 10, 40
NAMESPACE = ("facts",)


@dataclass(frozen=True)
class Question:
    """What is asked, and the ids of the facts that answer it."""

    part: str
    kind: str
    answers: frozenset[str]
    text: str


def rows(pattern: str) -> Iterator[tuple[str, list[str]]]:
    """The lines of the files, each with `tune` or `test`."""
    for path in sorted(DATA.glob(pattern)):
        for row in read(path):
            yield path.name.partition("-")[0], row


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def labelled_facts() -> dict[str, str]:
    return {key: text for _, (key, text) in rows("*-facts.tsv")}


def questions() -> list[Question]:
    return [
        Question(part, kind, frozenset(answers.split(",")), text)
        for part, (kind, answers, text) in rows("*-questions.tsv")
    ]


def distractors(count: int, taken: Sequence[str], seed: int = 0) -> list[str]:
    """Facts made of templates, with no code of `taken` in them.

    As in a life, codes come in series, what is known of some is known of many, and the names
    of `taken` recur, in what is none of the questions' matter.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    words = {name: listed.split() for _, (name, listed) in rows("distractor-words.tsv")}
    templates = (DATA / "distractor-templates.txt").read_text("utf-8").splitlines()
    codes = {
        code for text in taken for code in numbers(text) if len(code) > 3 or not code.isdigit()
    }
    made: dict[str, None] = {}
    while len(made) < count:
        template = chance.choice(templates)
        text = re.sub(r"\{(\w+)\}", lambda slot: fill(slot.group(1), words, chance), template)
        if codes.isdisjoint(numbers(text)):
            made[text] = None
    return list(made)


def numbers(text: str) -> set[str]:
    return {word.strip(".,") for word in text.split() if any(map(str.isdigit, word))}


def fill(slot: str, words: dict[str, list[str]], chance: random.Random) -> str:
    """What stands for a slot of a template."""
    if slot in words:
        return chance.choice(words[slot]).replace("-", " ")
    if slot in ("person", "company"):
        parts = ("first", "last") if slot == "person" else ("firm", "branch")
        return " ".join(chance.choice(words[part]) for part in parts)
    if re.fullmatch(r"n\d+", slot):
        return "".join(chance.choices(string.digits, k=int(slot[1:])))
    if slot == "phone":
        area = chance.choice(("058 ", "070 ", "0151 7", "030 5", "0221 9"))
        return f"{area}{chance.randrange(100, 1_000)} {chance.randrange(1_000, 10_000)}"
    if slot in ("letter", "letters"):
        return "".join(chance.choices(string.ascii_uppercase, k=1 + (slot == "letters")))
    if slot == "hex7":
        return "".join(chance.choices("0123456789abcdef", k=7))
    first, last = RANGES[slot]
    return str(chance.randint(first, last))


RANGES = {
    "day": (1, 28),
    "year": (2015, 2025),
    "recent": (2022, 2025),
    "future": (2027, 2034),
    "age": (12, 79),
    "size": (2, 49),
    "hour": (6, 21),
    "minutes": (18, 34),
    "seconds": (10, 59),
    "digit": (1, 9),
    "tens": (5, 400),
    "thousands": (3, 400),
}


def talks() -> tuple[list[list[str]], list[Question]]:
    """Conversations, each a list of ids and turns; and what is asked about them."""
    turns, asked = (read(TALKS / name) for name in ("turns.tsv", "questions.tsv"))
    parts = [list(part) for _, part in itertools.groupby(turns, lambda row: row[0][0])]
    return parts, [Question("test", "talk", frozenset([key]), text) for key, text in asked]


def notes() -> tuple[list[list[str]], list[Question]]:
    """The longer facts, as episodes that have nothing to do with those beside them."""
    facts = [[key, text] for key, text in labelled_facts().items() if key[:2] in ("ca", "jo", "no")]
    known = {key for key, _ in facts}
    return [facts], [each for each in questions() if each.answers <= known]


def filled(folder: Path, model: str, facts: dict[str, str]) -> ChromaStore:
    store = ChromaStore(folder, embeddings=create_embeddings(model), fields=["text"])
    writes = [PutOp(NAMESPACE, key, {"text": text}) for key, text in facts.items()]
    for start in range(0, len(writes), 1_000):
        store.batch(writes[start : start + 1_000])
    return store


async def by_vectors(store: ChromaStore, query: str, limit: int) -> list[str]:
    return [item.key for item in await store.asearch(NAMESPACE, query=query, limit=limit)]


async def by_both(store: ChromaStore, query: str, limit: int) -> list[str]:
    """As the memories do: many candidates, of which they return some that differ."""
    hits = await search_hybrid(store, NAMESPACE, query, limit=limit)
    places = choose([hit.relevance for hit in hits], [hit.item.value["text"] for hit in hits], K)
    return [hits[place].item.key for place in places]


async def compared(
    store: ChromaStore, asked: Sequence[Question]
) -> tuple[list[float], list[float], list[float]]:
    """Recall of the vectors, recall of both, and the milliseconds that both take longer."""
    vectors, both, longer = [], [], []
    await by_both(store, "Hello", DEPTH)  # reads the table
    for question in asked:
        await by_vectors(store, question.text, DEPTH)  # embeds the question, which is kept
        started = time.perf_counter()
        near = await by_vectors(store, question.text, DEPTH)
        middle = time.perf_counter()
        found = await by_both(store, question.text, DEPTH)
        longer.append((time.perf_counter() - middle - (middle - started)) * 1e3)
        vectors.append(len(question.answers.intersection(near[:K])) / len(question.answers))
        both.append(len(question.answers.intersection(found[:K])) / len(question.answers))
    return vectors, both, longer


async def figures(store: ChromaStore, name: str) -> list[Figure]:
    asked = questions()
    vectors, both, longer = await compared(store, asked)
    shown = []
    for part in ("tune", "test"):
        for group, kinds in GROUPS.items():
            places = [
                place
                for place, question in enumerate(asked)
                if question.part == part and question.kind in kinds
            ]
            alone = statistics.fmean(vectors[place] for place in places)
            fused = statistics.fmean(both[place] for place in places)
            title = f"recall@10, {name}, {part}, {group} ({len(places)})"
            shown.append(Figure(f"{title}: vectors", alone, None, "-", "recall"))
            shown.append(Figure(f"{title}: hybrid", fused, None, "vectors", "recall"))
            if group not in KINDS:
                goal = -0.15 if part == "test" else None
                shown.append(Figure(f"{title}: vectors - hybrid", alone - fused, goal, "vectors"))
    shown.append(
        Figure(f"hybrid - vectors, a query, {name}", statistics.median(longer), 5, "vectors", "ms")
    )
    return shown


async def beside(folder: Path, name: str, model: str) -> list[Figure]:
    """Recall over episodes with and without those beside a hit."""
    shown: list[Figure] = []
    for title, (parts, asked) in {"conversations": talks(), "notes": notes()}.items():
        with ChromaStore(folder / f"{name} {title}", embeddings=create_embeddings(model)) as store:
            memories, ids = await told(store, parts)
            for count in (0, 1):
                shares = [await share_recalled(memories, each, ids, count) for each in asked]
                what = f"recall@10, {name}, {title} ({len(asked)}): {count} neighbours"
                shown.append(Figure(what, statistics.fmean(shares), None, "-", "recall"))
    return shown


async def share_recalled(
    memories: Memories, question: Question, ids: Mapping[str, str], neighbours: int
) -> float:
    found = await memories.recall(question.text, K, sources=["episodic"], neighbours=neighbours)
    wanted = {ids[key] for key in question.answers}
    return len(wanted.intersection(one.id for one in found)) / len(wanted)


async def told(
    store: ChromaStore, parts: Sequence[Sequence[Sequence[str]]]
) -> tuple[Memories, dict[str, str]]:
    """Memories in which this happened among other things, half a minute apart; and its ids."""
    now = 1e9
    memories = Memories(store, NAMESPACE, clock=lambda: now)
    others = distractors(600, list(labelled_facts().values()))
    share = len(others) // len(parts)
    ids = {}
    for number, part in enumerate(parts):
        for text in others[number * share : (number + 1) * share]:
            now += 300
            await memories.episodic.record(text)
        now += 86_400
        for key, text in part:
            now += 30
            ids[key] = (await memories.episodic.record(text)).id
    return memories, ids


def measured(folder: Path, *, quick: bool) -> list[Figure]:
    facts = labelled_facts()
    others = distractors(SIZE - len(facts), list(facts.values()))
    facts |= {f"other {place}": text for place, text in enumerate(others)}
    found: list[Figure] = []
    for name, model in MODELS.items():
        if quick and name != "static":
            continue
        try:
            store = filled(folder / name, model, facts)
        except ConfigurationError as error:
            print(f"{name} is left out: {error}")
            continue
        with store:
            found += asyncio.run(figures(store, name))
        found += asyncio.run(beside(folder, name, model))
    return found


def main() -> None:
    chosen = options(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        report(measured(Path(folder), quick=chosen.quick), as_json=chosen.json)


if __name__ == "__main__":
    main()
