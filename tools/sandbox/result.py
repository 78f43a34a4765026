"""What goes into a sandbox and what comes out of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from cogwork.core.errors import ToolError
from cogwork.tools.sandbox.limits import Limits

__all__ = [
    "LANGUAGES",
    "Backend",
    "CodeResult",
    "Language",
    "ProducedFile",
    "Program",
    "SandboxError",
]

Language = Literal["python", "javascript", "bash"]
LANGUAGES: tuple[Language, ...] = ("python", "javascript", "bash")

_SHOWN_FILES = 50


class SandboxError(ToolError):
    """Code cannot be run safely here."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be run.

    Args:
        language: Of the code.
        code: The whole program.
        folder: Its work folder, an existing one; the only place that it can write to.
        stdin: What it reads from standard input.
    """

    language: Language
    code: str
    folder: Path
    stdin: str = ""


@dataclass(frozen=True, slots=True)
class ProducedFile:
    """A file that a run wrote or changed; `name` is relative to the work folder."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class CodeResult:
    """What became of a program.

    Args:
        stdout: Its standard output, as far as the limit goes.
        stderr: Its standard error, likewise.
        exit_code: 0 when it ended well; 128 + n when signal n ended it.
        files: What it wrote in its work folder, by name.
        limit: The field of `Limits` that it ran into, if it did.
        seconds: How long it took.
        backend: What held it.
    """

    stdout: str
    stderr: str
    exit_code: int
    files: tuple[ProducedFile, ...]
    limit: str | None
    seconds: float
    backend: str

    def text(self, limits: Limits) -> str:
        """Return all of it as a model reads it."""
        parts = [f"exit code: {self.exit_code}"]
        if self.limit is not None:
            parts.append(f"stopped at a limit: {self.limit}={getattr(limits, self.limit):,}")
        for name, text in (("stdout", self.stdout), ("stderr", self.stderr)):
            if text:
                parts.append(f"{name}:\n{text.rstrip()}")
        if self.files:
            shown = [f"{file.name!r} ({file.bytes:,} bytes)" for file in self.files[:_SHOWN_FILES]]
            more = len(self.files) - len(shown)
            parts.append("files: " + ", ".join(shown) + (f" and {more:,} more" if more else ""))
        return "\n".join(parts)


class Backend(Protocol):
    """Something that runs programs and holds them."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def languages(self) -> tuple[Language, ...]:
        """What it can run."""
        ...

    def missing(self) -> str | None:
        """Why it cannot be had here, and what would change that; None if it can."""
        ...

    def run(self, program: Program, limits: Limits) -> CodeResult:
        """Run a program to its end or to a limit.

        Raises:
            SandboxError: The program could not be started.
        """
        ...
