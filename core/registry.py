"""A small registry of named things, for graphs, tools, planners and task handlers."""

import difflib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from cogwork.core.errors import ConfigurationError, DuplicateNameError, UnknownNameError

__all__ = ["Entry", "Registry", "nearest"]

T = TypeVar("T")


def nearest(name: str, known: list[str]) -> str:
    """Return a phrase that offers the known names nearest to `name`.

    >>> nearest("reakt", ["react", "plan"])
    "did you mean 'react'? Known: plan, react"
    """
    if not known:
        return "nothing is registered"
    listed = ", ".join(sorted(known)[:20]) + (", …" if len(known) > 20 else "")
    folded = {each.casefold(): each for each in sorted(known)}
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    if not close:
        return f"known: {listed}"
    offers = " or ".join(f"'{folded[offer]}'" for offer in close)
    return f"did you mean {offers}? Known: {listed}"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a registry knows of one name, without having created the thing."""

    name: str
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


class _Maker(Generic[T]):
    """Calls a function once, however many threads ask for what it makes."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._lock = threading.RLock()
        self._made: list[T] = []

    def make(self) -> T:
        with self._lock:
            if not self._made:
                self._made.append(self._function())
            return self._made[0]


class Registry(Generic[T]):
    """Named things, created on first use; safe to share between threads.

    Args:
        kind: What it holds, in the singular; it stands in error messages.
        group: Entry-point group through which other packages add to it.

    Examples:
        >>> planners = Registry[object]("planner")
        >>> @planners.register("simple", description="One step per sentence.")
        ... class Simple: ...
        >>> planners.get("simple") is Simple
        True
    """

    def __init__(self, kind: str, *, group: str | None = None) -> None:
        self.kind = kind
        self._group = group
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._makers: dict[str, _Maker[T]] = {}
        self._scanned = group is None

    def register(
        self, name: str, *, description: str = "", **metadata: Any
    ) -> Callable[[Any], Any]:
        """Return a decorator that registers what it decorates under `name`.

        Raises:
            DuplicateNameError: The name is taken.
        """

        def decorate(thing: T) -> T:
            document = (getattr(thing, "__doc__", None) or "").strip()
            summary = description or document.split("\n")[0]
            self.add(name, lambda: thing, description=summary, **metadata)
            return thing

        return decorate

    def add(
        self, name: str, maker: Callable[[], T] | str, *, description: str = "", **metadata: Any
    ) -> None:
        """Register `maker`, which is called on first use and once.

        Args:
            name: Unique within the registry.
            maker: A function without arguments, or `"package.module:attribute"`, which
                is imported on first use and is itself the thing.
            description: One line for people and models.
            metadata: Anything else worth knowing before the thing exists.

        Raises:
            DuplicateNameError: The name is taken.
        """
        function = _at(maker) if isinstance(maker, str) else maker
        with self._lock:
            if name in self._entries:
                raise DuplicateNameError(
                    f"{self.kind} '{name}' is registered already; "
                    f"unregister('{name}') first or choose another name"
                )
            self._entries[name] = Entry(name, description, metadata)
            self._makers[name] = _Maker(function)

    def get(self, name: str) -> T:
        """Return the thing called `name`, creating it if this is its first use.

        Raises:
            UnknownNameError: There is none; the nearest names are offered.
        """
        with self._lock:
            self._require(name)
            maker = self._makers[name]
        return maker.make()  # unlocked: it may import modules that register themselves

    def entry(self, name: str) -> Entry:
        """Return what is known of `name` without creating the thing.

        Raises:
            UnknownNameError: There is none; the nearest names are offered.
        """
        with self._lock:
            self._require(name)
            return self._entries[name]

    def unregister(self, name: str) -> None:
        """Forget `name`.

        Raises:
            UnknownNameError: There is none; the nearest names are offered.
        """
        with self._lock:
            self._require(name)
            del self._entries[name], self._makers[name]

    def names(self) -> list[str]:
        """Every registered name, sorted."""
        with self._lock:
            self._scan()
            return sorted(self._entries)

    def __contains__(self, name: object) -> bool:
        with self._lock:
            self._scan()
            return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        with self._lock:
            self._scan()
            return iter([self._entries[name] for name in sorted(self._entries)])

    def __len__(self) -> int:
        return len(self.names())

    def _require(self, name: str) -> None:
        if name not in self._entries:
            self._scan()
        if name not in self._entries:
            raise UnknownNameError(
                f"no {self.kind} is called '{name}'; {nearest(name, list(self._entries))}"
            )

    def _scan(self) -> None:
        """Add what other packages offer; a name that is taken stays as it is."""
        if self._scanned or self._group is None:
            return
        self._scanned = True
        for point in entry_points(group=self._group):
            if point.name not in self._entries:
                origin = point.dist.name if point.dist else point.value
                self.add(point.name, _importer(point), description=f"from {origin}", origin=origin)


def _at(path: str) -> Callable[[], Any]:
    module, _, attribute = path.partition(":")
    if not (module and attribute):
        raise ConfigurationError(f"'{path}' is no import path; write 'package.module:attribute'")
    return _importer(EntryPoint(name=path, value=path, group=""))


def _importer(point: EntryPoint) -> Callable[[], Any]:
    def load() -> Any:
        try:
            return point.load()
        except (ImportError, AttributeError) as error:
            raise ConfigurationError(
                f"'{point.value}' cannot be imported: {error}; "
                "install what it needs or correct the path"
            ) from error

    return load
