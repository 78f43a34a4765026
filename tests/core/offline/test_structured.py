"""Schemas filled from text: what is there is found, what is not is not made up."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from cogwork.core.errors import StructuredOutputError
from cogwork.core.offline import OfflineChatModel
from cogwork.core.structured import structured_output
from cogwork.tools.calculator import calculator


def filled(schema: Any, prompt: Any, **kwargs: Any) -> Any:
    return OfflineChatModel().with_structured_output(schema, **kwargs).invoke(prompt)


class Step(BaseModel):
    id: str
    description: str
    depends_on: list[str] = Field(default_factory=list)
    tool: str | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    priority: int = 0


class Plan(BaseModel):
    """Steps towards a goal."""

    steps: list[Step]


class Evaluation(BaseModel):
    score: float = Field(ge=0, le=1)
    feedback: str


class Person(BaseModel):
    name: str
    age: int
    email: str | None = None
    city: str | None = None
    birthday: dt.date | None = None


class Decision(BaseModel):
    answer: bool
    reason: str = ""


TOOLS = """You make plans. Available tools:
- read_file(path: str): Read a text file.
- calculator(expression: str): Compute an arithmetic expression.
- write_file(path: str, content: str): Write a text file."""


def test_a_plan_has_the_goals_steps_in_order_with_their_dependencies_and_tools() -> None:
    goal = "Goal: Read energy.csv, compute the total of twh, and write the answer to report.txt"
    plan = filled(Plan, [SystemMessage(TOOLS), HumanMessage(goal)])
    assert [(s.id, s.description, s.depends_on, s.tool, s.args) for s in plan.steps] == [
        ("1", "Read energy.csv", [], "read_file", {"path": "energy.csv"}),
        ("2", "Compute the total of twh", ["1"], None, {}),
        ("3", "Write the answer to report.txt", ["2"], None, {}),
    ]


def test_independent_steps_of_a_plan_depend_on_nothing() -> None:
    plan = filled(Plan, "What is 3 * 12? What is 5 + 5? Then write both to out.txt")
    assert [step.depends_on for step in plan.steps] == [[], [], ["1", "2"]]


def test_a_plan_may_have_other_names_and_numbers_for_ids() -> None:
    class Task(BaseModel):
        number: int
        title: str
        requires: list[int]
        status: Literal["pending", "done"]

    class Workflow(BaseModel):
        tasks: list[Task] = Field(max_length=2)

    made = filled(Workflow, "1. Read a.csv\n2. Compute the mean of x\n3. Write it to b.txt")
    assert [(t.number, t.requires, t.status) for t in made.tasks] == [
        (1, [], "pending"),
        (2, [1], "pending"),
    ]


@pytest.mark.parametrize(
    ("answer", "low", "high", "said"),
    [
        (
            "The total of twh in energy.csv is 1415; Germany is the largest country.",
            0.99,
            1,
            "covers what",
        ),
        ("The total of twh is 1415.", 0.3, 0.9, "country"),
        ("I can't read energy.csv: there is no such file.", 0, 0.2, "reports a failure"),
        ("The weather is nice.", 0, 0.1, "touches nothing"),
    ],
)
def test_an_evaluation_measures_what_of_the_question_the_answer_covers(
    answer: str, low: float, high: float, said: str
) -> None:
    task = "Compute the total of twh in energy.csv and find the largest country"
    made = filled(Evaluation, f"Task: {task}\nAnswer: {answer}")
    assert low <= made.score <= high
    assert said in made.feedback


def test_a_score_is_brought_to_the_scale_of_its_field() -> None:
    class Grade(BaseModel):
        score: int = Field(description="from 0 to 10")
        passed: bool

    made = filled(Grade, "Question: Who wrote Hamlet?\nAnswer: Shakespeare wrote Hamlet.")
    assert made == Grade(score=10, passed=True)


def test_reflections_name_what_is_missing_and_improvements_what_to_do() -> None:
    class Reflection(BaseModel):
        reflections: list[str]
        improvements: list[str]

    task = "Task: Compute the total of twh and find the largest country\nAnswer: The total of twh is 5."
    made = filled(Reflection, task)
    assert "The answer does not mention country." in made.reflections
    assert "Address country in the answer." in made.improvements


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Ada Lovelace, 36 years old, lives in London. Write to ada@example.org. Born on 10 December 1815.",
            Person(name="Ada Lovelace", age=36, email="ada@example.org", city="London",
                   birthday=dt.date(1815, 12, 10)),
        ),
        ("Extract the person: My name is Bob and I am 41.", Person(name="Bob", age=41)),
        ("Name: Cleo Jones\nAge: 29\nCity: New York", Person(name="Cleo Jones", age=29, city="New York")),
    ],
)  # fmt: skip
def test_a_person_is_found_and_what_is_not_said_stays_empty(text: str, expected: Person) -> None:
    assert filled(Person, text) == expected


def test_a_required_field_that_the_text_lacks_is_refused_not_made_up() -> None:
    with pytest.raises(OutputParserException, match="I can't fill Person: the text gives no age"):
        filled(Person, "Bob likes tea.")


def test_with_raw_the_refusal_is_returned_beside_the_error() -> None:
    made = filled(Person, "Bob likes tea.", include_raw=True)
    assert made["parsed"] is None
    assert isinstance(made["parsing_error"], OutputParserException)
    assert made["raw"].content == "I can't fill Person: the text gives no age."
    assert made["raw"].additional_kwargs["refusal"] == made["raw"].content


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("Question: Is the sky blue?\nContext: The sky is blue. Grass is green.", True),
        ("Question: Is the grass blue?\nContext: The sky is blue. The grass is not blue.", False),
    ],
)
def test_a_decision_follows_the_one_sentence_that_speaks_of_it(prompt: str, answer: bool) -> None:
    assert filled(Decision, prompt).answer is answer


def test_a_decision_that_nothing_speaks_for_is_refused() -> None:
    with pytest.raises(OutputParserException, match="no answer"):
        filled(Decision, "Is the moon made of cheese?")


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("Compare the revenue of Apple and Microsoft", "comparison"),
        ("Why does the server crash? Explain it.", "explanation"),
        ("Forecast the price for next year", "prediction"),
    ],
)
def test_a_choice_is_made_by_what_the_text_names_or_its_words_speak_for(
    text: str, intent: str
) -> None:
    class Intent(BaseModel):
        intent: Literal["comparison", "analysis", "explanation", "prediction"]

    assert filled(Intent, text).intent == intent


def test_a_summary_quotes_sentences() -> None:
    class Summary(BaseModel):
        summary: str
        key_points: list[str]
        keywords: list[str]

    text = "Cats are mammals. Cats like milk. Dogs bark. Many people keep cats. Cats sleep a lot. The moon is far."
    made = filled(Summary, f"Summarise the following text:\n\n{text}")
    assert made.summary == "Cats are mammals. Cats like milk. Cats sleep a lot."
    assert set(made.key_points) <= {f"{part}." for part in text.removesuffix(".").split(". ")}
    assert made.keywords[0] == "cats"


def test_nested_objects_are_filled_from_lines_sentences_and_tables() -> None:
    class Item(BaseModel):
        product: str
        quantity: int

    class Order(BaseModel):
        order_id: str
        items: list[Item]
        total: float | None = None

    text = (
        "Order id: 4711\nproduct: Widget, quantity: 3\nproduct: Gadget, quantity: 2\nTotal: 99.50"
    )
    assert filled(Order, text) == Order(
        order_id="4711",
        items=[Item(product="Widget", quantity=3), Item(product="Gadget", quantity=2)],
        total=99.5,
    )

    class Stock(BaseModel):
        items: list[Item]

    made = filled(Stock, "Extract the items:\nproduct,quantity\nBolt,12\nNut,30")
    assert [(item.product, item.quantity) for item in made.items] == [("Bolt", 12), ("Nut", 30)]


def test_typed_dicts_and_json_schemas_give_dicts() -> None:
    class City(TypedDict):
        """A city."""

        city: str
        population: int

    text = "City: Oslo\nThe population of Oslo is 709,000."
    assert filled(City, text) == {"city": "Oslo", "population": 709000}
    schema = {
        "title": "Film",
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "year": {"$ref": "#/$defs/Year"},
            "rating": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        },
        "required": ["title", "year", "rating"],
        "$defs": {"Year": {"type": "integer", "minimum": 1888}},
    }
    assert filled(schema, "Title: Alien, released in 1979.") == {
        "title": "Alien", "year": 1979, "rating": None,
    }  # fmt: skip


@pytest.mark.parametrize("method", ["function_calling", "json_schema", "json_mode"])
def test_every_method_comes_to_the_same(method: str) -> None:
    assert filled(Person, "Bob is 41.", method=method, strict=True) == Person(name="Bob", age=41)


def test_a_response_format_is_answered_as_json_once_nothing_is_left_to_call() -> None:
    schema = {
        "title": "Total", "type": "object",
        "properties": {"total": {"type": "number"}}, "required": ["total"],
    }  # fmt: skip
    form = {"type": "json_schema", "json_schema": {"name": "Total", "schema": schema}}
    model = OfflineChatModel().bind_tools([calculator], response_format=form)
    thread: list[Any] = [HumanMessage("What is 2 + 3?")]
    first = model.invoke(thread)
    assert first.tool_calls
    thread += [first, ToolMessage("5", tool_call_id=first.tool_calls[0]["id"])]
    assert json.loads(str(model.invoke(thread).content)) == {"total": 5}
    refused = OfflineChatModel().invoke("Bob likes tea.", response_format=form).content
    assert refused == "I can't fill Total: the text gives no total."


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ValueError, match="does not know temperature"):
        OfflineChatModel().with_structured_output(Person, temperature=1)


def test_the_answer_of_a_run_is_put_into_a_form(run: Callable[..., Any]) -> None:
    class Total(BaseModel):
        total: float
        answer: str
        sources: list[str]

    thread = run("Read energy.csv and compute the total of the twh column").messages
    form = HumanMessage(
        "Give your answer to the question above in the required form. Add nothing to it."
    )
    expected = Total(
        total=1415, answer="The total of twh in energy.csv is 1415.", sources=["energy.csv"]
    )
    assert filled(Total, [*thread, form]) == expected
    assert filled(Total, thread[:-1]) == expected  # before it was put into words


async def test_the_projects_own_structured_output_takes_it_as_it_is() -> None:
    model = OfflineChatModel()
    assert await structured_output(model, Person, "Bob is 41.") == Person(name="Bob", age=41)
    steps = await structured_output(
        model, list[str], "Split into steps: Read a.csv and compute the mean of x"
    )
    assert steps == ["Read a.csv", "Compute the mean of x"]
    with pytest.raises(StructuredOutputError, match="the text gives no age"):
        await structured_output(model, Person, "Bob likes tea.")


class Explained(BaseModel):
    answer: str
    explanation: str
    confidence: float


@pytest.mark.parametrize(
    "goal", ["What is the capital of France?", "Total of weight in sales.csv?"]
)
def test_a_refusal_is_no_answer_to_be_put_into_a_form(run: Callable[..., Any], goal: str) -> None:
    thread = run(goal).messages
    assert thread[-1].content.startswith("I can't")
    with pytest.raises(OutputParserException, match="the text gives no answer"):
        filled(Explained, [*thread, HumanMessage("Give your answer in the required form.")])


def test_a_confidence_that_nothing_measures_is_not_made_up() -> None:
    with pytest.raises(OutputParserException, match="no confidence"):
        filled(Explained, "Question: Who founded Acme?\nContext: Ada founded Acme.")
