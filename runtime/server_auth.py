"""Who may use LangGraph's server: bearer tokens, and to each user what is theirs.

`"auth": {"path": "cogwork.runtime.server_auth:auth"}` in `langgraph.json` turns it on. Tokens are
told by the variable `COGWORK_SERVER_TOKENS`, as `user=SHA-256 of the token` with commas between;
nothing is let in unless it is set. `printf %s "$TOKEN" | sha256sum` prints the sum.

Threads, runs, crons and assistants that a user makes are seen by that user alone; the assistant of
each graph by all. In the store a user reaches only what is below `("memories", their label)`
and `(their id,)`.
"""

import hashlib
import hmac
import os
import re
from typing import Any, Final

from langgraph_sdk import Auth

from cogwork.core.errors import ConfigurationError
from cogwork.memory.namespaces import user_namespace

__all__ = ["auth"]

VARIABLE: Final = "COGWORK_SERVER_TOKENS"
_SUM: Final = re.compile(r"[0-9a-f]{64}")

auth = Auth()


@auth.authenticate
async def authenticate(authorization: str | None) -> Auth.types.MinimalUserDict:
    """Return the user whose token a request carries."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Auth.exceptions.HTTPException(
            status_code=401, detail="send the header 'Authorization: Bearer TOKEN'"
        )
    given = hashlib.sha256(token.strip().encode()).hexdigest()
    # Each is compared, so that the time tells nothing.
    found = [user for user, known in read_tokens().items() if hmac.compare_digest(given, known)]
    if not found:
        raise Auth.exceptions.HTTPException(status_code=401, detail="the token is not known")
    return {"identity": found[0]}


@auth.on
async def own(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> Auth.types.FilterType:
    """Mark what a user makes, and let them see what bears their mark."""
    mark = {"owner": ctx.user.identity}
    value.setdefault("metadata", {}).update(mark)
    return mark


@auth.on(resources="assistants", actions=["read", "search"])
async def assistants(ctx: Auth.types.AuthContext, value: Any) -> Any:  # noqa: ARG001 - by name
    """Let all see the assistant of each graph."""
    return {"$or": [{"owner": ctx.user.identity}, {"created_by": "system"}]}


@auth.on.store
async def memories(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool:
    """Let a user reach their own memories, and a namespace that begins with their id."""
    user = ctx.user.identity
    namespace = tuple(value.get("namespace") or ())
    return namespace[:1] == (user,) or namespace[:2] == user_namespace(user)[:2]


def read_tokens() -> dict[str, str]:
    """Return the SHA-256 of each user's token.

    Raises:
        ConfigurationError: An entry is not `user=64 hexadecimal digits`, or a user has two.
    """
    found: dict[str, str] = {}
    for entry in filter(None, map(str.strip, os.environ.get(VARIABLE, "").split(","))):
        user, _, digest = entry.rpartition("=")
        if not user or not _SUM.fullmatch(digest.lower()) or user in found:
            raise ConfigurationError(
                f"{VARIABLE}: the entry of '{user or '?'}' is none, or a second one; write "
                "user=SHA-256 of the token, with commas between"
            )
        found[user] = digest.lower()
    return found
