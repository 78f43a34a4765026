"""What outlives a bus, what passes between several, and what is said when something is wrong."""

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import threading
import weakref
from functools import partial

import pytest

from cogwork.core.bridge import run_blocking
from cogwork.core.bus import BusError, create_bus


async def test_what_was_sent_is_there_after_a_restart(lasting):
    async with create_bus(lasting) as bus:
        ada = await bus.join("ada")
        await bus.join("bob", subscribe=["news"])
        for number in range(3):
            await ada.send("bob", number, conversation="c")

    async with create_bus(lasting) as bus:
        bob, ada = await bus.join("bob"), await bus.join("ada")
        await ada.publish("news", "n")
        got = []
        while message := await bob.receive(timeout=0):
            assert await bob.ack(message)
            got.append(message.body)
    assert got == [0, 1, 2, "n"]


async def test_receiver_is_woken_by_another_process(open_bus, lasting):
    here, there = open_bus(lasting), open_bus(lasting)
    bob, ada = await here.join("bob"), await there.join("ada")
    waiting = asyncio.create_task(bob.receive())
    serving = asyncio.create_task(ada.receive())
    assert len(await there.members()) == 2

    await ada.send("bob", "hello")

    async with asyncio.timeout(4):  # before it would look by itself
        message = await waiting
        await bob.ack(message)
        asking = asyncio.create_task(bob.ask("ada", "?"))
        await ada.reply(await serving, "!")
        assert (await asking).body == "!"


async def test_sender_is_woken_when_another_process_makes_room(open_bus, lasting):
    here, there = open_bus(lasting, capacity=1), open_bus(lasting)
    ada, bob = await here.join("ada"), await there.join("bob")
    await ada.send("bob", 1)
    waiting = asyncio.create_task(ada.send("bob", 2))
    message = await bob.receive()

    async with asyncio.timeout(4):
        await bob.ack(message)
        await waiting
    assert (await bob.receive()).body == 2


async def test_many_threads_and_loops_share_a_bus(bus):
    async def work(name):
        mailbox = await bus.join(name)
        for number in range(20):
            await mailbox.send(name, number, conversation="c")
        for number in range(20):
            message = await mailbox.receive()
            assert message.body == number
            await mailbox.ack(message)
        return name

    done = []
    threads = [
        threading.Thread(target=lambda name=f"a{n}": done.append(asyncio.run(work(name))))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert sorted(done) == ["a0", "a1", "a2", "a3"]


def test_synchronous_code_goes_through_the_bridge(url):
    with create_bus(url) as bus:
        ada = run_blocking(bus.join, "ada")
        run_blocking(partial(ada.send, "ada", 1, kind="note"))
        message = run_blocking(partial(ada.receive, timeout=1))
        assert (message.body, message.kind) == (1, "note")
        assert run_blocking(ada.ack, message)


async def test_closed_bus_says_so_and_a_waiting_receiver_ends(open_bus, url):
    bus = open_bus(url)
    ada = await bus.join("ada")
    waiting = asyncio.create_task(ada.receive())
    assert len(await bus.members()) == 1
    bus.close()
    bus.close()
    async with asyncio.timeout(4):  # before it would look by itself
        with pytest.raises(BusError, match="was closed; create another"):
            await waiting
    for use in (partial(ada.send, "ada", 1), ada.receive, bus.members):
        with pytest.raises(BusError, match="was closed; create another"):
            await use()


def test_forked_process_is_told_to_make_its_own():
    code = """if True:
        import asyncio, os
        from cogwork.core.bus import BusError, create_bus
        bus = create_bus()
        asyncio.run(bus.join("ada"))
        if os.fork() == 0:
            try:
                asyncio.run(bus.join("bob"))
            except BusError as error:
                os.write(1, str(error).encode())
            os._exit(0)
        os.wait()
        bus.close()
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert ran.stdout == "the message bus was used before a fork; create one in the child"


async def test_forgotten_bus_ends_its_thread(url):
    bus = create_bus(url)
    await bus.join("ada")
    found = weakref.ref(bus)
    threads = [thread for thread in threading.enumerate() if thread.name == "cogwork-bus"]
    del bus
    gc.collect()
    assert found() is None
    for thread in threads:
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()


async def test_connections_that_the_server_cuts_are_made_again(open_bus, bus_url):
    import psycopg

    bus = open_bus(bus_url)
    ada, bob = await bus.join("ada"), await bus.join("bob")
    waiting = asyncio.create_task(bob.receive())
    assert len(await bus.members()) == 2
    for number in range(3):
        with psycopg.connect(bus_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND query LIKE '%%'"
            )
        await ada.send("bob", number)
        message = await waiting
        assert message.body == number
        await bob.ack(message)
        waiting = asyncio.create_task(bob.receive())
    waiting.cancel()


async def test_server_that_never_was_is_named_at_once():
    with pytest.raises(BusError, match=r"database 'd' on '127\.0\.0\.1'.*check that the server"):
        async with create_bus("postgresql://u:secret@127.0.0.1:1/d") as bus:
            await bus.join("ada")


async def test_file_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "text").write_bytes(b"no database " * 1000)
    with sqlite3.connect(tmp_path / "theirs") as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with sqlite3.connect(tmp_path / "newer") as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    (tmp_path / "folder").mkdir()
    for name, said in {
        "text": "not a database; the file is something else",
        "theirs": "schema version 0 of something else",
        "newer": "schema version 99 .* choose another file",
        "folder": "this is a folder; name a file in it",
        "text/below": "the folder cannot be created",
    }.items():
        async with create_bus(f"sqlite:///{tmp_path}/{name}") as bus:
            with pytest.raises(BusError, match=said):
                await bus.join("ada")
    with sqlite3.connect(tmp_path / "theirs") as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    other.close()


def test_full_disk_is_named_and_spares_what_was_sent(tmp_path):
    code = """if True:
        import asyncio, resource, sys
        from cogwork.core.bus import BusError, create_bus
        async def main():
            async with create_bus(sys.argv[1]) as bus:
                ada, done = await bus.join("ada"), 0
                resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
                try:
                    while done < 999:
                        await ada.send("ada", "x" * 10_000, conversation="c")
                        done += 1
                except BusError as error:
                    print(error)
                print(done)
        asyncio.run(main())
    """
    url = f"sqlite:///{tmp_path}/bus.db"
    ran = subprocess.run(
        [sys.executable, "-c", code, url], capture_output=True, text=True, env=os.environ
    )
    assert ran.returncode == 0, ran.stderr
    said, done = ran.stdout.splitlines()
    assert "what was sent before is intact" in said

    async def count():
        async with create_bus(url) as bus:
            await bus.join("ada")
            return (await bus.members())[0].waiting

    assert 0 < int(done) <= asyncio.run(count()) < 999
