"""Embeddings whose answers are checked, whose texts are batched, and whose queries are kept."""

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from langchain_core.embeddings import Embeddings
from langgraph.store.base.embed import EmbeddingsLambda

from cogwork.core.bridge import run_blocking
from cogwork.core.errors import CogworkError, ConfigurationError, ModelError
from cogwork.core.model_calls import explain_model_error
from cogwork.core.retry import is_transient

__all__ = ["CheckedEmbeddings"]

_LONGEST_KEPT = 10_000  # characters of a query that is worth remembering
_REPLACE = "correct or replace the embeddings"

Vector = list[float]


class CheckedEmbeddings(Embeddings):
    """Wraps LangChain `Embeddings`; safe to share between threads.

    Each unique text of a call is embedded once, in batches. Answers are lists of finite
    numbers, all of one length, as many as there were texts.

    Args:
        inner: What embeds.
        identity: What tells these embeddings from others, to be saved with the vectors.
            Else the inner `identity`, or its class and model.
        batch_size: How many texts the inner embeddings are given at once.
        cache_size: How many queries are remembered; 0 for none.

    Raises:
        ConfigurationError: A size is too small.
    """

    def __init__(
        self,
        inner: Embeddings,
        *,
        identity: str | None = None,
        batch_size: int = 256,
        cache_size: int = 1000,
    ) -> None:
        for name, size, least in (("batch_size", batch_size, 1), ("cache_size", cache_size, 0)):
            if size < least:
                raise ConfigurationError(f"{name} is {size}; give {least} or more")
        self.inner = inner
        self.identity = identity or _identity(inner)
        self.dimensions: int | None = None
        """How long the vectors are; None before the first."""
        self._batch_size = batch_size
        self._cache_size = cache_size
        self._cache: OrderedDict[str, Vector] = OrderedDict()
        self._lock = threading.Lock()

    def embed_documents(self, texts: list[str]) -> list[Vector]:
        """Return a vector for each text.

        Raises:
            ModelError: The model cannot be reached, refuses, or answers no such vectors.
        """
        if self._is_async_only():
            return run_blocking(self.aembed_documents, texts)
        unique = _unique(texts)
        found: list[Vector] = []
        for batch in self._batches(unique):
            try:
                answer = self.inner.embed_documents(batch)
            except Exception as error:
                raise self._failed(error) from error
            found += self._checked(batch, answer)
        return _in_order(texts, unique, found)

    def embed_query(self, text: str) -> Vector:
        """Return the vector of a query, which is remembered; raises as `embed_documents`."""
        if self._is_async_only():
            return run_blocking(self.aembed_query, text)
        text = _clean(text)
        kept = self._recalled(text)
        if kept is None:
            try:
                answer = self.inner.embed_query(text)
            except Exception as error:
                raise self._failed(error) from error
            kept = self._remembered(text, answer)
        return list(kept)

    async def aembed_documents(self, texts: list[str]) -> list[Vector]:
        """Do what `embed_documents` does through the model's async methods."""
        unique = _unique(texts)
        found: list[Vector] = []
        for batch in self._batches(unique):
            try:
                answer = await self.inner.aembed_documents(batch)
            except Exception as error:
                raise self._failed(error) from error
            found += self._checked(batch, answer)
        return _in_order(texts, unique, found)

    async def aembed_query(self, text: str) -> Vector:
        """Do what `embed_query` does through the model's async methods."""
        text = _clean(text)
        kept = self._recalled(text)
        if kept is None:
            try:
                answer = await self.inner.aembed_query(text)
            except Exception as error:
                raise self._failed(error) from error
            kept = self._remembered(text, answer)
        return list(kept)

    def __repr__(self) -> str:
        return f"CheckedEmbeddings({self.identity!r})"

    def _is_async_only(self) -> bool:
        return type(self.inner) is EmbeddingsLambda and not hasattr(self.inner, "func")

    def _batches(self, texts: list[str]) -> list[list[str]]:
        size = self._batch_size
        return [texts[start : start + size] for start in range(0, len(texts), size)]

    def _recalled(self, text: str) -> Vector | None:
        with self._lock:
            if text in self._cache:
                self._cache.move_to_end(text)
            return self._cache.get(text)

    def _remembered(self, text: str, answer: Any) -> Vector:
        (vector,) = self._checked([text], [answer])
        if len(text) <= _LONGEST_KEPT and self._cache_size:
            with self._lock:
                self._cache[text] = vector
                while len(self._cache) > self._cache_size:
                    self._cache.popitem(last=False)
        return vector

    def _checked(self, texts: list[str], answer: Any) -> list[Vector]:
        try:
            vectors = [list(map(float, vector)) for vector in answer]
        except (TypeError, ValueError, OverflowError) as error:
            raise self._wrong(f"answered no list of vectors ({error})") from error
        if len(vectors) != len(texts):
            raise self._wrong(f"answered {len(vectors)} vectors for {len(texts)} texts")
        for text, vector in zip(texts, vectors, strict=True):
            if not vector or not all(map(math.isfinite, vector)):
                raise self._wrong(
                    f"answered numbers that are not finite (or none) for '{text[:40]}'"
                )
            self._agree(len(vector))
        return vectors

    def _agree(self, length: int) -> None:
        with self._lock:
            self.dimensions = self.dimensions or length
        if self.dimensions != length:
            raise self._wrong(
                f"answered vectors of {self.dimensions} dimensions, and now one of "
                f"{length} dimensions"
            )

    def _wrong(self, what: str) -> ModelError:
        return ModelError(
            f"embeddings '{self.identity}' {what}; {_REPLACE}",
            details={"kind": "answer", "model": self.identity},
        )

    def _failed(self, error: Exception) -> CogworkError:
        if isinstance(error, CogworkError):
            return error
        if type(error).__module__ != "builtins":  # what a provider's client raised
            return self._explained(explain_model_error(error, self.inner))
        return ModelError(
            f"embeddings '{self.identity}' failed: {error!r}; check that they can be reached",
            transient=is_transient(error),
            details={"kind": "other", "model": self.identity, "error": type(error).__name__},
        )

    def _explained(self, error: ModelError) -> ModelError:
        """The advice for chat models does not fit where a text is too long."""
        if error.details["kind"] != "context":
            return error
        return ModelError(
            f"a text is too long for embeddings '{self.identity}'; embed it in parts",
            details=error.details,
        )


def _identity(inner: Embeddings) -> str:
    """What these embeddings are, as far as they say it."""
    known = getattr(inner, "identity", None)
    if known:
        return str(known)
    if isinstance(inner, EmbeddingsLambda):  # nothing tells one function from another
        return "function"
    kind = type(inner)
    name = getattr(inner, "model", None) or getattr(inner, "model_name", None)
    return f"{kind.__module__}.{kind.__qualname__}" + (f":{name}" if name else "")


def _clean(text: str) -> str:
    """Tokenizers and servers refuse half of a surrogate pair, and some an empty text."""
    return text.encode("utf-8", "replace").decode() or " "


def _unique(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(map(_clean, texts)))


def _in_order(texts: Sequence[str], unique: list[str], found: list[Vector]) -> list[Vector]:
    """A vector of its own for each text, also for those that are equal."""
    if len(unique) == len(texts):
        return found
    vectors = dict(zip(unique, found, strict=True))
    return [list(vectors[_clean(text)]) for text in texts]
