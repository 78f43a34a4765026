"""Pools of threads, processes and coroutines with bounds: on workers, on what waits, on time.

    with ThreadPool(8, queue=100, timeout=30) as pool:
        future = pool.submit(read, path)      # waits while the queue is full
        pages = list(pool.map(read, paths))   # no more under way than there is room for
        page = await pool.run(read, path)     # in async code: the loop is not held up

`executors` and `coroutines` are the pools, `info` what they tell of themselves; behind the
former is `workers`.
"""

from cogwork.core.pools.coroutines import AsyncPool
from cogwork.core.pools.executors import ProcessPool, ThreadPool
from cogwork.core.pools.info import PoolFullError, PoolInfo, PoolMetrics, WorkerLostError

__all__ = [
    "AsyncPool",
    "PoolFullError",
    "PoolInfo",
    "PoolMetrics",
    "ProcessPool",
    "ThreadPool",
    "WorkerLostError",
]
