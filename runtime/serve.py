"""`cogwork serve`: LangGraph's own server on this machine, with every graph, offline."""

import json
import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from cogwork.core.errors import ConfigurationError

__all__ = ["serve_command", "server_config"]

_QUIET = {
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "1",
    "LANGSMITH_TRACING": "false",
}


def serve_command(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Where it listens.")] = 2024,
    host: Annotated[
        str, typer.Option(help="Who may ask: this machine alone, or 0.0.0.0 for all.")
    ] = "127.0.0.1",
    config: Annotated[
        Path | None,
        typer.Option(
            help="The server's langgraph.json.",
            show_default="langgraph.json of this folder, else every graph",
        ),
    ] = None,
) -> None:
    """Serve graphs with LangGraph's development server, until Ctrl-C."""
    if find_spec("langgraph_cli") is None:
        raise ConfigurationError("the server needs the extra: pip install 'cogwork[serve]'")
    chosen = _config(config)
    _require_free(host, port)
    command = [
        *(sys.executable, "-m", "langgraph_cli", "dev", "--config", str(chosen)),
        *("--host", host, "--port", str(port), "--no-browser", "--no-reload"),
        *("--n-jobs-per-worker", "10"),
    ]
    sys.stdout.flush()
    os.execve(command[0], command, {**os.environ, **_QUIET})  # noqa: S606 - so that signals reach the server


def _config(given: Path | None) -> Path:
    """The file that is given, or is here, or is written here to serve every graph."""
    chosen = given or Path("langgraph.json")
    if chosen.is_file():
        _require_graphs(chosen)
        return chosen
    if given is not None:
        raise ConfigurationError(f"there is no file '{given}'; name a langgraph.json")
    written = Path(".cogwork", "langgraph.json")
    try:
        written.parent.mkdir(exist_ok=True)
        written.write_text(json.dumps(server_config(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {written}: {error.strerror}; serve from a folder of your own"
        ) from error
    return written


def _require_graphs(path: Path) -> None:
    """Refuse what LangGraph's server would end at with a stack trace."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"'{path}' cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"'{path}' is no JSON: {error}; name a langgraph.json") from error
    if not isinstance(said, dict) or not said.get("graphs"):
        raise ConfigurationError(f"'{path}' has no 'graphs'; name a langgraph.json")


def _require_free(host: str, port: int) -> None:
    try:
        (family, *_), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        socket.create_server((host, port), family=family).close()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"nothing can listen on {host}, port {port}: {why}; choose another --host or --port"
        ) from error


def server_config() -> dict[str, Any]:
    """Return what `langgraph.json` says to serve every graph with our threads and memories."""
    from cogwork.graphs.registry import graphs

    place = "cogwork.runtime.server"
    return {
        "dependencies": ["."],
        "graphs": {
            entry.name: {"path": f"{place}:{entry.name}", "description": entry.description}
            for entry in graphs
        },
        "checkpointer": {"path": f"{place}.checkpointer"},
        "store": {"path": f"{place}.store"},
    }
