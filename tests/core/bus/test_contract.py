"""What every bus owes, in memory, on SQLite and on PostgreSQL: who gets what, and in which order."""

import asyncio

import pytest

from cogwork.core.bridge import run_blocking
from cogwork.core.bus import InvalidMessageError, Message, UnknownAgentError


async def bodies(mailbox, count=100):
    """Bodies of what is waiting, each acknowledged."""
    found = []
    while len(found) < count and (message := await mailbox.receive(timeout=0)):
        assert await mailbox.ack(message)
        found.append(message.body)
    return found


async def test_message_arrives_as_it_was_sent(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    body = {"text": "grüße", "n": [1, 2.5, None, True], "deep": {"a": {}}}
    sent = await ada.send(
        "bob", body, kind="task", conversation="c", priority="high", taint=["web"]
    )

    got = await bob.receive(timeout=0)

    assert got == Message(
        *(sent, "ada", "bob", "task", body, "c", "high"),
        taint=("web",),
        sent_at=got.sent_at,
        attempt=1,
    )
    assert await bob.ack(got)
    assert await bob.receive(timeout=0) is None


async def test_receiver_that_waits_is_woken(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    waiting = asyncio.create_task(bob.receive())
    assert len(await bus.members()) == 2  # it waits by now

    await ada.send("bob", "hello")

    assert (await waiting).body == "hello"


async def test_inbox_is_an_async_iterator(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    for number in range(3):
        await ada.send("bob", number)
    got = []
    async for message in bob:
        await bob.ack(message)
        got.append(message.body)
        if len(got) == 3:
            break
    assert got == [0, 1, 2]


async def test_broadcast_reaches_all_but_its_sender(bus):
    ada, bob, cy = [await bus.join(name) for name in ("ada", "bob", "cy")]

    sent = await ada.broadcast("all")

    assert len(set(sent)) == 2
    assert [await bodies(each) for each in (ada, bob, cy)] == [[], ["all"], ["all"]]


async def test_what_is_published_reaches_subscribers_of_its_kind_but_not_its_sender(bus):
    ada = await bus.join("ada", subscribe=["news", "alarm"])
    bob = await bus.join("bob", subscribe=["news"])
    cy = await bus.join("cy")
    await ada.publish("news", 1)
    await ada.publish("alarm", 2)
    await bob.unsubscribe("news")
    await cy.subscribe("news")
    await ada.publish("news", 3)
    await ada.publish("other", 4)

    assert [await bodies(each) for each in (ada, bob, cy)] == [[], [1], [3]]


async def test_urgent_conversations_come_first_and_each_keeps_its_order(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    await ada.send("bob", "low", priority="low")
    await ada.send("bob", "a1", conversation="a")
    await ada.send("bob", "a2", conversation="a", priority="critical")
    await ada.send("bob", "b1", conversation="b", priority="high")

    assert await bodies(bob) == ["b1", "a1", "a2", "low"]


async def test_next_of_a_conversation_waits_for_the_acknowledgement(bus):
    ada, bob, twin = await bus.join("ada"), await bus.join("bob"), await bus.join("bob")
    for number in range(2):
        await ada.send("bob", number, conversation="a")
    await ada.send("bob", "other")

    first, other = await bob.receive(timeout=0), await twin.receive(timeout=0)
    assert (first.body, other.body) == (0, "other")
    assert await bob.receive(timeout=0) is None
    waiting = asyncio.create_task(twin.receive())
    assert await bob.ack(first)
    assert (await waiting).body == 1


async def test_one_conversation_blocks_only_its_own_recipient(bus):
    ada, bob, cy = [await bus.join(name) for name in ("ada", "bob", "cy")]
    for number in range(2):
        await ada.broadcast(number, conversation="a")

    first = await bob.receive(timeout=0)

    assert first.body == 0
    assert await bodies(cy) == [0, 1]


async def test_unacknowledged_message_is_handed_out_again_when_its_lease_ends(bus):
    ada, bob, twin = await bus.join("ada"), await bus.join("bob"), await bus.join("bob")
    await ada.send("bob", 1, conversation="a")
    await ada.send("bob", 2, conversation="a")

    lost = await bob.receive(lease=0.05)
    again = await twin.receive(timeout=30)

    assert (again.id, lost.attempt, again.attempt) == (lost.id, 1, 2)
    assert not await bob.ack(lost)
    assert not await bob.renew(lost)
    assert await bob.receive(timeout=0) is None
    assert await twin.ack(again)
    assert await twin.ack(again)
    assert await bodies(bob) == [2]


async def test_late_acknowledgement_counts_while_nobody_else_has_the_message(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    await ada.send("bob", 1)
    message = await bob.receive(lease=0)
    assert await bob.ack(message)
    assert await bob.receive(timeout=0) is None


async def test_renewed_message_is_kept_and_a_released_one_comes_back_at_once(bus):
    ada, bob, twin = await bus.join("ada"), await bus.join("bob"), await bus.join("bob")
    await ada.send("bob", 1)
    message = await bob.receive(lease=0)
    assert await bob.renew(message)
    waiting = asyncio.create_task(twin.receive())
    assert await twin.receive(timeout=0) is None
    assert await bob.release(message)
    assert (await waiting).attempt == 2


@pytest.mark.parametrize("steps", range(4))
async def test_cancelled_receiver_leaves_the_message_to_others(bus, steps):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    await ada.send("bob", 1)
    receiving = asyncio.create_task(bob.receive())
    await asyncio.sleep(0)
    run_blocking(bus.members)  # by now the message is taken, and this loop has not been told
    for _ in range(steps):
        await asyncio.sleep(0)

    if receiving.cancel():
        with pytest.raises(asyncio.CancelledError):
            await receiving
    else:
        await bob.release(await receiving)

    assert (await bob.receive(timeout=0)).attempt == 2


async def test_key_sends_once_and_receives_the_same_again(bus):
    ada, bob, cy = [await bus.join(name) for name in ("ada", "bob", "cy")]
    ids = {await ada.send("bob", text, key="k") for text in ("one", "two")}
    await ada.send("bob", "three", key="l")
    await cy.send("bob", "four", key="k")
    assert len(ids) == 1
    assert await ada.broadcast("five", key="b") == await ada.broadcast("six", key="b")

    first, again = [await bob.receive(timeout=0, key="r") for _ in range(2)]

    assert first.body == "one"
    assert again.id == first.id
    assert not await bob.release(first)
    assert await bodies(bob) == ["three", "four", "five"]


async def test_unknown_recipient_is_named_and_offered_a_neighbour(bus):
    ada = await bus.join("ada")
    await bus.join("bob")
    with pytest.raises(UnknownAgentError, match=r"no agent 'bobb' .* did you mean 'bob'"):
        await ada.send("bobb", 1)


async def test_who_has_left_is_unknown_and_finds_its_messages_on_return(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob", subscribe=["news"])
    await ada.send("bob", 1, conversation="a")
    await bus.leave("bob")
    with pytest.raises(UnknownAgentError):
        await ada.send("bob", 2)
    assert await ada.broadcast(3) == await ada.publish("news", 3) == ()
    bob = await bus.join("bob")
    assert [(member.name, member.waiting) for member in await bus.members()] == [
        *[("ada", 0), ("bob", 1)]
    ]
    await ada.send("bob", 4, conversation="a")
    assert await bodies(bob) == [1, 4]


async def test_foreign_message_cannot_be_acknowledged(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob")
    await ada.send("bob", 1)
    message = await bob.receive(timeout=0)
    for use in (ada.ack, ada.renew, ada.release, lambda m: ada.reply(m, 1)):
        with pytest.raises(InvalidMessageError, match="is for 'bob', not for 'ada'"):
            await use(message)


async def test_status_is_listed_and_told_to_subscribers(bus):
    ada, bob = await bus.join("ada"), await bus.join("bob", subscribe=["status"])

    await ada.set_status("busy", {"task": 7})

    [member, _] = await bus.members()
    assert (member.status, member.detail) == ("busy", {"task": 7})
    assert await bodies(bob) == [{"agent": "ada", "status": "busy", "detail": {"task": 7}}]


async def test_history_is_bounded_and_spares_what_is_not_acknowledged(open_bus, url):
    bus = open_bus(url, history=20)
    ada, bob = await bus.join("ada"), await bus.join("bob")
    await bus.join("cy")
    await ada.send("cy", "kept")
    for number in range(100):
        await ada.send("bob", number, conversation="odd" if number % 2 else "even", kind="n")
        assert await bodies(bob) == [number]

    all_of_them = await bus.history(limit=1000)
    assert 21 <= len(all_of_them) <= 24
    assert [message.body for message in await bus.history(limit=3)] == [97, 98, 99]
    assert [message.body for message in await bob.history(conversation="odd", limit=2)] == [97, 99]
    assert [message.body for message in await bus.history(agent="cy")] == ["kept"]
    assert all(message.acked_at for message in await bus.history(kind="n"))
    found = await bob.find(all_of_them[-1].id)
    assert found == all_of_them[-1]
    assert await bob.find("none") is None
