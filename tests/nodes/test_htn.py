from operator import sub, truediv

import pytest

from cogwork.core.errors import ConfigurationError, PlanningError
from cogwork.nodes.htn import Domain, Let, Method, Operator, Result, plan_htn
from cogwork.nodes.plan_check import check_plan
from cogwork.tools.base import tool

# ---- travel: the domain with which SHOP is explained -------------------------------------------

TRAVEL = Domain(
    [
        Operator(
            "walk",
            ("?who", "?from", "?to"),
            [("at", "?who", "?from")],
            add=[("at", "?who", "?to")],
            delete=[("at", "?who", "?from")],
        ),
        Operator("call", ("?taxi", "?to"), [("taxi", "?taxi")], [("waits", "?taxi", "?to")]),
        Operator(
            "ride",
            ("?who", "?taxi", "?from", "?to"),
            [("waits", "?taxi", "?from"), ("at", "?who", "?from")],
            add=[("at", "?who", "?to"), ("owes", "?who")],
            delete=[("at", "?who", "?from"), ("waits", "?taxi", "?from")],
        ),
        Operator(
            "pay",
            ("?who", "?fare"),
            [
                ("owes", "?who"),
                ("cash", "?who", "?had"),
                (">=", "?had", "?fare"),
                Let("?left", sub, ("?had", "?fare")),
            ],
            add=[("cash", "?who", "?left")],
            delete=[("cash", "?who", "?had"), ("owes", "?who")],
        ),
    ],
    [
        Method(
            "travel",
            ("?who", "?from", "?to"),
            [("far", "?from", "?to", "?km"), ("<=", "?km", 2)],
            [("walk", "?who", "?from", "?to")],
            name="on foot",
        ),
        Method(
            "travel",
            ("?who", "?from", "?to"),
            [
                ("far", "?from", "?to", "?km"),
                ("taxi", "?taxi"),
                Let("?fare", lambda km: 2 + km, ("?km",)),
            ],
            [
                ("call", "?taxi", "?from"),
                ("ride", "?who", "?taxi", "?from", "?to"),
                ("pay", "?who", "?fare"),
            ],
            name="by taxi",
        ),
    ],
)


def town(cash):
    return {
        ("at", "ada", "home"),
        ("cash", "ada", cash),
        ("taxi", "t1"),
        ("far", "home", "shop", 1),
        ("far", "home", "park", 8),
        ("far", "shop", "park", 7),
    }


def descriptions(plan):
    return [step.description for step in plan.steps]


def test_a_short_way_is_walked_and_a_long_one_ridden():
    assert descriptions(plan_htn(TRAVEL, town(20), [("travel", "ada", "home", "shop")])) == [
        "walk(ada, home, shop)"
    ]
    assert descriptions(plan_htn(TRAVEL, town(20), [("travel", "ada", "home", "park")])) == [
        "call(t1, home)",
        "ride(ada, t1, home, park)",
        "pay(ada, 10)",
    ]


def test_the_second_task_begins_where_the_first_ended():
    tasks = [("travel", "ada", "home", "shop"), ("travel", "ada", "shop", "park")]
    plan = plan_htn(TRAVEL, town(9), tasks)
    assert descriptions(plan)[-1] == "pay(ada, 9)"
    assert plan.goal == "travel(ada, home, shop), travel(ada, shop, park)"
    assert plan["call-2"].depends_on == ()  # the taxi can be called while she walks
    assert plan["ride-3"].depends_on == ("walk-1", "call-2")


def test_no_plan_says_what_blocked_at_the_deepest_point_and_what_else_was_tried():
    with pytest.raises(PlanningError) as caught:
        plan_htn(TRAVEL, town(5), [("travel", "ada", "home", "park")])
    first, *others = str(caught.value).splitlines()
    assert first == (
        "there is no plan for travel(ada, home, park): after call(t1, home), "
        "ride(ada, t1, home, park), pay(ada, 10) needs 5 >= 10"
    )
    assert "- at the start, travel(ada, home, park) (on foot) needs 8 <= 2" in others
    assert len(caught.value.details["tried"]) == 2


def test_an_unmet_fact_and_a_forbidden_one_are_shown_as_patterns():
    with pytest.raises(PlanningError, match=r"\(on foot\) needs far\(home, moon, \?km\)"):
        plan_htn(TRAVEL, town(5), [("travel", "ada", "home", "moon")])
    lonely = Domain([Operator("rest", (), [("not", ("guest", "?who"))])])
    assert len(plan_htn(lonely, [], [("rest",)]).steps) == 1
    with pytest.raises(PlanningError, match=r"rest\(\) needs no guest\(\?who\)"):
        plan_htn(lonely, [("guest", "bo")], [("rest",)])


def test_the_condition_and_the_place_that_were_reached_last_are_named():
    domain = Domain(
        [
            Operator("step"),
            Operator("pick", (), [("p", "?x"), ("q", "?x"), ("r", "?x")]),
        ],
        [Method("work", (), [], [("pick",)]), Method("work", (), [], [("step",), ("pick",)])],
    )
    with pytest.raises(PlanningError, match=r": after step\(\), pick\(\) needs r\(a\)$"):
        plan_htn(domain, [("p", "a"), ("q", "a"), ("p", "b")], [("work",)])


# ---- the search --------------------------------------------------------------------------------


def test_a_method_that_fails_late_leaves_nothing_behind():
    domain = Domain(
        [
            Operator("spend", (), [("coin",)], add=[("spent",)], delete=[("coin",)]),
            Operator("fail", (), [("never",)]),
            Operator("keep", (), [("coin",), ("not", ("spent",))], add=[("kept",)]),
        ],
        [
            Method("choose", (), [], [("spend",), ("fail",)], name="first"),
            Method("choose", (), [("coin",)], [("keep",)], name="second"),
        ],
    )
    assert descriptions(plan_htn(domain, [("coin",)], [("choose",)])) == ["keep()"]


def test_other_bindings_are_tried_when_a_later_task_fails():
    domain = Domain(
        [
            Operator("take", ("?key",), [("key", "?key")], [("has", "?key")]),
            Operator("open", ("?door",), [("fits", "?key", "?door"), ("has", "?key")]),
        ],
        [Method("fetch", (), [("key", "?key")], [("take", "?key")])],
    )
    facts = [("key", "a"), ("key", "b"), ("key", "c"), ("fits", "c", "gate")]
    plan = plan_htn(domain, facts, [("fetch",), ("open", "gate")])
    assert descriptions(plan) == ["take(c)", "open(gate)"]
    facts += [("fits", "b", "gate"), ("fits", "a", "gate")]
    plan = plan_htn(domain, facts, [("fetch",), ("open", "gate")])
    assert descriptions(plan)[0] == "take(a)"  # sets have no order, plans do


def test_a_task_below_itself_in_the_same_state_is_not_followed():
    domain = Domain(
        [Operator("step")],
        [
            Method("loop", (), [], [("again",)]),
            Method("again", (), [], [("loop",)], name="round"),
            Method("again", (), [], [("step",)], name="out"),
        ],
    )
    assert descriptions(plan_htn(domain, [], [("loop",)])) == ["step()"]
    endless = Domain([], [Method("a", (), [], [("b",)]), Method("b", (), [], [("a",)])])
    with pytest.raises(PlanningError, match=r"a\(\) goes round in a circle"):
        plan_htn(endless, [], [("a",)])


COUNT = Domain(
    [Operator("tick", ("?n",), [], [("ticked", "?n")])],
    [
        Method("count", (0,)),
        Method(
            "count",
            ("?n",),
            [(">", "?n", 0), Let("?less", sub, ("?n", 1))],
            [("tick", "?n"), ("count", "?less")],
        ),
        Method("grow", ("?n",), [Let("?more", sub, ("?n", -1))], [("grow", "?more")]),
        Method("double", ("?n",), [Let("?m", sub, ("?n", -1))], [("double", "?m")], "left"),
        Method("double", ("?n",), [Let("?m", sub, ("?n", -2))], [("double", "?m")], "right"),
    ],
)


def test_nesting_is_bounded_by_its_limit_and_not_by_pythons():
    assert len(plan_htn(COUNT, [], [("count", 1500)], max_depth=1501).steps) == 1500
    with pytest.raises(PlanningError, match=r"count\(5\) is nested deeper than max_depth=5"):
        plan_htn(COUNT, [], [("count", 10)], max_depth=5)
    with pytest.raises(PlanningError, match="max_depth=200"):
        plan_htn(COUNT, [], [("grow", 0)])


def test_a_search_that_explodes_is_given_up():
    with pytest.raises(PlanningError, match="given up after max_expansions=500"):
        plan_htn(COUNT, [], [("double", 0)], max_expansions=500)


def test_nothing_to_do_is_a_plan_without_steps():
    assert plan_htn(COUNT, [], [("count", 0)]).steps == ()
    assert plan_htn(COUNT, [], []).steps == ()


# ---- the plan ----------------------------------------------------------------------------------


@tool(effect="read")
def search(topic: str, limit: int) -> str:
    """Search."""
    return "[]"


@tool(effect="read")
def read(page: str) -> str:
    """Read."""
    return page


RESEARCH = Domain(
    [
        Operator(
            "search",
            ("?topic",),
            [("limit", "?n"), ("costs", "?cost")],
            [("found", "?topic")],
            tool="search",
            args={"topic": "?topic", "limit": "?n"},
            cost="?cost",
            description="Look for ?topic, ?n pages.",
        ),
        Operator(
            "read",
            ("?topic",),
            [("found", "?topic")],
            tool="read",
            args={"page": Result(("found", "?topic"), "[0]")},
        ),
    ]
)


def test_steps_call_tools_with_values_and_earlier_results():
    facts = [("limit", 3), ("costs", 2.5)]
    plan = plan_htn(RESEARCH, facts, [("search", "ants"), ("read", "ants")], goal="Ants")
    first, second = plan.steps
    assert (plan.goal, first.tool, first.args) == ("Ants", "search", {"topic": "ants", "limit": 3})
    assert (first.description, first.estimated_cost) == ("Look for ants, 3 pages.", 2.5)
    assert second.args == {"page": "{search-1.result[0]}"}
    assert check_plan(plan, [search, read]) == []


def test_a_result_that_no_step_gives_and_a_cost_that_is_none_are_refused():
    with pytest.raises(PlanningError, match=r"found\(ants\) true; it was true from the start"):
        plan_htn(RESEARCH, [("found", "ants")], [("read", "ants")])
    with pytest.raises(PlanningError, match="'search-1' is estimated to cost 'much'"):
        plan_htn(RESEARCH, [("limit", 3), ("costs", "much")], [("search", "ants")])


def test_every_fault_of_a_domain_is_named():
    with pytest.raises(ConfigurationError) as caught:
        Domain(
            [
                Operator("walk", ("who",), [("<", "?a", 2)], [("at", "?b")], cost=-1),
                Operator("walk", args={"x": Result(("seen",))}, cost="?cost"),
                Operator("dup", (), [("not", ("on", "?x")), ("block", "?x")]),
            ],
            [
                Method("dup", (), [Let("x", sub, ("?y",))], [("wolk", 1), ("walk", 1, 2)]),
                Method("m", (), [("not", "clear")], ["walk", ("walk", "?free")]),
            ],
        )
    for said in (
        "2 operators are called 'walk'",
        "'dup' is an operator and has methods",
        "operator 'walk': parameter 'who' is no variable",
        "nothing before binds '?a'",
        "effect ('at', '?b'): nothing before binds '?b'",
        "cost -1 is no number from 0 on",
        "result of ('seen',), which is no precondition",
        "cost: nothing before binds '?cost'",
        "'?x' stands in a negated condition before it is bound",
        "Let binds 'x', which is no variable",
        "Let: nothing before binds '?y'",
        "there is no task 'wolk'; did you mean 'walk'?",
        "task 'walk' is given 2 arguments; it takes 0 or 1",
        "negated condition 'clear' is no tuple",
        "subtask 'walk' is no tuple",
        "nothing before binds '?free'",
    ):
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("state", "tasks", "said"),
    [
        (["at home"], [], "'at home' is no tuple"),
        ([("at", "?x")], [], "is a condition, no fact"),
        ([("at", [1])], [], "cannot be hashed"),
        ([], [("travle", 1, 2, 3)], "did you mean 'travel'"),
        ([], [("travel", 1)], "it takes 3"),
        ([], [("travel", "?x", 2, 3)], "has a variable"),
    ],
)
def test_a_state_or_task_that_is_none_is_refused(state, tasks, said):
    with pytest.raises(ConfigurationError, match=said.replace("?", r"\?")):
        plan_htn(TRAVEL, state, tasks)


def test_function_that_fails_is_an_error_that_names_the_task():
    share = Operator("share", ("?n",), [("sum", "?all"), Let("?each", truediv, ("?all", "?n"))])
    with pytest.raises(PlanningError, match=r"share\(0\): a precond.*ZeroDivisionError"):
        plan_htn(Domain([share], []), [("sum", 6)], [("share", 0)])


def test_what_cannot_be_compared_is_an_error_that_names_the_task():
    facts = [("far", "home", "park", "8 km")]
    with pytest.raises(PlanningError, match=r"travel\(ada, home, park\) \(on foot\): a precond"):
        plan_htn(TRAVEL, facts, [("travel", "ada", "home", "park")])
