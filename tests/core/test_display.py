"""Notebooks show graphs without a connection, tried in a real IPython."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.func import entrypoint
from langgraph.graph import START, StateGraph
from scripted import ScriptedChatModel
from typing_extensions import TypedDict

from cogwork.core.display import enable_notebook_pictures
from cogwork.core.topology import to_ascii, to_svg


class State(TypedDict):
    n: int


def plain_graph() -> Any:
    return StateGraph(State).add_node("think", lambda s: s).add_edge(START, "think").compile()


def functional_graph() -> Any:
    @entrypoint()
    def answer(question: str) -> str:
        return question

    return answer


GRAPHS = {
    "ours": plain_graph,
    "create_agent": lambda: create_agent(ScriptedChatModel(script=[])),
    "entrypoint": functional_graph,
    "description": lambda: plain_graph().get_graph(xray=True),
}


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    quiet = Config({"HistoryManager": {"enabled": False}})
    yield InteractiveShell.instance(config=quiet)
    InteractiveShell.clear_instance()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to look up a host or to open a socket; all of them fail."""
    attempts: list[Any] = []

    def refuse(*args: Any, **kwargs: Any) -> Any:
        attempts.append(args)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "__init__", refuse)
    return attempts


@pytest.mark.parametrize("kind", GRAPHS)
def test_graph_shows_itself_as_svg_and_text_without_a_connection(
    kind: str, shell: Any, connections: list[Any]
) -> None:
    graph = GRAPHS[kind]()
    assert enable_notebook_pictures()
    shown, _ = shell.display_formatter.format(graph)
    assert shown == {"image/svg+xml": to_svg(graph), "text/plain": to_ascii(graph)}
    assert connections == []


def test_langgraph_alone_would_ask_a_web_service(shell: Any, connections: list[Any]) -> None:
    shown, _ = shell.display_formatter.format(plain_graph())
    assert connections
    assert "image/svg+xml" not in shown


def test_second_call_changes_nothing(shell: Any) -> None:
    assert enable_notebook_pictures()
    before = dict(shell.display_formatter.mimebundle_formatter.type_printers)
    assert enable_notebook_pictures()
    assert shell.display_formatter.mimebundle_formatter.type_printers == before


def test_cell_that_ends_with_a_graph_displays_it(shell: Any, capsys: Any) -> None:
    enable_notebook_pictures()
    shell.user_ns["graph"] = plain_graph()
    shell.run_cell("graph")
    assert "START ──▶ think" in capsys.readouterr().out


def test_without_a_running_ipython_nothing_happens_and_nothing_is_imported() -> None:
    script = (
        "import sys\n"
        "from cogwork.core.display import enable_notebook_pictures\n"
        "assert not enable_notebook_pictures()\n"
        "assert not {'IPython', 'langgraph', 'langchain_core'} & set(sys.modules)\n"
        "import IPython\n"
        "assert not enable_notebook_pictures()"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
