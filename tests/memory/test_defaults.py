"""The limits that the documentation states are those that hold unless told otherwise."""

from inspect import signature

import pytest
from embedding import gram_store

from cogwork.memory.episodic import EpisodicMemory
from cogwork.memory.patterns import Patterns
from cogwork.memory.ranking import DAY
from cogwork.memory.semantic import SemanticMemory
from cogwork.memory.working import WorkingLimits


@pytest.mark.parametrize(
    ("what", "name", "stated"),
    [
        (SemanticMemory, "capacity", 10_000),
        (SemanticMemory, "near", 0.95),
        (SemanticMemory.consolidate, "unimportant", 0.2),
        (SemanticMemory.consolidate, "untouched_days", 30),
        (EpisodicMemory, "capacity", 5_000),
        (Patterns, "capacity", 2_000),
        (Patterns, "near", 0.95),
        (WorkingLimits, "capacity", 7),
        (WorkingLimits, "max_tokens", 8_000),
    ],
)
def test_stated_limits_are_the_defaults(what, name, stated):
    assert signature(what).parameters[name].default == stated


@pytest.mark.parametrize(
    ("importance", "days", "is_forgotten"),
    [(0.19, 31, True), (0.19, 29, False), (0.2, 31, False), (0.2, 29, False)],
)
async def test_what_is_below_two_tenths_and_untouched_for_thirty_days_is_forgotten(
    importance, days, is_forgotten
):
    now = 1e9
    memory = SemanticMemory(gram_store(), ("tests", "ada"), clock=lambda: now)
    await memory.remember("a trifle", importance=importance)
    now += days * DAY
    report = await memory.consolidate()
    assert bool(report.forgotten) == is_forgotten
    assert bool(await memory.everything()) != is_forgotten
