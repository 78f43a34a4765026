import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableWithFallbacks
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from openai_server import OpenAIServer, error, say
from pydantic import SecretStr
from scripted import ScriptedChatModel

from cogwork.core.errors import ConfigurationError, UnknownNameError
from cogwork.core.models import create_chat_model, describe_model
from cogwork.core.settings import Settings

KEY = SecretStr("a-configured-key")


def create(name: str | None = None, /, *, kwargs: Any = None, **settings: Any) -> Any:
    return create_chat_model(name, settings=Settings(**settings), **(kwargs or {}))


def describe(name: str | None = None, /, **settings: Any) -> str:
    return describe_model(Settings(**settings), name)


def key_of(model: ChatOpenAI) -> str:
    assert isinstance(model.openai_api_key, SecretStr)
    return model.openai_api_key.get_secret_value()


def test_model_passes_through() -> None:
    model = ScriptedChatModel(script=[])
    assert create_chat_model(model) is model
    assert create_chat_model(bound := model.bind(stop=["x"])) is bound
    assert describe_model(model=model) == "ScriptedChatModel (given as an object)"


def test_without_model_and_key_the_offline_model_answers() -> None:
    from cogwork.core.offline import OfflineChatModel

    assert isinstance(create(), OfflineChatModel)
    assert isinstance(create_chat_model(), OfflineChatModel)
    assert isinstance(create("offline", api_key=KEY), OfflineChatModel)
    assert describe().startswith("offline (no model and no key is configured; set COGWORK_MODEL")


def test_key_without_model_means_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-environment")
    model = create_chat_model()
    assert isinstance(model, ChatOpenAI)
    assert key_of(model) == "key-of-the-environment"
    assert describe_model().startswith(f"openai:{model.model_name} (a key is configured")


def test_settings_reach_openai() -> None:
    model = create("openai:gpt-4.1-mini", api_key=KEY, temperature=0.5, timeout=7, max_retries=4)
    assert isinstance(model, ChatOpenAI)
    assert (model.model_name, model.temperature) == ("gpt-4.1-mini", 0.5)
    assert (model.request_timeout, model.stream_chunk_timeout, model.max_retries) == (7, 7, 4)
    assert key_of(model) == "a-configured-key"
    assert model.openai_api_base is None


def test_arguments_override_the_settings_and_others_reach_the_class() -> None:
    given = {"temperature": 0.1, "api_key": "another-key", "max_tokens": 9, "timeout": 3}
    model = create("openai:gpt-4.1-mini", kwargs=given, api_key=KEY, temperature=1.5)
    assert (model.temperature, model.max_tokens, model.request_timeout) == (0.1, 9, 3)
    assert key_of(model) == "another-key"


@pytest.mark.parametrize("key", [None, SecretStr(""), SecretStr("  ")])
def test_missing_key_is_said_before_anything_is_requested(key: Any) -> None:
    with pytest.raises(ConfigurationError, match="set OPENAI_API_KEY or COGWORK_API_KEY"):
        create("openai:gpt-4.1-mini", api_key=key)


def test_server_of_ones_own_needs_no_key() -> None:
    with OpenAIServer([say("Hello.")]) as server:
        assert create("openai:qwen3:8b", base_url=server.url).invoke("Hi").text == "Hello."
    assert server.requests[0]["model"] == "qwen3:8b"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("ollama:qwen3:8b", "http://localhost:11434/v1"),
        ("vllm:Qwen/Qwen3-8B", "http://localhost:8000/v1"),
        ("llamacpp:any", "http://localhost:8080/v1"),
        ("lmstudio:qwen3", "http://localhost:1234/v1"),
    ],
)
def test_local_servers_are_at_their_usual_address(name: str, url: str) -> None:
    model = create(name, api_key=KEY)
    assert (model.openai_api_base, model.model_name) == (url, name.partition(":")[2])
    assert key_of(model) != "a-configured-key", "a key went to a server nobody configured"
    assert describe(name) == f"{name} at {url} (asked for by name)"


def test_local_server_elsewhere_gets_the_configured_key() -> None:
    model = create("vllm:m", base_url="http://gpu:8000/v1", api_key=KEY)
    assert (model.openai_api_base, key_of(model)) == ("http://gpu:8000/v1", "a-configured-key")
    described = describe("vllm:m", base_url="http://me:pass@gpu:8000/v1")
    assert described == "vllm:m at http://me:***@gpu:8000/v1 (asked for by name)"


def test_server_without_a_model_asks_for_one() -> None:
    for function in (create, describe):
        with pytest.raises(ConfigurationError, match="COGWORK_MODEL to 'openai:' and a name"):
            function(base_url="http://gpu:8000/v1")


def test_address_without_scheme_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'gpu:8000/v1' is no URL; it starts with http"):
        create("openai:m", kwargs={"base_url": "gpu:8000/v1"})


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("opnai:gpt-5", "did you mean 'openai'"),
        ("olama:qwen3", "did you mean 'ollama'"),
        ("antropic:claude", "did you mean 'anthropic'"),
        ("ofline", "did you mean 'offline'"),
        ("gpt-5-mini", "for instance 'openai:"),
        ("", "for instance 'openai:"),
    ],
)
def test_unknown_provider_offers_the_nearest(name: str, offered: str) -> None:
    with pytest.raises(UnknownNameError, match=offered):
        create(name)


@pytest.mark.parametrize("name", ["openai", "openai:", "ollama: "])
def test_provider_without_a_model_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="names no model"):
        create(name, api_key=KEY)


def test_provider_whose_package_is_absent_names_it() -> None:
    with pytest.raises(ConfigurationError, match="run: pip install langchain-xai"):
        create("xai:grok-4")


def test_other_providers_come_through_langchain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-key")
    given = {"azure_endpoint": "http://azure", "api_version": "2024-10-21"}
    model = create("azure_openai:gpt-4.1", kwargs=given, timeout=5, temperature=0.2)
    assert isinstance(model, AzureChatOpenAI)
    assert (model.request_timeout, model.temperature, key_of(model)) == (5, 0.2, "azure-key")
    assert describe("azure_openai:gpt-4.1") == "azure_openai:gpt-4.1 (asked for by name)"


def test_provider_that_takes_no_limits_comes_without_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "langchain_xai.py").write_text(
        "from langchain_core.language_models import FakeListChatModel\n"
        "class ChatXAI(FakeListChatModel, extra='forbid'):\n"
        "    model: str\n"
        "    temperature: float\n"
        "    responses: list[str] = ['Hello.']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = create("xai:grok-4", temperature=0.3)
    monkeypatch.delitem(sys.modules, "langchain_xai")
    assert (model.model, model.temperature) == ("grok-4", 0.3)


def test_provider_without_its_key_names_the_variable() -> None:
    given = {"azure_endpoint": "http://azure", "api_version": "2024-10-21"}
    with pytest.raises(ConfigurationError, match="its key is read from AZURE_OPENAI_API_KEY"):
        create("azure_openai:gpt-4.1", kwargs=given)


def test_fallbacks_answer_in_their_order() -> None:
    with OpenAIServer([error(500), error(401), say("It is me.")]) as server:
        settings = {"base_url": server.url, "max_retries": 0}
        names = ("openai:two", "openai:one", "openai:three")
        model = create("openai:one", fallbacks=names, **settings)
        assert isinstance(model, RunnableWithFallbacks)
        assert model.bind_tools([]).invoke("Hello").text == "It is me."
    assert [request["model"] for request in server.requests] == ["one", "two", "three"]


def test_address_is_not_taken_for_fallbacks_of_other_providers() -> None:
    model = create(
        "ollama:one",
        base_url="http://gpu/v1",
        api_key=KEY,
        fallbacks=("openai:two", "ollama:three"),
    )
    two, three = model.fallbacks
    assert (two.openai_api_base, key_of(two)) == (None, "a-configured-key")
    assert three.openai_api_base == "http://gpu/v1"


def test_fallbacks_are_described() -> None:
    described = describe(model="ollama:one", fallbacks=("offline",))
    assert "ollama:one at http://localhost:11434/v1, then offline (configured" in described


def test_unknown_fallback_is_refused_at_once() -> None:
    with pytest.raises(UnknownNameError, match="no model is called 'opnai:x'"):
        create("ollama:one", fallbacks=("opnai:x",))


def test_bound_and_structured_fallbacks_are_models_too() -> None:
    model: Any = create("ollama:one", fallbacks=("ollama:two",))
    schema = {"title": "X", "type": "object", "properties": {}}
    for each in (model.bind_tools([]), model.with_structured_output(schema, include_raw=True)):
        assert isinstance(each, RunnableWithFallbacks)
    assert isinstance(model.runnable, BaseChatModel)


def test_importing_and_describing_loads_no_provider() -> None:
    code = (
        "import sys; from cogwork.core.models import describe_model;"
        "describe_model(model='openai:gpt-5-mini');"
        "print([m for m in ('openai', 'langchain_openai', 'langchain') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
