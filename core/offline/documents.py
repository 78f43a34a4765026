"""Documents: the texts that a step is about, and what they say in their own words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cogwork.core.offline.answers import asked_stems, extract, join, shorten, summarize
from cogwork.core.offline.desk import Call, CannotError, Desk, Found, Result, ask
from cogwork.core.offline.goals import Step, is_question
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.matching import fill, main_verb
from cogwork.core.offline.measures import SHOWING, added, measures, spoken
from cogwork.core.offline.tables import read_items, read_table
from cogwork.core.offline.words import actions, sentences, stem, stems

__all__ = [
    "ALL_FILES",
    "Document",
    "at_hand",
    "can_read",
    "documents",
    "is_cut",
    "is_summary",
    "places",
    "quote",
    "summary",
]

_CUT = re.compile(
    r"(?im)^\W*(?:…|\.\.\.)[^\n]*\b(?:left out|truncated|omitted|more|cut)\b"
    r"|[\[(<](?:output |text |content )?(?:is )?truncated\b|\btruncated[\])>]"
)

ALL_FILES = re.compile(r"(?i)\b(?:all|every|each)\b.*\bfiles?\b")
_MOST = 20  # files that are read for one step


@dataclass(frozen=True, slots=True)
class Document:
    """A text with the name it goes by in answers."""

    name: str
    text: str


def documents(step: Step, desk: Desk) -> Found[list[Document]]:
    """Return the documents that a step is about, reading those it names."""
    named = places(step.text)
    if not named and ALL_FILES.search(step.text) and not desk.results:
        named = yield from _listing(step, desk)
    here = {result.subject: result.value for result in desk.results if result.kind == "document"}
    here |= {name: text for result in desk.results for name, text in result.sources}
    if named and all(name in here for name in named):
        return [Document(name, here[name]) for name in named]
    if not named:
        known = at_hand(step, desk)
        if known and all(document.text for document in known):
            return known
        named = [document.name for document in known]
    return (yield from _read(desk, named))


def _listing(step: Step, desk: Desk) -> Found[list[str]]:
    """List the folder whose files are all to be read."""
    spec = desk.tools.lister
    if spec is None:
        raise CannotError("no tool that is bound lists files")
    args = fill(spec, step.text).args
    seen = yield from ask(Call(spec.name, args, "I need to see which files there are."))
    folder = str(args.get(spec.path, "")).rstrip("/")
    return [_in_folder(name, folder) for name in read_items(seen[0].text) if places(name)][:_MOST]


def _in_folder(name: str, folder: str) -> str:
    return name if folder in {"", "."} or "/" in name else f"{folder}/{name}"


def _read(desk: Desk, places: list[str]) -> Found[list[Document]]:
    calls = []
    for place in places:
        spec = desk.tools.fetcher if "://" in place else desk.tools.reader
        if spec is None:
            raise CannotError(f"no tool that is bound reads {place}")
        argument = spec.url if "://" in place else spec.path
        calls.append(Call(spec.name, {argument: place}, f"I need to read {place}."))
    seen = yield from ask(*calls)
    names = [str(next(iter(o.args.values()), "")) or p for o, p in zip(seen, places, strict=True)]
    return [
        Document(name, observation.whole) for name, observation in zip(names, seen, strict=True)
    ]


def is_cut(text: str) -> bool:
    """Tell whether a text says that only a part of it is shown."""
    return bool(_CUT.search(text))


def can_read(desk: Desk, places: list[str]) -> bool:
    """Tell whether tools are bound that read all these places."""
    return all(desk.tools.fetcher if "://" in place else desk.tools.reader for place in places)


def places(text: str) -> list[str]:
    """Return the files and addresses that a text names; folders are not read."""
    found = read_literals(text)
    return [*found.urls, *(path for path in found.paths if re.search(r"\.\w+$", path))]


def at_hand(step: Step, desk: Desk) -> list[Document]:
    """Return the documents a step may mean without naming them; an empty text is to be read."""
    before, since = desk.results[: desk.remembered], desk.results[desk.remembered :]
    if known := _on_desk(since, step, desk):
        return known
    told = places(step.context)
    if told and can_read(desk, told):
        return [Document(told[-1], "")]
    if known := _on_desk(before, step, desk):
        return known
    if desk.talk.prompt.material:
        return [Document("", desk.talk.prompt.material)]
    spoken = [r.value for r in reversed(desk.results) if len(r.value.split()) > 2]
    return [Document("", text) for text in spoken[:1]]


def _on_desk(results: Sequence[Result], step: Step, desk: Desk) -> list[Document]:
    """Return the documents that the last of the results are about."""
    for result in reversed(results):
        if result.sources:
            return [Document(name, text) for name, text in result.sources]
        if result.kind == "document":
            return [Document(result.subject, result.value)]
        if result.kind == "list" and result.value:
            return _listed(result, step, desk)
    return []


def _listed(result: Result, step: Step, desk: Desk) -> list[Document]:
    """Return the files of a listing, to be read, if the step is about what is in them."""
    files = [item for item in read_items(result.value) if places(item)][:_MOST]
    in_them = len(files) == 1 or re.search(r"(?i)\b(?:read|each|all|every)\b", step.text)
    if (
        not files
        or not in_them
        or not can_read(desk, files)
        or measures(step.text)[:1] == ("count",)
    ):
        return [Document(result.subject, result.value)]
    folder = result.subject.rstrip("/")
    return [Document(_in_folder(name, folder), "") for name in files]


_WHOLE = re.compile(
    r"(?i)\bwhat(?:'s|\s+is|\s+stands?)\s+(?:written\s+)?in(?:side)?\b"
    r"|\bwhat\s+(?:do(?:es)?\s+)?\S+(?:\s+\S+)?\s+(?:says?|contains?|reads?|holds?)\b|\bcontents?\b"
)
_PLACE = re.compile(
    r"(?i)\b(?P<which>first|second|third|last)\s+(?:(?P<count>\d+|two|three|four|five|ten)\s+)?"
    r"(?P<kind>lines?|rows?|sentences?|entr(?:y|ies)|items?)\b"
)
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
_LITERALS = re.compile(
    r"(?i)\b(?:extract|list|find|get|give|show|which|what)\b.*?\b(?P<kind>dates?|e-?mails?|urls?"
    r"|links?)\b"
)
_FIELDS = {
    "date": "dates",
    "email": "emails",
    "mail": "emails",
    "url": "urls",
    "link": "urls",
}


def is_summary(text: str) -> bool:
    """Tell whether a summary is asked for."""
    return "summarize" in actions(stems(text)) or bool(
        re.search(r"(?i)\b(?:key|main) points\b", text)
    )


def summary(text: str, found: list[Document]) -> Result:
    """Summarise documents in their own sentences; of a table, say which columns it has."""
    tables = [(d, table) for d in found if (table := read_table(d.text))]
    prose = [document.text for document in found if read_table(document.text) is None]
    said = [f"{d.name or 'The table'} has the columns {', '.join(t.header)}." for d, t in tables]
    if prose:
        said += summarize("\n".join(prose), limit=_how_many(text), about=text)
    return Result(join(said), join(said), frozenset({stem("summary"), "summarize"}))


def _how_many(text: str) -> int:
    """Return how many sentences a summary may have: "in one sentence"."""
    said = re.search(
        r"(?i)\b(?:in|to)\s+(\d+|one|two|three|four|five)\s+(?:\w+\s+)?sentences?\b", text
    )
    numbers = {"one": 1, **_COUNTS}
    return numbers.get(said[1].lower()) or min(int(said[1]), 50) if said else 3


def quote(text: str, found: list[Document]) -> Result | None:
    """Return what the documents say to a question, or `None` if they do not say it."""
    names = frozenset(stems(text))
    for reader in (_by_place, _literals, _section):
        if said := reader(text, found):
            return Result("\n".join(said) if len(said) > 3 else join(said), "\n".join(said), names)
    if is_question(text) or main_verb(text) not in SHOWING:
        said = extract(spoken(text), [document.text for document in found])
        if said and (is_question(text) or not main_verb(text)):
            return Result(join(said), join(said), names)
    shows = main_verb(text) in SHOWING or text.split(" ", 1)[0].lower() in SHOWING
    if not shows and not _WHOLE.search(text):
        return None
    if more := added(text):
        raise CannotError(f"I know no rule for “{' '.join(more)}”")
    whole = "\n\n".join(document.text for document in found)
    return Result(shorten(whole, 4000), whole, names, "document", found[0].name)


def _by_place(text: str, found: list[Document]) -> list[str]:
    """Return what stands at a place: "the first line", "the last two rows"."""
    asked = _PLACE.search(text)
    if not asked:
        return []
    kind = asked["kind"].lower()
    whole = found[0].text
    units = (
        sentences(whole)
        if kind.startswith("sentence")
        else [u for u in whole.splitlines() if u.strip()]
    )
    if kind.startswith("row") and read_table(whole):
        units = units[1:]
    count = asked["count"] or "1"
    size = _COUNTS.get(count.lower()) or int(count)
    start = {"first": 0, "second": 1, "third": 2}.get(asked["which"].lower())
    return units[start : start + size] if start is not None else units[-size:]


def _literals(text: str, found: list[Document]) -> list[str]:
    """Return the dates, addresses, numbers or names in the text, if these are asked for."""
    asked = _LITERALS.search(text)
    if not asked or any(read_table(document.text) for document in found):
        return []
    kind = asked["kind"].lower().replace("-", "").removesuffix("s")
    whole = "\n".join(document.text for document in found)
    said = getattr(read_literals(whole), _FIELDS[kind])
    return list(dict.fromkeys(said)) if asked["kind"].lower().endswith("s") else []


def _section(text: str, found: list[Document]) -> list[str]:
    """Return what stands under the heading that is asked for."""
    wanted = asked_stems(spoken(text))
    for document in found:
        parts = re.split(r"(?m)^#+\s+(.+)$", document.text)
        for heading, body in zip(parts[1::2], parts[2::2], strict=True):
            if wanted and wanted <= set(stems(heading)) and body.strip():
                return read_items(body)
    return []
