"""What a person types, as the answer to the question that a thread waits with."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.types import Command, Interrupt

from cogwork.tools.approval import DECISIONS

__all__ = ["answer_to", "told"]


def answer_to(text: str, open_questions: Sequence[Interrupt]) -> Command[Any]:
    """Return the command that answers the first open question.

    Args:
        text: JSON, or a word. A decision about a call may bring a message: `reject: not now`.
            JSON with the ids of the interrupts as keys answers each of them.
        open_questions: What the thread waits with, at least one.
    """
    given = _parsed(text)
    if isinstance(given, Mapping) and given.keys() <= {each.id for each in open_questions}:
        return Command(resume=dict(given))
    first = open_questions[0]
    digest = first.value.get("digest") if isinstance(first.value, Mapping) else None
    if digest is None:
        return Command(resume={first.id: given})
    decision = given if isinstance(given, Mapping) else _decision(str(given))
    return Command(resume={first.id: {**decision, "digest": digest}})


def told(question: Any) -> str:
    """Return a question as a person reads it."""
    if not isinstance(question, Mapping):
        return str(question)
    if "action_requests" in question:
        requests, configs = question["action_requests"], question["review_configs"]
        lines = [
            f"{request.get('description', '')}\n  {request['name']}({_arguments(request['args'])})"
            for request in requests
        ]
        return "\n".join([*lines, f"  answer: {', '.join(configs[0]['allowed_decisions'])}"])
    if isinstance(question.get("questions"), Sequence):
        return "\n".join(
            f"{each['key']}: {told(each['question'])}" for each in question["questions"]
        )
    if question.get("options"):
        said = ": ".join(str(question[key]) for key in ("step", "error") if question.get(key))
        return f"{said}\n  answer: {', '.join(question['options'])}"
    return json.dumps(question, ensure_ascii=False, default=str)


def _parsed(text: str) -> Any:
    try:
        given = json.loads(text)
    except ValueError:
        return text
    return given if isinstance(given, dict | list) else text


def _decision(text: str) -> dict[str, Any]:
    """`word` or `word: message`; anything else is no decision, and is asked about again."""
    word, _, message = text.partition(":")
    if word.strip().lower() not in DECISIONS:
        return {"type": text}
    decided = {"type": word.strip().lower()}
    return {**decided, "message": message.strip()} if message.strip() else decided


def _arguments(args: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r:.200}" for name, value in args.items())
