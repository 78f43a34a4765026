"""Carrying contracts out, and settling: resources come back, results stand, or it goes on."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig

from cogwork.core.bridge import Node, node
from cogwork.nodes.aggregation import Aggregate, Answer, View, vote
from cogwork.nodes.contract_net import agree
from cogwork.nodes.contracts import Award, Contract
from cogwork.nodes.execution import make_execute
from cogwork.nodes.plan import Plan, Status, Step, StepResult
from cogwork.nodes.roles import Assignment

__all__ = ["ended_without_result", "make_carry_out", "make_settle", "route_after_settle"]

_LONGEST = 100  # characters of a step's id


def make_carry_out(members: Mapping[str, Runnable[Any, Any]], **options: Any) -> Node:
    """Make the node that has contracts carried out by whom they were awarded to.

    Args:
        members: Compiled graphs, or other runnables, by the names of the contractors.
        **options: As `make_execute` has them.

    Raises:
        ConfigurationError: An option is impossible.
    """
    make_execute((), **options)  # refuses now what it would refuse in every round

    @node(loop=True)
    async def carry_out(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Have the contracts of this round done, all at the same time.

        Reads: needs, awards, results, messages, taint
        Writes: outcomes, taint
        """
        needs = {each.id: each for each in state["needs"]}
        running = [each for each in state["awards"] if each.status == "running"]
        done = {k: one for k, one in state["results"].items() if one.status == "completed"}
        plan = _round(running, needs, done)
        ways = {_place(each): [members[each.contractor]] for each in running}
        execute = make_execute((), alternatives=ways, **options)
        given = await execute.ainvoke({**state, "plan": plan, "results": done}, config)
        outcomes = given.pop("results")
        return {"outcomes": {key: outcomes[key] for key in ways}, **given}

    return carry_out


def make_settle(
    *, least: float = 0.7, method: Callable[[Sequence[Answer]], Aggregate] = vote
) -> Node:
    """Make the node that gives resources back and says how contracts ended.

    Args:
        least: Share of the results of a joint contract that must agree.
        method: Counts them.
    """
    agree([], least=least)  # refuses now what it would refuse in every round

    @node
    def settle(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Say how the contracts of this round ended.

        Reads: needs, awards, outcomes, ledger, results, assignments
        Writes: awards, ledger, results, assignments, outcomes
        """
        needs = {each.id: each for each in state["needs"]}
        ledger, outcomes = state["ledger"], state["outcomes"]
        awards, ended = [], dict[str, list[Award]]()
        for each in state["awards"]:
            now = each
            if each.status == "running":
                gave = outcomes[_place(each)]
                ledger = ledger.release(each.contractor, each.contract)
                now = each.model_copy(update={"status": gave.status, "error": gave.error})
                ended.setdefault(each.contract, []).append(now)
            awards.append(now)
        found = {
            key: _result(needs[key], made, outcomes, least, method) for key, made in ended.items()
        }
        return {
            "awards": awards,
            "ledger": ledger,
            "outcomes": {},
            "results": {**state["results"], **{k: one for k, one in found.items() if one}},
            "assignments": {**state["assignments"], **{k: _who(made) for k, made in ended.items()}},
        }

    return settle


def route_after_settle(state: Any) -> str:
    """Go on with another round as long as a contract has not ended."""
    return "bid" if any(each.id not in state["results"] for each in state["needs"]) else "done"


def ended_without_result(
    contract: Contract, status: Status, error: str, attempts: int = 0
) -> StepResult:
    """Return how a contract ended that gave nothing; an optional one is skipped.

    Args:
        contract: Which.
        status: How it ended.
        error: Why.
        attempts: How many have tried.
    """
    status = "skipped" if contract.optional else status
    return StepResult(id=contract.id, status=status, error=error, attempts=attempts)


def _place(made: Award) -> str:
    """The id of the step by which somebody carries a contract out; a digest in place of a long one."""
    name = f"{made.contract}~{made.contractor}"
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(made.contract.encode(errors="replace")).hexdigest()
    return f"{digest[:32]}~{made.contractor}"


def _round(
    awards: Sequence[Award], needs: Mapping[str, Contract], done: Mapping[str, StepResult]
) -> Plan:
    """What is carried out now, on what is done."""
    kept = {key for each in awards for key in needs[each.contract].depends_on if key in done}
    before = [Step(id=key, description=needs[key].description) for key in needs if key in kept]
    steps = [
        Step(
            id=_place(each),
            description=needs[each.contract].description,
            depends_on=tuple(key for key in needs[each.contract].depends_on if key in kept),
            estimated_cost=needs[each.contract].estimated_cost,
            priority=needs[each.contract].priority,
        )
        for each in awards
    ]
    return Plan(steps=(*before, *steps))


def _result(
    contract: Contract,
    made: Sequence[Award],
    outcomes: Mapping[str, StepResult],
    least: float,
    method: Callable[[Sequence[Answer]], Aggregate],
) -> StepResult | None:
    """How a contract ended; None where it is to be announced again."""
    gave = {each.contractor: outcomes[_place(each)] for each in made}
    good = {name: one for name, one in gave.items() if one.status == "completed"}
    first = next(iter((good or gave).values())).model_copy(update={"id": contract.id})
    if not good:
        return first if any(one.uncertain for one in gave.values()) else None
    if not contract.joint:
        return first
    found = agree(
        [Answer(name, one.result) for name, one in good.items()], least=least, method=method
    )
    counted = found.vote
    if found.is_agreed:
        return first.model_copy(update={"result": counted.value})
    fell = ", ".join(f"{view.value!r:.80} ({view.share:.2f})" for view in _views(counted))
    why = f"no consensus: {least:g} have to agree; {fell or 'nothing was proposed'}"
    return ended_without_result(contract, "failed", why, len(good))


def _views(counted: Aggregate) -> list[View]:
    """What was said, the weightiest first."""
    lead = counted.tied or ((counted.value,) if counted.value is not None else ())
    return [*(View(value, (), counted.agreement) for value in lead), *counted.dissent]


def _who(made: Sequence[Award]) -> Assignment:
    """Who carried a contract out last."""
    good = [each for each in made if each.status == "completed"] or list(made)
    names = " and ".join(sorted(each.contractor for each in good))
    first = good[0]
    return Assignment(
        requirement=first.contract, members=(names,), scores=(first.score,), note=first.note
    )
