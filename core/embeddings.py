"""Embeddings by name: `static`, or `provider:model` as in `openai:text-embedding-3-small`.

`static` is built in: a table that needs no key, network or PyTorch. `sentence-transformers:`
runs a model here. `openai:` is OpenAI, or with a base URL any server that speaks its
protocol; `ollama:`, `vllm:`, `llamacpp:` and `lmstudio:` are such servers at their usual
local addresses. Others go through LangChain, when the provider's package is installed.
"""

from importlib.util import find_spec
from typing import Any

from langchain_core.embeddings import Embeddings

from cogwork.core.embedding.checked import CheckedEmbeddings
from cogwork.core.errors import ConfigurationError, UnknownNameError, redact
from cogwork.core.models import LOCAL_SERVERS, openai_server
from cogwork.core.registry import nearest
from cogwork.core.settings import Settings, load_settings

__all__ = ["CheckedEmbeddings", "create_embeddings"]

_EXAMPLE = "openai:text-embedding-3-small"
_LOCAL = "sentence-transformers"

# Package to install, and the variable that it reads its key from.
_LANGCHAIN_PROVIDERS = {
    "azure_ai": ("langchain-azure-ai", "AZURE_AI_CREDENTIAL"),
    "azure_openai": ("langchain-openai", "AZURE_OPENAI_API_KEY"),
    "bedrock": ("langchain-aws", "AWS_ACCESS_KEY_ID"),
    "cohere": ("langchain-cohere", "COHERE_API_KEY"),
    "google_genai": ("langchain-google-genai", "GOOGLE_API_KEY"),
    "google_vertexai": ("langchain-google-vertexai", "GOOGLE_APPLICATION_CREDENTIALS"),
    "huggingface": ("langchain-huggingface", "HUGGINGFACEHUB_API_TOKEN"),
    "mistralai": ("langchain-mistralai", "MISTRAL_API_KEY"),
}

_OF_SETTINGS = ("base_url", "api_key", "timeout", "max_retries")


def create_embeddings(
    name: str | Embeddings | None = None,
    *,
    settings: Settings | None = None,
    batch_size: int = 256,
    cache_size: int = 1000,
    **kwargs: Any,
) -> CheckedEmbeddings:
    """Create the embeddings of this name; nothing is loaded or requested yet.

    Args:
        name: `"static"` or `"provider:model"`. LangChain `Embeddings` are wrapped. None
            takes the configured ones, which are `"static"` by default.
        settings: Where addresses, keys and limits come from; else `load_settings()`.
        batch_size: How many texts the model is given at once.
        cache_size: How many queries are remembered; 0 for none.
        **kwargs: `base_url`, `api_key`, `timeout` (seconds) and `max_retries` override the
            settings; others go to the model's class, as `device` or `dimensions`.

    Raises:
        UnknownNameError: No embeddings are called so.
        ConfigurationError: A key, a name, a package or a well-formed URL is missing.

    Examples:
        >>> len(create_embeddings("static").embed_query("A cat sleeps."))
        256
    """
    if isinstance(name, CheckedEmbeddings):
        return name
    if isinstance(name, Embeddings):
        return CheckedEmbeddings(name, batch_size=batch_size, cache_size=cache_size)
    if not isinstance(name, str | None):
        raise ConfigurationError(f"embeddings {name!r} are neither a name nor LangChain Embeddings")
    if name is None:
        settings = settings or load_settings()
        name = settings.embeddings
    provider, model = _split(name)
    return CheckedEmbeddings(
        _create(provider, model, settings, kwargs),
        identity=f"{provider}:{model}" if model else None,
        batch_size=batch_size,
        cache_size=cache_size,
    )


def _split(name: str) -> tuple[str, str]:
    """Provider and model.

    Raises:
        UnknownNameError: There is no such provider.
        ConfigurationError: The model is missing.
    """
    provider, _, model = name.partition(":")
    known = ["static", _LOCAL, "openai", *LOCAL_SERVERS, *_LANGCHAIN_PROVIDERS]
    if provider not in known or (provider == "static" and model):
        raise UnknownNameError(
            f"no embeddings are called '{name}'; write 'static' or 'provider:model', for "
            f"instance '{_EXAMPLE}'; '{provider}' is no provider, {nearest(provider, known)}"
        )
    if not model.strip() and provider != "static":
        raise ConfigurationError(
            f"'{name}' names no model; write '{provider}:' and a name, as in '{_EXAMPLE}'"
        )
    return provider, model.strip()


def _create(
    provider: str, model: str, settings: Settings | None, kwargs: dict[str, Any]
) -> Embeddings:
    if provider == "static":
        from cogwork.core.embedding.static import StaticEmbeddings

        return StaticEmbeddings()
    if provider == _LOCAL:
        from cogwork.core.embedding.sentences import SentenceEmbeddings

        return SentenceEmbeddings(model, **kwargs)
    if provider == "openai" or provider in LOCAL_SERVERS:
        return _create_openai(provider, model, settings or load_settings(), kwargs)
    return _create_langchain(provider, model, kwargs)


def _create_openai(
    provider: str, model: str, settings: Settings, kwargs: dict[str, Any]
) -> Embeddings:
    own = {key: kwargs.pop(key) for key in _OF_SETTINGS if key in kwargs}
    # The configured address is that of the chat model's provider.
    chat = (settings.model or provider).partition(":")[0]
    base_url = own.get("base_url", settings.base_url if chat == provider else None)
    settings = settings.model_copy(update=own)
    url, key = openai_server(
        f"embedding model '{provider}:{model}'",
        f"{provider}:{model}",
        settings,
        base_url,
        otherwise="embeddings 'static'",
    )
    from langchain_openai import OpenAIEmbeddings

    options: dict[str, Any] = {
        "base_url": url,
        "api_key": key,
        "timeout": settings.timeout,
        "max_retries": settings.max_retries,
        "chunk_size": 2048,  # batches are made before
        # Counting tokens would fetch a tokenizer, and servers of other models want texts.
        "check_embedding_ctx_length": False,
    }
    return OpenAIEmbeddings(model=model, **options | kwargs)


def _create_langchain(provider: str, model: str, kwargs: dict[str, Any]) -> Embeddings:
    package, variable = _LANGCHAIN_PROVIDERS[provider]
    missing = [name for name in ("langchain", package) if not find_spec(name.replace("-", "_"))]
    if missing:
        raise ConfigurationError(
            f"embeddings '{provider}:{model}' need {' and '.join(missing)}; "
            f"run: pip install {' '.join(missing)}"
        )
    from langchain.embeddings import init_embeddings

    try:
        created: Embeddings = init_embeddings(model, provider=provider, **kwargs)
    except Exception as error:
        raise ConfigurationError(
            f"embeddings '{provider}:{model}' cannot be created: {redact(str(error))}; "
            f"the key is read from {variable}"
        ) from error
    return created
