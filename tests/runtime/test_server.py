"""LangGraph's own development server, started for real, driven through its SDK."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from langgraph_sdk import get_client

from cogwork.graphs.registry import graphs

ROOT = Path(__file__).parent.parent.parent
OFFLINE = {
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "1",
    "LANGSMITH_TRACING": "false",
}
ASKER = """
from langgraph.types import interrupt
from scripted import ScriptedChatModel, calls
from cogwork.graphs.react import create_react_agent

def confirm(what: str) -> str:
    "Ask a person."
    return interrupt({"confirm": what})

def say(messages):
    if messages[-1].type == "tool":
        return calls(say=f"You said {messages[-1].text}.")
    return calls(("confirm", {"what": messages[-1].text}))

asker = create_react_agent(ScriptedChatModel(script=[say], forever=True), [confirm])
"""

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The repository's `langgraph.json` with one more graph that asks a person."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copy(ROOT / "notebooks" / "data" / "planets.csv", folder)
    (folder / "asker.py").write_text(ASKER)
    config = json.loads((ROOT / "langgraph.json").read_text())
    config["graphs"]["asker"] = "./asker.py:asker"
    (folder / "langgraph.json").write_text(json.dumps(config))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log.txt"
    clean = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("COGWORK_", "OPENAI_", "LANGSMITH_"))
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "langgraph"),
                *("dev", "--no-browser", "--no-reload", "--n-jobs-per-worker", "10"),
                *("--port", str(port)),
            ],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**clean, **OFFLINE, "PYTHONPATH": str(ROOT / "tests" / "support")},
        )
    try:
        yield _ready(f"http://127.0.0.1:{port}", process, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def _ready(url, process, log):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/ok", timeout=2).is_success:
                return url
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{log.read_text()[-5_000:]}")


@pytest.fixture
async def client(server):
    async with get_client(url=server, api_key=None) as connected:
        yield connected


async def test_every_graph_is_an_assistant_with_schemas(client):
    assistants = {a["graph_id"]: a for a in await client.assistants.search(limit=100)}
    assert set(assistants) == {"asker", *graphs.names()}
    for assistant in assistants.values():
        schemas = await client.assistants.get_schemas(assistant["assistant_id"])
        assert "messages" in schemas["input_schema"]["properties"]
        assert "messages" in schemas["state_schema"]["properties"]
    drawn = await client.assistants.get_graph(assistants["react"]["assistant_id"])
    assert {"think", "act", "observe"} <= {node["id"] for node in drawn["nodes"]}


async def test_a_run_streams_its_steps_and_its_words(client):
    thread = await client.threads.create()
    question = "What is the total of the mass_1e24_kg column in planets.csv?"
    updates, words = [], ""
    async for part in client.runs.stream(
        thread["thread_id"],
        "react",
        input={"messages": [{"role": "user", "content": question}]},
        stream_mode=["updates", "messages-tuple"],
    ):
        if part.event == "updates":
            updates += part.data
        elif part.event.startswith("messages"):
            words += part.data[0]["content"] if part.data[0]["type"] == "AIMessageChunk" else ""
    assert updates[:3] == ["think", "act", "observe"]
    assert updates[-1] == "think"
    assert "2666.612" in words


async def test_an_interrupt_is_resumed_with_the_persons_answer(client):
    thread = await client.threads.create()
    ask = {"messages": [{"role": "user", "content": "launch"}]}
    await client.runs.wait(thread["thread_id"], "asker", input=ask)
    state = await client.threads.get_state(thread["thread_id"])
    (question,) = state["tasks"][0]["interrupts"]
    assert question["value"] == {"confirm": "launch"}
    done = await client.runs.wait(thread["thread_id"], "asker", command={"resume": "go"})
    assert done["messages"][-1]["content"] == "You said go."


async def test_history_can_be_read_and_forked(client):
    thread = await client.threads.create()
    for question in ("What is 6 * 7?", "What is 10 - 3?"):
        await client.runs.wait(
            thread["thread_id"],
            "react",
            input={"messages": [{"role": "user", "content": question}]},
        )
    history = await client.threads.get_history(thread["thread_id"], limit=100)
    assert len(history[0]["values"]["messages"]) == 8
    after_first = next(h for h in history if not h["next"] and len(h["values"]["messages"]) == 4)
    forked = await client.runs.wait(
        thread["thread_id"],
        "react",
        input={"messages": [{"role": "user", "content": "What is 1 + 1?"}]},
        checkpoint=after_first["checkpoint"],
    )
    said = [m["content"] for m in forked["messages"]]
    assert len(said) == 8
    assert said[4] == "What is 1 + 1?"
    assert "2" in said[-1]
