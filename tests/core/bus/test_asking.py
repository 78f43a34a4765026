"""Requests and replies, invitations, and inboxes that are full, over all back ends."""

import asyncio

import pytest

from cogwork.core.bus import (
    Collaboration,
    InboxFullError,
    InvalidMessageError,
    NoReplyError,
    UnknownAgentError,
    answer_invitation,
    create_bus,
    invite,
)


async def doubling(mailbox):
    async for message in mailbox:
        await mailbox.reply(message, message.body * 2)


async def deciding(mailbox, joins):
    message = await mailbox.receive()
    await answer_invitation(mailbox, message, joins=joins)
    return await mailbox.receive()


async def test_request_is_answered_in_its_conversation(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    serving = asyncio.create_task(doubling(bob))

    reply = await ada.ask("bob", 21, conversation="c", priority="high")

    serving.cancel()
    assert (reply.body, reply.kind, reply.conversation) == (42, "reply", "c")
    assert reply.priority == "high"
    assert await ada.receive(timeout=0) is None
    assert [member.waiting for member in await bus.members()] == [0, 0]


async def test_many_requests_at_once_each_get_their_own_reply(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    serving = asyncio.create_task(doubling(bob))

    replies = await asyncio.gather(*(ada.ask("bob", n, conversation=f"{n % 3}") for n in range(30)))

    serving.cancel()
    assert [reply.body for reply in replies] == [2 * n for n in range(30)]


async def test_agents_that_ask_each_other_within_one_conversation_do_not_lock(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob")

    async def answering():
        request = await bob.receive()
        more = await bob.ask("ada", "which?", conversation=request.conversation)
        await bob.reply(request, more.body)

    async def telling():
        request = await ada.receive()
        await ada.reply(request, "blue")

    tasks = [asyncio.create_task(task()) for task in (answering, telling)]
    assert (await ada.ask("bob", "colour?", conversation="c")).body == "blue"
    await asyncio.gather(*tasks)


async def test_reply_that_is_late_is_an_ordinary_message(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    with pytest.raises(NoReplyError, match=r"'bob' did not answer 'ada' within 0\.05 s") as caught:
        await ada.ask("bob", "?", timeout=0.05)
    request = await bob.receive(timeout=0)
    await bob.reply(request, "!")

    late = await ada.receive(timeout=30)

    assert (late.body, late.reply_to) == ("!", caught.value.details["id"])
    assert isinstance(caught.value, TimeoutError)


async def test_reply_to_whoever_died_waiting_is_found_by_its_heir(bus):
    ada, bob, heir = await bus.join("ada"), await bus.join("bob"), await bus.join("ada")
    asking = asyncio.create_task(ada.ask("bob", "?", timeout=60, key="k"))
    request = await bob.receive()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await bob.reply(request, "!")

    assert await heir.receive(timeout=0) is None
    for _ in range(2):
        assert (await heir.ask("bob", "?", key="k")).body == "!"
    assert await bob.receive(timeout=0) is None


async def test_request_is_answered_once_and_acknowledged_with_the_answer(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    await ada.send("bob", "hello")
    message = await bob.receive(lease=0)
    again = await bob.receive(timeout=0)
    assert await bob.reply(message, 1) == await bob.reply(again, 2)
    assert await bob.receive(timeout=0) is None
    assert (await ada.receive(timeout=0)).body == 1
    assert await ada.receive(timeout=0) is None or pytest.fail("a second reply came")


async def test_reply_to_whoever_has_left_is_refused_and_not_acknowledged(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    await ada.send("bob", "hello")
    await bus.leave("ada")
    message = await bob.receive()
    with pytest.raises(UnknownAgentError):
        await bob.reply(message, 1)
    assert await bob.release(message)


async def test_full_inbox_makes_the_sender_wait_and_then_names_itself(open_bus, url):
    bus = open_bus(url, capacity=2)
    ada, bob = await bus.join("ada"), await bus.join("bob")
    for number in range(2):
        await ada.send("bob", number, key=str(number))
    with pytest.raises(InboxFullError, match=r"inbox of 'bob' was full for 0\.02 s, with 2"):
        await ada.send("bob", 9, timeout=0.02)
    await ada.send("bob", 0, key="0", timeout=0)
    waiting = asyncio.create_task(ada.send("bob", 2))
    message = await bob.receive()
    assert not waiting.done()
    await bob.ack(message)
    await waiting
    got = []
    while found := await bob.receive(timeout=0):
        await bob.ack(found)
        got.append(found.body)
    assert got == [1, 2]


async def test_broadcast_reaches_those_with_room_and_names_the_others(open_bus, url):
    bus = open_bus(url, capacity=1)
    ada, _, cy = [await bus.join(name) for name in ("ada", "bob", "cy")]
    await ada.send("bob", "first")

    with pytest.raises(InboxFullError) as caught:
        await ada.broadcast("all", timeout=0.02)

    assert caught.value.details["agents"] == ["bob"]
    assert (await cy.receive(timeout=0)).body == "all"


async def test_reply_and_status_need_no_room(open_bus, url):
    bus = open_bus(url, capacity=1)
    ada, bob = await bus.join("ada", subscribe=["status"]), await bus.join("bob")
    await bob.send("ada", "fills")
    serving = asyncio.create_task(doubling(bob))

    assert (await ada.ask("bob", 1)).body == 2
    await bob.set_status("idle")

    serving.cancel()
    assert [member.waiting for member in await bus.members()] == [1, 0]
    assert (await bus.members())[1].status == "idle"


async def test_at_most_five_are_invited_and_three_join(bus):
    ada = await bus.join("ada")
    names = [f"agent{number}" for number in range(7)]
    boxes = {name: await bus.join(name) for name in names}
    answers = {"agent0": True, "agent1": False, "agent2": True, "agent4": True}
    tasks = [asyncio.create_task(deciding(boxes[name], joins)) for name, joins in answers.items()]

    found = await invite(ada, ["ada", *names, "agent0"], "help")

    news = await asyncio.gather(*tasks)
    assert {*found.joined} == {"agent0", "agent2", "agent4"}
    assert found.turned_away == ()
    assert found.not_invited == ("agent5", "agent6")
    assert {*found.declined, *found.silent} == {"agent1", "agent3"}
    assert [each.body["you"] for each in news] == [True, False, True, True]
    assert {each.conversation for each in news} == {found.conversation}
    assert [box.name for box in boxes.values() if not await box.history()] == ["agent5", "agent6"]


async def test_invitation_ends_with_time_and_with_the_last_answer(bus):
    ada, bob, _ = await bus.join("ada"), await bus.join("bob"), await bus.join("cy")
    deciding_bob = asyncio.create_task(deciding(bob, joins=True))

    found = await invite(ada, ["bob", "cy"], "help", timeout=0.5)

    assert (await deciding_bob).body == {"joined": ["bob"], "you": True}
    assert (found.joined, found.silent) == (("bob",), ("cy",))
    with pytest.raises(UnknownAgentError):
        await invite(ada, ["nobody"], "help")
    assert isinstance(await invite(ada, [], "help"), Collaboration)


async def test_only_an_invitation_can_be_accepted():
    async with create_bus() as bus:
        ada, bob = await bus.join("ada"), await bus.join("bob")
        await ada.send("bob", "x")
        message = await bob.receive()
        with pytest.raises(InvalidMessageError, match="no invitation; answer it by reply"):
            await answer_invitation(bob, message, joins=True)
