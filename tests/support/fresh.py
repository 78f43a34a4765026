"""Processes that are new but have cogwork imported already: forks of one that does nothing else.

A command line takes a second or two to import what it needs; a suite of hundreds has better
things to do. `run` is `subprocess.run` for what does not test just that.
"""

import atexit
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

from forks import Forks, forks


def run(
    *args: str, code: str | None = None, env: dict[str, str] | None = None, timeout: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run `cogwork` with arguments, or Python code, in the working folder of the caller."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        job = {
            "args": args,
            "code": code,
            "cwd": str(Path.cwd()),
            "env": {**os.environ, **(env or {})},
        }
        server = _server()
        pid = server.start({**job, "out": str(out), "err": str(err)})
        patience = threading.Timer(timeout, os.kill, (pid, signal.SIGKILL))
        patience.start()
        code_of_exit = os.waitstatus_to_exitcode(server.end())
        patience.cancel()
        return subprocess.CompletedProcess(
            args, code_of_exit, out.read_text("utf-8"), err.read_text("utf-8")
        )


_servers: dict[int, Forks] = {}


def _server() -> Forks:
    """The server of this process, started when first needed and gone with it."""
    if os.getpid() not in _servers:
        manager = forks("fresh_child.py")
        _servers[os.getpid()] = manager.__enter__()
        atexit.register(manager.__exit__, None, None, None)
    return _servers[os.getpid()]


def become(job: dict[str, Any]) -> None:
    """Turn this fork into the process that was asked for, and end with its exit code."""
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)
        for number, mode in enumerate("rww")
    )
    _end(_exit_code(job))


def _exit_code(job: dict[str, Any]) -> int:
    try:
        if job["code"] is None:
            from cogwork.runtime.cli import main

            sys.argv = ["cogwork", *job["args"]]
            main()
        warnings.simplefilter("error")
        script = Path(job["out"]).with_name("script.py")
        script.write_text(job["code"], "utf-8")
        sys.argv = [str(script), *job["args"]]
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - as Python ends
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        return 1
    return 0


def _end(code: int) -> None:
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
