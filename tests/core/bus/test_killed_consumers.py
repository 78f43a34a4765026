"""Many agents and messages, and consumer processes that are killed at random moments."""

import asyncio
import random
import signal
import sys
from collections import defaultdict
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

CHILD = Path(__file__).parents[2] / "support" / "bus_child.py"


class Line(NamedTuple):
    agent: str
    sender: str
    conversation: str
    number: int
    attempt: int


def names(agents):
    return [f"agent{number}" for number in range(agents)]


def plan(agents, direct):
    """To whom each agent sends, in which conversation, numbered within each."""
    found = []
    for index, name in enumerate(names(agents)):
        steps = []
        for number in range(direct):
            to = f"agent{(index + 1 + number % 3) % agents}"
            steps.append((to, f"{name}-{to}-{number // 3 % 5}", number // 15))
        found.append((name, steps))
    return found


async def send_all(bus, agents, direct):
    """Each agent sends its messages one after the other, and one to all amid them."""

    async def speak(name, steps):
        mailbox = await bus.join(name)
        for place, (to, conversation, number) in enumerate(steps):
            if place == len(steps) // 2:
                await mailbox.broadcast(0, conversation=f"{name}-all")
            await mailbox.send(to, number, conversation=conversation)

    await asyncio.gather(*(speak(*each) for each in plan(agents, direct)))


def expected(agents, direct):
    wanted = defaultdict(list)
    for name, steps in plan(agents, direct):
        for to, conversation, number in steps:
            wanted[to, name, conversation].append(number)
        for other in names(agents):
            if other != name:
                wanted[other, name, f"{name}-all"] = [0]
    return dict(wanted)


def received(lines):
    """Numbers by conversation, in the order in which their last attempts were handed out."""
    last = {(*line[:4],): line.attempt for line in sorted(lines, key=lambda line: line.attempt)}
    found = defaultdict(list)
    for line in lines:
        if last[line[:4]] == line.attempt:
            found[line[:3]].append(line.number)
    return dict(found)


async def all_acknowledged(bus):
    while any(member.waiting for member in await bus.members()):
        await asyncio.sleep(0.02)


@asynccontextmanager
async def consumer(url, notes, agents):
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CHILD), url, str(notes), "2", *names(agents)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert await child.stdout.readline() == b"ready\n"
        yield child
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGKILL)
        await child.wait()


async def kill_and_replace(url, notes, agents, kills):
    """Consumers that live for a random while, of which the last stays."""
    for _ in range(kills):
        async with consumer(url, notes, agents):
            await asyncio.sleep(random.uniform(0, 0.4))
    async with consumer(url, notes, agents):
        await asyncio.Event().wait()


def read_lines(notes):
    split = (line.split() for line in notes.read_text().splitlines())
    return [Line(*words[:3], int(words[3]), int(words[4])) for words in split]


@pytest.mark.parametrize(
    ("agents", "direct", "kills"),
    [(8, 60, 2), pytest.param(50, 151, 12, marks=pytest.mark.slow)],
)
async def test_killed_consumers_lose_nothing_and_keep_the_order(
    open_bus, lasting, tmp_path, agents, direct, kills
):
    notes = tmp_path / "notes"
    bus = open_bus(lasting, history=20_000)
    for name in names(agents):
        await bus.join(name)
    async with asyncio.TaskGroup() as group:
        pairs = [
            group.create_task(kill_and_replace(lasting, notes, agents, kills // 2))
            for _ in range(2)
        ]
        await send_all(bus, agents, direct)
        await all_acknowledged(bus)
        for pair in pairs:
            pair.cancel()

    lines = read_lines(notes)
    assert received(lines) == expected(agents, direct)
    assert all(line.agent != line.sender for line in lines)
    if kills > 10:  # so many do hit messages that were not acknowledged yet
        assert any(line.attempt > 1 for line in lines)


@pytest.mark.parametrize(
    ("agents", "direct"), [(50, 6), pytest.param(50, 151, marks=pytest.mark.slow)]
)
async def test_fifty_agents_lose_and_echo_nothing_and_keep_the_order(open_bus, url, agents, direct):
    bus = open_bus(url, capacity=100)
    lines = []

    async def listen(mailbox):
        async for message in mailbox:
            line = (message.sender, message.conversation, message.body, message.attempt)
            lines.append(Line(mailbox.name, *line))
            await mailbox.ack(message)

    mailboxes = [await bus.join(name) for name in names(agents)]
    listening = [asyncio.create_task(listen(mailbox)) for mailbox in mailboxes]
    await send_all(bus, agents, direct)
    await all_acknowledged(bus)
    for task in listening:
        task.cancel()

    assert received(lines) == expected(agents, direct)
    assert len(lines) == agents * (direct + agents - 1)
    assert all(line.agent != line.sender for line in lines)
