"""Business processes: definitions in YAML as a graph whose nodes are the steps.

    START ─▶ begin ─▶ read@2 ─▶ match@2 ┄▶ approve@2 ┄▶ pay@2 ─▶ END
                                     └┄▶ query@2 ─▶ END

Every version of a definition has its own nodes, so an instance that waits goes on with the steps
of the version that it began with. Branches are subgraphs (`to_svg(graph, xray=True)` shows them).
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer, Command

from cogwork.core.errors import ConfigurationError
from cogwork.core.models import ChatModel
from cogwork.graphs.react import create_react_agent
from cogwork.memory import with_state_types
from cogwork.nodes.process.beginning import definition_for, make_begin, node_name
from cogwork.nodes.process.definition import Definition, ParallelStep, Step
from cogwork.nodes.process.flow import ways_of
from cogwork.nodes.process.library import Library
from cogwork.nodes.process.reading import read_definitions
from cogwork.nodes.process.state import BranchOutput, ProcessInput, ProcessState
from cogwork.nodes.process.steps import make_fork, make_join, make_step
from cogwork.nodes.process.visit import Clock, Means
from cogwork.tools.audit import AuditLog
from cogwork.tools.base import as_tools
from cogwork.tools.calling import ReadyTool
from cogwork.tools.effects import OnDoubt

__all__ = ["Process", "create_process"]


class Process(CompiledStateGraph[Any, Any, Any, Any]):
    """A graph of definitions; an instance is a thread of it.

    Before anything is changed, it refuses to go on with an instance whose definition is not among
    those that it was made of, to begin a second instance in the thread of another, and to begin
    with an input that the definition does not take.

    Args:
        known: The digests of the definitions, by name and version.
        versions: The definitions of the process, by version, the newest last.
        **attributes: Of the compiled graph.
    """

    def __init__(
        self, *, known: Mapping[str, str], versions: Mapping[str, Definition], **attributes: Any
    ) -> None:
        super().__init__(**attributes)
        self.known = dict(known)
        self.versions = dict(versions)

    def stream(self, input: Any, config: RunnableConfig | None = None, **options: Any) -> Any:  # noqa: A002 - LangGraph's name
        """Run the graph, as LangGraph does, if it has the instance's definitions."""
        if config and isinstance(self.checkpointer, BaseCheckpointSaver):
            self._check(input, self.get_state(config).values)
        yield from super().stream(input, config, **options)

    async def astream(
        self,
        input: Any,  # noqa: A002 - LangGraph's name
        config: RunnableConfig | None = None,
        **options: Any,
    ) -> Any:
        """Run the graph, as LangGraph does, if it has the instance's definitions."""
        if config and isinstance(self.checkpointer, BaseCheckpointSaver):
            self._check(input, (await self.aget_state(config)).values)
        async for event in super().astream(input, config, **options):
            yield event

    def _check(self, given: Any, values: Mapping[str, Any]) -> None:
        kept = values.get("definitions") or {}
        if kept and given is not None and not isinstance(given, Command):
            raise ConfigurationError(
                f"this thread holds an instance of '{values.get('process')}' already; begin "
                "another in a thread of its own"
            )
        if not kept and isinstance(given, Mapping):
            definition_for(self.versions, given)
        for key, digest in kept.items():
            if key not in self.known:
                raise ConfigurationError(
                    f"this instance needs '{key}', which is not among the definitions "
                    f"({', '.join(sorted(self.known))}); add its file again, beside the newer ones"
                )
            if self.known[key] != digest:
                raise ConfigurationError(
                    f"'{key}' says something else than when this instance began; put it back, "
                    "and give what is new another version"
                )


def create_process(
    definitions: str | Path | Definition | Sequence[str | Path | Definition],
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    *,
    model: str | ChatModel | None = None,
    agents: Mapping[str, Runnable[Any, Any]] | None = None,
    roles: Mapping[str, Collection[str]] | None = None,
    process: str | None = None,
    on_doubt: OnDoubt = "ask",
    tool_timeout: float | None = None,
    audit: AuditLog | None = None,
    clock: Clock = time.time,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
) -> Process:
    """Make a graph of a business process that is declared in YAML.

    `invoke({"input": {…}}, config)` begins an instance, in a thread of its own. It ends with
    `status`, or waits for persons, events and times by interrupts that `Command(resume=…)`
    answers; `inbox` and `reply` of `cogwork.nodes.process` list and answer them.

    Args:
        definitions: Files, folders of them, or what `parse_definition` returns; of one process
            any number of versions, and those that are its subprocesses.
        tools: What the steps of all of them may call.
        model: Does the steps `agent: model`; see `cogwork.core.models.create_chat_model`.
        agents: Graphs that take `messages`, by the names that steps give them.
        roles: Persons of roles, besides those that the definitions name.
        process: Which of several processes this is; the one that no other runs unless given.
        on_doubt: What to do with a call whose process died in the middle of it: ask, repeat it, or
            let the step fail.
        tool_timeout: Seconds for one call of a tool where neither it nor its step says more.
        audit: Where the trail and the calls of tools are noted too.
        clock: Tells the time, in seconds since the epoch.
        checkpointer: Keeps the instances.
        store: Long-term memory for tools and agents.

    Raises:
        ConfigurationError: A definition has faults, or names what there is not; each is named
            with its file, line and key. From a run: the input is wrong, or the definition of the
            instance is missing or was changed.

    Examples:
        >>> from cogwork.nodes.process import parse_definition
        >>> text = '''
        ... process: greeting
        ... version: 1
        ... input: {hour: number}
        ... steps:
        ...   - id: choose
        ...     rule:
        ...       - {when: input.hour < 12, go: morning}
        ...   - end: day
        ...   - end: morning
        ... '''
        >>> greeting = create_process(parse_definition(text))
        >>> greeting.invoke({"input": {"hour": 9}})["status"]
        'morning'
    """
    library = Library(read_definitions(definitions))
    chosen = library.chosen(process)
    ready = {each.name: ReadyTool(each, tool_timeout, audit) for each in as_tools(tools)}
    library.check([*ready], [*(agents or {}), "model"])
    graphs: dict[str, Runnable[Any, Any]] = {}
    means = Means(
        tools=ready,
        agents=_with_model(agents or {}, model) if "model" in library.agents else agents or {},
        roles=roles or {},
        subprocesses=graphs,
        clock=clock,
        on_doubt=on_doubt,
        log=audit,
    )
    for name in library.order:
        graphs[name] = _builder(library, name, means).compile(name=name)
    builder = _builder(library, chosen, means)
    saver = with_state_types(checkpointer, builder)
    compiled = builder.compile(saver, store=store, name=chosen)
    attributes = {name: value for name, value in vars(compiled).items() if name != "__orig_class__"}
    versions = library.versions[chosen]
    return Process(known=library.digests, versions=versions, **attributes)


def _with_model(
    agents: Mapping[str, Runnable[Any, Any]], model: str | ChatModel | None
) -> Mapping[str, Runnable[Any, Any]]:
    """The agents, with the model as one unless there is one by that name."""
    return agents if "model" in agents else {**agents, "model": create_react_agent(model)}


def _builder(library: Library, process: str, means: Means) -> "StateGraph[Any, Any, Any, Any]":
    versions = library.versions[process]
    builder = StateGraph(ProcessState, input_schema=ProcessInput)
    first = tuple(node_name(each, each.steps[0].id) for each in versions.values())
    begin = make_begin(versions, library.newest_used(process))
    builder.add_node("begin", begin, destinations=first)
    builder.add_edge(START, "begin")
    for each in versions.values():
        _add_steps(builder, each, each.steps, means, inside=False)
    return builder


def _add_steps(
    builder: "StateGraph[Any, Any, Any, Any]",
    definition: Definition,
    steps: Sequence[Step],
    means: Means,
    *,
    inside: bool,
) -> None:
    """Add the nodes of steps, with their ways for pictures."""
    for number, step in enumerate(steps):
        name, after = node_name(definition, step.id), _destinations(definition, steps, number)
        if not isinstance(step, ParallelStep):
            done = make_step(definition, steps, number, means, inside=inside)
            builder.add_node(name, done, destinations=after)
            continue
        branches = []
        for branch, parts in step.parallel.items():
            inner = StateGraph(ProcessState, output_schema=BranchOutput)
            inner.add_edge(START, node_name(definition, parts[0].id))
            _add_steps(inner, definition, parts, means, inside=True)
            branches.append(node_name(definition, step.id, branch))
            builder.add_node(branches[-1], inner.compile())
        fork = make_fork(definition, steps, number, means, inside=inside)
        ways = dict.fromkeys(branches, "") | (after if step.when else {})
        builder.add_node(name, fork, destinations=ways)
        join = make_join(definition, steps, number, means, inside=inside)
        joined = node_name(definition, step.id, "join")
        builder.add_node(joined, join, destinations=after)
        builder.add_edge(branches, joined)


def _destinations(definition: Definition, steps: Sequence[Step], number: int) -> dict[str, str]:
    """The nodes that a step leads to, with what is written at the arrows."""
    found: dict[str, list[str]] = {}
    for way in ways_of(steps, number):
        target = END if way.target is None else node_name(definition, way.target)
        found.setdefault(target, []).append(way.label)
    if not found:
        return {END: ""}
    return {target: ", ".join(filter(None, labels)) for target, labels in found.items()}
