"""The contract net: contracts are announced, bid for, and awarded. Pure functions.

A bid says what a contractor has to offer; what it is worth is computed when a contract is
awarded, from what the ledger says of resources and work in hand. Neither the order of the
bids nor that of the contractors matters.

Source: Smith, "The Contract Net Protocol: High-Level Communication and Control in a
Distributed Problem Solver" (1980).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from langchain_core.embeddings import Embeddings

from cogwork.core.errors import ConfigurationError
from cogwork.nodes.aggregation import Aggregate, Answer, vote
from cogwork.nodes.contracts import Award, Bid, Contract, Contractor, Ledger, Terms
from cogwork.nodes.roles import Requirement, assign_roles

__all__ = ["Agreement", "agree", "award", "capabilities_met", "make_bids", "worth"]

_SAME: Final = 1e-9  # of a share; what is less is rounding
_GENERAL: Final = "nobody has what it takes; generalists bid"


def capabilities_met(
    contracts: Sequence[Contract],
    contractors: Sequence[Contractor],
    *,
    embeddings: Embeddings | str = "static",
    threshold: float = 0.4,
    tools: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return which capabilities of each contract each contractor has; who has none is absent.

    Where somebody has one by name, those who only have the like do not have it. With `tools`,
    a contract of which nobody has anything, and that demands nothing, has the generalists of
    those that could take it, with none of its capabilities.

    Args:
        contracts: What is announced.
        contractors: Who could bid.
        embeddings: As in `assign_roles`, which says who has a capability.
        threshold: As there.
        tools: As there.

    Raises:
        ConfigurationError: As there.
        ModelError: As there.
    """
    asked = [(each, capability) for each in contracts for capability in each.wanted]
    parts = [
        Requirement(id=str(place), description=each.description, capability=capability)
        for place, (each, capability) in enumerate(asked)
    ]
    found, _ = assign_roles(parts, contractors, embeddings=embeddings, threshold=threshold)
    met: dict[str, dict[str, tuple[str, ...]]] = {each.id: {} for each in contracts}
    for one in found:
        contract, capability = asked[int(one.requirement)]
        best = [name for name, score in zip(one.members, one.scores, strict=True) if score == 1.0]
        for name in sorted(best or one.members):
            has = met[contract.id].get(name, ())
            met[contract.id][name] = (*has, capability or contract.description)
    for each in contracts:
        able = [one for one in contractors if one.could_take(each)]
        if tools is not None and able and each.is_open and not met[each.id]:
            who, _ = assign_roles(
                [each], able, embeddings=embeddings, threshold=threshold, tools=tools
            )
            met[each.id] = dict.fromkeys(who[0].members, ())
    return met


def make_bids(
    contracts: Sequence[Contract],
    contractors: Sequence[Contractor],
    met: Mapping[str, Mapping[str, tuple[str, ...]]],
    *,
    terms: Terms | None = None,
) -> list[Bid]:
    """Return the bids of all who could carry a contract out when they have nothing else in hand.

    Args:
        contracts: What is announced.
        contractors: Who could bid.
        met: What `capabilities_met` says.
        terms: Their `min_match` is asked.
    """
    least = (terms or Terms()).min_match
    return [
        Bid(contract=contract.id, contractor=each.name, matched=has, note="" if has else _GENERAL)
        for contract in contracts
        for each in contractors
        if (has := met[contract.id].get(each.name)) is not None
        and (not has or len(has) >= least * len(contract.wanted) - _SAME)
        and each.could_take(contract)
    ]


def worth(bid: Bid, contract: Contract, ledger: Ledger, terms: Terms) -> float:
    """Return the points of a bid as things stand.

    Args:
        bid: What is offered.
        contract: For what.
        ledger: How things stand.
        terms: The points.
    """
    return (
        terms.capability * len(bid.matched)
        + terms.resources * ledger.can_take(bid.contractor, contract)
        + terms.idle * (not ledger.held[bid.contractor])
    )


def award(
    contracts: Sequence[Contract],
    bids: Sequence[Bid],
    ledger: Ledger,
    *,
    terms: Terms | None = None,
    round: int = 1,  # noqa: A002 - the word of the protocol
) -> tuple[list[Award], Ledger]:
    """Award contracts to those whose bids are worth most.

    The contract with the higher priority is awarded first, then the one announced first. A
    contract whose best bidder has no resources left waits for them. A joint one goes to
    all who have them.

    Args:
        contracts: What is announced.
        bids: For these contracts.
        ledger: Who holds what.
        terms: What bids are worth, and what breaks ties; the usual ones unless given.
        round: Noted in the awards.

    Returns:
        The awards, and the ledger in which what they take is reserved.
    """
    rules, made = terms or Terms(), []
    for contract in sorted(contracts, key=lambda each: -each.priority):
        offers = [each for each in bids if each.contract == contract.id]
        ranked = sorted(offers, key=_order(contract, ledger, rules))
        for bid in ranked if contract.joint else ranked[:1]:
            if ledger.can_take(bid.contractor, contract):
                score = worth(bid, contract, ledger, rules)
                ledger = ledger.reserve(bid.contractor, contract)
                told = {"score": score, "round": round, "note": bid.note}
                made.append(Award(contract=contract.id, contractor=bid.contractor, **told))
    return made, ledger


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether proposals agree.

    Attributes:
        is_agreed: Whether enough of their weight is behind one.
        vote: How they were counted; its `value` is the proposal that leads.
    """

    is_agreed: bool
    vote: Aggregate


def agree(
    proposals: Sequence[Answer],
    *,
    least: float = 0.7,
    method: Callable[[Sequence[Answer]], Aggregate] = vote,
) -> Agreement:
    """Return whether proposals agree.

    Args:
        proposals: Each contractor's.
        least: Share of their weight that must be behind one of them.
        method: Counts them: `vote`, or for longer texts `consensus`.

    Raises:
        ConfigurationError: The share is not above 0 and up to 1.
    """
    if not 0 < least <= 1:
        raise ConfigurationError(f"least is {least}; give a share above 0, up to 1")
    counted = method(proposals)
    return Agreement(counted.value is not None and counted.agreement >= least - _SAME, counted)


def _order(
    contract: Contract, ledger: Ledger, terms: Terms
) -> Callable[[Bid], tuple[float | str, ...]]:
    def key(bid: Bid) -> tuple[float | str, ...]:
        breaks = {"earlier": bid.eta, "less_loaded": ledger.awarded[bid.contractor]}
        points = worth(bid, contract, ledger, terms)
        return (-points, *(breaks[tie] for tie in terms.ties), bid.contractor)

    return key
