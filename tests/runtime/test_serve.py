"""`cogwork serve` as people meet it."""

import json
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


@pytest.mark.slow
def test_every_graph_is_served_from_an_empty_folder(tmp_path):
    command = [str(Path(sys.executable).parent / "cogwork"), "serve"]
    with running(tmp_path, command) as url, get_sync_client(url=url, api_key=None) as client:
        found = {each["graph_id"] for each in client.assistants.search(limit=100)}
        assert found == set(graphs.names())
        question = {"messages": [{"role": "user", "content": "What is 6 * 7?"}]}
        done = client.runs.wait(None, "react", input=question)
    assert "42" in done["messages"][-1]["content"]
