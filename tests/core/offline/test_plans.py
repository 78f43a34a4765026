"""Plans of the offline model: every part of a goal, in its order, and nothing twice."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.tools import BaseTool

from cogwork.core.offline import OfflineChatModel
from cogwork.nodes.plan import Plan, StepResult
from cogwork.nodes.planners import make_model_planner
from cogwork.nodes.planning import PlanRequest
from cogwork.tools.calculator import calculator

GOALS: list[tuple[str, list[str]]] = [
    # steps as "description < places it waits for"
    ("Read a.csv, compute the mean of x, and write it to b.txt",
     ["Read a.csv", "Compute the mean of x < 1", "Write it to b.txt < 2"]),
    ("Compute 6 * 7, and compute 10 / 4", ["Compute 6 * 7", "Compute 10 / 4"]),
    ("Compute 6 * 7, then add 1 to it", ["Compute 6 * 7", "Add 1 to it < 1"]),
    ("Compute 1+1 then compute 2+2 then compute 3+3",
     ["Compute 1+1", "Compute 2+2 < 1", "Compute 3+3 < 2"]),
    ("First compute 2 + 2. Then compute 3 + 3. Finally write both to sums.txt",
     ["Compute 2 + 2", "Compute 3 + 3 < 1", "Write both to sums.txt < 1 2"]),
    ("What is 3 * 12? Also, what is 11 + 49?", ["What is 3 * 12?", "What is 11 + 49?"]),
    ("Read notes.txt and then delete it", ["Read notes.txt", "Delete it < 1"]),
    ("Read notes.txt, delete notes.txt and list the files",
     ["Read notes.txt", "Delete notes.txt < 1", "List the files < 2"]),
    ("Write hello to a.txt, then read a.txt", ["Write hello to a.txt", "Read a.txt < 1"]),
    ("Write one to a.txt, append two to a.txt, and show a.txt",
     ["Write one to a.txt", "Append two to a.txt < 1", "Show a.txt < 1 2"]),
    ("Write hello to a.txt and list the files", ["Write hello to a.txt", "List the files < 1"]),
    ("Write a poem about the sea to poem.txt and compute 5 * 5",
     ["Write a poem about the sea to poem.txt", "Compute 5 * 5"]),
    ("Read a.txt and b.txt, then tell me which is longer",
     ["Read a.txt", "Read b.txt", "Tell me which is longer < 1 2"]),
    ("Read config.json, tell me the port and write it to port.txt",
     ["Read config.json", "Tell me the port < 1", "Write it to port.txt < 2"]),
    ("Read plan.json, then list the files", ["Read plan.json", "List the files < 1"]),
    ("Summarise the question in faq.md and save it to out.txt",
     ["Summarise the question in faq.md", "Save it to out.txt < 1"]),
    ("Copy a.txt to b.txt, then delete a.txt", ["Copy a.txt to b.txt", "Delete a.txt < 1"]),
    ("Move a.txt to c.txt and then read c.txt", ["Move a.txt to c.txt", "Read c.txt < 1"]),
    ("Compute 2+2 and write the result to out.txt, then read out.txt",
     ["Compute 2+2", "Write the result to out.txt < 1", "Read out.txt < 1 2"]),
    ("Delete data/a.csv, then list the files in data",
     ["Delete data/a.csv", "List the files in data < 1"]),
    ("Read data/a.csv, list the files in data",
     ["Read data/a.csv", "List the files in data < 1"]),
    ("Delete a.txt and b.txt", ["Delete a.txt", "Delete b.txt"]),
    ("Before deleting a.txt, read it", ["Read a.txt", "Delete a.txt < 1"]),
    ("Read a.txt before deleting it", ["Read a.txt", "Delete it < 1"]),
    ("After reading a.txt, write its first line to b.txt",
     ["Read a.txt", "Write its first line to b.txt < 1"]),
    ("1. Read sales.csv 2. Compute the sum of amount 3. Save it to total.txt",
     ["Read sales.csv", "Compute the sum of amount < 1", "Save it to total.txt < 2"]),
    ("Read a.txt -> uppercase it -> write it to b.txt",
     ["Read a.txt -> uppercase it", "Write it to b.txt < 1"]),
    ("If a.txt exists, delete it", ["Does a.txt exist? If so, delete it"]),
    ("Check whether a.txt exists. If so, delete it. If not, create it with the text hi",
     ["Check whether a.txt exists. If so, delete it. If not, create it with the text hi"]),
    ("Summarise notes.txt and email the summary to Bob",
     ["Summarise notes.txt", "Email the summary to Bob < 1"]),
    ("Read people.csv, find the oldest person, write their name to oldest.txt and show oldest.txt",
     ["Read people.csv", "Find the oldest person < 1", "Write their name to oldest.txt < 2",
      "Show oldest.txt < 3"]),
    ("List the files, then read the first one", ["List the files", "Read the first one < 1"]),
    ("According to a.txt, who came?", ["According to a.txt, who came?"]),
    ("A crate holds 12 bottles. How many bottles do 7 crates hold?",
     ["A crate holds 12 bottles. How many bottles do 7 crates hold?"]),
    ("In a.csv, what is the sum of x? Then write it to b.txt",
     ["In a.csv, what is the sum of x?", "Write it to b.txt < 1"]),
    ("Proceed in steps: read a.txt and read b.txt", ["Read a.txt", "Read b.txt"]),
]  # fmt: skip


def planned(goal: str, tools: Sequence[BaseTool], **more: Any) -> Plan:
    planner = make_model_planner(OfflineChatModel())
    made = asyncio.run(planner(replace(PlanRequest(goal, tools), **more), {}))
    assert not made.faults
    return made


@pytest.mark.parametrize(("goal", "steps"), GOALS)
def test_goal_becomes_these_steps_in_this_order(
    goal: str, steps: list[str], tools: list[BaseTool]
) -> None:
    made = planned(goal, tools).steps
    places = {step.id: str(place) for place, step in enumerate(made, 1)}
    told = [
        " < ".join(filter(None, (s.description, " ".join(places[key] for key in s.depends_on))))
        for s in made
    ]
    assert told == steps


@pytest.mark.parametrize("goal", [goal for goal, _ in GOALS])
def test_no_number_and_no_name_of_a_file_is_lost(goal: str, tools: list[BaseTool]) -> None:
    steps = planned(goal, tools).steps
    said = " ".join(f"{step.description} {step.args}" for step in steps)
    listed = re.sub(r"(?<!\S)\d\.(?=\s)", "", goal)  # the numbers of a list
    for literal in re.findall(r"[\w/]+\.\w{2,4}\b|\d+(?:\.\d+)?", listed):
        assert literal in said


@pytest.mark.parametrize("goal", [goal for goal, _ in GOALS])
def test_a_tool_is_named_only_for_a_step_that_it_does_whole(
    goal: str, tools: list[BaseTool]
) -> None:
    for step in planned(goal, tools).steps:
        if step.tool is not None:
            assert not re.search(r"(?i)->|\bif\b|\bthen\b", step.description)


@pytest.mark.parametrize("goal", ["Compute 6 * 7, then add 1 to it", "Read a.csv and b.csv"])
def test_plan_that_failed_is_not_made_again(goal: str, tools: list[BaseTool]) -> None:
    first = planned(goal, tools)
    results = {
        step.id: StepResult(id=step.id, status="failed", error="it is not there")
        for step in first.steps
    }
    again = planned(goal, tools, earlier=[(first, results)])
    calls = {(step.tool, str(step.args)) for step in first.steps if step.tool}
    assert calls
    assert not calls & {(step.tool, str(step.args)) for step in again.steps}
    assert len(again.steps) == len(first.steps)


def test_tools_that_are_not_there_are_not_named() -> None:
    made = planned("Read a.csv, then compute 1 + 1", [calculator]).steps
    assert [step.tool for step in made] == [None, "calculator"]
