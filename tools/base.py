"""What an agent must know of a tool before it calls it.

A tool is an ordinary LangChain tool; its `ToolSpec` travels in the tool's metadata as
plain JSON, because LangChain hands metadata to tracers.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast, get_args, overload

from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as langchain_tool
from langgraph.types import RetryPolicy
from typing_extensions import TypedDict, Unpack

from cogwork.core.errors import ConfigurationError
from cogwork.core.retry import is_transient, retry_policy
from cogwork.tools.quick import quick

__all__ = [
    "Effect",
    "SpecFields",
    "ToolOptions",
    "ToolSpec",
    "as_tools",
    "spec_of",
    "tool",
    "with_spec",
]

Effect = Literal["read", "write", "external"]
"""What a call does: `read` changes nothing, `write` changes what this machine can see and
undo (files, databases), `external` acts on the world (mail, orders, other people's servers).
"""

_KEY = "cogwork"
_BACKOFF = ("initial_interval", "backoff_factor", "max_interval", "max_attempts", "jitter")

SomeTool = TypeVar("SomeTool", bound=BaseTool)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What an agent must know of a tool; the defaults are the cautious ones.

    Args:
        effect: What a call does to the world.
        idempotent: Whether a second identical call leaves things as the first did.
        network: Whether a call needs the network.
        timeout: Seconds after which one attempt is given up; None for the caller's own.
        retry: How transient failures are repeated; None for not at all. Which failures
            are transient says `is_transient`, in place of LangGraph's default predicate;
            a tool marks its own by raising `ToolError(..., transient=True)`.
        untrusted: Whether what it returns may be written by strangers, who may have put
            instructions into it; None for yes if it needs the network or is external.

    Raises:
        ConfigurationError: A value is impossible.
    """

    effect: Effect = "external"
    idempotent: bool = False
    network: bool = True
    timeout: float | None = None
    retry: RetryPolicy | None = None
    untrusted: bool | None = None

    @property
    def is_untrusted(self) -> bool:
        """Whether its results taint the run that reads them."""
        if self.untrusted is None:
            return self.network or self.effect == "external"
        return self.untrusted

    def __post_init__(self) -> None:
        if self.effect not in get_args(Effect):
            raise ConfigurationError(
                f"effect {self.effect!r} is unknown; choose one of {', '.join(get_args(Effect))}"
            )
        for name in ("idempotent", "network"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(
                    f"{name} {getattr(self, name)!r} is neither True nor False"
                )
        if not isinstance(self.untrusted, bool | None):
            raise ConfigurationError(f"untrusted {self.untrusted!r} is none of True, False, None")
        if self.timeout is not None and not _is_positive(self.timeout):
            raise ConfigurationError(
                f"timeout {self.timeout!r} is not a positive number of seconds; use None for none"
            )
        if self.retry is not None:
            object.__setattr__(self, "retry", _on_transient_errors(self.retry))


class SpecFields(TypedDict, total=False):
    """The fields of a `ToolSpec`, each optional."""

    effect: Effect
    idempotent: bool
    network: bool
    timeout: float | None
    retry: RetryPolicy | None
    untrusted: bool | None


class ToolOptions(SpecFields, total=False):
    """What `tool` takes by keyword: a spec, a probe, and what LangChain's decorator takes."""

    probe: Callable[[Mapping[str, Any], str], Any] | None

    description: str | None
    return_direct: bool
    args_schema: Any
    infer_schema: bool
    response_format: Literal["content", "content_and_artifact"]
    parse_docstring: bool
    error_on_invalid_docstring: bool
    extras: dict[str, Any] | None


@overload
def tool(
    name_or_callable: None = None, **options: Unpack[ToolOptions]
) -> Callable[[Callable[..., Any]], BaseTool]: ...
@overload
def tool(
    name_or_callable: str, runnable: Runnable[Any, Any], **options: Unpack[ToolOptions]
) -> BaseTool: ...
@overload
def tool(
    name_or_callable: str, **options: Unpack[ToolOptions]
) -> Callable[[Callable[..., Any] | Runnable[Any, Any]], BaseTool]: ...
@overload
def tool(name_or_callable: Callable[..., Any], **options: Unpack[ToolOptions]) -> BaseTool: ...


def tool(
    name_or_callable: str | Callable[..., Any] | None = None,
    runnable: Runnable[Any, Any] | None = None,
    **options: Unpack[ToolOptions],
) -> BaseTool | Callable[[Any], BaseTool]:
    """Make a LangChain tool that says what it does; `langchain_core.tools.tool` and a spec.

    What is not declared is assumed for the worst. A declared effect implies the rest:
    `read` is idempotent, and read or idempotent tools are retried up to 3 times on
    transient errors.

    Args:
        name_or_callable: The tool's name, or the function itself when used bare.
        runnable: A runnable to make a tool of; needs a name.
        options: `effect`, `idempotent`, `network`, `timeout` (seconds), `retry` and
            `untrusted` as in `ToolSpec`; `probe`; the others go to LangChain's decorator. A
            `probe(args, idempotency_key)` finds out what became of a call that was cut off by
            a crash: it returns what the call returned, or None when it has not happened, and
            raises when it does not know either. Sync or async.

    Raises:
        ConfigurationError: A declared value is impossible.

    Examples:
        >>> @tool(effect="read", network=False, timeout=5)
        ... def word_count(text: str) -> int:
        ...     '''Count the words of a text.'''
        ...     return len(text.split())
        >>> spec_of(word_count).idempotent
        True
    """
    given = dict(options)
    declared = {name: given.pop(name) for name in SpecFields.__optional_keys__ & given.keys()}
    spec, probe = _declare(ToolSpec(), declared), cast("Any", given.pop("probe", None))
    build = cast("Any", langchain_tool)
    made = build(*(part for part in (name_or_callable, runnable) if part is not None), **given)
    if isinstance(made, BaseTool):
        return _mark(quick(made, probe), spec)
    return lambda thing: _mark(quick(made(thing), probe), spec)


def as_tools(given: Sequence[BaseTool | Callable[..., Any]]) -> list[BaseTool]:
    """Return LangChain tools: those given as they are, functions as tools of their docstring.

    Raises:
        ConfigurationError: Something is no tool, has no description, or two share a name.
    """
    if isinstance(given, str):
        given = [given]
    made = [_as_tool(each) for each in given]
    names = [each.name for each in made]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(
            f"two tools are called {' and '.join(map(repr, twice))}; a model could not tell "
            "them apart: leave one out, or rename it"
        )
    return made


def _as_tool(given: Any) -> BaseTool:
    if isinstance(given, BaseTool):
        return given
    if isinstance(given, str):
        raise ConfigurationError(
            f"'{given}' is the name of a tool, not a tool; load_tools(['{given}']) makes it one"
        )
    if not callable(given):
        raise ConfigurationError(
            f"{given!r:.100} is no tool; give LangChain tools, or functions with a docstring"
        )
    try:
        made: BaseTool = tool(given)
    except ValueError as error:
        name = getattr(given, "__name__", repr(given))
        raise ConfigurationError(f"'{name}' cannot be made a tool: {error}") from error
    return made


def spec_of(tool: BaseTool) -> ToolSpec:
    """Return what `tool` declares; for one that declares nothing, the cautious defaults.

    Raises:
        ConfigurationError: What it declares cannot be read.
    """
    kept = (tool.metadata or {}).get(_KEY)
    if kept is None:
        return ToolSpec()
    try:
        return _from_json(kept)
    except (ConfigurationError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"tool '{tool.name}' declares {kept!r} in its metadata under '{_KEY}', which is no "
            f"tool spec ({error}); declare it with @tool or with_spec"
        ) from error


def with_spec(tool: SomeTool, **changes: Unpack[SpecFields]) -> SomeTool:
    """Return a copy of `tool`, from whichever package, that declares `changes`.

    Fields that are not given stay as they were declared, and a new effect implies the
    rest as it does in `@tool`.

    Raises:
        ConfigurationError: A declared value is impossible.
    """
    return _mark(tool.model_copy(), _declare(spec_of(tool), dict(changes)))


def _declare(base: ToolSpec, declared: Mapping[str, Any]) -> ToolSpec:
    unknown = declared.keys() - SpecFields.__optional_keys__
    if unknown:
        raise ConfigurationError(
            f"a tool spec has no {', '.join(sorted(unknown))}; it has "
            f"{', '.join(sorted(SpecFields.__optional_keys__))}"
        )
    fields = dict(declared)
    if "effect" in fields:
        fields.setdefault("idempotent", fields["effect"] == "read")
    spec = dataclasses.replace(base, **fields)
    if "retry" in fields or fields.keys().isdisjoint({"effect", "idempotent"}):
        return spec
    repeatable = spec.idempotent or spec.effect == "read"
    return dataclasses.replace(spec, retry=retry_policy() if repeatable else None)


def _mark(tool: SomeTool, spec: ToolSpec) -> SomeTool:
    tool.metadata = {**(tool.metadata or {}), _KEY: _to_json(spec)}
    return tool


def _on_transient_errors(retry: RetryPolicy) -> RetryPolicy:
    if retry.retry_on not in (is_transient, RetryPolicy().retry_on):
        raise ConfigurationError(
            f"retry_on={retry.retry_on!r} cannot be kept with a tool, whose spec is plain JSON; "
            "leave it out, and let the tool raise ToolError(..., transient=True) to be retried"
        )
    return retry_policy(**_numbers(retry))


def _numbers(retry: RetryPolicy) -> dict[str, Any]:
    return {name: getattr(retry, name) for name in _BACKOFF}


def _to_json(spec: ToolSpec) -> dict[str, Any]:
    retry = spec.retry
    return {
        "effect": spec.effect,
        "idempotent": spec.idempotent,
        "network": spec.network,
        "timeout": spec.timeout,
        "retry": None if retry is None else _numbers(retry),
        "untrusted": spec.untrusted,
    }


def _from_json(kept: Mapping[str, Any]) -> ToolSpec:
    fields = dict(kept)
    if fields.get("retry") is not None:
        fields["retry"] = retry_policy(**fields["retry"])
    return ToolSpec(**fields)


def _is_positive(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value > 0
    )
