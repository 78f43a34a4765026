"""One YAML file of settings: its values, the references in them replaced, and the line of each."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cogwork.core.errors import ConfigurationError, redact
from cogwork.core.yaml_lines import entries, key_name, line_at

__all__ = ["SettingsFile", "expand_home", "read_settings_file"]

_VARIABLE = "COGWORK_CONFIG"
_DEFAULT = "cogwork.yaml"
_REFERENCE = re.compile(
    r"\$\$\{"  # an escaped ${
    r"|\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>(?:(?!\$\{)[^}])*))?\}"
    r"|(?P<malformed>\$\{)"
)


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What a file of settings says.

    Attributes:
        name: Of the file, as it was given.
        values: By key, with the references to the environment replaced.
        raw: By key, as they are written.
        faults: What is wrong with the file itself.
    """

    name: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    _places: dict[str, tuple[int, yaml.Node]] = field(default_factory=dict)

    def line(self, key: str | int, *path: str | int) -> int:
        """Return the line of a key, or of what stands at a path below it, as near as it is known."""
        line, node = self._places[str(key)]
        return line_at(node, line, path)

    def add(self, loader: yaml.SafeLoader, key: yaml.Node, value: yaml.Node) -> None:
        """Take over what stands under a key, or note what is wrong with it."""
        name, line = key_name(key), key.start_mark.line + 1
        if name in self._places:
            self._twice(f"'{name}'", self._places[name][0], line)
        self._places[name] = line, value
        self._find_doubles(name, value, set())
        try:
            self.raw[name] = loader.construct_object(value, deep=True)
        except (ValueError, LookupError, AttributeError) as error:
            # It looks like a date or a number and is none, or has a tag that it does not fit.
            why = (
                f": {error}" if isinstance(error, ValueError) and not name.endswith("_key") else ""
            )
            self.faults.append(f"{name} ({self.name}, line {line}) cannot be read{why}")
            return
        known = len(self.faults)
        expanded = self._expanded(self.raw[name], (name,), {})
        if len(self.faults) == known:
            self.values[name] = expanded

    def _twice(self, what: str, first: int, second: int) -> None:
        lines = f"lines {first} and {second}" if first != second else f"line {first}"
        self.faults.append(f"{what} is given twice ({self.name}, {lines})")

    def _find_doubles(self, path: str, node: yaml.Node, seen: set[int]) -> None:
        """Note the keys that a mapping within a value has twice, of which YAML forgets one."""
        if id(node) in seen:  # an alias
            return
        seen.add(id(node))
        lines: dict[str, int] = {}
        for name, line, below in entries(node):
            if name in lines:
                self._twice(f"'{name}' in {path}", lines[name], line)
            lines[name] = line
            self._find_doubles(f"{path}.{name}", below, seen)

    def _expanded(self, value: Any, path: tuple[str | int, ...], done: dict[int, Any]) -> Any:
        """The value with the references to the environment in its texts replaced."""
        if id(value) in done:  # an alias: a value may hold another very many times
            return done[id(value)]
        if isinstance(value, str):
            try:
                return _REFERENCE.sub(_resolve, value)
            except ConfigurationError as error:
                where = f"{'.'.join(map(str, path))} ({self.name}, line {self.line(*path)})"
                self.faults.append(f"{where} {error}")
                return value
        made: Any = value
        if isinstance(value, list):
            made = [self._expanded(item, (*path, n), done) for n, item in enumerate(value)]
        elif isinstance(value, dict):
            made = {key: self._expanded(item, (*path, key), done) for key, item in value.items()}
        done[id(value)] = made
        return made


def read_settings_file(path: str | Path | None = None) -> SettingsFile:
    """Read the file at `path`, else the one that COGWORK_CONFIG names, else `cogwork.yaml`.

    Raises:
        ConfigurationError: The file is absent though it was asked for, or not a YAML mapping.
    """
    chosen = path or os.environ.get(_VARIABLE)
    try:
        file = expand_home(Path(chosen or _DEFAULT))
    except ValueError as error:
        raise ConfigurationError(f"the settings file '{chosen}' should be {error}") from error
    if not chosen and not file.exists():
        return SettingsFile()
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(
            f"the settings file '{file}' cannot be read: {error.strerror}; correct the path"
            + ("" if path else f", or unset {_VARIABLE}")
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the settings file '{file}' is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None
    return _parse(text, str(file))


def _parse(text: str, name: str) -> SettingsFile:
    file = SettingsFile(name)
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None or root.tag == "tag:yaml.org,2002:null":
            return file
        if not isinstance(root, yaml.MappingNode):
            raise ConfigurationError(
                f"{name}, line {root.start_mark.line + 1}: this holds no settings; "
                "write one 'key: value' line for each"
            )
        for key, value in root.value:
            file.add(loader, key, value)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigurationError(
            f"{name}{where}: not valid YAML: {redact(error.problem or 'unreadable')}"
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        raise ConfigurationError(
            f"{name}, line {line}, column {column}: not valid YAML: {error.reason}"
        ) from None
    except RecursionError:
        raise ConfigurationError(f"{name}: not valid YAML: nested too deeply") from None
    return file


def expand_home(path: Path) -> Path:
    """Replace a leading `~`.

    Raises:
        ValueError: There is no such home folder.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"a path whose home folder exists ({error})") from None


def _resolve(match: re.Match[str]) -> str:
    if match["malformed"]:
        raise ConfigurationError(
            "holds a '${' that starts no reference; "
            "write ${NAME}, ${NAME:-default}, or $${ for the two characters"
        )
    name, default = match["name"], match["default"]
    if name is None:
        return "${"
    value = os.environ.get(name)
    if default is not None:
        return value or default
    if value is None:
        raise ConfigurationError(
            f"needs the environment variable '{name}', which is not set; "
            f"set it or write ${{{name}:-default}}"
        )
    return value
