from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from scripted import calls

from cogwork.nodes.trace import TraceStep, trace


def test_a_trace_tells_thought_tool_input_output_seconds_and_tokens():
    thought = calls(("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}), say="I add twice.")
    first, second = (call["id"] for call in thought.tool_calls)
    messages = [
        HumanMessage("sums?"),
        thought,
        ToolMessage("3", tool_call_id=first, response_metadata={"seconds": 0.5}),
        ToolMessage("Error: no", tool_call_id=second, status="error"),
        AIMessage("3", usage_metadata={"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}),
        HumanMessage("thanks"),
        AIMessage("welcome"),
    ]
    assert trace({"messages": messages}) == [
        TraceStep(1, "I add twice.", "add", {"a": 1, "b": 2}, "3", False, 0.5, 15),
        TraceStep(1, "I add twice.", "add", {"a": 3, "b": 4}, "Error: no", True, None, 0),
        TraceStep(1, "", None, None, "3", False, None, 2),
        TraceStep(2, "", None, None, "welcome", False, None, 0),
    ]


def test_a_running_call_has_no_output_yet():
    (step,) = trace({"messages": [HumanMessage("go"), calls(("add", {}))]})
    assert (step.tool, step.output, step.seconds) == ("add", None, None)


def test_call_ids_need_only_be_unique_within_a_thought():
    once = [calls(("add", {})), ToolMessage("1", tool_call_id="call-0-0-add")]
    again = [calls(("add", {})), ToolMessage("2", tool_call_id="call-0-0-add")]
    assert [s.output for s in trace({"messages": [*once, *again]})] == ["1", "2"]


def test_an_empty_thread_has_no_steps():
    assert trace({}) == []
