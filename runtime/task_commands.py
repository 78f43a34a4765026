"""`cogwork tasks`, `cogwork worker` and `cogwork metrics`: graphs as tasks, from the command line."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cogwork.core.errors import ConfigurationError, TaskError
from cogwork.core.registry import nearest

if TYPE_CHECKING:
    from rich.table import Table

    from cogwork.core.metrics import Metrics
    from cogwork.core.settings import Settings
    from cogwork.runtime.tasks.runner import Runner
    from cogwork.runtime.tasks.task import Task

__all__ = ["app", "metrics_command", "worker_command"]

app = typer.Typer(
    name="tasks",
    help="Runs of graphs in the background: submit them, watch them, cancel them.",
    no_args_is_help=True,
)

Config = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file of settings.", show_default="cogwork.yaml"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Of the task.")]

_COLOURS = {
    "pending": "dim",
    "running": "cyan",
    "paused": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "dim",
}
_BAR = 20  # characters


@app.command("submit")
def submit_command(  # noqa: PLR0917 - one parameter an option
    graph: Annotated[str, typer.Argument(help="Name of a graph; `cogwork graphs` lists them.")],
    question: Annotated[str, typer.Argument(help="What to do.")],
    priority: Annotated[str, typer.Option(help="low, normal, high or critical.")] = "normal",
    timeout: Annotated[
        float | None, typer.Option(help="Seconds that it may run.", show_default=False)
    ] = None,
    parent: Annotated[
        str | None, typer.Option(help="A task that it is cancelled with.", show_default=False)
    ] = None,
    config: Config = None,
) -> None:
    """Queue a run and print its id; a worker does it (`cogwork worker`)."""
    from cogwork.runtime.tasks.task import Priority

    if priority not in Priority.__members__:
        known = list(Priority.__members__)
        raise ConfigurationError(f"no priority is called '{priority}'; {nearest(priority, known)}")
    if not question.strip():
        raise ConfigurationError("the question is empty; say what to do")
    given = {"messages": [{"role": "user", "content": question}]}
    with _opened(config) as runner:
        key = runner.submit(
            graph, given, priority=Priority[priority], timeout=timeout, parent=parent
        )
    typer.echo(key)


@app.command("list")
def list_command(
    state: Annotated[
        str | None, typer.Option(help="Only those in this state.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 30,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List tasks, the newest first."""
    from rich.console import Console

    if state is not None and state not in _COLOURS:
        raise ConfigurationError(f"no state is called '{state}'; {nearest(state, list(_COLOURS))}")
    with _opened(config) as runner:
        found = runner.list(state, limit=limit)  # type: ignore[arg-type]  # checked above
    if as_json:
        typer.echo(json.dumps([task.model_dump() for task in found]))
    elif not found:
        typer.echo('no tasks; `cogwork tasks submit react "…"` makes one')
    else:
        Console(emoji=False).print(_table(found))


@app.command("status")
def status_command(key: Id, config: Config = None, as_json: Json = False) -> None:
    """Say what is known of a task."""
    with _opened(config) as runner:
        task = runner.status(key)
    if as_json:
        typer.echo(task.model_dump_json())
        return
    for name, value in _facts(task):
        typer.echo(f"{name:<10} {value}")


@app.command("watch")
def watch_command(
    key: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One task; all that have not ended.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show tasks as they go, until they have ended or wait for a person."""
    with _opened(config) as runner:
        if as_json:
            if key is None:
                raise ConfigurationError("watch --json needs the id of a task")
            for event in runner.watch(key):
                typer.echo(event.model_dump_json())
        else:
            _watch(runner, key)


@app.command("result")
def result_command(
    key: Id,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print the answer of a task; all that its graph gave with --json."""
    from cogwork.runtime.tasks.task import ENDED

    with _opened(config) as runner:
        task = runner.status(key)
        if not wait and task.state not in (*ENDED, "paused"):
            raise TaskError(f"task '{key}' is {task.state}; wait for it with --wait")
        found = runner.result(key)
    messages = found.get("messages") if isinstance(found, dict) else None
    if as_json or not messages:
        from pydantic_core import to_jsonable_python

        plain = to_jsonable_python(found, fallback=str)
        typer.echo(json.dumps(plain, ensure_ascii=False))
    else:
        typer.echo(messages[-1].text)


@app.command("cancel")
def cancel_command(key: Id, config: Config = None) -> None:
    """Cancel a task and those that belong to it."""
    with _opened(config) as runner:
        runner.cancel(key)
    typer.echo(f"{key}: cancelled, within a second if it runs")


@app.command("pause")
def pause_command(key: Id, config: Config = None) -> None:
    """Hold a task at its next checkpoint."""
    with _opened(config) as runner:
        runner.pause(key)
    typer.echo(f"{key}: pauses at its next checkpoint")


@app.command("resume")
def resume_command(
    key: Id,
    answer: Annotated[
        str | None,
        typer.Option(help="To what it asks; JSON or text.", show_default=False),
    ] = None,
    config: Config = None,
) -> None:
    """Let a paused task go on, with an answer to what it asks."""
    with _opened(config) as runner:
        runner.resume(key, None if answer is None else _read(answer))
    typer.echo(f"{key}: pending")


@app.command("cleanup")
def cleanup_command(
    days: Annotated[float, typer.Option(min=0, help="That ended so many days ago.")] = 7.0,
    config: Config = None,
) -> None:
    """Forget tasks that ended some time ago, with their checkpoints."""
    with _opened(config) as runner:
        gone = runner.cleanup(days * 86_400)
    typer.echo(f"{len(gone)} tasks are forgotten")


def metrics_command(
    port: Annotated[int, typer.Option(help="Of the worker.")] = 9464,
) -> None:
    """Print what a worker counts, which serves it (`cogwork worker --metrics-port 9464`)."""
    import httpx

    try:
        found = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        raise TaskError(
            f"no worker serves metrics on port {port} ({error}); start one with "
            f"`cogwork worker --metrics-port {port}`"
        ) from error
    typer.echo(found.text, nl=False)


def worker_command(
    max_concurrency: Annotated[int, typer.Option(min=1, help="Tasks at once.")] = 4,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="End when nothing is left to do.")
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Answer Prometheus on this port of this machine.", show_default=False),
    ] = None,
    config: Config = None,
) -> None:
    """Work on tasks until SIGTERM or Ctrl-C; what runs is then brought to its next checkpoint."""
    ended = threading.Event()
    before = {
        each: signal.signal(each, lambda *_: ended.set())
        for each in (signal.SIGTERM, signal.SIGINT)
    }
    with ExitStack() as stack:
        options: dict[str, Any] = {"max_concurrency": max_concurrency}
        if metrics_port is not None:
            options["metrics"] = _serve_metrics(stack, metrics_port)
        runner = stack.enter_context(_opened(config, **options))
        runner.start()
        typer.echo("working; Ctrl-C or SIGTERM ends it", err=True)
        while not ended.wait(0.2):
            if until_done and not runner.counts().keys() & {"pending", "running"}:
                break
        typer.echo("coming to an end", err=True)
    for each, handler in before.items():
        signal.signal(each, handler)


@contextmanager
def _opened(config: Path | None, **options: Any) -> Iterator["Runner"]:
    """The runner that the settings name; it works only if it is started."""
    from cogwork.core.settings import load_settings
    from cogwork.graphs.registry import graphs
    from cogwork.runtime.tasks.runner import Runner

    settings = load_settings(config)
    with ExitStack() as stores:  # opened with the graphs that work on memories
        makers = {name: _maker(name, settings, stores) for name in graphs.names()}
        runner = Runner(settings.tasks, makers, **options)
        try:
            yield runner
        finally:
            runner.stop()


def _maker(name: str, settings: "Settings", stack: ExitStack) -> Any:
    def make() -> Any:
        from cogwork.runtime.building import build_graph, open_memories_of

        store = stack.enter_context(open_memories_of(name, settings))
        return build_graph(name, settings, store=store)

    return make


def _serve_metrics(stack: ExitStack, port: int) -> "Metrics":
    from cogwork.core.metrics import Metrics

    metrics = Metrics()
    try:
        stack.enter_context(metrics.serve(port))
    except OSError as error:
        raise ConfigurationError(
            f"metrics cannot be served on port {port}: {error.strerror}; choose another"
        ) from error
    return metrics


def _read(answer: str) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        return answer


def _watch(runner: "Runner", key: str | None) -> None:
    from rich.console import Console
    from rich.live import Live

    from cogwork.runtime.tasks.task import ENDED

    shown = [key] if key else [t.id for t in runner.list(limit=50) if t.state not in ENDED]
    if not shown:
        typer.echo("nothing is running or waiting")
        return
    with Live(console=Console(emoji=False), refresh_per_second=8) as live:
        while True:
            tasks = [runner.status(each) for each in shown]
            live.update(_table(tasks))
            if all(task.state in (*ENDED, "paused") for task in tasks):
                return
            time.sleep(0.15)


def _table(tasks: "list[Task]") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None)
    for name in ("id", "graph", "state", "progress", "ran", "left"):
        table.add_column(name, no_wrap=True)
    table.add_column("says")
    now = time.time()
    for task in tasks:
        left = task.seconds_left(now)
        says = task.error or "; ".join(str(each["value"]) for each in task.questions)
        state = f"{task.state}, {task.phase}" if task.phase else task.state
        table.add_row(
            task.id,
            task.graph,
            f"[{_COLOURS[task.state]}]{state}[/]",
            _bar(task.progress),
            f"{task.duration(now):.1f} s",
            "" if left is None else f"{left:.0f} s",
            escape(says[:80]),
        )
    return table


def _bar(share: float) -> str:
    done = round(share * _BAR)
    return f"{'█' * done}{'░' * (_BAR - done)} {share:4.0%}"


def _facts(task: "Task") -> Iterator[tuple[str, Any]]:
    now = time.time()
    yield from (("id", task.id), ("graph", task.graph), ("state", task.state))
    yield "progress", f"{task.progress:.0%}"
    yield (
        "created",
        datetime.fromtimestamp(task.created, UTC).astimezone().isoformat(" ", "seconds"),
    )
    yield "ran", f"{task.duration(now):.1f} s in {task.attempts} attempt(s)"
    if any(task.spent.values()):
        yield "spent", ", ".join(f"{value:g} {name}" for name, value in task.spent.items() if value)
    for name in ("phase", "parent", "timeout", "budget", "error"):
        if (value := getattr(task, name)) is not None:
            yield name, value
    for each in task.questions:
        yield "asks", f"{json.dumps(each['value'], ensure_ascii=False)} ({each['id']})"
