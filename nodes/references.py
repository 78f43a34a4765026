"""References from a step's arguments to earlier results.

`"{search.result}"` alone is replaced by the result itself, `"{search.result.hits[0].title}"`
by a part of it, and within a longer text by its text. A result that is text is read as JSON
where a part of it is asked for, because that is how most tools answer. A key that is no word
is quoted: `"{search.result['first name']}"`.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from cogwork.core.errors import PlanningError

__all__ = ["fill", "is_plain", "references", "unreadable"]

_NAME = r"(?P<step>[^\s{}](?:[^{}\n]{0,98}?[^\s{}])??)"
_PATH = r"""(?P<path>(?:\.[\w-]+|\[-?\d+\]|\["[^"{}]*"\]|\['[^'{}]*'\])*)"""
_PART = re.compile(r"""\.([\w-]+)|\[(-?\d+)\]|\["([^"{}]*)"\]|\['([^'{}]*)'\]""")
_REFERENCE = re.compile(rf"\{{{_NAME}\.result{_PATH}\}}")
_LIKE_ONE = re.compile(rf"\{{\s*{_NAME}\s*\.result[^{{}}]*\}}?")
_SHOWN = 80  # characters of what cannot be read


def references(value: Any) -> list[str]:
    """Return the ids of the steps to whose results a value refers, each once.

    Args:
        value: Text, lists and mappings in any depth.
    """
    return list(dict.fromkeys(match["step"] for match in _matches(_REFERENCE, value)))


def unreadable(value: Any, ids: Collection[str]) -> list[str]:
    """Return what looks like a reference to one of the steps, and would stay as it stands.

    Args:
        value: Text, lists and mappings in any depth.
        ids: Of the steps.
    """
    found = []
    for match in _matches(_LIKE_ONE, value):
        read = _REFERENCE.fullmatch(match[0])
        if match["step"] in ids and not (read and read["step"] in ids):
            found.append(match[0][:_SHOWN])
    return found


def is_plain(key: str) -> bool:
    """Whether an id is made of letters, digits, `-` and `_`, so that it is one in any text."""
    return re.fullmatch(r"[\w-]+", key) is not None


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


def _matches(pattern: re.Pattern[str], value: Any) -> Iterator[re.Match[str]]:
    if isinstance(value, str):
        yield from pattern.finditer(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _matches(pattern, each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _matches(pattern, each)


def _resolved(match: re.Match[str], results: Mapping[str, Any]) -> Any:
    name = match["step"]
    if name not in results:
        if not is_plain(name):
            return match[0]  # some text in braces, such as a line of a program
        raise PlanningError(f"'{match[0]}' refers to '{name}', which has no result")
    found = results[name]
    for part in _PART.finditer(match["path"]):
        try:
            found = _part(found, part)
        except (LookupError, TypeError, AttributeError):
            raise PlanningError(
                f"'{match[0]}' finds nothing: the result of '{name}' has no such part"
            ) from None
    return found


def _part(found: Any, part: re.Match[str]) -> Any:
    place = part[2]
    word = next((each for each in part.group(1, 3, 4) if each is not None), "")
    if isinstance(found, str):  # a tool's answer is text, often JSON
        found = _from_json(found)
    if place is not None:
        return found[int(place)]
    if isinstance(found, BaseModel) and word in type(found).model_fields:
        return getattr(found, word)
    return found[word]


def _from_json(text: str) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise LookupError(text) from None
    return None if isinstance(found, str) else found  # letters are no parts


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)
