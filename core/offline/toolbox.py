"""The toolbox: what the offline model knows of the tools it is given, and of their schemas."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from cogwork.core.offline.words import actions, stem, tokens, word_set

__all__ = [
    "KnownTool",
    "Schema",
    "Toolbox",
    "fits",
    "kind",
    "known_tools",
    "listed_tools",
    "options",
    "plain",
]

Schema = Mapping[str, Any]


def plain(schema: Schema, root: Schema | None = None) -> dict[str, Any]:
    """Return the schema that a given value has to fit: references and `null` resolved.

    Args:
        schema: A JSON schema.
        root: The schema that holds `$defs`; the schema itself by default.
    """
    found = dict(schema)
    root = root if root is not None else schema
    for _ in range(16):  # references may go through others
        if "$ref" in found:
            rest = {key: value for key, value in found.items() if key != "$ref"}
            found = {**_target(found["$ref"], root), **rest}
        elif branches := found.get("anyOf") or found.get("oneOf") or found.get("allOf"):
            rest = {k: v for k, v in found.items() if k not in {"anyOf", "oneOf", "allOf"}}
            given = [branch for branch in branches if branch.get("type") != "null"]
            found = {**(given[0] if given else {}), **rest, "nullable": len(given) < len(branches)}
        else:
            break
    if isinstance(found.get("type"), list):
        found["nullable"] = "null" in found["type"]
        found["type"] = next((name for name in found["type"] if name != "null"), "null")
    return found


def _target(reference: str, root: Schema) -> dict[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return dict(found)


def kind(schema: Schema) -> str:
    """Return the JSON type that a plain schema asks for, or "any"."""
    if "type" in schema:
        return str(schema["type"])
    if "properties" in schema:
        return "object"
    values = options(schema)
    if values:
        return "string" if all(isinstance(value, str) for value in values) else "enum"
    return "array" if "items" in schema else "any"


def options(schema: Schema) -> list[Any]:
    """Return the only values that a plain schema allows, if it lists them."""
    if "const" in schema:
        return [schema["const"]]
    return list(schema.get("enum", ()))


def fits(value: Any, schema: Schema) -> bool:
    """Tell whether `value` keeps the bounds of a plain schema."""
    allowed = options(schema)
    if allowed:
        return value in allowed
    if isinstance(value, bool):
        return kind(schema) in {"boolean", "any"}
    if isinstance(value, (int, float)):
        return _number_fits(value, schema)
    if isinstance(value, str):
        return _text_fits(value, schema)
    return True


def _number_fits(value: float, schema: Schema) -> bool:
    if kind(schema) == "integer" and value != int(value):
        return False
    return (
        value >= schema.get("minimum", value)
        and value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    )


def _text_fits(value: str, schema: Schema) -> bool:
    size = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    pattern = schema.get("pattern")
    try:
        return bool(size) and (pattern is None or re.search(pattern, value) is not None)
    except re.error:  # a pattern in another dialect says nothing here
        return bool(size)


_PATH = word_set("path file filename filepath source src folder directory dir location")
_CONTENT = word_set("content contents text data body")
_EXPRESSION = word_set("expression expr formula equation calculation")
_QUERY = word_set("query question search term terms q keywords keyword topic")
_URL = word_set("url uri link address")


@dataclass(frozen=True, eq=False)
class KnownTool:
    """A tool's name, description and arguments as a JSON schema."""

    name: str
    description: str
    schema: Mapping[str, Any]

    @cached_property
    def properties(self) -> Mapping[str, Mapping[str, Any]]:
        """The schema of each argument."""
        found: Mapping[str, Mapping[str, Any]] = self.schema.get("properties") or {}
        return found

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the arguments that must be given."""
        return tuple(name for name in self.schema.get("required", ()) if name in self.properties)

    @cached_property
    def named(self) -> frozenset[str]:
        """Stems of the name and the actions that they stand for."""
        return _actions_of(self.name)

    @cached_property
    def described(self) -> frozenset[str]:
        """Stems of the description and the actions that they stand for."""
        return _actions_of(self.description)

    def argument(self, words: frozenset[str]) -> str:
        """Return the first argument for text with one of these words in its name.

        Required ones come first.
        """
        ordered = [*self.required, *(n for n in self.properties if n not in self.required)]
        for name in ordered:
            schema = plain(self.properties[name], self.schema)
            text = kind(schema) in {"string", "any"} and not options(schema)
            if text and not words.isdisjoint(tokens(name)):
                return name
        return ""

    @cached_property
    def expression(self) -> str:
        """The argument that takes an arithmetic expression, if this is a calculator."""
        argument = self.argument(_EXPRESSION)
        if not argument and "calculate" in self.named and len(self.required) == 1:
            argument = self.argument(frozenset(tokens(self.required[0])))
        return argument if set(self.required) <= {argument} else ""

    @cached_property
    def path(self) -> str:
        """The argument that takes a path."""
        return self.argument(_PATH)

    @cached_property
    def url(self) -> str:
        """The argument that takes a URL."""
        return self.argument(_URL)

    @cached_property
    def content(self) -> str:
        """The argument that takes what is to be written."""
        return self.argument(_CONTENT)

    @cached_property
    def query(self) -> str:
        """The argument that takes words to search for."""
        return self.argument(_QUERY)

    def does(self, action: str) -> bool:
        """Tell whether the name, or failing any action in it the description, says `action`."""
        known = {"read", "write", "list", "exist", "delete", "send", "search", "calculate"}
        acts = self.named & known
        return action in (acts or self.described)


class Toolbox:
    """The bound tools, and which of them reads, writes, computes or searches."""

    def __init__(self, specs: Iterable[KnownTool]) -> None:
        self.specs = tuple(specs)
        self.verbs = frozenset(
            words[0] for spec in self.specs if (words := tokens(spec.name)) and len(words) > 1
        )

    def get(self, name: str) -> KnownTool | None:
        """Return the tool of that name."""
        return next((spec for spec in self.specs if spec.name == name), None)

    @cached_property
    def calculator(self) -> KnownTool | None:
        """The tool that takes an arithmetic expression."""
        return next((spec for spec in self.specs if spec.expression), None)

    @cached_property
    def reader(self) -> KnownTool | None:
        """The tool that needs one path and gives what stands there."""
        return next((s for s in self.specs if _takes_only(s, s.path) and s.does("read")), None)

    @cached_property
    def fetcher(self) -> KnownTool | None:
        """The tool that needs one URL and gives what stands there."""
        return next((spec for spec in self.specs if _takes_only(spec, spec.url)), None)

    @cached_property
    def writer(self) -> KnownTool | None:
        """The tool that takes a path and a content."""
        return next((s for s in self.specs if s.path and s.content and s.does("write")), None)

    @cached_property
    def lister(self) -> KnownTool | None:
        """The tool that lists a folder."""
        return next((s for s in self.specs if _takes_only(s, s.path) and s.does("list")), None)

    @cached_property
    def searcher(self) -> KnownTool | None:
        """The tool that answers questions in words."""
        return next((s for s in self.specs if _takes_only(s, s.query) and s.does("search")), None)


def _takes_only(spec: KnownTool, argument: str) -> bool:
    return bool(argument) and set(spec.required) <= {argument} and not spec.content


@lru_cache(maxsize=1024)
def _actions_of(text: str) -> frozenset[str]:
    return actions(stem(word) for word in tokens(text))


def known_tools(tools: Iterable[Mapping[str, Any]]) -> tuple[KnownTool, ...]:
    """Read tools in OpenAI's form; what is no function is passed over."""
    found = []
    for tool in tools:
        function = tool.get("function")
        if isinstance(function, Mapping) and function.get("name"):
            found.append(
                KnownTool(
                    function["name"],
                    function.get("description") or "",
                    function.get("parameters") or {},
                )
            )
    return tuple(found)


_LISTED = re.compile(
    r"^\s*(?:[-*•]|\d+[.)])?\s*[`*\"]*(?P<name>[A-Za-z_]\w*)[`*\"]*\s*"
    r"(?:\((?P<args>[^)\n]*)\))?[`*\"]*\s*(?:->\s*\w+\s*)?[:–—-]+\s+(?P<about>\S.*)$"
)
_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}


def listed_tools(listing: str) -> tuple[KnownTool, ...]:
    """Read tools from a listing in a prompt, such as "- read_file(path: str): Read a file"."""
    found = []
    for line in listing.splitlines():
        match = _LISTED.match(line)
        if match and (
            "_" in match["name"] or match["args"] is not None or line.lstrip()[0] in "-*•"
        ):
            found.append(
                KnownTool(match["name"], match["about"], _listed_schema(match["args"] or ""))
            )
    return tuple(found)


def _listed_schema(arguments: str) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for part in filter(None, (piece.strip() for piece in arguments.split(","))):
        name, _, rest = part.partition(":")
        kind, has_default, _ = (rest or name).partition("=")
        name = name.partition("=")[0].strip()
        properties[name] = {"type": _TYPES.get(kind.strip().split("[")[0].lower(), "string")}
        if not has_default and "None" not in kind and "optional" not in kind:
            required.append(name)
    return {"type": "object", "properties": properties, "required": required}
