"""What goes into a store's records and comes out of them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cogwork.memory.store.namespaces import Namespace

__all__ = ["Change", "Ids", "Indexed", "Matrix", "Row", "Source", "Space", "VectorRow"]

Ids = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float32]
VectorRow = tuple[int, int, bytes]
"""A namespace, an item in it, and one of its vectors."""


class Row(NamedTuple):
    """An item as it is stored. Times are microseconds since 1970, `ttl` is in minutes."""

    id: int
    namespace: Namespace
    key: str
    value: str
    created_at: int
    updated_at: int
    ttl: float | None
    expires_at: int | None


class Change(NamedTuple):
    """One item to write, or to delete when `value` is None.

    Attributes:
        namespace: Where it lies.
        key: Its name there.
        value: JSON text.
        fields: JSON text of the paths it was indexed by, `false` for none, None for the
            store's own; kept so that it can be indexed again.
        ttl: Minutes to live after the last touch.
        text: What the full-text index holds of it; empty for nothing.
        vectors: Of unit length, as little-endian float32.
    """

    namespace: Namespace
    key: str
    value: str | None
    fields: str | None = None
    ttl: float | None = None
    text: str = ""
    vectors: tuple[bytes, ...] = ()


class Space(NamedTuple):
    """A namespace that has vectors: how many, and a number that each change raises."""

    id: int
    vectors: int
    version: int


class Source(NamedTuple):
    """What an item is indexed from again."""

    id: int
    value: str
    fields: str | None
    updated_at: int


class Indexed(NamedTuple):
    """The new text and vectors of an item, made of what it was at `updated_at`."""

    id: int
    updated_at: int
    text: str
    vectors: tuple[bytes, ...]
