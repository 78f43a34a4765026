"""What limits cost: a ledger, a circuit breaker, a rate limiter and metrics of a ReAct step.

A trivial tool, and two models: a scripted one that answers at once, so that all that is measured
is the framework, and OpenAI's client, which asks a server on this machine that answers at once, as a
step has it that anybody pays for. CPU time of the process, without the server's; medians of
interleaved rounds.

    python benchmarks/runtime.py [--quick] [--json]
"""

import asyncio
from collections.abc import Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from measure import Figure, interleaved, interleaved_async, options, report
from react import ASK, Instant, aecho, echo
from wire import served

from cogwork.core.breaker import CircuitBreaker
from cogwork.core.budget import Budget
from cogwork.core.budget_runs import with_budget
from cogwork.core.metrics import Metrics
from cogwork.core.rate_limits import RateLimiter
from cogwork.graphs.react import create_react_agent
from cogwork.tools import tool

TURNS = 20
USAGE = {"input_tokens": 500, "output_tokens": 50, "total_tokens": 550}
WITHOUT = "without limits"
ALL = Budget(
    max_tokens=10**9, max_cost=10**6, max_seconds=10**6, max_model_calls=10**6, max_tool_calls=10**6
)


class Telling(Instant):
    """Tells its usage and has a price, as models of providers do."""

    def _get_ls_params(self, *args: Any, **kwargs: Any) -> Any:
        return {"ls_provider": "openai", "ls_model_name": "gpt-5.4-mini"}

    def _answer(self, messages: list[BaseMessage]) -> ChatResult:
        answered = super()._answer(messages)
        message = answered.generations[0].message
        message.usage_metadata = USAGE  # type: ignore[attr-defined]
        return answered


def agents(say: Callable[[str], Any], model: BaseChatModel | None = None) -> dict[str, Any]:
    """The same agent without limits, with each, and with all of them."""
    model, tools = model or Telling(turns=TURNS), [tool("echo", effect="read")(say)]
    breaker = CircuitBreaker("model")
    limiter = RateLimiter("model", requests=10**9, tokens=10**12, burst=10**6)
    plain = create_react_agent(model, tools, max_steps=TURNS + 1)
    every = create_react_agent(limiter.wrap(breaker.wrap(model)), tools, max_steps=TURNS + 1)
    return {
        WITHOUT: plain,
        "ledger": with_budget(plain, ALL),
        "breaker": create_react_agent(breaker.wrap(model), tools, max_steps=TURNS + 1),
        "limiter": create_react_agent(limiter.wrap(model), tools, max_steps=TURNS + 1),
        "metrics": plain.with_config(callbacks=[Metrics().callback]),
        "ledger, breaker, limiter and metrics": with_budget(every, ALL, also=Metrics().callback),
    }


def figures(spent: dict[str, float], kind: str) -> list[Figure]:
    base = spent[WITHOUT]
    found = [
        Figure(f"ms CPU a ReAct step, {kind}, without limits", base / TURNS * 1e3, None, "-", "ms")
    ]
    for name, seconds in spent.items():
        if name != WITHOUT:
            goal = 1.1 if "and" in name else None
            found.append(
                Figure(f"CPU of a step with {name}, {kind}", seconds / base, goal, WITHOUT)
            )
    return found


def measured(rounds: int, model: BaseChatModel | None, kind: str) -> list[Figure]:
    runs = {
        name: lambda agent=agent: agent.invoke(ASK) for name, agent in agents(echo, model).items()
    }
    found = figures(interleaved(runs, rounds), f"sync{kind}")
    later = {
        name: lambda agent=agent: agent.ainvoke(ASK) for name, agent in agents(aecho, model).items()
    }
    return found + figures(asyncio.run(interleaved_async(later, rounds)), f"async{kind}")


def main() -> None:
    """Measure and report."""
    chosen = options(__doc__ or "")
    found = measured(7 if chosen.quick else 25, None, "")
    with served(TURNS) as url:
        from langchain_openai import ChatOpenAI

        asking = ChatOpenAI(base_url=url, api_key="none", model="gpt-5.4-mini", max_retries=0)  # type: ignore[arg-type] # a text is taken too
        found += measured(5 if chosen.quick else 15, asking, ", over HTTP")
    report(found, as_json=chosen.json)


if __name__ == "__main__":
    main()
