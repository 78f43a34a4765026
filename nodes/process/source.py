"""YAML as it is written: plain values, and the line of each.

Only what JSON can say is read: texts, numbers, true and false, null, lists, mappings. Dates, times,
`yes` and `no` stay text; aliases (of which a few lines can mean gigabytes), tags and keys that are given twice are
refused. Size and depth are bounded before anything is built.
"""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from cogwork.core.errors import ConfigurationError, redact
from cogwork.core.yaml_lines import line_at

__all__ = ["Source", "read_source"]

_LARGEST: Final = 1_000_000  # characters
_DEEPEST: Final = 30
_PLAIN: Final = "tag:yaml.org,2002:"
_SCALARS: Final = {f"{_PLAIN}{kind}" for kind in ("int", "float", "bool", "null")}
_NO_SCALAR: Final = re.compile(r"(?i)yes|no|on|off|.*:.*")  # what only YAML 1.1 takes for one
_TEXTS: Final = {f"{_PLAIN}{kind}" for kind in ("str", "timestamp", "value", "merge")}


class Source:
    """A YAML text with its values and lines.

    Args:
        text: The YAML.
        name: Of the file, for messages.

    Raises:
        ConfigurationError: It is no YAML, too large or too deep, or uses what is not read.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.text = text
        self._loader = yaml.SafeLoader("")
        self._root = self._composed()
        self.value = self._built(self._root)

    def line(self, *path: str | int) -> int:
        """Return the line of what stands at a path, as near as it is known."""
        return line_at(self._root, self._root.start_mark.line + 1, path)

    def _composed(self) -> yaml.Node:
        if len(self.text) > _LARGEST:
            raise self._fault(1, f"the file has more than {_LARGEST:,} characters; divide it")
        try:
            self._survey()
            root = yaml.compose(self.text, yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise self._fault(line, f"not valid YAML: {redact(str(error.problem))}") from None
        except yaml.reader.ReaderError as error:
            line = self.text.count("\n", 0, error.position) + 1
            raise self._fault(line, f"not valid YAML: {error.reason}") from None
        if not isinstance(root, yaml.MappingNode):
            raise self._fault(1, "this is no definition; begin with 'process: <its name>'")
        return root

    def _survey(self) -> None:
        """Refuse what must not be built; events are read one by one, however deep."""
        depth = 0
        for event in yaml.parse(self.text, yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                raise self._fault(line, f"'*{event.anchor}' is an alias; write out what it means")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > _DEEPEST:
                raise self._fault(line, f"more than {_DEEPEST} levels deep; make it flatter")

    def _built(self, node: yaml.Node) -> Any:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_PLAIN}map":
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_PLAIN}seq":
            return [self._built(each) for each in node.value]
        if node.tag in _SCALARS and _NO_SCALAR.fullmatch(str(node.value)) is None:
            try:
                return self._loader.construct_object(node)
            except ValueError as error:
                raise self._fault(line, f"{node.value!r:.40} cannot be read: {error}") from None
        if node.tag in _SCALARS | _TEXTS:
            return str(node.value)
        raise self._fault(line, f"the tag '{node.tag}' is not read; write a plain value")

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, below in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise self._fault(line, "a list or mapping is no key; write a name")
            if key.value in made:
                raise self._fault(line, f"'{key.value}' is given twice; remove one of the two")
            made[key.value] = self._built(below)
        return made

    def _fault(self, line: int, what: str) -> ConfigurationError:
        return ConfigurationError(f"{self.name}, line {line}: {what}")


def read_source(path: str | Path) -> Source:
    """Read a YAML file.

    Raises:
        ConfigurationError: It cannot be read, or see `Source`.
    """
    try:
        return Source(Path(path).read_text(encoding="utf-8-sig"), str(path))
    except OSError as error:
        raise ConfigurationError(
            f"the definition '{path}' cannot be read: {error.strerror}; correct the path"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the definition '{path}' is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None
