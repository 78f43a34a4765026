"""`cogwork tasks`, `cogwork worker` and `cogwork metrics`: graphs as tasks, from the command line."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cogwork.core.errors import ConfigurationError, TaskError
from cogwork.core.registry import nearest

if TYPE_CHECKING:
    from cogwork.core.metrics import Metrics
    from cogwork.core.settings import Settings
    from cogwork.runtime.tasks.runner import Runner

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
    as_json: Json = False,
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
    typer.echo(json.dumps({"id": key}) if as_json else key)


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

    from cogwork.runtime.tasks.display import tasks_table

    with _opened(config) as runner:
        found = runner.list(state, limit=limit)  # type: ignore[arg-type]  # checked there
    if as_json:
        typer.echo(json.dumps([task.model_dump() for task in found]))
    elif not found:
        typer.echo('no tasks; `cogwork tasks submit react "…"` makes one')
    else:
        Console(emoji=False).print(tasks_table(found))


@app.command("status")
def status_command(key: Id, config: Config = None, as_json: Json = False) -> None:
    """Say what is known of a task."""
    from cogwork.runtime.tasks.display import facts_of

    with _opened(config) as runner:
        task = runner.status(key)
    if as_json:
        typer.echo(task.model_dump_json())
        return
    for name, value in facts_of(task):
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
    from cogwork.runtime.tasks.display import watch

    with _opened(config) as runner:
        if as_json:
            if key is None:
                raise ConfigurationError("watch --json needs the id of a task")
            for event in runner.watch(key):
                typer.echo(event.model_dump_json())
        else:
            watch(runner, key)


@app.command("report")
def report_command(
    key: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One task; all unless given.")
    ] = None,
    hours: Annotated[
        float | None,
        typer.Option(help="Of what ended, only the last so many.", show_default=False),
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print what became of tasks and what they took, as Markdown."""
    with _opened(config) as runner:
        if key is None:
            found = runner.report(None if hours is None else hours * 3_600)
            typer.echo(found.model_dump_json() if as_json else found.markdown(), nl=as_json)
        else:
            one = runner.task_report(key)
            typer.echo(one.model_dump_json() if as_json else one.markdown(), nl=as_json)


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
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Of the worker.")] = 9464,
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


def worker_command(  # noqa: PLR0917 - one parameter an option
    max_concurrency: Annotated[int, typer.Option(min=1, help="Tasks at once.")] = 4,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="End when nothing is left to do.")
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Answer Prometheus on this port.", show_default=False),
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(help="Who may ask: this machine alone, or 0.0.0.0 for all.")
    ] = "127.0.0.1",
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds that running nodes have when it ends.")
    ] = 10.0,
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
            options["metrics"] = _serve_metrics(stack, metrics_port, metrics_host)
        runner = stack.enter_context(_opened(config, grace, **options))
        runner.start()
        typer.echo("working; Ctrl-C or SIGTERM ends it", err=True)
        while not ended.wait(0.2):
            if until_done and not runner.counts().keys() & {"pending", "running"}:
                break
        typer.echo("coming to an end", err=True)
    for each, handler in before.items():
        signal.signal(each, handler)


@contextmanager
def _opened(config: Path | None, grace: float = 10.0, **options: Any) -> Iterator["Runner"]:
    """The runner that the settings name; it works only if it is started."""
    from cogwork.core.logs import log_as
    from cogwork.core.settings import load_settings
    from cogwork.graphs.registry import graphs
    from cogwork.runtime.tasks.runner import Runner

    settings = load_settings(config)
    log_as(settings)
    with ExitStack() as stores:  # opened with the graphs that work on memories
        makers = {name: _maker(name, settings, stores) for name in graphs.names()}
        runner = Runner(settings.tasks, makers, **options)
        try:
            yield runner
        finally:
            runner.stop(grace)


def _maker(name: str, settings: "Settings", stack: ExitStack) -> Any:
    def make() -> Any:
        from cogwork.runtime.building import build_graph, open_memories_of

        store = stack.enter_context(open_memories_of(name, settings))
        return build_graph(name, settings, store=store)

    return make


def _serve_metrics(stack: ExitStack, port: int, host: str) -> "Metrics":
    from cogwork.core.metrics import Metrics

    metrics = Metrics()
    try:
        stack.enter_context(metrics.serve(port, host))
    except OSError as error:
        raise ConfigurationError(
            f"metrics cannot be served on {host}, port {port}: {error.strerror}; choose another"
        ) from error
    return metrics


def _read(answer: str) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        return answer
