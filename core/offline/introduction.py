"""The introduction: what the offline model says of itself."""

import re

from cogwork.core.offline.toolbox import Toolbox

__all__ = ["ABOUT", "introduce"]

ABOUT = (
    "I am cogwork's rule-based offline model: I follow rules, and there is no language model "
    "behind me. "
    "I call the tools I am given and answer only from what they show. "
    "To use a language model, set the environment variable COGWORK_MODEL, e.g. `openai:gpt-…`."
)
_WHO = re.compile(
    r"(?i)^\W*(?:(?:hi|hello|hey)\W+)?(?:please\s+)?(?:(?:can you\s+)?(?:tell me\s+)?"
    r"(?:about yourself|who (?:are you|you are|am i talking to))"
    r"|introduce yourself|what are you|what(?:'s| is) your name"
    r"|(?:what|which) (?:language |ai )?(?:model|llm|ai|version)(?: model)? (?:are you|is this"
    r"|do you use|am i (?:talking|speaking) to|is behind (?:you|this))"
    r"|are you (?:an? )?(?:ai|llm|gpt|chatgpt|human|robot|bot|language model|real"
    r"|a real person)\b.*)\W*$"
)
_ABILITY = re.compile(
    r"(?i)^\W*(?:what can you do|how can you help(?: me)?|what are you able to do|help"
    r"|what tools do you have|which tools (?:do you have|are (?:available|bound)))\W*$"
)
_HELLO = re.compile(
    r"(?i)^\W*(?:hi|hello|hey|good (?:morning|evening|afternoon|day)|greetings)(?: there)?\W*$"
)
_THANKS = re.compile(
    r"(?i)^\W*(?:thanks?|thank you|thx|cheers|great|perfect|ok(?:ay)?|well done|good)(?:[\s,!.]+"
    r"(?:a lot|so much|very much|you|thanks|thank you|that is all|bye))*\W*$"
)


def introduce(goal: str, tools: Toolbox) -> str:
    """Answer questions about the model itself and greetings; nothing for any other goal."""
    if _WHO.match(goal):
        return ABOUT
    if _ABILITY.match(goal):
        listed = ", ".join(spec.name for spec in tools.specs)
        return f"{ABOUT} {f'My tools are {listed}.' if listed else 'No tool is bound.'}"
    if _HELLO.match(goal):
        return f"Hello. {ABOUT}"
    return "You're welcome." if _THANKS.match(goal) else ""
