"""Definitions that belong together: versions of processes, and who runs whom."""

import graphlib
from collections.abc import Iterator, Sequence
from functools import cached_property

from cogwork.core.errors import ConfigurationError
from cogwork.core.registry import nearest
from cogwork.nodes.process.definition import AgentStep, Definition, Step, SubprocessStep, ToolStep
from cogwork.nodes.process.reading import version_order
from cogwork.nodes.process.source import Source

__all__ = ["Library"]

Place = tuple[str | int, ...]


class Library:
    """Definitions by process and version.

    Args:
        definitions: No two of one process and version.

    Raises:
        ConfigurationError: Processes run each other in a circle.
    """

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self.versions: dict[str, dict[str, Definition]] = {}
        for each in sorted(definitions, key=lambda one: version_order(one.version)):
            self.versions.setdefault(each.process, {})[each.version] = each
        runs = {name: self._used(name) & self.versions.keys() for name in self.versions}
        try:
            self.order = list(graphlib.TopologicalSorter(runs).static_order())
        except graphlib.CycleError as error:
            circle = " → ".join(reversed(error.args[1]))
            raise ConfigurationError(
                f"the processes run each other in a circle, {circle}; let one of them end"
            ) from None

    @cached_property
    def digests(self) -> dict[str, str]:
        """What tells each definition from others, by name and version."""
        return {each.key: each.digest for each in self._all()}

    @cached_property
    def agents(self) -> set[str]:
        """The agents that steps name."""
        return {name for _, _, kind, name in self._names() if kind == "agent"}

    @cached_property
    def tools(self) -> set[str]:
        """The tools that steps name."""
        return {name for _, _, kind, name in self._names() if kind == "tool"}

    def chosen(self, process: str | None) -> str:
        """Return a process by its name, or the one that no other runs.

        Raises:
            ConfigurationError: There is none, or there are several.
        """
        used = {each for name in self.versions for each in self._used(name)}
        free = [process] if process else [name for name in self.order if name not in used]
        if len(free) != 1:
            raise ConfigurationError(
                f"there are several processes, {', '.join(free)}; say which by process=… (--process "
                "on the command line)"
            )
        if free[0] not in self.versions:
            raise ConfigurationError(
                f"no process is called '{process}'; {nearest(free[0], [*self.versions])}"
            )
        return free[0]

    def newest_used(self, process: str) -> dict[str, str]:
        """Return the digests of the newest definitions that a process runs, also through others."""
        found: dict[str, str] = {}
        for each in self._used(process):
            *_, newest = self.versions[each].values()
            found |= {newest.key: newest.digest, **self.newest_used(each)}
        return found

    def check(self, tools: Sequence[str], agents: Sequence[str]) -> None:
        """Look whether everything that steps name is there.

        Raises:
            ConfigurationError: Something is not; each is named with its file and line.
        """
        known = {"tool": list(tools), "agent": list(agents), "process": [*self.versions]}
        faults = [
            f"{definition.file}, line {Source(definition.text, definition.file).line(*place)}: "
            f"no {kind} is called '{name}'; {nearest(name, known[kind])}"
            for definition, place, kind, name in self._names()
            if name not in known[kind]
        ]
        if faults:
            raise ConfigurationError("\n".join(faults))

    def _all(self) -> Iterator[Definition]:
        for versions in self.versions.values():
            yield from versions.values()

    def _used(self, process: str) -> set[str]:
        """The processes that any version of one runs as steps."""
        steps = [step for each in self.versions[process].values() for step in each.all_steps()]
        return {step.subprocess for step in steps if isinstance(step, SubprocessStep)}

    def _names(self) -> Iterator[tuple[Definition, Place, str, str]]:
        """What steps name: the definition, the place of the name, its kind, and the name."""
        for definition in self._all():
            for place, step in definition.placed_steps():
                for key, kind, name in _named_in(step):
                    yield definition, (*place, *key), kind, name


def _named_in(step: Step) -> Iterator[tuple[Place, str, str]]:
    if isinstance(step, SubprocessStep):
        yield ("subprocess",), "process", step.subprocess
    if not isinstance(step, ToolStep | AgentStep):
        return
    yield (step.kind,), step.kind, step.tool if isinstance(step, ToolStep) else step.agent
    for number, one in enumerate(step.recovery):
        if one.fallback:
            yield ("recovery", number, "fallback"), step.kind, one.fallback
