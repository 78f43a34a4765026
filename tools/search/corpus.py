"""A local folder, searched offline by meaning and by words; answers cite file and line or page.

A passage's score is the mean of two numbers between 0 and 1: the cosine of its vector with the
query's, and its BM25 as a share of the highest that any passage could have (Robertson and
Zaragoza, 2009). Files that have changed are read again at the next search.
"""

import os
import re
import stat
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

from cogwork.core.bridge import in_thread
from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ToolError
from cogwork.tools.root import MAX_BYTES, Root
from cogwork.tools.search.hit import Hit
from cogwork.tools.search.passages import KINDS, Passage, passages_of

__all__ = ["Corpus"]

_K1, _B = 1.2, 0.75  # BM25's usual ones
_REST = "…"
_LEAST = 0.15  # below it, a word or a likeness is chance

Floats = npt.NDArray[np.float32]
Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _File:
    stamp: Stamp
    passages: list[Passage]
    vectors: Floats
    words: list[Counter[str]]


class Corpus:
    """Searches Markdown, text, HTML and PDF in a folder and below; a `Search`.

    Hidden, linked and binary files are left out, and so are the names that `Root` keeps closed.

    Args:
        folder: An existing folder.
        embeddings: What meaning is measured with.
        max_files: How many files are read; those of deeper folders come last.
        max_bytes: Size of the largest file that is read.
        max_passages: How many passages are kept.

    Raises:
        ConfigurationError: There is no such folder.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        embeddings: str | Embeddings | None = "static",
        max_files: int = 5_000,
        max_bytes: int = MAX_BYTES,
        max_passages: int = 50_000,
    ) -> None:
        self.left_out: dict[str, str] = {}
        """Files that are not searched, and why."""
        self.root = Root(folder, max_bytes=max_bytes)
        """The folder."""
        self._embeddings = create_embeddings(embeddings)
        self._max_files = max_files
        self._max_passages = max_passages
        self._files: dict[str, _File] = {}
        self._index = _Index([])
        self._lock = threading.Lock()

    async def __call__(self, query: str, k: int) -> list[Hit]:
        """Return the best passages for a query.

        Raises:
            ModelError: The embeddings cannot be had.
        """
        return await in_thread(None, self._search, query, k)

    def _search(self, query: str, k: int) -> list[Hit]:
        with self._lock:
            self._refresh()
            index = self._index
        if not query.strip() or not index.passages:
            return []
        vector = np.asarray(self._embeddings.embed_query(query), np.float32)
        likeness, words = index.likeness(vector), index.by_words(_words(query))
        scores = (likeness + words) / 2
        best = np.argsort(-scores, kind="stable")[:k]
        return [_hit(index.passages[at], float(scores[at])) for at in best if scores[at] >= _LEAST]

    def _refresh(self) -> None:
        """Read what is new or has changed, forget what is gone."""
        self.left_out.pop(_REST, None)
        found = dict(self._stamps())
        kept = {path: file for path, file in self._files.items() if found.get(path) == file.stamp}
        fresh = [path for path in found if path not in kept]
        if not fresh and len(kept) == len(self._files):
            return
        room = self._max_passages - sum(len(file.passages) for file in kept.values())
        read = self._read(fresh, room)
        passages = [passage for path in read for passage in read[path]]
        vectors = self._embedded(passages)
        start = 0
        for path, parts in read.items():
            end = start + len(parts)
            words = [Counter(_words(f"{part.title} {part.text}")) for part in parts]
            kept[path] = _File(found[path], parts, vectors[start:end], words)
            start = end
        self.left_out = {
            path: why for path, why in self.left_out.items() if path in {*found, _REST}
        }
        self._files = {path: kept[path] for path in found if path in kept}
        self._index = _Index(list(self._files.values()))

    def _read(self, paths: list[str], room: int) -> dict[str, list[Passage]]:
        """Passages by file; a file that cannot be read has none, and is said."""
        read: dict[str, list[Passage]] = {}
        for path in paths:
            self.left_out.pop(path, None)
            try:
                parts = self._passages(path, room)
            except ToolError as error:
                self.left_out[path], parts = str(error), []
            room -= len(parts)
            read[path] = parts
        return read

    def _passages(self, path: str, room: int) -> list[Passage]:
        parts = passages_of(path, self.root.read(path))
        if len(parts) > room:
            raise ToolError(
                f"it does not fit into {self._max_passages:,} passages; raise max_passages"
            )
        return parts

    def _embedded(self, passages: list[Passage]) -> Floats:
        texts = [f"{passage.title}\n{passage.text}" for passage in passages]
        if not texts:
            return np.zeros((0, 0), np.float32)
        return _unit(np.asarray(self._embeddings.embed_documents(texts), np.float32))

    def _stamps(self) -> Iterator[tuple[str, Stamp]]:
        """What tells a version of each file from the next."""
        count = 0
        for folder, names, files in os.walk(self.root.folder):
            names[:] = sorted(name for name in names if not name.startswith("."))
            for name in sorted(files):
                path = Path(folder, name)
                if name.startswith(".") or path.suffix.lower() not in KINDS:
                    continue
                try:
                    status = path.lstat()
                except OSError:
                    continue  # gone since it was listed
                if not stat.S_ISREG(status.st_mode):
                    continue
                count += 1
                if count > self._max_files:
                    self.left_out[_REST] = f"there are more than {self._max_files:,} files"
                    return
                stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
                yield path.relative_to(self.root.folder).as_posix(), stamp


class _Index:
    """All passages in arrays; made anew when a file has changed."""

    def __init__(self, files: list[_File]) -> None:
        filled = [file for file in files if file.passages]
        self.passages = [passage for file in filled for passage in file.passages]
        vectors = [file.vectors for file in filled]
        self._vectors: Floats = np.concatenate(vectors) if filled else np.zeros((0, 0), np.float32)
        counts = [words for file in filled for words in file.words]
        lengths = np.array([words.total() for words in counts], np.float32)
        self._norm = (
            _K1 * (1 - _B + _B * lengths / max(float(lengths.mean()), 1.0)) if filled else 0
        )
        self._where: dict[str, list[tuple[int, int]]] = {}
        for at, words in enumerate(counts):
            for word, times in words.items():
                self._where.setdefault(word, []).append((at, times))

    def likeness(self, vector: Floats) -> Floats:
        """The cosine of each passage with a vector; below 0 counts as 0."""
        found: Floats = np.clip(self._vectors @ _unit(vector[None])[0], 0, 1)
        return found

    def by_words(self, words: list[str]) -> Floats:
        """The BM25 of each passage as a share of the highest possible."""
        scores, most = np.zeros(len(self.passages), np.float32), 0.0
        for word in dict.fromkeys(words):
            found = self._where.get(word, [])
            weight = float(np.log1p((len(scores) - len(found) + 0.5) / (len(found) + 0.5)))
            most += weight * (_K1 + 1)
            if found:
                places, times = np.array(found).T
                norm = np.broadcast_to(self._norm, scores.shape)[places]
                scores[places] += weight * times * (_K1 + 1) / (times + norm)
        return scores / most if most else scores


def _words(text: str) -> list[str]:
    """Words in lower case; a plural's s makes no other word."""
    found = re.findall(r"\w+", text.casefold())
    return [
        word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] != "s" else word
        for word in found
    ]


def _unit(vectors: Floats) -> Floats:
    sizes = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(sizes == 0, 1, sizes)).astype(np.float32)


def _hit(passage: Passage, score: float) -> Hit:
    place = f"{passage.path}#{passage.place}"
    return Hit(passage.title, place, passage.text, min(score, 1.0), "corpus")
