"""LangGraph's own development server, started for real, driven through its SDK."""

import shutil
import uuid

import httpx
import pytest
from langgraph_sdk import get_client
from served import ROOT, served

from cogwork.graphs.registry import graphs

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

model = ScriptedChatModel(script=[say], forever=True)
asker = create_react_agent(model, [confirm], name="asker")
"""

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The repository's `langgraph.json` with one more graph that asks a person."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copy(ROOT / "notebooks" / "data" / "planets.csv", folder)
    (folder / "asker.py").write_text(ASKER)
    with served(folder, more_graphs={"asker": "./asker.py:asker"}) as url:
        yield url


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


@pytest.mark.parametrize("name", graphs.names())
async def test_every_graph_answers(client, name):
    done = await client.runs.wait(
        None,
        name,
        input={"messages": [{"role": "user", "content": "What is 6 * 7?"}]},
        context={"user_id": "ada"} if name == "assistant" else None,
    )
    # Research says what documents say, and the server has none.
    expected = "There is no source to search" if name == "research" else "42"
    assert expected in str(done["messages"][-1]["content"])


async def test_an_assistant_is_configured_by_its_context(client):
    brief = await client.assistants.create(
        "react", name="brief", context={"tools": ["calculator"], "max_steps": 2}
    )
    question = {"messages": [{"role": "user", "content": "Which files are there?"}]}
    done = await client.runs.wait(None, brief["assistant_id"], input=question)
    assert not any(message.get("tool_calls") for message in done["messages"])
    done = await client.runs.wait(None, "react", input=question)
    assert any(message.get("tool_calls") for message in done["messages"])
    schemas = await client.assistants.get_schemas(brief["assistant_id"])
    assert set(schemas["context_schema"]["properties"]) == {"model", "tools", "prompt", "max_steps"}


@pytest.mark.parametrize(
    "context", [{"model": "openai:gpt-5.5"}, {"tools": ["run_code"]}, {"max_steps": 99}, {"x": 1}]
)
async def test_an_assistant_cannot_have_more_than_the_settings_allow(client, context):
    greedy = await client.assistants.create("react", name="greedy", context=context)
    question = {"messages": [{"role": "user", "content": "What is 6 * 7?"}]}
    with pytest.raises(Exception, match="ConfigurationError"):
        await client.runs.wait(None, greedy["assistant_id"], input=question)
    await client.assistants.delete(greedy["assistant_id"])


async def test_the_store_is_ours_and_searches_by_meaning(client):
    await client.store.put_item(("facts",), "a", {"text": "Backups run every night at two"})
    await client.store.put_item(("facts",), "b", {"text": "The printer needs blue toner"})
    found = await client.store.search_items(("facts",), query="How often is our data saved?")
    assert [item["key"] for item in found["items"]] == ["a", "b"]
    assert found["items"][0]["score"] > found["items"][1]["score"]


async def test_graphs_are_tools_of_an_mcp_client(server):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async with (
        streamable_http_client(f"{server}/mcp") as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        named = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert set(graphs.names()) <= set(named)
        assert named["react"].description.startswith("ReAct")
        asked = {"messages": [{"role": "user", "content": "What is 6 * 7?"}]}
        answer = await session.call_tool("react", asked)
    assert not answer.isError
    assert "is 42" in str(answer.content)


async def test_graphs_are_agents_of_an_a2a_client(server, client):
    from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
    from a2a.types import Message, Part, Role, SendMessageRequest, TaskState

    (react,) = await client.assistants.search(graph_id="react", metadata={"created_by": "system"})
    async with httpx.AsyncClient(timeout=60) as http:
        place = f"{server}/a2a/{react['assistant_id']}"
        card = await A2ACardResolver(http, place).get_agent_card()
        assert card.description.startswith("ReAct")
        agent = ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card)
        asked = Message(
            role=Role.ROLE_USER,
            message_id=uuid.uuid4().hex,
            parts=[Part(text="What is 6 * 7?")],
        )
        (answer,) = [each async for each in agent.send_message(SendMessageRequest(message=asked))]
    assert answer.task.status.state == TaskState.TASK_STATE_COMPLETED
    assert "is 42" in str(answer.task.artifacts)
