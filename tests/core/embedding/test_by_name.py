"""Embeddings by name, with a real server for those behind HTTP."""

import asyncio
import socket
import sys

import pytest
from openai_server import OpenAIServer, context_length_exceeded, embed, error, stall

from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ConfigurationError, ModelError, UnknownNameError
from cogwork.core.settings import Settings

KEY = "key-of-the-tests-1234"
NAME = "openai:text-embedding-3-small"


def vector(text):
    return [float(len(text)), 1.0]


def at(server, **options):
    options = {"timeout": 5.0, "max_retries": 0, "api_key": KEY} | options
    return create_embeddings(NAME, settings=Settings(base_url=server.url, **options))


def failure(line, **options):
    with OpenAIServer([line]) as server, pytest.raises(ModelError) as caught:
        at(server, **options).embed_query("tea")
    assert server.url in str(caught.value)
    assert "text-embedding-3-small" in str(caught.value)
    assert KEY not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("method", ["embed_documents", "aembed_documents"])
def test_texts_are_sent_as_texts_in_batches_each_once(method):
    with OpenAIServer([embed(vector)], forever=True) as server:
        embeddings = create_embeddings(
            NAME, settings=Settings(base_url=server.url, api_key=KEY), batch_size=2
        )
        found = getattr(embeddings, method)(["a", "bb", "a", "ccc"])
        found = asyncio.run(found) if method.startswith("a") else found
    assert found == [vector("a"), vector("bb"), vector("a"), vector("ccc")]
    assert [body["input"] for body in server.requests] == [["a", "bb"], ["ccc"]]
    assert server.requests[0]["model"] == "text-embedding-3-small"
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert embeddings.identity == NAME


def test_options_go_to_the_model_and_arguments_beat_settings():
    with OpenAIServer([embed(vector)]) as server:
        create_embeddings(
            NAME,
            settings=Settings(base_url="http://127.0.0.1:9/v1", api_key="other-key-1234"),
            base_url=server.url,
            api_key=KEY,
            dimensions=2,
        ).embed_query("tea")
    assert server.requests[0]["dimensions"] == 2
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_a_refused_key_says_what_to_check():
    caught = failure(error(401, "Incorrect API key provided", code="invalid_api_key"))
    assert "refuses the key" in str(caught)
    assert "COGWORK_API_KEY or OPENAI_API_KEY" in str(caught)
    assert not caught.transient


def test_a_rate_limit_may_be_tried_again():
    caught = failure(error(429, "Too many requests", retry_after=3))
    assert "limits the rate" in str(caught)
    assert caught.transient
    assert caught.details["retry_after"] == 3


def test_a_rate_limit_is_tried_again_as_often_as_configured():
    script = [error(429, "Too many requests", retry_after=0.01), embed(vector)]
    with OpenAIServer(script) as server:
        assert at(server, max_retries=1).embed_query("tea") == vector("tea")


def test_a_server_that_stalls_is_given_up():
    caught = failure(stall(), timeout=0.2)
    assert "within 0.2 s" in str(caught)
    assert caught.transient


def test_a_text_that_is_too_long_says_so():
    said = f"too long for embeddings '{NAME}'"
    script = [context_length_exceeded()]
    with OpenAIServer(script) as server, pytest.raises(ModelError, match=said) as caught:
        at(server).embed_documents(["tea " * 1000])
    assert caught.value.details["kind"] == "context"


def test_a_wrong_count_from_a_server_is_an_error_that_names_the_model():
    with OpenAIServer([lambda body: embed(vector)({"input": body["input"][:1]})]) as server:
        said = f"'{NAME}' answered 1 vectors for 2 texts"
        with pytest.raises(ModelError, match=said):
            at(server).embed_documents(["a", "b"])


def test_a_server_that_is_down_says_where_it_was_looked_for():
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    settings = Settings(base_url=url, max_retries=0)
    with pytest.raises(ModelError, match=rf"{url} cannot be reached.*COGWORK_BASE_URL") as caught:
        create_embeddings(NAME, settings=settings).embed_documents(["tea"])
    assert caught.value.transient


def test_the_address_of_another_provider_is_not_used():
    settings = Settings(base_url="http://127.0.0.1:9/v1", model="vllm:some-chat-model")
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        create_embeddings(NAME, settings=settings)
    settings = settings.model_copy(update={"api_key": KEY})
    local = create_embeddings("ollama:nomic-embed-text", settings=settings)
    assert local.inner.openai_api_base == "http://localhost:11434/v1"
    assert local.inner.openai_api_key.get_secret_value() != KEY


def test_a_missing_key_says_what_to_set():
    said = rf"'{NAME}' needs a key; set OPENAI_API_KEY .*embeddings 'static'"
    with pytest.raises(ConfigurationError, match=said):
        create_embeddings(NAME)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("statik", "did you mean 'static'"),
        ("openia:text-embedding-3-small", "did you mean 'openai'"),
        ("sentence-transformer:all-MiniLM-L6-v2", "did you mean 'sentence-transformers'"),
        ("static:small", "no embeddings are called 'static:small'"),
        ("", "write 'static' or 'provider:model'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, said):
    with pytest.raises(UnknownNameError, match=said):
        create_embeddings(name)


@pytest.mark.parametrize("name", ["openai:", "openai", "sentence-transformers: "])
def test_a_name_without_model_is_refused(name):
    with pytest.raises(ConfigurationError, match="names no model"):
        create_embeddings(name)


def test_what_is_neither_name_nor_embeddings_is_refused():
    with pytest.raises(ConfigurationError, match="embeddings 7 are neither"):
        create_embeddings(7)


def test_a_missing_package_says_how_to_install_it():
    with pytest.raises(ConfigurationError, match="pip install langchain-cohere"):
        create_embeddings("cohere:embed-v4.0")


def test_other_providers_come_from_langchain():
    embeddings = create_embeddings(
        "azure_openai:text-embedding-3-small",
        azure_endpoint="https://example.openai.azure.com",
        openai_api_version="2024-10-21",
        api_key=KEY,
    )
    assert type(embeddings.inner).__name__ == "AzureOpenAIEmbeddings"
    assert embeddings.identity == "azure_openai:text-embedding-3-small"


def test_a_provider_that_lacks_its_settings_says_so():
    with pytest.raises(ConfigurationError, match=r"cannot be created.*AZURE_OPENAI_API_KEY"):
        create_embeddings("azure_openai:text-embedding-3-small")


def test_without_a_name_the_configured_ones_are_taken(monkeypatch):
    assert create_embeddings().identity.startswith("static:")
    monkeypatch.setenv("COGWORK_EMBEDDINGS", "ollama:nomic-embed-text")
    assert create_embeddings().identity == "ollama:nomic-embed-text"


def test_creating_embeddings_loads_no_heavy_package():
    create_embeddings("static")
    assert "torch" not in sys.modules
