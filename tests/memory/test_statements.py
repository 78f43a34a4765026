import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.memory.statements import denies, draw_facts, replaces


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I don't like tea.", "I like tea"),
        ("I no longer live in Rome", "I live in Rome."),
        ("My sister doesn't work in Zurich any more", "My sister works in Zurich"),
        ("I can't swim", "I can swim"),
        ("I never eat meat", "I eat meat"),
        ("My cat isn\u2019t black", "My cat is black"),
    ],
)
def test_a_denial_is_seen_from_both_sides(one, other):
    assert denies(one, other)
    assert denies(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I like tea", "I like tea"),
        ("I don't like tea", "I never like tea"),
        ("I don't like tea", "I like coffee"),
        ("I didn't like tea", "I like tea"),
        ("Ada does not like Bob", "Bob likes Ada"),
        ("I don't like tea", "I like tea more"),
        ("no", "not"),
    ],
)
def test_what_may_hold_beside_another_denies_nothing(one, other):
    assert not denies(one, other)


@pytest.mark.parametrize(
    ("correction", "known", "expected"),
    [
        ("my name is Ada.", "My name is Eve", True),
        ("I live in Bern", "I live in Graz", True),
        ("My sister works in Basel, not in Zurich", "My sister works in Zurich.", True),
        ("the door code is 4711", "The door code is 4712", True),
        ("I like coffee", "I like tea", False),
        ("I am allergic to eggs", "I am allergic to nuts", False),
        ("My sister works in Basel", "My brother works in Basel", False),
        ("My name is Ada", "My name is Ada", False),
        ("it is cold", "The pump is old", False),
    ],
)
def test_a_correction_replaces_what_can_have_one_value_only(correction, known, expected):
    assert replaces(correction, known) is expected


def test_a_correction_is_marked_and_loses_its_mark():
    said = "Actually, I live in Bern. No, my name is Ada. I own a boat."
    found = [(fact.text, fact.corrects) for fact in draw_facts(said)]
    assert found == [
        ("I live in Bern.", True),
        ("my name is Ada.", True),
        ("I own a boat.", False),
    ]


def test_a_joke_takes_back_the_sentence_before_it_and_no_more():
    facts = draw_facts("I own a boat. My name is Batman. Just kidding!")
    assert [fact.text for fact in facts] == ["I own a boat."]


def test_a_quotation_keeps_its_words_where_it_is_part_of_a_statement():
    facts = draw_facts('My motto is "Work. Play.\nRest!" I own a boat.')
    assert [fact.text for fact in facts] == ['My motto is "Work. Play. Rest!"', "I own a boat."]


def test_a_standing_request_is_a_fact_and_one_for_now_matters_less():
    lasting, fleeting = draw_facts("Always answer in German. Never use tabs today.")
    assert (lasting.importance, round(fleeting.importance, 1)) == (0.7, 0.4)


@given(st.text(), st.text())
def test_any_texts_can_be_compared(one, other):
    assert denies(one, other) == denies(other, one)
    assert not denies(one, one)
    assert not replaces(one, one)
