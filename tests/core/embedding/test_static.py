"""The built-in table: what it must be good for, and any text at all."""

import importlib.util
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogwork.core.embedding import static
from cogwork.core.embedding.static import IDENTITY, TABLE, StaticEmbeddings
from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ConfigurationError
from cogwork.memory.store import ChromaStore

FOLDER = Path(__file__).parents[3] / "docs" / "decisions" / "static_embeddings"
EMBEDDINGS = StaticEmbeddings()

ODD = {
    "empty": "",
    "blank": " \t\n",
    "emoji": "👨‍👩‍👧‍👦🏳️‍🌈",
    "half a surrogate pair": "\ud83d",
    "null": "\0\0",
    "unassigned": "\U000e0fff",
    "joiners": "\u200d\u200b\ufeff",
    "accents alone": "\u0301" * 50,
    "Arabic": "مرحبا بالعالم",
    "Chinese": "你好世界",
    "Hindi": "नमस्ते दुनिया",
    "Thai": "สวัสดีชาวโลก",
    "Greek": "ΚΑΛΗΜΕΡΑ ΚΟΣΜΕ",
    "Cherokee": "ᎣᏏᏲ",
    "hieroglyphs": "𓀀𓁐𓂀",
    "punctuation": "?!…—·",
    "a long word": "a" * 100_000,
}


@pytest.fixture(scope="module")
def build():
    """The script that made the table; it measures too."""
    spec = importlib.util.spec_from_file_location("build_static_embeddings", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_meaning_is_found_far_better_than_by_words(build):
    first, five = build.recall(EMBEDDINGS.embed_documents)
    by_words, five_by_words = build.recall(build.hashed_words)
    assert first > 0.5 > by_words + 0.3
    assert five > 0.75 > five_by_words + 0.3
    assert build.pair_accuracy(EMBEDDINGS.embed_documents) > 0.9
    assert build.pair_accuracy(build.hashed_words) < 0.6


def test_identity_is_that_of_the_table(build):
    with np.load(TABLE, allow_pickle=False) as arrays:
        assert build.identity(arrays) == IDENTITY == create_embeddings("static").identity


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_any_text_has_a_finite_vector_of_length_one(text):
    vector = EMBEDDINGS.embed_query(text)
    assert len(vector) == 256
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)


@settings(deadline=None)
@given(st.text())
def test_any_generated_text_has_a_vector_of_length_one(text):
    assert math.hypot(*EMBEDDINGS.embed_query(text)) == pytest.approx(1, abs=1e-5)


def test_a_huge_text_has_the_direction_of_what_it_repeats():
    text = "The ferry does not sail in a storm. "
    huge = EMBEDDINGS.embed_query(text * 30_000)  # a megabyte
    assert np.dot(huge, EMBEDDINGS.embed_query(text)) == pytest.approx(1, abs=1e-3)


def test_words_that_no_piece_knows_are_told_apart():
    party, rocket, other = EMBEDDINGS.embed_documents(["🎉🎉", "🚀🚀", "🎉🎉"])
    assert party == other
    assert np.dot(party, rocket) < 0.9


def test_case_and_accents_do_not_matter():
    plain, written = EMBEDDINGS.embed_documents(["cafe in sao paulo", "CAFÉ in São Paulo"])
    assert plain == written


def test_alone_and_among_others_a_text_has_the_same_vector():
    texts = ["A cat sleeps.", "", "Ein Hund bellt.", "word " * 5000]
    together = EMBEDDINGS.embed_documents(texts)
    assert [EMBEDDINGS.embed_query(text) for text in texts] == together
    assert [StaticEmbeddings().embed_query(text) for text in texts] == together


def test_threads_share_one_table():
    embeddings = StaticEmbeddings()
    texts = [f"Text {number} of many." for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(embeddings.embed_query, texts))
    assert found == EMBEDDINGS.embed_documents(texts)


async def test_async_code_gets_the_same_vectors():
    embeddings = create_embeddings("static")
    assert await embeddings.aembed_query("tea") == EMBEDDINGS.embed_query("tea")
    assert await embeddings.aembed_documents(["tea"]) == EMBEDDINGS.embed_documents(["tea"])


def test_memory_finds_by_meaning_without_being_told_how(tmp_path):
    with ChromaStore(tmp_path / "store", fields=["text"]) as store:
        for key, text in (
            ("diet", "Maria does not eat meat or fish."),
            ("flight", "Tom's flight lands at Heathrow at 18:40."),
            ("backup", "The backup of the database runs every night at two."),
        ):
            store.put(("notes",), key, {"text": text})
        hits = store.search(("notes",), query="Which guest is a vegetarian?")
        assert hits[0].key == "diet"
        assert store.stats().embeddings == IDENTITY


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut off", b"no table"])
def test_a_table_that_is_absent_or_damaged_is_named(monkeypatch, tmp_path, content):
    path = tmp_path / "static.npz"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(static, "TABLE", path)
    with pytest.raises(ConfigurationError, match=r"cannot be read from .*static\.npz"):
        StaticEmbeddings().embed_query("tea")


def test_a_flipped_bit_in_the_table_is_noticed(monkeypatch, tmp_path):
    damaged = bytearray(TABLE.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "static.npz").write_bytes(damaged)
    monkeypatch.setattr(static, "TABLE", tmp_path / "static.npz")
    with pytest.raises(ConfigurationError, match="install cogwork again"):
        StaticEmbeddings().embed_query("tea")


def test_the_table_is_a_few_megabytes():
    assert TABLE.stat().st_size < 9_000_000


def test_a_text_is_the_sum_of_the_vectors_of_its_pieces():
    pieces = EMBEDDINGS.pieces("The kettle of Halina")
    total = EMBEDDINGS.vectors(np.array(pieces)).sum(axis=0)
    expected = EMBEDDINGS.embed_query("The kettle of Halina")
    assert np.allclose(total / np.linalg.norm(total), expected, atol=1e-5)


def test_a_rare_piece_has_a_longer_vector_than_a_common_one():
    (the,), (kettle,) = EMBEDDINGS.pieces("the"), EMBEDDINGS.pieces("kettle")
    common, rare = np.linalg.norm(EMBEDDINGS.vectors(np.array([the, kettle])), axis=1)
    assert rare > common
