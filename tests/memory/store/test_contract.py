"""What LangGraph's stores do, held against its three and against ChromaStore on both databases.

Where one of LangGraph's has a fault, or they differ, the case is marked with the reason.
"""

import pytest
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from letters import LetterEmbeddings

FAULTS = {
    ("memory", "test_values_are_not_shared"): "InMemoryStore hands out what it holds",
    ("memory", "test_an_update_keeps_created_at"): "InMemoryStore makes it anew",
    ("sqlite", "test_an_update_keeps_created_at"): "SqliteStore makes it anew",
    ("memory", "test_ordering_comparisons_never_raise"): "InMemoryStore calls float()",
    ("sqlite", "test_ordering_comparisons_never_raise"): "SqliteStore casts texts to 0.0",
    ("memory", "test_last_updated_comes_first"): "InMemoryStore lists by insertion",
    ("sqlite", "test_last_updated_comes_first"): "SqliteStore's times have whole seconds",
    ("memory", "test_true_is_not_one"): "InMemoryStore compares as Python does",
    ("sqlite", "test_true_is_not_one"): "SQLite has no booleans",
    ("sqlite", "test_nested_fields_are_compared_in_part"): "SqliteStore takes them for operators",
    ("sqlite", "test_not_equal_holds_for_a_missing_field"): "NULL != x is NULL in SQL",
    ("sqlite", "test_names_of_fields_may_be_anything"): "SqliteStore refuses or splits them",
    ("sqlite", "test_a_filter_on_a_list"): "SqliteStore binds bytes, which equal no text",
    ("memory", "test_the_same_text_twice_in_a_batch"): "InMemoryStore counts texts and places",
    ("memory", "test_index_false_removes_the_old_vector"): "InMemoryStore keeps it",
    ("memory", "test_items_without_vector_are_no_hits"): "InMemoryStore fills up with them",
    ("memory", "test_expired_items_are_omitted"): "InMemoryStore knows no times to live",
    ("sqlite", "test_only_the_named_fields_are_indexed"): "SqliteStore reads `text_fields`",
    ("sqlite", "test_the_nearest_comes_first_by_distance_too"): "SqliteStore sorts l2 backwards",
    ("sqlite", "test_pages_by_vector_cover_everything_once"): "SqliteStore takes two pages",
    ("sqlite", "test_index_false_removes_the_old_vector"): "SqliteStore keeps it",
    ("sqlite", "test_expired_items_are_omitted"): "SqliteStore ignores `omit_expired`",
    ("sqlite", "test_the_async_methods_do_the_same"): "AsyncSqliteStore has them",
    ("postgres", "test_numbers_are_compared_as_numbers"): "PostgresStore: '10' < '2'",
    ("postgres", "test_ordering_comparisons_never_raise"): "PostgresStore compares texts",
    ("postgres", "test_nested_fields_are_compared_in_part"): "PostgresStore: unknown operator",
    ("postgres", "test_not_equal_holds_for_a_missing_field"): "NULL != x is NULL in SQL",
    ("postgres", "test_pages_by_vector_cover_everything_once"): "PostgresStore takes two pages",
    ("postgres", "test_index_false_removes_the_old_vector"): "PostgresStore keeps it",
}
KINDS = ("memory", "sqlite", "postgres", "chroma", "chroma-postgres")


@pytest.fixture(params=KINDS)
def kind_of_store(request):
    fault = FAULTS.get((request.param, request.function.__name__))
    if fault:
        request.applymarker(pytest.mark.xfail(reason=fault, strict=True))
    return request.param


@pytest.fixture
def any_store(kind_of_store, open_kind):
    return open_kind(kind_of_store)


@pytest.fixture
def more():
    """What only LangGraph's stores are told, SqliteStore by its own name for `fields`."""
    return {"text_fields": ["text"]}


@pytest.fixture
def vector_store(kind_of_store, open_kind, more):
    index = {"embed": LetterEmbeddings(), "dims": 32, "fields": ["text"]}
    is_ours = kind_of_store.startswith("chroma")
    return open_kind(kind_of_store, index=index if is_ours else index | more)


def keys(items):
    return [item.key for item in items]


def test_put_get_update_and_delete(any_store):
    any_store.put(("users", "ada"), "name", {"value": "Ada", "tags": ["a", None, 1.5]})
    found = any_store.get(("users", "ada"), "name")
    assert found.value == {"value": "Ada", "tags": ["a", None, 1.5]}
    assert (found.namespace, found.key) == (("users", "ada"), "name")
    any_store.put(("users", "ada"), "name", {"value": "Ada L."})
    assert any_store.get(("users", "ada"), "name").value == {"value": "Ada L."}
    any_store.delete(("users", "ada"), "name")
    assert any_store.get(("users", "ada"), "name") is None
    any_store.delete(("users", "ada"), "name")


def test_values_are_not_shared(any_store):
    value = {"list": [1]}
    any_store.put(("a",), "k", value)
    value["list"].append(2)
    any_store.get(("a",), "k").value["list"].append(3)
    any_store.search(("a",))[0].value["list"].append(4)
    assert any_store.get(("a",), "k").value == {"list": [1]}


def test_an_update_keeps_created_at(any_store):
    any_store.put(("a",), "k", {"n": 1})
    first = any_store.get(("a",), "k")
    created = any_store.search(("a",))[0].created_at
    while not any_store.get(("a",), "k").updated_at > first.updated_at:
        any_store.put(("a",), "k", {"n": 2})
    assert any_store.get(("a",), "k").created_at == created == first.created_at


@pytest.mark.parametrize("namespace", [(), ("",), ("a.b",), ("a", 1), ("langgraph", "x"), ("\0",)])
def test_namespaces_langgraph_refuses_are_refused(any_store, namespace):
    with pytest.raises(InvalidNamespaceError):
        any_store.put(namespace, "k", {})


def test_a_prefix_is_of_whole_labels(any_store):
    for namespace in (("user",), ("user", "1"), ("user1",), ("User",), ("user*",), ("us", "er")):
        any_store.put(namespace, "k", {})
    found = {item.namespace for item in any_store.search(("user",))}
    assert found == {("user",), ("user", "1")}
    assert len(any_store.search(())) == 6


def test_any_label_and_key_comes_back(any_store):
    odd = ("%_?*[a]", "ä ß\t\n\x1f", "'\";--", "🦊/\\", "٣")
    for number, key in enumerate(["a.b", " ", "ü\n", "'; DROP TABLE items", "x" * 3000]):
        any_store.put(odd, key, {"n": number})
        assert any_store.get(odd, key).value == {"n": number}
    assert {item.namespace for item in any_store.search(odd[:2])} == {odd}
    assert any_store.list_namespaces(prefix=odd[:1]) == [odd]


def test_last_updated_comes_first(any_store):
    for key in ("b", "a", "c", "a"):
        any_store.put(("x",), key, {})
    assert keys(any_store.search(("x",))) == ["a", "c", "b"]
    assert keys(any_store.search(("x",), limit=2, offset=1)) == ["c", "b"]


def test_pages_cover_everything_once(any_store):
    for number in range(25):
        any_store.put(("x",), f"{number:02}", {})
    pages = [any_store.search(("x",), limit=10, offset=start) for start in (0, 10, 20, 30)]
    assert [len(page) for page in pages] == [10, 10, 5, 0]
    assert len({item.key for page in pages for item in page}) == 25


FILTERED = {
    "a": {"n": 1, "kind": "fact", "deep": {"x": 1, "y": 2}},
    "b": {"n": 2.5, "kind": "fact", "flag": True},
    "c": {"n": 10, "kind": "event", "none": None},
}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"kind": "fact"}, "ab"),
        ({"kind": "fact", "n": 1}, "a"),
        ({"kind": "nothing"}, ""),
        ({"n": {"$eq": 1.0}}, "a"),
        ({"kind": {"$ne": "fact"}}, "c"),
        ({"flag": True}, "b"),
        ({}, "abc"),
    ],
)
def test_filters(any_store, wanted, expected):
    for key, value in FILTERED.items():
        any_store.put(("x",), key, value)
    assert sorted(keys(any_store.search(("x",), filter=wanted))) == list(expected)


def test_numbers_are_compared_as_numbers(any_store):
    for key, value in FILTERED.items():
        any_store.put(("x",), key, value)
    for wanted, expected in (
        ({"$gt": 2}, "bc"),
        ({"$gte": 2.5, "$lt": 10}, "b"),
        ({"$lte": 10}, "abc"),
    ):
        assert sorted(keys(any_store.search(("x",), filter={"n": wanted}))) == list(expected)


def test_nested_fields_are_compared_in_part(any_store):
    for key, value in FILTERED.items():
        any_store.put(("x",), key, value)
    assert keys(any_store.search(("x",), filter={"deep": {"x": 1}})) == ["a"]
    assert keys(any_store.search(("x",), filter={"deep": {"x": 2}})) == []


def test_not_equal_holds_for_a_missing_field(any_store):
    for key, value in FILTERED.items():
        any_store.put(("x",), key, value)
    assert sorted(keys(any_store.search(("x",), filter={"flag": {"$ne": True}}))) == ["a", "c"]


def test_a_filter_on_a_list(any_store):
    any_store.put(("x",), "k", {"tags": ["a", "b"]})
    assert keys(any_store.search(("x",), filter={"tags": {"$eq": ["a", "b"]}})) == ["k"]
    assert keys(any_store.search(("x",), filter={"tags": {"$eq": ["b", "a"]}})) == []


def test_ordering_comparisons_never_raise(any_store):
    for key, value in enumerate([9, "9", None, [1], {"a": 1}, "text", 10]):
        any_store.put(("x",), str(key), {"n": value})
    any_store.put(("x",), "missing", {})
    assert {"0", "6"} <= set(keys(any_store.search(("x",), filter={"n": {"$gt": 8}})))
    assert "4" not in keys(any_store.search(("x",), filter={"n": {"$gte": "a"}}))
    assert keys(any_store.search(("x",), filter={"n": {"$lt": [2]}})) == []
    assert "5" not in keys(any_store.search(("x",), filter={"n": {"$lt": 1}}))


def test_true_is_not_one(any_store):
    any_store.put(("x",), "k", {"n": 1})
    assert any_store.search(("x",), filter={"n": True}) == []


def test_names_of_fields_may_be_anything(any_store):
    for name in ("a.b", "it's", 'say "hi"', "ä", "$weird", ""):
        any_store.put(("x",), name or "empty", {name: "yes", "a": {"b": "no"}})
        assert keys(any_store.search(("x",), filter={name: "yes"})) == [name or "empty"]


def test_a_batch_answers_in_order_and_reads_before_it_writes(any_store):
    any_store.put(("x",), "old", {"n": 1})
    results = any_store.batch(
        [
            PutOp(("x",), "new", {"n": 2}),
            GetOp(("x",), "new"),
            SearchOp(("x",)),
            PutOp(("x",), "old", None),
            GetOp(("x",), "old"),
            ListNamespacesOp(),
            PutOp(("y",), "twice", {"n": 1}),
            PutOp(("y",), "twice", {"n": 2}),
        ]
    )
    assert results[0] is results[1] is results[3] is results[6] is None
    assert keys(results[2]) == ["old"]
    assert results[4].value == {"n": 1}
    assert results[5] == [("x",)]
    assert any_store.get(("y",), "twice").value == {"n": 2}
    assert any_store.get(("x",), "old") is None
    assert any_store.get(("x",), "new").value == {"n": 2}


def test_a_put_and_a_delete_of_one_key_in_a_batch(any_store):
    any_store.batch([PutOp(("x",), "k", {}), PutOp(("x",), "k", None)])
    assert any_store.get(("x",), "k") is None
    any_store.batch([PutOp(("x",), "k", None), PutOp(("x",), "k", {"n": 1})])
    assert any_store.get(("x",), "k").value == {"n": 1}


NAMESPACES = [
    ("a", "b", "c"),
    ("a", "b", "d", "e"),
    ("a", "b", "d", "i"),
    ("a", "b", "f"),
    ("a", "c", "f"),
    ("b", "a", "f"),
    ("users", "12", "f"),
]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, NAMESPACES),
        (
            {"prefix": ("a", "b"), "max_depth": 3},
            [("a", "b", "c"), ("a", "b", "d"), ("a", "b", "f")],
        ),
        ({"prefix": ("a",), "suffix": ("f",)}, [("a", "b", "f"), ("a", "c", "f")]),
        ({"prefix": ("*", "a")}, [("b", "a", "f")]),
        ({"prefix": ("a", "*", "f")}, [("a", "b", "f"), ("a", "c", "f")]),
        ({"suffix": ("d", "*")}, [("a", "b", "d", "e"), ("a", "b", "d", "i")]),
        ({"prefix": ("user",)}, []),
        ({"prefix": ("a", "b", "c", "d")}, []),
        ({"max_depth": 1}, [("a",), ("b",), ("users",)]),
        ({"limit": 2, "offset": 1}, NAMESPACES[1:3]),
        ({"limit": 2, "offset": 9}, []),
    ],
)
def test_list_namespaces(any_store, options, expected):
    for namespace in NAMESPACES:
        any_store.put(namespace, "k", {})
    assert any_store.list_namespaces(**options) == expected


def test_several_conditions_on_namespaces_all_hold(any_store):
    for namespace in NAMESPACES:
        any_store.put(namespace, "k", {})
    conditions = (MatchCondition("prefix", ("a",)), MatchCondition("prefix", ("*", "b")))
    [found] = any_store.batch([ListNamespacesOp(conditions)])
    assert found == NAMESPACES[:4]


def test_a_query_without_embeddings_lists(any_store):
    any_store.put(("x",), "k", {"text": "tea"})
    [found] = any_store.search(("x",), query="tea")
    assert (found.key, found.score) == ("k", None)


def test_the_nearest_comes_first(vector_store):
    for key, text in (("tea", "green tea"), ("dog", "a brown dog"), ("teapot", "green teapot")):
        vector_store.put(("x",), key, {"text": text})
    found = vector_store.search(("x",), query="green tea")
    assert keys(found) == ["tea", "teapot", "dog"]
    assert found[0].score == pytest.approx(1.0)
    assert [item.score for item in found] == sorted((i.score for i in found), reverse=True)


@pytest.mark.parametrize("more", [{}])
def test_only_the_named_fields_are_indexed(vector_store):
    vector_store.put(("x",), "k", {"text": "green tea", "title": "a brown dog"})
    [found] = vector_store.search(("x",), query="green tea")
    assert found.score == pytest.approx(1.0)


@pytest.mark.parametrize("more", [{"text_fields": ["text"], "distance_type": "l2"}])
def test_the_nearest_comes_first_by_distance_too(vector_store):
    for key in ("green tea", "a brown dog", "green teapot"):
        vector_store.put(("x",), key, {"text": key})
    found = vector_store.search(("x",), query="green tea")
    assert keys(found) == ["green tea", "green teapot", "a brown dog"]


def test_pages_by_vector_cover_everything_once(vector_store):
    for number in range(30):
        vector_store.put(("x",), str(number), {"text": f"tea number {number}"})
    pages = [vector_store.search(("x",), query="tea", limit=7, offset=o) for o in range(0, 35, 7)]
    assert [len(page) for page in pages] == [7, 7, 7, 7, 2]
    assert len({item.key for page in pages for item in page}) == 30


def test_the_best_of_several_vectors_counts(vector_store):
    value = {"parts": [{"text": "green tea"}, {"text": "a brown dog"}]}
    vector_store.put(("x",), "both", value, index=["parts[*].text"])
    vector_store.put(("x",), "one", {"text": "a browny dog"})
    for query in ("green tea", "a brown dog"):
        found = vector_store.search(("x",), query=query)
        assert keys(found) == ["both", "one"]
        assert found[0].score == pytest.approx(1.0)


def test_the_same_text_twice_in_a_batch(vector_store):
    vector_store.batch([PutOp(("x",), key, {"text": "green tea"}) for key in "ab"])
    found = vector_store.search(("x",), query="green tea")
    assert sorted(keys(found)) == ["a", "b"]
    assert all(item.score == pytest.approx(1.0) for item in found)


def test_index_false_removes_the_old_vector(vector_store):
    vector_store.put(("x",), "k", {"text": "green tea"})
    vector_store.put(("x",), "k", {"text": "green tea"}, index=False)
    assert all(item.score is None for item in vector_store.search(("x",), query="green tea"))


def test_items_without_vector_are_no_hits(vector_store):
    vector_store.put(("x",), "k", {"text": "green tea"}, index=False)
    vector_store.put(("x",), "other", {"title": "no such field"})
    assert vector_store.search(("x",), query="green tea") == []
    assert len(vector_store.search(("x",))) == 2


def test_filters_and_queries_together(vector_store):
    for number in range(40):
        vector_store.put(("x",), str(number), {"text": f"tea {number}", "odd": number % 2 == 1})
    found = vector_store.search(("x",), query="tea 8", filter={"odd": False}, limit=5)
    assert found[0].key == "8"
    assert len(found) == 5
    assert all(int(item.key) % 2 == 0 for item in found)


def test_expired_items_are_omitted(kind_of_store, open_kind):
    store = open_kind(kind_of_store, ttl={"omit_expired": True})
    store.put(("x",), "gone", {}, ttl=0)
    store.put(("x",), "here", {}, ttl=60)
    assert store.get(("x",), "gone") is None
    assert keys(store.search(("x",))) == ["here"]


async def test_the_async_methods_do_the_same(vector_store):
    await vector_store.aput(("x", "y"), "k", {"text": "green tea"})
    assert (await vector_store.aget(("x", "y"), "k")).value == {"text": "green tea"}
    assert keys(await vector_store.asearch(("x",), query="green tea")) == ["k"]
    assert await vector_store.alist_namespaces(suffix=("y",)) == [("x", "y")]
    results = await vector_store.abatch([GetOp(("x", "y"), "k"), PutOp(("x", "y"), "k", None)])
    assert results[0].key == "k"
    await vector_store.adelete(("x", "y"), "k")
    assert await vector_store.aget(("x", "y"), "k") is None
