"""Runs in forks of one process, so that a test can kill them at any moment.

A child script ends with `serve(run)`. Each line of JSON on its standard input forks one
`run(job)`; it says the fork's pid, and `ended <status>` when it is gone.
"""

import contextlib
import gc
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

SUPPORT = Path(__file__).parent
# What a run of any graph imports late; many kills would hit that instead of the run.
LATE = (
    "anyio._backends._asyncio",
    "langchain_core.messages.block_translators.langchain_v0",
    "langchain_core.tracers.stdout",
)


def serve(run: Callable[[dict[str, Any]], None]) -> None:
    """Fork a run for each job that is asked for, one at a time."""
    for name in LATE:
        import_module(name)
    gc.collect()
    gc.freeze()  # so that forks share what they do not change
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                run(json.loads(line))
            except BaseException:  # noqa: BLE001 - a fork must not go on as the server
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.write(1, f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        os.write(1, f"ended {status}\n".encode())


class Forks:
    """Starts runs of a child script, and kills them."""

    def __init__(self, server: "subprocess.Popen[str]") -> None:
        self._server = server

    def start(self, job: dict[str, Any]) -> int:
        print(json.dumps(job), file=self._server.stdin, flush=True)
        assert self._server.stdout is not None
        return int(self._server.stdout.readline())

    def end(self) -> int:
        assert self._server.stdout is not None
        return int(self._server.stdout.readline().split()[1])

    def crash(
        self, job: dict[str, Any], chance: random.Random, kills: int, within: float = 0.12
    ) -> int:
        """Run a job to its end through up to `kills` kills; return how many there were.

        A kill comes at random `within` that many seconds.
        """
        killed = 0
        for last in itertools.chain([False] * kills, [True]):
            pid = self.start(job)
            if last:
                assert self.end() == 0
                break
            time.sleep(chance.uniform(0.0, within))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            status = self.end()
            if status == 0:
                break
            assert status == signal.SIGKILL
            killed += 1
        return killed


@contextlib.contextmanager
def forks(script: str) -> Iterator[Forks]:
    """The server of a child script in this folder."""
    with subprocess.Popen(
        [sys.executable, str(SUPPORT / script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SUPPORT)},
    ) as server:
        yield Forks(server)
        assert server.stdin is not None
        server.stdin.close()


def say(log: str, *words: str) -> None:
    """Append a line, which is whole whenever the process is killed."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (" ".join(words) + "\n").encode())
    os.close(descriptor)
