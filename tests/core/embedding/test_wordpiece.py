"""Text to pieces, on a small vocabulary; test_sentences compares with the real one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.embedding.wordpiece import WordPieces

VOCABULARY = [
    *("a", "b", "un", "##aff", "##able", "##b", "able", "cafe", "don", "'", "t", "!", "日", "本"),
    *("\N{GREEK SMALL LETTER SIGMA}", "##\N{GREEK SMALL LETTER SIGMA}", "1", "##2", "$", "ss"),
]
PIECES = WordPieces(VOCABULARY, buckets=10)


def cut(text):
    return [VOCABULARY[n] if n < len(VOCABULARY) else "?" for n in PIECES(text)]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("unaffable", ["un", "##aff", "##able"]),
        ("UNABLE", ["un", "##able"]),
        ("Café", ["cafe"]),
        ("Cafe\u0301", ["cafe"]),
        ("don't!", ["don", "'", "t", "!"]),
        ("a\tb\na\u00a0b", ["a", "b", "a", "b"]),
        ("a\u200db\0", ["a", "##b"]),
        ("日本", ["日", "本"]),
        ("a日b", ["a", "日", "b"]),
        ("\N{GREEK CAPITAL LETTER SIGMA}" * 2, VOCABULARY[14:16]),
        ("$12", ["$", "1", "##2"]),
    ],
)
def test_text_is_cut_as_bert_cuts_it(text, pieces):
    assert cut(text) == pieces


def test_an_emoji_beside_a_known_word_leaves_the_word_known():
    assert "cafe" in cut("cafe\N{HOT BEVERAGE}")
    assert "?" in cut("cafe\N{HOT BEVERAGE}")


def test_unknown_words_that_share_letters_share_numbers():
    one, other, far = (set(PIECES(word)) for word in ("zzyzxq", "zzyzxv", "wvwvwv"))
    assert len(one & other) > len(one & far)


@given(st.text())
def test_every_text_has_pieces_and_numbers_in_range(text):
    found = PIECES(text)
    assert found
    assert all(0 <= number < len(VOCABULARY) + 10 for number in found)
    assert found == WordPieces(VOCABULARY, buckets=10)(text)


@given(st.text(), st.text())
def test_a_space_separates(first, second):
    apart = [number for part in (first, second) if part.split() for number in PIECES(part)]
    blank = [PIECES(""), PIECES(" ")]
    together = PIECES(f"{first} {second}")
    assert (
        together == apart or together in blank or not apart or is_blank(first) or is_blank(second)
    )


def is_blank(text):
    """Whether nothing of it is left, as of a text of joiners."""
    return len(PIECES(f"a {text}")) == 1
