"""The tool that runs code, in a sandbox."""

import sys
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

from langchain_core.tools import BaseTool

from cogwork.core.errors import ConfigurationError
from cogwork.tools.base import tool
from cogwork.tools.root import CLOSED
from cogwork.tools.sandbox.choose import choose
from cogwork.tools.sandbox.limits import Limits
from cogwork.tools.sandbox.result import Language, Program

__all__ = ["WORK", "make_run_code", "make_run_code_in"]

WORK = "sandbox"
"""The work folder inside a root; it is called so because bubblewrap shows it as `/sandbox`."""

_STARTING = 30.0  # seconds more for a first use, which tries the sandboxes


@dataclass(frozen=True)
class _Work:
    """The work folder, as long as a tool refers to it."""

    folder: Path


def make_run_code(
    folder: str | Path | None = None,
    *,
    limits: Limits | None = None,
    unsafe_host: bool = False,
) -> BaseTool:
    """Return the tool `run_code`, which runs Python, JavaScript and bash in a sandbox.

    Files stay in its work folder from call to call. Run by root, the folder is handed over
    to a user number of its own.

    Args:
        folder: The work folder, an existing one, all of which programs read and write;
            None for a new one that lasts as long as the tool.
        limits: What one call may use; None for the defaults.
        unsafe_host: Run programs on the host, without a sandbox; the tool then declares the
            effect `external`, so that a policy asks before it is called.

    Raises:
        ConfigurationError: There is no such folder, or programs must not have it.
    """
    held = limits or Limits()
    work = _new_folder() if folder is None else _Work(_checked(folder))

    @tool(
        effect="external" if unsafe_host else "write",
        idempotent=False,
        network=unsafe_host,
        timeout=held.seconds + _STARTING,
        parse_docstring=True,
    )
    def run_code(language: Language, code: str, stdin: str = "") -> str:
        """Run a program and return what it printed, its exit code and the files it wrote.

        It has no network, and sees no files but those of its work folder, which is its
        current folder; they stay there for the next call. Print what you want to know.

        Args:
            language: "python", "javascript" (run by node) or "bash".
            code: The whole program.
            stdin: What it reads from standard input.
        """
        backend = choose(language, unsafe_host=unsafe_host)
        return backend.run(Program(language, code, work.folder, stdin), held).text(held)

    return run_code


def make_run_code_in(root: str | Path) -> BaseTool:
    """Return the tool `run_code` with `root/sandbox` as its work folder, which is made.

    Tools for files of the same root share it: what they write there programs read, and what
    programs leave there they read.

    Args:
        root: An existing folder; programs see nothing of it but that one folder.

    Raises:
        ConfigurationError: There is no such root, or programs must not have the folder.
    """
    folder = Path(root).resolve() / WORK
    if folder.is_symlink():  # a root that was downloaded could point it anywhere
        raise ConfigurationError(f"the work folder '{folder}' is a link; make it a folder")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the work folder '{folder}' cannot be made: {error.strerror}; make the root, or "
            "name another one"
        ) from error
    made = make_run_code(folder)
    shared = f"Tools for files find its work folder as '{WORK}/'."
    return made.model_copy(update={"description": f"{made.description}\n\n{shared}"})


def _new_folder() -> _Work:
    temporary = tempfile.TemporaryDirectory(prefix="cogwork-code-")
    work = _Work(Path(temporary.name).resolve())
    weakref.finalize(work, temporary.cleanup)
    return work


def _checked(folder: str | Path) -> Path:
    work = Path(folder).resolve()
    if not work.is_dir():
        raise ConfigurationError(
            f"the work folder '{folder}' is no folder; create it or name another one"
        )
    closed = next((path for name in CLOSED for path in work.glob(name)), None)
    if closed is not None:
        raise ConfigurationError(
            f"the work folder '{folder}' holds '{closed.name}', which programs must not read; "
            "give them a folder of their own, such as 'work'"
        )
    if any(Path(entry).resolve().is_relative_to(work) for entry in sys.path):
        raise ConfigurationError(
            f"this Python imports from the work folder '{folder}', so that programs could plant "
            "modules in it; give them a folder of their own, such as 'work'"
        )
    return work
