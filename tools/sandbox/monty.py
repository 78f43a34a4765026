"""Python only, in an interpreter that has no way out: pydantic-monty.

It knows a part of the language and of the standard library, and of this machine only the
work folder. Its process has no user, namespace or filter of its own, but there is nothing
in the language to ask for more.
"""

import importlib.util
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from cogwork.tools.sandbox.folder import produced, snapshot
from cogwork.tools.sandbox.limits import MIB, Limits
from cogwork.tools.sandbox.result import CodeResult, Language, Program

__all__ = ["Monty"]

Stream = Literal["stdout", "stderr"]

_GRACE = 5.0  # seconds that a worker gets to end by itself
_LIMITS = {
    "time limit exceeded": "seconds",
    "sleep limit exceeded": "seconds",
    "disk write limit": "disk_bytes",
    "memory limit exceeded": "memory_bytes",
}


@dataclass(frozen=True, slots=True)
class Monty:
    """The third choice: a small Python where no other sandbox can be had."""

    name: str = "pydantic-monty"
    languages: tuple[Language, ...] = ("python",)

    def missing(self) -> str | None:
        """Why it cannot be had here."""
        if importlib.util.find_spec("pydantic_monty") is None:
            return "not installed; pip install 'cogwork[sandbox]'"
        return None

    def run(self, program: Program, limits: Limits) -> CodeResult:
        """Run a program; see `Backend`. `input()` reads the standard input."""
        started = time.monotonic()
        before = snapshot(program.folder)
        output = _Output(limits.output_bytes)
        stderr, limit = _feed(program, limits, output)
        return CodeResult(
            stdout="".join(output.parts["stdout"]),
            stderr="".join([*output.parts["stderr"], stderr]),
            exit_code=1 if stderr else 0,
            files=produced(before, snapshot(program.folder)),
            limit=limit,
            seconds=time.monotonic() - started,
            backend=self.name,
        )


class _Output:
    """What a program prints; a worker that prints too much is ended, nothing else stops it."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.worker: int | None = None
        self.parts: dict[Stream, list[str]] = {"stdout": [], "stderr": []}

    def __call__(self, stream: Stream, text: str) -> None:
        self.parts[stream].append(text[: max(0, self.room)])
        self.room -= len(text.encode(errors="surrogatepass"))
        if self.room < 0 and self.worker is not None:
            with suppress(ProcessLookupError):
                os.kill(self.worker, signal.SIGKILL)


def _feed(program: Program, limits: Limits, output: _Output) -> tuple[str, str | None]:
    """How it failed, and at which limit."""
    import pydantic_monty as monty

    seconds = min(limits.seconds, limits.cpu_seconds)
    held: monty.ResourceLimits = {
        "max_feed_duration_secs": seconds,
        "max_total_sleep_secs": seconds,
        "max_memory": limits.memory_bytes,
    }
    pool = monty.Monty(min_processes=1, max_processes=1, request_timeout=seconds + _GRACE)
    mount = monty.MountDir(
        host_path=program.folder,
        virtual_path="/sandbox",
        mode="read-write",
        write_bytes_limit=limits.disk_bytes,
        memory_usage_limit=min(limits.memory_bytes, 64 * MIB),
    )
    read = _reader(program.stdin)
    try:
        with pool, mount, pool.checkout(limits=held) as session:
            output.worker = session.worker_pid
            session.feed_run(
                program.code, print_callback=output, mount=mount, external_lookup={"input": read}
            )
    except monty.MontyError as error:
        said = error.display() if isinstance(error, monty.MontyRuntimeError) else str(error)
        return said, "output_bytes" if output.room < 0 else _limit(str(error), limits)
    return "", None


def _limit(said: str, limits: Limits) -> str | None:
    limit = next((limit for words, limit in _LIMITS.items() if words in said), None)
    return "cpu_seconds" if limit == "seconds" and limits.cpu_seconds < limits.seconds else limit


def _reader(stdin: str) -> Callable[..., str]:
    lines = iter(stdin.splitlines())

    def read(prompt: str = "") -> str:  # noqa: ARG001 - as in Python
        try:
            return next(lines)
        except StopIteration:
            raise EOFError("EOF when reading a line") from None

    return read
