"""The command line: `cogwork run | graphs | show | serve | memory | tasks | worker | bench | process | …`.

Exit codes: 0 done; 1 the run failed; 2 wrong usage or configuration; 3 the run waits for a
person's answer; 4 the budget is spent, and the thread can go on with a larger one; 130
interrupted.
"""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cogwork.core.errors import BudgetError, CogworkError, ConfigurationError, redact
from cogwork.runtime import (
    audit,
    bench_commands,
    completion,
    memory,
    process_commands,
    serve,
    show,
    task_commands,
    worker_commands,
)
from cogwork.runtime.options import Config, Json, Model

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from cogwork.core.budget import Budget
    from cogwork.core.settings import Settings

__all__ = ["app", "main"]

app = typer.Typer(
    name="cogwork",
    help="Agents on LangGraph: run them, look at them, see what they need.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
app.add_typer(memory.app)
app.add_typer(audit.app)
app.add_typer(task_commands.app)
app.add_typer(process_commands.app)
app.command("show")(show.show_command)
app.command("serve")(serve.serve_command)
app.command("worker")(worker_commands.worker_command)
app.command("metrics")(worker_commands.metrics_command)
app.command("bench")(bench_commands.bench_command)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cogwork {version('cogwork')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    """Agents on LangGraph: run them, look at them, see what they need."""


_BUDGET = "What the question may spend, over resumes"
MaxCost = Annotated[
    float | None,
    typer.Option(min=0, help="Dollars, where the price is known.", rich_help_panel=_BUDGET),
]
MaxTokens = Annotated[
    int | None, typer.Option(min=0, help="Tokens of input and output.", rich_help_panel=_BUDGET)
]
MaxModelCalls = Annotated[
    int | None, typer.Option(min=0, help="Calls of models.", rich_help_panel=_BUDGET)
]
MaxToolCalls = Annotated[
    int | None, typer.Option(min=0, help="Calls of tools.", rich_help_panel=_BUDGET)
]
MaxSeconds = Annotated[
    float | None,
    typer.Option(min=0, help="Seconds, looked at before each call.", rich_help_panel=_BUDGET),
]


@app.command("run")
def run_command(  # noqa: PLR0917 - one parameter an option
    graph: Annotated[
        str,
        typer.Argument(
            help="Name of a graph; `cogwork graphs` lists them.",
            autocompletion=completion.graph_names,
        ),
    ],
    question: Annotated[
        str | None, typer.Argument(help="What to do; without it an interrupted thread goes on.")
    ] = None,
    model: Model = None,
    tool: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a tool or group, such as files, data, delete_file; repeatable.",
            show_default="calculator, files",
            autocompletion=completion.tools,
        ),
    ] = None,
    thread: Annotated[
        str | None,
        typer.Option(
            help="Go on with this thread.",
            show_default="a new one",
            autocompletion=completion.thread_ids,
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(help="Your answer to what the thread waits for.", show_default=False),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="The folder that file tools may touch.", show_default=".")
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="The folder of documents that `research` searches.")
    ] = None,
    depth: Annotated[
        str | None,
        typer.Option(
            help="How thoroughly `research` looks: quick, standard or comprehensive.",
            autocompletion=completion.one_of("quick", "standard", "comprehensive"),
        ),
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Steps that the question may take.", show_default="10")
    ] = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    max_model_calls: MaxModelCalls = None,
    max_tool_calls: MaxToolCalls = None,
    max_seconds: MaxSeconds = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Run a graph and tell what it thinks, does and sees."""
    from cogwork.core.budget import Budget
    from cogwork.core.logs import log_as
    from cogwork.core.settings import load_settings
    from cogwork.memory import create_checkpointer
    from cogwork.runtime.building import (
        build_graph,
        open_memories_of,
        require_options,
    )
    from cogwork.runtime.run import new_thread

    _check_asked(question, thread, resume)
    require_options(graph, {"corpus": corpus, "depth": depth, "max_steps": max_steps})
    chosen = {"model": model, "root": root, "corpus": corpus, "max_steps": max_steps}
    settings = load_settings(config, **{k: v for k, v in chosen.items() if v is not None})
    log_as(settings)
    budget = Budget(max_tokens, max_cost, max_seconds, max_model_calls, max_tool_calls)
    name = thread or new_thread()
    with (
        create_checkpointer(settings.checkpointer) as checkpointer,
        open_memories_of(graph, settings) as store,
    ):
        built = build_graph(graph, settings, tool, checkpointer, store, depth=depth)
        again = f"cogwork run {graph} --thread {name}"
        with _telling_how_to_go_on(again):
            waits = _run(built, settings, name, question, resume, budget, as_json=as_json)
    if waits:
        typer.echo(f"answer with: {again} --resume '…'", err=True)
        raise typer.Exit(3)
    if thread is None and not as_json:
        typer.echo(f"(ask more in the same thread with --thread {name})", err=True)


@app.command("graphs")
def graphs_command(as_json: Json = False) -> None:
    """List the graphs that can be run."""
    from cogwork.graphs.registry import graphs

    if as_json:
        typer.echo(json.dumps([{"name": e.name, "description": e.description} for e in graphs]))
        return
    width = max(map(len, graphs.names()))
    for entry in graphs:
        typer.echo(f"{entry.name:<{width}}  {entry.description}")


@app.command("doctor")
def doctor_command(config: Config = None, as_json: Json = False) -> None:
    """Say what is installed, which model would be used and why, and what is missing."""
    from cogwork.core.settings import load_settings
    from cogwork.runtime.doctor import examine

    findings = examine(load_settings(config))
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings]))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            typer.echo(finding.line(width))
    if any(finding.status == "broken" for finding in findings):
        raise typer.Exit(1)


def main() -> NoReturn:
    """Run the command line; every error is one line with the way out, never a stack trace."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without Unicode shows "?"
            stream.reconfigure(errors="replace")
    # Bytes that are not UTF-8 arrive as lone surrogates, which nothing can store.
    sys.argv[1:] = [each.encode(errors="replace").decode() for each in sys.argv[1:]]
    try:
        app()
        sys.exit(0)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        sys.exit(_explain(error))


def _check_asked(question: str | None, thread: str | None, resume: str | None) -> None:
    if question is not None and resume is not None:
        raise ConfigurationError("give a question or --resume, not both")
    if question is not None and not question.strip():
        raise ConfigurationError("the question is empty; say what to do")
    if thread is not None and not thread.strip():
        raise ConfigurationError("--thread is blank; give the thread a name, or leave it out")
    if question is None and thread is None:
        raise ConfigurationError(
            "there is nothing to do; give a question, or name with --thread the thread that is "
            "to go on"
        )


@contextmanager
def _telling_how_to_go_on(command: str) -> Iterator[None]:
    """Exit with the command by which a run that was broken off, or refused a call, goes on."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\ninterrupted; go on with: {command}", err=True)
        raise typer.Exit(130) from None
    except BudgetError as error:
        typer.echo(f"error: {error.safe_message()}", err=True)
        option = str(error.details["limit"]).replace("_", "-")
        typer.echo(f"go on with a larger budget: {command} --{option} …", err=True)
        raise typer.Exit(4) from None


def _run(  # noqa: PLR0917 - as `run_command`
    graph: "CompiledStateGraph[Any, Any, Any, Any]",
    settings: "Settings",
    thread: str,
    question: str | None,
    resume: str | None,
    budget: "Budget",
    *,
    as_json: bool,
) -> bool:
    """Run the graph to its end or to a question, and say whether it waits for an answer."""
    import asyncio

    from rich.console import Console
    from rich.markup import escape

    from cogwork.core.models import describe_model
    from cogwork.runtime.console import Narrator
    from cogwork.runtime.run import run, run_as_json

    if as_json:
        result, questions = asyncio.run(run_as_json(graph, question, thread, resume, budget=budget))
        typer.echo(result)
    else:
        console = Console(emoji=False)
        used = escape(describe_model(settings))
        console.print(f"[dim]{used}[/]", highlight=False, soft_wrap=True)
        narrator = Narrator(console)
        questions = asyncio.run(run(graph, question, thread, narrator, resume, budget=budget))
    return bool(questions)


def _explain(error: Exception) -> int:
    """Tell the error on stderr and return the exit code."""
    if isinstance(error, CogworkError):
        faults = [" ".join(line.split()) for line in redact(str(error)).splitlines()]
        typer.echo("error: " + "\n  ".join(faults), err=True)
        return 2 if isinstance(error, ConfigurationError) else 1
    kind = type(error).__name__
    typer.echo(
        f"error: {kind}: {redact(str(error))} (a fault in cogwork, or in a graph or tool of "
        "yours; `python -X dev -m cogwork …` shows where)",
        err=True,
    )
    return 1
