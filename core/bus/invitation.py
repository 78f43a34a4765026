"""Winning agents for a collaboration: at most five are invited, and at most three join."""

import asyncio
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cogwork.core.bus.mailbox import Mailbox
from cogwork.core.bus.message import InboxFullError, InvalidMessageError, Message, NoReplyError

__all__ = ["Collaboration", "answer_invitation", "invite"]

_INVITED: Final = 5
_JOINED: Final = 3
_INVITATION: Final = "invitation"
_RESULT: Final = "collaboration"


@dataclass(frozen=True, slots=True)
class Collaboration:
    """Who was invited to what, and what became of it; each tuple in the order it happened.

    Args:
        conversation: In which those who joined go on.
        joined: Who accepted in time.
        turned_away: Who accepted when three had joined already.
        declined: Who did not want to.
        silent: Who had not answered when the time was over or three had joined.
        not_invited: Who was beyond the first five.
    """

    conversation: str
    joined: tuple[str, ...]
    turned_away: tuple[str, ...]
    declined: tuple[str, ...]
    silent: tuple[str, ...]
    not_invited: tuple[str, ...]


async def invite(
    mailbox: Mailbox,
    agents: Iterable[str],
    body: Any,
    *,
    timeout: float = 30.0,  # noqa: ASYNC109 - runs out with a result, not by cancellation
) -> Collaboration:
    """Invite the first five of these agents; the first three who accept join.

    It ends when three have joined, all have answered, or the time is over. Each who was
    invited is then told who joined, by a message of kind `collaboration`; an answer that
    comes after that is an ordinary message in the inbox.

    Args:
        mailbox: Of the agent that invites.
        agents: Names, the best first.
        body: What it is about; JSON data.
        timeout: Seconds to wait for answers.

    Raises:
        UnknownAgentError: One of those invited has not joined the bus.
    """
    names = [name for name in dict.fromkeys(agents) if name != mailbox.name]
    invited, conversation = names[:_INVITED], uuid.uuid4().hex
    answers = await _answers(mailbox, invited, body, conversation, timeout)
    willing = [name for name, joins in answers.items() if joins]
    found = Collaboration(
        conversation,
        joined=tuple(willing[:_JOINED]),
        turned_away=tuple(willing[_JOINED:]),
        declined=tuple(name for name, joins in answers.items() if not joins),
        silent=tuple(name for name in invited if name not in answers),
        not_invited=tuple(names[_INVITED:]),
    )
    for name in invited:
        news = {"joined": list(found.joined), "you": name in found.joined}
        await mailbox.send(name, news, kind=_RESULT, conversation=conversation, timeout=timeout)
    return found


async def answer_invitation(mailbox: Mailbox, invitation: Message, *, joins: bool) -> str:
    """Accept or decline an invitation, and acknowledge it; return the answer's id.

    Raises:
        InvalidMessageError: The message is no invitation.
    """
    if invitation.kind != _INVITATION:
        raise InvalidMessageError(
            f"message {invitation.id} is of kind '{invitation.kind}' and no invitation; "
            "answer it by reply()"
        )
    return await mailbox.reply(invitation, {"joins": bool(joins)})


async def _answers(
    mailbox: Mailbox, names: list[str], body: Any, conversation: str, seconds: float
) -> dict[str, bool]:
    """What each said, in the order of the answers, until enough have accepted."""
    answers: dict[str, bool] = {}

    async def ask(name: str) -> None:
        try:
            reply = await mailbox.ask(
                name, body, kind=_INVITATION, conversation=conversation, timeout=seconds
            )
        except (NoReplyError, InboxFullError):
            return  # it is silent
        answers[name] = isinstance(reply.body, dict) and reply.body.get("joins") is True

    asking = [asyncio.create_task(ask(name)) for name in names]
    try:
        for done in asyncio.as_completed(asking):
            await done
            if sum(answers.values()) >= _JOINED:
                break
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    return answers
