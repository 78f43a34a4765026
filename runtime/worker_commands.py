"""`cogwork worker`, which works on tasks, and `cogwork metrics`, which asks how it goes."""

import os
import signal
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cogwork.core.errors import ConfigurationError, TaskError
from cogwork.runtime.options import Config
from cogwork.runtime.task_place import opened

if TYPE_CHECKING:
    from cogwork.core.metrics import Metrics

__all__ = ["metrics_command", "worker_command"]


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
    from cogwork.runtime.tasks.node_threads import are_stuck

    with ExitStack() as stack:
        options: dict[str, Any] = {"max_concurrency": max_concurrency}
        if metrics_port is not None:
            options["metrics"] = _serve_metrics(stack, metrics_port, metrics_host)
        runner = stack.enter_context(opened(config, grace, **options))
        runner.start()
        typer.echo("working; Ctrl-C or SIGTERM ends it", err=True)
        while not ended.wait(0.2):
            if until_done and not runner.counts().keys() & {"pending", "running"}:
                break
        typer.echo("coming to an end", err=True)
    for each, handler in before.items():
        signal.signal(each, handler)
    if are_stuck():
        typer.echo("a node does not end; it is cut off, and its task goes on elsewhere", err=True)
        sys.stdout.flush()
        os._exit(0)  # or it would run on beside the one that takes its task over


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
