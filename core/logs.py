"""Logs as JSON: one object on each line, with the run and the span that it was written in.

Nothing is installed or changed until `json_logs` is called.
"""

import json
import logging
import math
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from cogwork.core.errors import CogworkError, ConfigurationError, redact
from cogwork.core.registry import nearest
from cogwork.core.settings import Settings

__all__ = ["JsonFormatter", "json_logs", "log_as"]

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONGEST: Final = 16_000  # characters of a text; most services cut a line at a multiple of it
_OVERLAP: Final = 1_000  # so that a secret which the end cuts off is still known as one
_DEEPEST: Final = 4
_MOST: Final = 50  # entries of a list or mapping


def json_logs(
    level: str = "INFO", *, stream: TextIO | None = None, logger: str = ""
) -> logging.Handler:
    """Write logs as JSON from now on; called again, it replaces what it did before.

    Args:
        level: From which level on: "DEBUG", "INFO", "WARNING", "ERROR" or "CRITICAL".
        stream: Where to; standard error unless given.
        logger: Whose logs, with those below it, such as "cogwork"; everybody's unless given.

    Returns:
        The handler; `logging.getLogger(logger).removeHandler(handler)` ends it.

    Raises:
        ConfigurationError: There is no such level.
    """
    levels = logging.getLevelNamesMapping()
    if level.upper() not in levels:
        raise ConfigurationError(f"there is no log level '{level}', {nearest(level, list(levels))}")
    target = logging.getLogger(logger)
    for handler in list(target.handlers):
        if isinstance(handler.formatter, JsonFormatter):
            target.removeHandler(handler)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    target.addHandler(handler)
    target.setLevel(level.upper())
    return handler


def log_as(settings: Settings) -> None:
    """Write logs as the settings `log` and `log_level` say; without them nothing changes."""
    if settings.log == "json":
        json_logs(settings.log_level)


class JsonFormatter(logging.Formatter):
    r"""Makes one line of JSON of a record; a line that somebody else wrote cannot be in it.

    The keys are `time` (ISO 8601, UTC), `level`, `logger` and `message`; of a run of LangGraph
    `thread_id`, `run_id` if the run was given one, `node` and `step`; of an OpenTelemetry span
    `trace_id` and `span_id`; `exception` with its `type`, `message`, `stack` and, of an error of
    ours, `details`; and `extra` with what was given as such. Secrets become `***`, long texts
    are cut, all but ASCII is escaped.

    Examples:
        >>> record = logging.makeLogRecord({"name": "app", "levelname": "INFO", "msg": "x\ny"})
        >>> print(JsonFormatter().format(record)[42:])
        "level": "INFO", "logger": "app", "message": "x\ny"}
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": _plain(record.name),
            "message": _message(record),
            **_run(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = _exception(record.exc_info[1])
        if record.stack_info:
            line["stack"] = _plain(record.stack_info)
        if extra := {key: value for key, value in vars(record).items() if key not in _OWN}:
            line["extra"] = _plain(extra)
        return json.dumps(line, allow_nan=False)


def _message(record: logging.LogRecord) -> Any:
    try:
        return _plain(record.getMessage())
    except Exception as error:  # noqa: BLE001 - what was logged may do anything; its line is kept
        return _plain(f"{_told(record.msg)} (with what does not fit it: {_told(error)})")


def _run() -> dict[str, Any]:
    """The run and the span that this is called in."""
    config = var_child_runnable_config.get()
    if config is None:
        return _span(None)
    metadata = config.get("metadata") or {}
    told = {
        "thread_id": (config.get("configurable") or {}).get("thread_id"),
        "run_id": _run_id() if "langgraph_node" in metadata else config.get("run_id"),
        "node": metadata.get("langgraph_node"),
        "step": metadata.get("langgraph_step"),
    }
    known = {key: _plain(value) for key, value in told.items() if value is not None}
    return known | _span(config)


def _run_id() -> str | None:
    from langgraph.runtime import get_runtime

    execution = getattr(get_runtime(), "execution_info", None)
    return getattr(execution, "run_id", None)


def _span(config: RunnableConfig | None) -> dict[str, str]:
    current = getattr(sys.modules.get("opentelemetry.trace"), "get_current_span", None)
    if current is None:
        return {}
    context = (_span_of(config) or current()).get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def _span_of(config: RunnableConfig | None) -> Any:
    """The span that `cogwork.core.tracing.Tracing` has made for what runs here."""
    callbacks = (config or {}).get("callbacks")
    run = getattr(callbacks, "parent_run_id", None)
    for handler in getattr(callbacks, "handlers", ()):
        if run is not None and (span_of := getattr(handler, "span_of", None)):
            return span_of(run)
    return None


def _exception(error: BaseException) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "message": _plain(_told(error)),
        "stack": _plain("".join(traceback.format_exception(error))),
    }
    if isinstance(error, CogworkError) and error.details:
        told["details"] = _plain(error.details)
    return told


def _plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON can hold it, without secrets."""
    try:
        return _as_json(value, depth)
    except Exception:  # noqa: BLE001 - a log must not fail over what cannot be told
        return _untold(value)


def _as_json(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() <= 64 else hex(value)[:_LONGEST]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping) and depth < _DEEPEST:
        entries = [(_text(_told(key)), each) for key, each in list(value.items())[:_MOST]]
        return {key: "***" if _is_secret(key) else _plain(each, depth + 1) for key, each in entries}
    if isinstance(value, list | tuple | set | frozenset) and depth < _DEEPEST:
        entries = list(value)[:_MOST]
        return [
            "***" if _asks_for_secret(before) else _plain(each, depth + 1)
            for before, each in zip([None, *entries], entries, strict=False)
        ]
    return _text(_told(value))


def _is_secret(key: str) -> bool:
    """Whether what has this name is a secret, whatever it is."""
    return redact(f"{key}=12345678") != f"{key}=12345678"


def _asks_for_secret(word: Any) -> bool:
    """Whether this is an option of a command line that a secret follows, as `--token` is."""
    return isinstance(word, str) and word.startswith("-") and len(word) < 100 and _is_secret(word)


def _untold(value: Any) -> str:
    return f"<{type(value).__qualname__} that cannot be told>"


def _told(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a log must not fail over what cannot be told
        return _untold(value)


def _text(text: str) -> str:
    """The text without secrets, halves of surrogate pairs, and what is too long."""
    known = redact(text[: _LONGEST + _OVERLAP])
    if len(text) > _LONGEST:
        known = f"{known[:_LONGEST]}… ({len(text):,} characters)"
    return known.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
