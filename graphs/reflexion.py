"""Reflexion: attempt, evaluate, reflect, and try again; what it taught is kept for later tasks.

```
START ─▶ recall ─▶ attempt ─▶ evaluate ─┬▶ learn ─▶ END
                      ▲                 │
                      └──── reflect ◀───┘  not good enough, and trials left
```

Source: Shinn et al., "Reflexion: Language Agents with Verbal Reinforcement Learning" (2023),
https://arxiv.org/abs/2303.11366
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NotRequired

from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer, RetryPolicy
from typing_extensions import TypedDict

from cogwork.core.errors import ConfigurationError
from cogwork.core.messages import Messages
from cogwork.core.models import ChatModel, broke_off, create_chat_model
from cogwork.graphs.react import create_react_agent
from cogwork.memory import with_state_types
from cogwork.nodes.evaluation import Evaluator, make_evaluate, route_after_evaluate
from cogwork.nodes.lessons import lesson_memories, make_learn, make_remind
from cogwork.nodes.reflection import make_reflect
from cogwork.nodes.trial import Lesson, ToTrial, Trial, make_attempt
from cogwork.tools.audit import AuditLog
from cogwork.tools.effects import OnDoubt
from cogwork.tools.policy import Policy
from cogwork.tools.taint import Taint

__all__ = ["ReflexionInput", "ReflexionState", "create_reflexion_agent"]


class ReflexionInput(TypedDict):
    """What the graph takes."""

    messages: Messages
    taint: NotRequired[Taint]


class ReflexionState(ReflexionInput):
    """What the graph remembers.

    `trials` are those of the last question and `best` the one whose answer was given.
    `lessons` were recalled for it, `learned` are the texts that it added. `stop_reason` is
    `answered` or `trial_limit`.
    """

    trials: NotRequired[list[Trial]]
    best: NotRequired[Trial | None]
    lessons: NotRequired[list[Lesson]]
    learned: NotRequired[list[str]]
    stop_reason: NotRequired[str | None]


def create_reflexion_agent(
    model: str | ChatModel | None = None,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    *,
    actor: Runnable[Any, Any] | None = None,
    evaluator: Evaluator | ChatModel | str | None = None,
    criteria: str = "",
    success: float = 0.8,
    max_trials: int = 3,
    lessons: tuple[str, ...] | None = None,
    max_lessons: int = 3,
    min_similarity: float = 0.3,
    to_input: ToTrial | None = None,
    policy: Policy | None = None,
    on_doubt: OnDoubt = "ask",
    audit: AuditLog | None = None,
    max_steps: int = 10,
    tool_timeout: float | None = None,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    name: str | None = "reflexion",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create an agent that tries, is judged, reflects, and tries again.

    The result's `trials` hold every trial with its score, feedback and reflections, `best` the
    one whose answer ends `messages`. Each trial, judgement and reflection is a super-step: a
    run that was killed goes on with `invoke(None)` and repeats none that had finished. The
    actor begins each trial anew, so what its tools change is changed once a trial.

    Args:
        model: Reflects, judges and acts where nobody else is given: a chat model, a name such
            as `"openai:gpt-5.5"`, or `None` for the one that the settings name.
        tools: Of the ReAct agent that acts where no `actor` is given.
        actor: What tries: any compiled graph that takes `messages`, or another runnable
            together with `to_input`.
        evaluator: A function of the task and the answer that returns a score from 0 to 1, alone
            or with feedback; or the chat model that judges, or its name. Better a check that
            runs than a model: where the judge is wrong, more trials make it worse.
        criteria: What else a model judges by.
        success: The score from which a trial is good enough.
        max_trials: How many trials there are at most.
        lessons: The namespace in the store under which lessons are kept, and recalled for
            similar tasks. Tasks are shown to whoever asks next, so give each user a
            namespace; None for no lessons.
        max_lessons: How many lessons are recalled for a task.
        min_similarity: Least cosine of a lesson, with the task it comes from, to the task now.
        to_input: From the state to the actor's input; `cogwork.nodes.trial.trial_messages`
            unless given.
        policy: Which calls of tools are made, ask a person first, or are refused; an `actor`
            that is given has its own.
        on_doubt: What to do with a call whose process died in the middle of it.
        audit: Where calls of tools, and decisions about them, are noted.
        max_steps: Steps that the ReAct agent may take for one trial.
        tool_timeout: Seconds for one call of a tool that declares none itself.
        context_schema: The type of the run's `context`, for tools and prompts.
        checkpointer: Makes threads durable; see `cogwork.memory.create_checkpointer`.
        store: Where lessons are kept, and long-term memory for the tools.
        name: Name of the graph, also as a node of another one.

    Raises:
        ConfigurationError: The model is unknown or its key missing, a limit is impossible, or
            lessons have no store; from a run: there is no question, or the evaluator gives no
            score.
        ModelError: From a run: the model cannot be reached.

    Examples:
        >>> from cogwork.tools import load_tools
        >>> agent = create_reflexion_agent("offline", load_tools(["calculator"]))
        >>> done = agent.invoke({"messages": "What is 6 * 7?"})
        >>> done["best"].number, done["best"].answer
        (1, '6 * 7 is 42.')
    """
    if lessons is not None and store is None:
        raise ConfigurationError("lessons need a store to be kept in; pass store=…")
    chat = create_chat_model(model)
    judge = create_chat_model(evaluator) if isinstance(evaluator, str) else evaluator or chat
    doer = actor or create_react_agent(
        chat,
        tools,
        max_steps=max_steps,
        tool_timeout=tool_timeout,
        context_schema=context_schema,
        policy=policy,
        on_doubt=on_doubt,
        audit=audit,
    )
    kept = lesson_memories(store, lessons) if store is not None and lessons is not None else None
    # A client retries a call that did not begin, and nothing that broke off.
    retry = RetryPolicy(retry_on=broke_off, max_attempts=2)
    builder = StateGraph(ReflexionState, context_schema, input_schema=ReflexionInput)
    builder.add_node("recall", make_remind(kept, k=max_lessons, min_similarity=min_similarity))
    builder.add_node("attempt", make_attempt(doer, to_input=to_input))
    builder.add_node(
        "evaluate",
        make_evaluate(judge, criteria=criteria, success=success, max_trials=max_trials),
        retry_policy=retry,
    )
    builder.add_node("reflect", make_reflect(chat, criteria=criteria), retry_policy=retry)
    builder.add_edge(START, "recall")
    builder.add_edge("recall", "attempt")
    builder.add_edge("attempt", "evaluate")
    builder.add_edge("reflect", "attempt")
    done = END
    if kept is not None:
        done = "learn"
        builder.add_node("learn", make_learn(kept, success=success))
        builder.add_edge("learn", END)
    ways: dict[Hashable, str] = {"again": "reflect", "done": done}
    builder.add_conditional_edges("evaluate", route_after_evaluate, ways)
    return builder.compile(with_state_types(checkpointer, builder), store=store, name=name)
