import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.memory import InMemoryStore

from cogwork.core.errors import ConfigurationError
from cogwork.memory.namespaces import user_namespace

HOSTILE = [
    *("ada", "Ada", "ada ", "ad", "ada.", "ada.shared", "*", "%", "%2e", ".", "..", "/", "ada/"),
    *("\x00", "a\x00da", "langgraph", "memories", "user-ada", "'; DROP TABLE store; --", "äda"),
    *("a\u0308da", "\ud800", "ada\n", "a" * 119, "a" * 120, "a" * 121, "." * 60, "\u202eada"),
    *('{"$ne": null}', "None", "$ne", "shared", "agent", "~"),
]
names = st.text(min_size=1, max_size=200) | st.sampled_from(HOSTILE)
agents = st.none() | names


def begins(one, other):
    return one == other[: len(one)]


@given(names, agents, names, agents)
def test_different_owners_never_share_and_never_contain_each_other(user, agent, other, another):
    one, two = user_namespace(user, agent), user_namespace(other, another)
    assert (one == two) == ((user, agent) == (other, another))
    assert one == two or not (begins(one, two) or begins(two, one))


@given(names, agents)
def test_every_store_takes_them(user, agent):
    store = InMemoryStore()
    namespace = user_namespace(user, agent)
    store.put(namespace, "key", {"text": "hers"})
    assert store.get(namespace, "key").value == {"text": "hers"}
    assert all(part.isascii() and part.isprintable() and len(part) < 200 for part in namespace)


def test_capitals_are_told_apart_without_case():
    assert user_namespace("ADA")[1].casefold() != user_namespace("ada")[1].casefold()


@pytest.mark.parametrize("nobody", ["", None, 7, b"ada"])
def test_nobody_has_no_memory(nobody):
    with pytest.raises(ConfigurationError):
        user_namespace(nobody)
