"""OpenTelemetry spans of runs: one for each graph, node, call of a model and call of a tool.

They follow OpenTelemetry's semantic conventions for generative AI
(https://opentelemetry.io/docs/specs/semconv/gen-ai/). What was said, given and answered is not
recorded.
"""

# ruff: noqa: ARG002 - the signatures are LangChain's

from typing import TYPE_CHECKING, Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult
from langgraph.errors import GraphBubbleUp

from cogwork.core.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

__all__ = ["Tracing"]


class Tracing(BaseCallbackHandler):
    """A callback that makes spans: `graph.invoke(question, {"callbacks": [Tracing()]})`.

    Without an OpenTelemetry SDK that is set up, spans go nowhere and cost next to nothing. A
    run inside a span of yours becomes its child.

    Args:
        tracer: Makes the spans; the one that OpenTelemetry's provider gives to `cogwork`
            unless given.

    Raises:
        ConfigurationError: OpenTelemetry is not installed.
    """

    run_inline = True  # in the caller's context, to which the spans belong

    def __init__(self, tracer: "Tracer | None" = None) -> None:
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise ConfigurationError(
                "spans need OpenTelemetry: pip install 'cogwork[otel]'"
            ) from error
        self._trace = trace
        self._tracer = tracer or trace.get_tracer("cogwork")
        self._spans: dict[UUID, Span] = {}

    def __deepcopy__(self, _: Any) -> "Tracing":
        return self  # spans that begin here end here

    def span_of(self, run_id: UUID) -> "Span | None":
        """Return the span of a run that has not ended, by which logs name it."""
        return self._spans.get(run_id)

    def on_chain_start(
        self,
        serialized: Any,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A graph or a node begins; runnables within a node are left out."""
        metadata, name = kwargs.get("metadata") or {}, kwargs.get("name") or "graph"
        if parent_run_id is None or name == "LangGraph" or metadata.get("langgraph_node") is None:
            more = {"gen_ai.agent.name": name, **_conversation(metadata)}
            self._begin(run_id, parent_run_id, f"invoke_agent {name}", "invoke_agent", more)
        elif name == metadata["langgraph_node"]:
            self._begin(run_id, parent_run_id, f"node {name}", None, {"cogwork.node": name})
        elif parent_run_id in self._spans:
            self._spans[run_id] = self._spans[parent_run_id]  # its children are the node's

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """It has ended."""
        self._end(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It has failed, or waits for a person."""
        self._end(run_id, error)

    def on_tool_start(
        self,
        serialized: Any,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A tool is called."""
        name = kwargs.get("name") or (serialized or {}).get("name") or "tool"
        more = {"gen_ai.tool.name": name, "gen_ai.tool.type": "function"}
        if call := kwargs.get("tool_call_id"):
            more["gen_ai.tool.call.id"] = call
        self._begin(run_id, parent_run_id, f"execute_tool {name}", "execute_tool", more)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """It has answered."""
        self._end(run_id, failed=getattr(output, "status", "success") == "error")

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It has failed, or asks a person."""
        self._end(run_id, error)

    def on_chat_model_start(
        self,
        serialized: Any,
        messages: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A model is called."""
        metadata = kwargs.get("metadata") or {}
        named = kwargs.get("name") or (serialized or {}).get("name") or "model"
        model = metadata.get("ls_model_name") or named
        more = {"gen_ai.request.model": model, "gen_ai.provider.name": metadata.get("ls_provider")}
        if (temperature := metadata.get("ls_temperature")) is not None:
            more["gen_ai.request.temperature"] = temperature
        self._begin(run_id, parent_run_id, f"chat {model}", "chat", more)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """It has answered."""
        span = self._spans.get(run_id)
        for generation in (each for group in response.generations for each in group):
            message = getattr(generation, "message", None)
            usage = getattr(message, "usage_metadata", None) or {}
            told = {
                "gen_ai.usage.input_tokens": usage.get("input_tokens"),
                "gen_ai.usage.output_tokens": usage.get("output_tokens"),
                "gen_ai.response.model": _model(message),
            }
            if span is not None:
                span.set_attributes({name: value for name, value in told.items() if value})
        self._end(run_id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It has failed."""
        self._end(run_id, error)

    def _begin(
        self,
        run_id: UUID,
        parent: UUID | None,
        name: str,
        operation: str | None,
        more: dict[str, Any],
    ) -> None:
        above = self._spans.get(parent) if parent is not None else None
        context = self._trace.set_span_in_context(above) if above is not None else None
        attributes = {"gen_ai.operation.name": operation, **more}
        self._spans[run_id] = self._tracer.start_span(
            name, context, attributes={key: value for key, value in attributes.items() if value}
        )

    def _end(
        self, run_id: UUID, error: BaseException | None = None, *, failed: bool = False
    ) -> None:
        span = self._spans.pop(run_id, None)
        if span is None or span in self._spans.values():
            return  # it belongs to the node around it
        if error is not None and not isinstance(error, GraphBubbleUp):
            span.set_attribute("error.type", type(error).__qualname__)
        if failed or (error is not None and not isinstance(error, GraphBubbleUp)):
            span.set_status(self._trace.StatusCode.ERROR)
        span.end()


def _conversation(metadata: dict[str, Any]) -> dict[str, Any]:
    thread = metadata.get("thread_id")
    return {"gen_ai.conversation.id": str(thread)} if thread is not None else {}


def _model(message: Any) -> str | None:
    return (getattr(message, "response_metadata", None) or {}).get("model_name")
