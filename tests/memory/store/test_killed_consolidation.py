"""A consolidation that is killed loses no memory, and leaves indexes equal to records."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from letters import LetterEmbeddings

from cogwork.memory import SemanticMemory
from cogwork.memory.store import ChromaStore

CHILD = Path(__file__).parents[2] / "support" / "store_child.py"


def killed(process, folder, seed):
    """Kill a process while it consolidates; return the lines it said."""
    process.stdin.write(f"{folder} {seed} consolidate\n")
    victim = int(process.stdout.readline())
    said, passes = [], random.randint(1, 3)
    while passes:
        said.append(process.stdout.readline().strip())
        passes -= said[-1] == "pass"
    time.sleep(random.uniform(0, 0.03))
    os.kill(victim, signal.SIGKILL)
    return [*said, *map(str.strip, iter(process.stdout.readline, "ended\n"))]


async def check(store, acknowledged):
    """Every text is a memory, in one that it was merged into, or in a report that gives it back."""
    memory = SemanticMemory(store, ("crash",))
    place = ("crash", "semantic")
    memories = await memory.everything()
    present = {each.text for each in memories}
    merged = {source["text"] for each in memories for source in each.provenance}
    reports = store.search((*place, "reports"), limit=9999)
    kept = {gone["text"] for report in reports for gone in report.value["removed"]}
    assert acknowledged <= present | merged
    assert merged <= kept
    facts = {item.key for item in store.search((*place, "facts"), limit=9999)}
    assert facts == {item.key for item in store.search((*place, "usage"), limit=9999)}
    assert store.get((*place, "notes"), "count").value["value"] == len(facts)
    for found in (
        store.search((*place, "facts"), query="lamp", limit=9999),
        store.search_text((*place, "facts"), "lamp", limit=9999),
    ):
        assert {item.key for item in found} == facts
    assert store.stats().vectors == len(facts)


@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=pytest.mark.slow)])
async def test_kills_during_consolidation_lose_no_memory(tmp_path, kills):
    random.seed(0)
    acknowledged, interrupted = set(), 0
    with subprocess.Popen(
        [sys.executable, CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        for seed in range(1, kills + 1):
            said = killed(process, tmp_path / "s", seed)
            interrupted += said[-1] in ("pass", "undo")
            acknowledged |= {line.removeprefix("done ") for line in said if line[:5] == "done "}
            with ChromaStore(
                tmp_path / "s", embeddings=LetterEmbeddings(), fields=["text"]
            ) as store:
                await check(store, acknowledged)
        process.stdin.close()
    assert interrupted > kills / 10
    with ChromaStore(tmp_path / "s", embeddings=LetterEmbeddings(), fields=["text"]) as store:
        await SemanticMemory(store, ("crash",), near=0.8).consolidate()
        await check(store, acknowledged)
