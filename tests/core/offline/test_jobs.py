"""Goals run to their end with real tools on real files: which calls, which answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool

from cogwork.tools.files import make_delete_file

READ, CALC, WRITE, LIST, EXISTS = (
    "read_file", "calculator", "write_file", "list_files", "file_exists",
)  # fmt: skip


def read(path: str) -> tuple[str, dict[str, str]]:
    return READ, {"path": path}


def calc(expression: str) -> tuple[str, dict[str, str]]:
    return CALC, {"expression": expression}


Calls = list[tuple[str, dict[str, str]]]

ARITHMETIC: list[tuple[str, Calls, str]] = [
    ("What is 17.5 % of 2340?", [calc("17.5 / 100 * 2340")], "17.5 % of 2340 is 409.5."),
    ("Compute 12 * (3 + 4).", [calc("12 * (3 + 4)")], "12 * (3 + 4) is 84."),
    ("What's 2^10 divided by 4?", [calc("2 ** 10 / 4")], "256"),
    ("Average of 3, 5 and 10", [calc("mean(3, 5, 10)")], "6"),
    ("What is the square root of 144?", [calc("sqrt(144)")], "12"),
    ("Subtract 3 from 10", [calc("10 - 3")], "The result is 7."),
    ("How much is 1,200 divided by 8?", [calc("1200 / 8")], "150"),
    ("What percentage of 200 is 50?", [calc("50 / 200 * 100")], "25"),
    ("Increase 200 by 15 %", [calc("200 * (1 + 15 / 100)")], "230"),
    ("seven times six", [calc("7 * 6")], "42"),
    ("What is 3 * 12? Also, what is 11 + 49?", [calc("3 * 12"), calc("11 + 49")], "36. 11 + 49 is 60"),
    ("Multiply 6 by 7 and add 3", [calc("6 * 7"), calc("42 + 3")], "45"),
    ("Compute the square root of 16, then double it", [calc("sqrt(16)"), calc("2 * 4")], "8"),
    ("Compute 3 + 4, 5 * 6 and 7 - 1.", [calc("3 + 4"), calc("5 * 6"), calc("7 - 1")], "7 - 1 is 6"),
    ("What is 10 / 0?", [calc("10 / 0")], "divides by zero"),
]  # fmt: skip

TABLES: list[tuple[str, Calls, str]] = [
    ("What is the mean population of the cities in cities.csv?",
     [read("cities.csv"), calc("mean(709000, 286000, 975000, 8336000)")], "is 2576500."),
    ("Which country in energy.csv has the largest renewable_twh?",
     [read("energy.csv")], "Germany has the highest renewable_twh in energy.csv: 251."),
    ("total of amount where region is North in sales.csv",
     [read("sales.csv"), calc("sum(120.50, 45.25)")], "165.75"),
    ("What is the median amount in sales.csv?",
     [read("sales.csv"), calc("median(120.50, 80, 45.25, 200)")], "100.25"),
    ("What is the lowest twh in energy.csv?",
     [read("energy.csv"), calc("min(154, 161, 568, 532)")], "154"),
    ("How many rows are in sales.csv?", [read("sales.csv"), calc("sum(1, 1, 1, 1)")], "is 4."),
    ("How many sales had an amount over 100 in sales.csv?",
     [read("sales.csv"), calc("sum(1, 1)")], "amount is over 100 is 2."),
    ("How many people live in Oslo according to cities.csv?", [read("cities.csv")], "709000"),
    ("What is the difference in population between Oslo and Bergen in cities.csv?",
     [read("cities.csv"), calc("709000 - 286000")], "423000"),
    ("What is the ratio of twh of Germany to France in energy.csv?",
     [read("energy.csv"), calc("568 / 532")], "1.067"),
    ("What percentage of the total twh in energy.csv does Norway produce?",
     [read("energy.csv"), calc("154 / sum(154, 161, 568, 532) * 100")], "10.88"),
    ("What percentage of twh is renewable_twh in Norway in energy.csv?",
     [read("energy.csv"), calc("151 / 154 * 100")], "98.05"),
    ("What are the top 2 countries by twh in energy.csv?",
     [read("energy.csv")], "Germany (568), France (532)"),
    ("Which city has the second largest population in cities.csv?", [read("cities.csv")], "Stockholm"),
    ("What is the total amount per region in sales.csv?",
     [read("sales.csv"), calc("sum(120.50, 45.25)")], "North: 165.75; South: 80; East: 200"),
    ("Which region has the highest total amount in sales.csv?",
     [read("sales.csv"), calc("sum(120.50, 45.25)")], "East has the highest total of amount"),
    ("What is the population of Oslo in cities.csv?", [read("cities.csv")], "is 709000."),
    ("What was the twh of Sweden in 2020 in energy.csv?", [read("energy.csv")], "is 161."),
    ("Compare the twh of Norway and Sweden in energy.csv", [read("energy.csv")], "Norway 154; Sweden 161"),
    ("What is the total revenue (amount times quantity) in sales.csv?",
     [read("sales.csv"), calc("sum(120.50 * 3, 80 * 2, 45.25 * 1, 200 * 5)")], "1566.75"),
    ("Who is the oldest person in people.csv?", [read("people.csv")], "Bob has the highest age"),
    ("What is the average age of the engineers in people.csv?",
     [read("people.csv"), calc("mean(36, 29)")], "32.5"),
    ("What is the total price in gaps.csv?",
     [read("gaps.csv"), calc("sum(10, 30)")], "40. Rows without a figure are left out"),
    ("What is the total count in stock.json?", [read("stock.json"), calc("sum(12, 30)")], "42"),
    ("List the products in sales.csv", [read("sales.csv")], "Widget, Gadget"),
    ("What columns does sales.csv have?", [read("sales.csv")], "date, region, product, amount, quantity"),
    ("What is the total of amount in long.csv where zone is A?",
     [read("long.csv"), calc(f"sum({', '.join(str(n) for n in range(3, 201, 3))})")], "6633"),
    ("What is the total of amount in sales.csv? What share of it comes from the North region?",
     [read("sales.csv"), calc("sum(120.50, 80, 45.25, 200)"),
      calc("sum(120.50, 45.25) / sum(120.50, 80, 45.25, 200) * 100")], "37.18"),
    ("I have a file cities.csv. What is the median population? And which city is the smallest?",
     [read("cities.csv"), calc("median(709000, 286000, 975000, 8336000)")], "Bergen has the lowest"),
    ("Using sales.csv, find the product with the lowest amount", [read("sales.csv")], "Gadget has the lowest"),
]  # fmt: skip

TEXTS: list[tuple[str, Calls, str]] = [
    ("Who leads the team according to notes.txt?", [read("notes.txt")], "Ada Lovelace leads the team."),
    ("When did the project start, according to notes.txt?", [read("notes.txt")], "started in March 2021."),
    ("What is the budget in notes.txt?", [read("notes.txt")], "The budget is 50,000 euros."),
    ("Summarise notes.txt", [read("notes.txt")], "Ada Lovelace leads the team."),
    ("What is the port in config.json?", [read("config.json")], "server.port: 8080"),
    ("Show me data/b.md", [read("data/b.md")], "# B\nhello"),
    ("Read data/a.csv and cities.csv", [read("data/a.csv"), read("cities.csv")], "New York,USA,8336000"),
    ("Count the lines in notes.txt", [read("notes.txt"), calc("sum(1, 1)")], "is 2."),
    ("Which files are in data?", [(LIST, {"path": "data"})], "data/a.csv, data/b.md"),
    ("List the csv files in data", [(LIST, {"path": "data", "pattern": "*.csv"})], "data/a.csv"),
    ("How many json files are in data?",
     [(LIST, {"path": "data", "pattern": "*.json"}), calc("sum(0)")], "is 0."),
    ("How many files are in data?", [(LIST, {"path": "data"}), calc("sum(1, 1)")], "is 2."),
    ("Does notes.txt exist?", [(EXISTS, {"path": "notes.txt"})], "Yes, notes.txt exists."),
    ("Is there a file called nope.txt?", [(EXISTS, {"path": "nope.txt"})], "No, nope.txt does not exist."),
    ("Find the csv file in data and compute the total of its y column",
     [(LIST, {"path": "data", "pattern": "*.csv"}), read("data/a.csv"), calc("sum(2, 4)")], "is 6."),
    ("Read all files in data",
     [(LIST, {"path": "data"}), read("data/a.csv"), read("data/b.md")], "hello"),
]  # fmt: skip

CORRECTED: list[tuple[str, Calls, str]] = [
    ("Read sale.csv and compute the total amount.",
     [read("sale.csv"), read("sales.csv"), calc("sum(120.50, 80, 45.25, 200)")],
     "There is no sale.csv; I took sales.csv instead. The total of amount in sales.csv is 445.75."),
    ("Read missing.csv, compute the total of x and write it to out.txt",
     [read("missing.csv")], "So I did not compute the total of x or write it to out.txt."),
    ("What is the population of Atlantis in cities.csv?", [read("cities.csv")], "I don't understand “Atlantis”"),
    ("What was the twh of Sweden in 2031 in energy.csv?", [read("energy.csv")], "no row in energy.csv has"),
    ("What is the total of weight in sales.csv?", [read("sales.csv")], "date, region, product, amount"),
    ("Who is the director according to notes.txt?", [read("notes.txt")], "notes.txt does not say"),
]  # fmt: skip

REFUSED = [
    "What is the capital of France?",
    "Delete notes.txt",
    "Translate hello to French",
    "Send an email to Bob",
    "What should I cook tonight?",
    "append 'x' to notes.txt",
]


@pytest.mark.parametrize(("goal", "calls", "answer"), ARITHMETIC + TABLES + TEXTS + CORRECTED)
def test_goal_takes_these_calls_and_has_this_answer(
    run: Callable[..., Any], goal: str, calls: Calls, answer: str
) -> None:
    made = run(goal)
    assert made.calls == calls
    assert answer in made.answer


@pytest.mark.parametrize("goal", REFUSED)
def test_goal_without_a_tool_for_it_is_refused_plainly(
    run: Callable[..., Any], root: Path, goal: str
) -> None:
    made = run(goal)
    assert made.calls == []
    assert made.answer.startswith("I can't ")
    assert "I know no tool or rule for" in made.answer
    assert (root / "notes.txt").exists()


WRITTEN = [
    ("Read notebooks/data/energy.csv, compute the total of twh, and write the answer to report.txt",
     "report.txt", "The total of twh in notebooks/data/energy.csv is 315."),
    ("1. Read energy.csv\n2. Compute the total of twh\n3. Write the result to out.txt",
     "out.txt", "The total of twh in energy.csv is 1415."),
    ("Which city has the largest population in cities.csv? Write it to top.txt",
     "top.txt", "New York has the highest population in cities.csv: 8336000."),
    ("Compute the mean and the median of amount in sales.csv and write both to stats.txt",
     "stats.txt", "The mean of amount in sales.csv is 111.4375. The median of amount in sales.csv is 100.25."),
    ("Write the total of amount in sales.csv to total.txt",
     "total.txt", "The total of amount in sales.csv is 445.75."),
    ("Compute 3 * 4 and write only the number to n.txt", "n.txt", "12"),
    ("Write the result of 3*4 to r.txt", "r.txt", "3*4 is 12."),
    ("Create a file hello.txt with the text 'Hello, world'", "hello.txt", "Hello, world"),
    ("Save hello there to out/hi.txt", "out/hi.txt", "hello there"),
    ("Copy data/b.md to copy.md", "copy.md", "# B\nhello"),
    ("Read notes.txt, then save a summary of it to s.txt", "s.txt",
     "The project started in March 2021. Ada Lovelace leads the team. The budget is 50,000 euros."),
    ("Save the contents of data/b.md to b2.md", "b2.md", "# B\nhello"),
    ("List the files in data and write the list to files.txt", "files.txt", "data/a.csv\ndata/b.md"),
    ("Check whether new.txt exists and if not, write 'made, then' to it", "new.txt", "made, then"),
    ("If gone.txt exists, read it; otherwise create gone.txt with the text 'x'", "gone.txt", "x"),
    ("Who leads the team according to notes.txt? Save the answer in who.txt", "who.txt",
     "Ada Lovelace leads the team."),
]  # fmt: skip


@pytest.mark.parametrize(("goal", "path", "content"), WRITTEN)
def test_written_file_holds_the_answer(
    run: Callable[..., Any], root: Path, goal: str, path: str, content: str
) -> None:
    made = run(goal)
    assert (root / path).read_text().strip() == content
    assert path in made.answer


def test_a_condition_that_does_not_hold_changes_nothing(
    run: Callable[..., Any], root: Path
) -> None:
    before = (root / "notes.txt").read_text()
    made = run("Check whether notes.txt exists and if not, write 'lost' to it")
    assert [name for name, _ in made.calls] == [EXISTS]
    assert (root / "notes.txt").read_text() == before


def test_an_otherwise_branch_is_not_taken_because_the_first_one_failed(
    run: Callable[..., Any], root: Path
) -> None:
    (root / "bad.txt").write_bytes(b"\xff\xfe\xff")
    made = run("If bad.txt exists, read it; otherwise create bad.txt with the text 'x'")
    assert WRITE not in [name for name, _ in made.calls]
    assert "I can't read it" in made.answer


def test_nothing_is_deleted_but_what_was_named(
    run: Callable[..., Any], root: Path, tools: list[BaseTool]
) -> None:
    before = sorted(root.rglob("*"))
    done = run("Delete note.txt", [*tools, make_delete_file(root)])
    assert done.calls == [("delete_file", {"path": "note.txt"})]
    assert sorted(root.rglob("*")) == before
    assert "note.txt' does not exist" in done.answer


def test_independent_steps_are_called_side_by_side(run: Callable[..., Any]) -> None:
    assert run("What is 3 * 12? Also, what is 11 + 49?").turns == [2]
    assert run("Multiply 6 by 7 and add 3").turns == [1, 1]
    assert run("Read cities.csv and energy.csv").turns == [2]


def test_thoughts_beside_calls_can_be_read(run: Callable[..., Any]) -> None:
    made = run("Read energy.csv, compute the total of twh and write it to out.txt")
    said = [message.content for message in made.messages if getattr(message, "tool_calls", None)]
    assert said == [
        "I need to read energy.csv.",
        "I need to compute the total of twh.",
        "I need to write to out.txt.",
    ]


def test_a_document_is_read_once_for_several_questions(run: Callable[..., Any]) -> None:
    made = run("Read cities.csv. What is the mean population? Which city is the smallest?")
    assert [name for name, _ in made.calls] == [READ, CALC]


def test_without_a_calculator_figures_are_read_off_but_never_computed(
    run: Callable[..., Any], tools: list[Any]
) -> None:
    reader = [tool for tool in tools if tool.name == READ]
    assert "568" in run("What is the highest twh in energy.csv?", reader).answer
    refused = run("What is the total of twh in energy.csv?", reader).answer
    assert refused.startswith("I can't")
    assert "arithmetic" in refused
    assert "1415" not in refused
