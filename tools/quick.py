"""LangChain's tool, without the work that nobody sees.

At each call LangChain evaluates the type hints of the tool's function and makes a run for
the callbacks, also where no handler listens; measured, that is a fifth of a whole ReAct
step. This tool looks at its function once, and tells a run only to those who listen.
Arguments are checked, errors raised and results formed by LangChain's own code.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, get_type_hints

from langchain_core.callbacks import (
    AsyncCallbackManagerForToolRun,
    BaseCallbackManager,
    CallbackManagerForToolRun,
)
from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.tools.base import (
    _format_output,
    _is_injected_arg_type,
    get_all_basemodel_annotations,
)
from pydantic import BaseModel, Field

from cogwork.core.watching import Watch, WatchedCall

__all__ = ["QuickTool", "quick", "reads_more"]


class QuickTool(StructuredTool):
    """A `StructuredTool` that behaves as one and costs less.

    Args:
        probe: Finds out what became of a call that was cut off (see `cogwork.tools.effects`).
    """

    probe: Callable[..., Any] | None = Field(default=None, exclude=True)

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002 - the name is LangChain's
        """Call the tool in synchronous code."""
        if kwargs or config is None or self._is_heard(self.func, input, config):
            return super().invoke(input, config, **kwargs)
        args, key = _read(input)
        given, named = self._to_args_and_kwargs(args, key)
        with inside_run(config), WatchedCall(self.name, config) as call:
            content = call.gave(_told(self.func, config)(*given, **named))
        return _format_output(content, None, key, self.name, "success")

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002 - the name is LangChain's
        """Call the tool on the caller's loop."""
        if kwargs or config is None or self._is_heard(self.coroutine, input, config):
            return await super().ainvoke(input, config, **kwargs)
        args, key = _read(input)
        given, named = self._to_args_and_kwargs(args, key)
        with inside_run(config), WatchedCall(self.name, config) as call:
            content = call.gave(await _told(self.coroutine, config)(*given, **named))
        return _format_output(content, None, key, self.name, "success")

    def _is_heard(self, body: Callable[..., Any] | None, call: Any, config: RunnableConfig) -> bool:
        """Whether a handler listens, or anything else asks for LangChain's own way."""
        manager = config.get("callbacks")
        return (
            body is None
            or _takes(body)[1]
            or not isinstance(
                manager, BaseCallbackManager
            )  # outside a run: handlers are found there
            or any(not isinstance(each, Watch) for each in manager.handlers)
            or bool(self.callbacks or self.verbose)
            or bool(self.handle_tool_error or self.handle_validation_error)
            or self.response_format != "content"
            or not isinstance(call, dict)
        )

    def _parse_input(
        self, tool_input: str | dict[str, Any], tool_call_id: str | None
    ) -> str | dict[str, Any]:
        schema = self.args_schema
        if (
            isinstance(tool_input, dict)
            and isinstance(schema, type)
            and issubclass(schema, BaseModel)
            and not self._injected_args_keys
            and _is_plain(schema)
        ):
            checked = schema.model_validate(tool_input)
            return {name: getattr(checked, name) for name in schema.model_fields}
        return super()._parse_input(tool_input, tool_call_id)

    def _run(
        self,
        *args: Any,
        config: RunnableConfig,
        run_manager: CallbackManagerForToolRun | None = None,
        **kwargs: Any,
    ) -> Any:
        if self.func is None:
            return super()._run(*args, config=config, run_manager=run_manager, **kwargs)
        return self.func(*args, **kwargs, **_extras(self.func, config, run_manager))

    async def _arun(
        self,
        *args: Any,
        config: RunnableConfig,
        run_manager: AsyncCallbackManagerForToolRun | None = None,
        **kwargs: Any,
    ) -> Any:
        if self.coroutine is None:
            return await super()._arun(*args, config=config, run_manager=run_manager, **kwargs)
        return await self.coroutine(*args, **kwargs, **_extras(self.coroutine, config, run_manager))


def quick(made: BaseTool, probe: Callable[..., Any] | None = None) -> BaseTool:
    """Return the same tool as a `QuickTool`; one of another class as it is."""
    if type(made) is not StructuredTool:
        return made
    return QuickTool(probe=probe, **{name: getattr(made, name) for name in made.model_fields_set})


def reads_more(tool: StructuredTool) -> bool:
    """Whether the tool's result depends on more than the model's arguments."""
    schema = tool.args_schema
    bodies = [body for body in (tool.func, tool.coroutine) if body is not None]
    is_injected = isinstance(schema, type) and not (
        issubclass(schema, BaseModel) and _is_plain(schema)
    )
    return is_injected or bool(tool._injected_args_keys) or any(any(_takes(b)) for b in bodies)  # noqa: SLF001 - LangChain's own question


def _read(call: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The arguments, and the id when it is a model's call, which is answered by a message."""
    if call.get("type") == "tool_call":
        return dict(call["args"]), call["id"]
    return dict(call), None


@contextmanager
def inside_run(config: RunnableConfig) -> Iterator[None]:
    """Where the function's own calls, `interrupt` among them, find the run."""
    before = var_child_runnable_config.set(config)
    try:
        yield
    finally:
        var_child_runnable_config.reset(before)


def _told(body: Callable[..., Any] | None, config: RunnableConfig) -> Callable[..., Any]:
    """The tool's function, with its config if it takes one."""
    assert body is not None  # noqa: S101 - `_is_heard` has seen to that
    name, _ = _takes(body)
    return partial(body, **{name: ensure_config(config)}) if name else body


def _extras(
    function: Callable[..., Any],
    config: RunnableConfig,
    run_manager: CallbackManagerForToolRun | AsyncCallbackManagerForToolRun | None,
) -> dict[str, Any]:
    """What a tool's function takes besides the model's arguments: its config and callbacks."""
    config_name, takes_callbacks = _takes(function)
    extras: dict[str, Any] = {config_name: config} if config_name else {}
    if takes_callbacks and run_manager:
        extras["callbacks"] = run_manager.get_child()
    return extras


@lru_cache(maxsize=1024)
def _is_plain(schema: type[BaseModel]) -> bool:
    """Whether the schema has just the model's arguments: none injected, variadic or extra."""
    return (
        schema.model_config.get("extra") != "allow"
        and schema.model_fields.keys().isdisjoint({"args", "kwargs"})
        and not any(map(_is_injected_arg_type, get_all_basemodel_annotations(schema).values()))
    )


@lru_cache(maxsize=1024)
def _takes(function: Callable[..., Any]) -> tuple[str | None, bool]:
    """The name of the parameter for the config, and whether there is one for callbacks."""
    try:
        hints = get_type_hints(function.func if isinstance(function, partial) else function)
    except (NameError, TypeError):
        hints = {}
    named = next((name for name, hint in hints.items() if hint is RunnableConfig), None)
    return named, "callbacks" in inspect.signature(function).parameters
