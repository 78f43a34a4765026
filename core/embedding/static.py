"""A table of word pieces and their vectors: embeddings without key, network or PyTorch.

A text's vector is the sum of its pieces' vectors, which carry their own weights. The
table is distilled from all-MiniLM-L6-v2 (Apache-2.0, see NOTICE); how, and how good it
is, stands in docs/decisions/0005-static-embeddings.md.

Source: Tulkens and van Dongen, "Model2Vec: Fast State-of-the-Art Static Embeddings"
(2024), and Arora et al., "A Simple but Tough-to-Beat Baseline for Sentence Embeddings"
(2017) for the weights.
"""

import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

from cogwork.core.embedding.wordpiece import WordPieces
from cogwork.core.errors import ConfigurationError

__all__ = ["DIMENSIONS", "IDENTITY", "TABLE", "StaticEmbeddings"]

TABLE = Path(__file__).with_name("static.npz")
DIMENSIONS = 256
IDENTITY = "static:428d3dc9"
"""Changes with the table, because vectors of two tables must not be mixed."""


@dataclass(frozen=True, slots=True)
class _Table:
    pieces: WordPieces
    rows: "np.ndarray[Any, np.dtype[np.int8]]"
    scales: "np.ndarray[Any, np.dtype[np.float32]]"


class StaticEmbeddings(Embeddings):
    """Unit vectors of 256 dimensions from the table; safe to share between threads.

    The table is read when the first text is embedded.

    Raises:
        ConfigurationError: With the first text: the table is absent or damaged.
    """

    identity = IDENTITY

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._table: _Table | None = None

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text, also for an empty one."""
        table = self._loaded()
        return [_vector(table, text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a query, which is that of the same text."""
        return _vector(self._loaded(), text)

    def pieces(self, text: str) -> list[int]:
        """Return the numbers of the pieces of a text; at least one, also for an empty one."""
        return self._loaded().pieces(text)

    def vectors(self, numbers: "np.ndarray[Any, np.dtype[Any]]") -> "np.ndarray[Any, Any]":
        """Return a row for each of these pieces; the rarer a piece, the longer its row."""
        table = self._loaded()
        weighted: np.ndarray[Any, Any] = table.rows[numbers] * table.scales[numbers, None]
        return weighted

    def _loaded(self) -> _Table:
        with self._lock:
            if self._table is None:
                self._table = _read()
            return self._table


def _read() -> _Table:
    try:
        with TABLE.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            vocabulary = arrays["vocabulary"].tobytes().decode().split("\n")
            rows, scales = arrays["rows"], arrays["scales"].astype(np.float32)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigurationError(
            f"the table of embeddings 'static' cannot be read from '{TABLE}': {error}; "
            "install cogwork again"
        ) from error
    return _Table(WordPieces(vocabulary, buckets=len(rows) - len(vocabulary)), rows, scales)


def _vector(table: _Table, text: str) -> list[float]:
    numbers, counts = np.unique(table.pieces(text), return_counts=True)
    weights = (table.scales[numbers] * counts).astype(np.float32)
    total = weights @ table.rows[numbers].astype(np.float32)
    length = float(np.linalg.norm(total))
    return (total / length if length > 0 else np.eye(1, DIMENSIONS)[0]).tolist()  # type: ignore[no-any-return]
