"""What an assistant on the server may say of itself: the typed `context` of each graph."""

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from cogwork.core.errors import ConfigurationError
from cogwork.core.registry import nearest
from cogwork.core.settings import Settings
from cogwork.graphs.registry import graphs
from cogwork.nodes.research.evidence import Depth
from cogwork.tools.registry import default_tools

__all__ = ["AssistantContext", "context_schema", "read_context"]


class AssistantContext(BaseModel):
    """What is not said is as the settings say.

    Attributes:
        model: One that the settings name: `model`, one of `fallbacks`, or `offline`.
        tools: Names of tools, of those that agents have unless others are asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(None, description="One of the models that the server allows")
    tools: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None, description="Names of the tools that the agent has"
    )


# Each with the parameter that a graph's factory has where it makes sense.
_MORE: dict[str, tuple[str, Any]] = {
    "prompt": (
        "prompt",
        (str | None, Field(None, max_length=20_000, description="System prompt")),
    ),
    "max_steps": (
        "max_steps",
        (int | None, Field(None, ge=1, description="Steps for one question")),
    ),
    "depth": (
        "depth",
        (Depth | None, Field(None, description="How thoroughly things are looked up")),
    ),
    "user_id": (
        "user",
        (
            Annotated[str, Field(min_length=1)] | None,
            Field(None, description="Whose memories, where the server authenticates nobody"),
        ),
    ),
}


@cache
def context_schema(name: str) -> type[AssistantContext]:
    """Return what the assistants of a graph may set, as a pydantic model.

    Args:
        name: A registered graph's.

    Raises:
        UnknownNameError: There is no such graph.
    """
    taken = inspect.signature(graphs.get(name)).parameters
    fields = {key: field for key, (taken_as, field) in _MORE.items() if taken_as in taken}
    title = f"{name.capitalize()}Context"
    return create_model(title, __base__=AssistantContext, __module__=__name__, **fields)


def read_context(name: str, given: Any, settings: Settings) -> AssistantContext:
    """Check what an assistant says of itself.

    Args:
        name: A registered graph's.
        given: The context, as the server has it; None where a graph is only looked at.
        settings: What may be chosen from.

    Raises:
        ConfigurationError: A key is unknown, a value of the wrong type, or more than the
            settings allow.
    """
    schema = context_schema(name)
    values = given if isinstance(given, Mapping) else given.model_dump() if given else {}
    try:
        context = schema.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(map(str, fault["loc"]))
        raise ConfigurationError(
            f"context of '{name}': {key}: {fault['msg']}; it takes {', '.join(schema.model_fields)}"
        ) from None
    _allow("model", [context.model] if context.model else [], _models(settings))
    _allow("tool", context.tools or [], default_tools())
    steps = getattr(context, "max_steps", None) or 0
    if steps > settings.max_steps:
        raise ConfigurationError(
            f"context of '{name}': max_steps is {steps}, and the server allows {settings.max_steps}; "
            "its setting max_steps raises that"
        )
    return context


def _models(settings: Settings) -> list[str]:
    return [each for each in ("offline", settings.model, *settings.fallbacks) if each]


def _allow(what: str, asked: Any, allowed: list[str]) -> None:
    for each in asked:
        if each not in allowed:
            raise ConfigurationError(
                f"the {what} '{each}' is not among those that the server's settings allow, "
                + nearest(each, allowed)
            )
