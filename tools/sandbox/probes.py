"""A sandbox is tried before it is trusted: a program that attempts what it must not reach."""

import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cogwork.tools.sandbox.bubblewrap import Bubblewrap
from cogwork.tools.sandbox.interpreters import environment
from cogwork.tools.sandbox.landlock import Landlock
from cogwork.tools.sandbox.limits import Limits
from cogwork.tools.sandbox.monty import Monty
from cogwork.tools.sandbox.result import Backend, Language, Program, SandboxError

__all__ = ["LADDER", "Finding", "examine", "probe_sandbox"]

LADDER: tuple[Backend, ...] = (Bubblewrap(), Landlock(), Monty())
"""The backends, best first."""

_LIMITS = Limits(seconds=20, cpu_seconds=10)
_SHELL_SETS = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
_ATTEMPTS = """
import json
out = json.loads(TARGETS)
reached = []

def attempt(name, act):
    try:
        act()
    except Exception:
        return
    reached.append(name)

def connect(family, address):
    import socket
    made = socket.socket(family)
    made.settimeout(2)
    made.connect(address)

def write(path):
    with open(path, "w") as file:
        file.write("x")

attempt("network", lambda: connect(2, ("127.0.0.1", out["port"])))
attempt("abstract socket of the host", lambda: connect(1, "\\0" + out["abstract"]))
attempt("socket file of the host", lambda: connect(1, out["socket"]))
attempt("reading outside", lambda: open(out["secret"]).read())
attempt("writing outside", lambda: write(out["written"]))
try:
    import os
    names = sorted(dict(os.environ))
except Exception:
    names = []
write("seen")
print(json.dumps([reached, names]))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of a backend on this machine.

    Args:
        backend: Its name.
        languages: What it can run.
        missing: Why it cannot be had, and what would change that; None if it can.
        breaches: What a program in it could reach, and must not.
    """

    backend: str
    languages: tuple[Language, ...]
    missing: str | None = None
    breaches: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether code may run in it."""
        return self.missing is None and not self.breaches

    def reason(self) -> str:
        """Why not, in one line; empty if it may."""
        if self.breaches:
            return f"{self.backend}: disabled, it lets programs reach: {', '.join(self.breaches)}"
        return f"{self.backend}: {self.missing}" if self.missing else ""


_found: dict[str, Finding] = {}
_looking = threading.Lock()


def probe_sandbox() -> tuple[Finding, ...]:
    """Examine every backend, once in a process; best first."""
    return tuple(_examine_once(backend) for backend in LADDER)


def _examine_once(backend: Backend) -> Finding:
    with _looking:
        if backend.name not in _found:
            _found[backend.name] = examine(backend)
        return _found[backend.name]


def examine(backend: Backend) -> Finding:
    """Let a program attempt what the backend must prevent, and see what it reached.

    What counts is also seen from here: connections that arrived, files that appeared.
    """
    try:
        missing = backend.missing()
        breaches = () if missing else _breaches(backend)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is not to be used
        missing, breaches = f"does not work here: {str(error)[:300]}", ()
    return Finding(backend.name, backend.languages, missing, breaches)


def _breaches(backend: Backend) -> tuple[str, ...]:
    with ExitStack() as stack:
        outside, work = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cogwork-probe-")))
            for _ in range(2)
        )
        targets, arrived = stack.enter_context(_targets(outside))
        code = f"TARGETS = {json.dumps(targets)!r}\n{_ATTEMPTS}"
        result = backend.run(Program("python", code, work), _LIMITS)
        if result.exit_code != 0 or [file.name for file in result.files] != ["seen"]:
            raise SandboxError(result.stderr.strip() or "its programs cannot write files")
        reached, names = json.loads(result.stdout)
        reached += [name for name in ("network", "writing outside") if arrived(name)]
        foreign = set(names) - _SHELL_SETS - environment("", "", _LIMITS).keys()
        reached += [f"the variable {name}" for name in sorted(foreign)]
        return tuple(dict.fromkeys(reached))


@contextmanager
def _targets(outside: Path) -> Iterator[tuple[dict[str, object], "Arrived"]]:
    """Things of the host that anyone on this machine could reach."""
    outside.chmod(0o777)
    (outside / "secret").write_text("secret", encoding="utf-8")
    abstract = f"cogwork-probe-{os.getpid()}-{id(outside)}"
    with ExitStack() as stack:
        places: list[tuple[int, Any]] = [
            (socket.AF_INET, ("127.0.0.1", 0)),
            (socket.AF_UNIX, f"\0{abstract}"),
            (socket.AF_UNIX, str(outside / "socket")),
        ]
        listening = []
        for family, address in places:
            listener = stack.enter_context(socket.socket(family))
            listener.bind(address)
            listener.listen()
            listener.setblocking(False)
            listening.append(listener)
        (outside / "socket").chmod(0o777)
        paths = {name: str(outside / name) for name in ("socket", "secret", "written")}
        targets = {**paths, "port": listening[0].getsockname()[1], "abstract": abstract}
        yield targets, Arrived(outside / "written", tuple(listening))


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the host itself saw of an attempt."""

    written: Path
    listening: tuple[socket.socket, ...]

    def __call__(self, name: str) -> bool:
        """Whether the attempt called `name` arrived."""
        if name == "writing outside":
            return self.written.exists()
        return any(_connected(listener) for listener in self.listening)


def _connected(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True
