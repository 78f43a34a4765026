"""Programs held by bubblewrap: namespaces of their own, a seccomp filter, kernel limits.

Inside there is a read-only system, the interpreter, a private /tmp, and the work folder as
/sandbox; no network, no other process, none of the host's variables. Root gives up its
user number on the way in, because no process limit binds root.
"""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cogwork.tools.sandbox.execution import execute, pipe, standard_input
from cogwork.tools.sandbox.folder import is_root, own_user
from cogwork.tools.sandbox.interpreters import (
    environment,
    launched,
    not_found,
    prefixes,
    system_paths,
)
from cogwork.tools.sandbox.limits import TEMPORARY_BYTES, Limits
from cogwork.tools.sandbox.result import LANGUAGES, CodeResult, Language, Program, SandboxError
from cogwork.tools.sandbox.seccomp import filter_program
from cogwork.tools.sandbox.supervise import Tree

__all__ = ["Bubblewrap"]

_WORK = "/sandbox"
_HOLD = (
    *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
    *("--unshare-cgroup-try", "--die-with-parent", "--new-session", "--hostname", "sandbox"),
)
_IN_MEMORY = ("--perms", "1777", "--size", str(TEMPORARY_BYTES), "--tmpfs")
_ROOT = Path("/")
_FRESH_FOLDERS = (Path("/tmp"), Path("/dev"))  # noqa: S108 - the sandbox's own
_FRESH = ("--proc", "/proc", "--dev", "/dev", *_IN_MEMORY, "/tmp", *_IN_MEMORY, "/dev/shm")  # noqa: S108 - the sandbox's own
_CLOSED = ("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/")
_KEEP = ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
# Bubblewrap ends with whoever started it, but not between its first step and its second: its
# child would wait for ever. So that is done by a shell, which outlives the host to do it: the
# first descriptor tells that the host is gone; the second keeps bubblewrap from dying of a pipe
# that nobody reads. A process that is stopped has no further children.
_GUARD = """
guard=$$ host=$1 news=$2
{
  read -r -u "$host"
  read -r _ _ _ parent _ </proc/self/stat
  [ "$parent" = "$guard" ] || exit
  for child in $(</proc/$guard/task/$guard/children); do
    [ "$child" = "$BASHPID" ] && continue
    kill -STOP $child
    while read -r _ _ state _ </proc/$child/stat && [[ $state == [RSD] ]]; do :; done
    kill -KILL $(</proc/$child/task/$child/children) $child
  done
} >/dev/null 2>&1 &
shift 2; eval '"$@"' "$host<&- $news<&-"; code=$?
kill -KILL $!; exit $code
"""
_GIVE_UP = ("setpriv", "--clear-groups", "--inh-caps=-all")


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """The first choice: the kernel's namespaces hold whatever the program does."""

    name: str = "bubblewrap"
    languages: tuple[Language, ...] = LANGUAGES

    def missing(self) -> str | None:
        """Why it cannot be had here."""
        if absent := not_found("bwrap", "bash", *(["setpriv"] if is_root() else [])):
            return f"{absent}; on Debian and Ubuntu: apt-get install bubblewrap"
        try:
            filter_program()
        except KeyError:
            return f"no seccomp filter is known for the processor {platform.machine()}"
        return None

    def run(self, program: Program, limits: Limits) -> CodeResult:
        """Run a program; see `Backend`."""
        return execute(self.name, _start, program, limits, work=_WORK)


@contextmanager
def _start(
    program: Program, command: list[str], limits: Limits
) -> Iterator[tuple["subprocess.Popen[bytes]", Tree]]:
    user = own_user(program.folder)
    drop = [] if user is None else [*_GIVE_UP, f"--reuid={user}", f"--regid={user}"]
    seen = _seen(program, command[0], as_root=user is not None)
    with pipe() as (host, _), pipe() as (news, told), pipe() as (rules, filled):
        filled.write(filter_program())
        filled.close()
        inner = launched(command, _WORK, limits, processes=limits.processes)
        ends = (str(host.fileno()), str(news.fileno()))
        guard = ("/bin/bash", "--noprofile", "--norc", "-c", _GUARD, "bash", *ends)
        given = ("--info-fd", str(told.fileno()), "--seccomp", str(rules.fileno()))
        with standard_input(program) as stdin:
            process = subprocess.Popen(  # noqa: S603 - the command is put together here
                [
                    *guard,
                    shutil.which("bwrap") or "bwrap",
                    *_HOLD,
                    *seen,
                    *given,
                    "--",
                    *drop,
                    *inner,
                ],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[each.fileno() for each in (host, news, told, rules)],
                env=environment(_WORK, command[0], limits),
                cwd="/",
            )
        for end in (host, told, rules):
            end.close()
        with process:
            yield process, Tree(_first_process(process, news.fileno()), inner=True)


def _first_process(process: "subprocess.Popen[bytes]", news: int) -> int:
    """The process whose end ends all: the first of the sandbox's own namespace."""
    told = b""
    while b"}" not in told and (more := os.read(news, 4096)):
        told += more
    with suppress(ValueError, KeyError):
        return int(json.loads(told)["child-pid"])
    said = process.communicate()[1].decode(errors="replace").strip()
    raise SandboxError(f"bubblewrap could not make a sandbox: {said[:500]}")


def _seen(program: Program, executable: str, *, as_root: bool) -> list[str]:
    """What of this machine the program sees, and where."""
    options: list[str] = list(_KEEP if as_root else ("--unshare-user",))
    options += _FRESH
    for path in map(Path, [*system_paths(), *prefixes(executable)]):
        if path.is_symlink() and path.parent == _ROOT:
            options += ["--symlink", str(path.readlink()), str(path)]
            continue
        for parent in reversed(path.parents):  # bubblewrap would close them to others
            if parent not in (_ROOT, *_FRESH_FOLDERS):
                options += ["--perms", "0755", "--dir", str(parent)]
        options += ["--ro-bind", str(path), str(path)]
    return [*options, "--bind", str(program.folder), _WORK, *_CLOSED]
