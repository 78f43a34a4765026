import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from scripted import ScriptedChatModel, calls

from cogwork.core.tracing import Tracing
from cogwork.graphs import create_plan_execute_agent, create_react_agent
from cogwork.tools import load_tools, tool


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter):
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(exporter))
    yield made
    made.shutdown()


@pytest.fixture
def tracing(provider):
    return Tracing(provider.get_tracer("test"))


def tree(exporter):
    """The spans as nested names, in their order."""
    spans = sorted(exporter.get_finished_spans(), key=lambda span: span.start_time)

    def below(parent):
        return [
            (span.name, below(span.context.span_id))
            for span in spans
            if (span.parent.span_id if span.parent else None) == parent
        ]

    return below(None)


@pytest.mark.parametrize("is_async", [False, True])
async def test_spans_are_nested_as_the_run_was(exporter, tracing, is_async):
    agent = create_react_agent("offline", load_tools(["calculator"]))
    config = {"callbacks": [tracing], "configurable": {"thread_id": "7"}}
    asked = {"messages": "What is 6 * 7?"}
    _ = await agent.ainvoke(asked, config) if is_async else agent.invoke(asked, config)
    assert tree(exporter) == [
        (
            "invoke_agent react",
            [
                ("node think", [("chat offline", [])]),
                ("node act", [("execute_tool calculator", [])]),
                ("node observe", []),
                ("node think", [("chat offline", [])]),
            ],
        )
    ]
    spans = {span.name: span.attributes for span in exporter.get_finished_spans()}
    assert spans["invoke_agent react"]["gen_ai.conversation.id"] == "7"
    assert spans["chat offline"]["gen_ai.usage.input_tokens"] > 0
    assert spans["execute_tool calculator"]["gen_ai.tool.call.id"]


def test_what_agents_of_steps_do_is_inside_the_node(exporter, tracing):
    agent = create_plan_execute_agent("offline", load_tools(["calculator"]))
    agent.invoke({"messages": "Compute 6 * 7, and say hello"}, {"callbacks": [tracing]})
    ((_, nodes),) = tree(exporter)
    execute = dict(nodes)["node execute"]
    assert "execute_tool calculator" in dict(execute)
    assert "node think" in dict(execute)


def test_failures_are_marked_and_nothing_said_is_recorded(exporter, tracing):
    @tool(effect="read", retry=None)
    def fail(what: str) -> str:
        """Fail."""
        raise ValueError(f"no {what}")

    model = ScriptedChatModel(script=[calls(("fail", {"what": "private words"})), "done"])
    create_react_agent(model, [fail]).invoke({"messages": "go"}, {"callbacks": [tracing]})
    (span,) = [each for each in exporter.get_finished_spans() if each.name == "execute_tool fail"]
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "ValueError"
    assert not any("private" in each.to_json() for each in exporter.get_finished_spans())


def test_a_run_inside_a_span_is_its_child(exporter, provider, tracing):
    with provider.get_tracer("mine").start_as_current_span("request"):
        create_react_agent("offline").invoke({"messages": "hello"}, {"callbacks": [tracing]})
    ((name, below),) = tree(exporter)
    assert (name, below[0][0]) == ("request", "invoke_agent react")


def test_every_span_ends(exporter, tracing):
    agent = create_react_agent("offline", load_tools(["calculator"]))
    for _ in range(3):
        agent.invoke({"messages": "What is 6 * 7?"}, {"callbacks": [tracing]})
    assert tracing._spans == {}
