"""The rule-based offline model: the floor on which everything runs without key or network.

`model` is the LangChain chat model. It reads the messages (`conversation`, `sections`,
`directives`), splits the goal into steps (`goals`), and goes through them (`replay`,
`doing`): each way of doing a step (`using` a tool, `calculating`, `consulting` documents
and tables, `writing`, `recalling`) is a generator that yields the tool calls it needs and
is sent what they gave. `reply` says what comes next; `structured` fills schemas.
"""

from cogwork.core.offline.model import OfflineChatModel

__all__ = ["OfflineChatModel"]
