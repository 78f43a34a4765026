"""The command line of long-term memory: `cogwork memory add | search | list | …`.

Looking is no use: searching or listing here changes no access count and no ranking.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cogwork.core.errors import ConfigurationError
from cogwork.runtime.memory_place import (
    Agent,
    Opened,
    Place,
    Store,
    User,
    open_memory,
    read_lines,
    tell_json,
)
from cogwork.runtime.memory_upkeep import app as upkeep
from cogwork.runtime.options import Config, Json

if TYPE_CHECKING:
    from cogwork.memory.facts import Memory

__all__ = ["app"]

app = typer.Typer(
    name="memory",
    help="What agents remember: add to it, search it, tidy it up, draw it.",
    no_args_is_help=True,
)
app.add_typer(upkeep)

Order = Literal["newest", "oldest", "used", "importance", "accesses", "text"]


@app.command("add", epilog='Example: cogwork memory add "Ada drinks green tea" --importance 0.8')
def add_command(
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="What to remember; - reads a fact a line."),
    ] = None,
    *,
    importance: Annotated[float, typer.Option(min=0, max=1, help="From 0 to 1.")] = 0.5,
    metadata: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Noted beside each; JSON or text; repeatable."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Read a fact a line from this file.")] = None,
    store: Store = None,
    user: User = "local",
    agent: Agent = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Remember facts; one that is known already is merged and says so."""
    from cogwork.core.bridge import run_blocking

    facts = _facts(texts or [], file)
    noted = dict(_pair(each) for each in metadata or [])
    done = []
    with open_memory(Place(store, user, agent, config), create=True) as opened:

        async def remember(text: str) -> "Memory":
            return await opened.semantic.remember(text, metadata=noted, importance=importance)

        for fact in facts:
            memory = run_blocking(remember, fact)
            done.append({**memory.as_dict(), "status": "merged" if memory.repeats else "new"})
            if not as_json:
                _tell("merged" if memory.repeats else "new", memory)
    if as_json:
        tell_json(done)


@app.command("search", epilog='Example: cogwork memory search "hot drinks" -k 3')
def search_command(
    query: Annotated[str, typer.Argument(help="What is asked.")],
    *,
    k: Annotated[
        int, typer.Option("-k", "--limit", min=1, max=100_000, help="How many at most.")
    ] = 5,
    store: Store = None,
    user: User = "local",
    agent: Agent = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Find memories by meaning and by words, the best first."""
    from cogwork.core.bridge import run_blocking

    if not query.strip():
        raise ConfigurationError("the query is empty; say what to look for")

    with open_memory(Place(store, user, agent, config)) as opened:

        async def search() -> "list[Memory]":
            return await opened.semantic.search(query, k, touch=False)

        found = run_blocking(search)
    _tell_memories(found, user, agent, as_json=as_json, scored=True)


@app.command("list", epilog="Example: cogwork memory list --sort importance --limit 50")
def list_command(
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    sort: Annotated[Order, typer.Option(help="What comes first.")] = "newest",
    store: Store = None,
    user: User = "local",
    agent: Agent = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List memories; ids may be shortened to their first letters wherever one is asked for."""
    with open_memory(Place(store, user, agent, config)) as opened:
        found = _everything(opened)
    shown = sorted(found, key=_ORDERS[sort])[:limit]
    _tell_memories(shown, user, agent, as_json=as_json)
    if len(shown) < len(found):
        typer.echo(f"{len(shown)} of {len(found)}; --limit shows more", err=True)


@app.command("forget", epilog="Example: cogwork memory forget 1f0c22ab --yes")
def forget_command(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Ids, or how they begin.")
    ] = None,
    *,
    query: Annotated[
        str | None, typer.Option(help="Forget what has all of these words.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: Store = None,
    user: User = "local",
    agent: Agent = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Delete memories for good, after showing them and asking."""
    from cogwork.core.bridge import run_blocking

    if bool(ids) == (query is not None):
        raise ConfigurationError("say what to forget, either by ids or by --query")
    if query is not None and not _words(query):
        raise ConfigurationError("--query has no words; say which the memories have")
    place = Place(store, user, agent, config)
    with open_memory(place) as opened:
        chosen = _chosen(_everything(opened), ids or [], query)
    if chosen and not yes:  # asked while the store is closed, so that others can go on
        _ask(chosen)
    with open_memory(place) as opened:
        for memory in chosen:
            run_blocking(opened.semantic.forget, memory.id)
    if as_json:
        tell_json([memory.as_dict() for memory in chosen])
        return
    for memory in chosen:
        _tell("forgot", memory)
    if not chosen:
        typer.echo("no memory has all of these words; nothing was forgotten")


def _facts(texts: list[str], file: Path | None) -> list[str]:
    """All that is to be remembered, checked before any of it is."""
    facts = []
    for text in texts:
        if not text.strip():
            raise ConfigurationError("a text to remember is blank; write some words")
        facts += [line for line in read_lines("-") if line.strip()] if text == "-" else [text]
    if file is not None:
        facts += [line for line in read_lines(str(file)) if line.strip()]
    if not facts:
        raise ConfigurationError("there is nothing to remember; give a text, - or --file")
    return [fact.strip() for fact in facts]


def _pair(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise ConfigurationError(f"metadata '{text}' is no KEY=VALUE, such as --metadata year=2026")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def _everything(opened: Opened) -> "list[Memory]":
    from cogwork.core.bridge import run_blocking

    return run_blocking(opened.semantic.everything)


def _chosen(known: "list[Memory]", ids: list[str], query: str | None) -> "list[Memory]":
    """What is to be forgotten; every id must name one memory before any is forgotten."""
    if query is not None:
        return [memory for memory in known if _words(query) <= _words(memory.text)]
    return list({each.id: each for each in (_named(known, given) for given in ids)}.values())


def _named(known: "list[Memory]", given: str) -> "Memory":
    found = [memory for memory in known if memory.id.startswith(given)] if given else []
    if len(found) == 1:
        return found[0]
    problem = (
        f"{len(found)} memories have ids that begin so; write more of it"
        if found
        else ("no memory has this id; `cogwork memory list` shows them")
    )
    raise ConfigurationError(f"'{given}': {problem}")


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _ask(chosen: "list[Memory]") -> None:
    """Ask whether to forget these; without a terminal that is a question left open."""
    for memory in chosen:
        _tell("", memory, err=True)
    count = "this memory" if len(chosen) == 1 else f"these {len(chosen)} memories"
    if not sys.stdin.isatty():
        typer.echo(f"nothing was forgotten; to forget {count} for good, add --yes", err=True)
        raise typer.Exit(3)
    if not typer.confirm(f"Forget {count} for good?", err=True):
        typer.echo("nothing was forgotten", err=True)
        raise typer.Exit


def _tell(what: str, memory: "Memory", *, err: bool = False) -> None:
    from cogwork.runtime.memory_tables import one_line, short_id

    typer.echo(f"{what:<8}{short_id(memory)}  {one_line(memory.text)}", err=err)


def _tell_memories(
    memories: "list[Memory]",
    user: str,
    agent: str | None,
    *,
    as_json: bool,
    scored: bool = False,
) -> None:
    from cogwork.runtime.memory_tables import tell_table

    if as_json:
        tell_json([memory.as_dict() for memory in memories])
    elif memories:
        tell_table(memories, scored=scored)
    else:
        whose = f"user '{user}'" + (f" and agent '{agent}'" if agent else "")
        typer.echo(
            f"nothing found for {whose}; `cogwork memory stats` shows who has memories", err=True
        )


_ORDERS: "dict[str, Callable[[Memory], Any]]" = {
    "newest": lambda memory: (-memory.created_at, memory.id),
    "oldest": lambda memory: (memory.created_at, memory.id),
    "used": lambda memory: (-memory.used_at, memory.id),
    "importance": lambda memory: (-memory.importance, -memory.used_at, memory.id),
    "accesses": lambda memory: (-memory.accesses, -memory.used_at, memory.id),
    "text": lambda memory: (memory.text.casefold(), memory.id),
}
