"""The errors of cogwork.

    CogworkError
    ├── ConfigurationError      a setting, a name or an argument is wrong
    │   ├── UnknownNameError    a registry has nothing by that name
    │   └── DuplicateNameError  a registry has something by that name already
    ├── AgentError              a graph cannot go on
    │   └── ModelError          the model cannot be reached or answers nothing usable
    │       └── StructuredOutputError  the model's answer does not fit the schema
    ├── ToolError               a tool refuses its arguments or fails
    ├── MemoryStoreError        a checkpointer or a store cannot read or write
    ├── InDoubtError            a step with an effect was cut off by a crash
    ├── PlanningError           no plan, or an invalid one
    ├── BudgetError             a limit on tokens, money, time or calls is reached
    ├── CircuitOpenError        a circuit breaker refuses the call
    └── TaskError               a task of the runner fails

Every error has a message that names the thing, the value and the way out;
`details` for logs; and `safe_message()` for people, which shows no secret.
"""

import re
from collections.abc import Mapping
from typing import Any

__all__ = [
    "AgentError",
    "BudgetError",
    "CircuitOpenError",
    "CogworkError",
    "ConfigurationError",
    "DuplicateNameError",
    "InDoubtError",
    "MemoryStoreError",
    "ModelError",
    "PlanningError",
    "StructuredOutputError",
    "TaskError",
    "ToolError",
    "UnknownNameError",
    "redact",
]

_SECRETS = (
    re.compile(r"(?s)(?P<keep>-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)"),
    # key=value, key: value, "key": "value", ("key", "value") for names that hold secrets
    re.compile(
        r"""(?ix)(?P<keep>(?<![\w-])[\w-]*(?:(?:api|access|private|account)[_-]?key|authorization|token
        |secret|credentials?|passw(?:or)?d|passphrase|cookie)
        (?:["']?\s*[=:]\s*|["'],\s*)(?:b?["'])?(?:bearer\s+|basic\s+)?+)[^\s"',;&}]{4,}"""
    ),
    re.compile(r"(?i)(?P<keep>\bbearer\s+)[\w.~+/=-]{8,}"),
    # user:password@ in a URL; a password may hold an @
    re.compile(r"(?P<keep>\b\w+://[^\s:/@?#]*:)[^\s/?#]+(?=@)"),
    # the shapes of well-known keys
    re.compile(
        r"(?P<keep>)\b(?:(?:sk|pk|rk)-[\w-]{8,}|(?:sk|pk|rk)_(?:live|test)_\w{8,}"
        r"|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{8,}"
        r"|A(?:KIA|SIA)[0-9A-Z]{12,}|AIza[\w-]{30,}|hf_\w{20,}|gsk_\w{20,}|xai-\w{20,}"
        r"|tvly-[\w-]{8,}|lsv2_[\w-]{8,}|eyJ[\w-]{8,4096}\.[\w-]{8,}\.[\w-]*)"
    ),
)


def redact(text: str) -> str:
    """Replace what looks like a key, token or password in `text` by `***`."""
    for pattern in _SECRETS:
        text = pattern.sub(lambda match: f"{match['keep']}***", text)
    return text


class CogworkError(Exception):
    """Root of the hierarchy.

    Args:
        message: What happened, to which thing, with which value, and the way out.
        details: Further facts for logs; never shown by `safe_message()`.
        transient: Whether the same call may succeed when it is made again.
    """

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(message)
        self.details = dict(details or {})
        self.transient = transient

    def safe_message(self) -> str:
        """The message for people: one paragraph, secrets replaced by `***`."""
        return " ".join(redact(str(self)).split())


class ConfigurationError(CogworkError):
    """A setting, a name or an argument is wrong."""


class UnknownNameError(ConfigurationError, KeyError):
    """A registry has nothing by that name."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes


class DuplicateNameError(ConfigurationError):
    """A registry has something by that name already."""


class AgentError(CogworkError):
    """A graph cannot go on."""


class ModelError(AgentError):
    """The model cannot be reached or answers nothing usable."""


class StructuredOutputError(ModelError):
    """The model's answer does not fit the schema, even after one repair."""


class ToolError(CogworkError):
    """A tool refuses its arguments or fails."""


class MemoryStoreError(CogworkError):
    """A checkpointer or a store cannot read or write."""


class InDoubtError(CogworkError):
    """A step began in a process that died, and nobody knows whether its effect happened."""


class PlanningError(CogworkError):
    """There is no plan, or it is invalid."""


class BudgetError(CogworkError):
    """A limit on tokens, money, time or calls is reached."""


class CircuitOpenError(CogworkError):
    """A circuit breaker refuses the call."""


class TaskError(CogworkError):
    """A task of the runner fails."""
