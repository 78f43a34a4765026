"""Looking after long-term memory from the command line: tidy up, carry over, draw."""

from collections.abc import Sized
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cogwork.core.drawing.png import to_png
from cogwork.core.errors import ConfigurationError, redact
from cogwork.runtime.memory_place import (
    Agent,
    Place,
    Store,
    User,
    open_memory,
    read_lines,
    tell_json,
    write_file,
)
from cogwork.runtime.options import Config, Json
from cogwork.runtime.wording import counted

if TYPE_CHECKING:
    from cogwork.memory.map import MemoryMap

__all__ = ["app"]

app = typer.Typer()


@app.command("stats", epilog="Example: cogwork memory stats --json")
def stats_command(
    *,
    store: Store = None,
    user: Annotated[
        str | None, typer.Option(help="Count only this user's.", show_default="everyone's")
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="Count only this agent's.", show_default="all")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Say what the store holds, how large it is and how its index is."""
    from cogwork.runtime.memory_tables import holdings, tell_stats

    with open_memory(Place(store, config=config)) as opened:
        stats, size = opened.store.stats(), opened.size
        found = [
            each
            for each in holdings(opened.store)
            if user in {None, each.user} and agent in {None, each.agent}
        ]
    if as_json:
        held = [asdict(each) for each in found]
        tell_json({"store": redact(opened.path), "bytes": size, **asdict(stats), "memories": held})
    else:
        tell_stats(redact(opened.path), size, stats, found)
        if not found and (user is not None or agent is not None):
            typer.echo("nobody called so has memories here; leave --user and --agent out", err=True)


@app.command("consolidate", epilog="Example: cogwork memory consolidate --untouched-days 90")
def consolidate_command(
    *,
    unimportant: Annotated[
        float, typer.Option(min=0, max=1, help="Importance below which one may be forgotten.")
    ] = 0.2,
    untouched_days: Annotated[
        float, typer.Option(min=0, help="Days without use after which it is.")
    ] = 30,
    limit: Annotated[int, typer.Option(min=1, help="How many new ones to compare.")] = 1_000,
    store: Store = None,
    user: User = "local",
    agent: Agent = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Merge what says the same, forget what nobody needs, and explain it."""
    from cogwork.core.bridge import run_blocking

    with open_memory(Place(store, user, agent, config)) as opened:

        async def consolidate() -> Any:
            return await opened.semantic.consolidate(
                unimportant=unimportant, untouched_days=untouched_days, limit=limit
            )

        report = run_blocking(consolidate)
    changed = bool(report.merged or report.forgotten)
    if as_json:
        tell_json({**asdict(report), "undo": report.id if changed else None})
        return
    typer.echo(report.explain())
    typer.echo(
        f"undo it within 30 days: cogwork memory undo {report.id}"
        if changed
        else "nothing to merge or forget"
    )
    if report.examined >= limit:
        typer.echo("there may be more to compare; run it again", err=True)


@app.command("undo", epilog="Example: cogwork memory undo 5b7c…")
def undo_command(
    report: Annotated[str, typer.Argument(help="The id that `consolidate` told.")],
    *,
    store: Store = None,
    user: User = "local",
    agent: Agent = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Bring back what a consolidation merged and forgot."""
    from cogwork.core.bridge import run_blocking

    with open_memory(Place(store, user, agent, config)) as opened:
        count = run_blocking(opened.semantic.undo, report)
    if as_json:
        tell_json({"brought_back": count})
    else:
        typer.echo(f"brought back {_counted(count)}")


@app.command("export", epilog="Example: cogwork memory export ada.jsonl --user ada")
def export_command(
    file: Annotated[str, typer.Argument(help="Where to; - prints.")] = "-",
    *,
    _form: Annotated[
        Literal["jsonl"], typer.Option("--format", help="JSON Lines: a memory a line.")
    ] = "jsonl",
    store: Store = None,
    user: User = "local",
    agent: Agent = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write facts with all that is known of them, oldest first; `import` reads it again."""
    from cogwork.core.bridge import run_blocking
    from cogwork.runtime.memory_lines import export_lines

    place = Place(store, user, agent, config)
    with open_memory(place) as opened:
        memories = run_blocking(opened.semantic.everything)
    lines = export_lines(memories)
    if file == "-":
        typer.echo(lines, nl=False)
        return
    _require_some(memories, place, file)
    write_file(Path(file), lines)
    if as_json:
        tell_json({"file": file, "exported": len(memories)})
    else:
        typer.echo(f"wrote {_counted(len(memories))} to {file}")


@app.command("import", epilog="Example: cogwork memory import ada.jsonl --user ada")
def import_command(
    file: Annotated[str, typer.Argument(help="JSON Lines; - reads standard input.")],
    *,
    store: Store = None,
    user: User = "local",
    agent: Agent = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take over facts from JSON Lines: all of them, or none if a line is wrong.

    A line needs only "text"; what it leaves out of a known fact stays as it is.
    """
    from cogwork.core.bridge import run_blocking
    from cogwork.runtime.memory_lines import import_lines, parse_lines

    given = parse_lines(read_lines(file))
    place = Place(store, user, agent, config)
    with open_memory(place, create=True, interrupted="all was imported or nothing") as opened:
        done = run_blocking(import_lines, opened.store, opened.namespace, given)
    if as_json:
        tell_json(asdict(done))
    else:
        typer.echo(f"{done.new:,} new, {done.changed:,} changed, {done.unchanged:,} unchanged")


@app.command("reindex", epilog="Example: cogwork memory reindex --embed")
def reindex_command(
    *,
    embed: Annotated[
        bool, typer.Option("--embed", help="Make all vectors again too, with the embeddings set.")
    ] = False,
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make the vector index of the whole store again from what is stored."""
    from cogwork.runtime.memory_tables import progress_of

    again = "finish it with: cogwork memory reindex" + (" --embed" if embed else "")
    with (
        open_memory(Place(store, config=config), interrupted=again) as opened,
        progress_of(opened.store, embed=embed),
    ):
        count = opened.store.reindex(embed=embed)
    if as_json:
        tell_json({"vectors": count})
    else:
        typer.echo(f"indexed {counted(count, 'vector')}")


@app.command("map", epilog="Example: cogwork memory map memories.svg --user ada")
def map_command(
    file: Annotated[Path, typer.Argument(help="Where to; .svg, or .png with the extra png.")],
    *,
    clusters: Annotated[
        int | None, typer.Option(min=1, max=8, help="How many.", show_default="found out")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Dots that are drawn at most.")] = 2_000,
    store: Store = None,
    user: User = "local",
    agent: Agent = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Draw memories as a map: near means alike, colours are clusters, hovering shows the text.

    The texts are embedded again for it, with the embeddings of the settings.
    """
    _check_suffix(file)
    drawn = _draw(Place(store, user, agent, config), file, clusters=clusters, limit=limit)
    svg = drawn.svg
    write_file(file, to_png(svg) if file.suffix.lower() == ".png" else svg.encode())
    found = [asdict(each) for each in drawn.clusters]
    if as_json:
        told = {"memories": drawn.memories, "drawn": drawn.drawn, "clusters": found}
        tell_json({"file": str(file), **told, "without_vector": drawn.without_vector})
        return
    typer.echo(f"drew {drawn.drawn:,} of {_counted(drawn.memories)} to {file}")
    for each in drawn.clusters:
        typer.echo(f"{each.count:>7,}  {each.label}")


def _check_suffix(file: Path) -> None:
    """Refuse before anything is drawn what could not be written."""
    suffix = file.suffix.lower()
    if suffix not in {".svg", ".png"}:
        raise ConfigurationError(f"'{file}' ends in neither .svg nor .png; name the map so")
    if suffix == ".png" and find_spec("resvg_py") is None:
        raise ConfigurationError(
            "a map as PNG needs the package resvg-py; install it with "
            '`pip install "cogwork[png]"`, or draw an .svg'
        )


def _draw(place: Place, file: Path, *, clusters: int | None, limit: int) -> "MemoryMap":
    from rich.console import Console

    from cogwork.core.bridge import run_blocking
    from cogwork.memory.map import draw_memory_map

    with open_memory(place) as opened:
        memories = run_blocking(opened.semantic.everything)
    _require_some(memories, place, file)
    texts = [memory.text for memory in memories]
    with Console(stderr=True).status(f"drawing {_counted(len(texts))}"):
        found = opened.embeddings.embed_documents(texts) if texts else []
        pairs = zip(memories, found, strict=True)
        vectors = {memory.id: vector for memory, vector in pairs if any(vector)}
        view = f", as {place.agent} knows them" if place.agent else ""
        title = f"Memories of {place.user}{view}"
        return draw_memory_map(memories, vectors, title=title, clusters=clusters, limit=limit)


def _require_some(memories: Sized, place: Place, file: Path | str) -> None:
    """Refuse to put nothing in the place of what a file holds."""
    if not memories:
        whose = f"user '{place.user}'" + (f" and agent '{place.agent}'" if place.agent else "")
        raise ConfigurationError(
            f"{file} is not written, for there are no memories of {whose}; `cogwork memory stats` "
            "shows who has some"
        )


def _counted(count: int) -> str:
    return counted(count, "memory", "memories")
