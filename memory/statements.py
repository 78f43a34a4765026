"""What a user states: the facts in their words by rules (English), and which correct which.

In doubt a sentence is no fact: what is wrongly kept is recalled again and again, and what is
wrongly left out is said again.
"""

import re

from pydantic import BaseModel, ConfigDict, Field

from cogwork.core.secrets import holds_secret

__all__ = ["Fact", "denies", "draw_facts", "replaces"]


class Fact(BaseModel):
    """Something worth knowing later."""

    model_config = ConfigDict(frozen=True)

    text: str = Field(description="One sentence that can be understood alone.")
    importance: float = Field(ge=0, le=1, description="How much it will matter later.")
    corrects: bool = Field(False, description="Whether it corrects what was said before.")


_LONGEST = 500  # characters of a statement; what is longer is material, not a fact

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|(?<=[.!?;][\"”»])\s+|\n+")
_QUOTED = re.compile(  # an open one ends with its line
    r"(?<!\w)(?:\"(?:[^\"]*\"|.*)|“(?:[^”]{0,2000}”|.*)|„(?:[^“”]{0,2000}[“”]|.*)|«(?:[^»]{0,2000}»|.*)"
    r"|['‘].{0,300}?['’](?!\w))"  # noqa: RUF001 - the ones that are set
)
_GLUE = "\0"  # in place of white space in quotations, which are not cut
_WISH = re.compile(
    r"(?i)^(?:please\s+)?(?:remember|note|keep in mind|don'?t forget|for the record)"
    r"(?:\s+that|\s*[:,])\s*"
)
_CORRECTION = re.compile(
    r"(?i)^(?:(?:no|wait|sorry|actually|correction|i (?:meant|mean|was wrong))\b[\s,:–—-]*)+"  # noqa: RUF001 - dashes
)
_INSTEAD = re.compile(r"(?i),\s*not\b|\binstead of\b|\brather than\b")
_QUESTION = re.compile(
    r"(?i)^(?:what|who|whose|where|when|why|how|which|can|could|would|will|shall|should|do|does|did"
    r"|is|are|was|were|may)\b.*|.*\?\W*$"
)
_LASTING = re.compile(
    r"(?i)^(?:please\s+)?(?:always|never|from now on,?(?:\s+(?:please|always|never))?)\s+(?:answer|reply"
    r"|respond|write|use|call|address|speak|keep|give|show|explain|format|start|end|add|include|ask)\b"
)
_UNSAY = (
    r"(?:forget|delete|remove|erase|clear|scratch|ignore|disregard|never mind|stop)\b(?!\s+me\b)"
)
_REQUEST = re.compile(
    rf"(?i)^(?:(?:oh|ok|okay|and|so|but|also|then|well|just|please)\b[\s,]*)*(?:{_UNSAY}"
    r"|(?:don't|do not)\s+(?:remember|keep|store|save|memori[sz]e|note)\b"
    rf"|you\s+(?:can|may|should|must)\s+{_UNSAY})|.*[,:]\s*(?:please\s+)?forget\b"
    r"|^(?:my|our|the|one|another)\s+(?:\w+\s+){0,2}?(?:question|query|request|guess|doubt)s?\s+(?:is|are|was)\b"
    r"|^(?:please\b|i(?:'d| would) like\b|i (?:want|need) (?:you|to)\b|i (?:don't|do not) want you\b|let'?s\b"
    r"|(?:translate|summari[sz]e|rewrite|rephrase|proofread|correct|complete|explain|repeat|say"
    r"|write|print|send|tell)\b|[\"“«„'>])"
)
_SUPPOSED = re.compile(
    r"(?i)\b(?:if|unless|in case|what if|suppose|supposing|imagine|assume|assuming|pretend|would"
    r"|could|might|maybe|perhaps|possibly|probably|i (?:think|guess|believe|wish|hope))\b"
)
_JOKE = re.compile(
    r"(?i)(?:\b(?:just|only|i'?m|i am)\s+)*\b(?:kidding|joking|jk|lol|lmao|rofl|ha(?:ha)+h?)\b"
    r"|(?:^|\s)/s$|;-?\)|[😂🤣😜😉🙃]"
)
_NOT = r"(?:(?:do not|don't|did not|didn't|can't|cannot|no longer|now|also|really)\s+)*"
_BEING = (  # what "I am …" makes a fact
    r"(?:not\s+|no longer\s+)?(?:an?(?!\s+(?:bit|little)\b)|the|allergic|from|based|called|married"
    r"|responsible|\d\w*|vegetarian|vegan|diabetic|pregnant|divorced|widowed|single|engaged to|retired"
    r"|unemployed|self-employed|left-handed|deaf|blind|colou?r-?blind|dyslexic"
    r"|(?-i:(?!(?:Ok|Okay|Sorry|Sure|Fine)\b)[A-Z][a-z]+))\b"  # German, Ada
)
_GOT = (
    r"got\s+(?:(?:engaged|married|divorced|promoted|hired|fired)\b|an?\s+(?:\w+\s+){0,2}?"
    r"(?:job|position|degree|dog|cat|puppy|kitten|pet|car|house|flat|apartment)\b)"
)
_BROKE = r"broke\s+my\s+(?:\w+\s+)?(?:leg|arm|foot|hand|wrist|ankle|hip|nose|knee|finger|toe|rib)"
_PERSONAL = re.compile(
    r"(?i)\b(?:my|our)\s+\w+(?:\s+\w+){0,3}?\s+(?:(?:is|are|was|has|have|does|do)(?:n't)?|can't|won't"
    r"|cannot|never|no longer|works?|lives?|likes?|hates?|prefers?|studies|speaks|retired|died\s+(?:in|of)"
    r"|(?:started|finished)\s+(?:school|kindergarten|university|college))\b"
    rf"|\bi(?:'m| am|'ve been)\s+{_BEING}"
    rf"|\b(?:i|we)(?:'ve)?\s+{_NOT}(?:always|never|usually|prefer|live|work|own|use|speak|study|moved|eat"
    rf"|drink|lived|grew up|was born|became\s+(?:an?|vegan|vegetarian)|drive\s+an?|{_GOT}|{_BROKE}"
    r"|have(?!\s+(?:\w+\s+){0,2}(?:questions?|problems?|issues?|ideas?|time|look|doubts?)\b)"
    r"|(?:like|love|hate|dislike|play|teach)(?!\s+(?:it|this|that|you|your)\b))\b|\bcall me\b"
)
_FLEETING = re.compile(r"(?i)\b(?:right now|at the moment|today|tonight|just now|this time)\b")
_NAMED = re.compile(
    r"\d|(?<=\s)[A-Z]\w|^(?!(?:It|This|That|There|He|She|They|You|Yes|No)\b)[A-Z]\w+\s+(?:is|was|has)\b"
)
_STATED = re.compile(r"\b(?:is|are|was|were|has|have|means|costs|belongs|starts|ends)\b")

_ONE_VALUE = re.compile(r"\b(?:is|are|was|called|named|(?:live|work)s? (?:in|at|for))$")
_NEGATIONS = frozenset({"not", "no", "never", "longer", "anymore"})
_FILLERS = frozenset({"do", "does", "now", "really", "actually"})
_WHOLE = {"can't": "can not", "cannot": "can not", "won't": "will not"}


def draw_facts(said: str) -> list[Fact]:
    """Return the statements in what a user said, with an importance by rules (English).

    0.9 for what is to be remembered by wish, 0.7 for what the user says of themselves,
    0.5 for other statements that hold a name or a number, 0.3 less for what is fleeting.
    Questions, requests (but lasting ones: "Always answer in German"), quotations, suppositions
    and jokes are left out; secrets even by wish.
    """
    drawn: list[Fact] = []
    for sentence in _sentences(said):
        if _JOKE.search(sentence):
            if not re.search(r"\w", _JOKE.sub("", sentence)):  # takes back the one before
                drawn = drawn[:-1]
            continue
        text = _WISH.sub("", sentence).strip()
        bare = _CORRECTION.sub("", text)
        importance = _importance(bare, is_wish=text != sentence.strip())
        if importance > 0 and bare and len(bare) <= _LONGEST and not holds_secret(bare):
            corrects = bare != text or _INSTEAD.search(bare) is not None
            drawn.append(Fact(text=bare, importance=importance, corrects=corrects))
    return drawn


def denies(one: str, other: str) -> bool:
    """Whether two statements differ in a negation only, so that both cannot hold."""
    first, second = _words(one), _words(other)
    is_denied = _NEGATIONS.isdisjoint(first) != _NEGATIONS.isdisjoint(second)
    return is_denied and _bare(first) == _bare(second) != []


def replaces(correction: str, known: str) -> bool:
    """Whether a correction says something else of the same: "My name is Ada", "… is Eve".

    Only of what has one value, such as a name or where one lives: who likes tea may like
    coffee too.
    """
    new, old = _words(correction), _words(known)
    shared = next(
        (place for place, pair in enumerate(zip(new, old, strict=False)) if len({*pair}) > 1),
        min(len(new), len(old)),
    )
    both = " ".join(old[:shared])
    return 2 * shared >= len(old) > shared > 1 and _ONE_VALUE.search(both) is not None


def _sentences(said: str) -> list[str]:
    """Cut what was said into sentences, a quotation never."""
    glued = _QUOTED.sub(lambda quote: re.sub(r"\s", _GLUE, quote[0]), said)
    return [sentence.replace(_GLUE, " ") for sentence in _SENTENCE.split(glued)]


def _importance(text: str, *, is_wish: bool) -> float:
    own = _QUOTED.sub('""', text).replace("’", "'")  # noqa: RUF001 - the one that is set
    if _QUESTION.match(own):
        return 0.0
    if is_wish:
        return 0.9
    lasting = _LASTING.match(own)
    if _SUPPOSED.search(own) or (_REQUEST.match(own) and not lasting):
        return 0.0
    fleeting = 0.3 if _FLEETING.search(own) else 0.0
    if lasting or _PERSONAL.search(own):
        return 0.7 - fleeting
    names = _NAMED.search(text)
    return 0.5 - fleeting if names and _STATED.search(own) else 0.0


def _words(text: str) -> list[str]:
    plain = text.casefold().replace("any more", "anymore").replace("’", "'")  # noqa: RUF001 - the one that is set
    found = (_WHOLE.get(word, word.replace("n't", " not")) for word in re.findall(r"[\w']+", plain))
    return " ".join(found).split()


def _bare(words: list[str]) -> list[str]:
    """The words that a negation leaves as they are; "lives" is "does not live"."""
    return [word.removesuffix("s") for word in words if word not in _NEGATIONS | _FILLERS]
