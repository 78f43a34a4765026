"""Messages between agents: `create_bus` makes a bus, `Bus.join` a `Mailbox` on it.

`message` says what a message is and what can go wrong, `mailbox` what an agent can do,
`invitation` how agents are won for a collaboration. Behind them, `inboxes` holds the rules
as statements, `worker` runs them on one thread, many in a transaction, and `sqlite` and
`postgres` are what it talks to.
"""

from cogwork.core.bus.bus import Bus, create_bus
from cogwork.core.bus.invitation import Collaboration, answer_invitation, invite
from cogwork.core.bus.mailbox import Mailbox
from cogwork.core.bus.message import (
    BusError,
    InboxFullError,
    InvalidMessageError,
    Member,
    Message,
    NoReplyError,
    Priority,
    UnknownAgentError,
)
from cogwork.core.bus.sending import Sending

__all__ = [
    "Bus",
    "BusError",
    "Collaboration",
    "InboxFullError",
    "InvalidMessageError",
    "Mailbox",
    "Member",
    "Message",
    "NoReplyError",
    "Priority",
    "Sending",
    "UnknownAgentError",
    "answer_invitation",
    "create_bus",
    "invite",
]
