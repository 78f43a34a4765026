"""A process that receives for agents, and notes in a file what it gets before it acknowledges.

`bus_child.py <url> <file> <lease> <agent>…` writes `ready` on its output when it receives.
Each line in the file is `<agent> <sender> <conversation> <number> <attempt>`.
"""

import asyncio
import os
import sys

from cogwork.core.bus import create_bus


async def consume(mailbox, notes):
    async for message in mailbox:
        line = f"{mailbox.name} {message.sender} {message.conversation} {message.body}"
        os.write(notes, f"{line} {message.attempt}\n".encode())
        await mailbox.ack(message)


async def main(url, file, lease, *names):
    notes = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with create_bus(url, lease=float(lease)) as bus:
        mailboxes = [await bus.join(name) for name in names]
        os.write(1, b"ready\n")
        await asyncio.gather(*(consume(mailbox, notes) for mailbox in mailboxes))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
