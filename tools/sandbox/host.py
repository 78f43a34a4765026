"""No sandbox at all: programs run as the user who runs this, and can do what that user can.

Only the limits hold. It is no rung of the ladder; it must be asked for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import Popen

from cogwork.tools.sandbox.between import started_between
from cogwork.tools.sandbox.execution import execute
from cogwork.tools.sandbox.interpreters import environment, launched
from cogwork.tools.sandbox.limits import Limits
from cogwork.tools.sandbox.result import LANGUAGES, CodeResult, Language, Program
from cogwork.tools.sandbox.supervise import Tree

__all__ = ["UnsafeHost"]


@dataclass(frozen=True, slots=True)
class UnsafeHost:
    """Runs programs on the host itself."""

    name: str = "unsafe host"
    languages: tuple[Language, ...] = LANGUAGES

    def missing(self) -> str | None:
        """Nothing ever is."""
        return None

    def run(self, program: Program, limits: Limits) -> CodeResult:
        """Run a program; see `Backend`."""
        return execute(self.name, _start, program, limits)


@contextmanager
def _start(
    program: Program, command: list[str], limits: Limits
) -> Iterator[tuple["Popen[bytes]", Tree]]:
    work = str(program.folder)
    inner = launched(command, work, limits, processes=None)
    variables = environment(work, command[0], limits)
    with started_between(program, inner, variables, held=None) as started:
        yield started
