"""Which tool a step is for, and what its text gives for the tool's arguments."""

from typing import Any, Literal

import pytest
from langchain_core.tools import BaseTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool

from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.matching import fill, match_tool
from cogwork.core.offline.toolbox import Toolbox, known_tools, listed_tools


@tool
def get_weather(
    city: str, unit: Literal["celsius", "fahrenheit"] = "celsius", days: int = 1
) -> str:
    """Get the current weather in a city."""
    return ""


@tool
def send_email(to: str, subject: str, body: str) -> str:
    """Send an email."""
    return ""


@tool
def convert_currency(amount: float, from_currency: str, to_currency: str) -> str:
    """Convert an amount of money from one currency to another."""
    return ""


@tool
def set_light(room: str, on: bool) -> str:
    """Turn the light in a room on or off."""
    return ""


@tool
def get_order(order_id: str) -> str:
    """Look up an order."""
    return ""


@tool
def translate(text: str, language: str) -> str:
    """Translate a text into another language."""
    return ""


@tool
def fetch_page(url: str, timeout: float = 10.0) -> str:
    """Fetch the text of a web page."""
    return ""


@tool
def create_event(title: str, date: str, attendees: list[str] = []) -> str:  # noqa: B006 - a schema
    """Create a calendar event."""
    return ""


@tool
def plot(values: list[float], title: str = "") -> str:
    """Draw a chart of values."""
    return ""


@tool
def list_files(path: str = ".", pattern: str = "*", recursive: bool = False) -> str:
    """List the files in a folder."""
    return ""


@tool
def search(query: str, limit: int = 5) -> str:
    """Search the web."""
    return ""


TOOLS: list[BaseTool] = [
    get_weather, send_email, convert_currency, set_light, get_order, translate, fetch_page,
    create_event, plot, list_files, search,
]  # fmt: skip
BOX = Toolbox(known_tools([convert_to_openai_tool(each) for each in TOOLS]))


@pytest.mark.parametrize(
    ("text", "name", "args"),
    [
        ("What's the weather in Paris?", "get_weather", {"city": "Paris"}),
        ("weather in new york please", "get_weather", {"city": "new york"}),
        ("Get the weather in Rome in fahrenheit for 3 days", "get_weather",
         {"city": "Rome", "unit": "fahrenheit", "days": 3}),
        ("Send bob@example.com an email with subject 'Hi' and body 'How are you?'", "send_email",
         {"to": "bob@example.com", "subject": "Hi", "body": "How are you?"}),
        ("Convert 100 USD to EUR", "convert_currency",
         {"amount": 100, "from_currency": "USD", "to_currency": "EUR"}),
        ("Turn on the light in the kitchen", "set_light", {"room": "kitchen", "on": True}),
        ("Switch the light in the hall off", "set_light", {"room": "hall", "on": False}),
        ("Where is order 4711?", "get_order", {"order_id": "4711"}),
        ("Look up order A-17", "get_order", {"order_id": "A-17"}),
        ("Translate 'good morning' to French", "translate",
         {"text": "good morning", "language": "French"}),
        ("Fetch https://example.com/a?b=1.", "fetch_page", {"url": "https://example.com/a?b=1"}),
        ("Create an event called 'Standup' on 2024-05-01", "create_event",
         {"title": "Standup", "date": "2024-05-01"}),
        ("Draw a chart of 3, 5 and 8", "plot", {"values": [3, 5, 8]}),
        ("Which csv files are in data?", "list_files", {"path": "data", "pattern": "*.csv"}),
        ("List all files in src/app recursively", "list_files", {"path": "src/app", "recursive": True}),
        ("Search the web for the capital of France, limit 3", "search",
         {"query": "the capital of France, limit 3", "limit": 3}),
    ],
)  # fmt: skip
def test_step_goes_to_this_tool_with_these_arguments(
    text: str, name: str, args: dict[str, Any]
) -> None:
    match = match_tool(text, BOX)
    assert match is not None
    assert match.spec.name == name
    assert match.filling.args == args
    assert match.filling.missing == []


@pytest.mark.parametrize(
    "text",
    ["Delete the file a.txt", "Book a flight to Rome", "What is the capital of France?", "Hello"],
)
def test_step_that_no_tool_is_described_for_has_no_match(text: str) -> None:
    assert match_tool(text, BOX) is None


def test_what_the_text_does_not_give_is_missing() -> None:
    match = match_tool("Send an email to bob@example.com", BOX)
    assert match is not None
    assert match.filling.missing == ["subject", "body"]


def test_an_earlier_result_fills_what_is_left_open() -> None:
    spec = BOX.get("convert_currency")
    assert spec is not None
    assert fill(spec, "Convert it to EUR from USD", carried="99.5").args["amount"] == 99.5


def test_tools_are_read_from_a_listing_in_a_prompt() -> None:
    listing = """Tools:
- read_file(path: str, limit: int = 5): Read a text file.
* `calculator`: Compute an expression.
Note: this is no tool."""
    found = listed_tools(listing)
    assert [(spec.name, spec.required) for spec in found] == [
        ("read_file", ("path",)),
        ("calculator", ()),
    ]


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("Read notebooks/data/energy.csv, and ./x/y.txt.", "paths", ("notebooks/data/energy.csv", "./x/y.txt")),
        ("open 'my file.txt' or README", "paths", ("my file.txt", "README")),
        ("e.g. Amazon.com weighs 3.5kg and/or 3/4 km/h", "paths", ()),
        ("list *.md in docs/notes", "globs", ("*.md",)),
        ("see https://example.org/a.csv, please", "urls", ("https://example.org/a.csv",)),
        ("from 3 March 2024 to 2024-05-06", "dates", ("3 March 2024", "2024-05-06")),
        ("-5 and 10-4, 1,234.5 (3+4)", "numbers", ("-5", "10", "4", "1,234.5", "3", "4")),
        ("the 2nd of h2o in file1.csv", "numbers", ()),
        ("say \"hi there\" and 'it''s' don't", "quoted", ("hi there", "it", "s")),
    ],
)  # fmt: skip
def test_literals_of_a_text(text: str, kind: str, found: tuple[str, ...]) -> None:
    assert getattr(read_literals(text), kind) == found
