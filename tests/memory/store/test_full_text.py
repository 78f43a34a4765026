"""Search by words."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import PutOp

from cogwork.core.errors import ConfigurationError
from cogwork.memory.store.full_text import query_words


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request):
    return request.param


def keys(items):
    return [item.key for item in items]


@pytest.fixture
def filled(store):
    store.put(("a",), "tea", {"text": "Green tea, and more green tea"})
    store.put(("a",), "dog", {"text": "A brown dog drinks tea now and then"})
    store.put(("a", "b"), "cafe", {"text": "the café is running"})
    store.put(("ab",), "other", {"text": "green dog"})
    return store


def test_the_best_match_comes_first_with_a_positive_score(filled):
    found = filled.search_text(("a",), "green tea")
    assert keys(found) == ["tea", "dog"]
    assert found[0].score > found[1].score > 0


def test_words_are_found_without_accents_case_and_endings(filled):
    assert keys(filled.search_text((), "CAFE runs")) == ["cafe"]


def test_a_prefix_holds_and_names_of_fields_are_no_words(filled):
    assert keys(filled.search_text(("a", "b"), "green café")) == ["cafe"]
    assert keys(filled.search_text(("ab",), "green")) == ["other"]
    assert filled.search_text((), "text") == []


def test_filter_limit_and_offset(filled):
    for number in range(20):
        filled.put(("n",), f"{number:02}", {"text": "owl " * (number + 1), "even": number % 2 == 0})
    everything = keys(filled.search_text(("n",), "owl", limit=100))
    assert len(set(everything)) == 20
    assert keys(filled.search_text(("n",), "owl", limit=5, offset=5)) == everything[5:10]
    even = keys(filled.search_text(("n",), "owl", filter={"even": True}, limit=100))
    assert even == [key for key in everything if int(key) % 2 == 0]


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("others", [5, 1500])
def test_a_score_is_the_same_wherever_one_looks_from(store, others):
    said = ["owl " * (number % 40 + 1) for number in range(1100)]
    puts = [PutOp(("here",), str(number), {"text": text}) for number, text in enumerate(said)]
    puts += [PutOp(("rest",), str(number), {"text": "owl and dog"}) for number in range(others)]
    store.batch(puts)
    here = store.search_text(("here",), "owl dog", limit=3000)
    everywhere = store.search_text((), "owl dog", limit=3000)
    assert len(here) == 1100
    assert {item.key: item.score for item in here} == {
        item.key: item.score for item in everywhere if item.namespace == ("here",)
    }


def test_better_hits_elsewhere_hide_none(store):
    puts = [PutOp(("most",), str(number), {"text": f"dog {number}"}) for number in range(1120)]
    puts += [PutOp(("rest",), str(number), {"text": "owl"}) for number in range(1100)]
    store.batch([*puts, PutOp(("most",), "it", {"text": "an owl among many dogs and cats"})])
    assert keys(store.search_text(("most",), "owl")) == ["it"]


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_small_namespace_is_not_looked_for_among_many_texts_without_vectors(open_store):
    with open_store(embeddings=None) as store:
        store.batch([PutOp(("old",), str(number), {"text": "owl"}) for number in range(600)])
    store = open_store()
    store.put(("new",), "it", {"text": "an owl and other birds"})
    assert len(store._records.search_text(("new",), ["owl"], 100)) == 1


def test_more_hits_than_are_read_at_first(store):
    store.batch([PutOp(("n",), str(number), {"text": f"owl {number}"}) for number in range(600)])
    assert len({item.key for item in store.search_text(("n",), "owl", limit=1000)}) == 600
    assert keys(store.search_text(("n",), "owl", filter={"text": "owl 0"})) == ["0"]


def test_index_false_update_and_delete_change_the_words(filled):
    filled.put(("a",), "tea", {"text": "now coffee"})
    assert keys(filled.search_text(("a",), "green")) == []
    filled.put(("a",), "tea", {"text": "now coffee"}, index=False)
    assert filled.search_text((), "coffee") == []
    filled.delete(("a",), "dog")
    assert filled.search_text((), "brown") == []


def test_the_whole_value_is_searched_by_default(open_store):
    store = open_store(embeddings=None)
    store.put(("a",), "k", {"title": "Tea", "parts": [{"n": 42, "deep": {"x": "owl"}}], "ok": True})
    for query in ("tea", "42", "owl"):
        assert keys(store.search_text((), query)) == ["k"]
    for query in ("title", "deep", "true"):
        assert store.search_text((), query) == []


@pytest.mark.parametrize("query", ["", "   ", "\0", '"', "* - ^ : ( )", "''"])
def test_a_query_without_words_finds_nothing(filled, query):
    assert filled.search_text((), query) == []


@pytest.mark.parametrize(
    "query", ["tea AND", "NOT tea", "body : tea", "NEAR(tea dog, 1)", 'te" OR "a', "tea*"]
)
def test_nothing_in_a_query_is_syntax(filled, query):
    assert "body" not in query_words(query) or filled.search_text((), "body") == []
    assert keys(filled.search_text(("a",), query + " tea"))[0] in {"tea", "dog"}


@given(query=st.text(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_text_may_be_asked(filled, query):
    for item in filled.search_text(("a",), query):
        assert item.score > 0
        assert item.namespace[0] == "a"


def test_a_wrong_filter_or_limit_is_refused(store):
    with pytest.raises(ConfigurationError, match="operator '\\$like'"):
        store.search_text((), "tea", filter={"a": {"$like": "b"}})
    with pytest.raises(ConfigurationError, match="limit -1"):
        store.search_text((), "tea", limit=-1)


async def test_the_async_form_answers_the_same(filled):
    assert keys(await filled.asearch_text(("a",), "green tea")) == ["tea", "dog"]


def test_function_words_of_a_query_find_nothing_unless_there_are_no_others(store):
    store.put(("a",), "landlord", {"text": "Our landlord is Mr Petrov"})
    store.put(("a",), "backup", {"text": "Backups of the data run at night"})
    assert keys(store.search_text((), "How often is our data saved?")) == ["backup"]
    assert keys(store.search_text((), "Is it our?")) == ["landlord"]
