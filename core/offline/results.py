"""Results: what doing a step came to."""

from dataclasses import dataclass, field

from cogwork.core.errors import AgentError

__all__ = ["CannotError", "Result"]


class CannotError(AgentError):
    """A step cannot be done; the message says why, for the answer."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a step came to.

    Attributes:
        sentence: What an answer says of it.
        value: What "it" means to later steps: a figure, a text, or one entry per line.
        names: Stems by which later steps may call it ("total", "twh").
        kind: "value", "document" (a text that was read), "list", "effect" (something was
            changed), "verdict" (yes or no), or "failure".
        subject: The path or name that it is about.
        sources: Names and texts of the documents that were read for it.
    """

    sentence: str
    value: str = ""
    names: frozenset[str] = field(default=frozenset())
    kind: str = "value"
    subject: str = ""
    sources: tuple[tuple[str, str], ...] = ()
