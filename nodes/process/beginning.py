"""How an instance begins: in which version, with what input."""

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from cogwork.core.bridge import Node, node
from cogwork.core.errors import ConfigurationError
from cogwork.nodes.process.definition import Definition

__all__ = ["definition_for", "make_begin", "node_name"]

_KINDS = {
    "text": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "mapping": (dict,),
}


def node_name(definition: Definition, step: str, part: str = "") -> str:
    """Return the name of a step's node: `pay@2`, for versions stand in one graph."""
    return f"{step}{f'.{part}' if part else ''}@{definition.version}"


def make_begin(versions: Mapping[str, Definition], others: Mapping[str, str]) -> Node:
    """Make the node that begins an instance: which version, with what input.

    Args:
        versions: The definitions by version, the newest last.
        others: The digests of the newest definitions of subprocesses, by name and version.
    """

    @node
    def begin(state: Any, config: RunnableConfig) -> Command[Any]:  # noqa: ARG001 - a node's signature
        """Choose the version, and look at the input.

        Reads: input, version, definitions
        Writes: process, version, definitions
        """
        kept = state.get("definitions") or {}
        chosen = definition_for(versions, state)
        update = {
            "process": chosen.process,
            "version": chosen.version,
            "definitions": kept or {**others, chosen.key: chosen.digest},
        }
        return Command(update=update, goto=node_name(chosen, chosen.steps[0].id))

    return begin


def definition_for(versions: Mapping[str, Definition], given: Mapping[str, Any]) -> Definition:
    """Return the definition that an instance would begin with.

    Args:
        versions: The definitions by version, the newest last.
        given: What it begins with: `input`, perhaps `version` and `definitions`.

    Raises:
        ConfigurationError: There is no such version, or the input is not what it takes.
    """
    chosen = _chosen(versions, given.get("version"), given.get("definitions") or {})
    _check_input(chosen, given.get("input"))
    return chosen


def _chosen(
    versions: Mapping[str, Definition], version: str | None, kept: Mapping[str, str]
) -> Definition:
    *_, newest = versions.values()
    found: list[Definition]
    if kept:  # a subprocess, in the version that there was when its process began
        found = [each for each in versions.values() if each.key in kept]
    else:
        found = [each for each in versions.values() if each.version == (version or newest.version)]
    if not found:
        wanted = version or [key for key in kept if key.startswith(f"{newest.process}@")]
        raise ConfigurationError(
            f"process '{newest.process}' has no version {wanted!r}; known: {', '.join(versions)}"
        )
    return found[0]


def _check_input(definition: Definition, given: Any) -> None:
    what = f"the input of '{definition.key}'"
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{what} is {given!r:.60}; give {{'input': {{…}}}}")
    for name, kind in definition.input.items():
        if name not in given:
            raise ConfigurationError(f"{what} has no '{name}', a {kind}; add it")
        if type(given[name]) not in _KINDS[kind]:
            raise ConfigurationError(f"{what}: '{name}' is {given[name]!r:.60}, which is no {kind}")
    for name in given:
        if name not in definition.input:
            known = ", ".join(definition.input) or "nothing"
            raise ConfigurationError(f"{what} has an unknown '{name}'; it takes {known}")
