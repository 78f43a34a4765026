import asyncio
import dataclasses
import datetime as dt
import json
from enum import Enum
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from openai_server import OpenAIServer, Reply, error, raw_tool_call, say
from pydantic import BaseModel, ConfigDict, Field
from scripted import ScriptedChatModel, calls
from typing_extensions import TypedDict

from cogwork.core.bridge import node
from cogwork.core.errors import ConfigurationError, ModelError, StructuredOutputError
from cogwork.core.models import create_chat_model
from cogwork.core.settings import Settings
from cogwork.core.structured import structured_output


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int = Field(ge=0)


class Tree(BaseModel):
    value: int
    children: list["Tree"] = []


class Colour(Enum):
    RED = "red"


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)
    day: dt.date
    colour: Colour


class Place(TypedDict):
    town: str
    people: int


@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    y: float


class Opaque:
    """A class that says nothing of its fields."""


ANN = Person(name="Ann", age=3)
ANN_JSON = '{"name": "Ann", "age": 3}'


class PlainModel(ScriptedChatModel):
    """A model that knows no tools, so no structured output of its own."""

    bind_tools = BaseChatModel.bind_tools


def ask(model: Any, schema: Any = Person, messages: Any = "Who is there?") -> Any:
    return asyncio.run(structured_output(model, schema, messages))


def test_model_with_tools_is_asked_in_its_own_way() -> None:
    model = ScriptedChatModel(script=[calls(("Person", {"name": "Ann", "age": 3}))])
    assert ask(model) == ANN
    assert model.sent == [[HumanMessage("Who is there?")]]


def test_model_without_tools_is_shown_the_schema() -> None:
    model = PlainModel(script=[f"Here you are:\n```json\n{ANN_JSON}\n```\nAnything else?"])
    assert ask(model) == ANN
    (sent,) = model.sent[0]
    assert sent.text.startswith("Who is there?\n\nAnswer with one JSON object")
    assert '"required":["name","age"]' in sent.text


def test_schema_follows_messages_that_do_not_end_with_a_question() -> None:
    model = PlainModel(script=[ANN_JSON])
    ask(model, messages=[SystemMessage("Be brief."), HumanMessage("Who?"), AIMessage("Ann.")])
    assert [message.type for message in model.sent[0]] == ["system", "human", "ai", "human"]


def test_text_in_place_of_a_tool_call_is_read() -> None:
    assert ask(ScriptedChatModel(script=[f"It is {ANN_JSON}."])) == ANN


def test_first_object_that_fits_is_taken() -> None:
    text = f'Not {{"name": "Bob", "age": -1}}, nor {{"name": 1}}, but {{"found": {ANN_JSON}}}.'
    assert ask(PlainModel(script=[text])) == ANN


def test_misfit_is_repaired_once_with_the_reason() -> None:
    model = PlainModel(script=['{"name": "Ann", "age": -3}', ANN_JSON])
    assert ask(model) == ANN
    question, answer, repair = model.sent[1]
    assert question.text == "Who is there?"
    assert answer == AIMessage('{"name": "Ann", "age": -3}')
    assert "age: Input should be greater than or equal to 0" in repair.text
    assert '"required":["name","age"]' in repair.text


def test_misfitting_tool_call_is_repaired() -> None:
    wrong = calls(("Person", {"name": "Ann"}))
    model = ScriptedChatModel(script=[wrong, calls(("Person", {"name": "Ann", "age": 3}))])
    assert ask(model) == ANN
    assert model.sent[1][1] == AIMessage('{"name": "Ann"}')
    assert "age: Field required" in model.sent[1][2].text


def test_empty_answer_is_not_sent_back() -> None:
    model = PlainModel(script=["", ANN_JSON])
    assert ask(model) == ANN
    assert [message.type for message in model.sent[1]] == ["human"]


def test_second_misfit_fails_with_schema_problem_and_answer() -> None:
    secret = "sk-abcdefghijklmnop"
    model = PlainModel(script=["No.", f"Never, {secret}! " + "x" * 2000])
    with pytest.raises(StructuredOutputError) as caught:
        ask(model)
    message = str(caught.value)
    assert "does not fit Person, even repaired: it holds no JSON" in message
    assert "Never, ***!" in message
    assert message.endswith("x…")
    assert len(message) < 700
    assert len(model.sent) == 2


def test_long_wrong_answer_is_sent_back_shortened() -> None:
    model = PlainModel(script=["x" * 100_000, ANN_JSON])
    ask(model)
    assert len(model.sent[1][1].text) < 10_000


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (Place, '{"town": "Ulm", "people": "5"}', {"town": "Ulm", "people": 5}),
        (Point, '{"x": 1, "y": 2}', Point(1.0, 2.0)),
        (list[int], '{"value": [1, 2]}', [1, 2]),
        (list[Person], f'{{"value": [{ANN_JSON}]}}', [ANN]),
        (Person | Place, f'{{"value": {ANN_JSON}}}', ANN),
        (
            Tree,
            '{"value": 1, "children": [{"value": 2}]}',
            Tree(value=1, children=[Tree(value=2)]),
        ),
        (
            Strict,
            '{"day": "2024-02-29", "colour": "red"}',
            Strict(day=dt.date(2024, 2, 29), colour=Colour.RED),
        ),
        (
            {"title": "Sum", "type": "object", "properties": {"n": {"type": "integer"}}},
            '{"n": 3}',
            {"n": 3},
        ),
    ],
)
@pytest.mark.parametrize("kind", [PlainModel, ScriptedChatModel])
def test_every_kind_of_schema(kind: Any, schema: Any, text: str, value: Any) -> None:
    name = schema["title"] if isinstance(schema, dict) else getattr(schema, "__name__", "Answer")
    line = text if kind is PlainModel else calls((name, json.loads(text)))
    assert ask(kind(script=[line]), schema) == value


def test_json_schema_is_held_against_the_answer() -> None:
    schema = {"title": "Sum", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    model = PlainModel(script=['{"m": 1}', '{"n": "one"}'])
    with pytest.raises(StructuredOutputError, match=r"does not fit Sum, .*: n: should be integer"):
        ask(model, schema)
    assert "n: is missing" in model.sent[1][-1].text


def test_what_is_no_schema_is_refused_before_anything_is_asked() -> None:
    model = PlainModel(script=[])
    with pytest.raises(ConfigurationError, match="is no schema for structured output"):
        ask(model, Opaque)
    assert model.sent == []


def test_failing_model_is_explained() -> None:
    with pytest.raises(ModelError, match="model 'scripted' failed"):
        ask(ScriptedChatModel(script=[RuntimeError("out of order")]))


def test_synchronous_run_calls_the_model_synchronously() -> None:
    class Sync(PlainModel):
        async def _agenerate(self, *_: Any, **__: Any) -> Any:
            raise AssertionError("called asynchronously")

    @node
    async def respond(state: dict[str, Any], config: Any) -> dict[str, Any]:
        return {"person": await structured_output(model, Person, state["messages"], config)}

    model = Sync(script=["No.", ANN_JSON])
    assert respond.invoke({"messages": ["Who?"]}) == {"person": ANN}


def make_model(server: OpenAIServer) -> Any:
    settings = Settings(base_url=server.url, api_key="test-key", max_retries=0)
    return create_chat_model("openai:test-model", settings=settings)


def test_openai_is_sent_the_schema_as_response_format() -> None:
    with OpenAIServer([say(ANN_JSON)]) as server:
        assert ask(make_model(server)) == ANN
    (request,) = server.requests
    assert request["response_format"]["json_schema"]["name"] == "Person"
    assert request["messages"] == [{"role": "user", "content": "Who is there?"}]


def test_server_that_ignores_the_response_format_is_shown_the_schema() -> None:
    with OpenAIServer([say("It is Ann."), say(ANN_JSON)]) as server:
        assert ask(make_model(server)) == ANN
    assert '"required":["name","age"]' in server.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    "refusal",
    [
        error(400, "This model does not support response_format"),
        error(422, "response_format: extra fields not permitted"),
        error(500, "tools param requires --jinja flag"),
    ],
)
def test_server_that_refuses_the_response_format_is_asked_in_words(refusal: Reply) -> None:
    with OpenAIServer([refusal, say("Ann."), say(ANN_JSON)]) as server:
        assert ask(make_model(server)) == ANN
    assert ["response_format" in request for request in server.requests] == [True, False, False]


@pytest.mark.parametrize("failure", [error(401), error(404), error(400, "Bad temperature")])
def test_other_refusals_are_not_asked_again(failure: Reply) -> None:
    with OpenAIServer([failure]) as server, pytest.raises(ModelError) as caught:
        ask(make_model(server))
    assert len(server.requests) == 1
    assert f"model 'test-model' at {server.url}" in str(caught.value)


def test_answer_cut_at_the_output_limit_is_said() -> None:
    cut_on_wire = say('{"name": "An', finish_reason="length")
    with OpenAIServer([cut_on_wire]) as server, pytest.raises(ModelError) as caught:
        ask(make_model(server))
    assert "cut off at its output limit; raise max_tokens" in str(caught.value)
    cut = AIMessage('{"name": "An', response_metadata={"finish_reason": "length"})
    with pytest.raises(StructuredOutputError, match="cut off at the model's output limit"):
        ask(PlainModel(script=[cut, cut]))


def test_fallback_is_asked_in_its_own_way_too() -> None:
    with OpenAIServer([error(500)]) as down, OpenAIServer([say(ANN_JSON)]) as up:
        assert ask(make_model(down).with_fallbacks([make_model(up)])) == ANN
    assert "response_format" in up.requests[0]


def test_malformed_arguments_of_a_tool_call_are_repaired() -> None:
    with OpenAIServer([raw_tool_call("Person", '{"name": "Ann'), say(ANN_JSON)]) as server:
        assert ask(make_model(server)) == ANN
