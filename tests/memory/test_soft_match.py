import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogwork.core.embeddings import create_embeddings
from cogwork.memory.soft_match import soft_match, soft_words, text_vectors

BERTIL = (
    "Bertil asked for the address of Meridian Toys",
    "Bertil's new phone number is 070 448 2917",
    "Bertil liked the concert in Bordeaux in April",
    "Oskar's new phone number is 070 448 2918",
)
texts = st.lists(st.text(max_size=60), max_size=6)


def scored(query, found):
    return soft_match(soft_words(query), found)


def best(query, found):
    scores = scored(query, found)
    return found[scores.index(max(scores))]


def test_among_texts_with_a_name_the_one_that_means_the_rest_of_the_question_matches_best():
    assert best("On which telephone do I call Bertil?", BERTIL) == BERTIL[1]
    assert best("Did Bertil enjoy the music?", BERTIL) == BERTIL[2]


def test_a_text_with_all_words_of_the_query_matches_in_full():
    (same,) = scored("Where is the green kettle?", ["a kettle that is green"])
    assert same == pytest.approx(1, abs=1e-3)


def test_a_word_that_is_near_enough_counts_as_much_as_the_word_itself():
    same, near, other = scored("a dog", ["the dog", "a puppy", "the invoice"])
    assert same == pytest.approx(near)
    assert near > other


def test_a_name_or_a_number_has_no_near_ones():
    assert scored("the 2017", ["in 2018", "in 2017"]) == pytest.approx([0, 1], abs=1e-3)
    other, same = scored("Ask Paris", ["we asked in Rome", "we asked in Paris"])
    assert same > other + 0.2


def test_a_rare_word_counts_more_than_a_common_one():
    rare, common = scored("the zeppelin work", ["zeppelin", "work"])
    assert rare > common


def test_one_word_of_a_query_is_worth_less_than_both():
    both, one = scored("Kestrel disk", ["the full disk of Kestrel", "Kestrel was shown"])
    assert both > one


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=40), texts)
def test_any_text_has_a_score_between_0_and_1(query, found):
    scores = scored(query, found)
    assert len(scores) == len(found)
    assert all(-1e-6 <= score <= 1 + 1e-6 for score in scores)


def test_a_score_does_not_depend_on_the_other_texts():
    assert scored("Bertil", BERTIL)[1] == pytest.approx(scored("Bertil", BERTIL[1:2])[0])


def test_of_a_long_text_only_the_beginning_counts():
    filler = "tea " * 1_000
    assert scored("zeppelin", [filler + "zeppelin"]) == scored("zeppelin", [filler])


def test_of_a_long_query_only_so_much_is_looked_for():
    words = soft_words(" ".join(f"word{place}" for place in range(100_000)))
    assert len(words.numbers) == len(words.units) == len(words.is_exact) == 64
    assert words.shares.sum() == pytest.approx(1)


@settings(max_examples=30, deadline=None)
@given(texts)
def test_vectors_of_texts_are_those_of_the_built_in_embeddings(found):
    wanted = create_embeddings("static").embed_documents(found)
    np.testing.assert_allclose(text_vectors(found), wanted, atol=1e-3)
