"""Texts to vectors of unit length, checked before anything relies on them."""

import asyncio
import math
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base import ensure_embeddings
from langgraph.store.base.embed import EmbeddingsLambda

from cogwork.core.bridge import run_blocking
from cogwork.core.errors import CogworkError, ConfigurationError, MemoryStoreError
from cogwork.memory.store.exact_index import Scores
from cogwork.memory.store.records import Records
from cogwork.memory.store.rows import Matrix

__all__ = ["Answers", "Embedded", "Embedder"]

Answers = tuple[Any, Any]
Embedded = tuple[dict[str, bytes], dict[str, Scores]]
"""By text: what is stored of it, nothing for a vector of zeros; by query: its vector."""
_AGAIN = (
    "to go on with the new ones, embed everything again with store.reindex(embed=True) "
    "or `cogwork memory reindex --embed`; "
    "otherwise open the store with the former ones"
)


class Embedder:
    """Calls an embedding model and refuses what does not fit the stored vectors.

    Args:
        embed: A name for `create_embeddings`, LangChain `Embeddings`, or a function of
            texts, async or not. A name is looked up when the first text is embedded.
        dims: How long its vectors are; None to find out.
        records: Where it is noted which embeddings made the vectors.
    """

    def __init__(self, embed: Any, dims: int | None, records: Records) -> None:
        self._embed = embed
        self._dims = dims
        self._records = records
        self._lock = threading.Lock()
        self._model: Embeddings | None = None
        self._agreed = False
        self._adopting = False

    def embed(self, texts: Sequence[str], queries: Sequence[str]) -> Embedded:
        """Return a unit vector for each text and each query; zeros stay zeros.

        Raises:
            MemoryStoreError: The model fails, answers something that is no list of
                finite vectors, or is not the one that made the stored vectors.
        """
        return self.check(texts, queries, self.ask(texts, queries))

    def ask(self, texts: Sequence[str], queries: Sequence[str]) -> Answers:
        """Return what the model says of the texts and the queries."""
        if not texts and not queries:
            return [], []
        model = self._loaded()
        if type(model) is EmbeddingsLambda and not hasattr(model, "func"):
            return run_blocking(self.aask, texts, queries)
        try:
            documents = model.embed_documents(_clean(texts)) if texts else []
            return documents, [model.embed_query(query) for query in _clean(queries)]
        except Exception as error:
            raise self._failed(error) from error

    async def aask(self, texts: Sequence[str], queries: Sequence[str]) -> Answers:
        """Do what `ask` does through the model's async methods."""
        if not texts and not queries:
            return [], []
        model = await asyncio.to_thread(self._loaded) if self._model is None else self._model
        try:
            documents = await model.aembed_documents(_clean(texts)) if texts else []
            return documents, await asyncio.gather(*map(model.aembed_query, _clean(queries)))
        except Exception as error:
            raise self._failed(error) from error

    def check(self, texts: Sequence[str], queries: Sequence[str], answers: Answers) -> Embedded:
        """Return the answers as unit vectors, or refuse them as `embed` does."""
        documents, asked = answers
        stored = {}
        if texts:
            unit = self._checked(texts, documents)
            data = [vector.tobytes() for vector in unit]
            zeros = bytes(len(data[0]))
            stored = {
                text: b"" if vector == zeros else vector
                for text, vector in zip(texts, data, strict=True)
            }
        asked = self._checked(queries, asked) if queries else ()
        return stored, dict(zip(queries, asked, strict=True))

    @contextmanager
    def adopted(self) -> Iterator[None]:
        """Take these embeddings for those of the store, whose vectors are made again."""
        self._adopting = True
        try:
            _, found = self.embed((), ("a",))
            self._records.note("embeddings", _identity(self._model))
            self._records.note("dims", str(len(found["a"])))
            yield
        finally:
            self._adopting = False

    def _loaded(self) -> Embeddings:
        with self._lock:
            if self._model is None:
                self._model = _create(self._embed)
            return self._model

    def _checked(self, texts: Sequence[str], found: Any) -> Matrix:
        if len(found) != len(texts):
            raise MemoryStoreError(
                f"embeddings {self._name()} answered {len(found)} vectors for {len(texts)} texts; "
                "nothing was stored; correct or replace the embeddings"
            )
        try:
            matrix = _matrix(found)
        except (TypeError, ValueError, OverflowError) as error:
            raise MemoryStoreError(
                f"embeddings {self._name()} answered no list of vectors of one length: {error}"
            ) from error
        if matrix.ndim == 2:
            squares = np.vecdot(matrix, matrix)
            # A number that is not finite makes the sum so too, which is quicker to look at.
            is_finite = math.isfinite(sum(squares.tolist())) or np.isfinite(matrix).all()
        if matrix.ndim != 2 or not matrix.shape[1] or not is_finite:
            raise MemoryStoreError(
                f"embeddings {self._name()} answered numbers that are not finite (or none) for "
                f"{len(texts)} texts, the first '{texts[0][:40]}'; nothing was stored"
            )
        self._agree(matrix.shape[1])
        lengths = np.sqrt(squares)
        if not lengths.all():
            lengths[lengths == 0] = 1
        unit: Matrix = (matrix / lengths[:, None]).astype("<f4")
        return unit

    def _agree(self, dims: int) -> None:
        """Compare with the embeddings that made the stored vectors, or note these."""
        if self._dims not in (None, dims):
            raise MemoryStoreError(
                f"embeddings {self._name()} have {dims} dimensions, and {self._dims} were "
                "announced; correct 'dims' in the index configuration"
            )
        with self._lock:
            if not self._adopting and (self._records.shared or not self._agreed):
                self._compare(dims, _identity(self._model))
                self._agreed = True
            self._dims = dims

    def _compare(self, dims: int, identity: str) -> None:
        records = self._records
        former, length = records.fact("embeddings"), records.fact("dims")
        if records.fact("unfinished"):
            raise MemoryStoreError(
                f"memory store '{records.place}': embedding everything again was interrupted; "
                "finish it with store.reindex(embed=True) or `cogwork memory reindex --embed`"
            )
        if (former, length) == (identity, str(dims)):
            return
        if former is not None and records.vector_total():
            raise MemoryStoreError(
                f"memory store '{records.place}' holds vectors of '{former}' ({length} dimensions), "
                f"and was opened with '{identity}' ({dims}); {_AGAIN}"
            )
        records.note("embeddings", identity)
        records.note("dims", str(dims))

    def _failed(self, error: Exception) -> CogworkError:
        if isinstance(error, CogworkError):
            return error
        return MemoryStoreError(
            f"embeddings {self._name()} failed: {error!r}; nothing was stored; check that they "
            "can be reached, or store with index=False",
            transient=isinstance(error, OSError),
        )

    def _name(self) -> str:
        return f"'{_identity(self._model)}'"


def _create(embed: Any) -> Embeddings:
    if isinstance(embed, str):
        from cogwork.core.embeddings import create_embeddings

        return create_embeddings(embed)
    if not (isinstance(embed, Embeddings) or callable(embed)):
        raise ConfigurationError(
            f"embeddings {embed!r} are neither a name, nor LangChain Embeddings, nor a function"
        )
    return ensure_embeddings(embed)


def _matrix(found: Any) -> Any:
    """Return vectors as a matrix; NumPy alone takes twice as long to read lists of numbers."""
    if all(type(each) is list for each in found):
        size = len(found[0])
        pack = struct.Struct(f"{size}d").pack
        try:
            return np.frombuffer(b"".join([pack(*each) for each in found])).reshape(
                len(found), size
            )
        except struct.error:  # NumPy says better what is wrong
            pass
    return np.array(found, dtype=np.float64)


def _identity(model: Any) -> str:
    """What tells these embeddings from others, as far as they say it."""
    known = getattr(model, "identity", None)
    if known:
        return str(known)
    if isinstance(model, EmbeddingsLambda):  # nothing tells one function from another
        return "function"
    kind = type(model)
    name = getattr(model, "model", None) or getattr(model, "model_name", None)
    return f"{kind.__module__}.{kind.__qualname__}" + (f":{name}" if name else "")


def _clean(texts: Sequence[str]) -> list[str]:
    """Tokenizers and servers refuse half of a surrogate pair."""
    return [text.encode("utf-8", "replace").decode() for text in texts]
