"""Which interpreters there are, and what of this machine they need to run."""

import math
import os
import re
import shutil
import sys
from pathlib import Path

from cogwork.tools.sandbox.limits import MIB, Limits
from cogwork.tools.sandbox.result import Language

__all__ = [
    "environment",
    "file_suffix",
    "interpreter",
    "launched",
    "not_found",
    "prefixes",
    "system_paths",
]

_PATH = "/usr/local/bin:/usr/bin:/bin"
_PROGRAMS = {"python": "python3", "javascript": "node", "bash": "bash"}
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_CONFIGURATION = (
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"),
    "/etc/ssl/openssl.cnf",  # node does not start when it may not look
)
_ES_MODULE = re.compile(r"^\s*(?:import\s*[\w*{\"']|export\s)", re.MULTILINE)

# Run inside, as the last thing before the program.
_LAUNCHER = """
{ echo 1000 > /proc/self/oom_score_adj; } 2>/dev/null
ulimit -c 0 -f "$1" -d "$2" -u "$3" -n 256 -i 1024 && ulimit -St "$4" &&
ulimit -Ht "$((1 + $4))" && cd "$5" || exit 125
shift 5; exec "$@"
"""
_ROOM = 256 * MIB  # what an interpreter reserves for threads beyond what it uses


def not_found(*programs: str) -> str | None:
    """Which of the programs are not installed, as a sentence; None if all are."""
    absent = [name for name in programs if shutil.which(name) is None]
    return f"no {' and no '.join(absent)} on this machine" if absent else None


def interpreter(language: Language, *, others: bool = False) -> str | None:
    """The absolute path of the program that runs `language`; None if there is none.

    Python is the one that runs this, with its packages, if it may be read.

    Args:
        language: Of the program.
        others: Whether other users have to be able to read it.
    """
    if language == "python" and sys.executable and os.access(sys.executable, os.X_OK):
        folders = Path(sys.executable).resolve().parents
        if not others or all(folder.stat().st_mode & 0o001 for folder in folders):
            return sys.executable
    name = _PROGRAMS[language]
    found = shutil.which(name, path=_PATH) or shutil.which(name)
    return found and os.path.abspath(found)  # noqa: PTH100 - resolving would leave a venv


def file_suffix(language: Language, code: str) -> str:
    """What the name of the program's file ends with."""
    if language == "javascript":
        return ".mjs" if _ES_MODULE.search(code) else ".cjs"
    return ".py" if language == "python" else ".sh"


def launched(
    command: list[str],
    work: str,
    limits: Limits,
    *,
    processes: int | None,
) -> list[str]:
    """The command that sets the kernel's limits for itself and becomes `command`.

    Args:
        command: A program and its arguments.
        work: The folder to start in.
        limits: What the kernel can hold a single process to.
        processes: How many the user may have; None where they share the user with others.
    """
    numbers = (
        limits.file_bytes // 1024 or 1,
        (limits.memory_bytes + _ROOM) // 1024,
        "hard" if processes is None else processes,
        math.ceil(limits.cpu_seconds),
    )
    bash = shutil.which("bash", path=_PATH) or "/bin/bash"
    before = [bash, "--noprofile", "--norc", "-c", _LAUNCHER, "bash"]
    return [*before, *map(str, numbers), work, *command]


def environment(home: str, executable: str, limits: Limits) -> dict[str, str]:
    """All that a program learns of its surroundings; nothing of the host's own variables."""
    heap = max(64, limits.memory_bytes * 3 // 4 // MIB)
    return {
        "PATH": f"{os.path.dirname(executable)}:{_PATH}",  # noqa: PTH120 - a string is wanted
        "HOME": home,
        "USER": "sandbox",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
        "NODE_OPTIONS": f"--max-old-space-size={heap}",
    }


def system_paths() -> list[str]:
    """What every program needs to read: the system's libraries and programs."""
    return [path for path in ("/usr", *_SYSTEM, *_CONFIGURATION) if Path(path).exists()]


def prefixes(executable: str) -> list[str]:
    """What an interpreter outside /usr needs to read: its programs and its libraries.

    Every link on the way to the interpreter counts, so that a virtual environment comes
    with the Python that it was made from.
    """
    steps = [Path(executable)]
    while steps[-1].is_symlink():
        target = os.path.join(steps[-1].parent, steps[-1].readlink())  # noqa: PTH118
        steps.append(Path(os.path.normpath(target)))
    steps.append(Path(executable).resolve())
    found: dict[str, None] = {}
    for prefix in (step.parent.parent for step in steps):
        if prefix == Path("/") or prefix.is_relative_to("/usr"):
            continue
        parts = (prefix / name for name in ("bin", "lib", "lib64", "pyvenv.cfg"))
        found.update(dict.fromkeys(str(part) for part in parts if part.exists()))
    return list(found)
