"""The process that stands between the host and a program that no namespace holds.

It starts the program, inherits the processes that the program abandons, and ends all of
them when the program ends, when it is told to, or when the host is gone.
"""

import ctypes
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cogwork.tools.sandbox.execution import pipe, standard_input
from cogwork.tools.sandbox.result import Program
from cogwork.tools.sandbox.supervise import Tree

__all__ = ["stand_between", "started_between"]

_BETWEEN = "from cogwork.tools.sandbox.between import stand_between as run; run()"
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


@contextmanager
def started_between(
    program: Program,
    command: list[str],
    environment: dict[str, str],
    *,
    held: dict[str, Any] | None,
) -> Iterator[tuple["subprocess.Popen[bytes]", Tree]]:
    """Start a command in the program's folder.

    Args:
        program: Whose work folder and standard input it gets.
        command: What to start.
        environment: All its variables.
        held: What sandlock's sandbox is made of; None for no sandbox.
    """
    with pipe() as (host, _), standard_input(program) as stdin:
        order = {
            "host": host.fileno(),
            "command": command,
            "environment": environment,
            "held": held,
            "work": str(program.folder),
        }
        process = subprocess.Popen(  # noqa: S603 - the command is put together here
            [sys.executable, "-I", "-c", _BETWEEN, json.dumps(order)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(host.fileno(),),
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
            start_new_session=True,
        )
        host.close()
        with process:
            yield process, Tree(process.pid, inner=False)


def stand_between() -> None:
    """Run what the first argument orders, and end with its exit code."""
    order = json.loads(sys.argv[1])
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    threading.Thread(target=_end_with_host, args=(order["host"],), daemon=True).start()
    code = _plain(order) if order["held"] is None else _held(order)
    Tree(os.getpid(), inner=False).kill_members()
    os._exit(code if code >= 0 else 128 - code)


def _plain(order: dict[str, Any]) -> int:
    return subprocess.run(  # noqa: S603 - that it runs here was asked for
        order["command"], env=order["environment"], cwd=order["work"], check=False
    ).returncode


def _held(order: dict[str, Any]) -> int:
    from sandlock import ExitReason, Sandbox  # type: ignore[import-untyped] # it has no types

    sandbox = Sandbox(**order["held"], clean_env=True, env=order["environment"], cwd=order["work"])
    result = sandbox.popen(order["command"]).wait()
    if result.reason == ExitReason.EXITED:
        return int(result.exit_code)
    return -int(result.signal) if result.signal and result.signal > 0 else -9


def _end_with_host(host: int) -> None:
    os.read(host, 1)  # answers when the other end is closed
    Tree(os.getpid(), inner=False).kill()
