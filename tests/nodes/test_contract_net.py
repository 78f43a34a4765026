"""The contract net: points, awards, resources and agreement do not depend on any order."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogwork.core.errors import ConfigurationError
from cogwork.nodes.aggregation import Answer
from cogwork.nodes.contract_net import agree, award, capabilities_met, make_bids, worth
from cogwork.nodes.contracts import Bid, Contract, Contractor, Ledger, Terms

SKILLS = ("weld", "paint", "drill")


def contractor(name, *capabilities, **resources):
    return Contractor(name=name, capabilities=capabilities or ("weld",), resources=resources)


def contract(key, *capabilities, priority=0, joint=False, **resources):
    return Contract(
        id=key,
        description="Do it",
        capabilities=capabilities or ("weld",),
        resources=resources,
        priority=priority,
        joint=joint,
    )


def bids_for(contracts, contractors, **options):
    return make_bids(contracts, contractors, capabilities_met(contracts, contractors), **options)


def awarded(contracts, contractors, **options):
    made, _ = award(contracts, bids_for(contracts, contractors), Ledger.of(contractors), **options)
    return {each.contract: each.contractor for each in made}


MARKET = st.builds(
    lambda contractors, contracts: (
        [
            contractor(f"a{n}", *sorted(can), slots=slots)
            for n, (can, slots) in enumerate(contractors)
        ],
        [
            contract(f"c{n}", *sorted(needs), priority=first, joint=joint, slots=slots)
            for n, (needs, slots, first, joint) in enumerate(contracts)
        ],
    ),
    st.lists(
        st.tuples(st.sets(st.sampled_from(SKILLS), min_size=1), st.integers(0, 3)),
        min_size=1,
        max_size=5,
    ),
    st.lists(
        st.tuples(
            st.sets(st.sampled_from(SKILLS), min_size=1),
            st.integers(0, 3),
            st.integers(0, 1),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    ),
)


def test_points_are_ten_for_each_capability_five_for_resources_three_for_being_idle():
    one = contractor("one", "weld", "paint", slots=2)
    work, ledger = contract("x", "weld", "paint", slots=2), Ledger.of([one])
    (bid,) = bids_for([work], [one])
    assert worth(bid, work, ledger, Terms()) == 10 + 10 + 5 + 3
    busy = ledger.reserve("one", contract("other", slots=1))
    assert worth(bid, work, busy, Terms()) == 20
    assert worth(bid, work, busy.release("one", "other"), Terms()) == 28
    assert worth(bid, work, ledger, Terms(capability=1, resources=2, idle=4)) == 8


def test_better_match_wins_over_idleness_and_resources():
    able, idle = contractor("able", "weld", "paint"), contractor("idle", "weld")
    assert awarded([contract("x", "weld", "paint")], [idle, able]) == {"x": "able"}


def test_capabilities_are_matched_by_meaning_too():
    work = Contract(id="x", description="Look up the facts", capability="web search")
    met = capabilities_met([work], [contractor("r", "search the web"), contractor("d", "drive")])
    assert met == {"x": {"r": ("web search",)}}


def test_who_has_a_capability_by_name_comes_before_who_has_the_like():
    work = Contract(id="x", description="Write it down", capability="write a report")
    crew = [contractor("by_name", "write a report"), contractor("alike", "write reports")]
    assert capabilities_met([work], crew) == {"x": {"by_name": ("write a report",)}}
    assert list(capabilities_met([work], crew[1:])["x"]) == ["alike"]


def test_whoever_has_no_capability_or_could_never_have_the_resources_does_not_bid():
    work = contract("x", "weld", slots=3)
    can = contractor("can", "weld", slots=3)
    others = [contractor("poor", "weld", slots=2), contractor("other", "sing", slots=9)]
    assert [bid.contractor for bid in bids_for([work], [can, *others])] == ["can"]


def test_least_match_can_be_demanded():
    half, work = contractor("half", "weld"), contract("x", "weld", "paint")
    assert bids_for([work], [half], terms=Terms(min_match=0.5))
    assert not bids_for([work], [half], terms=Terms(min_match=0.6))


def test_equal_bids_go_to_the_declared_tie_breakers_then_to_the_name():
    work = [contract("x")]
    ledger = Ledger.of([contractor("a"), contractor("b")])
    worked = ledger.reserve("a", contract("old")).release("a", "old")
    bids = [
        Bid(contract="x", contractor="b", matched=("weld",), eta=2),
        Bid(contract="x", contractor="a", matched=("weld",), eta=1),
    ]

    def winner(ties):
        return award(work, bids, worked, terms=Terms(ties=ties))[0][0].contractor

    assert winner(("earlier", "less_loaded")) == "a"
    assert winner(("less_loaded", "earlier")) == "b"
    assert winner(()) == "a"


def test_contract_with_the_higher_priority_is_awarded_first():
    low, high = contract("low", slots=1), contract("high", priority=1, slots=1)
    assert awarded([low, high], [contractor("one", slots=1)]) == {"high": "one"}


def test_joint_contract_goes_to_all_who_have_the_resources():
    crew = [contractor("a", slots=1), contractor("b", slots=2), contractor("c", slots=1)]
    first = contract("first", priority=1, slots=1)
    made, ledger = award(
        [contract("all", joint=True, slots=1), first],
        bids_for([contract("all", joint=True, slots=1), first], crew),
        Ledger.of(crew),
    )
    assert [(each.contract, each.contractor) for each in made] == [
        ("first", "a"),
        ("all", "b"),
        ("all", "c"),
    ]
    assert ledger.free("b") == {"slots": 1}


@settings(max_examples=40, deadline=None)
@given(MARKET, st.randoms())
def test_order_of_the_bids_and_of_the_contractors_never_matters(market, chance):
    contractors, contracts = market
    bids, ledger = bids_for(contracts, contractors), Ledger.of(contractors)
    made, left = award(contracts, bids, ledger)
    chance.shuffle(bids)
    chance.shuffle(contractors)
    assert award(contracts, bids, Ledger.of(contractors)) == (made, left)


@settings(max_examples=40, deadline=None)
@given(MARKET)
def test_nobody_ever_has_less_than_nothing_and_all_is_given_back(market):
    contractors, contracts = market
    ledger = Ledger.of(contractors)
    made, reserved = award(contracts, bids_for(contracts, contractors), ledger)
    assert all(much >= 0 for one in contractors for much in reserved.free(one.name).values())
    for each in made:
        reserved = reserved.release(each.contractor, each.contract)
    assert all(reserved.free(one.name) == ledger.free(one.name) for one in contractors)
    assert sum(reserved.awarded.values()) == len(made)


@settings(max_examples=40, deadline=None)
@given(MARKET)
def test_as_long_as_there_are_bids_something_is_awarded(market):
    contractors, contracts = market
    bids = bids_for(contracts, contractors)
    made, _ = award(contracts, bids, Ledger.of(contractors))
    assert bool(made) == bool(bids)


def test_ledger_refuses_what_it_does_not_have():
    ledger = Ledger.of([contractor("a", slots=1)])
    with pytest.raises(ConfigurationError, match="'a' cannot take contract 'x'"):
        ledger.reserve("a", contract("x", slots=2))
    with pytest.raises(ConfigurationError, match="does not hold contract 'x'"):
        ledger.release("a", "x")
    held = ledger.reserve("a", contract("x"))
    with pytest.raises(ConfigurationError, match="cannot take contract 'x'"):
        held.reserve("a", contract("x"))


def test_impossible_terms_are_refused():
    for points in (-1, float("nan"), float("inf")):
        with pytest.raises(ConfigurationError, match="points are finite from 0 on"):
            Terms(idle=points)
    with pytest.raises(ConfigurationError, match="min_match is from 0 to 1"):
        Terms(min_match=2)
    with pytest.raises(ConfigurationError, match="nothing breaks ties by luck"):
        Terms(ties=("luck",))


@pytest.mark.parametrize(
    ("yes", "no", "agreed"), [(7, 3, True), (6, 4, False), (1, 0, True), (1, 1, False)]
)
def test_seven_of_ten_are_a_consensus(yes, no, agreed):
    said = [Answer(f"y{n}", "go") for n in range(yes)] + [
        Answer(f"n{n}", "stay") for n in range(no)
    ]
    random.Random(1).shuffle(said)
    assert agree(said).is_agreed is agreed


def test_nothing_proposed_is_no_consensus():
    assert not agree([]).is_agreed
    assert not agree([Answer("a", None)]).is_agreed
    with pytest.raises(ConfigurationError, match="least is 0"):
        agree([], least=0)
