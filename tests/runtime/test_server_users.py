"""The server with tokens: each user sees what is theirs, also after it was started again."""

import hashlib

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.errors import APIStatusError, AuthenticationError
from served import served

from cogwork.core.errors import ConfigurationError
from cogwork.memory.namespaces import user_namespace
from cogwork.runtime.server_auth import read_tokens

AUTH = {"path": "cogwork.runtime.server_auth:auth"}
ASK = {"messages": [{"role": "user", "content": "What is 6 * 7?"}]}


def _tokens(**tokens):
    sums = {user: hashlib.sha256(token.encode()).hexdigest() for user, token in tokens.items()}
    return ",".join(f"{user}={digest}" for user, digest in sums.items())


def _client(url, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return get_client(url=url, api_key=None, headers=headers)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_users_see_what_is_theirs_and_threads_outlive_the_server(tmp_path):
    env = {"COGWORK_SERVER_TOKENS": _tokens(ada="a-secret", bob="b-secret")}
    with served(tmp_path, env=env, auth=AUTH) as url:
        for token in (None, "wrong"):
            async with _client(url, token) as stranger:
                with pytest.raises(AuthenticationError, match=r"Bearer|not known"):
                    await stranger.threads.create()
        async with _client(url, "a-secret") as ada, _client(url, "b-secret") as bob:
            thread = (await ada.threads.create())["thread_id"]
            await ada.runs.wait(thread, "react", input=ASK)
            with pytest.raises(APIStatusError, match="not found"):
                await bob.threads.get_state(thread)
            assert await bob.threads.search() == []
            assert await bob.assistants.search(graph_id="react")

            await ada.runs.wait(None, "assistant", input=_said("I live in Turin."))
            memories = user_namespace("ada")
            assert (await ada.store.search_items(memories[:2]))["items"]
            with pytest.raises(APIStatusError, match="Forbidden"):
                await bob.store.search_items(memories[:2])
            with pytest.raises(APIStatusError, match="Forbidden"):
                await bob.store.search_items(())

    with served(tmp_path, env=env, auth=AUTH) as url:
        async with _client(url, "a-secret") as ada, _client(url, "b-secret") as bob:
            state = await ada.threads.get_state(thread)
            assert "42" in state["values"]["messages"][-1]["content"]
            done = await ada.runs.wait(None, "assistant", input=_said("Where do I live?"))
            assert "Turin" in str(done["recalled"])
            done = await bob.runs.wait(None, "assistant", input=_said("Where do I live?"))
            assert not done["recalled"]


def _said(text):
    return {"messages": [{"role": "user", "content": text}]}


def test_tokens_are_read_by_user(monkeypatch):
    monkeypatch.setenv("COGWORK_SERVER_TOKENS", f" {_tokens(ada='x')} , {_tokens(bob='y')}")
    assert set(read_tokens()) == {"ada", "bob"}


@pytest.mark.parametrize(
    "told",
    ["ada", "=" + 64 * "0", "ada=secret", _tokens(a="x") + ",a=" + 64 * "0"],
    ids=str.__len__,
)
def test_a_wrong_entry_is_named_without_what_it_holds(monkeypatch, told):
    monkeypatch.setenv("COGWORK_SERVER_TOKENS", told)
    with pytest.raises(ConfigurationError, match="COGWORK_SERVER_TOKENS") as caught:
        read_tokens()
    assert "secret" not in str(caught.value)
