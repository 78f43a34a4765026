"""Negotiation: what is to be done is announced, who would do it bids, who does is awarded it."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from langchain_core.embeddings import Embeddings
from langchain_core.runnables import RunnableConfig
from pydantic import ValidationError

from cogwork.core.bridge import Node, in_thread, node
from cogwork.core.errors import ConfigurationError, PlanningError
from cogwork.nodes.contract_net import award, capabilities_met, make_bids
from cogwork.nodes.contracts import Award, Bid, Contract, Contractor, Ledger, Terms
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.requirements import goal_of
from cogwork.nodes.roles import requirements_plan
from cogwork.nodes.settlement import ended_without_result

__all__ = [
    "Estimate",
    "make_announce",
    "make_award",
    "make_bid",
]

Estimate: TypeAlias = Callable[[Contract, Contractor], float | Awaitable[float | None] | None]
"""How long a contractor says it will take for a contract; None declines."""

_LOST = ("failed", "blocked")


def make_announce(
    contractors: Sequence[Contractor],
    *,
    terms: Terms | None = None,
    embeddings: Embeddings | str = "static",
    threshold: float = 0.4,
    tools: Mapping[str, Sequence[str]] | None = None,
) -> Node:
    """Make the node that announces contracts.

    Args:
        contractors: Who may bid.
        terms: What bids are worth.
        embeddings: By which capabilities are compared; see `assign_roles`.
        threshold: Least cosine by which a capability is had.
        tools: What the tools of each contractor are for, in words, by its name; with them,
            generalists bid for what nobody can do, as `capabilities_met` says.

    Raises:
        PlanningError: From the node: nobody could ever carry a contract out, or the contracts
            cannot be executed; every one is named.
    """

    @node
    async def announce(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Say what is to be done.

        Reads: needs, messages
        Writes: plan, met, ledger, awards, bids, results, outcomes, assignments
        """
        needs: Sequence[Contract] = state["needs"]
        goal, _ = goal_of(state.get("messages") or ())
        plan = requirements_plan(needs, goal=goal)
        if faults := check_plan(plan):
            raise PlanningError(f"the contracts cannot be carried out: {'; '.join(faults)}")

        match = partial(capabilities_met, embeddings=embeddings, threshold=threshold, tools=tools)
        met = await in_thread(None, match, needs, contractors)
        bidden = {bid.contract for bid in make_bids(needs, contractors, met, terms=terms)}
        alone = [_nobody(each, contractors, met) for each in needs if each.id not in bidden]
        if alone:
            raise PlanningError("; ".join(alone))
        fresh: dict[str, Any] = {
            "awards": [],
            "bids": [],
            "results": {},
            "outcomes": {},
            "assignments": {},
        }
        return {"plan": plan, "met": met, "ledger": Ledger.of(contractors), **fresh}

    return announce


def make_bid(
    contractors: Sequence[Contractor],
    *,
    terms: Terms | None = None,
    estimate: Estimate | None = None,
) -> Node:
    """Make the node that collects bids for what can begin now.

    A contract that everybody has failed at, or that waits for one, ends here.

    Args:
        contractors: Who may bid.
        terms: Their `min_match` is asked.
        estimate: Asks a contractor how long it will take, and whether it wants to at all.

    Raises:
        ConfigurationError: From the node: an estimate is no finite number from 0 on.
        PlanningError: From the node: nobody bids for a contract.
    """

    @node(loop=True)
    async def bid(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Collect bids.

        Reads: needs, plan, met, awards, results
        Writes: bids, results
        """
        needs = {each.id: each for each in state["needs"]}
        results, tried = dict(state["results"]), _tried(state["awards"])
        bids: list[Bid] = []
        for key in state["plan"].order:
            contract = needs[key]
            if key in results or any(other not in results for other in contract.depends_on):
                continue
            if lost := [k for k in contract.depends_on if results[k].status in _LOST]:
                why = f"it depends on '{lost[0]}', which is {results[lost[0]].status}"
                results[key] = ended_without_result(contract, "blocked", why)
                continue
            offers = make_bids([contract], contractors, state["met"], terms=terms)
            offers = [each for each in offers if each.contractor not in tried.get(key, ())]
            offers = await _estimated(contract, offers, contractors, estimate)
            if not offers and key in tried:
                why = "; ".join(f"{name}: {error}" for name, error in tried[key].items())
                results[key] = ended_without_result(
                    contract, "failed", f"nobody else bids; {why}", len(tried[key])
                )
            elif not offers:
                raise PlanningError(_nobody(contract, contractors, state["met"]))
            bids += offers
        return {"bids": bids, "results": results}

    return bid


def make_award(terms: Terms | None = None) -> Node:
    """Make the node that awards contracts and reserves what they take.

    Args:
        terms: What bids are worth, and what breaks ties.
    """

    @node
    def award_contracts(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Award what was bid for.

        Reads: needs, bids, ledger, awards
        Writes: awards, ledger
        """
        before: list[Award] = state["awards"]
        number = max((each.round for each in before), default=0) + 1
        bids = state["bids"]
        wanted = {each.contract for each in bids}
        open_ = [each for each in state["needs"] if each.id in wanted]
        made, ledger = award(open_, bids, state["ledger"], terms=terms, round=number)
        return {"awards": [*before, *made], "ledger": ledger}

    return award_contracts


def _nobody(
    contract: Contract,
    contractors: Sequence[Contractor],
    met: Mapping[str, Mapping[str, tuple[str, ...]]],
) -> str:
    """Why nobody bids, and the way out."""
    wanted = ", ".join(contract.capabilities) or contract.needed
    able = met[contract.id]
    said = "; ".join(
        f"{each.name} has {', '.join(able.get(each.name, ())) or 'none of it'}"
        f"{f' and at most {each.resources}' if contract.resources else ''}"
        for each in contractors
    )
    takes = f" and {contract.resources}" if contract.resources else ""
    return (
        f"nobody bids for contract '{contract.id}', which takes '{wanted:.200}'{takes}: {said}; add "
        "a Contractor with the capabilities and resources, or ask for less"
    )


def _tried(awards: Iterable[Award]) -> dict[str, dict[str, str | None]]:
    """Who failed at which contract, and why."""
    found: dict[str, dict[str, str | None]] = {}
    for each in awards:
        if each.status != "running":
            found.setdefault(each.contract, {})[each.contractor] = each.error
    return found


async def _estimated(
    contract: Contract,
    offers: Sequence[Bid],
    contractors: Sequence[Contractor],
    estimate: Estimate | None,
) -> list[Bid]:
    if estimate is None:
        return list(offers)
    known = {each.name: each for each in contractors}
    kept = []
    for each in offers:
        said = estimate(contract, known[each.contractor])
        eta = await said if inspect.isawaitable(said) else said
        if eta is None:
            continue
        try:
            kept.append(Bid(**{**each.model_dump(), "eta": eta}))
        except ValidationError as error:
            raise ConfigurationError(
                f"the estimate of '{each.contractor}' for contract '{contract.id}' is {eta!r:.80}; "
                "give a finite number from 0 on, or None to decline"
            ) from error
    return kept
