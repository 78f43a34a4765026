"""Namespaces as sortable text: every label is followed by a dot.

Labels hold no dots (LangGraph refuses them), so `("a", "b")` is `a.b.` and nothing else
is, and what lies under a prefix is one range of the index.
"""

from collections.abc import Iterable

from langgraph.store.base import MatchCondition

from cogwork.core.errors import ConfigurationError

__all__ = ["Namespace", "common_prefix", "decode", "encode", "matches", "span"]

Namespace = tuple[str, ...]


def encode(namespace: Namespace) -> str:
    """Return the namespace as text, `("a", "b")` as `a.b.`."""
    return "".join(f"{label}." for label in namespace)


def decode(path: str) -> Namespace:
    """Return the namespace that `encode` made this text of."""
    return tuple(path.split(".")[:-1])


def span(prefix: Namespace) -> tuple[str, str]:
    """Return the half-open range of encoded namespaces that begin with `prefix`."""
    if not prefix:
        raise ValueError("the empty prefix has no upper end")
    path = encode(prefix)
    return path, path[:-1] + chr(ord(".") + 1)


def matches(namespace: Namespace, condition: MatchCondition) -> bool:
    """Whether the namespace meets the condition; `*` stands for any one label.

    Raises:
        ConfigurationError: The match type is neither `prefix` nor `suffix`.
    """
    path = condition.path
    if condition.match_type == "prefix":
        part = namespace[: len(path)]
    elif condition.match_type == "suffix":
        part = namespace[len(namespace) - len(path) :] if len(path) <= len(namespace) else ()
    else:
        raise ConfigurationError(
            f"match type '{condition.match_type}' is unknown; write 'prefix' or 'suffix'"
        )
    return len(part) == len(path) and all(
        wanted in ("*", label) for label, wanted in zip(part, path, strict=True)
    )


def common_prefix(conditions: Iterable[MatchCondition]) -> Namespace:
    """Return the longest fixed beginning that one of the conditions demands."""
    longest: Namespace = ()
    for condition in conditions:
        if condition.match_type == "prefix":
            path = condition.path
            fixed = path[: path.index("*")] if "*" in path else path
            longest = max(longest, tuple(fixed), key=len)
    return longest
