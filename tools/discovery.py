"""Tools found by meaning, so that a model is shown the few that a task needs of thousands."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import log
from typing import TYPE_CHECKING, Any, Final

from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import BaseTool
from typing_extensions import Unpack

from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ConfigurationError, UnknownNameError
from cogwork.core.registry import Entry, Registry
from cogwork.core.words import content_words
from cogwork.tools.base import ToolOptions, as_tools, spec_of, tool

if TYPE_CHECKING:
    import numpy as np

__all__ = ["FIND_TOOLS", "FoundTool", "ToolRegistry", "as_needed"]

FIND_TOOLS: Final = "find_tools"
"""The name of the tool by which a model looks for more tools."""

_BETWEEN: Final = re.compile(r"_|(?<=[a-z])(?=[A-Z])")  # the words of a name
_WORDS_COUNT: Final = 0.5  # a query all of whose rare words are a tool's, beside a cosine of 1


@dataclass(frozen=True, slots=True)
class FoundTool:
    """A tool that may help with a task.

    Attributes:
        name: Under which the registry has it.
        description: What it does.
        score: The cosine of meanings, and up to 0.5 for words that both have, the rarer the
            more.
    """

    name: str
    description: str
    score: float


class ToolRegistry(Registry[BaseTool]):
    """Tools by name, created on first use, and found by what they are for.

    `create_react_agent(model, registry)` shows the model those that a question needs, and
    `find_tools`, by which it looks for more.

    Tools come in by decorator (`@registry.tool`), as they are (`add_tools`), by a function or
    class that makes them (`add`, with what configures it), or from other packages by an
    entry-point group. Safe to share between threads.

    Args:
        tools: The first ones.
        group: Entry-point group through which other packages add to it.
        embeddings: What meanings are compared by, as in `create_embeddings`.

    Raises:
        ConfigurationError: Something is no tool.
        DuplicateNameError: Two tools have one name.

    Examples:
        >>> registry = ToolRegistry()
        >>> @registry.tool(effect="read")
        ... def weather(city: str) -> str:
        ...     '''Tell the weather forecast for a city.'''
        ...     return "sunny"
        >>> @registry.tool(effect="external")
        ... def send_mail(to: str, text: str) -> str:
        ...     '''Send an e-mail message.'''
        ...     return "sent"
        >>> registry.discover("Will it rain in Paris tomorrow?", k=1)[0].name
        'weather'
    """

    def __init__(
        self,
        tools: Iterable[BaseTool | Callable[..., Any]] = (),
        *,
        group: str | None = None,
        embeddings: str | Embeddings = "static",
    ) -> None:
        super().__init__("tool", group=group)
        self._embeddings = create_embeddings(embeddings)
        self._index = _Index((), None)
        self._index_lock = threading.Lock()
        self._finder = _finder(self)
        self.add_tools(tools)

    def __contains__(self, name: object) -> bool:
        return name == FIND_TOOLS or super().__contains__(name)

    def add(
        self,
        name: str,
        maker: Callable[[], BaseTool] | str,
        *,
        description: str = "",
        **metadata: Any,
    ) -> None:
        """Register a function that makes a tool, as `Registry.add` does.

        Raises:
            ConfigurationError: The name is that of the tool that finds the others.
            DuplicateNameError: The name is taken.
        """
        if name == FIND_TOOLS:
            raise ConfigurationError(
                f"'{name}' is the name of the tool that finds the others; choose another one"
            )
        super().add(name, maker, description=description, **metadata)

    def tool(
        self, function: Callable[..., Any] | None = None, **options: Unpack[ToolOptions]
    ) -> Any:
        """Make a function a tool, as `cogwork.tools.tool` does, and register it.

        Raises:
            ConfigurationError: It has no docstring, or a declared value is impossible.
            DuplicateNameError: The name is taken.
        """
        if function is None:
            return lambda decorated: self.tool(decorated, **options)
        made = as_tools([tool(**options)(function)])
        self.add_tools(made)
        return made[0]

    def add_tools(self, tools: Iterable[BaseTool | Callable[..., Any]]) -> None:
        """Register tools, or functions as tools of their docstring.

        Raises:
            ConfigurationError: Something is no tool.
            DuplicateNameError: A name is taken.
        """
        for each in as_tools(list(tools)):
            spec = spec_of(each)
            self.add(
                each.name,
                partial(_itself, each),
                description=each.description,
                effect=spec.effect,
                network=spec.network,
                return_direct=each.return_direct,
            )

    def get(self, name: str) -> BaseTool:
        """Return the tool called `name`, creating it if this is its first use.

        Raises:
            UnknownNameError: There is none; the nearest names are offered.
            ConfigurationError: What was registered makes no tool, or one of another name.
        """
        if name == FIND_TOOLS:
            return self._finder
        made = super().get(name)
        if not isinstance(made, BaseTool):
            made = as_tools([made])[0]
        if made.name != name:
            raise ConfigurationError(
                f"'{name}' is registered as a tool, but what it makes is called '{made.name}', "
                "and a model would not find it; register it under its own name"
            )
        return made

    def discover(self, query: str, k: int = 8) -> list[FoundTool]:
        """Return the tools that a task most likely needs, the best first.

        Nothing is created for it, except tools of other packages, for their descriptions.

        Args:
            query: The task, in words.
            k: How many at most.

        Raises:
            ConfigurationError: `k` is less than 1.
        """
        if k < 1:
            raise ConfigurationError(f"k is {k}; it must be 1 or more")
        index = self._current()
        if not index.entries or not query.strip():
            return []
        scores = index.scores(query, self._embeddings.embed_query(query))
        best = sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:k]
        return [
            FoundTool(index.entries[n].name, index.entries[n].description, float(scores[n]))
            for n in best
        ]

    def _current(self) -> "_Index":
        """The index of what is registered now; only what is new is embedded."""
        entries = tuple(self._described(each) for each in self)
        with self._index_lock:
            if self._index.entries != entries:
                self._index = self._index.of(entries, self._embeddings)
            return self._index

    def _described(self, entry: Entry) -> Entry:
        if entry.description and "origin" not in entry.metadata:
            return entry
        return Entry(entry.name, self.get(entry.name).description, entry.metadata)


def as_needed(
    registry: ToolRegistry, k: int = 8
) -> Callable[[Sequence[AnyMessage]], list[BaseTool]]:
    """Return a function from a history to the tools that a model is shown next.

    They are those that fit the last question, those found since by `find_tools`, those called
    since, and `find_tools` itself.

    Args:
        registry: What there is.
        k: How many are taken of each search.
    """

    def tools_for(messages: Sequence[AnyMessage]) -> list[BaseTool]:
        asked = max((n for n, each in enumerate(messages) if each.type == "human"), default=0)
        question = messages[asked].text if messages else ""
        names = [each.name for each in registry.discover(str(question), k)]
        for message in messages[asked:]:
            if isinstance(message, ToolMessage) and message.name == FIND_TOOLS:
                names += message.artifact or ()
            elif isinstance(message, AIMessage):
                names += [call["name"] for call in message.tool_calls]
        return list(_known(registry, [FIND_TOOLS, *names]))

    return tools_for


def _known(registry: ToolRegistry, names: Iterable[str]) -> Iterator[BaseTool]:
    """The tools of these names, each once; one may be unregistered at any moment."""
    for name in dict.fromkeys(names):
        with suppress(UnknownNameError):
            yield registry.get(name)


def _finder(registry: ToolRegistry) -> BaseTool:
    @tool(
        FIND_TOOLS,
        effect="read",
        network=False,
        response_format="content_and_artifact",
        description="Find further tools by what they should do; you can call them afterwards.",
    )
    def find_tools(task: str) -> tuple[str, list[str]]:
        found = registry.discover(task)
        shown = "\n".join(f"- {each.name}: {each.description}" for each in found)
        return shown or "there are no tools", [each.name for each in found]

    return find_tools


def _itself(tool: BaseTool) -> BaseTool:
    return tool


class _Index:
    """Tools as vectors and words."""

    def __init__(self, entries: Sequence[Entry], matrix: "np.ndarray[Any, Any] | None") -> None:
        self.entries = tuple(entries)
        self.matrix = matrix
        self._words = [_words(_text(each)) for each in entries]
        counts = Counter(word for words in self._words for word in words)
        self._weights = {word: log(1 + len(entries) / count) for word, count in counts.items()}

    def of(self, entries: tuple[Entry, ...], embeddings: Embeddings) -> "_Index":
        """The index of these tools, with the vectors that this one has already."""
        import numpy as np

        known = {each: n for n, each in enumerate(map(_text, self.entries))}
        texts = [_text(each) for each in entries]
        new = list(dict.fromkeys(text for text in texts if text not in known))
        rows = dict(zip(new, _unit(np.asarray(embeddings.embed_documents(new))), strict=True))
        matrix = [rows[text] if text in rows else self._row(known[text]) for text in texts]
        return _Index(entries, np.asarray(matrix, dtype=np.float32))

    def _row(self, place: int) -> Any:
        assert self.matrix is not None  # noqa: S101 - an index with entries has vectors
        return self.matrix[place]

    def scores(self, query: str, vector: Sequence[float]) -> Any:
        """How well each tool fits, in the order of the tools."""
        import numpy as np

        words = _words(query) & self._weights.keys()
        whole = sum(self._weights[word] for word in words) or 1.0
        shared = [sum(self._weights[word] for word in words & each) / whole for each in self._words]
        return self.matrix @ _unit(np.asarray([vector]))[0] + _WORDS_COUNT * np.asarray(shared)


def _unit(vectors: "np.ndarray[Any, Any]") -> Any:
    import numpy as np

    if not len(vectors):
        return vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


def _text(entry: Entry) -> str:
    return f"{_BETWEEN.sub(' ', entry.name)}: {entry.description}"


def _words(text: str) -> frozenset[str]:
    found = content_words(_BETWEEN.sub(" ", text))
    return frozenset(word for word in found if len(word) > 1)
