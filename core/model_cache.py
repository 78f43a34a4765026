"""A cache for chat models: what was asked before is answered at once, and asked once.

    model.cache = ModelCache()             LangChain's interface: `invoke`, and what builds on it
    model = ModelCache().wrap(model)       also streams, and identical calls make one

An answer that is kept has no id, and costs nothing in a budget. Do not wrap a model of which
you want different answers to one question, as an ensemble does.
"""

from collections.abc import Sequence
from typing import Any, TypeVar, cast
from uuid import uuid4

from langchain_core.caches import BaseCache
from langchain_core.language_models import BaseChatModel
from langchain_core.outputs import Generation
from langchain_core.runnables.base import RunnableBindingBase

from cogwork.core.cache_info import CacheInfo
from cogwork.core.cached_model import Answers, cached_model, key_of, tells_itself
from cogwork.core.caching import Limits, open_cache
from cogwork.core.errors import ConfigurationError
from cogwork.core.generations import read_generations

__all__ = ["ModelCache"]

T = TypeVar("T")


class ModelCache(BaseCache):
    """Remembers what models have answered, bounded, in memory or in a SQLite file.

    What is kept is JSON, of which nothing but messages and texts is made when it is read.
    What cannot be written so is not kept; a row that was not written so is forgotten, and the
    model is asked.

    Args:
        ttl: Seconds for which an answer holds; None for as long as there is room.
        max_entries: Answers that are kept; the one that was not used for longest goes first.
        max_bytes: What they may take together; None for no such limit.
        url: `sqlite:///file`, which processes share, or None for this process's memory.

    Raises:
        ConfigurationError: A limit is not positive, or the URL is none.
        MemoryStoreError: The file cannot be opened.

    Examples:
        >>> from cogwork import create_chat_model
        >>> cache = ModelCache(ttl=600)
        >>> model = cache.wrap(create_chat_model("offline"))
        >>> model.invoke("What is 6 * 7?").text == model.invoke("What is 6 * 7?").text
        True
        >>> cache.info().hits, cache.info().misses
        (1, 1)
    """

    def __init__(
        self,
        *,
        ttl: float | None = 3600.0,
        max_entries: int = 1_000,
        max_bytes: int | None = None,
        url: str | None = None,
    ) -> None:
        self._kept = open_cache(url, "models", Limits(ttl, max_entries, max_bytes))
        self._is_file = url is not None
        self._answers = Answers(self._kept)

    def wrap(self, model: T, *, name: str | None = None) -> T:
        """Return a copy of a chat model that asks this cache first, and asks together.

        Identical calls at the same time make one, from threads, tasks and several loops. An
        error is told to all who wait, and not kept. A stream is answered from the cache as
        one chunk; else it streams, waits for nobody who streams, and is kept at its end.

        Args:
            model: A chat model, also with tools bound. Models of one class and with the same
                parameters share their answers, whatever their keys are.
            name: Tells the model apart besides; a file needs one for a model that says
                nothing of its parameters.

        Raises:
            ConfigurationError: It is no chat model, or its name is missing.
        """
        if isinstance(model, RunnableBindingBase):
            return cast("T", model.model_copy(update={"bound": self.wrap(model.bound, name=name)}))
        if not isinstance(model, BaseChatModel):
            raise ConfigurationError(
                f"a {type(model).__name__} cannot be cached; wrap each chat model in it, and give "
                "a text model its cache=ModelCache(…)"
            )
        if name is None and not tells_itself(model):
            if self._is_file:
                raise ConfigurationError(
                    f"a {type(model).__name__} does not say what tells it apart from others of "
                    "its class; give it a name: wrap(model, name=…)"
                )
            name = uuid4().hex
        return cached_model(model, self._answers, name or "")

    def lookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """Return what was answered to a prompt, as LangChain asks for it."""
        return self._kept.get(key_of(prompt, llm_string), read_generations)

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Keep an answer."""
        if (data := self._answers.written(return_val)) is not None:
            self._kept.put(key_of(prompt, llm_string), data)

    async def alookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """Do what `lookup` does, without holding up the loop."""
        return await self._kept.aget(key_of(prompt, llm_string), read_generations)

    async def aupdate(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Do what `update` does, without holding up the loop."""
        if (data := self._answers.written(return_val)) is not None:
            await self._kept.aput(key_of(prompt, llm_string), data)

    def clear(self, **kwargs: Any) -> None:  # noqa: ARG002 - LangChain's; it knows of no part
        """Forget all answers."""
        self._kept.clear()

    def info(self) -> CacheInfo:
        """Return what it has done so far."""
        return self._kept.info()

    def close(self) -> None:
        """Close its file; it is opened again when it is needed."""
        self._kept.close()
