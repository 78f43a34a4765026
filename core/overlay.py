"""A thread laid over the picture of its graph: what ran, runs, failed, or waits for a person."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.types import PregelTask, StateSnapshot

from cogwork.core.drawing.diagram import read_diagram
from cogwork.core.errors import ConfigurationError
from cogwork.core.topology import to_svg

__all__ = ["thread_marks", "thread_to_svg"]

_RANKS: Final = {"visited": 0, "running": 1, "interrupted": 2, "failed": 3}


def thread_to_svg(
    graph: Pregel[Any, Any, Any, Any], config: RunnableConfig, *, xray: bool | int = False
) -> str:
    """Draw a graph with what a thread did in it, as SVG.

    Args:
        graph: A compiled graph that has a checkpointer.
        config: Names the thread: `{"configurable": {"thread_id": "1"}}`; with a
            `checkpoint_id`, the thread as it was then.
        xray: Whether to look into subgraphs, or how many levels deep.

    Raises:
        ConfigurationError: The graph has no checkpointer, or there is no such thread.
    """
    return to_svg(graph, xray=xray, highlight=thread_marks(graph, config, xray=xray))


def thread_marks(
    graph: Pregel[Any, Any, Any, Any], config: RunnableConfig, *, xray: bool | int = False
) -> dict[str, str]:
    """Return what a thread did in each node, for `highlight` of `cogwork.core.topology.to_svg`.

    Of several things the one that matters most: `failed`, `interrupted`, `running` (its turn has
    come), `visited`. What a fork left behind does not count.

    Args:
        graph: A compiled graph that has a checkpointer.
        config: Names the thread.
        xray: Whether to look into subgraphs, or how many levels deep.

    Raises:
        ConfigurationError: The graph has no checkpointer, or there is no such thread.
    """
    if graph.checkpointer in (None, False):
        raise ConfigurationError(
            f"the graph '{graph.get_name()}' keeps no threads; compile it with a checkpointer"
        )
    if not graph.get_state(config).created_at:
        named = (config.get("configurable") or {}).get("thread_id")
        raise ConfigurationError(
            f"the graph '{graph.get_name()}' has no thread '{named}' in its checkpointer; name one "
            "that it has run, with the checkpointer that kept it"
        )
    depth = 99 if xray is True else int(xray)
    shown = _shown(graph, xray)
    marks: dict[str, str] = {}
    for path, status in _marks(graph, config, depth):
        name = ":".join(path)
        if name in shown and _RANKS[status] >= _RANKS[marks.get(name, "visited")]:
            marks[name] = status
    return marks


def _shown(graph: Pregel[Any, Any, Any, Any], xray: bool | int) -> set[str]:
    nodes = read_diagram(graph, xray=xray).nodes
    around = {":".join(node.group[: end + 1]) for node in nodes for end in range(len(node.group))}
    return {node.id for node in nodes} | around


def _marks(
    graph: Pregel[Any, Any, Any, Any], config: RunnableConfig, depth: int
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield paths of nodes with what happened to them."""
    for newest, snapshot in _line(graph, config):
        for task in snapshot.tasks:
            yield (task.name,), _status(task) if newest else "visited"
            inner = _inner(task)
            if inner and depth:
                for path, status in _marks(graph, inner, depth - 1):
                    yield (task.name, *path), status


def _line(
    graph: Pregel[Any, Any, Any, Any], config: RunnableConfig
) -> Iterable[tuple[bool, StateSnapshot]]:
    """The snapshots from which the newest came, itself first and marked."""
    history = list(graph.get_state_history(_of_thread(config)))
    known = {_checkpoint(snapshot.config): snapshot for snapshot in history}
    wanted = _checkpoint(config) or (_checkpoint(history[0].config) if history else None)
    newest = True
    while wanted in known:
        snapshot = known.pop(wanted)
        yield newest, snapshot
        newest, wanted = False, _checkpoint(snapshot.parent_config or {})


def _of_thread(config: RunnableConfig) -> RunnableConfig:
    kept = {k: v for k, v in (config.get("configurable") or {}).items() if k != "checkpoint_id"}
    return {**config, "configurable": kept}


def _checkpoint(config: Mapping[str, Any]) -> str | None:
    found: str | None = (config.get("configurable") or {}).get("checkpoint_id")
    return found


def _status(task: PregelTask) -> str:
    if task.error is not None:
        return "failed"
    if task.interrupts:
        return "interrupted"
    return "visited" if task.result is not None else "running"


def _inner(task: PregelTask) -> RunnableConfig | None:
    """The thread of the subgraph that a task ran."""
    state = task.state
    return state.config if isinstance(state, StateSnapshot) else state
