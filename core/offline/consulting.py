"""Consulting: questions to documents that are read for them, or were seen before."""

import re
from dataclasses import replace

from cogwork.core.offline.answers import asked_stems, join, summarize
from cogwork.core.offline.arithmetic import expressions
from cogwork.core.offline.asking import consult_table, count_lines
from cogwork.core.offline.calculating import compute, worth
from cogwork.core.offline.desk import Attempt, CannotError, Desk, Result
from cogwork.core.offline.documents import (
    ALL_FILES,
    Document,
    at_hand,
    can_read,
    documents,
    is_summary,
    places,
    quote,
    summary,
)
from cogwork.core.offline.goals import Step, intent, is_request
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.matching import main_verb
from cogwork.core.offline.measures import SHOWING, measures, spoken
from cogwork.core.offline.tables import read_table
from cogwork.core.offline.words import stem, stems, tokens, word_set

__all__ = ["Document", "combining", "consulting", "consulting_past", "summarizing"]

_ASKING = word_set(
    """compare extract find list sort rank order name identify check count explain describe analyse
    analyze quote answer"""
)
_ELLIPTIC = re.compile(
    r"(?i)^\W*(?:for|in|of|what about|how about|and)\b(?!.*\b(?:what|which|who|how many)\b)"
)
_COMPUTING = word_set(
    """compute calculate determine evaluate sum total add average work estimate take subtract divide
    multiply double triple halve increase decrease reduce round"""
)


def consulting(step: Step, desk: Desk) -> Attempt:
    """Answer from documents: those the step names, else those that lie on the desk."""
    verb = main_verb(step.text)
    if not is_request(step.text) and not measures(step.text) and not places(step.text):
        return None
    known = verb in SHOWING | _ASKING or is_summary(step.text)
    known = known or (verb in _COMPUTING and bool(measures(step.text)))
    if verb and not known:
        return None
    named = places(step.text)
    if named and not can_read(desk, named):
        raise CannotError(f"no tool that is bound reads {named[0]}")
    everything = ALL_FILES.search(step.text) and desk.tools.lister and desk.tools.reader
    if not named and not everything and not at_hand(step, desk):
        return None
    found = yield from documents(step, desk)
    try:
        result = yield from _answer(step, desk, found)
    except CannotError:
        if named or measures(step.text):
            raise
        return None  # what lies at hand is not what is meant
    of_table = measures(step.text) and any(read_table(document.text) for document in found)
    if result is None and (named or everything or of_table):
        raise CannotError(_says_nothing(step.text, found))
    return result and replace(
        result, sources=tuple((document.name, document.text) for document in found)
    )


def consulting_past(step: Step, desk: Desk) -> Attempt:
    """Ask the tables that were seen in earlier turns of the conversation."""
    if (not is_request(step.text) and not measures(step.text)) or _ELLIPTIC.match(step.text):
        return None
    for turn in reversed(desk.talk.past):
        for seen in reversed(turn.observations):
            name = str(next(iter(seen.args.values()), ""))
            document = Document(name if places(name) else "", seen.text)
            try:
                found = (
                    None if seen.error else (yield from consult_table(step.text, desk, document))
                )
            except CannotError:
                continue  # this table is not what is meant
            if found:
                return found
    return None


def _answer(step: Step, desk: Desk, found: list[Document]) -> Attempt:
    text = step.text
    if is_summary(text):
        return summary(text, found)
    results: list[Result] = []
    for document in found:
        result = yield from consult_table(text, desk, document)
        results += [result] if result else []
    if results:
        return _merged(results)
    if found and (counted := (yield from count_lines(text, desk, found[0]))):
        return counted
    return quote(text, found)


def _merged(results: list[Result]) -> Result:
    names = frozenset(name for result in results for name in result.names)
    return Result(join([r.sentence for r in results]), results[-1].value, names)


def _says_nothing(text: str, found: list[Document]) -> str:
    tables = [table for document in found if (table := read_table(document.text))]
    columns = f"; its columns are {', '.join(tables[0].header)}" if tables else ""
    name = found[0].name or "what I have seen"
    if columns:
        return f"{name} does not say{columns}"
    words = ", ".join(
        f"“{word}”" for word in tokens(spoken(text)) if stem(word) in asked_stems(text)
    )
    return f"{name} does not say it in one sentence with {words or 'these words'}"


def summarizing(step: Step, desk: Desk) -> Attempt:
    """Summarise what earlier turns or steps found, when no document is meant."""
    yield from ()
    if not is_summary(step.text) or places(step.text):
        return None
    told = [result.sentence for result in desk.results if result.kind not in {"failure", "skipped"}]
    told = told or [turn.answer for turn in desk.talk.past if turn.answer]
    said = join(summarize("\n".join(told)))
    return Result(said, said, frozenset({stem("summary"), "summarize"})) if told else None


_FIGURE = re.compile(
    r"(?i)\b(?:the\s+)?(?:(?:total|sum|mean|average|median|maximum|minimum|highest|lowest"
    r"|largest|smallest|number)\b"
    r"|(?<=the\s)[a-z_]\w*\s+of\s).*?"
    r"(?=\s*,?\s*\b(?:plus|minus|times|divided|multiplied|increased|reduced)\b|\s+(?:by|to|from"
    r"|and)\s+\d|\s*[-+*/]\s*\d|[\s?.!]*$)"
)


def combining(step: Step, desk: Desk) -> Attempt:
    """Look a figure up and go on with it: "double the total", "20% of the mean of x"."""
    found = _FIGURE.search(read_literals(step.text).masked)
    if not found or not expressions(_with("7", step.text, found)):
        return None
    said = step.text[found.start() : found.end()]
    places = [p for p in read_literals(step.text).paths if p not in said]
    inner = said + (f" in {places[0]}" if places else "")
    wanted = Step(step.number, f"what is {inner}?", step.context)
    looked_up: Result | None = None
    for way in (consulting, consulting_past):
        looked_up = looked_up or (yield from way(wanted, desk))
    value = worth(looked_up.value) if looked_up else ""
    sums = expressions(_with(value, step.text, found)) if value else ()
    if not looked_up or len(sums) != 1:
        return None
    values = yield from compute(desk, sums, thought=intent(step.text))
    sentence = f"{looked_up.sentence} The result is {values[0]}."
    names = looked_up.names | frozenset(stems(step.text))
    return replace(looked_up, sentence=sentence, value=values[0], names=names)


def _with(value: str, text: str, found: re.Match[str]) -> str:
    """Put a value in the place of the figure, and take the name of the file out."""
    shown = f"({value})" if value.startswith("-") else value
    rest = f"{text[: found.start()]}{shown}{text[found.end() :]}"
    for path in read_literals(text).paths:
        rest = re.sub(rf"\s*(?:\b(?:in|of|from|using|with)\s+)?{re.escape(path)}", "", rest)
    return rest
