"""Blocks, and which steps of a plan wait for which."""

from itertools import pairwise, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from cogwork.nodes.htn import Domain, Method, Operator, plan_htn


def descriptions(plan):
    return [step.description for step in plan.steps]


# ---- blocks ------------------------------------------------------------------------------------

BLOCKS = Domain(
    [
        Operator(
            "unstack",
            ("?x", "?y"),
            [("on", "?x", "?y"), ("clear", "?x")],
            add=[("held", "?x"), ("clear", "?y")],
            delete=[("on", "?x", "?y"), ("clear", "?x")],
        ),
        Operator(
            "put_down",
            ("?x",),
            [("held", "?x")],
            add=[("table", "?x"), ("clear", "?x")],
            delete=[("held", "?x")],
        ),
        Operator(
            "pick_up",
            ("?x",),
            [("table", "?x"), ("clear", "?x")],
            add=[("held", "?x")],
            delete=[("table", "?x"), ("clear", "?x")],
        ),
        Operator(
            "stack",
            ("?x", "?y"),
            [("held", "?x"), ("clear", "?y")],
            add=[("on", "?x", "?y"), ("clear", "?x")],
            delete=[("held", "?x"), ("clear", "?y")],
        ),
    ],
    [
        Method("arrange", (), [], [("flatten",), ("build",), ("check",)]),
        Method(
            "flatten",
            (),
            [("on", "?x", "?y"), ("clear", "?x")],
            [("unstack", "?x", "?y"), ("put_down", "?x"), ("flatten",)],
        ),
        Method("flatten", (), [("not", ("on", "?x", "?y"))]),
        Method(
            "build",
            (),
            [("want", "?x", "?y"), ("table", "?x"), ("clear", "?y"), ("bottom", "?y")],
            [("pick_up", "?x"), ("stack", "?x", "?y"), ("build",)],
        ),
        Method(
            "build",
            (),
            [
                ("want", "?x", "?y"),
                ("table", "?x"),
                ("clear", "?y"),
                ("want", "?y", "?z"),
                ("on", "?y", "?z"),
            ],
            [("pick_up", "?x"), ("stack", "?x", "?y"), ("build",)],
        ),
        Method("build"),
        Method("check", (), [("want", "?x", "?y"), ("not", ("on", "?x", "?y"))], [("check",)]),
        Method("check"),
    ],
)


def towers(*rows):
    """Facts for towers, each written from its top."""
    for row in rows:
        yield ("clear", row[0])
        yield ("table", row[-1])
        yield from (("on", upper, lower) for upper, lower in pairwise(row))


def wanted(*rows):
    for row in rows:
        yield ("bottom", row[-1])
        yield from (("want", upper, lower) for upper, lower in pairwise(row))


def carried_out(plan, facts, order=None):
    """The state after a plan in an order, by the blocks' rules written out once more."""
    state = set(facts)
    for key in order or plan.order:
        name, _, rest = plan[key].description.partition("(")
        x, y = [*rest.rstrip(")").split(", "), None][:2]
        needs, gains, loses = {
            "unstack": ([("on", x, y), ("clear", x)], [("held", x), ("clear", y)], 2),
            "put_down": ([("held", x)], [("table", x), ("clear", x)], 1),
            "pick_up": ([("table", x), ("clear", x)], [("held", x)], 2),
            "stack": ([("held", x), ("clear", y)], [("on", x, y), ("clear", x)], 2),
        }[name]
        assert state.issuperset(needs), (key, state)
        state = (state - set(needs[:loses])) | set(gains)
    return state


def test_sussmans_anomaly_is_no_trouble():
    facts = [*towers("ca", "b"), *wanted("abc")]
    plan = plan_htn(BLOCKS, facts, [("arrange",)])
    assert descriptions(plan) == [
        "unstack(c, a)",
        "put_down(c)",
        "pick_up(b)",
        "stack(b, c)",
        "pick_up(a)",
        "stack(a, b)",
    ]
    assert carried_out(plan, towers("ca", "b")) == set(towers("abc"))
    assert plan["pick_up-3"].depends_on == ("put_down-2",)  # its method needs c to be clear
    assert plan["pick_up-5"].depends_on == ("stack-4",)


@settings(max_examples=25, deadline=None)
@given(st.permutations("abcdefg"), st.permutations("abcdefg"), st.integers(1, 6), st.integers(1, 6))
def test_any_towers_become_any_others(here, there, cut, split):
    begin, end = [here[:cut], here[cut:]], [there[:split], there[split:]]
    plan = plan_htn(BLOCKS, [*towers(*begin), *wanted(*end)], [("arrange",)])
    assert carried_out(plan, towers(*begin)) == set(towers(*end))


# ---- dependencies ------------------------------------------------------------------------------


@st.composite
def chains(draw):
    """A state, operators in an order in which they can be carried out, and groups of them."""
    facts = [(name,) for name in "pqrs"]
    subsets = st.frozensets(st.sampled_from(facts), max_size=2)
    initial = draw(st.frozensets(st.sampled_from(facts)))
    state, operators = initial, []
    for place in range(draw(st.integers(1, 6))):
        true = draw(subsets) & state
        false = draw(subsets) - state
        add, delete = draw(subsets), draw(subsets)
        conditions = [*sorted(true), *(("not", fact) for fact in sorted(false))]
        operators.append(Operator(f"o{place}", (), conditions, sorted(add), sorted(delete)))
        state = (state - delete) | add
    grouped = draw(st.lists(st.booleans(), min_size=len(operators), max_size=len(operators)))
    return initial, operators, grouped


def after(state, operator):
    for condition in operator.preconditions:
        negative = condition[0] == "not"
        assert ((condition[1] if negative else condition) in state) != negative, operator
    return (state - set(operator.delete)) | set(operator.add)


@settings(max_examples=150, deadline=None)
@given(chains())
def test_every_order_that_the_dependencies_allow_can_be_carried_out(chain):
    initial, operators, grouped = chain
    # A group hands its operator's preconditions to a method, so that only the method has them.
    methods = [
        Method(f"m{each.name}", (), each.preconditions, [(each.name,)])
        for each, group in zip(operators, grouped, strict=True)
        if group
    ]
    bare = [
        Operator(each.name, (), [] if group else each.preconditions, each.add, each.delete)
        for each, group in zip(operators, grouped, strict=True)
    ]
    tasks = [
        (f"m{each.name}" if group else each.name,)
        for each, group in zip(operators, grouped, strict=True)
    ]
    plan = plan_htn(Domain(bare, methods), initial, tasks)
    by_id = dict(zip((step.id for step in plan.steps), operators, strict=True))
    end = initial
    for operator in operators:
        end = after(end, operator)
    orders = 0
    for order in permutations(by_id):
        if all(order.index(b) < order.index(s.id) for s in plan.steps for b in s.depends_on):
            state, orders = initial, orders + 1
            for key in order:
                state = after(state, by_id[key])
            assert state == end
    assert orders


@settings(max_examples=15, deadline=None)
@given(st.permutations("abcde"), st.integers(1, 4), st.randoms(use_true_random=False))
def test_blocks_may_be_moved_in_any_order_that_the_dependencies_allow(here, cut, chance):
    begin = [here[:cut], here[cut:]]
    plan = plan_htn(BLOCKS, [*towers(*begin), *wanted("abcde")], [("arrange",)])
    waiting, order = list(plan.order), []
    while waiting:
        ready = [key for key in waiting if set(plan[key].depends_on) <= set(order)]
        order.append(chance.choice(ready))
        waiting.remove(order[-1])
    assert carried_out(plan, towers(*begin), order) == set(towers("abcde"))


def test_steps_that_do_not_touch_each_other_are_parallel():
    domain = Domain(
        [
            Operator("fetch", ("?x",), [("wanted", "?x")], [("fetched", "?x")]),
            Operator("read", ("?x",), [("fetched", "?x")], [("read", "?x")]),
            Operator("join", ("?x", "?y"), [("read", "?x"), ("read", "?y")]),
        ]
    )
    tasks = [("fetch", "a"), ("read", "a"), ("fetch", "b"), ("read", "b"), ("join", "a", "b")]
    plan = plan_htn(domain, [("wanted", "a"), ("wanted", "b")], tasks)
    assert plan.groups == (("fetch-1", "fetch-3"), ("read-2", "read-4"), ("join-5",))
    assert plan["join-5"].depends_on == ("read-2", "read-4")


def test_who_unsets_a_fact_waits_for_its_readers_and_a_second_giver_for_nobody():
    domain = Domain(
        [
            Operator("light", (), [], [("lit",)]),
            Operator("also_light", (), [], [("lit",)]),
            Operator("read", (), [("lit",)]),
            Operator("darken", (), [], [], [("lit",)]),
            Operator("sleep", (), [("not", ("lit",))]),
        ]
    )
    names = ["light", "also_light", "read", "darken", "sleep"]
    plan = plan_htn(domain, [], [(name,) for name in names])
    waits = {step.id: step.depends_on for step in plan.steps}
    assert waits == {
        "light-1": (),
        "also_light-2": (),
        "read-3": ("light-1",),
        "darken-4": ("also_light-2", "read-3"),
        "sleep-5": ("darken-4",),
    }


def test_what_a_method_needs_is_there_before_any_of_its_steps():
    domain = Domain(
        [Operator("cook", (), [], [("food",)]), Operator("lay"), Operator("ring")],
        [Method("serve", (), [("food",)], [("lay",), ("ring",)])],
    )
    plan = plan_htn(domain, [], [("cook",), ("serve",)])
    assert [step.depends_on for step in plan.steps] == [(), ("cook-1",), ("cook-1",)]
    eating = Domain(
        [
            Operator("cook", (), [], [("food",)]),
            Operator("eat", (), [], [], [("food",)]),
            Operator("ring"),
        ],
        [Method("dine", (), [("food",)], [("eat",), ("ring",)])],
    )
    plan = plan_htn(eating, [], [("cook",), ("dine",)])
    assert [step.depends_on for step in plan.steps] == [(), ("cook-1",), ("cook-1",)]
