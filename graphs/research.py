"""Research: look a question up in many sources at once, and tell what the evidence supports.

                       one Send for each
                       sub-question and source
    START ─▶ analyze ─▶ outline ─────▶ search ─▶ weigh ─▶ compare ─▶ reason ─▶ write ─▶ END
                                       ▲                     │
                                       └───── deepen ◀───────┘  another round

Searches run in parallel, and those that have ended are not made again when the run is resumed.
Every claim of the report points to its evidence; a claim without is not written, whoever says it.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NotRequired

from langchain_core.embeddings import Embeddings
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer, Send
from typing_extensions import TypedDict

from cogwork.core.messages import Messages
from cogwork.core.models import ChatModel, create_chat_model
from cogwork.core.offline import OfflineChatModel
from cogwork.memory import with_state_types
from cogwork.nodes.analysis import QueryAnalysis, make_analyze_query
from cogwork.nodes.research.contradictions import Contradiction, make_compare_evidence
from cogwork.nodes.research.evidence import (
    DEPTHS,
    Depth,
    Evidence,
    Outline,
    SearchResults,
    make_weigh,
)
from cogwork.nodes.research.outline import make_deepen, make_outline
from cogwork.nodes.research.reasoning import Reasoning, make_reason
from cogwork.nodes.research.report import Report
from cogwork.nodes.research.rows import database_source
from cogwork.nodes.research.searching import make_search_source
from cogwork.nodes.research.sources import (
    corpus_source,
    function_source,
    memory_source,
    named_sources,
    tool_sources,
)
from cogwork.nodes.research.writing import make_write_report
from cogwork.tools.audit import AuditLog
from cogwork.tools.base import as_tools
from cogwork.tools.policy import Policy
from cogwork.tools.search.hit import Search
from cogwork.tools.taint import Taint

__all__ = ["ResearchInput", "ResearchState", "create_research_agent"]


class ResearchInput(TypedDict):
    """What a run is given: a question, and how thoroughly to look it up."""

    messages: Messages
    depth: NotRequired[Depth | None]
    taint: NotRequired[Taint]


class ResearchState(ResearchInput):
    """What a thread remembers of the last question."""

    analysis: NotRequired[QueryAnalysis]
    outline: NotRequired[Outline]
    searches: NotRequired[SearchResults]
    evidence: NotRequired[tuple[Evidence, ...]]
    contradictions: NotRequired[tuple[Contradiction, ...]]
    reasoning: NotRequired[Reasoning]
    report: NotRequired[Report]
    stop_reason: NotRequired[Literal["answered", "nothing_found"] | None]


def route_to_search(state: ResearchState, otherwise: str) -> list[Send] | str:
    """Send each sub-question of this round to `search`, once for each source."""
    outline = state["outline"]
    k = DEPTHS[outline.depth].k
    new = [part for part in outline.subquestions if part.round == outline.round]
    sends = [
        Send(
            "search",
            {"subquestion": part, "question": outline.measure_of(part), "source": name, "k": k},
        )
        for part in new
        for name in outline.sources
    ]
    return sends or otherwise


def route_after_compare(state: ResearchState) -> Literal["deepen", "reason"]:
    """Search another round if the depth has one."""
    outline = state["outline"]
    more = outline.round < DEPTHS[outline.depth].rounds and bool(outline.sources)
    return "deepen" if more else "reason"


def create_research_agent(
    model: str | ChatModel | None = None,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    *,
    corpus: str | Path | None = None,
    sources: Sequence[str | Search] = (),
    database: str | None = None,
    depth: Depth | None = None,
    trusted: Collection[str] = ("database", "memory"),
    embeddings: Embeddings | str = "static",
    user: str | None = None,
    policy: Policy | None = None,
    audit: AuditLog | None = None,
    tool_timeout: float | None = None,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    name: str | None = "research",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create a research assistant: it looks a question up and writes a cited report.

    The result's `report` is a `Report`, its last message the same as Markdown; `stop_reason`
    is `answered` or `nothing_found`.

    Args:
        model: Divides the question, judges contradictions and writes claims; a chat model, a
            name, or `None` for the one that the settings name. With the offline model rules do
            all that, and claims are quotations.
        tools: Those that only read and take a `query` are sources, such as `web_search`,
            `paper_search` and `encyclopedia_search`; others are not called.
        corpus: A folder of Markdown, text, HTML and PDF.
        sources: Names such as `arxiv` (see `cogwork.tools.search.tool.SOURCES`), or functions
            with the signature of `Search`.
        database: URL as in `cogwork.tools.database.tool.database_tools`; its rows are searched
            for the words of the question.
        depth: `quick`, `standard` or `comprehensive`; a run's `depth` comes before it. None
            takes what the user's feedback taught, else `standard`.
        trusted: Names of sources whose text does not taint the run.
        embeddings: By which sentences are compared with the question.
        user: Whose memories are a source, and whose preferences count, where there is a store;
            the user of the run unless given.
        policy: Which searches are made, ask a person first, or are refused.
        audit: Where searches are noted.
        tool_timeout: Seconds for one search whose tool declares none.
        context_schema: The type of the run's `context`.
        checkpointer: Makes threads durable; see `cogwork.memory.create_checkpointer`.
        store: Long-term memory; with a `user` it is a source.
        name: Name of the graph, also as a node of another one.

    Raises:
        ConfigurationError: A source cannot be opened, its key is missing, or two have one
            name; from a run: there is no question, or no such depth.
        UnknownNameError: No source is called so.

    Examples:
        >>> from cogwork.tools.search import Hit
        >>> async def shelf(query, k):
        ...     said = "The Otter pump delivers 40 litres a minute."
        ...     return [Hit("Pumps", "pumps.md#L1", said, 0.9, "shelf")]
        >>> agent = create_research_agent("offline", sources=[shelf])
        >>> agent.invoke({"messages": "How much does the Otter pump deliver?"})["report"].answer
        'The Otter pump delivers 40 litres a minute. [1]'
    """
    chat = create_chat_model(model)
    thinks = None if isinstance(chat, OfflineChatModel) else chat
    named = named_sources(
        [
            *([] if corpus is None else [corpus_source(corpus, trusted="corpus" in trusted)]),
            *(function_source(each, trusted=trusted) for each in sources),
            *(
                []
                if database is None
                else [database_source(database, trusted="database" in trusted)]
            ),
            *([] if store is None or user is None else [memory_source(user=user, store=store)]),
            *tool_sources(as_tools(tools)),
        ]
    )
    builder = StateGraph(ResearchState, context_schema, input_schema=ResearchInput)
    builder.add_node("analyze", make_analyze_query(model=thinks, embeddings=embeddings))
    builder.add_node(
        "outline", make_outline(list(named), model=thinks, depth=depth, user=user, store=store)
    )
    search = make_search_source(
        named, embeddings=embeddings, timeout=tool_timeout, policy=policy, audit=audit
    )
    builder.add_node("search", search)
    builder.add_node("weigh", make_weigh())
    builder.add_node("compare", make_compare_evidence(model=thinks))
    builder.add_node("deepen", make_deepen())
    builder.add_node("reason", make_reason(model=thinks))
    builder.add_node("write", make_write_report(named))
    builder.add_edge(START, "analyze")
    builder.add_edge("analyze", "outline")
    to_search = partial(route_to_search, otherwise="weigh")
    builder.add_conditional_edges("outline", to_search, ["search", "weigh"])
    builder.add_edge("search", "weigh")
    builder.add_edge("weigh", "compare")
    builder.add_conditional_edges("compare", route_after_compare, ["deepen", "reason"])
    onwards = partial(route_to_search, otherwise="reason")
    builder.add_conditional_edges("deepen", onwards, ["search", "reason"])
    builder.add_edge("reason", "write")
    builder.add_edge("write", END)
    return builder.compile(with_state_types(checkpointer, ResearchState), store=store, name=name)
