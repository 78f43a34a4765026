"""Turns at a namespace: what reads a record and writes it back must not cross another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary, WeakValueDictionary

__all__ = ["turn"]

_Locks = WeakValueDictionary[tuple[str, ...], asyncio.Lock]
_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Locks] = WeakKeyDictionary()


@asynccontextmanager
async def turn(namespace: tuple[str, ...]) -> AsyncIterator[None]:
    """Wait until no other task of this loop has its turn at the namespace.

    Synchronous callers of `run_blocking` all share one loop, so they take turns with each
    other too. Between loops and processes the store's last write wins.
    """
    locks = _locks.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    lock = locks.setdefault(namespace, asyncio.Lock())
    async with lock:
        yield
