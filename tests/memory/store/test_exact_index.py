"""What is kept in memory of the vectors, and how scores are put in order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cogwork.memory.store.exact_index import ExactIndex, descending
from cogwork.memory.store.rows import Space


class Written:
    """Records of vectors, six to a namespace, that tell what was read of them."""

    def __init__(self):
        self.read = []

    def vectors_since(self, namespace_ids, version):
        self.read.append((list(namespace_ids), version))
        return [
            (namespace, 10 * namespace + item, np.ones(2, "<f4").tobytes())
            for namespace in namespace_ids
            for item in range(6)
        ]


def test_a_namespace_is_forgotten_when_others_need_the_room():
    written = Written()
    index = ExactIndex(written, capacity=10)
    for namespace in (1, 1, 2, 2, 1):
        ids, scores = index.score([Space(namespace, 6, 3)], np.ones(2, np.float32))
        assert ids.tolist() == [10 * namespace + item for item in range(6)]
        assert scores.tolist() == [2.0] * 6
    assert written.read == [([1], -1), ([2], -1), ([1], -1)]


def test_many_namespaces_are_read_at_once_and_one_search_may_need_more_room():
    written = Written()
    index = ExactIndex(written, capacity=10)
    ids, _ = index.score([Space(number, 6, 1) for number in range(1, 6)], np.ones(2, np.float32))
    assert len(ids) == 30
    assert written.read == [([1, 2, 3, 4, 5], -1)]


class Changing:
    """Records of vectors that change, as a database would tell of them."""

    def __init__(self):
        self.version = dict.fromkeys(range(1, 4), 0)
        self.items = {}  # by namespace and item: version and vectors

    def change(self, namespace, item, numbers):
        self.version[namespace] += 1
        self.items.pop((namespace, 10 * namespace + item), None)
        if numbers:
            data = [np.array([number, 1], "<f4").tobytes() for number in numbers]
            self.items[namespace, 10 * namespace + item] = self.version[namespace], data

    def spaces(self, chosen):
        counts = {namespace: len(self.indexed_items(namespace)) for namespace in chosen}
        return [Space(each, counts[each], self.version[each]) for each in chosen if counts[each]]

    def vectors_since(self, namespaces, version):
        return [
            (namespace, item, data)
            for (namespace, item), (changed, datas) in self.items.items()
            if namespace in namespaces and changed > version
            for data in datas
        ]

    def indexed_items(self, namespace):
        return [
            item for (n, item), (_, datas) in self.items.items() if n == namespace for _ in datas
        ]


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 2), st.lists(st.integers(-9, 9), max_size=2))
        | st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True),
        min_size=8,
        max_size=40,
    ),
    st.integers(1, 12),
)
def test_what_is_in_memory_is_what_is_recorded(steps, capacity):
    records = Changing()
    index = ExactIndex(records, capacity)
    for step in steps:
        if isinstance(step, tuple):
            records.change(*step)
            continue
        ids, scores = index.score(records.spaces(step), np.array([1, 0], np.float32))
        expected = [
            (item, float(np.frombuffer(data, "<f4")[0]))
            for _, item, data in records.vectors_since(step, -1)
        ]
        assert sorted(zip(ids.tolist(), scores.tolist(), strict=True)) == sorted(expected)


@given(st.lists(st.floats(-1, 1, width=32), max_size=300), st.integers(1, 12), st.integers(0, 99))
def test_descending_yields_everything_in_order(values, copies, wanted):
    scores = np.array(values * copies, np.float32)
    ids = np.arange(len(scores), dtype=np.int64)
    portions = list(descending(ids, scores, wanted))
    found = [pair for part in portions for pair in zip(*part, strict=True)]
    assert found == sorted(found, key=lambda pair: (-pair[1], pair[0]))
    assert sorted(each for each, _ in found) == ids.tolist()
