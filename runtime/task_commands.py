"""`cogwork tasks`: graphs as tasks, from the command line."""

import json
from typing import Annotated, Any

import typer

from cogwork.core.errors import ConfigurationError, TaskError
from cogwork.core.registry import nearest
from cogwork.runtime import completion
from cogwork.runtime.options import Config, Json
from cogwork.runtime.task_place import opened
from cogwork.runtime.wording import counted

__all__ = ["app"]

app = typer.Typer(
    name="tasks",
    help="Runs of graphs in the background: submit them, watch them, cancel them.",
    no_args_is_help=True,
)

_LONGEST = 2_000_000  # hours, two centuries
_NONE = 'no tasks; `cogwork tasks submit react "…"` makes one'
_STATES = ("pending", "running", "paused", "completed", "failed", "cancelled")
Id = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="Of the task, or how it begins.", autocompletion=completion.task_ids
    ),
]


@app.command("submit")
def submit_command(  # noqa: PLR0917 - one parameter an option
    graph: Annotated[
        str,
        typer.Argument(
            help="Name of a graph; `cogwork graphs` lists them.",
            autocompletion=completion.graph_names,
        ),
    ],
    question: Annotated[str, typer.Argument(help="What to do.")],
    priority: Annotated[
        str,
        typer.Option(
            help="low, normal, high or critical.",
            autocompletion=completion.one_of("low", "normal", "high", "critical"),
        ),
    ] = "normal",
    timeout: Annotated[
        float | None, typer.Option(help="Seconds that it may run.", show_default=False)
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option(
            help="A task that it is cancelled with.",
            show_default=False,
            autocompletion=completion.task_ids,
        ),
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
    with opened(config) as runner:
        above = None if parent is None else runner.named(parent)
        key = runner.submit(
            graph, given, priority=Priority[priority], timeout=timeout, parent=above
        )
    typer.echo(json.dumps({"id": key}) if as_json else key)
    if not as_json:
        typer.echo("(`cogwork worker` does it, `cogwork tasks watch` shows how it goes)", err=True)


@app.command("list")
def list_command(
    state: Annotated[
        str | None,
        typer.Option(
            help="Only those in this state.",
            show_default=False,
            autocompletion=completion.one_of(*_STATES),
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 30,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List tasks, the newest first."""
    from rich.console import Console

    from cogwork.runtime.tasks.display import tasks_table

    with opened(config) as runner:
        found = runner.list(state, limit=limit)  # type: ignore[arg-type]  # checked there
    if as_json:
        typer.echo(json.dumps([task.model_dump() for task in found]))
    elif not found:
        typer.echo(_NONE if state is None else f"no tasks are {state}")
    else:
        Console(emoji=False).print(tasks_table(found))


@app.command("status")
def status_command(key: Id, config: Config = None, as_json: Json = False) -> None:
    """Say what is known of a task."""
    from cogwork.runtime.tasks.display import facts_of

    with opened(config) as runner:
        task = runner.status(runner.named(key))
    if as_json:
        typer.echo(task.model_dump_json())
        return
    for name, value in facts_of(task):
        typer.echo(f"{name:<10} {value}")


@app.command("watch")
def watch_command(
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="One task; all that have not ended.",
            autocompletion=completion.task_ids,
        ),
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show tasks as they go, until they have ended or wait for a person."""
    from cogwork.runtime.tasks.display import watch

    with opened(config) as runner:
        if as_json:
            if key is None:
                raise ConfigurationError("watch --json needs the id of a task")
            for event in runner.watch(runner.named(key)):
                typer.echo(event.model_dump_json())
        else:
            watch(runner, None if key is None else runner.named(key))


@app.command("report")
def report_command(
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]", help="One task; all unless given.", autocompletion=completion.task_ids
        ),
    ] = None,
    hours: Annotated[
        float | None,
        typer.Option(help="Of what ended, only the last so many.", show_default=False),
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print what became of tasks and what they took, as Markdown."""
    if hours is not None and not 0 < hours <= _LONGEST:
        raise ConfigurationError(
            f"--hours is {hours:g}; give a number above 0 and up to {_LONGEST:,}, or leave it out"
        )
    with opened(config) as runner:
        if key is None:
            found = runner.report(None if hours is None else hours * 3_600)
            if not as_json and not found.states:
                typer.echo(
                    _NONE if hours is None else f"no task waits, runs, or ended within {hours:g} h"
                )
                return
            typer.echo(found.model_dump_json() if as_json else found.markdown(), nl=as_json)
        else:
            one = runner.task_report(runner.named(key))
            typer.echo(one.model_dump_json() if as_json else one.markdown(), nl=as_json)


@app.command("result")
def result_command(
    key: Id,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print the answer of a task; all that its graph gave with --json.

    Exits with 1 when the task failed or has not ended, 3 when it waits for a person.
    """
    from cogwork.runtime.tasks.display import how_to_go_on
    from cogwork.runtime.tasks.task import ENDED

    with opened(config) as runner:
        key = runner.named(key)
        task = runner.status(key)
        if not wait and task.state not in (*ENDED, "paused"):
            raise TaskError(f"task '{key}' is {task.state}; wait for it with --wait")
        try:
            found = runner.result(key)
        except TaskError:
            if (task := runner.status(key)).state != "paused":
                raise
            typer.echo("\n".join(how_to_go_on(task)), err=True)
            raise typer.Exit(3) from None
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
    with opened(config) as runner:
        key = runner.named(key)
        runner.cancel(key)
    typer.echo(f"{key}: cancelled, within a second if it runs")


@app.command("pause")
def pause_command(key: Id, config: Config = None) -> None:
    """Hold a task at its next checkpoint."""
    with opened(config) as runner:
        key = runner.named(key)
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
    with opened(config) as runner:
        key = runner.named(key)
        runner.resume(key, None if answer is None else _read(answer))
    typer.echo(f"{key}: pending")


@app.command("cleanup")
def cleanup_command(
    days: Annotated[
        float, typer.Option(min=0, max=100_000, help="That ended so many days ago.")
    ] = 7.0,
    config: Config = None,
) -> None:
    """Forget tasks that ended some time ago, with their checkpoints."""
    with opened(config) as runner:
        gone = runner.cleanup(days * 86_400)
    typer.echo(f"{counted(len(gone), 'task is', 'tasks are')} forgotten")


def _read(answer: str) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        return answer
