"""An append-only log of what agents did, in which tampering shows.

One JSON object a line. Each holds the hash of the one before, so an edit, a removal or a change
of order breaks the chain. A file beside the log, `<name>.head`, holds the number of records and
the last hash, so that records cut off at the end are missed.

Without a key, whoever can write both files can forge both. With one, the hashes are HMAC-SHA-256,
which only the key's holder can make; what remains is to put back both files as they once were,
which a hash that is kept elsewhere shows. Secrets are redacted before anything is written.
"""

import fcntl
import hashlib
import hmac
import json
import math
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from cogwork.core.errors import ConfigurationError, ToolError, redact

__all__ = ["AuditLog", "AuditReport", "verify_audit_log"]

_FIRST: Final = "0" * 64
_OWN: Final = ("seq", "time", "prev", "hash")
_LONGEST: Final = 2_000  # characters of a text; of a longer one the hash is kept too
_DEEPEST: Final = 50  # what is nested deeper is left out
_MOST_BITS: Final = 10_000  # of a whole number; Python writes no longer ones
_MOST_WITHOUT_HEAD: Final = 2  # records of a first write that a crash cut off before its head


class _Head(NamedTuple):
    """The end of a log: its records, the last one's hash, and its bytes."""

    entries: int = 0
    last: str = _FIRST
    size: int = 0


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a check of a log found.

    Attributes:
        entries: How many records there are.
        last: The last one's hash; keep it elsewhere, to show later that it was there.
        faults: What is wrong, each with its line; none when the log is whole.
    """

    entries: int
    last: str
    faults: tuple[str, ...]


class AuditLog:
    """Appends to a log, from any number of threads and processes of one machine.

    Args:
        path: The file; it and its folder are made when first needed, for this user alone.
        key: Makes the hashes unforgeable; see the module's text.
    """

    def __init__(self, path: str | Path, *, key: str | None = None) -> None:
        self.path = Path(path)
        self._key = key
        self._lock = threading.Lock()

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one record; it is on the disk when this returns.

        Args:
            record: Values by name. Texts are redacted and, over 2,000 characters, cut; what is
                not JSON is written as text. `seq`, `time`, `prev` and `hash` are the log's own.

        Raises:
            ConfigurationError: The record has a name that is the log's own.
            ToolError: It cannot be written, or the log was shortened.
        """
        if taken := sorted(record.keys() & set(_OWN)):
            raise ConfigurationError(f"the audit log writes {', '.join(taken)} itself")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._lock, _opened(self.path) as file:
                self._append(file, record)
        except OSError as error:
            raise ToolError(
                f"the audit log '{self.path}' cannot be written ({error.strerror}), and what "
                "cannot be logged is not done; make room for it, or make it writable"
            ) from error

    def _append(self, file: int, record: Mapping[str, Any]) -> None:
        head = _read_head(self.path, self._key)
        size = os.fstat(file).st_size
        if size < head.size:
            raise ToolError(
                f"the audit log '{self.path}' is shorter than it was ({size} of {head.size} "
                "bytes); see 'cogwork audit verify', and begin another file"
            )
        is_first = not head.entries
        head, torn = _caught_up(head, os.pread(file, size - head.size, head.size))
        if is_first and head.entries > _MOST_WITHOUT_HEAD:
            raise ToolError(
                f"the audit log '{self.path}' has {head.entries} records, but "
                f"'{_head_of(self.path).name}' is gone; see 'cogwork audit verify', and begin "
                "another file"
            )
        if torn:  # by a crash in the middle of a write; the next record says so
            head = self._write(file, {"event": "torn", "sha256": _digest(torn)}, head, b"\n")
        head = self._write(file, record, head)
        os.fsync(file)
        _write_head(self.path, head, self._key)

    def _write(
        self, file: int, record: Mapping[str, Any], head: _Head, before: bytes = b""
    ) -> _Head:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = {"seq": head.entries + 1, "time": now, **_clean(record), "prev": head.last}
        entry["hash"] = _hash(entry, self._key)
        line = before + _written(entry) + b"\n"
        written = 0
        while written < len(line):
            written += os.write(file, line[written:])
        return _Head(head.entries + 1, entry["hash"], os.fstat(file).st_size)


def verify_audit_log(
    path: str | Path, *, key: str | None = None, known: Sequence[str] = ()
) -> AuditReport:
    """Check a whole log.

    Args:
        path: The log.
        key: The one that it was written with.
        known: Hashes that must be among the records', kept from earlier checks.

    Raises:
        ToolError: The log cannot be read.
    """
    path = Path(path)
    try:
        with _opened(path, os.O_RDONLY) as file:
            *lines, _ = _whole(file).split(b"\n")
        faults: list[str] = []
        hashes = [_FIRST]
        for fault, last in _checked(lines, key):
            faults += fault
            hashes += last
        faults += _missing(path, hashes, key)
    except OSError as error:
        raise ToolError(f"the audit log '{path}' cannot be read: {error.strerror}") from error
    faults += [f"no record has the hash {each}" for each in known if each not in hashes]
    return AuditReport(len(hashes) - 1, hashes[-1], tuple(faults))


def _checked(lines: Sequence[bytes], key: str | None) -> Iterator[tuple[list[str], list[str]]]:
    """What is wrong with each line, and its hash if it is a record."""
    last, number, torn = _FIRST, 0, None
    for place, line in enumerate(lines, 1):
        entry = _parsed(line)
        if entry is None:
            noted = _parsed(lines[place]) if place < len(lines) else None
            is_noted = noted and noted.get("event") == "torn"
            torn = _digest(line) if is_noted else None
            yield ([] if is_noted else [f"line {place} is no record"]), []
            continue
        number += 1
        faults = []
        if line != _written(entry) or not _holds(entry, key):
            faults.append(f"line {place} was changed, or written with another key")
        if entry.get("prev") != last or entry.get("seq") != number:
            faults.append(f"line {place} does not follow the one before")
        if torn and entry.get("sha256") != torn:
            faults.append(f"line {place - 1} was changed")
        last, torn = str(entry.get("hash")), None
        yield faults, [last]


def _missing(path: Path, hashes: Sequence[str], key: str | None) -> list[str]:
    """What the head knows of and the log does not have."""
    try:
        head = _read_head(path, key)
    except ToolError as error:
        return [str(error)]
    if head.entries >= len(hashes):
        return [f"the last {head.entries - len(hashes) + 1} records are missing"]
    if hashes[head.entries] != head.last or (len(hashes) > 1 and not head.entries):
        return [f"the log is not the one that '{path.name}.head' belongs to"]
    return []


def _caught_up(head: _Head, rest: bytes) -> tuple[_Head, bytes]:
    """The end of the log, which a crash may have left beyond its head, and what is torn of it."""
    lines, newline, torn = rest.rpartition(b"\n")
    for line in lines.split(b"\n"):
        if entry := _parsed(line):
            head = head._replace(entries=head.entries + 1, last=str(entry.get("hash")))
    return head._replace(size=head.size + len(lines + newline)), torn


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _clean(value: Any, depth: int = 0) -> Any:
    """The value as JSON, its texts redacted and cut."""
    if value is None or isinstance(value, bool) or _is_plain_number(value):
        return value
    if depth > _DEEPEST:
        return "… (nested too deeply)"
    if isinstance(value, Mapping):
        return {_text(name): _clean(each, depth + 1) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each, depth + 1) for each in value]
    return _text(value)


def _is_plain_number(value: Any) -> bool:
    if isinstance(value, int):
        return value.bit_length() <= _MOST_BITS
    return isinstance(value, float) and math.isfinite(value)


def _text(value: Any) -> str:
    """The text of anything, cut, without secrets and without what UTF-8 cannot hold."""
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - a call is noted whatever its arguments are
        text = f"<{type(value).__name__}>"
    if len(text) <= _LONGEST:
        return _encodable(redact(text))
    shown = _encodable(redact(text[: 2 * _LONGEST])[:_LONGEST])  # the cut makes no secret too short
    whole = _digest(text.encode("utf-8", "backslashreplace"))
    return f"{shown}… ({len(text):,} characters, SHA-256 {whole})"


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _written(entry: Mapping[str, Any]) -> bytes:
    """A record as it stands in the log; written otherwise, it was changed."""
    return json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _holds(entry: Mapping[str, Any], key: str | None) -> bool:
    told = str(entry.get("hash")).encode("utf-8", "backslashreplace")
    return hmac.compare_digest(told, _hash(entry, key).encode())


def _hash(entry: Mapping[str, Any], key: str | None) -> str:
    rest = {name: value for name, value in entry.items() if name != "hash"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()
    if key is None:
        return _digest(text)
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def _opened(path: Path, mode: int = os.O_RDWR | os.O_APPEND | os.O_CREAT) -> Iterator[int]:
    """The file, which no other process writes meanwhile."""
    file = os.open(path, mode | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX if mode & os.O_RDWR else fcntl.LOCK_SH)
        yield file
    finally:
        os.close(file)


def _whole(file: int) -> bytes:
    with os.fdopen(os.dup(file), "rb") as reader:
        return reader.read()


def _read_head(path: Path, key: str | None) -> _Head:
    try:
        found = json.loads(_head_of(path).read_text())
        head = _Head(found["entries"], found["last"], found["size"])
        if hmac.compare_digest(found["hash"], _hash(head._asdict(), key)):
            return head
    except FileNotFoundError:
        return _Head()
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ToolError(f"'{_head_of(path)}' was changed, or written with another key")


def _write_head(path: Path, head: _Head, key: str | None) -> None:
    text = head._asdict()
    made = _head_of(path).with_suffix(".new")
    made.write_text(json.dumps({**text, "hash": _hash(text, key)}))
    made.replace(_head_of(path))


def _head_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.head")
