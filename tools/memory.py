"""Tools by which a model keeps, recalls and forgets knowledge.

Whose knowledge it is says the run, never the model: no tool has a parameter for it.
`cogwork.nodes.memories.memory_tools` makes them for the store and the user of a run.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from cogwork.core.errors import ToolError
from cogwork.core.secrets import holds_secret
from cogwork.tools.base import tool
from cogwork.tools.taint import TAINTED, has_read, inherited_taint

__all__ = ["Knowledge", "Known", "make_memory_tools"]

_MOST = 20
_LONGEST = 4_000


class Known(Protocol):
    """One thing that is known."""

    @property
    def id(self) -> str:
        """Names it within one user's knowledge."""

    @property
    def text(self) -> str:
        """What is known."""

    @property
    def taint(self) -> Sequence[str]:
        """The untrusted sources that it was drawn from."""

    @property
    def repeats(self) -> int:
        """How often it was remembered again."""


class Knowledge(Protocol):
    """What one user's knowledge can do; `SemanticMemory` is one."""

    async def remember(
        self, text: str, *, metadata: Mapping[str, Any] | None = None, importance: float = 0.5
    ) -> Known:
        """Keep a text."""
        ...

    async def search(self, query: str, k: int = 5) -> Sequence[Known]:
        """Return the best for a query."""
        ...

    async def forget(self, key: str) -> bool:
        """Delete by id."""
        ...


def make_memory_tools(open_knowledge: Callable[[RunnableConfig], Knowledge]) -> list[BaseTool]:
    """Make the tools `remember`, `recall` and `forget`.

    Args:
        open_knowledge: Gives the knowledge of the run's user from the run's config.
    """

    @tool(effect="write", idempotent=True, network=False, parse_docstring=True)
    async def remember(text: str, config: RunnableConfig, importance: float = 0.5) -> str:  # noqa: D417 - the model does not see the config
        """Keep a fact for later conversations: one sentence that can be understood alone.

        Args:
            text: The fact, with names instead of "he" or "there".
            importance: How much it matters, from 0 to 1.
        """
        if not text.strip() or len(text) > _LONGEST:
            raise ToolError(
                f"a text of {len(text)} characters is not kept; send between 1 and {_LONGEST}"
            )
        if holds_secret(text):
            raise ToolError(
                "this tells a password, a key or a number of that kind, and memories keep none; "
                "leave it out, and remember where it is kept"
            )
        taint = inherited_taint()  # what a tainted run remembers taints the run that recalls it
        kept = await open_knowledge(config).remember(
            text,
            metadata={"source": "agent", **({TAINTED: taint} if taint else {})},
            importance=min(max(importance, 0.0), 1.0),
        )
        return f"Known already as [{kept.id}]." if kept.repeats else f"Kept as [{kept.id}]."

    @tool(effect="read", network=False, parse_docstring=True)
    async def recall(query: str, config: RunnableConfig, limit: int = 5) -> str:  # noqa: D417 - the model does not see the config
        """Look up what was kept in this and earlier conversations.

        Args:
            query: What to look for.
            limit: How many facts at most, up to 20.
        """
        found = await open_knowledge(config).search(query, min(max(limit, 1), _MOST))
        has_read(*(source for one in found for source in one.taint))
        return "\n".join(f"[{one.id}] {_line(one.text)}" for one in found) or "Nothing is known."

    @tool(effect="write", idempotent=True, network=False, parse_docstring=True)
    async def forget(id: str, config: RunnableConfig) -> str:  # noqa: A002, D417 - the model's word; it does not see the config
        """Delete a fact that is wrong, or that the user wants deleted.

        Args:
            id: What stands in brackets before the fact.
        """
        gone = await open_knowledge(config).forget(id.strip(" []"))
        if not gone:
            raise ToolError(f"nothing is kept as [{id}]; recall it first to see its id")
        return f"Forgotten: [{id}]."

    return [remember, recall, forget]


def _line(text: str) -> str:
    """A text on one line, so that none can pass for several facts."""
    return " ".join(text.split())
