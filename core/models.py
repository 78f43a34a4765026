"""Chat models by name: `provider:model`, as in `openai:gpt-5.4-mini` or `ollama:qwen3`.

`offline` is the rule-based model, which needs no key and no network. `openai:` is OpenAI,
or with a base URL any server that speaks its protocol; `ollama:`, `vllm:`, `llamacpp:` and
`lmstudio:` are such servers at their usual local addresses. `anthropic:` and others go
through LangChain, when the provider's package is installed.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, TypeAlias

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.runnables import Runnable
from pydantic import SecretStr

from cogwork.core.errors import ConfigurationError, UnknownNameError, redact
from cogwork.core.model_calls import ask_model, broke_off, explain_model_error
from cogwork.core.registry import nearest
from cogwork.core.settings import Settings, load_settings

__all__ = [
    "LOCAL_SERVERS",
    "ChatModel",
    "ask_model",
    "broke_off",
    "create_chat_model",
    "describe_model",
    "explain_model_error",
    "openai_server",
]

ChatModel: TypeAlias = Runnable[LanguageModelInput, Any]
"""A chat model, or one with fallbacks, which is a `Runnable` but no `BaseChatModel`."""

_DEFAULT_OPENAI = "openai:gpt-5.4-mini"  # a key is configured and no model is

LOCAL_SERVERS = {
    "ollama": "http://localhost:11434/v1",
    "vllm": "http://localhost:8000/v1",
    "llamacpp": "http://localhost:8080/v1",
    "lmstudio": "http://localhost:1234/v1",
}

# Package to install, and the variable that it reads its key from.
_LANGCHAIN_PROVIDERS = {
    "anthropic": ("langchain-anthropic", "ANTHROPIC_API_KEY"),
    "azure_openai": ("langchain-openai", "AZURE_OPENAI_API_KEY"),
    "bedrock_converse": ("langchain-aws", "AWS_ACCESS_KEY_ID"),
    "cohere": ("langchain-cohere", "COHERE_API_KEY"),
    "deepseek": ("langchain-deepseek", "DEEPSEEK_API_KEY"),
    "fireworks": ("langchain-fireworks", "FIREWORKS_API_KEY"),
    "google_genai": ("langchain-google-genai", "GOOGLE_API_KEY"),
    "google_vertexai": ("langchain-google-vertexai", "GOOGLE_APPLICATION_CREDENTIALS"),
    "groq": ("langchain-groq", "GROQ_API_KEY"),
    "huggingface": ("langchain-huggingface", "HUGGINGFACEHUB_API_TOKEN"),
    "mistralai": ("langchain-mistralai", "MISTRAL_API_KEY"),
    "nvidia": ("langchain-nvidia-ai-endpoints", "NVIDIA_API_KEY"),
    "openrouter": ("langchain-openrouter", "OPENROUTER_API_KEY"),
    "perplexity": ("langchain-perplexity", "PPLX_API_KEY"),
    "together": ("langchain-together", "TOGETHER_API_KEY"),
    "xai": ("langchain-xai", "XAI_API_KEY"),
}

_OF_SETTINGS = ("base_url", "api_key", "temperature", "timeout", "max_retries", "fallbacks")


def create_chat_model(
    model: str | ChatModel | None = None,
    *,
    settings: Settings | None = None,
    **kwargs: Any,
) -> ChatModel:
    """Create the chat model of this name, with its fallbacks; nothing is requested yet.

    Args:
        model: `"provider:name"` or `"offline"`. A chat model is returned as it is. None
            takes the configured one; without one, OpenAI's when a key is configured, and
            the offline model when none is.
        settings: Where names, addresses, keys and limits come from; else `load_settings()`.
        **kwargs: `base_url`, `api_key`, `temperature`, `timeout` (seconds), `max_retries`
            and `fallbacks` override the settings; others go to the model's class.

    Raises:
        UnknownNameError: No provider is called so.
        ConfigurationError: A key, a name, a package or a well-formed URL is missing.

    Examples:
        >>> create_chat_model("ollama:qwen3").model_name
        'qwen3'
    """
    if isinstance(model, Runnable):
        return model
    settings = settings or load_settings()
    own = {name: kwargs.pop(name) for name in _OF_SETTINGS if name in kwargs}
    settings = settings.model_copy(update=own)
    chosen, _ = _choose(model, settings)
    served = _split(chosen)[0]
    first = _create(chosen, settings, settings.base_url, kwargs)
    # An address belongs to the provider that was chosen; others are at their own.
    others = [
        _create(name, settings, settings.base_url if _split(name)[0] == served else None, kwargs)
        for name in settings.fallbacks
        if name != chosen
    ]
    return first.with_fallbacks(others) if others else first


def describe_model(settings: Settings | None = None, model: str | ChatModel | None = None) -> str:
    """Say in one line which model `create_chat_model` would use, where, and why.

    Raises:
        ConfigurationError: No model can be chosen.

    Examples:
        >>> describe_model(Settings(), "ollama:qwen3")
        'ollama:qwen3 at http://localhost:11434/v1 (asked for by name)'
    """
    if isinstance(model, Runnable):
        return f"{model.get_name()} (given as an object)"
    settings = settings or load_settings()
    chosen, reason = _choose(model, settings)
    provider, _ = _split(chosen)
    url = _address(provider, settings.base_url)
    where = f" at {redact(url)}" if url else ""
    others = [name for name in settings.fallbacks if name != chosen]
    after = f", then {', '.join(others)}" if others else ""
    return f"{chosen}{where}{after} ({reason})"


def _choose(model: str | None, settings: Settings) -> tuple[str, str]:
    """The name of the model to use, and why."""
    if model is not None:
        return model, "asked for by name"
    if settings.model:
        return settings.model, "configured; COGWORK_MODEL or the settings file"
    if settings.base_url:
        raise ConfigurationError(
            f"a server is configured ({redact(settings.base_url)}) but no model; set "
            "COGWORK_MODEL to 'openai:' and a name that the server knows"
        )
    if _key(settings):
        return _DEFAULT_OPENAI, "a key is configured and no model is; COGWORK_MODEL chooses one"
    return "offline", "no model and no key is configured; set COGWORK_MODEL or OPENAI_API_KEY"


def _split(name: str) -> tuple[str, str]:
    """Provider and model.

    Raises:
        UnknownNameError: There is no such provider.
        ConfigurationError: The model is missing.
    """
    provider, _, model = name.partition(":")
    known = ["offline", "openai", *LOCAL_SERVERS, *_LANGCHAIN_PROVIDERS]
    if provider not in known:
        raise UnknownNameError(
            f"no model is called '{name}'; write 'offline' or 'provider:name', for instance "
            f"'{_DEFAULT_OPENAI}'; '{provider}' is no provider, {nearest(provider, known)}"
        )
    if not model.strip() and provider != "offline":
        raise ConfigurationError(
            f"'{name}' names no model; write '{provider}:' and a name, as in '{_DEFAULT_OPENAI}'"
        )
    return provider, model.strip()


def _create(
    name: str, settings: Settings, base_url: str | None, kwargs: dict[str, Any]
) -> BaseChatModel:
    provider, model = _split(name)
    if provider == "offline":
        from cogwork.core.offline import OfflineChatModel

        return OfflineChatModel()
    if provider == "openai" or provider in LOCAL_SERVERS:
        return _create_openai(name, settings, base_url, kwargs)
    return _create_langchain(provider, model, settings, kwargs)


def _create_openai(
    name: str, settings: Settings, base_url: str | None, kwargs: dict[str, Any]
) -> BaseChatModel:
    _, model = _split(name)
    url, key = openai_server(
        f"model '{name}'", name, settings, base_url, otherwise="model 'offline'"
    )
    from langchain_openai import ChatOpenAI

    options: dict[str, Any] = {
        "base_url": url,
        "api_key": key,
        "timeout": settings.timeout,
        "stream_chunk_timeout": settings.timeout,
        "max_retries": settings.max_retries,
        "stream_usage": True,
        "http_client": _watched_client(settings.timeout),
    }
    if settings.temperature is not None:
        options["temperature"] = settings.temperature
    return ChatOpenAI(model=model, **options | kwargs)


def openai_server(
    what: str, name: str, settings: Settings, base_url: str | None, *, otherwise: str
) -> tuple[str | None, SecretStr]:
    """The address (None is OpenAI's own) and the key of a model with OpenAI's protocol.

    Args:
        what: What needs them, for messages: "model 'openai:x'".
        name: `"provider:name"`; the provider is `openai` or one of `LOCAL_SERVERS`.
        settings: Where the key comes from.
        base_url: The configured address; None takes the provider's usual one.
        otherwise: What to choose when there is no key, for the message.

    Raises:
        ConfigurationError: The address is no URL, or a key is missing.
    """
    provider = name.partition(":")[0]
    url = _address(provider, base_url)
    if url and not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"base_url '{url}' is no URL; it starts with http:// or https://")
    # The configured key is not sent to a server that nobody configured.
    key = _key(settings) if base_url or provider == "openai" else None
    if key is None and url is None:
        raise ConfigurationError(
            f"{what} needs a key; set OPENAI_API_KEY or COGWORK_API_KEY, set "
            f"COGWORK_BASE_URL for a server that needs none, or choose {otherwise}"
        )
    return url, key or SecretStr("not-needed")


def _create_langchain(
    provider: str, model: str, settings: Settings, kwargs: dict[str, Any]
) -> BaseChatModel:
    package, variable = _LANGCHAIN_PROVIDERS[provider]
    missing = [name for name in ("langchain", package) if not find_spec(name.replace("-", "_"))]
    if missing:
        raise ConfigurationError(
            f"model '{provider}:{model}' needs {' and '.join(missing)}; "
            f"run: pip install {' '.join(missing)}"
        )
    from langchain.chat_models import init_chat_model

    limits: dict[str, Any] = {"timeout": settings.timeout, "max_retries": settings.max_retries}
    if settings.temperature is not None:
        kwargs = {"temperature": settings.temperature, **kwargs}
    failure: Exception | None = None
    for options in (limits | kwargs, kwargs):  # not every class takes the limits
        try:
            created: BaseChatModel = init_chat_model(model, model_provider=provider, **options)
        except Exception as error:  # noqa: BLE001 - raised below
            failure = error
        else:
            return created
    raise ConfigurationError(
        f"model '{provider}:{model}' cannot be created: {redact(str(failure))}; "
        f"its key is read from {variable}"
    ) from failure


def _address(provider: str, base_url: str | None) -> str | None:
    if provider == "openai" or provider in LOCAL_SERVERS:
        return base_url or LOCAL_SERVERS.get(provider)
    return None


def _key(settings: Settings) -> SecretStr | None:
    key = settings.api_key
    if isinstance(key, str):
        key = SecretStr(key)
    return key if key and key.get_secret_value().strip() else None


@lru_cache(maxsize=16)
def _watched_client(seconds: float) -> Any:
    """A client of the openai package that gives up on a stream without events.

    A read timeout starts anew with every byte, also with the comments that keep a stalled
    stream alive. In async code langchain-openai's `stream_chunk_timeout` sees to that.
    """
    from openai import DefaultHttpxClient

    def watch(response: Any) -> None:
        if "text/event-stream" in response.headers.get("content-type", ""):
            read: Callable[..., Iterator[bytes]] = response.iter_bytes
            response.iter_bytes = lambda *args: _until_silent(read(*args), seconds)

    return DefaultHttpxClient(timeout=seconds, event_hooks={"response": [watch]})


def _until_silent(chunks: Iterable[bytes], seconds: float) -> Iterator[bytes]:
    waited, since = 0.0, time.monotonic()
    for chunk in chunks:
        waited = 0.0 if b"data:" in chunk else waited + time.monotonic() - since
        if waited > seconds:
            raise TimeoutError(f"no event for {seconds:g} s")
        yield chunk
        since = time.monotonic()
