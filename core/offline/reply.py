"""The reply: what the model says next, in words and tool calls."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cogwork.core.offline.answers import extract, join, shorten
from cogwork.core.offline.calculating import worth
from cogwork.core.offline.conversation import Conversation, Turn
from cogwork.core.offline.desk import REFUSAL, Result
from cogwork.core.offline.goals import CHANGES, LONGEST, lowered, split_goal
from cogwork.core.offline.replay import Outcome, Pending, replay
from cogwork.core.offline.toolbox import KnownTool, Toolbox
from cogwork.core.offline.words import sentences, stems

__all__ = ["ABOUT", "Reply", "introduce", "reply"]

ABOUT = (
    "I am cogwork's rule-based offline model: I follow rules, and there is no language model "
    "behind me. "
    "I call the tools I am given and answer only from what they show. "
    "To use a language model, set the environment variable COGWORK_MODEL, e.g. `openai:gpt-…`."
)
_NO_MORE = "it takes a tool, and none may be called any more"
_WHO = re.compile(
    r"(?i)^\W*(?:(?:hi|hello|hey)\W+)?(?:please\s+)?(?:(?:can you\s+)?(?:tell me\s+)?"
    r"(?:about yourself|who (?:are you|you are|am i talking to))"
    r"|introduce yourself|what are you|what(?:'s| is) your name"
    r"|(?:what|which) (?:language |ai )?(?:model|llm|ai|version)(?: model)? (?:are you|is this"
    r"|do you use|am i (?:talking|speaking) to|is behind (?:you|this))"
    r"|are you (?:an? )?(?:ai|llm|gpt|chatgpt|human|robot|bot|language model|real"
    r"|a real person)\b.*)\W*$"
)
_ABILITY = re.compile(
    r"(?i)^\W*(?:what can you do|how can you help(?: me)?|what are you able to do|help"
    r"|what tools do you have|which tools (?:do you have|are (?:available|bound)))\W*$"
)
_HELLO = re.compile(
    r"(?i)^\W*(?:hi|hello|hey|good (?:morning|evening|afternoon|day)|greetings)(?: there)?\W*$"
)
_THANKS = re.compile(
    r"(?i)^\W*(?:thanks?|thank you|thx|cheers|great|perfect|ok(?:ay)?|well done|good)(?:[\s,!.]+"
    r"(?:a lot|so much|very much|you|thanks|thank you|that is all|bye))*\W*$"
)


def introduce(goal: str, tools: Toolbox) -> str:
    """Answer questions about the model itself and greetings; nothing for any other goal."""
    if _WHO.match(goal):
        return ABOUT
    if _ABILITY.match(goal):
        listed = ", ".join(spec.name for spec in tools.specs)
        return f"{ABOUT} {f'My tools are {listed}.' if listed else 'No tool is bound.'}"
    if _HELLO.match(goal):
        return f"Hello. {ABOUT}"
    return "You're welcome." if _THANKS.match(goal) else ""


@dataclass(frozen=True, slots=True)
class Reply:
    """Words, and calls as (tool, arguments, key); or only why nothing could be done."""

    content: str
    calls: tuple[tuple[str, Mapping[str, Any], str], ...] = ()
    is_refusal: bool = False


def reply(talk: Conversation, specs: Sequence[KnownTool]) -> Reply:
    """Return what comes next: the tool calls that are due, or the answer.

    Args:
        talk: The conversation so far.
        specs: The tools that may be called.
    """
    if len(talk.goal) > LONGEST:
        return Reply(
            f"I can't do that: the request has {len(talk.goal):,} characters, and I follow at most "
            f"{LONGEST:,}; put longer texts into a file, or after “Text:”.",
            is_refusal=True,
        )
    tools = Toolbox(specs)
    if said := introduce(talk.goal, tools):
        return Reply(said)
    may_call = bool(specs) and not talk.tools_off
    if not may_call:
        tools = Toolbox([*specs, *_used_before(talk, specs)])
    steps = split_goal(talk.goal, tools.verbs)
    if not steps:
        return Reply("There is nothing to do: no message asks for anything.")
    outcome = replay(steps, talk, tools, _memory(talk))
    if outcome.pending and may_call:
        return _calls(outcome.pending)
    return _answer(outcome, talk, may_call=may_call or not talk.tools_off)


def _calls(pending: Sequence[Pending]) -> Reply:
    thoughts = dict.fromkeys(item.call.thought for item in pending if item.call.thought)
    calls = tuple((item.call.tool, item.call.args, item.key) for item in pending)
    return Reply(" ".join(thoughts), calls)


def _used_before(talk: Conversation, specs: Sequence[KnownTool]) -> list[KnownTool]:
    """Describe the tools of earlier calls, so that their observations can be understood."""
    known = {spec.name for spec in specs}
    found: dict[str, KnownTool] = {}
    for seen in talk.turn.observations:
        if seen.tool and seen.tool not in known:
            args = {name: {"type": _type_of(value)} for name, value in seen.args.items()}
            schema = {"type": "object", "properties": args, "required": list(args)}
            found[seen.tool] = KnownTool(seen.tool, "", schema)
    return list(found.values())


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "string")


def _memory(talk: Conversation) -> tuple[Result, ...]:
    """Return what "it" may mean before anything is done: the last answer, or the material."""
    found = []
    if talk.past and (raw := _raw(talk.past[-1])):
        return (raw,)
    told = (turn.answer for turn in reversed(talk.past) if turn.answer)
    last = next((answer for answer in told if not REFUSAL.match(answer)), "")
    for text in filter(None, (last, talk.prompt.material)):
        said = sentences(text)
        names = frozenset(word for part in said for word in stems(part))
        found.append(Result(said[-1], worth(said[-1].rstrip(".")) or said[-1], names))
    return tuple(found)


def _raw(turn: Turn) -> Result | None:
    """Return what was seen in a turn that said nothing else of it."""
    seen = turn.observations[-1] if turn.observations else None
    if seen is None or seen.error or turn.answer not in {"", seen.text}:
        return None
    return Result(seen.text, seen.whole, frozenset(stems(f"{turn.said} {seen.text}")), "document")


def _answer(outcome: Outcome, talk: Conversation, *, may_call: bool) -> Reply:
    """Say what the steps came to; what is not done is said to be so."""
    parts: list[str] = []
    told = [result for result in outcome.results if result is not None]
    blocked: list[str] = []
    undone = 0
    for step, result in zip(outcome.steps, outcome.results, strict=True):
        if result is not None and result.value == "blocked":
            blocked.append(lowered(step.text.strip(" .!?")))
        elif result is None or (not may_call and _wants_a_tool(result)):
            found = _found(step.text, talk)
            # tools may be bound, but cannot be called any more
            parts.append(found or _failed(step.text, Result(_NO_MORE)))
            undone += not found
        elif result.kind == "failure":
            parts.append(_failed(step.text, result))
            undone += 1
        elif result.kind not in {"skipped", "document"}:
            parts.append(result.sentence)
    skipped = sum(result.kind == "skipped" for result in told)
    is_refusal = 0 < undone == len(outcome.steps) - len(blocked) - skipped
    if blocked:
        parts.append(f"So I did not {' or '.join(blocked)}.")
    said = join([*_corrections(talk), *parts])
    quoted = [r.sentence for r in told if r.kind == "document" and not _is_means(r, told)]
    content = "\n\n".join(filter(None, [said, *quoted])) or "Nothing was to be done."
    return Reply(content, is_refusal=is_refusal)


def _is_means(result: Result, told: list[Result]) -> bool:
    """Tell whether a document was only read for what came after it."""
    if result.kind != "document":
        return False
    later = told[told.index(result) + 1 :]
    return any(other.kind not in {"document", "skipped"} for other in later)


def _failed(text: str, result: Result) -> str:
    what = lowered(re.sub(r"(?i)^(?:tell|show|give) me\s+", "find ", text.strip(" .!")))
    if text.endswith("?") or re.match(
        r"(?i)(?:what|which|who|when|where|why|how|is|are|does|do|did|was|were|can|has|have)\b",
        what,
    ):
        return f"I can't answer “{text.strip()}”: {result.sentence}."
    return f"I can't {what}: {result.sentence}."


def _found(text: str, talk: Conversation) -> str:
    """What was seen of a step that was not finished."""
    seen = [observation.text for observation in talk.turn.observations if not observation.error]
    found = extract(text, seen) or (_changed(talk) if CHANGES.match(text) else [])
    return join(shorten(part) for part in found)


def _changed(talk: Conversation) -> list[str]:
    """What was said by the tools that change something."""
    seen = talk.turn.observations
    return [each.text for each in seen if CHANGES.search(each.tool.replace("_", " "))]


def _wants_a_tool(result: Result) -> bool:
    return result.kind == "failure" and result.sentence.startswith("no tool")


def _corrections(talk: Conversation) -> list[str]:
    """Say which name was taken for one that does not exist."""
    lines = []
    seen = talk.turn.observations
    for before, after in pairwise(seen):
        if before.error and not after.error and before.tool == after.tool:
            changed = [
                (old, after.args.get(name))
                for name, old in before.args.items()
                if after.args.get(name) != old
            ]
            lines += [
                f"There is no {old}; I took {new} instead." for old, new in changed if _is_name(old)
            ]
    return lines


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and re.search(r"[A-Za-z]", value) is not None and "(" not in value
