"""Embeddings for tests: counts of letter groups, hashed; the same text, the same vector."""

import zlib
from collections.abc import Sequence

from langchain_core.embeddings import Embeddings


class LetterEmbeddings(Embeddings):
    """Texts that share groups of three letters are near each other.

    `asked` records every list of texts it was given, so that tests see what was embedded.
    """

    def __init__(self, dims: int = 32, identity: str = "letters") -> None:
        self.dims = dims
        self.identity = f"{identity}:{dims}"
        self.asked: list[list[str]] = []

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked.append(list(texts))
        return [self._vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self._vector(text)

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self.dims
        padded = f"  {text.casefold()}  "
        for start in range(len(padded) - 2):
            vector[zlib.crc32(padded[start : start + 3].encode()) % self.dims] += 1.0
        return vector
