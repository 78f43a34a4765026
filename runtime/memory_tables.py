"""How memories are told on a terminal: tables, ages, and what a store holds."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from cogwork.memory.facts import Memory
from cogwork.runtime.wording import counted

if TYPE_CHECKING:
    from cogwork.memory.store import ChromaStore, StoreStats

__all__ = ["Holding", "holdings", "one_line", "progress_of", "short_id", "tell_stats", "tell_table"]

_SHORT = 8  # letters of an id
_LONGEST = 300  # letters of a text; --json has it whole
_PAGE = 5_000
_KINDS: dict[tuple[str, ...], str] = {
    ("semantic", "facts"): "facts",
    ("episodic", "episodes"): "episodes",
    ("patterns", "situations"): "patterns",
}
_AGES = ((365 * 86400, "y"), (30 * 86400, "mo"), (86400, "d"), (3600, "h"), (60, "min"))


def short_id(memory: Memory) -> str:
    """Return the beginning of the id, which commands take too."""
    return memory.id[:_SHORT]


def one_line(text: str) -> str:
    """Return the text on one line, long ones cut, with nothing that a terminal would obey."""
    plain = " ".join(text[: 10 * _LONGEST].split())
    plain = plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in plain)


def tell_table(memories: Sequence[Memory], *, scored: bool = False) -> None:
    """Print a table of memories.

    Args:
        memories: What to show, in this order.
        scored: Whether to show the score; else the accesses.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("score" if scored else "used", justify="right", no_wrap=True)
    table.add_column("text", overflow="fold", min_width=20)
    for name in ("importance", "age"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("id", no_wrap=True)
    now = time.time()
    for memory in memories:
        first = f"{memory.score:.3f}" if scored else f"{memory.accesses}"
        text = Text(one_line(memory.text))
        age = _age(now - memory.created_at)
        table.add_row(first, text, f"{memory.importance:.2f}", age, short_id(memory))
    _console().print(table)


def _age(seconds: float) -> str:
    for size, unit in _AGES:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return "now"


@dataclass(frozen=True, slots=True)
class Holding:
    """How many items of a kind someone has.

    Args:
        user: Whose; empty for namespaces that are no memories of cogwork's.
        agent: Whose view; None for what all agents share.
        kind: `facts`, `episodes`, `patterns`, or the namespace.
        items: How many.
    """

    user: str
    agent: str | None
    kind: str
    items: int


def holdings(store: "ChromaStore") -> list[Holding]:
    """Return what the store holds, by user, agent and kind; bookkeeping is left out."""
    counts = Counter[tuple[str, ...]]()
    for namespace in store.list_namespaces(limit=10**9):
        offset = 0
        while _is_told(namespace):
            found = store.search(namespace, limit=_PAGE, offset=offset, refresh_ttl=False)
            counts[namespace] += sum(item.namespace == namespace for item in found)
            offset += len(found)
            if len(found) < _PAGE:
                break
    return [_holding(namespace, count) for namespace, count in sorted(counts.items())]


def _is_told(namespace: tuple[str, ...]) -> bool:
    return not _is_ours(namespace) or namespace[-2:] in _KINDS


def _is_ours(namespace: tuple[str, ...]) -> bool:
    """Whether it lies in a `user_namespace`."""
    if len(namespace) < 5 or namespace[0] != "memories":
        return False
    return namespace[1].startswith(("user-", "user~")) and namespace[2] in {"shared", "agent"}


def _holding(namespace: tuple[str, ...], items: int) -> Holding:
    if not _is_ours(namespace):
        return Holding("", None, "/".join(namespace), items)
    owner, scope = namespace[1], namespace[2:-2]
    agent = _name(scope[-1], "agent") if scope[0] == "agent" else None
    return Holding(_name(owner, "user"), agent, _KINDS[namespace[-2:]], items)


def _name(label: str, what: str) -> str:
    """The name that `cogwork.memory.namespaces.label` was made of; a hash stays one."""
    return unquote(label.removeprefix(f"{what}-"), errors="replace")


def tell_stats(path: str, size: int | None, stats: "StoreStats", found: Sequence[Holding]) -> None:
    """Print what a store holds and how its index is."""
    console = _console()
    dims = f" ({stats.dims} dimensions)" if stats.dims else ""
    lag = f"{stats.pending:,} of {counted(stats.distinct_vectors, 'vector')} not in Chroma yet"
    rows = {
        "store": path if size is None else f"{path} ({_bytes(size)})",
        "embeddings": f"{stats.embeddings or 'none used yet'}{dims}",
        "items": f"{stats.items:,} in {counted(stats.namespaces, 'namespace')}, bookkeeping included",
        "index": f"{lag}; searches know them" if stats.pending else "Chroma has every vector",
        "chroma": stats.chroma_error or stats.chroma,
    }
    for name, value in rows.items():
        console.print(f"{name:<11}{one_line(value)}", markup=False, soft_wrap=True)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("user", "agent", "kind"):
        table.add_column(name, overflow="fold")
    table.add_column("items", justify="right")
    for each in found:
        agent = "(shared)" if each.agent is None else one_line(each.agent)
        row = (one_line(each.user), agent if each.user else "", one_line(each.kind))
        table.add_row(*map(Text, row), f"{each.items:,}")
    if found:
        console.print(table)


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


@contextmanager
def progress_of(store: "ChromaStore", *, embed: bool) -> Iterator[None]:
    """Show on a terminal how far a reindexing is, by asking the store now and then."""
    if not sys.stderr.isatty():
        yield
        return
    total = max(store.stats().distinct_vectors, 1)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with _Watch(*columns, console=Console(stderr=True), transient=True) as shown:
        shown.watch(store, total, embed=embed)
        yield


class _Watch(Progress):
    """A progress bar whose numbers come from the store whenever it is drawn."""

    def watch(self, store: "ChromaStore", total: int, *, embed: bool) -> None:
        """Begin to show the store's numbers."""
        self._store = store
        self._embedding = self.add_task("embedding", total=total) if embed else None
        self._indexing = self.add_task("indexing", total=total)

    def get_renderables(self) -> Iterator[Table]:
        """Ask the store, then draw."""
        if hasattr(self, "_indexing"):
            stats = self._store.stats()
            if self._embedding is not None:
                self.update(self._embedding, completed=stats.distinct_vectors)
            done = stats.distinct_vectors - stats.pending
            self.update(self._indexing, completed=max(done, 0))
        yield self.make_tasks_table(self.tasks)


def _console() -> Console:
    """Tables wrap on a terminal; elsewhere a row is a line."""
    width = None if sys.stdout.isatty() else 10_000
    return Console(emoji=False, highlight=False, width=width)
