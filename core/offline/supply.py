"""The supply: what a step's text has to offer to a tool's arguments, each thing to be used once."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from cogwork.core.offline.arithmetic import expressions
from cogwork.core.offline.literals import FILLER, read_literals
from cogwork.core.offline.words import NAME, STOPWORDS, names_in, stem, tokens, word_set

__all__ = ["Supply", "family", "free_text", "labelled", "supply_of", "topic"]

_THIS = word_set(
    "the this current a same root my which each every that folder directory one it here there "
    "all total"
)
_SEARCH = re.compile(
    r"(?i)^\W*(?:please\s+)?(?:search|look\s+up|look|google|find\s+out|find|research|query"
    r"|browse|get"
    r"|tell\s+me|give\s+me|show\s+me)\b(?:\s+the\s+(?:web|internet|documents?|files?))?"
    r"(?:\s+(?:for|about|on|me))?\s+"
)
_TEXT_AFTER = re.compile(
    r"(?i)\b(?:saying|says?|that\s+says|containing|contains|reading|that"
    r"|with\s+(?:the\s+)?(?:text|content|message|body|words?)|the\s+(?:text|message|words?))"
    r"\s*:?\s+(?P<text>.+?)\s*$"
)
_AFTER = {
    "to": r"\b(?:to|into|as)\s+",
    "from": r"\bfrom\s+",
    "in": r"\b(?:in|at|for|of|near)\s+",
    "about": r"\b(?:about|on|regarding|concerning)\s+",
}
_ROLE = {
    **dict.fromkeys(word_set("to target recipient destination receiver language into"), "to"),
    **dict.fromkeys(word_set("from source origin sender start"), "from"),
    **dict.fromkeys(word_set("subject topic title theme about"), "about"),
}
_RECIPIENTS = word_set("to recipient receiver cc bcc address email mail attendee")
_CODES = word_set("id number code key ticker symbol ticket sku iata isbn")
_MORE = (
    r"(?!(?:in|at|for|on|to|and|or|with|from|by|please|today|tomorrow|now|this|next|right|is|are"
    r"|like|off|again)\b)"
)
_STOPS = r"(?=\s*(?:[?.!,]|$|please|today|tomorrow|now))"
_PLAIN = (
    rf"(?!\d)[\w-]{{2,}}(?:\s{_MORE}[a-z][\w-]*){{0,2}}{_STOPS}",
    r"(?!\d)[\w°-]+",
)
_ENDINGS = word_set(
    "csv tsv txt md json yaml yml toml xml html py js ts log ini pdf sql png jpg svg ipynb"
)
_ALSO = {"markdown": "md", "text": "txt", "python": "py", "javascript": "js"}


@dataclass(slots=True)
class Supply:
    """What a text offers.

    `carried` is what an earlier step gave, `about` the path it was about; `folders` says
    whether a plain word may be taken for a folder ("in data"); `own` are stems of the
    tool's own name, which are no values for it.
    """

    text: str
    masked: str
    carried: str = ""
    about: str = ""
    folders: bool = False
    own: frozenset[str] = frozenset()
    quoted: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    globs: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)

    def drop(self, value: str) -> None:
        """Take a word out of the text, so that it is not used again."""
        self.masked = self.masked.replace(value, FILLER * len(value), 1)


def supply_of(
    text: str,
    carried: str = "",
    about: str = "",
    *,
    folders: bool = False,
    own: frozenset[str] = frozenset(),
) -> Supply:
    """Lay out what `text` offers."""
    found = read_literals(text)
    return Supply(
        text,
        found.masked,
        carried,
        about,
        folders,
        own,
        [quoted for quoted in found.quoted if quoted not in found.paths],
        list(found.paths),
        list(found.urls),
        list(found.emails),
        list(found.dates),
        list(found.globs),
        list(found.numbers),
    )


def _next(pool: list[str]) -> str:
    return pool.pop(0) if pool else ""


def _path(name: str, supply: Supply) -> str:
    folder = bool(set(tokens(name)) & {"folder", "directory", "dir"})
    fitting = [path for path in supply.paths if not folder or "." not in path.strip("./")]
    if fitting:
        supply.paths.remove(fitting[0])
        return _in_folder(fitting[0], supply)
    if (folder or supply.folders) and (named := _folder(supply.masked)):
        return named
    carried = read_literals(supply.carried).paths if "\n" not in supply.carried else ()
    return carried[0] if carried else supply.about


def _in_folder(path: str, supply: Supply) -> str:
    """Put the folder of "x.txt in the folder data" before the file."""
    where = re.search(
        r"\bin\s+(?:the\s+)?(?:(?:folder|directory)\s+([\w.-]+)|([\w.-]+)\s+(?:folder"
        r"|directory)\b)",
        supply.masked,
    )
    named = (where[1] or where[2]) if where else ""
    fits = named and named not in _THIS and "/" not in path and "." in path
    return f"{named}/{path}" if fits else path


def _folder(text: str) -> str:
    """Return the folder that a text names without a slash: "in data", "the data folder"."""
    for pattern in (
        r"(?i)^\W*(?:ls|dir|list)\s+([\w./-]+)\W*$",
        r"\b(?:folder|directory)\s+(?:called\s+|named\s+)?([\w.-]+)",
        r"\b([\w.-]+)\s+(?:folder|directory)\b",
        r"\b(?:in|under|inside|within|of)\s+(?:the\s+)?([\w-]+)\s*[?.!]?\s*$",
        r"\b(?:in|under|inside|within)\s+(?:the\s+)?([\w-]+)\b",
    ):
        found = re.search(pattern, text)
        if found and found[1].lower() not in _THIS | STOPWORDS and FILLER not in found[1]:
            return found[1].rstrip(".")
    return ""


def _glob(_name: str, supply: Supply) -> str:
    if supply.globs:
        return _next(supply.globs)
    ending = re.search(r"(?i)(?<![\w.])\.?([a-z]{1,10})[\s-]+files?\b", supply.masked)
    word = ending[1].lower() if ending else ""
    word = _ALSO.get(word, word)
    return f"*.{word}" if word in _ENDINGS else ""


def _expression(_name: str, supply: Supply) -> str:
    return next(iter(expressions(supply.text)), "")


def _url(_name: str, supply: Supply) -> str:
    return _next(supply.urls)


def _email(name: str, supply: Supply) -> str:
    return _next(supply.emails) or free_text(name, supply)


def _date(_name: str, supply: Supply) -> str:
    said = re.search(
        r"(?i)\b(?:today|tomorrow|yesterday|(?:next|last|this)\s+\w+|(?:mon|tues|wednes|thurs"
        r"|fri|satur|sun)day)\b",
        supply.masked,
    )
    return _next(supply.dates) or (said.group() if said else "")


def _content(name: str, supply: Supply) -> str:
    if found := labelled(name, supply):
        return found
    if supply.quoted:
        return _next(supply.quoted)
    if supply.carried:
        return supply.carried
    after = _TEXT_AFTER.search(supply.text)
    _, colon, rest = supply.text.partition(": ")
    return (rest.strip() if colon else "") or (after["text"].strip(" .") if after else "")


def _query(_name: str, supply: Supply) -> str:
    return _next(supply.quoted) or topic(supply.text)


def topic(text: str) -> str:
    """Return what a search is to be about: "Search the web for X." → "X"."""
    return _SEARCH.sub("", text.strip(), count=1).strip(" .?!:")


_FAMILIES: dict[Callable[[str, Supply], str], frozenset[str]] = {
    _path: word_set("path file filename filepath folder directory dir paths files"),
    _glob: word_set("pattern glob mask"),
    _expression: word_set("expression expr formula equation calculation"),
    _url: word_set("url uri link"),
    _email: word_set("email mail recipient"),
    _date: word_set("date day deadline"),
    _content: word_set("content contents text body message note data value"),
    _query: word_set("query question search keywords q prompt input request task"),
}


def family(name: str) -> Callable[[str, Supply], str] | None:
    """Return what finds the value of an argument that is called by what it takes."""
    words = tokens(name)
    for reader, known in _FAMILIES.items():
        if words and (words[-1] in known or words[0] in known):
            return reader
    return None


def labelled(name: str, supply: Supply) -> str:
    """Return what follows the argument's own name: "city=Paris", "the name 'Ada'"."""
    label = r"[\s_]+".join(map(re.escape, tokens(name))) or re.escape(name)
    value = r"\"([^\"]+)\"|'([^']+)'|([A-Z][\w'-]*(?:\s[A-Z][\w'-]*)*)"
    found = re.search(
        rf"(?i:\b{label}\s*(?:=|:|\bis\b|\bnamed\b|\bcalled\b)\s*)(?:{value}|([\w.@/-]+))",
        supply.text,
    ) or re.search(rf"(?i:\b{label})\s+(?:{value})", supply.text)
    told = next((group for group in found.groups() if group), "") if found else ""
    if told in supply.quoted:
        supply.quoted.remove(told)
    return told.rstrip(".")


def free_text(name: str, supply: Supply) -> str:
    """Return the best guess for a text that has a name of its own, such as a city.

    Most likely are an address for a recipient, a code for an id, a name after the right
    preposition, something in quotes, any name, and last a plain word after the preposition.
    """
    words = set(tokens(name))
    if supply.emails and words & _RECIPIENTS:
        return _next(supply.emails)
    if words & _CODES and (code := _code(supply)):
        return code
    role = next((_ROLE[word] for word in tokens(name) if word in _ROLE), "in")
    if found := _after(_AFTER[role], (NAME.pattern,), supply):
        return found
    if role == "from" and (unit := re.search(r"\d\s*([A-Za-z°€$£]+)", supply.masked)):
        return unit[1]
    if supply.quoted:
        return _next(supply.quoted)
    verb = (tokens(supply.text) or [""])[0]
    for found in names_in(supply.masked):
        if found.lower() != verb:
            supply.drop(found)
            return found
    return _after(_AFTER[role], _PLAIN, supply) or supply.carried or _object(supply, verb)


def _code(supply: Supply) -> str:
    """Return something like "A-17", "AAPL" or "#4711"."""
    found = re.search(r"#(\d+)|\b([A-Z]{1,5}-?\d[\w-]*)\b|\b([A-Z]{2,6})\b", supply.masked)
    if found:
        return next(group for group in found.groups() if group)
    return _next(supply.numbers)


def _after(preposition: str, patterns: tuple[str, ...], supply: Supply) -> str:
    """Return what follows a preposition in one of these forms."""
    for pattern in patterns:
        for found in re.finditer(rf"(?i:{preposition})(?:the\s+)?({pattern})", supply.masked):
            value = found[1].rstrip(".")
            own = not supply.own.isdisjoint(stem(word) for word in tokens(value))
            if not own and value.lower() not in STOPWORDS | _THIS and FILLER not in value:
                supply.drop(value)
                return value
    return ""


def _object(supply: Supply, verb: str) -> str:
    """Return what the verb acts on, if that is a single word or name."""
    words = [w for w in re.findall(r"[\w-]+", supply.masked) if w.lower() not in STOPWORDS]
    rest = words[1:] if words and words[0].lower() == verb else []
    rest = [word for word in rest if stem(word) not in supply.own]
    return rest[0] if len(rest) == 1 else ""
