"""`cogwork process`: check definitions of processes, run instances of them, export their trails."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cogwork.core.errors import ConfigurationError
from cogwork.runtime import completion
from cogwork.runtime.options import Config, Json
from cogwork.runtime.wording import counted

if TYPE_CHECKING:
    from langgraph.types import StateSnapshot

    from cogwork.graphs.process import Process
    from cogwork.nodes.process.answering import Item

__all__ = ["app"]

app = typer.Typer(
    name="process", help="Business processes that are declared in YAML.", no_args_is_help=True
)

Files = Annotated[list[Path], typer.Argument(help="YAML files, or folders of them.")]
Thread = Annotated[
    str, typer.Option(help="Names the instance.", autocompletion=completion.thread_ids)
]
Name = Annotated[
    str | None,
    typer.Option("--process", help="Which of several.", show_default="the one no other runs"),
]
Tools = Annotated[
    str | None,
    typer.Option(
        help="Your tools: `file.py:function`, called with the root; else registered ones.",
        show_default=False,
    ),
]
Root = Annotated[
    Path | None, typer.Option(help="The folder that file tools may touch.", show_default=".")
]


@app.callback()
def process() -> None:
    """Business processes that are declared in YAML."""


@app.command("check")
def check_command(files: Files, as_json: Json = False) -> None:
    """Read definitions and tell every fault with its line; exit with 2 if there is one."""
    from cogwork.nodes.process.library import Library
    from cogwork.nodes.process.reading import read_definitions

    definitions = read_definitions(files)
    Library(definitions)
    told = [
        {"file": each.file, "process": each.process, "version": each.version, "digest": each.digest}
        for each in definitions
    ]
    if as_json:
        typer.echo(json.dumps(told))
        return
    for each, one in zip(definitions, told, strict=True):
        count = len([*each.all_steps()])
        typer.echo(f"{one['file']}: {each.key}, {counted(count, 'step')}, is whole")


@app.command("run")
def run_command(  # noqa: PLR0917 - one parameter an option
    files: Files,
    thread: Thread,
    given: Annotated[
        str | None,
        typer.Option("--input", help="Begin an instance, with this JSON.", show_default=False),
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option(
            help='STEP=WORD, or STEP=JSON: `approve=reject`, `sign={"event": "signed"}`.',
            show_default=False,
        ),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who answers.", show_default=False)] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(help="ROLE=PERSON, besides the definitions; repeatable.", show_default=False),
    ] = None,
    name: Name = None,
    tools: Tools = None,
    root: Root = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Begin an instance (--input), answer what it asks (--answer), or wake what is due.

    Exits with 0 when the instance has ended, 1 when it failed, 3 when it waits.
    """
    if given is not None and answer is not None:
        raise ConfigurationError("give --input or --answer, not both")
    asked = None if given is None else {"input": _mapping(given, "--input")}
    with _opened(files, name, tools, root, config, role or ()) as graph:
        place: Any = {"configurable": {"thread_id": thread}}
        snapshot = graph.get_state(place)
        if asked is None and not snapshot.values:
            raise ConfigurationError(
                f"there is no instance '{thread}'; begin it with {_sample(graph)}"
            )
        if asked is not None and not snapshot.values:
            _check_input(graph, asked)
        todo = asked if asked is not None else _command(snapshot, answer, by)
        is_cut_off = bool(snapshot.next) and not snapshot.interrupts
        if todo is not None or is_cut_off:
            graph.invoke(todo, place)
        _tell(thread, graph.get_state(place), as_json=as_json)


@app.command("export")
def export_command(  # noqa: PLR0917 - one parameter an option
    files: Files,
    thread: Thread,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="csv or json.",
            metavar="FORMAT",
            autocompletion=completion.one_of("csv", "json"),
        ),
    ] = "csv",
    name: Name = None,
    tools: Tools = None,
    root: Root = None,
    config: Config = None,
) -> None:
    """Print the trail of an instance: who did what, when."""
    from cogwork.core.registry import nearest
    from cogwork.nodes.process.trail import trail_to_csv, trail_to_json

    forms = {"csv": trail_to_csv, "json": trail_to_json}
    if form not in forms:
        raise ConfigurationError(f"no format is called '{form}'; {nearest(form, list(forms))}")
    with _opened(files, name, tools, root, config, ()) as graph:
        values = graph.get_state({"configurable": {"thread_id": thread}}).values
    if not values:
        raise ConfigurationError(
            f"there is no instance '{thread}'; `cogwork process run … --thread {thread} --input …` "
            "begins it"
        )
    if not values.get("trail"):
        typer.echo(f"nothing has happened in instance '{thread}' yet", err=True)
    typer.echo(forms[form](values.get("trail") or []), nl=form == "json")


@contextmanager
def _opened(  # noqa: PLR0917 - what the options say
    files: Sequence[Path],
    name: str | None,
    tools: str | None,
    root: Path | None,
    config: Path | None,
    roles: Sequence[str],
) -> Iterator["Process"]:
    from cogwork.core.models import create_chat_model
    from cogwork.core.settings import load_settings
    from cogwork.graphs.process import create_process
    from cogwork.memory import create_checkpointer
    from cogwork.nodes.process.reading import read_definitions
    from cogwork.runtime.process_tools import load_process_tools
    from cogwork.tools.audit import AuditLog

    settings = load_settings(config, **({} if root is None else {"root": root}))
    definitions = read_definitions(files)
    key = settings.audit_key
    ready = load_process_tools(definitions, tools, settings)
    with create_checkpointer(settings.checkpointer) as checkpointer:
        yield create_process(
            definitions,
            ready,
            model=create_chat_model(settings=settings),
            roles=_roles(roles),
            process=name,
            tool_timeout=settings.tool_timeout,
            audit=AuditLog(settings.audit_log, key=key.get_secret_value() if key else None),
            checkpointer=checkpointer,
        )


def _roles(given: Sequence[str]) -> dict[str, list[str]]:
    roles: dict[str, list[str]] = {}
    for each in given:
        role, _, person = each.partition("=")
        if not role or not person:
            raise ConfigurationError(f"--role is '{each}'; write ROLE=PERSON")
        roles.setdefault(role, []).append(person)
    return roles


def _check_input(graph: "Process", given: Mapping[str, Any]) -> None:
    """Refuse an input in the words of the command line."""
    from cogwork.nodes.process.beginning import definition_for

    try:
        definition_for(graph.versions, given)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}, as in {_sample(graph)}") from None


def _sample(graph: "Process") -> str:
    """The option that begins an instance, with the fields of the newest definition."""
    *_, newest = graph.versions.values()
    values = {"text": "…", "number": 0, "boolean": True, "list": [], "mapping": {}}
    fields = {name: values[kind] for name, kind in newest.input.items()}
    return f"--input '{json.dumps(fields, ensure_ascii=False)}'"


def _mapping(text: str, option: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ConfigurationError(f"{option} is {text!r:.80}; give a JSON object")
    return value


def _command(snapshot: "StateSnapshot", answer: str | None, by: str | None) -> Any:
    from cogwork.nodes.process.answering import due, reply

    if answer is None:
        return due(snapshot, time.time())
    step, equals, text = answer.partition("=")
    if not equals:
        raise ConfigurationError(f"--answer is '{answer}'; write STEP=WORD or STEP=JSON")
    try:
        said = json.loads(text)
    except ValueError:
        said = {"type": text, "event": text}
    told = {**said} if isinstance(said, Mapping) else {"type": said, "event": said}
    return reply(snapshot, step, {**told, "by": by} if by else told)


def _tell(thread: str, snapshot: "StateSnapshot", *, as_json: bool) -> None:
    from cogwork.nodes.process.answering import inbox

    status, items = snapshot.values.get("status"), inbox(snapshot)
    if as_json:
        waits = [_as_data(item) for item in items]
        results = snapshot.values.get("results")
        told = {"thread": thread, "status": status, "waits": waits, "results": results}
        typer.echo(json.dumps(told))
    elif status is not None:
        typer.echo(f"{thread}: {status}")
        troubles = {
            each["step"]: each["note"]
            for each in snapshot.values.get("trail") or ()
            if each["event"] == "failed"
        }
        for step, why in (troubles | (snapshot.values.get("failed") or {})).items():
            typer.echo(f"  {step}: {why}", err=True)
    for item in [] if as_json else items:
        typer.echo(_line(item))
    if items:
        raise typer.Exit(3)
    if status == "failed":
        raise typer.Exit(1)


def _as_data(item: "Item") -> dict[str, Any]:
    names = ("step", "kind", "role", "question", "due", "trouble")
    return {name: getattr(item, name) for name in names}


def _line(item: "Item") -> str:
    until = (
        f", until {datetime.fromtimestamp(item.due, UTC):%Y-%m-%d %H:%M} UTC" if item.due else ""
    )
    why = f"\n  {item.trouble}" if item.trouble else ""
    return f"{item.step} ({item.role or 'anyone'}{until}): {item.question}{why}"
