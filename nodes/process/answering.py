"""What instances of processes wait for, and how it is answered.

    for item in inbox(graph.get_state(config)):
        print(item.step, item.role, item.question, item.due)
    graph.invoke(reply(graph.get_state(config), "approve", {"type": "approve", "by": "mia"}), config)

Nothing runs while an instance waits. Whoever has a clock (cron, a timer, a worker) asks `due` now
and then, and resumes the instance with what it returns.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langgraph.types import Command, StateSnapshot

from cogwork.core.errors import ConfigurationError
from cogwork.core.registry import nearest
from cogwork.nodes.process.asking import TICK

__all__ = ["Item", "due", "inbox", "reply"]


@dataclass(frozen=True, slots=True)
class Item:
    """Something that an instance waits for.

    Args:
        id: Of the interrupt.
        step: Which step waits.
        kind: `approval`, `event`, `time`, or `question`: of a failed step, or of an agent.
        role: Who may answer; None for anyone.
        question: What is asked, in words.
        due: When the next deadline is, in seconds since the epoch; None for never.
        trouble: Why the last answer did not count.
        value: All that the interrupt holds.
    """

    id: str
    step: str
    kind: str
    role: str | None
    question: str
    due: float | None
    trouble: str
    value: Mapping[str, Any]


def inbox(snapshot: StateSnapshot) -> list[Item]:
    """Return what an instance waits for.

    Args:
        snapshot: Of the instance, from `graph.get_state(config)`.
    """
    return [
        _item(each.id, each.value)
        for each in snapshot.interrupts
        if isinstance(each.value, Mapping) and "step" in each.value
    ]


def reply(snapshot: StateSnapshot, step: str, answer: Any) -> Command[Any]:
    """Return the command that answers one step of an instance, also where several wait.

    Args:
        snapshot: Of the instance.
        step: The step's id.
        answer: `{"type": "approve", "by": "mia"}`, `{"event": "signed", "by": "eva"}`, …

    Raises:
        ConfigurationError: The step does not wait.
    """
    items = inbox(snapshot)
    found = [item.id for item in items if item.step == step]
    if not found:
        waiting = nearest(step, [item.step for item in items]) if items else "nothing waits"
        raise ConfigurationError(f"step '{step}' waits for nothing; {waiting}")
    return Command(resume={found[0]: answer})


def due(snapshot: StateSnapshot, now: float | None = None) -> Command[Any] | None:
    """Return the command that wakes the steps whose time or deadline has come; None for none.

    Args:
        snapshot: Of the instance.
        now: Seconds since the epoch; the present unless given.
    """
    at = time.time() if now is None else now
    late = [item.id for item in inbox(snapshot) if item.due is not None and item.due <= at]
    return Command(resume=dict.fromkeys(late, TICK)) if late else None


def _item(key: str, value: Mapping[str, Any]) -> Item:
    actions = value.get("action_requests")
    kind = "approval" if actions else str(value.get("type"))
    return Item(
        id=key,
        step=str(value["step"]),
        kind=kind if kind in ("approval", "event", "time") else "question",
        role=value.get("role"),
        question=actions[0]["description"] if actions else _words(kind, value),
        due=value.get("expires_at"),
        trouble=str(value.get("trouble") or ""),
        value=value,
    )


def _words(kind: str, value: Mapping[str, Any]) -> str:
    if kind == "event":
        return f"waits for '{value['event']}'"
    if kind == "time":
        return f"waits until {datetime.fromisoformat(value['until']):%Y-%m-%d %H:%M} UTC"
    return str(value.get("error") or value.get("question"))
