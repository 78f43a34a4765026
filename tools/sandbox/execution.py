"""What all backends that run real interpreters have in common."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryFile
from typing import IO

from cogwork.tools.sandbox.folder import produced, program_file, snapshot
from cogwork.tools.sandbox.interpreters import file_suffix, interpreter
from cogwork.tools.sandbox.limits import Limits
from cogwork.tools.sandbox.result import CodeResult, Program, SandboxError
from cogwork.tools.sandbox.supervise import Tree, supervise

__all__ = ["Start", "execute", "pipe", "standard_input"]

Start = Callable[[Program, list[str], Limits], AbstractContextManager[tuple["Popen[bytes]", Tree]]]
"""Starts a command in the sandbox; standard output and error are pipes."""


def execute(
    backend: str,
    start: Start,
    program: Program,
    limits: Limits,
    *,
    work: str | None = None,
    others: bool = False,
) -> CodeResult:
    """Run a program to its end or to a limit.

    Args:
        backend: Its name, for the result.
        start: How it starts a command.
        program: What to run.
        limits: What it may use.
        work: The work folder's path as the program sees it, if it is another.
        others: Whether another user runs it.

    Raises:
        SandboxError: There is no interpreter, or it could not be started.
    """
    executable = interpreter(program.language, others=others)
    if executable is None:
        raise SandboxError(
            f"{program.language} cannot be run: its interpreter is not installed on this machine"
        )
    started = time.monotonic()
    before = snapshot(program.folder)
    suffix = file_suffix(program.language, program.code)
    with program_file(program.folder, program.code, suffix) as name:
        path = str(Path(work or program.folder) / name)
        try:
            with start(program, [executable, path], limits) as (process, tree):
                outcome = supervise(process, tree, program, limits)
        except OSError as error:
            raise SandboxError(f"{backend} could not be started: {error}") from error
    return CodeResult(
        stdout=outcome.stdout.decode(errors="replace"),
        stderr=outcome.stderr.decode(errors="replace").replace(path, f"program{suffix}"),
        exit_code=outcome.exit_code,
        files=produced(before, snapshot(program.folder)),
        limit=outcome.limit,
        seconds=time.monotonic() - started,
        backend=backend,
    )


@contextmanager
def standard_input(program: Program) -> Iterator[IO[bytes]]:
    """What the program reads, as a file, so that nobody has to feed a pipe."""
    with TemporaryFile() as file:
        file.write(program.stdin.encode(errors="surrogatepass"))
        file.seek(0)
        yield file


@contextmanager
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The two ends of a pipe, to read from and to write to, closed at the end."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as read, os.fdopen(writing, "wb") as write:
        yield read, write
