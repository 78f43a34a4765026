"""References from a step's arguments to earlier results.

`"{search.result}"` alone is replaced by the result itself, `"{search.result.hits[0].title}"`
by a part of it, and within a longer text by its text. A result that is text is read as JSON
where a part of it is asked for, because that is how most tools answer.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from cogwork.core.errors import PlanningError

__all__ = ["fill", "references"]

_REFERENCE = re.compile(r"\{(?P<step>[\w-]+)\.result(?P<path>(?:\.\w+|\[\d+\])*)\}")
_PART = re.compile(r"\.(\w+)|\[(\d+)\]")


def references(value: Any) -> list[str]:
    """Return the ids of the steps to whose results a value refers, each once."""
    return list(dict.fromkeys(match["step"] for match in _matches(value)))


def fill(value: Any, results: Mapping[str, Any]) -> Any:
    """Return a value with its references replaced by the results.

    Args:
        value: Text, lists and mappings in any depth; other things stay as they are.
        results: What the steps gave, by their ids.

    Raises:
        PlanningError: A result is missing, or has no such part.
    """
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return _resolved(whole, results)
        return _REFERENCE.sub(lambda match: _text(_resolved(match, results)), value)
    if isinstance(value, Mapping):
        return {key: fill(each, results) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill(each, results) for each in value]
    return value


def _matches(value: Any) -> Iterator[re.Match[str]]:
    if isinstance(value, str):
        yield from _REFERENCE.finditer(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _matches(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _matches(each)


def _resolved(match: re.Match[str], results: Mapping[str, Any]) -> Any:
    name = match["step"]
    if name not in results:
        raise PlanningError(f"'{match[0]}' refers to '{name}', which has no result")
    found = results[name]
    for word, place in _PART.findall(match["path"]):
        try:
            found = found[int(place)] if place else _member(found, word)
        except (LookupError, TypeError, AttributeError):
            raise PlanningError(
                f"'{match[0]}' finds nothing: the result of '{name}' has no such part"
            ) from None
    return found


def _member(found: Any, word: str) -> Any:
    if isinstance(found, str):  # a tool's answer is text, often JSON
        try:
            found = json.loads(found)
        except ValueError:
            raise LookupError(word) from None
    if isinstance(found, BaseModel) and word in type(found).model_fields:
        return getattr(found, word)
    return found[word]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)
