"""A registry of tools: created on first use, found by meaning among thousands."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import BaseTool
from letters import LetterEmbeddings
from scripted import ScriptedChatModel, calls

from cogwork.core.errors import ConfigurationError, DuplicateNameError, UnknownNameError
from cogwork.graphs.react import create_react_agent
from cogwork.tools.base import spec_of, tool
from cogwork.tools.discovery import ToolRegistry, as_needed
from cogwork.tools.policy import Policy

TOOLS = {
    "get_weather": "Get the weather forecast for a city.",
    "send_email": "Send an e-mail message to a person.",
    "convert_currency": "Convert an amount of money from one currency to another.",
    "translate_text": "Translate a text into another language.",
    "search_flights": "Search for flights between two airports on a date.",
    "book_hotel": "Book a hotel room for some nights.",
    "create_invoice": "Create an invoice for a customer.",
    "list_invoices": "List the invoices that a customer has not paid.",
    "resize_image": "Change the width and height of a picture.",
    "play_music": "Play a song or an album.",
    "set_alarm": "Wake somebody up at a given time.",
    "query_database": "Run an SQL query against the warehouse database.",
    "stock_price": "Look up the price of a share by its ticker symbol.",
    "jira_create_ticket": "Open a ticket in the issue tracker Jira.",
    "git_commit": "Record changes in a git repository.",
    "restart_server": "Restart a virtual machine.",
    "find_recipe": "Find a recipe for given ingredients.",
    "calculate_route": "Find the way from one address to another by car.",
    "track_package": "Tell where a parcel is.",
    "summarize_document": "Summarize a long document.",
}
ASKED = {
    "Will it rain in Oslo tomorrow?": "get_weather",
    "How many euros are 20 dollars?": "convert_currency",
    "What does this say in French?": "translate_text",
    "I need a plane from Berlin to Rome next Friday": "search_flights",
    "Bill ACME for last month's work": "create_invoice",
    "Make the photo smaller": "resize_image",
    "put on some jazz by Coltrane": "play_music",
    "How much does AAPL cost at the moment?": "stock_price",
    "file a bug in JIRA": "jira_create_ticket",
    "where is my parcel 1Z999?": "track_package",
    "What can I cook with eggs and spinach?": "find_recipe",
    "drive from home to the airport": "calculate_route",
    "SELECT the sum of sales from the warehouse": "query_database",
    "give me a short version of this report": "summarize_document",
}


def named(name: str, description: str) -> BaseTool:
    def run(text: str = "") -> str:
        return name

    return tool(name, description=description, effect="read")(run)


def test_tools_are_found_by_meaning_among_thousands():
    registry = ToolRegistry(named(name, text) for name, text in TOOLS.items())
    things = ["bolt", "valve", "sensor", "pump", "filter", "motor", "gauge", "belt", "lamp", "fan"]
    for number in range(2_000):
        thing = things[number % len(things)]
        registry.add(
            f"{thing}_{number}",
            partial(pytest.fail, "created though nobody used it"),
            description=f"Read the state of {thing} number {number} of the plant.",
        )
    found = {query: [each.name for each in registry.discover(query)] for query in ASKED}
    missed = {query: name for query, name in ASKED.items() if name not in found[query]}
    assert not missed
    firsts = sum(found[query][0] == name for query, name in ASKED.items())
    assert firsts >= 10


def test_names_count_as_words():
    registry = ToolRegistry(named(name, text) for name, text in TOOLS.items())
    assert registry.discover("git_commit", k=1)[0].name == "git_commit"
    assert registry.discover("createInvoice", k=1)[0].name == "create_invoice"


def test_scores_fall_and_k_bounds_them():
    registry = ToolRegistry(named(name, text) for name, text in TOOLS.items())
    found = registry.discover("weather in a city", k=5)
    assert len(found) == 5
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert len(registry.discover("weather", k=99)) == len(TOOLS)
    assert registry.discover("  ") == []
    assert ToolRegistry().discover("anything") == []
    with pytest.raises(ConfigurationError, match="k is 0"):
        registry.discover("weather", k=0)


def test_what_comes_and_goes_is_found_and_not_found():
    registry = ToolRegistry([named("get_weather", TOOLS["get_weather"])])
    assert registry.discover("play a song", k=1)[0].name == "get_weather"
    registry.add_tools([named("play_music", TOOLS["play_music"])])
    assert registry.discover("play a song", k=1)[0].name == "play_music"
    registry.unregister("play_music")
    assert [each.name for each in registry.discover("play a song")] == ["get_weather"]


def test_decorator_function_class_and_instance():
    registry = ToolRegistry()

    @registry.tool
    def one() -> str:
        """The first."""
        return "1"

    @registry.tool(effect="read", timeout=5)
    def two() -> str:
        """The second."""
        return "2"

    class Three(BaseTool):
        name: str = "three"
        description: str = "The third."
        times: int

        def _run(self) -> str:
            return "3" * self.times

    registry.add("three", partial(Three, times=2), description="The third.", team="red")
    assert registry.names() == ["one", "three", "two"]
    assert [registry.get(name).invoke({}) for name in ("one", "two", "three")] == ["1", "2", "33"]
    assert registry.get("three") is registry.get("three")
    assert spec_of(registry.get("two")).timeout == 5
    assert registry.entry("two").metadata["effect"] == "read"
    assert registry.entry("three").metadata == {"team": "red"}


def test_wrong_ones_are_named():
    registry = ToolRegistry([named("one", "The first.")])
    with pytest.raises(DuplicateNameError, match="tool 'one' is registered already"):
        registry.add_tools([named("one", "Another.")])
    with pytest.raises(UnknownNameError, match="did you mean 'one'"):
        registry.get("onne")
    registry.add("other", lambda: named("one", "The first."))
    with pytest.raises(ConfigurationError, match="what it makes is called 'one'"):
        registry.get("other")
    registry.add("none", lambda: 1)  # type: ignore[arg-type,return-value] - what the test is about
    with pytest.raises(ConfigurationError, match="1 is no tool"):
        registry.get("none")


def test_threads_create_a_tool_once():
    made: list[int] = []

    def make() -> BaseTool:
        made.append(1)
        return named("slow", "Slow.")

    registry = ToolRegistry()
    registry.add("slow", make, description="Slow.")
    threads = [threading.Thread(target=registry.get, args=("slow",)) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert made == [1]


def test_other_packages_add_to_it_and_are_found(tmp_path: Path):
    (tmp_path / "tides.py").write_text(
        "from cogwork.tools import tool\n\n@tool(effect='read')\ndef tides(port: str) -> str:\n"
        "    '''Tell when the sea is high at a port.'''\n    return 'noon'\n"
    )
    info = tmp_path / "tides-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tides\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[my.tools]\ntides = tides:tides\n")
    script = (
        "from cogwork.tools.discovery import ToolRegistry\n"
        "found = ToolRegistry(group='my.tools').discover('when is high water?')\n"
        "print(found[0].name, '|', found[0].description)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "tides | Tell when the sea is high at a port.", done.stderr


def test_any_embeddings_compare():
    registry = ToolRegistry(
        [named("aaa", "Letters a."), named("zzz", "Letters z.")], embeddings=LetterEmbeddings()
    )
    assert registry.discover("aa aaa", k=1)[0].name == "aaa"


# ---- an agent over a registry -------------------------------------------------------------------


def shown_to(model: ScriptedChatModel) -> list[list[str]]:
    return [sorted(names) for names in model.bound]


def agent_over(*script: Any, policy: Policy | None = None) -> tuple[Any, ScriptedChatModel]:
    registry = ToolRegistry(named(name, text) for name, text in TOOLS.items())
    model = ScriptedChatModel(script=list(script))
    return create_react_agent(model, registry, policy=policy), model


def test_agent_is_shown_what_the_question_needs_and_a_tool_to_find_more():
    agent, model = agent_over("sunny")
    agent.invoke({"messages": "Will it rain in Oslo tomorrow?"})
    (first,) = shown_to(model)
    assert {"find_tools", "get_weather"} <= set(first)
    assert len(first) == 9


@pytest.mark.parametrize("policy", [None, Policy(default="allow")])
def test_what_was_found_and_called_stays(policy: Policy | None):
    agent, model = agent_over(
        calls(("find_tools", {"task": "play a song"})),
        calls(("play_music", {"text": "jazz"})),
        "done",
        "again",
        policy=policy,
    )
    state = agent.invoke({"messages": "Will it rain in Oslo tomorrow?"})
    results = [each for each in state["messages"] if each.type == "tool"]
    assert "play_music: Play a song or an album." in results[0].text
    assert results[1].text == "play_music"
    first, second, third = map(set, shown_to(model))
    assert "play_music" not in first
    assert "play_music" in second & third
    agent.invoke({"messages": [*state["messages"], ("user", "Thank you for the weather")]})
    assert "play_music" not in set(shown_to(model)[-1])


def test_unknown_tool_is_answered_with_the_nearest():
    agent, _ = agent_over(calls(("play_musik", {})), "done")
    state = agent.invoke({"messages": "jazz, please"})
    assert "did you mean 'play_music'" in state["messages"][-2].text


def test_name_of_the_finder_is_taken():
    with pytest.raises(ConfigurationError, match="the tool that finds the others"):
        ToolRegistry([named("find_tools", "Mine.")])


def test_a_tool_that_goes_while_it_is_looked_up_is_left_out():
    class Leaving(ToolRegistry):
        def get(self, name: str) -> BaseTool:
            if name == "look" and "look" in self:
                self.unregister("look")  # as another thread may do just now
            return super().get(name)

    registry = Leaving()
    registry.add_tools([tool(effect="read", description="Look things up.")(look)])
    shown = as_needed(registry)([HumanMessage("look things up")])
    assert [each.name for each in shown] == ["find_tools"]


def look(what: str) -> str:
    return what


def test_threads_register_and_find_at_once():
    registry = ToolRegistry(map(numbered, range(10)), embeddings=LetterEmbeddings())
    ended = threading.Event()

    def churn(number: int) -> None:
        while not ended.is_set():
            registry.unregister(f"t{number}")
            registry.add_tools([numbered(number)])

    def find(_: int) -> int:
        needed = as_needed(registry)
        return min(len(needed([HumanMessage("thing 3")])) for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        churning = [pool.submit(churn, number) for number in (2, 3)]
        fewest = [*pool.map(find, range(2))]
        ended.set()
        for each in churning:
            each.result()
    assert min(fewest) > 1
    assert len(registry) == 10


def numbered(number: int) -> BaseTool:
    return named(f"t{number}", f"Do thing {number}.")
