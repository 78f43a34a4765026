"""What every benchmark shares: interleaved medians, figures with goals, and how they print."""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured number with its goal: the value must not be above it."""

    name: str
    value: float
    goal: float | None
    rival: str
    unit: str = "ratio"

    @property
    def ok(self) -> bool:
        return self.goal is None or self.value <= self.goal


def options(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first look")
    parser.add_argument(
        "--json", action="store_true", help="one JSON line a figure; exit 1 on a missed goal"
    )
    return parser.parse_args()


def interleaved(runs: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each run, taken in turns so that a noisy moment hits all."""
    for run in runs.values():
        run()
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            started = time.process_time()
            run()
            spent[name].append(time.process_time() - started)
    return {name: statistics.median(times) for name, times in spent.items()}


async def interleaved_async(
    runs: Mapping[str, Callable[[], Awaitable[Any]]], rounds: int
) -> dict[str, float]:
    """The same for coroutines, on the caller's loop."""
    for run in runs.values():
        await run()
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            started = time.process_time()
            await run()
            spent[name].append(time.process_time() - started)
    return {name: statistics.median(times) for name, times in spent.items()}


def report(figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print the figures; with `as_json`, exit 1 when a goal is missed."""
    for figure in figures:
        if as_json:
            print(json.dumps({**asdict(figure), "value": round(figure.value, 4), "ok": figure.ok}))
            continue
        goal = f"at most {figure.goal:g}" if figure.goal is not None else "for information"
        mark = "ok" if figure.ok else "MISSED"
        print(
            f"{figure.name:<58} {figure.value:8.3f} {figure.unit:<6} {goal:<16} {mark:<7} vs {figure.rival}"
        )
    if as_json and not all(figure.ok for figure in figures):
        sys.exit(1)
