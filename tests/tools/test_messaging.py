"""Agents of different graphs talk to each other, once each, in their own name."""

import asyncio

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from scripted import ScriptedChatModel, calls

from cogwork.core.bus import create_bus
from cogwork.core.errors import ToolError
from cogwork.graphs.react import create_react_agent
from cogwork.tools.base import spec_of
from cogwork.tools.messaging import messaging_tools
from cogwork.tools.taint import reading


@pytest.fixture
async def bus():
    async with create_bus() as bus:
        yield bus


def by_name(mailbox):
    return {tool.name: tool for tool in messaging_tools(mailbox)}


async def test_tools_declare_a_write_that_can_be_repeated_and_takes_no_sender(bus):
    tools = by_name(await bus.join("ada"))
    assert sorted(tools) == ["ask", "broadcast", "colleagues", "receive", "reply", "send"]
    for name, tool in tools.items():
        spec = spec_of(tool)
        assert spec.effect == ("read" if name == "colleagues" else "write")
        assert (spec.idempotent, spec.network, spec.is_untrusted) == (True, False, False)
        assert not {"sender", "mailbox", "key"} & tool.args.keys()


async def test_message_is_read_by_its_recipient_and_answered(bus):
    ada, bob = by_name(await bus.join("ada")), by_name(await bus.join("bob"))
    await ada["send"].ainvoke({"to": "bob", "text": "tea?"})

    read = await bob["receive"].ainvoke({})
    name, said = read.removeprefix("[").split("] ", 1)
    await bob["reply"].ainvoke({"id": f"[{name}]", "text": "yes"})

    assert said == "message from ada: tea?"
    assert await bob["receive"].ainvoke({}) == "No message."
    assert (await ada["receive"].ainvoke({})).endswith("] reply from bob: yes")


async def test_broadcast_and_colleagues_leave_oneself_out(bus):
    ada, bob = by_name(await bus.join("ada")), by_name(await bus.join("bob"))
    assert await ada["broadcast"].ainvoke({"text": "hello"}) == "Sent to 1 colleague."
    assert await ada["colleagues"].ainvoke({}) == "bob: joined"
    assert await ada["receive"].ainvoke({}) == "No message."
    assert (await bob["receive"].ainvoke({})).endswith("message from ada: hello")


async def test_other_bodies_are_shown_as_json(bus):
    ada, bob = await bus.join("ada"), by_name(await bus.join("bob"))
    await ada.send("bob", {"übrig": [1]}, kind="count")
    assert (await bob["receive"].ainvoke({})).endswith('count from ada: {"übrig": [1]}')


async def test_refusals_of_the_bus_are_the_tools(bus):
    ada = by_name(await bus.join("ada"))
    await bus.join("bob")
    with pytest.raises(ToolError, match=r"no agent 'bop' has joined .* did you mean 'bob'"):
        await ada["send"].ainvoke({"to": "bop", "text": "x"})
    with pytest.raises(ToolError, match="'bob' did not answer 'ada' within 0 s"):
        await ada["ask"].ainvoke({"to": "bob", "text": "x", "seconds": -1})
    with pytest.raises(ToolError, match=r"you have read no message \[7\]"):
        await ada["reply"].ainvoke({"id": "7", "text": "x"})


async def test_what_a_tainted_run_sends_taints_the_run_that_reads_it(bus):
    ada, bob = by_name(await bus.join("ada")), by_name(await bus.join("bob"))
    with reading(["web"]):
        await ada["send"].ainvoke({"to": "bob", "text": "x"})
    with reading(()) as found:
        read = await bob["receive"].ainvoke({})
    assert found == {"web"}
    with reading(["mail"]):
        await bob["reply"].ainvoke({"id": read[1:33], "text": "y"})
    with reading(()) as found:
        await ada["receive"].ainvoke({})
    assert found == {"mail"}


def run(agent, how, thread, text="go"):
    config = {"configurable": {"thread_id": thread}}
    said = {"messages": [("user", text)]}
    if how == "sync":
        return asyncio.to_thread(agent.invoke, said, config)
    return agent.ainvoke(said, config)


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_two_agents_of_different_graphs_ask_and_reply(bus, how):
    def answer(messages):
        return calls(("reply", {"id": messages[-1].text[1:33], "text": "4"}), turn=1)

    asker = create_react_agent(
        ScriptedChatModel(script=[calls(("ask", {"to": "bob", "text": "2 + 2?"})), "It is 4."]),
        messaging_tools(await bus.join("ada")),
        checkpointer=InMemorySaver(),
    )
    model = ScriptedChatModel(script=[calls(("receive", {"seconds": 30})), answer, "Done."])
    replier = create_react_agent(
        model, messaging_tools(await bus.join("bob")), checkpointer=InMemorySaver()
    )

    asked, _ = await asyncio.gather(run(asker, how, "1"), run(replier, how, "2"))

    assert asked["messages"][-2].text.endswith("] reply from bob: 4")
    assert model.sent[1][-1].text.endswith("] request from ada: 2 + 2?")


class Died(BaseException):
    """The process ends: nothing that runs after the call is told of it."""


@pytest.mark.parametrize(
    ("name", "args"), [("send", {"to": "bob", "text": "x"}), ("broadcast", {"text": "x"})]
)
async def test_sending_that_was_cut_off_is_repeated_and_sends_once(bus, monkeypatch, name, args):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    dies_after(monkeypatch, ada, name)

    await run_twice(ada, calls((name, args)))

    assert len(await bus.history()) == 1
    assert (await bob.receive(timeout=0)).body == "x"


async def test_receiving_that_was_cut_off_gets_the_same_message_again(bus, monkeypatch):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    for text in ("first", "second"):
        await bob.send("ada", text)
    dies_after(monkeypatch, ada, "receive")

    found = await run_twice(ada, calls(("receive", {})))

    assert found["messages"][-2].text.endswith("from bob: first")
    assert (await ada.receive(timeout=0)).body == "second"


def dies_after(monkeypatch, mailbox, name):
    """Let a mailbox do something once, and the process die before anybody is told."""
    does = getattr(mailbox, name)

    async def do_and_die(*args, **how):
        await does(*args, **how)
        monkeypatch.setattr(mailbox, name, does)
        raise Died

    monkeypatch.setattr(mailbox, name, do_and_die)


async def run_twice(mailbox, call):
    model = ScriptedChatModel(script=[call, "Done."])
    agent = create_react_agent(model, messaging_tools(mailbox), checkpointer=InMemorySaver())
    with pytest.raises(Died):
        await run(agent, "async", "1")
    return await agent.ainvoke(None, {"configurable": {"thread_id": "1"}})
