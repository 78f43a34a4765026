"""LangGraph's own development server, started for real from the repository's `langgraph.json`."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent.parent
_OFFLINE = {
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "1",
    "LANGSMITH_TRACING": "false",
    "PYTHONPATH": str(ROOT / "tests" / "support"),
}


@contextmanager
def served(folder, *, more_graphs=(), env=(), **config):
    """Serve every graph, and more, from a folder; give the URL."""
    whole = json.loads((ROOT / "langgraph.json").read_text()) | config
    whole["graphs"] |= dict(more_graphs)
    (folder / "langgraph.json").write_text(json.dumps(whole))
    langgraph = str(Path(sys.executable).parent / "langgraph")
    command = [langgraph, "dev", "--no-browser", "--no-reload", "--n-jobs-per-worker", "10"]
    with running(folder, command, env) as url:
        yield url


@contextmanager
def running(folder, command, env=()):
    """Run a command that serves on `--port`; give the URL."""
    port = _free_port()
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**_clean(), **_OFFLINE, **dict(env)},
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, folder / "log.txt")
        yield url
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def _clean():
    ours = ("COGWORK_", "OPENAI_", "LANGSMITH_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(url, process, log):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/ok", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{log.read_text()[-5_000:]}")
