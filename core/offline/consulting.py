"""Consulting: questions to documents that are read for them, or were seen before."""

import re
from dataclasses import replace

from cogwork.core.offline.answers import extract, join, shorten, summarize
from cogwork.core.offline.asking import SHOWING, consult_table, where_in
from cogwork.core.offline.calculating import compute
from cogwork.core.offline.desk import Attempt, Desk, Found
from cogwork.core.offline.documents import ALL_FILES, Document, at_hand, can_read, documents, places
from cogwork.core.offline.goals import Step, is_question, is_request
from cogwork.core.offline.matching import main_verb
from cogwork.core.offline.queries import measures
from cogwork.core.offline.results import CannotError, Result
from cogwork.core.offline.tables import read_items, read_table
from cogwork.core.offline.words import actions, stem, stems, word_set

__all__ = ["Document", "consulting", "consulting_past", "count_items", "summarizing"]

_WHOLE = re.compile(
    r"(?i)\bwhat(?:'s|\s+is|\s+stands?)\s+(?:written\s+)?in(?:side)?\b"
    r"|\bwhat\s+do(?:es)?\s+\S+(?:\s+\S+)?\s+(?:say|contain|read|hold)\b|\bcontents?\b"
)
_ASKING = word_set(
    "compare extract find list name identify check count explain describe analyse analyze quote answer"
)
_ABOUT_LINES = re.compile(r"\b(?:lines?|entries|items|files|results|names)\b")


def consulting(step: Step, desk: Desk) -> Attempt:
    """Answer from documents: those the step names, else those that lie on the desk."""
    verb = main_verb(step.text)
    if not is_request(step.text) and not measures(step.text) and not places(step.text):
        return None
    known = verb in SHOWING | _ASKING or measures(step.text) or _is_summary(step.text)
    if verb and not known:
        return None
    named = places(step.text)
    if named and not can_read(desk, named):
        raise CannotError(f"no tool that is bound reads {named[0]}")
    everything = ALL_FILES.search(step.text) and desk.tools.lister and desk.tools.reader
    if not named and not everything and not at_hand(step, desk):
        return None
    found = yield from documents(step, desk)
    result = yield from _answer(step, desk, found)
    of_table = measures(step.text) and any(read_table(document.text) for document in found)
    if result is None and (named or everything or of_table):
        raise CannotError(_says_nothing(found))
    return result and replace(
        result, sources=tuple((document.name, document.text) for document in found)
    )


def consulting_past(step: Step, desk: Desk) -> Attempt:
    """Ask the tables that were seen in earlier turns of the conversation."""
    if not is_request(step.text) and not measures(step.text):
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


def _is_summary(text: str) -> bool:
    return "summarize" in actions(stems(text)) or bool(
        re.search(r"(?i)\b(?:key|main) points\b", text)
    )


def _answer(step: Step, desk: Desk, found: list[Document]) -> Attempt:
    text = step.text
    if _is_summary(text):
        prose = [document for document in found if read_table(document.text) is None]
        found = prose or found
        said = summarize("\n".join(document.text for document in found), about=text)
        return Result(join(said), join(said), frozenset({stem("summary"), "summarize"}))
    results: list[Result] = []
    for document in found:
        result = yield from consult_table(text, desk, document)
        results += [result] if result else []
    if results:
        return _merged(results)
    if counted := (yield from _count_lines(text, desk, found)):
        return counted
    return _quote(text, found)


def _merged(results: list[Result]) -> Result:
    names = frozenset(name for result in results for name in result.names)
    return Result(join([r.sentence for r in results]), results[-1].value, names)


def _count_lines(text: str, desk: Desk, found: list[Document]) -> Attempt:
    if measures(text)[:1] != ("count",) or not found:
        return None
    if not _ABOUT_LINES.search(text.lower()) and not re.search(r"(?i)\bthem\b", text):
        return None
    return (yield from count_items(read_items(found[0].text), desk, text, where_in(found[0])))


def count_items(items: list[str], desk: Desk, text: str, place: str = "") -> Found[Result]:
    """Count the entries of a listing, with a calculator: no number is made up here."""
    kind = _ABOUT_LINES.search(text.lower())
    noun = kind.group() if kind else "entries"
    ones = ["1"] * len(items) or ["0"]
    values = yield from compute(
        desk,
        [f"sum({', '.join(ones)})"],
        simple=[" + ".join(ones)],
        thought="I need to count them.",
    )
    names = frozenset({"count", "number", stem(noun)})
    return Result(f"The number of {noun}{place} is {values[0]}.", values[0], names)


def _says_nothing(found: list[Document]) -> str:
    tables = [table for document in found if (table := read_table(document.text))]
    columns = f"; its columns are {', '.join(tables[0].header)}" if tables else ""
    return f"{found[0].name or 'what I have seen'} does not say{columns}"


def _quote(text: str, found: list[Document]) -> Result | None:
    names = frozenset(stems(text))
    if is_question(text) or not main_verb(text):
        said = extract(text, [document.text for document in found])
        if said:
            return Result(join(said), join(said), names)
    shows = main_verb(text) in SHOWING or text.split(" ", 1)[0].lower() in SHOWING
    if not shows and not _WHOLE.search(text):
        return None
    whole = "\n\n".join(document.text for document in found)
    return Result(shorten(whole, 4000), whole, names, "document", found[0].name)


def summarizing(step: Step, desk: Desk) -> Attempt:
    """Summarise what earlier turns or steps found, when no document is meant."""
    yield from ()
    if not _is_summary(step.text) or places(step.text):
        return None
    told = [result.sentence for result in desk.results if result.kind not in {"failure", "skipped"}]
    told = told or [turn.answer for turn in desk.talk.past if turn.answer]
    said = join(summarize("\n".join(told)))
    return Result(said, said, frozenset({stem("summary"), "summarize"})) if told else None
