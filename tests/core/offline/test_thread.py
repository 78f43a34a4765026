"""Threads: earlier turns, messages that steer, prompts with sections, the last answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from cogwork.core.offline import OfflineChatModel

Run = Callable[..., Any]
JOB = "Read energy.csv, compute the total of the twh column, and write the answer to report.txt"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what was the total again?", "The total of twh in energy.csv is 1415."),
        ("Remind me what the total is", "The total of twh in energy.csv is 1415."),
        ("What did you write to report.txt?", "The total of twh in energy.csv is 1415."),
        ("What did I ask before?", "You asked: “Read energy.csv, compute the total"),
    ],
)
def test_it_answers_from_earlier_turns_without_any_tool(
    run: Run, question: str, answer: str
) -> None:
    thread = run(JOB).messages
    made = run(question, before=thread)
    assert made.calls == []
    assert answer in made.answer


def test_it_answers_from_the_notes_of_a_system_message() -> None:
    notes = SystemMessage("What you know (notes to use):\n- My sister Clara works in Zurich.")
    model = OfflineChatModel()
    asked = model.invoke([notes, HumanMessage("Where does my sister work?")])
    assert asked.text == "Your sister Clara works in Zurich."
    asked = model.invoke([notes, HumanMessage("Where does my brother work?")])
    assert "Zurich" not in asked.text


def test_a_table_of_an_earlier_turn_need_not_be_read_again(run: Run) -> None:
    thread = run(JOB).messages
    made = run("And the mean?", before=thread)
    assert made.calls == [("calculator", {"expression": "mean(154, 161, 568, 532)"})]
    assert made.answer == "The mean of twh in energy.csv is 353.75."
    assert run("Which country had the lowest twh?", before=thread).calls == []


def test_it_means_the_last_answer(run: Run, root: Path) -> None:
    thread = run("What is 3 * 4?").messages
    assert run("Multiply it by 2", before=thread).calls == [
        ("calculator", {"expression": "12 * 2"})
    ]
    run("write that to n.txt", before=thread)
    assert (root / "n.txt").read_text() == "3 * 4 is 12."


def test_a_named_file_is_read_afresh_in_a_new_turn(run: Run, root: Path) -> None:
    thread = run("What is the total of twh in energy.csv?").messages
    (root / "energy.csv").write_text("country,twh\nNorway,1\nSweden,2\n")
    made = run("What is the total of twh in energy.csv?", before=thread)
    assert made.calls[0] == ("read_file", {"path": "energy.csv"})
    assert "is 3." in made.answer


def test_it_remembers_what_it_was_told(run: Run) -> None:
    thread = run("My name is Ada.").messages
    assert thread[-1].content == "Noted: My name is Ada."
    assert run("What is my name?", before=thread).answer == "Your name is Ada."


def test_try_again_makes_the_same_request_again(run: Run, root: Path) -> None:
    thread = run("Read late.csv and compute the total of x").messages
    assert "I can't read late.csv" in thread[-1].content
    (root / "late.csv").write_text("x,y\n1,2\n3,4\n")
    assert "The total of x in late.csv is 4." in run("try again", before=thread).answer


def test_a_thread_that_was_cut_short_goes_on_where_it_stood(run: Run) -> None:
    whole = run(JOB).messages
    for end in range(1, len(whole), 2):
        assert run("continue", before=whole[:end]).answer == whole[-1].content


CLOSINGS = """\
The step limit is reached and no tool can be called any more. Answer the question now, only \
from what was found above; say what is missing, if anything.
No more tool calls are available. Give your final answer now.
Tools are no longer available. Answer from what was found.""".splitlines()


@pytest.mark.parametrize("closing", CLOSINGS)
@pytest.mark.parametrize("kind", [HumanMessage, SystemMessage])
def test_when_tools_are_off_it_answers_from_what_was_found_and_says_what_is_missing(
    run: Run, tools: list[Any], closing: str, kind: Any
) -> None:
    thread = run(JOB).messages[:5]  # read and computed, not written
    answer = OfflineChatModel().bind_tools(tools).invoke([*thread, kind(closing)])
    assert answer.tool_calls == []
    assert "The total of twh in energy.csv is 1415." in answer.content
    assert "I can't write the answer to report.txt" in answer.content


def test_no_tools_bound_any_more_is_enough_to_end(run: Run) -> None:
    thread = run(JOB).messages[:5]
    answer = OfflineChatModel().invoke([*thread, HumanMessage(CLOSINGS[0])])
    assert "The total of twh in energy.csv is 1415." in answer.content


@pytest.mark.parametrize(
    "prompt",
    [
        "You are helpful. Use tools when needed. If tools are no longer available, answer from what was found.",
        "Answer only from the observations. Do not call a tool twice with the same arguments.",
        "Don't call tools that do not exist.",
    ],
)
def test_a_standing_prompt_that_mentions_limits_does_not_switch_tools_off(
    tools: list[Any], prompt: str
) -> None:
    thread = [SystemMessage(prompt), HumanMessage("What is 3 * 4?")]
    assert OfflineChatModel().bind_tools(tools).invoke(thread).tool_calls


def test_a_closing_of_an_earlier_turn_does_not_bind_the_next(run: Run) -> None:
    thread = [*run(JOB).messages[:3], HumanMessage(CLOSINGS[1]), AIMessage("So far nothing.")]
    assert run("What is 3 * 4?", before=thread).calls == [("calculator", {"expression": "3 * 4"})]


OBSERVED = """Question: Who founded Acme?

Observations:
- Ada founded Acme in 1990.
- Bob works there.

Answer the question from the observations only."""
ONE_LINE = """Question: What is the total? Observations: The mean is 3. The total of twh is 1415. Answer \
from the observations only."""
CATS = """Summarise the following text:

Cats are mammals. Cats like milk. Dogs bark. Many people keep cats. Cats sleep a lot. The moon is far."""


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        (OBSERVED, "Ada founded Acme in 1990."),
        (ONE_LINE, "The total of twh is 1415."),
        ("# Task\nWhen was it built?\n\n# Context\nThe tower was built in 1889.", "built in 1889."),
        (
            "<question>Where is it?</question>\n<text>It is in Paris. It is tall.</text>",
            "It is in Paris.",
        ),
        (CATS, "Cats are mammals. Cats like milk. Cats sleep a lot."),
    ],
)
def test_prompts_with_material_are_answered_by_quoting_it(prompt: str, answer: str) -> None:
    assert answer in str(OfflineChatModel().invoke(prompt).content)


def test_material_that_does_not_say_it_is_no_reason_to_make_something_up() -> None:
    prompt = "Question: Who founded Acme?\nObservations: The sky is blue."
    assert str(OfflineChatModel().invoke(prompt).content).startswith("I can't answer")


def test_a_plan_step_is_done_with_the_results_of_the_steps_before(run: Run, root: Path) -> None:
    goal = "Task: write the answer to step.txt\n\nResults of earlier steps:\n- The total of twh is 1415."
    run(goal)
    assert (root / "step.txt").read_text() == "The total of twh is 1415."


def test_an_orphaned_observation_is_still_read(tools: list[Any]) -> None:
    """History that was cut may begin with a result whose call is gone."""
    thread = [
        HumanMessage("What is the total of x?"),
        ToolMessage("x,y\n1,2\n3,4", tool_call_id="gone", name="read_file"),
    ]
    answer = OfflineChatModel().bind_tools(tools).invoke(thread)
    assert answer.content


def test_messages_without_a_request_are_answered_all_the_same() -> None:
    for thread in ([SystemMessage("You are helpful.")], [AIMessage("Hi.")], [HumanMessage("")]):
        assert OfflineChatModel().invoke(thread).content


def test_it_looks_back_only_where_it_was_asked_to(run: Run) -> None:
    thread = run("What is 3 * 4?", before=run("What is 2 + 3?").messages).messages
    assert run("What was the first result?", before=thread).answer == "2 + 3 is 5."
    assert run("What was the last result?", before=thread).answer == "3 * 4 is 12."
    for question in ("Why?", "How do you know?", "What is my name?", "What was the question?"):
        assert run(question, before=thread).answer.startswith("I can't answer")


def test_conditions_of_an_earlier_question_are_not_dropped_without_a_word(run: Run) -> None:
    thread = run("What is the total of amount in sales.csv for North?").messages
    assert run("And the mean?", before=thread).answer.startswith("I can't answer")
    assert run("And for South?", before=thread).answer.startswith("I can't answer")


def test_a_tool_that_may_not_be_called_any_more_is_not_said_to_be_missing(
    tools: list[Any], run: Run
) -> None:
    thread = run(JOB).messages[:3]
    answer = OfflineChatModel().invoke([*thread, HumanMessage(CLOSINGS[0])])
    assert "it takes a tool, and none may be called any more" in answer.content
    assert "bound" not in answer.content


def test_a_copy_is_the_same_to_the_last_byte(run: Run, root: Path) -> None:
    (root / "log.txt").write_text("ERROR disk full\n\n")
    run("Copy log.txt to log2.txt")
    assert (root / "log2.txt").read_bytes() == (root / "log.txt").read_bytes()


@pytest.mark.parametrize("text", ["- do 1\n" * 20_000, "a" * 100_000, "1+" * 50_000, "[" * 20_000])
def test_what_is_too_long_to_be_a_request_is_refused_at_once(tools: list[Any], text: str) -> None:
    answer = OfflineChatModel().bind_tools(tools).invoke(text)
    assert "characters, and I follow at most" in answer.content
