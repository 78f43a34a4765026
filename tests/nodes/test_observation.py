import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from cogwork.nodes.observation import make_observe


def step(args, result, call_id="1", name="look"):
    return [
        AIMessage("", tool_calls=[{"name": name, "args": args, "id": call_id}]),
        ToolMessage(result, tool_call_id=call_id),
    ]


def verdict(*messages, **limits):
    return make_observe(**limits).invoke({"messages": [HumanMessage("go"), *messages]})[
        "stop_reason"
    ]


def test_a_loop_goes_on_while_it_gets_somewhere():
    assert verdict(*step({"n": 1}, "a"), *step({"n": 2}, "a"), *step({"n": 1}, "b")) is None


@pytest.mark.parametrize(("steps", "expected"), [(2, None), (3, "step_limit"), (4, "step_limit")])
def test_the_step_limit_stops_it(steps, expected):
    messages = [m for n in range(steps) for m in step({"n": n}, str(n))]
    assert verdict(*messages, max_steps=3) == expected


def test_parallel_calls_are_one_step():
    two = AIMessage(
        "", tool_calls=[{"name": "look", "args": {"n": n}, "id": str(n)} for n in (1, 2)]
    )
    results = [ToolMessage("x", tool_call_id=str(n)) for n in (1, 2)]
    assert verdict(two, *results, max_steps=2) is None


def test_steps_of_an_earlier_question_do_not_count():
    earlier = [m for n in range(3) for m in step({"n": n}, str(n))]
    assert (
        verdict(*earlier, AIMessage("so"), HumanMessage("more"), *step({}, "x"), max_steps=3)
        is None
    )


@pytest.mark.parametrize(("times", "expected"), [(2, None), (3, "no_progress")])
def test_the_same_call_with_the_same_result_three_times_is_no_progress(times, expected):
    assert verdict(*(m for _ in range(times) for m in step({"n": 1}, "same"))) == expected


def test_repeats_need_not_follow_each_other():
    a, b = step({"n": 1}, "a"), step({"n": 2}, "b")
    assert verdict(*a, *b, *a, *b, *a) == "no_progress"


def test_the_same_call_with_another_result_is_progress():
    assert verdict(*(m for n in range(3) for m in step({"n": 1}, f"{n} %"))) is None


def test_malformed_calls_repeated_are_no_progress():
    bad = AIMessage(
        "", invalid_tool_calls=[{"name": "look", "args": "{", "id": "1", "error": None}]
    )
    assert verdict(*[bad, ToolMessage("Error", tool_call_id="1")] * 3) == "no_progress"


@pytest.mark.parametrize(
    ("status", "names", "expected"),
    [("success", {"look"}, "answered"), ("error", {"look"}, None), ("success", {"other"}, None)],
)
def test_a_step_of_direct_tools_that_succeeds_is_the_answer(status, names, expected):
    thought, result = step({}, "x")
    result = ToolMessage("x", tool_call_id="1", name="look", status=status)
    assert verdict(thought, result, return_direct=names) == expected
