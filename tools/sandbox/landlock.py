"""Programs held by Landlock and seccomp, through sandlock, where namespaces are blocked.

Landlock says which files a process and its children may open; sandlock's filter refuses
the network, signals to others and risky system calls.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import Popen

from cogwork.tools.sandbox.between import started_between
from cogwork.tools.sandbox.execution import execute
from cogwork.tools.sandbox.folder import is_root, own_user
from cogwork.tools.sandbox.interpreters import (
    environment,
    launched,
    not_found,
    prefixes,
    system_paths,
)
from cogwork.tools.sandbox.limits import Limits
from cogwork.tools.sandbox.result import LANGUAGES, CodeResult, Language, Program
from cogwork.tools.sandbox.supervise import Tree

__all__ = ["Landlock"]

_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_REFUSED = (  # beyond what sandlock refuses by itself
    *("memfd_create", "memfd_secret", "process_madvise", "pidfd_getfd", "kcmp", "open_tree"),
    *("fsconfig", "mount_setattr", "clock_settime", "adjtimex", "clock_adjtime"),
    *("modify_ldt", "vmsplice", "move_pages", "migrate_pages"),
)


@dataclass(frozen=True, slots=True)
class Landlock:
    """The second choice: no namespace, but no file, socket or process within reach."""

    name: str = "sandlock"
    languages: tuple[Language, ...] = LANGUAGES

    def missing(self) -> str | None:
        """Why it cannot be had here."""
        if importlib.util.find_spec("sandlock") is None:
            return "not installed; pip install 'cogwork[sandbox]'"
        return not_found("bash", *(["setpriv"] if is_root() else [])) or _too_old()

    def run(self, program: Program, limits: Limits) -> CodeResult:
        """Run a program; see `Backend`."""
        return execute(self.name, _start, program, limits, others=is_root())


def _too_old() -> str | None:
    import sandlock  # type: ignore[import-untyped] # it has no types

    found, needed = sandlock.landlock_abi_version(), sandlock.min_landlock_abi()
    if found < needed:
        return f"the kernel's Landlock has version {found}; version {needed} is in Linux 6.12"
    return None


@contextmanager
def _start(
    program: Program, command: list[str], limits: Limits
) -> Iterator[tuple["Popen[bytes]", Tree]]:
    user = own_user(program.folder)
    work = str(program.folder)
    inner = launched(command, work, limits, processes=None if user is None else limits.processes)
    if user is not None:
        number = [f"--reuid={user}", f"--regid={user}"]
        inner = ["setpriv", *number, "--clear-groups", "--inh-caps=-all", *inner]
    held = {
        "fs_readable": [*system_paths(), *prefixes(command[0]), *_DEVICES],
        "fs_writable": [work, "/dev/null"],
        "extra_deny_syscalls": _REFUSED,
        "max_processes": limits.processes,
    }
    variables = {**environment(work, command[0], limits), "TMPDIR": work}
    with started_between(program, inner, variables, held=held) as started:
        yield started
