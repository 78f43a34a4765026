"""Which memories a command works on: where they are, and whose."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cogwork.core.errors import ConfigurationError, MemoryStoreError, redact

if TYPE_CHECKING:
    from cogwork.core.embeddings import CheckedEmbeddings
    from cogwork.memory.semantic import SemanticMemory
    from cogwork.memory.store import ChromaStore

__all__ = [
    "Agent",
    "Opened",
    "Place",
    "Store",
    "User",
    "open_memory",
    "read_lines",
    "tell_json",
    "write_file",
]

Store = Annotated[
    str | None,
    typer.Option(help="Folder of the memories.", show_default=".cogwork/memory"),
]
User = Annotated[str, typer.Option(help="Whose memories.")]
Agent = Annotated[
    str | None,
    typer.Option(help="An agent's own view of the user.", show_default="what all agents share"),
]

_RECORDS = "memory.sqlite3"


@dataclass(frozen=True, slots=True)
class Place:
    """What a command was told.

    Args:
        store: Folder or URL; the setting `store` unless given.
        user: Whose memories.
        agent: Whose view of the user; None for what all agents share.
        config: File of settings.
    """

    store: str | None = None
    user: str = "local"
    agent: str | None = None
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The memories, opened."""

    path: str
    store: "ChromaStore"
    namespace: tuple[str, ...]
    semantic: "SemanticMemory"
    embeddings: "CheckedEmbeddings"

    @property
    def size(self) -> int | None:
        """Bytes of the folder on disk; None for a database server."""
        if "://" in self.path:
            return None
        files = [path for path in Path(self.path).expanduser().rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in files)


@contextmanager
def open_memory(
    place: Place, *, create: bool = False, interrupted: str = "what was said to be done is kept"
) -> Iterator[Opened]:
    """Open the memories and close them again, also after Ctrl-C.

    Args:
        place: Which.
        create: Whether to make the store if there is none.
        interrupted: What to say after Ctrl-C.

    Raises:
        MemoryStoreError: There is no store, another process owns it, or it is damaged.
        ConfigurationError: A setting is wrong.
    """
    from cogwork.core.embeddings import create_embeddings
    from cogwork.core.settings import load_settings
    from cogwork.memory.namespaces import user_namespace
    from cogwork.memory.semantic import SemanticMemory
    from cogwork.memory.store import ChromaStore

    chosen = {} if place.store is None else {"store": place.store}
    settings = load_settings(place.config, **chosen)
    path = settings.store
    if not path.strip():
        raise ConfigurationError("store is blank; name a folder, as in --store .cogwork/memory")
    if not create:
        _require(path)
    namespace = user_namespace(place.user, place.agent)
    embeddings = create_embeddings(settings=settings)
    try:
        with ChromaStore(path, embeddings=embeddings, chroma=settings.chroma) as store:
            semantic = SemanticMemory(store, namespace)
            yield Opened(path, store, namespace, semantic, embeddings)
    except KeyboardInterrupt:
        typer.echo(f"\ninterrupted; {interrupted}", err=True)
        raise typer.Exit(130) from None


def _require(path: str) -> None:
    if "://" in path:
        return
    try:
        folder = Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(f"memory store '{path}': {error}") from error
    if not folder.exists():
        raise MemoryStoreError(
            f"there is no memory store '{path}'; `cogwork memory add` makes one, "
            "--store or the setting store names another"
        )
    try:
        is_strange = folder.is_dir() and not (folder / _RECORDS).exists()
    except PermissionError as error:
        raise MemoryStoreError(
            f"memory store '{path}' cannot be read ({error.strerror}); make the folder readable and "
            "writable, or name another with --store"
        ) from error
    if is_strange:
        raise MemoryStoreError(
            f"'{path}' is no memory store: it holds no {_RECORDS}; name another with --store"
        )


def read_lines(place: str) -> list[str]:
    """Return the lines of a file, or of standard input for `-`.

    Raises:
        ConfigurationError: It cannot be read or is no UTF-8 text.
    """
    name = "standard input" if place == "-" else f"'{redact(place)}'"
    try:
        raw = typer.get_binary_stream("stdin").read() if place == "-" else Path(place).read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{name}, line {line} is not UTF-8; save it as UTF-8") from None
    lines = text.replace("\r\n", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


def write_file(place: Path, data: bytes) -> None:
    """Write a file whole: whoever reads it finds the former content or all of the new.

    Raises:
        ConfigurationError: It cannot be written.
    """
    try:
        if place.exists() and not place.is_file():  # such as /dev/stdout
            place.write_bytes(data)
            return
        target = place.resolve()
        beside = target.with_name(f".{target.name}.part")
        try:
            beside.write_bytes(data)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to {place}: {error.strerror}; choose another file"
        ) from error


def tell_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False))
