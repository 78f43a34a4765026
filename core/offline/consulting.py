"""Consulting: questions to documents that are read for them, or were seen before."""

from dataclasses import replace

from cogwork.core.offline.answers import join, summarize
from cogwork.core.offline.asking import SHOWING, consult_table
from cogwork.core.offline.counting import count_lines
from cogwork.core.offline.desk import Attempt, Desk
from cogwork.core.offline.documents import ALL_FILES, Document, at_hand, can_read, documents, places
from cogwork.core.offline.goals import Step, is_request
from cogwork.core.offline.matching import main_verb
from cogwork.core.offline.measures import measures
from cogwork.core.offline.quoting import is_summary, quote, summary
from cogwork.core.offline.results import CannotError, Result
from cogwork.core.offline.tables import read_table
from cogwork.core.offline.words import stem, word_set

__all__ = ["Document", "consulting", "consulting_past", "summarizing"]

_ASKING = word_set(
    """compare extract find list sort rank order name identify check count explain describe analyse
    analyze quote answer"""
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


def _says_nothing(found: list[Document]) -> str:
    tables = [table for document in found if (table := read_table(document.text))]
    columns = f"; its columns are {', '.join(tables[0].header)}" if tables else ""
    return f"{found[0].name or 'what I have seen'} does not say{columns}"


def summarizing(step: Step, desk: Desk) -> Attempt:
    """Summarise what earlier turns or steps found, when no document is meant."""
    yield from ()
    if not is_summary(step.text) or places(step.text):
        return None
    told = [result.sentence for result in desk.results if result.kind not in {"failure", "skipped"}]
    told = told or [turn.answer for turn in desk.talk.past if turn.answer]
    said = join(summarize("\n".join(told)))
    return Result(said, said, frozenset({stem("summary"), "summarize"})) if told else None
