"""Names in a text: capitalised words, told from those that only begin a sentence."""

import re
from collections.abc import Iterator, Sequence, Set

from cogwork.core.words import content_words

__all__ = ["find_names"]

_WORD = re.compile(r"(?<!\w)[^\W\d_](?:[\w&-]|['’.](?=\w))*+")  # noqa: RUF001 - as people type it
_POSSESSIVE = re.compile(r"['’]s$|(?<=s)['’]$")  # noqa: RUF001 - as people type it
_TITLES = {"dr", "mr", "mrs", "ms", "prof", "st"}
_LINKS = {"of", "de", "la", "le", "du", "da", "di", "del", "der", "den", "van", "von", "al"}
_LIKE = re.compile(r"(?:,| or| and| vs\.?| versus| against) ")
# Words that often begin a sentence and are no names, besides those that are never names.
_LISTED = (
    "add analyse analyze arrange ask assess audit bad best better book break bring build buy "
    "calculate call cancel change check choose clean close collect come compare compute convert "
    "create cut default delete deploy describe design determine draft draw due each enter estimate "
    "evaluate examine explain export fetch fill find first fix forecast generate get give go good "
    "had hello help hi hey identify imagine import install interpret investigate judge keep list "
    "look make maximum mean minimum move name need new now number one open order our outline pay "
    "plan play plot port predict prepare print pros put rank read record redact remind remove "
    "rename renew rent reply report restart return review rewrite run save say schedule search "
    "second see sell send set share show solve sort split start stop submit suggest sum summarise "
    "summarize take tell test thanks think three total track train transfer translate try turn "
    "two update use using wait walk want work write yes no ok"
)
_OPENERS = frozenset(_LISTED.split())


def find_names(text: str, taken: Sequence[tuple[int, int]] = ()) -> Iterator[tuple[int, int]]:
    """Yield where names begin and end.

    A text in capitals has none.

    Args:
        text: Of any length.
        taken: Spans in which no name is looked for.
    """
    letters = sum(map(str.isalpha, text))
    if not letters or sum(map(str.isupper, text)) > 0.6 * letters > 6:
        return
    content = content_words(text.casefold()).keys()
    words = list(_free(text, sorted(taken)))
    inside = {
        word.group() for word, starts in words if not starts and _is_capitalised(word.group())
    }
    for run in _runs(text, words):
        yield from _name(text, run, content, inside)


def _free(text: str, taken: list[tuple[int, int]]) -> Iterator[tuple[re.Match[str], bool]]:
    """The words outside the spans, each with whether it begins a sentence."""
    place, end, spans = 0, 0, iter(taken)
    following = next(spans, None)
    for word in _WORD.finditer(text):
        while following is not None and following[0] <= word.start():
            end = max(end, following[1])
            following = next(spans, None)
        between = text[place : word.start()]
        starts = place == 0 or bool(re.search(r"[.!?:\n\"“„‘«(•-]", between[:50]))  # noqa: RUF001
        before = text[max(0, place - 4) : place].casefold().split()
        if before and before[-1].strip(".") in _TITLES:
            starts = False
        place = word.end()
        if word.start() >= end:
            yield word, starts


def _is_capitalised(word: str) -> bool:
    return word[0].isupper() and word != "I" and not re.match("I['’]", word)  # noqa: RUF001


def _is_marked(word: str) -> bool:
    """Whether its letters alone show a name: NASA, MySQL, iPhone, B2."""
    return len(word) > 1 and any(each.isupper() or each.isdigit() for each in word[1:])


def _runs(
    text: str, words: list[tuple[re.Match[str], bool]]
) -> Iterator[list[tuple[re.Match[str], bool]]]:
    """Capitalised words that stand together; a "von" or "of the" may stand between."""
    run: list[tuple[re.Match[str], bool]] = []
    links: list[tuple[re.Match[str], bool]] = []
    for (word, starts), (before, _) in zip(
        words, [words[0], *words] if words else [], strict=False
    ):
        said = word.group()
        gap = text[before.end() : word.start()]
        joined = bool(run) and gap.strip(" \u00a0") in ("", ".") and len(gap) <= 2 and not starts
        if joined and said in _LINKS and len(links) < 2:
            links.append((word, starts))
            continue
        capital = _is_capitalised(said) or _is_marked(said)
        if run and not (capital and joined and not _ends(run, links)):
            yield run
            run = []
        if capital:
            run += [*(links if run else []), (word, starts)]
        links = []
    if run:
        yield run


def _ends(run: list[tuple[re.Match[str], bool]], links: list[tuple[re.Match[str], bool]]) -> bool:
    """Whether a name is over: after an apostrophe and s, what follows is owned."""
    return bool(_POSSESSIVE.search((links or run)[-1][0].group()))


def _name(
    text: str,
    run: list[tuple[re.Match[str], bool]],
    content: Set[str],
    inside: set[str],
) -> Iterator[tuple[int, int]]:
    """The name that a run of words is, without what only begins the sentence."""
    words = [word for word, _ in run]
    first = words[0].group()
    plain = _POSSESSIVE.sub("", first).casefold()
    if not _is_marked(first.split("-")[0]):
        shown = len(words) > 1 or first in inside or plain != first.casefold()
        begins = plain in _OPENERS or not (shown or _is_like_name(text, words[0].end()))
        if plain not in content or (run[0][1] and begins):
            words = words[1:]
    while words and words[0].group() in _LINKS:
        words = words[1:]
    if words:
        last = words[-1]
        yield words[0].start(), last.end() - len((_POSSESSIVE.search(last.group()) or [""])[0])


def _is_like_name(text: str, end: int) -> bool:
    """Whether a second name follows: "Lisbon or Porto"."""
    link = _LIKE.match(text, end)
    return bool(link and text[link.end() : link.end() + 1].isupper())
