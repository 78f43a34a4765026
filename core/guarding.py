"""Copies of models and tools whose calls go through a guard: a circuit breaker, a rate limiter.

A copy is what the original is: tools can be bound to it, it streams, it is one of its class.
Calls that a model makes to itself on the way go through once.
"""

import contextlib
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, cast

from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.tools import BaseTool, StructuredTool

from cogwork.core.errors import ConfigurationError

__all__ = ["Call", "Guard", "guarded", "with_methods"]

T = TypeVar("T")
_OF_MODELS: Final = (
    *("_generate", "_agenerate", "_stream", "_astream"),
    *("_stream_chat_model_events", "_astream_chat_model_events"),  # of models that have them
)
_METHODS: Final = {BaseChatModel: _OF_MODELS, BaseLLM: _OF_MODELS, BaseTool: ("_run", "_arun")}
_inside: ContextVar[frozenset[tuple[int, int]]] = ContextVar("cogwork_guards", default=frozenset())
"""The guards that a call has passed, each with the model or tool that it stands before."""


@dataclass(slots=True)
class Call:
    """A call that is to be made.

    Attributes:
        thing: The model or tool; of a tool of functions, its function.
        args: Of the method, or of the function.
        kwargs: Of the same.
    """

    thing: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def passed(self, guard: "Guard") -> frozenset[tuple[int, int]] | None:
        """The guards that are passed with this one; None when it was passed already."""
        inside, here = _inside.get(), (id(guard), id(self.thing))
        return None if here in inside else inside | {here}


class Guard(Protocol):
    """What stands before each call; a refusal is raised."""

    def enter(self, call: Call) -> Any:
        """Let a synchronous call through, in time; return what `leave` is given."""

    async def aenter(self, call: Call) -> Any:
        """Let an async call through, in time; return what `aleave` is given."""

    def leave(self, permit: Any, result: Any, error: BaseException | None) -> None:
        """Note what a call gave, of a stream the list of its chunks; or raised."""

    async def aleave(self, permit: Any, result: Any, error: BaseException | None) -> None:
        """Note what an async call gave, or raised."""


def guarded(thing: T, guard: Guard) -> T:
    """Return a copy of a chat model, a text model or a tool, each call of which is guarded.

    Of a model with tools or arguments bound, the model itself is guarded.

    Raises:
        ConfigurationError: It is none of these.
    """
    if isinstance(thing, RunnableBindingBase):
        return cast("T", thing.model_copy(update={"bound": guarded(thing.bound, guard)}))
    if isinstance(thing, StructuredTool):
        bodies = {"func": thing.func, "coroutine": thing.coroutine}
        update = {name: _around(body, guard, body) for name, body in bodies.items() if body}
        return cast("T", thing.model_copy(update=update))
    base = next((kind for kind in _METHODS if isinstance(thing, kind)), None)
    if base is None:
        raise ConfigurationError(
            f"a {type(thing).__name__} cannot be guarded; guard each model and tool in it"
        )
    kind: type[Any] = type(thing)
    methods = {
        name: _around(getattr(kind, name), guard)
        for name in _METHODS[base]
        # What is not its own, LangChain has to see that it has not.
        if getattr(kind, name, None) is not getattr(base, name, None)
    }
    return with_methods(thing, methods)


def with_methods(thing: T, methods: Mapping[str, Any]) -> T:
    """Return a copy of a pydantic object, of a class that is its own but for these methods."""
    kind: type[Any] = type(thing)
    own = {**methods, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    made = cast("Any", thing).model_copy()
    made.__class__ = cast("Any", type(kind))(kind.__name__, (kind,), own)
    return cast("T", made)


def _around(function: Callable[..., Any], guard: Guard, thing: Any = None) -> Callable[..., Any]:
    """The function, or the method of a thing, behind the guard, whatever kind it is of."""

    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        return Call(args[0], args[1:], kwargs) if thing is None else Call(thing, args, kwargs)

    if inspect.isasyncgenfunction(function):
        made = _astreamed(function, guard, call)
    elif inspect.isgeneratorfunction(function):
        made = _streamed(function, guard, call)
    elif inspect.iscoroutinefunction(function):
        made = _awaited(function, guard, call)
    else:
        made = _plain(function, guard, call)
    made = functools.wraps(function)(made)
    # LangChain asks a model for it at each call, and to make it anew takes longer than the guard.
    with contextlib.suppress(TypeError, ValueError):
        made.__signature__ = inspect.signature(function)  # type: ignore[attr-defined] # as functions may have
    return made


def _plain(function: Callable[..., Any], guard: Guard, called: Any) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Any:
        call = called(args, kwargs)
        passed = call.passed(guard)
        if passed is None:
            return function(*args, **kwargs)
        permit = guard.enter(call)
        token = _inside.set(passed)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            guard.leave(permit, None, error)
            raise
        finally:
            _inside.reset(token)
        guard.leave(permit, result, None)
        return result

    return make


def _awaited(function: Callable[..., Any], guard: Guard, called: Any) -> Callable[..., Any]:
    async def make(*args: Any, **kwargs: Any) -> Any:
        call = called(args, kwargs)
        passed = call.passed(guard)
        if passed is None:
            return await function(*args, **kwargs)
        permit = await guard.aenter(call)
        token = _inside.set(passed)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            await guard.aleave(permit, None, error)
            raise
        finally:
            _inside.reset(token)
        await guard.aleave(permit, result, None)
        return result

    return make


def _streamed(function: Callable[..., Any], guard: Guard, called: Any) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Iterator[Any]:
        call, seen = called(args, kwargs), []
        passed = call.passed(guard)
        if passed is None:
            yield from function(*args, **kwargs)
            return
        permit = guard.enter(call)
        try:
            chunks = iter(function(*args, **kwargs))
            while True:
                token = _inside.set(passed)  # whoever reads the stream has not passed
                try:
                    chunk = next(chunks, _END)
                finally:
                    _inside.reset(token)
                if chunk is _END:
                    break
                seen.append(chunk)
                yield chunk
        except BaseException as error:
            guard.leave(permit, seen, error)
            raise
        guard.leave(permit, seen, None)

    return make


def _astreamed(function: Callable[..., Any], guard: Guard, called: Any) -> Callable[..., Any]:
    async def make(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        call, seen = called(args, kwargs), []
        passed = call.passed(guard)
        if passed is None:
            async for chunk in function(*args, **kwargs):
                yield chunk
            return
        permit = await guard.aenter(call)
        try:
            chunks = aiter(function(*args, **kwargs))
            while True:
                token = _inside.set(passed)
                try:
                    chunk = await anext(chunks, _END)
                finally:
                    _inside.reset(token)
                if chunk is _END:
                    break
                seen.append(chunk)
                yield chunk
        except BaseException as error:
            await guard.aleave(permit, seen, error)
            raise
        await guard.aleave(permit, seen, None)

    return make


_END: Final = object()
