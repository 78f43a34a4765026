"""A model that obeys whatever it reads, for attacks by injected instructions."""

import json
import re
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from scripted import ScriptedChatModel, calls

ORDER = re.compile(r"<do>(.*?)</do>", re.DOTALL)


def do(*turns: list[tuple[str, Mapping[str, Any]]]) -> str:
    """A text that has the model make these calls, each list in a turn of its own."""
    return " ".join(
        f"<do>{json.dumps(turn).replace('<', chr(92) + 'u003c')}</do>" for turn in turns
    )


def _obey(messages: list[BaseMessage]) -> AIMessage:
    """Make the calls of the next order that stands anywhere; without one, repeat what was read."""
    orders = [
        order
        for message in messages
        if message.type != "ai"
        for order in ORDER.findall(str(message.text))
    ]
    obeyed = sum(1 for message in messages if message.type == "ai" and message.tool_calls)
    if obeyed < len(orders):
        wanted = [(name, args) for name, args in json.loads(orders[obeyed])]
        return calls(*wanted, turn=obeyed)
    read = [str(message.text) for message in messages if message.type == "tool"]
    return AIMessage(f"Done. {' '.join(read)}")


def obedient() -> ScriptedChatModel:
    """Return a model that obeys the user and everybody else alike."""
    return ScriptedChatModel(script=[_obey], forever=True)
