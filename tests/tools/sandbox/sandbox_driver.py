"""A host of sandboxes in a process of its own: runs what standard input orders, as a user.

It is started with a secret in its variables and arguments, so that programs can look for it,
and can be killed, so that one can look for what it leaves behind.
"""

import ctypes
import dataclasses
import errno
import json
import os
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydantic_monty  # noqa: F401 - it has to be there when root is given up
import sandlock  # noqa: F401 - likewise

from cogwork.tools.sandbox import seccomp
from cogwork.tools.sandbox.bubblewrap import Bubblewrap
from cogwork.tools.sandbox.choose import choose
from cogwork.tools.sandbox.host import UnsafeHost
from cogwork.tools.sandbox.landlock import Landlock
from cogwork.tools.sandbox.limits import Limits
from cogwork.tools.sandbox.monty import Monty
from cogwork.tools.sandbox.result import CodeResult, Program, SandboxError

BACKENDS = {backend.name: backend for backend in (Bubblewrap(), Landlock(), Monty(), UnsafeHost())}


def become(user: int) -> None:
    """Give up root for good; a Python in root's own folder can import nothing from then on."""
    sysconfig.get_config_vars()
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # be as open to debugging as any program of the user


class Instructions(ctypes.Structure):
    """A filter as the kernel takes it."""

    _fields_ = (("count", ctypes.c_ushort), ("first", ctypes.c_char_p))


def refuse(calls: list[int]) -> None:
    """Have the kernel refuse this process and its children new namespaces, and these calls."""
    column = seccomp._ARCHITECTURES[os.uname().machine][1]
    parts = [seccomp._instruction(seccomp._LOAD, seccomp._NUMBER)]
    for number in (seccomp._REFUSED["unshare"][column], *calls):
        parts += seccomp._if_called(number, [seccomp._refuse(errno.EPERM)])
    parts += seccomp._if_called(435, [seccomp._refuse(errno.ENOSYS)])
    numbers, index, tests = seccomp._REFUSED_ARGUMENTS["clone"]
    parts += seccomp._if_called(numbers[column], [seccomp._argument(index), *tests])
    program = b"".join([*parts, seccomp._instruction(seccomp._RETURN, seccomp._ALLOW)])
    libc, filled = ctypes.CDLL(None), Instructions(len(program) // 8, program)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, ctypes.byref(filled)) == 0  # PR_SET_SECCOMP


def perform(task: dict) -> dict:
    program = Program(task["language"], task["code"], Path(task["folder"]), task.get("stdin", ""))
    try:
        chosen = task["backend"] == "best"
        backend = choose(task["language"]) if chosen else BACKENDS[task["backend"]]
        result: CodeResult = backend.run(program, Limits(**task.get("limits", {})))
    except SandboxError as error:
        return {"error": str(error)}
    return dataclasses.asdict(result)


def main() -> None:
    order = json.load(sys.stdin)
    if order["user"] is not None:
        become(order["user"])
    if order["refused"] is not None:
        refuse(order["refused"])
    with ThreadPoolExecutor(6) as pool:
        sys.stdout.write(json.dumps(list(pool.map(perform, order["tasks"]))))


main()
