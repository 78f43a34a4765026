"""`cogwork serve` as people meet it."""

import json
import socket
import sys
from pathlib import Path

import fresh
import pytest
from langgraph_sdk import get_sync_client
from served import ROOT, running

from cogwork.graphs.registry import graphs
from cogwork.runtime.serve import server_config


def test_what_is_served_is_what_the_repository_says():
    said = json.loads((ROOT / "langgraph.json").read_text())
    assert server_config().items() <= said.items()


def test_a_config_that_is_not_there_is_named():
    done = fresh.run("serve", "--config", "absent.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no file 'absent.json'" in done.stderr


@pytest.mark.parametrize(
    ("text", "fault"),
    [("a: [", "is no JSON"), ("[]", "has no 'graphs'"), ('{"graphs": {}}', "has no 'graphs'")],
)
def test_a_config_that_is_none_is_named(tmp_path, text, fault):
    (tmp_path / "langgraph.json").write_text(text)
    done = fresh.run("serve")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"'langgraph.json' {fault}" in done.stderr


def test_a_place_where_nothing_can_listen_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = fresh.run("serve", "--port", str(port))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"nothing can listen on 127.0.0.1, port {port}: " in done.stderr
    nowhere = fresh.run("serve", "--host", "no host")
    assert (nowhere.returncode, nowhere.stdout) == (2, "")
    assert "nothing can listen on no host, port 2024: " in nowhere.stderr


@pytest.mark.slow
def test_every_graph_is_served_from_an_empty_folder(tmp_path):
    command = [str(Path(sys.executable).parent / "cogwork"), "serve"]
    with running(tmp_path, command) as url, get_sync_client(url=url, api_key=None) as client:
        found = {each["graph_id"] for each in client.assistants.search(limit=100)}
        assert found == set(graphs.names())
        question = {"messages": [{"role": "user", "content": "What is 6 * 7?"}]}
        done = client.runs.wait(None, "react", input=question)
    assert "42" in done["messages"][-1]["content"]
