"""Whether two texts say the same, so that one of them can go.

Embeddings alone cannot tell: "call 555-0142" and "call 555-0143", "before" and "after",
"the man bit the dog" and "the dog bit the man" are near neighbours, and merging them
destroys knowledge. So nearness only proposes, and this decides, by words: a merge is refused
whenever in doubt, since a duplicate that stays costs less than a fact that is lost.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["digest", "says_the_same"]

_DASHES = "-–—−"  # noqa: RUF001 - dashes of any length
_BRACKETS = "()[]{}"
_STOPS = ".,;:!…"
_APOSTROPHES = str.maketrans("’‘", "''")  # noqa: RUF001 - those that are typed and set
_QUOTE = re.compile(r'(?<!\d)["“”„«»]')  # behind a number it is a unit
_QUOTED = re.compile(r'(?s)\s*["“„«]([^"“”„«»]*)["“”»]\s*')
_BEFORE = re.compile(rf"(?:[{_STOPS}]++(?=\s)|[{_DASHES}*•]++(?=\s)|\s)*")
_BEHIND = re.compile(rf"(?:[{_STOPS}\s]|[{_DASHES}]++(?=\s))*")  # read backwards
_BEHIND_SECRET = re.compile(rf"(?:[.\s]|[{_DASHES}{_STOPS}]++(?=\s))*")

_GUARDED = (
    r"\b(?:pass(?:word|phrase|code|wd)|pwd|pin|key|code|token|secret|login"
    r"|user ?name|host(?:name)?|file(?:name)?|branch|variable)s?\b"
)
_SECRET = re.compile(
    rf"(?is){_GUARDED}.{{0,40}}?(?:[:=]|\b(?:is|are|was|to|called)\b)(.*)"
    rf"|^(.*?)\s(?:is|are|was)\b.{{0,20}}?{_GUARDED}"
)
"""A password, or a name that computers know: it counts to the letter."""

_GUARDED_REST = re.compile(rf"(?is){_GUARDED}.*")

_PREFACE = re.compile(r"(?i)^(?:please\s+)?(?:note|remember)(?:\s+that\s+|:\s*)")
_FILLERS = frozenset({"the", "actually", "also", "basically", "currently", "please", "really"})
_MAY_DIFFER = _FILLERS | {"note", "remember", "that"}
_ACRONYM = 3  # letters of a word in capitals up to which it may be no word: "US", "WHO"
_WEEKDAY = re.compile(r"(?i)(?:mon|tues|wednes|thurs|fri|satur|sun)days?$")

_TIMES = frozenset({"now", "today", "tomorrow", "tonight", "yesterday"})
_PLACES = frozenset(
    {
        *("after", "at", "before", "during", "if", "in", "on", "since", "under", "until"),
        *("when",),
    }
)
_TAKES = _PLACES | frozenset(
    {
        *("drinks", "eats", "has", "have", "like", "likes", "love", "loves", "need", "needs"),
        *("owns", "speaks", "with"),
    }
)
"""Words behind which things are listed, in any order."""

_BOUND = frozenset(
    {
        *(".", "?", "all", "always", "and", "any", "because", "but", "each", "even", "every"),
        *("first", "knew", "know", "knows", "learned", "less", "more", "most", "never", "no"),
        *("none", "not", "only", "or", "promised", "respectively", "said", "say", "says"),
        *("some", "than", "that", "then", "think", "thinks", "thought", "to", "told"),
        *("while", "who", "which", "why"),
    }
)
"""Words that say something else when what is beside them moves."""

_LONGEST = 12  # words of a clause that may stand first or last


def digest(text: str) -> str:
    """Return a key for a text.

    Texts share it that differ in white space, composition, quotation marks, and punctuation
    before and after; but not in a question mark, in what is part of a word, as in "-5", ".env"
    and "A-", or in what is behind a password, other than a full stop.
    """
    plain = _plain(text)
    bare = _BEFORE.sub("", plain, count=1)
    bare = _trim(bare, _BEHIND_SECRET if _secret(bare) else _BEHIND)
    key = plain if not bare.strip(_STOPS + _DASHES) else bare
    return hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def says_the_same(one: str, other: str) -> bool:
    """Whether two texts differ only in how they say it.

    Free to differ are punctuation, "the" and fillers; a time, a place or a clause may stand first
    or last ("on Monday …"), and two in a list in either order ("Ada and Bob"). Every other word
    must agree, and so must their order: who does what to whom, from where to where. Case counts
    ("Bob eats Turkey"), except in the first word, weekdays, words all in capitals, and beside a
    text without capitals or of nothing else; in what may be a code, a unit, a file or a password it always does.
    """
    plain = _plain(one), _plain(other)
    if not _differing(*plain) <= _MAY_DIFFER:
        return False
    if digest(one) == digest(other):
        return True
    if _secret(plain[0]) != _secret(plain[1]):
        return False
    free = _free(*plain)
    first, second = (_read(text, free) for text in plain)
    if not first.words or sorted(first.words) != sorted(second.words):
        return False
    return first.words == second.words or _is_moved(first, second) or _is_relisted(first, second)


@dataclass(frozen=True, slots=True)
class _Text:
    """The words that count, in small letters where case does not, and which are names."""

    words: list[str]
    names: set[str]
    commas: int


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFC", text).translate(_APOSTROPHES)
    quoted = _QUOTED.fullmatch(text)
    return " ".join(_QUOTE.sub("", quoted[1] if quoted else text).split())


def _differing(one: str, other: str) -> set[str]:
    """The words that only one has; a cheap look before the close one."""
    first, second = (set(re.findall(r"\w+", text.lower())) for text in (one, other))
    return first ^ second


def _secret(text: str) -> str:
    """What must agree to the letter; nothing if the text tells no secret."""
    found = _SECRET.search(text)
    return _trim(found[1] or found[2] or "", _BEHIND_SECRET).strip() if found else ""


def _trim(text: str, behind: re.Pattern[str]) -> str:
    """The text without what is behind it; from its end, so that it takes no longer than that."""
    return behind.sub("", text[::-1], count=1)[::-1]


def _chunks(plain: str) -> list[str]:
    return [part for chunk in _PREFACE.sub("", plain).split() for part in _parts(chunk)]


def _free(*texts: str) -> frozenset[str]:
    """The words whose capitals say nothing, in small letters."""
    chunks = [_chunks(text) for text in texts]
    words = [chunk for found in chunks for chunk in found]
    if not any(text in (text.lower(), text.upper()) for text in texts):
        first = {found[0] for found in chunks if found}
        words = [word for word in words if word in first or _is_loud(word) or _WEEKDAY.match(word)]
    bound = (_chunks(found[0]) for text in texts if (found := _GUARDED_REST.search(text)))
    return frozenset(word.lower() for word in words).difference(
        word.lower() for rest in bound for word in rest[1:]
    )


def _is_loud(word: str) -> bool:
    """Whether it is in capitals to stress it, not because it is short for something."""
    return word.isupper() and len(word) > _ACRONYM


def _read(plain: str, free: frozenset[str]) -> _Text:
    chunks = _chunks(plain)
    while chunks and chunks[-1] == ".":
        chunks.pop()
    is_shouted = plain == plain.upper() and sum(len(chunk) > 1 for chunk in chunks) > 1
    pairs = []
    for before, chunk in zip(["", *chunks], chunks, strict=False):
        if chunk.lower() not in _FILLERS:
            is_free = chunk.lower() in free
            folded = _fold(chunk, before, is_shouted=is_shouted) if is_free else chunk
            pairs.append((folded, chunk))
    names = {word for word, chunk in pairs[1:] if chunk != chunk.lower()}
    return _Text([word for word, _ in pairs], names, plain.count(","))


def _parts(chunk: str) -> Iterator[str]:
    """A word without the punctuation around it; the end of a sentence is a word of its own."""
    opened = chunk.strip(_BRACKETS)
    bare = opened.rstrip(f"{_STOPS}?{_BRACKETS}–—")  # noqa: RUF001 - not the sign in "A-"
    if not re.match(r"[.!+−-]\w", bare):  # noqa: RUF001 - signs that are part of what follows
        bare = bare.lstrip(f"{_STOPS}{_BRACKETS}{_DASHES}*•")
    behind = opened[opened.find(bare) + len(bare) :]
    if bare:
        yield f"{bare}," if bare.lower() in {"no", "not"} and "," in behind else bare
    if "?" in behind:
        yield "?"
    elif bare and set(behind) & set(".;:!…"):
        yield "."


def _fold(word: str, before: str, *, is_shouted: bool) -> str:
    """The word in small letters, unless it may mean something else so."""
    low = word.lower()
    if len(word) == 1:
        return low if low == "i" or (low == "a" and not before) else word
    parts = re.split(r"['-]", word.removesuffix(","))
    is_word = all(part.isalpha() or not part for part in parts)
    is_unit = len(word) <= 3 and any(letter.isdigit() for letter in before)
    if not is_word or is_unit:
        return word
    if word.isupper():
        return low if is_shouted or _is_loud(word) else word
    return low if all(part[1:] == part[1:].lower() for part in parts) else word


def _is_moved(one: _Text, other: _Text) -> bool:
    """Whether a time, a place or a clause stands first in one and last in the other."""
    if not _BOUND.isdisjoint(one.words) or any(word.endswith("n't") for word in one.words):
        return False
    return _leads(one, other) or _leads(other, one)


def _leads(one: _Text, other: _Text) -> bool:
    """Whether what moved stands first in one; only there a comma can be the one behind it."""
    words = one.words
    if one.commas > 1 or other.commas:
        return False
    if words[0] in _TIMES:
        return other.words == [*words[1:], words[0]]
    cuts = range(2, min(len(words), _LONGEST)) if words[0] in _PLACES else ()
    return any(other.words == words[cut:] + words[:cut] for cut in cuts)


def _is_relisted(one: _Text, other: _Text) -> bool:
    """Whether two that "and" connects are exchanged, at the start or the end of the text."""
    for place in (0, len(one.words) - 3):
        former, link, latter = one.words[place : place + 3] if len(one.words) > 3 else ("",) * 3
        exchanged = [*one.words[:place], latter, link, former, *one.words[place + 3 :]]
        if link == "and" and exchanged == other.words:
            return _is_list(one, place) and _is_list(other, place)
    return False


def _is_list(text: _Text, place: int) -> bool:
    """Whether names are connected, or things behind a word that takes some; not deeds."""
    rest = text.words[:place] + text.words[place + 3 :]
    if text.commas or not _BOUND.isdisjoint(rest):
        return False
    beside = rest[-1] if place else rest[0]
    if place and beside in _TAKES:
        return True
    return text.words[place + 2] in text.names and beside not in text.names
