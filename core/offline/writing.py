"""Writing: putting a text or an earlier result into a file."""

import re

from cogwork.core.offline.answers import shorten
from cogwork.core.offline.calculating import calculating
from cogwork.core.offline.consulting import combining, consulting, consulting_past, summarizing
from cogwork.core.offline.desk import Attempt, Call, CannotError, Desk, Found, Result, ask, refers
from cogwork.core.offline.goals import Step
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.matching import fill, main_verb
from cogwork.core.offline.measures import measures
from cogwork.core.offline.recalling import remembering
from cogwork.core.offline.using import using
from cogwork.core.offline.words import actions, stem, stems, word_set

__all__ = ["copying", "writing"]

_VERBS = word_set("write save store put export dump record create make")
_TARGET = (
    r"\b(?:to|into|in|as|at|under|called|named)\s+"
    r"(?:(?:the|a|an|new|text|file|folder|called|named)\s+)*['\"`]?"
)
_COMPOSED = re.compile(
    r"(?i)^(?:an?|some|two|three|my|your)\s+(?:\w+\s+){0,3}(?:about|on|for|describing|explaining"
    r"|that|to)\b"
    r"|^(?:an?|some)\s+(?:\w+\s+)?(?:poem|haiku|story|joke|essay|letter|article|report|song"
    r"|limerick|speech)\b"
)
_WITH = re.compile(
    r"(?i)\b(?:containing|saying|that\s+(?:says|contains|reads)|with(?:\s+(?:the|this|following))*"
    r"(?:\s+(?:text|contents?|message|words?|line|body|sentence|in\s+it))?|:)\s*:?\s+"
    r"(?P<text>.+?)\s*$",
    re.DOTALL,
)


def writing(step: Step, desk: Desk) -> Attempt:
    """Write to a file when the step says so."""
    verb = main_verb(step.text) or step.text.split(" ", 1)[0].lower()
    path = _target(step.text, desk)
    if verb not in _VERBS or (not path and "file" not in step.text.lower()):
        return None
    if desk.tools.writer is None:
        raise CannotError("no tool that is bound writes files")
    if not path:
        raise CannotError("the text names no file to write to")
    content = yield from _content(step, desk, verb, path)
    known = bool(desk.results) and content == desk.content("it")
    return (yield from _write(desk, step.text, path, content, known=known))


def copying(step: Step, desk: Desk) -> Attempt:
    """Copy a file by reading and writing it, where no tool copies."""
    paths = read_literals(step.text).paths
    reader, writer = desk.tools.reader, desk.tools.writer
    if main_verb(step.text) != "copy" or len(paths) != 2 or not reader or not writer:
        return None
    call = Call(reader.name, {reader.path: paths[0]}, f"I need to read {paths[0]}.")
    seen = yield from ask(call)
    return (yield from _write(desk, step.text, paths[1], seen[0].whole))


def _write(desk: Desk, text: str, path: str, content: str, *, known: bool = False) -> Found[Result]:
    spec = desk.tools.writer
    if spec is None:
        raise CannotError("no tool that is bound writes files")
    more = {name: value for name, value in fill(spec, text).args.items() if name in spec.required}
    args = {**more, spec.path: path, spec.content: content}
    lacks = [name for name in spec.required if name not in args]
    if lacks:
        raise CannotError(f"{spec.name} needs {' and '.join(lacks)}, and the text does not give it")
    yield from ask(Call(spec.name, args, f"I need to write to {path}."))
    shown = shorten(content, 200)
    sentence = f"I wrote it to {path}." if known else f"I wrote “{shown}” to {path}."
    return Result(sentence, content, frozenset({stem("file")}), "effect", path)


def _target(text: str, desk: Desk) -> str:
    """Return the path to write to: the one after "to" or "in", else the last one."""
    paths = read_literals(text).paths
    after = [path for path in paths if re.search(f"(?i){_TARGET}{re.escape(path)}", text)]
    if after or paths:
        return (after or list(paths))[-1]
    subjects = [result.subject for result in desk.results if result.kind in {"effect", "verdict"}]
    into_it = re.search(
        r"(?i)\b(?:to|into|in)\s+(?:it|that|(?:the|this|that)\s+(?:same\s+)?file)\b", text
    )
    return subjects[-1] if into_it and subjects else ""


def _content(step: Step, desk: Desk, verb: str, path: str) -> Found[str]:
    """Return what is to be written: a literal, an earlier result, or one found for it."""
    literals = read_literals(step.text)
    quoted = [text for text in literals.quoted if text != path]
    if quoted and len(set(literals.paths) - set(literals.quoted)) > 1:
        raise CannotError("I write one file in a step, and several are named")
    if quoted:
        return "\n".join(quoted)
    said = _phrase(step.text, verb, path)
    if not said:
        found = desk.content("it")
        if not found:
            raise CannotError("the text does not give what is to be written")
        return found
    if "summarize" not in actions(stems(said)) and (content := desk.content(said)):
        return content
    if _COMPOSED.match(said):
        raise CannotError(f"I make no texts up, so I have no words for {said}")
    if read_literals(said).paths or measures(said) or refers(said) or re.match(r"(?i)the\s", said):
        return (yield from _found_out(said, step, desk))
    return said


def _phrase(text: str, verb: str, path: str) -> str:
    """Return the words for what is to be written."""
    found = re.search(rf"(?<![\w/.-]){re.escape(path)}", text)
    before, after = (text[: found.start()], text[found.end() :]) if found else (text, "")
    tail = _WITH.search(after)
    if tail:
        return tail["text"].strip().rstrip(".") if "\n" not in tail["text"] else tail["text"]
    said = re.sub(f"(?i)^\\W*{re.escape(verb)}\\b", "", before).strip()
    said = re.sub(f"(?i){_TARGET}$", "", said + " ").strip(" ,:;'\"`")
    return re.sub(
        r"(?i)^(?:a|an|the)?\s*(?:new\s+)?(?:text\s+)?file$|^(?:down|out)\b", "", said
    ).strip()


def _found_out(said: str, step: Step, desk: Desk) -> Found[str]:
    """Find out what is to be written, as a step of its own."""
    wanted = Step(step.number, said, step.context)
    for way in (
        calculating,
        using,
        combining,
        consulting,
        summarizing,
        consulting_past,
        remembering,
    ):
        result = yield from way(wanted, desk)
        if result is not None:
            return result.value if result.kind in {"document", "list"} else result.sentence
    raise CannotError(f"I don't know {said}")
