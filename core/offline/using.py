"""Using: calling the tool that a step names or that fits it best."""

import re
from typing import Any

from cogwork.core.offline.answers import extract, join, shorten
from cogwork.core.offline.arithmetic import expressions
from cogwork.core.offline.asking import count_items
from cogwork.core.offline.calculating import worth
from cogwork.core.offline.conversation import Observation
from cogwork.core.offline.desk import Attempt, Call, CannotError, Desk, Found, Result, ask
from cogwork.core.offline.documents import is_cut
from cogwork.core.offline.goals import Step, intent, is_question, is_request, opens, phrase
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.matching import Match, main_verb, match_tool, named_tool
from cogwork.core.offline.measures import added, measures
from cogwork.core.offline.supply import topic
from cogwork.core.offline.tables import read_items
from cogwork.core.offline.toolbox import KnownTool, Toolbox
from cogwork.core.offline.words import NAME, STOPWORDS, stem, stems, tokens, word_set

__all__ = ["lacking", "naming", "searching", "single_call", "using"]

_NOTHING = re.compile(r"(?i)^\W*(?:nothing|none|no\s+\w+|empty)\b[^\n]*$")
_LIMITING = word_set(
    """not no without except excluding only tomorrow yesterday next last first previous ago never or before after until
    while unless"""
)
_LISTING = word_set(
    """file files folder folders directory directories list show find locate many count contents content
    everything anything something named called ls dir name names recursively available give tell get
    check verify see exist exists present look determine way ls entries"""
)
_YES = re.compile(r"(?i)^\W*(?:true|yes)\b")
_NO = re.compile(
    r"(?i)^\W*(?:false|no)\b|\b(?:does\s+not|doesn't|not)\s+(?:exist|found|there)|\bmissing\b"
)


def naming(step: Step, desk: Desk) -> Attempt:
    """Call the tool that the step calls by its name."""
    match = named_tool(step.text, desk.tools, desk.carried(step.text), desk.subject(step.text))
    return (yield from _use(match, step, desk)) if match else None


def using(step: Step, desk: Desk) -> Attempt:
    """Call the tool that fits the step best, if the text gives what it needs."""
    match = match_tool(step.text, desk.tools, desk.carried(step.text), desk.subject(step.text))
    if match is None or _lacks(match, step, desk) or _is_for_reading(match, step):
        return None
    if match.spec is desk.tools.searcher and not _orders_search(step.text):
        return None  # searching comes after whatever may know better
    if left := _unread(match, step):
        listed = ", ".join(f"“{word}”" for word in left)
        raise CannotError(f"{match.spec.name} fits, but I don't know how to tell it {listed}")
    return (yield from _use(match, step, desk))


def single_call(step: Step, tools: Toolbox) -> Match | None:
    """Return the one call that does the whole of a step, if one does."""
    match = match_tool(step.text, tools)
    if match is None or match.filling.missing or is_question(step.text):
        return None
    if _is_for_reading(match, step) or _unread(match, step) or len(_distributed(match, step)) > 1:
        return None
    if match.spec.expression:
        return match if len(expressions(step.text)) == 1 else None
    said, args = read_literals(step.text), str(list(match.filling.args.values()))
    return match if all(each in args for each in (*said.paths, *said.quoted, *said.urls)) else None


def _is_for_reading(match: Match, step: Step) -> bool:
    """Tell whether several files, or the entries of one, are meant: no call of one tool."""
    if match.spec.does("list"):
        return bool(re.search(r"\.\w+$", str(match.filling.args.get(match.spec.path, ""))))
    files = read_literals(step.text).paths
    if not match.spec.does("read") or match.spec.content:
        return False
    asked = measures(read_literals(step.text).masked)
    return len(files) > 1 or is_question(step.text) or bool(asked)


def _unread(match: Match, step: Step) -> list[str]:
    """Return the words of a step that limit it and that no argument carries."""
    spec, masked = match.spec, read_literals(step.text).masked
    if spec.content:
        return []  # whatever is written is written whole
    known = (
        {stem(w) for name in spec.properties for w in tokens(name)} | spec.named | spec.described
    )
    known |= {stem(w) for value in match.filling.args.values() for w in tokens(str(value))}
    left = [word for word in tokens(masked) if stem(word) not in known]
    if spec.does("read") and spec.path and (more := added(step.text)):
        return more
    if spec.does("list") or spec.does("exist"):
        return [word for word in left if word in _LIMITING or word not in STOPWORDS | _LISTING]
    return [word for word in left if word in _LIMITING]


def lacking(step: Step, desk: Desk) -> Attempt:
    """Say what the tool that fits best would need."""
    yield from ()
    if not is_request(step.text):
        return None
    match = match_tool(step.text, desk.tools, desk.carried(step.text), desk.subject(step.text))
    if match and not match.spec.expression and (lacks := _lacks(match, step, desk)):
        raise CannotError(
            f"{match.spec.name} needs {' and '.join(lacks)}, and the text does not give it"
        )
    return None


def _lacks(match: Match, step: Step, desk: Desk) -> list[str]:
    """Return the required arguments that neither the text nor an earlier result gives."""
    carried = match.spec.content if desk.content(step.text) else ""
    return [name for name in match.filling.missing if name != carried]


def _orders_search(text: str) -> bool:
    return bool(re.search(r"(?i)\b(?:search|look\s+up|google|research|browse)\b", text))


def searching(step: Step, desk: Desk) -> Attempt:
    """Ask the tool that answers questions in words."""
    spec = desk.tools.searcher
    if spec is None or (main_verb(step.text) and not _orders_search(step.text)):
        return None
    query = topic(step.text)
    seen = yield from ask(Call(spec.name, {spec.query: query}, f"I need to search for “{query}”."))
    return _told(step, spec, seen[0])


def _use(match: Match, step: Step, desk: Desk) -> Found[Result]:
    spec, filling = match.spec, match.filling
    content = desk.content(step.text) if spec.content else ""
    if content and filling.args.get(spec.content, desk.carried(step.text)) == desk.carried(
        step.text
    ):
        filling.args[spec.content] = content  # whole sentences rather than a bare figure
    if lacks := _lacks(match, step, desk):
        raise CannotError(f"{spec.name} needs {' and '.join(lacks)}, and the text does not give it")
    calls = [Call(spec.name, args, intent(step.text)) for args in _distributed(match, step)]
    seen = yield from ask(*calls)
    if len(seen) > 1:
        told = [_told(step, spec, observation) for observation in seen]
        names = frozenset(name for result in told for name in result.names)
        return Result(
            join(result.sentence for result in told), "\n".join(r.value for r in told), names
        )
    if spec.does("list") and measures(step.text)[:1] == ("count",):
        if is_cut(seen[0].text):
            raise CannotError("only a part of the listing was shown, so it cannot be counted")
        items = [] if _NOTHING.match(seen[0].text) else read_items(seen[0].text)
        return (yield from count_items(items, desk, step.text))
    return _told(step, spec, seen[0])


def _distributed(match: Match, step: Step) -> list[dict[str, Any]]:
    """Return the arguments of each call: "the weather in Oslo and Bergen" takes two."""
    args, spec = match.filling.args, match.spec
    single = [name for name in spec.required if isinstance(args.get(name), str)]
    if len(spec.required) != 1 or not single or not NAME.fullmatch(args[single[0]]):
        return [args]
    between = r"(?:\s*,\s*(?:and\s+)?|\s+(?:and|or)\s+)(?:in\s+)?"
    first = re.escape(args[single[0]])
    more = re.search(rf"{first}(?P<rest>(?:{between}{NAME.pattern})+)", step.text)
    others = NAME.findall(more["rest"]) if more else []
    return [args, *({**args, single[0]: other} for other in others)]


def _told(step: Step, spec: KnownTool, seen: Observation) -> Result:
    """Return what an observation says to the step."""
    names = frozenset(stems(step.text))
    subject = str(seen.args.get(spec.path, "")) if spec.path else ""
    text = seen.text
    if not text:
        return Result(f"{spec.name} gave nothing back.", "", names, "effect", subject)
    if verdict := _verdict(text, spec):
        return _verdict_result(verdict, spec, subject, names)
    if spec.url or (spec.does("read") and spec.path and not spec.content):
        return Result(shorten(text, 4000), seen.whole, names, "document", subject)
    items = read_items(text)
    if spec.does("list") and _NOTHING.match(text):
        return Result(text, "", names, "list", subject)
    if spec.does("list"):
        return Result(
            f"{_place(subject)}: {', '.join(items)}.", "\n".join(items), names, "list", subject
        )
    said = extract(step.text, [text]) if spec.query or len(text) > 400 else []
    kind = "document" if len(text) > 400 or "\n" in text.strip() else "value"
    sentence = join(said) or (f"{spec.name} gave: " if spec.query else "") + shorten(text, 2000)
    if worth(text) == text:
        asked = opens(step.text) or is_question(step.text)
        sentence = f"{phrase(step.text) if asked else 'The result'} is {text}."
    return Result(sentence, join(said) or text, names, kind, subject)


def _place(subject: str) -> str:
    return f"In {subject}" if subject and subject != "." else "Found"


def _verdict(text: str, spec: KnownTool) -> str:
    if len(text) > 200 or not (
        spec.does("exist") or text.lower() in {"true", "false", "yes", "no"}
    ):
        return ""
    if _NO.search(text):
        return "no"
    return "yes" if _YES.search(text) or spec.does("exist") else ""


def _verdict_result(verdict: str, spec: KnownTool, subject: str, names: frozenset[str]) -> Result:
    known = subject and spec.does("exist")
    if verdict == "yes":
        sentence = f"Yes, {subject} exists." if known else "Yes."
    else:
        sentence = f"No, {subject} does not exist." if known else "No."
    return Result(sentence, verdict, names, "verdict", subject)
