"""`cogwork bench`: graphs side by side on tasks whose answers a program checks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cogwork.core.errors import ConfigurationError
from cogwork.core.registry import nearest
from cogwork.runtime import completion
from cogwork.runtime.options import Config, Json, Model
from cogwork.runtime.wording import counted

if TYPE_CHECKING:
    from cogwork.core.settings import Settings
    from cogwork.runtime.evaluation import EvalTask, Results, TaskRun
    from cogwork.runtime.evaluation.running import Maker

__all__ = ["bench_command"]

_WIDEST = 500  # characters of a table


def bench_command(  # noqa: PLR0917 - one parameter an option
    graph: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a graph; repeatable.",
            show_default="all",
            autocompletion=completion.graph_names,
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="Id of a task; repeatable.",
            show_default="all",
            autocompletion=completion.bench_ids,
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="Kind of tasks; repeatable.",
            show_default="all",
            autocompletion=completion.bench_kinds,
        ),
    ] = None,
    tasks_from: Annotated[
        Path | None,
        typer.Option(
            "--set",
            help="JSONL file of tasks, also GAIA's or HotpotQA's.",
            show_default="the tasks of the package",
        ),
    ] = None,
    model: Model = None,
    tool: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a tool or group; repeatable.",
            show_default="calculator, files",
            autocompletion=completion.tools,
        ),
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Attempts at each task.")] = 1,
    concurrency: Annotated[int, typer.Option(min=1, help="Attempts at once.")] = 4,
    timeout: Annotated[float, typer.Option(help="Seconds for an attempt.")] = 120,
    max_cost: Annotated[
        float | None,
        typer.Option(min=0, help="Dollars for all together, where the price is known."),
    ] = None,
    final_answer: Annotated[
        bool,
        typer.Option(
            "--final-answer", help="Ask for a line FINAL ANSWER: …; not for the offline model."
        ),
    ] = False,
    min_success: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit with 1 where a graph succeeds less often."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the results to this .json or .md file too.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Run graphs on tasks and tell success, steps, tokens, dollars and seconds."""
    from cogwork.core.models import describe_model
    from cogwork.core.settings import load_settings
    from cogwork.graphs.registry import graphs
    from cogwork.runtime.evaluation import FINAL_ANSWER, graph_maker
    from cogwork.runtime.evaluation import as_json as to_json

    render = _renderer(output) if output is not None else None
    settings = load_settings(config, **({"model": model} if model is not None else {}))
    chosen = _chosen(tasks_from, task, kind)
    names = list(dict.fromkeys(graph or graphs.names()))
    options: dict[str, Any] = {
        "model": describe_model(settings),
        "repeats": repeat,
        "concurrency": concurrency,
        "timeout": timeout,
        "instruction": FINAL_ANSWER if final_answer else "",
    }
    makers = [graph_maker(name, settings, tool) for name in names]
    _check(settings, tool)
    results = _run(makers, chosen, max_cost, options)
    if as_json:
        typer.echo(to_json(results))
    else:
        _show(results, len(chosen))
    if output is not None and render is not None:
        _write(output, render(results))
    _exit(results, max_cost, min_success)


def _chosen(
    path: Path | None, ids: Sequence[str] | None, kinds: Sequence[str] | None
) -> list["EvalTask"]:
    """The tasks that are asked for, in the order of their set."""
    from cogwork.runtime.evaluation import builtin_tasks, load_tasks

    tasks = list(builtin_tasks() if path is None else load_tasks(path))
    for said, wanted, known in (
        ("task", ids, [each.id for each in tasks]),
        ("kind of tasks", kinds, list(dict.fromkeys(each.kind for each in tasks))),
    ):
        for name in wanted or ():
            if name not in known:
                raise ConfigurationError(f"no {said} is called '{name}'; {nearest(name, known)}")
    found = [
        each for each in tasks if (not ids or each.id in ids) and (not kinds or each.kind in kinds)
    ]
    if not found:
        raise ConfigurationError("no task has both that id and that kind; leave one of them out")
    return found


def _check(settings: "Settings", tools: Sequence[str] | None) -> None:
    """Say what is wrong with the model or the tools once and now, not of each attempt."""
    from cogwork.core.models import create_chat_model
    from cogwork.tools.registry import default_tools, load_tools

    create_chat_model(settings=settings)
    load_tools(tools or default_tools(), settings=settings)


def _run(
    makers: Sequence["Maker"],
    tasks: Sequence["EvalTask"],
    max_cost: float | None,
    options: dict[str, Any],
) -> list["Results"]:
    """Run one graph after the other, so that their seconds can be compared."""
    from cogwork.core.budget import Budget
    from cogwork.core.budget_runs import open_budget
    from cogwork.runtime.evaluation import evaluate

    total = len(tasks) * options["repeats"] * len(makers)
    with open_budget(Budget(max_cost=max_cost), name="benchmark"), _progress(total) as advance:
        return [evaluate(make, tasks, on_run=advance, **options) for make in makers]


@contextmanager
def _progress(total: int) -> Iterator[Callable[["TaskRun"], None]]:
    """A bar on a terminal; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True, emoji=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task("attempts", total=total)
        yield lambda _: bar.advance(row)


def _renderer(path: Path) -> Callable[[Sequence["Results"]], str]:
    from cogwork.runtime.evaluation import as_json, as_markdown

    known: dict[str, Callable[[Sequence[Results]], str]] = {
        ".json": as_json,
        ".md": as_markdown,
    }
    if path.suffix not in known:
        raise ConfigurationError(f"--output is {path}; its name ends in .json or .md")
    if not path.parent.is_dir():  # or all would be run for nothing
        raise ConfigurationError(
            f"cannot write to {path}: there is no folder {path.parent}; choose another --output"
        )
    return known[path.suffix]


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to {path}: {error.strerror}; choose another --output"
        ) from error


def _show(results: Sequence["Results"], count: int) -> None:
    from rich.console import Console

    from cogwork.runtime.evaluation import as_table

    table = as_table(results)
    # A table that is folded cannot be read; what is wider than a terminal goes on below.
    needed = Console(width=_WIDEST).measure(table).maximum
    console = Console(emoji=False, width=max(needed, Console().width))
    said = f"{counted(count, 'task')}, {results[0].model}"
    console.print(said, style="dim", highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    if len(results) == 1:
        for run in results[0].failures:
            console.print(f"failed {run.task}: {run.reason}", markup=False, highlight=False)


def _exit(results: Sequence["Results"], max_cost: float | None, min_success: float | None) -> None:
    """Exit with 4 when the dollars did not suffice, with 1 where too little succeeded."""
    runs = [run for each in results for run in each.runs]
    if max_cost is not None and any(run.ended == "budget" for run in runs):
        typer.echo(f"the budget of {max_cost:g} dollars is spent; raise --max-cost", err=True)
        raise typer.Exit(4)
    if min_success is not None and any(each.success < min_success for each in results):
        typer.echo(f"some graphs succeed in less than {min_success:.0%} of the tasks", err=True)
        raise typer.Exit(1)
