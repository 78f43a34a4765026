"""Documents: the texts that a step is about, read for it or at hand."""

import re
from dataclasses import dataclass

from cogwork.core.offline.arguments import fill
from cogwork.core.offline.desk import Call, Desk, Found, ask
from cogwork.core.offline.goals import Step
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.measures import measures
from cogwork.core.offline.results import CannotError, Result
from cogwork.core.offline.tables import read_items

__all__ = ["ALL_FILES", "Document", "at_hand", "can_read", "documents", "is_cut", "places"]

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
    return [Document(name, observation.text) for name, observation in zip(names, seen, strict=True)]


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
    for result in reversed(desk.results):
        if result.sources:
            return [Document(name, text) for name, text in result.sources]
        if result.kind == "document":
            return [Document(result.subject, result.value)]
        if result.kind == "list" and result.value:
            return _listed(result, step, desk)
    told = places(step.context)
    if told and can_read(desk, told):
        return [Document(told[-1], "")]
    if desk.talk.prompt.material:
        return [Document("", desk.talk.prompt.material)]
    spoken = [r.value for r in reversed(desk.results) if len(r.value.split()) > 2]
    return [Document("", text) for text in spoken[:1]]


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
