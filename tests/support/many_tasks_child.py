"""A runner of many tasks, to be killed; when nothing is left it says what it holds (see `forks`)."""

import asyncio
import gc
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from forks import serve
from tasks_child import graph

from cogwork.runtime.tasks import Runner


def held() -> dict[str, int]:
    """What this process holds that could leak."""
    gc.collect()
    tasks = [each for each in gc.get_objects() if isinstance(each, asyncio.Task)]
    return {
        "tasks": sum(not each.done() for each in tasks),
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - names are wanted
        "processes": len(psutil.Process().children(recursive=True)),
        "threads": threading.active_count(),
    }


def run(job: dict[str, Any]) -> None:
    memory, process = [], psutil.Process()
    before = held()
    with Runner(job["url"], {"work": graph}, max_concurrency=16) as runner:
        while (counts := runner.counts()).keys() & {"pending", "running"}:
            ended = sum(counts.get(state, 0) for state in ("completed", "failed"))
            memory.append((ended, process.memory_info().rss))
            time.sleep(0.05)
    Path(job["report"]).write_text(
        json.dumps({"before": before, "after": held(), "memory": memory})
    )


if __name__ == "__main__":
    serve(run)
