"""What steps of a plan gave, as messages: calls and their results, which every model knows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from cogwork.nodes.plan import Step, StepResult
from cogwork.tools.taint import label_of

__all__ = ["transcript"]


def transcript(steps: Sequence[Step], results: Mapping[str, StepResult]) -> list[AnyMessage]:
    """Return the steps that ended, each as a call with its result; those that failed say why.

    Args:
        steps: In the order in which they are to be told.
        results: How they went, by id.
    """
    ended = [step for step in steps if step.id in results]
    if not ended:
        return []
    calls = [
        {
            "name": _name(step),
            "args": step.args if step.tool else {"description": step.description},
            "id": f"step-{step.id}",
            "type": "tool_call",
        }
        for step in ended
    ]
    told = [
        ToolMessage(
            _text(results[step.id]),
            name=_name(step),
            tool_call_id=f"step-{step.id}",
            status="success" if results[step.id].status == "completed" else "error",
            response_metadata=_label(results[step.id]),
        )
        for step in ended
    ]
    return [AIMessage("", tool_calls=calls), *told]


def _label(result: StepResult) -> dict[str, Any]:
    return {} if result.taint is None else label_of(result.taint)


def _name(step: Step) -> str:
    return step.tool or "task"


def _text(result: StepResult) -> str:
    if result.status != "completed":
        return f"Error: {result.status}: {result.error}"
    value: Any = result.result
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        return str(value)
