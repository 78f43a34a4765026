"""Which classes a text belongs to, by its likeness to their examples.

Kernel ridge regression: each class has a function that is 1 on its own examples and -1 on the
others', made of the likenesses to all examples. Learning it is one system of equations, solved
when a class is first asked for.

Source: Saunders, Gammerman and Vovk, "Ridge Regression Learning Algorithm in Dual Variables"
(1998).
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ConfigurationError
from cogwork.nodes.query_classes import QueryClass

__all__ = ["TextClassifier", "class_scores"]

_Array: TypeAlias = NDArray[np.float64]

# Chosen by cross-validation over the examples and on the tuning half of the labelled queries.
_RIDGE = 0.3
_SHARPNESS = 2.0
_OPENING = 3  # words of a text's beginning
_READ = (2_000, 1_000)  # characters of a long text's beginning and end
_KEPT = 8


class TextClassifier:
    """Scores texts by their likeness to the examples of classes.

    Args:
        classes: What there is to choose from.
        embeddings: Asked for the examples at once.
        by_form: Whether the wording and the first words count as much as the meaning, as they
            do for what a query wants; not for what it is about.

    Raises:
        ConfigurationError: There are fewer than two classes, or two of one name.
        ModelError: The embeddings cannot be reached.
    """

    def __init__(
        self, classes: Sequence[QueryClass], embeddings: Embeddings, *, by_form: bool
    ) -> None:
        self.names = tuple(each.name for each in classes)
        if len(set(self.names)) < max(2, len(self.names)):
            raise ConfigurationError(
                f"classes {', '.join(self.names) or '(none)'} are too few or have one name; give "
                "two or more, each with a name of its own"
            )
        texts = list(dict.fromkeys(text for each in classes for text in _texts(each)))
        self._views: list[_Meaning | _Wording] = [_Meaning(texts, embeddings)]
        if by_form:
            self._views += [_Meaning(texts, embeddings, words=_OPENING), _Wording(texts)]
        belongs = np.array([[text in _texts(each) for each in classes] for text in texts])
        # A class with few examples is heard as well as one with many.
        count = belongs.sum(axis=0)
        weight = np.array([max((count.mean() / count)[row]) for row in belongs])
        alike = np.mean([view.alike() for view in self._views], axis=0)
        learnt = np.linalg.solve(alike + np.diag(_RIDGE / weight), np.where(belongs, 1.0, -1.0))
        for view in self._views:
            view.learn(learnt / len(self._views))

    def scores(self, text: str) -> dict[str, float]:
        """Return how well the text fits each class: about 1 if it does, about -1 if not.

        Of a long text the beginning and the end are read.

        Raises:
            ModelError: The embeddings cannot be reached.
        """
        text = _shortened(text)
        found = np.sum([view.scores(text) for view in self._views], axis=0)
        return dict(zip(self.names, found.tolist(), strict=True))


class _Meaning:
    """Texts, or their first words, by their vectors about the mean, each of length 1."""

    def __init__(
        self, texts: Sequence[str], embeddings: Embeddings, *, words: int | None = None
    ) -> None:
        self._embeddings, self._words = embeddings, words
        vectors = np.array(embeddings.embed_documents([self._read(text) for text in texts]))
        self._mean = vectors.mean(axis=0)
        self._rows = _unit(vectors - self._mean)

    def alike(self) -> _Array:
        """How like the texts are to each other."""
        return _near(self._rows @ self._rows.T)

    def learn(self, weights: _Array) -> None:
        self._weights = weights

    def scores(self, text: str) -> _Array:
        place = _unit(np.array(self._embeddings.embed_query(self._read(text))) - self._mean)
        found: _Array = _near(self._rows @ place) @ self._weights
        return found

    def _read(self, text: str) -> str:
        return (
            text
            if self._words is None
            else " ".join(text.split(maxsplit=self._words)[: self._words])
        )


class _Wording:
    """Texts by their words and pairs of words, the rarer the weightier."""

    def __init__(self, texts: Sequence[str]) -> None:
        count = Counter(feature for text in texts for feature in _features(text))
        known = [feature for feature, times in count.items() if times > 1]
        self._places = {feature: place for place, feature in enumerate(known)}
        self._weights = np.array([math.log(len(texts) / count[feature]) for feature in known])
        self._rows = np.zeros((len(texts), len(known)))
        for row, text in zip(self._rows, texts, strict=True):
            places, values = self._found(text)
            row[places] = values

    def alike(self) -> _Array:
        """How like the texts are to each other."""
        near: _Array = self._rows @ self._rows.T
        return near

    def learn(self, weights: _Array) -> None:
        self._table = self._rows.T @ weights  # a likeness that is linear needs no examples more

    def scores(self, text: str) -> _Array:
        places, values = self._found(text)
        found: _Array = values @ self._table[places]
        return found

    def _found(self, text: str) -> tuple[list[int], _Array]:
        places = [self._places[each] for each in _features(text) if each in self._places]
        return places, _unit(self._weights[places])


def _features(text: str) -> set[str]:
    plain = re.sub(r"\d[\d.,:/-]*", "0", text.casefold())
    words = ["^", *re.findall(r"\w+|\?", plain), "$"]
    pairs = [f"{one} {two}" for one, two in pairwise(words)]
    return {*words, *pairs, *(f"^ {pair}" for pair in pairs[:3])}


def _texts(given: QueryClass) -> tuple[str, ...]:
    parts = (each.strip() for each in re.split(r"[,;:.]| and ", given.description))
    return given.examples or (given.name, given.description, *filter(None, parts))


def _shortened(text: str) -> str:
    first, last = _READ
    return text if len(text) <= first + last else f"{text[:first]} {text[-last:]}"


def _near(cosines: _Array) -> _Array:
    near: _Array = np.exp(_SHARPNESS * (cosines - 1))
    return near


def _unit(rows: _Array) -> _Array:
    scaled: _Array = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)
    return scaled


class _Same:
    """A key for what cannot be hashed; equal if it is the same object."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __hash__(self) -> int:
        return id(self.thing)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing


def class_scores(
    text: str,
    classes: Sequence[QueryClass],
    embeddings: Embeddings | str = "static",
    *,
    by_form: bool,
) -> dict[str, float]:
    """Return a text's scores by a `TextClassifier`, which is kept for the next text.

    Args:
        text: What is classified.
        classes: What there is to choose from.
        embeddings: A name as in `create_embeddings`, or any LangChain embeddings.
        by_form: Whether the wording counts too.

    Raises:
        ConfigurationError: The classes are none to choose from, or no embeddings are called so.
        ModelError: The embeddings cannot be reached.
    """
    key = embeddings if isinstance(embeddings, str) else _Same(embeddings)
    return _classifier(tuple(classes), key, by_form).scores(text)


@lru_cache(maxsize=_KEPT)
def _classifier(
    classes: tuple[QueryClass, ...],
    embeddings: str | _Same,
    by_form: bool,
) -> TextClassifier:
    given = embeddings.thing if isinstance(embeddings, _Same) else embeddings
    return TextClassifier(classes, create_embeddings(given, batch_size=512), by_form=by_form)
