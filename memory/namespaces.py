"""Whose memory it is: one namespace per user and agent, whatever a user's id looks like."""

import hashlib
import string

from cogwork.core.errors import ConfigurationError

__all__ = ["label", "user_namespace"]

_PLAIN = frozenset(string.ascii_lowercase + string.digits + "-_")
_LONGEST = 120


def user_namespace(user: str, agent: str | None = None) -> tuple[str, ...]:
    """Return the namespace of a user's memories, or of one agent's memories of a user.

    Different users get namespaces of which neither begins with the other, whatever their
    ids hold: dots, slashes, wildcards, control characters, or another user's namespace.
    The memories of an agent do not lie under those of the user, so that neither finds
    the other's.

    Args:
        user: The user's id, as the application authenticated it.
        agent: The agent's name; None for what all agents share.

    Raises:
        ConfigurationError: The user's id or the agent's name is empty or no text.
    """
    scope = ("shared",) if agent is None else ("agent", label(agent, "agent"))
    return ("memories", label(user, "user"), *scope)


def label(name: str, what: str = "name") -> str:
    """Return a label of a namespace for any text; different texts get different ones.

    Small letters, digits, `-` and `_` stand for themselves, other bytes as `%2E`; capitals
    too, since some stores compare without case. A long name is replaced by its hash.

    Raises:
        ConfigurationError: It is empty or no text.
    """
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{what} is {name!r}; a memory needs a name to belong to")
    encoded = "".join(
        letter if letter in _PLAIN else _escaped(letter.encode(errors="surrogatepass"))
        for letter in name
    )
    if len(encoded) <= _LONGEST:
        return f"{what}-{encoded}"
    whole = name.encode(errors="surrogatepass")
    return f"{what}~{hashlib.blake2b(whole, digest_size=32).hexdigest()}"


def _escaped(raw: bytes) -> str:
    return "".join(f"%{byte:02x}" for byte in raw)
