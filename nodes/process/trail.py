"""The trail of a process: who did what, when, with what result; and its export.

The trail is part of an instance's state, so it is saved together with what it tells. A cell of the
CSV that a spreadsheet would take for a formula begins with an apostrophe.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from typing_extensions import TypedDict

from cogwork.core.errors import redact

__all__ = ["Entry", "merge_trail", "trail_to_csv", "trail_to_json"]


class Entry(TypedDict):
    """One thing that happened.

    `at` is ISO 8601 in UTC. `event` is `began`, `asked`, `refused`, `escalated`, `decided`,
    `completed`, `skipped`, `failed` or `ended`; `by` the person, tool or agent; `step` has the
    step around it in front where it is one of a subprocess: `hire/contract`.
    """

    id: str
    at: str
    process: str
    version: str
    step: str
    kind: str
    event: str
    by: str
    role: str
    input: Any
    result: Any
    note: str


_COLUMNS: Final = [*Entry.__annotations__]
_FORMULA: Final = (*"=+-@\t\r\n|%", *"\uff1d\uff0b\uff0d\uff20")  # also in full width


def merge_trail(left: Sequence[Entry] | None, right: Sequence[Entry] | None) -> list[Entry]:
    """Append the entries that are not there yet, by their ids."""
    merged = list(left or ())
    known = {entry["id"] for entry in merged}
    return merged + [entry for entry in right or () if entry["id"] not in known]


def trail_to_json(trail: Sequence[Entry]) -> str:
    """Return the trail as JSON, secrets redacted."""
    return redact(json.dumps(list(trail), indent=2, ensure_ascii=False))


def trail_to_csv(trail: Sequence[Entry]) -> str:
    """Return the trail as CSV with a header, secrets redacted, and no formulas in it."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(entry, name) for name in _COLUMNS] for entry in trail)
    return text.getvalue()


def _cell(entry: Mapping[str, Any], name: str) -> str:
    value = entry[name]
    is_data = name in ("input", "result") and value is not None
    text = json.dumps(value, ensure_ascii=False) if is_data else str(value or "")
    text = redact(text).replace("\0", "")
    if isinstance(value, int | float):
        return text
    return f"'{text}" if text.lstrip(" '\"").startswith(_FORMULA) or text[:1] in _FORMULA else text
