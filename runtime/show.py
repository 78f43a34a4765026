"""`cogwork show`: a graph, or what a thread did in it, as text or picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cogwork.core.errors import ConfigurationError
from cogwork.runtime import completion
from cogwork.runtime.options import Config

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from cogwork.core.settings import Settings

__all__ = ["show_command"]

_FORMS = ["ascii", "mermaid", "svg", "png"]
_ENDINGS = {".svg": "svg", ".png": "png", ".txt": "ascii", ".mmd": "mermaid"}


def show_command(  # noqa: PLR0917 - one parameter an option
    graph: Annotated[
        str,
        typer.Argument(
            help="Name of a graph; `cogwork graphs` lists them.",
            autocompletion=completion.graph_names,
        ),
    ],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="ascii, mermaid, svg or png.",
            metavar="FORMAT",
            show_default="as the file is named, else ascii",
            autocompletion=completion.one_of(*_FORMS),
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file.", show_default="print it")
    ] = None,
    thread: Annotated[
        str | None,
        typer.Option(
            help="Mark what this thread did: svg or png.",
            show_default=False,
            autocompletion=completion.thread_ids,
        ),
    ] = None,
    xray: Annotated[bool, typer.Option("--xray", help="Look into subgraphs.")] = False,
    config: Config = None,
) -> None:
    """Draw a graph, or what a thread did in it, without network."""
    from cogwork.core.settings import load_settings

    chosen = _form(form, output, has_thread=thread is not None)
    settings = load_settings(config, model="offline")
    drawn = _drawn(graph, settings, chosen, thread, xray=xray)
    if output is None:
        typer.echo(drawn)
        return
    try:
        output.write_bytes(drawn if isinstance(drawn, bytes) else drawn.encode())
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to {output}: {error.strerror}; choose another --output"
        ) from error


def _form(form: str | None, output: Path | None, *, has_thread: bool) -> str:
    from cogwork.core.registry import nearest

    ending = output.suffix.lower() if output else ""
    if form is None and ending and ending not in _ENDINGS:
        raise ConfigurationError(
            f"'{output}' ends in none of {', '.join(_ENDINGS)}; name it so, or say what it is by "
            "--format"
        )
    chosen = form or _ENDINGS.get(ending) or ("svg" if has_thread else "ascii")
    if chosen not in _FORMS:
        raise ConfigurationError(f"no format is called '{chosen}'; {nearest(chosen, _FORMS)}")
    if chosen == "png" and output is None:
        raise ConfigurationError("a PNG is no text; name its file: --output graph.png")
    if has_thread and chosen not in {"svg", "png"}:
        raise ConfigurationError(f"a thread cannot be marked in {chosen}; choose svg or png")
    return chosen


def _drawn(
    name: str, settings: "Settings", form: str, thread: str | None, *, xray: bool
) -> str | bytes:
    from cogwork.core import topology
    from cogwork.core.drawing.png import to_png
    from cogwork.runtime.building import build_graph

    if thread is not None:
        svg = _marked(name, settings, thread, xray=xray)
        return to_png(svg) if form == "png" else svg
    built: CompiledStateGraph = build_graph(name, settings)  # type: ignore[type-arg] # of any state
    if form == "png":
        return to_png(topology.to_svg(built, xray=xray))
    draw = {"ascii": topology.to_ascii, "mermaid": topology.to_mermaid, "svg": topology.to_svg}
    return draw[form](built, xray=xray)


def _marked(name: str, settings: "Settings", thread: str, *, xray: bool) -> str:
    from cogwork.core.overlay import thread_to_svg
    from cogwork.memory import create_checkpointer
    from cogwork.runtime.building import build_graph

    with create_checkpointer(settings.checkpointer) as checkpointer:
        built = build_graph(name, settings, checkpointer=checkpointer)
        return thread_to_svg(built, {"configurable": {"thread_id": thread}}, xray=xray)
