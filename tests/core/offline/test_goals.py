"""Goals are split where something of its own is asked, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.offline.goals import is_request, split_goal


@pytest.mark.parametrize(
    ("goal", "steps"),
    [
        ("Read a.csv, compute the mean of x, and write it to b.txt.",
         ["Read a.csv", "compute the mean of x", "write it to b.txt."]),
        ("1. Read x.csv\n2. Compute the sum and count of amount\n3. Save it.",
         ["Read x.csv", "Compute the sum and count of amount", "Save it."]),
        ("Do the following: 1) Read x.csv 2) Compute the mean", ["Read x.csv", "Compute the mean"]),
        ("Please:\n- read a.txt\n- tell me who wrote it", ["read a.txt", "tell me who wrote it"]),
        ("Could you read a.txt and b.txt, then tell me which is longer?",
         ["read a.txt and b.txt", "tell me which is longer?"]),
        ("What's 3 * 12? Also, what is 11 + 49?", ["What's 3 * 12?", "what is 11 + 49?"]),
        ("Read a.txt; summarise it; save it to b.txt",
         ["Read a.txt", "summarise it", "save it to b.txt"]),
        ("First, read a.txt. Second, write it to b.txt. Finally list the files",
         ["read a.txt.", "write it to b.txt.", "list the files"]),
        ("Read the file a.txt, which contains sales, and summarise it",
         ["Read the file a.txt, which contains sales", "summarise it"]),
        ("Write 'read this, then go; now.' to a.txt", ["Write 'read this, then go; now.' to a.txt"]),
        ("What is the average of 3, 5 and 10?", ["What is the average of 3, 5 and 10?"]),
        ("Search for hotels and restaurants in Rome", ["Search for hotels and restaurants in Rome"]),
        ("Compute 17.5 * 2. Then add 1.5", ["Compute 17.5 * 2.", "add 1.5"]),
        ("weather in Paris", ["weather in Paris"]),
        ("Mr. Smith asks: what is 2 + 2?", ["what is 2 + 2?"]),
        ("", []),
    ],
)  # fmt: skip
def test_goal_has_these_steps(goal: str, steps: list[str]) -> None:
    assert [step.text for step in split_goal(goal)] == steps


def test_what_only_states_something_is_context_for_what_follows() -> None:
    steps = split_goal(
        "I have a file sales.csv. What is the total? In a.csv, which is the largest?"
    )
    assert [(step.text, step.context) for step in steps] == [
        ("What is the total?", "I have a file sales.csv."),
        ("which is the largest?", "I have a file sales.csv. In a.csv"),
    ]


@pytest.mark.parametrize(
    ("goal", "conditions"),
    [
        ("Check whether a.txt exists and if not, write 'x' to it", [None, False]),
        ("If a.txt exists, read it; otherwise create a.txt", [None, True, False]),
        ("If there is no a.txt, create it", [None, False]),
        ("Does a.txt exist? If so, read it.", [None, True]),
    ],
)
def test_conditions_hang_on_the_check_before(goal: str, conditions: list[bool | None]) -> None:
    assert [step.condition for step in split_goal(goal)] == conditions


def test_verbs_of_bound_tools_count_as_verbs() -> None:
    goal = "Ping the server and frobnicate the disk"
    assert len(split_goal(goal, frozenset({"ping"}))) == 1
    assert len(split_goal(goal, frozenset({"ping", "frobnicate"}))) == 2


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("Read a.csv", True),
        ("can you help me find it", True),
        ("Is it there", True),
        ("My name is Ada.", False),
        ("The following:", False),
        ("Hello!", False),
    ],
)
def test_requests_are_told_from_statements(text: str, asks: bool) -> None:
    assert is_request(text) is asks


@given(st.text(max_size=200))
def test_steps_hold_words_of_the_goal_only(goal: str) -> None:
    for step in split_goal(goal):
        assert step.text.strip(" ?.") in goal or step.text.startswith("Does ")
