"""Fields: texts and numbers for the fields of a schema, by what the fields are called."""

import re
from collections.abc import Callable

from cogwork.core.offline.answers import asked_stems, extract, join, shorten, summarize
from cogwork.core.offline.goals import starts_with_verb
from cogwork.core.offline.judgements import best_option, judge
from cogwork.core.offline.literals import number
from cogwork.core.offline.matching import match_tool
from cogwork.core.offline.source import (
    Field,
    Source,
    labelled_number,
    labelled_text,
    only_number,
    stated_number,
)
from cogwork.core.offline.supply import topic
from cogwork.core.offline.words import NAME, STOPWORDS, coverage, names_in, stems, tokens, word_set

__all__ = ["number_for", "text_for"]

_ANSWER = word_set("answer result response output reply conclusion value finding solution")
_GOAL = word_set(
    "goal question query task objective request problem intent instruction instructions"
)
_SUMMARY = word_set("summary abstract overview synopsis gist recap digest")
_FEEDBACK = word_set("feedback critique comment assessment evaluation review verdict")
_REASON = word_set(
    "reason reasoning rationale explanation justification thought thoughts evidence analysis why"
)
_CLAIM = word_set("claim fact statement quote sentence passage")
_ORIGIN = word_set("source origin reference citation")
_COMPLEX = word_set("complexity difficulty effort")
_PICKED = word_set("choice option index selection selected best")
_LESSON = word_set("reflection lesson improvement suggestion advice")
_PERSON = word_set(
    "name person author customer user patient employee sender contact speaker assignee owner "
    "fullname firstname"
)
_PLACE = word_set("city location place country address town region venue")
_COMPANY = word_set("company organization organisation employer firm institution university school")
_JOB = word_set("job occupation profession role title position")
_TOPIC = word_set("topic subject theme title heading headline")
_BODY = word_set("text content body description message note detail details")
_TOOL = word_set("tool tools function")
_SCORE = word_set(
    "score rating grade quality relevance completeness coverage correctness accuracy similarity"
)
_AMOUNT = word_set("total number figure amount count sum mean average price")
_SURE = word_set("confidence probability certainty likelihood")

_INTRODUCED = re.compile(
    rf"(?:(?i:\bassign(?:ed)?\s+(?:it\s+|this\s+)?to|\bmy\s+name\s+is|\bname's|\bnamed|\bcalled"
    rf"|\bI\s+am|\bI'm|\bthis\s+is|\bMr\.?|\bMrs\.?|\bMs\.?|\bDr\.?|\bProf\.?))\s+"
    rf"(?P<v>{NAME.pattern})"
)
_OPENING = re.compile(
    rf"(?m)^\W*(?P<v>{NAME.pattern})\s*(?:,|\(|\b(?:is|was|has|lives|works|joined|born|founded"
    rf"|wrote|[a-z]+(?:s|ed))\b)"
)
_WHERE = re.compile(
    rf"\b(?:lives?\s+in|based\s+in|located\s+in|in|from|at|near|to)\s+(?:the\s+)?"
    rf"(?P<v>{NAME.pattern})"
)
_EMPLOYED = re.compile(
    rf"\b(?:works?\s+(?:at|for)|employed\s+(?:at|by)|joined|founded|at|for)\s+(?:the\s+)?"
    rf"(?P<v>{NAME.pattern})"
)
_WORKS_AS = re.compile(
    r"\b(?:is|was|am|works?\s+as|job\s+as)\s+(?:an?|the)\s+(?P<v>[a-z][\w -]{2,40}?)(?=\s*"
    r"(?:[,.;]|\bat\b|\bin\b|\bfrom\b|\bwho\b|\band\b|$))"
)
_PHONE = re.compile(r"(?<![\w.])\+?\d[\d ()/-]{6,}\d(?!\w)")
_TIME = re.compile(r"\b\d{1,2}:\d{2}(?:\s?[ap]m)?\b", re.IGNORECASE)
_DUE = re.compile(
    r"(?i)\b(?:by|before|until|due(?:\s+on)?)\s+(?P<v>(?:the\s+end\s+of\s+\w+|(?:next\s+"
    r"|this\s+)?\w+day|tomorrow|tonight|next\s+\w+|\d[\w./-]*(?:\s+[A-Z]\w+)?(?:\s+\d{4})?"
    r"|[A-Z]\w+\s+\d{1,2}(?:,?\s+\d{4})?))"
)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"


def text_for(field: Field, source: Source) -> str:
    """Return the text that `source` gives for a field, or nothing."""
    if field.schema.get("format") in {"date", "date-time"}:
        return _iso_date(field, source)
    for kind, reader in _EXACT.items():
        if not kind.isdisjoint(field.words):
            return reader(field, source)
    if found := labelled_text(field, source.texts):
        return found
    for kind, reader in _READERS.items():
        if field.is_a(kind):
            return reader(field, source)
    return ""


def number_for(field: Field, source: Source) -> int | float | None:
    """Return the number that `source` gives for a field, or `None`."""
    if field.is_a(_SCORE) and (source.answer or source.criteria):
        return _scaled(judge(source.goal, source.answer, source.criteria).score, field)
    if found := labelled_number(field, source.texts):
        return number(found)
    if field.is_a(_SURE):
        return None  # nothing here is measured that a confidence could stand on
    if field.is_a(_SCORE):
        return _confidence(field, source)
    if field.is_a(_COMPLEX):
        return _complexity(field, source)
    if field.is_a(_PICKED) and (option := best_option(source.goal, source.said)):
        return option
    if not field.is_a(_ANSWER | _AMOUNT):
        return None
    found = only_number(source.texts) or stated_number(source.answer)
    return number(found) if found else None


def _scaled(score: float, field: Field) -> int | float:
    """Bring a score in [0, 1] to the scale that the field names."""
    top = field.schema.get("maximum")
    if top is None:
        said = re.search(r"(?:out of|to|-|–)\s*(\d+)\b", field.description)
        top = float(said[1]) if said else 100 if "percent" in field.description.lower() else 1
    low = field.schema.get("minimum") or 0
    value = round(low + score * (top - low), 2)
    return round(value) if field.kind == "integer" else value


def _confidence(field: Field, source: Source) -> int | float | None:
    """Return which share of what is asked the material touches."""
    given = source.answer or source.material
    wanted = asked_stems(source.goal)
    if not given or not wanted:
        return None
    return _scaled(round(coverage(wanted, stems(given)), 2), field)


def _complexity(field: Field, source: Source) -> int | float:
    """Return a measure of the goal: its steps count most, then its names and its length."""
    goal = source.goal
    parts = 0.2 * len(source.steps) + 0.1 * len(names_in(goal)) + len(tokens(goal)) / 100
    return _scaled(round(min(1.0, parts), 2), field)


def _answer(_field: Field, source: Source) -> str:
    if source.answer:
        return source.answer
    if not source.material:
        return ""
    return join(extract(source.goal, [source.material], limit=3))


def _goal(_field: Field, source: Source) -> str:
    return source.goal


def _summary(_field: Field, source: Source) -> str:
    return join(summarize(source.material or source.answer or source.said, about=source.goal))


def _feedback(_field: Field, source: Source) -> str:
    return judge(source.goal, source.answer, source.criteria).feedback if source.answer else ""


def _reason(_field: Field, source: Source) -> str:
    if (
        source.answer
        and source.material
        and (found := extract(source.answer, [source.material], least=0.6))
    ):
        return join(found)
    found = extract(source.goal, [t for t in (source.material, source.answer) if t], least=0.6)
    if found:
        return join(found)
    return ""


def _lesson(_field: Field, source: Source) -> str:
    return (
        judge(source.goal, source.answer, source.criteria).reflections()[0] if source.answer else ""
    )


def _first(patterns: tuple[re.Pattern[str], ...], source: Source) -> str:
    for text in source.texts:
        for pattern in patterns:
            for found in pattern.finditer(text):
                value = str(found.groupdict().get("v") or found.group())
                if value.lower() not in STOPWORDS and not starts_with_verb(value + " it"):
                    return value
    return ""


def _person(_field: Field, source: Source) -> str:
    if found := _first((_INTRODUCED, _OPENING), source):
        return found
    for text in source.texts:
        places = {match["v"] for match in _WHERE.finditer(text)}
        rest = [name for name in names_in(text) if name not in places]
        if rest:
            return rest[0]
    return ""


def _place(_field: Field, source: Source) -> str:
    return _first((_WHERE,), source)


def _company(_field: Field, source: Source) -> str:
    return _first((_EMPLOYED,), source)


def _job(field: Field, source: Source) -> str:
    return _first((_WORKS_AS,), source) or (_topic(field, source) if "title" in field.words else "")


def _topic(_field: Field, source: Source) -> str:
    heading = re.search(r"(?m)^#+\s+(.+)$", source.material or source.said)
    if heading:
        return heading[1].strip()
    if source.material:
        return ""
    about = re.search(r"\b(?:about|on|regarding)\s+((?:[\w'-]+\s*){1,6})", source.goal)
    clause = re.split(r"[,.;:?!]\s", topic(source.goal), maxsplit=1)[0]
    return shorten(about[1].strip() if about else clause, 80)


def _origin(_field: Field, source: Source) -> str:
    """Return the name before a colon, as in "notes.txt: Ada founded Acme", or a path or URL."""
    named = re.match(r"[-*\s]*([\w./ -]{1,40}?):\s", source.material)
    found = [*source.literals.urls, *source.literals.paths]
    return named[1] if named else next(iter(found), "")


def _claim(_field: Field, source: Source) -> str:
    """Return a statement without the name of who makes it."""
    return re.sub(r"^[-*\s]*[\w./ -]{1,40}?:\s+", "", source.material or source.said)


def _body(_field: Field, source: Source) -> str:
    return source.material or source.answer or source.said


def _tool(_field: Field, source: Source) -> str:
    match = match_tool(source.goal, source.tools)
    return match.spec.name if match else ""


def _literal(name: str) -> Callable[[Field, Source], str]:
    def first(field: Field, source: Source) -> str:
        found = getattr(source.literals, name)
        near = labelled_text(field, source.texts)
        return next((value for value in found if value in near), None) or (
            found[0] if found else ""
        )

    return first


def _iso_date(field: Field, source: Source) -> str:
    """Return a date as the schema wants it: 3 March 2024 → 2024-03-03."""
    written = _literal("dates")(field, source)
    if re.match(r"\d{4}-\d{2}-\d{2}", written):
        return (
            written if field.schema["format"] == "date-time" or "T" not in written else written[:10]
        )
    month = re.search(r"[A-Za-z]{3}", written.replace("th", "").replace("nd", ""))
    day, year = re.search(r"\b\d{1,2}(?!\d)", written), re.search(r"\b\d{4}\b", written)
    if not (month and day and year) or month.group().lower() not in _MONTHS:
        return ""
    number_of_month = _MONTHS.split().index(month.group().lower()) + 1
    return f"{year.group()}-{number_of_month:02}-{int(day.group()):02}"


_EXACT: dict[frozenset[str], Callable[[Field, Source], str]] = {
    word_set("email mail"): _literal("emails"),
    word_set("url link website uri homepage"): _literal("urls"),
    word_set("path file filename filepath"): _literal("paths"),
    word_set("deadline due"): lambda _, source: _first((_DUE,), source),
    word_set("date birthday birthdate"): _literal("dates"),
    word_set("phone telephone mobile"): lambda _, source: _first((_PHONE,), source),
    word_set("time"): lambda _, source: _first((_TIME,), source),
}
_READERS: dict[frozenset[str], Callable[[Field, Source], str]] = {
    _CLAIM: _claim,
    _ORIGIN: _origin,
    _FEEDBACK: _feedback,
    _REASON: _reason,
    _LESSON: _lesson,
    _SUMMARY: _summary,
    _GOAL: _goal,
    _ANSWER: _answer,
    _TOOL: _tool,
    _COMPANY: _company,
    _PERSON: _person,
    _PLACE: _place,
    _JOB: _job,
    _TOPIC: _topic,
    _BODY: _body,
}
