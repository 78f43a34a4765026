import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.words import content_words


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("How often is our data saved?", ["data", "saved"]),
        ("Who owns the flat we rent?", ["owns", "flat", "rent"]),
        ("Don't we know Clara's number?", ["know", "clara", "number"]),
        ("I need room 7 at 10.0.4.17", ["need", "room", "7", "10", "0", "4", "17"]),
    ],
)
def test_function_words_and_contractions_are_left_out(text, kept):
    assert list(content_words(text)) == kept


def test_names_and_numbers_weigh_twice_also_a_name_that_looks_like_a_function_word():
    assert content_words("Did Will call IT in room b12?") == {
        "will": 2,
        "call": 1,
        "it": 2,
        "room": 1,
        "b12": 2,
    }
    assert content_words("Will I call it?") == {"call": 1}


def test_a_text_of_function_words_alone_keeps_them():
    assert list(content_words("Who are we?")) == ["who", "are", "we"]
    assert list(content_words("Don't!")) == ["don", "t"]
    assert content_words(" ?! ") == {}


@given(st.text())
def test_every_word_is_one_of_the_text_and_none_is_lost_when_none_says_more(text):
    kept = content_words(text)
    assert all(word in text.casefold() for word in kept)
    assert bool(kept) == any(each.isalnum() or each == "_" for each in text.casefold())
