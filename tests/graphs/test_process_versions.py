"""Versions of processes, their instances' threads, their pictures and their trails."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from processes import CONFIG, DAY, EXAMPLES, Instance, example_tools

from cogwork.core.errors import ConfigurationError
from cogwork.core.topology import to_ascii, to_svg
from cogwork.graphs.process import create_process
from cogwork.memory import create_checkpointer
from cogwork.nodes.process.answering import due, inbox, reply
from cogwork.nodes.process.reading import parse_definition, version_order
from cogwork.nodes.process.state import ProcessState
from cogwork.nodes.process.trail import merge_trail, trail_to_csv, trail_to_json
from cogwork.tools.audit import AuditLog, verify_audit_log

TEXT = """\
process: test
version: {version}
roles: {{boss: [mia]}}
steps:
  - id: ask
    approval: {{role: boss, question: "{question}", show: {{}}}}
    on: {{reject: refused}}
  - {{id: {after}, rule: [{{set: {{said: "{question}"}}}}]}}
  - {{end: agreed}}
  - {{end: refused}}
"""
OLD = parse_definition(TEXT.format(version=1, question="old?", after="note"), "old.yaml")
NEW = parse_definition(TEXT.format(version=2, question="new?", after="mark"), "new.yaml")
APPROVED = Command(resume={"type": "approve", "by": "mia"})
OTHER = {"configurable": {"thread_id": "other"}}


@pytest.mark.parametrize("order", [[OLD, NEW], [NEW, OLD]])
def test_a_running_instance_keeps_its_version_and_a_new_one_has_the_newest(order):
    saver = InMemorySaver()
    create_process(OLD, checkpointer=saver).invoke({"input": {}}, CONFIG)
    both = create_process(order, checkpointer=saver)
    assert both.invoke({"input": {}}, OTHER)["__interrupt__"][0].value["version"] == "2"
    assert both.invoke(APPROVED, CONFIG)["results"]["note"] == {"said": "old?"}
    assert both.invoke(APPROVED, OTHER)["results"]["mark"] == {"said": "new?"}


@pytest.mark.parametrize("given", [APPROVED, None])
async def test_an_instance_whose_version_is_missing_is_refused_and_stays_whole(given):
    saver = InMemorySaver()
    create_process(OLD, checkpointer=saver).invoke({"input": {}}, CONFIG)
    newer = create_process(NEW, checkpointer=saver)
    missing = r"needs 'test@1', which is not among the definitions \(test@2\); add its file"
    with pytest.raises(ConfigurationError, match=missing):
        newer.invoke(given, CONFIG)
    with pytest.raises(ConfigurationError, match=missing):
        await newer.ainvoke(given, CONFIG)
    both = create_process([OLD, NEW], checkpointer=saver)
    assert both.invoke(APPROVED, CONFIG)["status"] == "agreed"


def test_an_instance_whose_definition_was_changed_is_refused():
    saver = InMemorySaver()
    create_process(OLD, checkpointer=saver).invoke({"input": {}}, CONFIG)
    changed = parse_definition(OLD.text.replace("old?", "other?"), "old.yaml")
    with pytest.raises(ConfigurationError, match="'test@1' says something else than when"):
        create_process(changed, checkpointer=saver).invoke(APPROVED, CONFIG)


def test_other_persons_and_other_words_are_no_other_definition():
    saver = InMemorySaver()
    create_process(OLD, checkpointer=saver).invoke({"input": {}}, CONFIG)
    moved = parse_definition("# now with ida\n" + OLD.text.replace("[mia]", "[ida]"))
    answer = Command(resume={"type": "approve", "by": "ida"})
    assert create_process(moved, checkpointer=saver).invoke(answer, CONFIG)["status"] == "agreed"


def test_a_subprocess_keeps_the_version_that_there_was_when_its_process_began():
    parent = parse_definition(
        "process: outer\nversion: 1\nsteps:\n"
        "  - {id: rest, wait: {for: 1 day}}\n  - {id: sub, subprocess: test}\n"
    )
    saver, clock = InMemorySaver(), [0.0]
    options = {"checkpointer": saver, "clock": lambda: clock[0], "process": "outer"}
    create_process([parent, OLD], **options).invoke({"input": {}}, CONFIG)
    clock[0] = DAY
    with pytest.raises(ConfigurationError, match="needs 'test@1'"):
        create_process([parent, NEW], **options).invoke(Command(resume="tick"), CONFIG)
    both = create_process([parent, OLD, NEW], **options)
    both.invoke(Command(resume="tick"), CONFIG)
    ended = both.invoke(APPROVED, CONFIG)
    assert ended["results"]["sub"]["results"]["note"] == {"said": "old?"}


def test_an_instance_can_begin_with_an_older_version():
    both = create_process([OLD, NEW], checkpointer=InMemorySaver())
    begun = both.invoke({"input": {}, "version": "1"}, CONFIG)
    assert begun["__interrupt__"][0].value["version"] == "1"
    with pytest.raises(ConfigurationError, match="no version '3'; known: 1, 2"):
        both.invoke({"input": {}, "version": "3"}, OTHER)


def test_a_thread_holds_one_instance():
    graph = create_process(OLD, checkpointer=InMemorySaver())
    graph.invoke({"input": {}}, CONFIG)
    with pytest.raises(ConfigurationError, match="holds an instance of 'test' already"):
        graph.invoke({"input": {}}, CONFIG)
    assert graph.invoke(APPROVED, CONFIG)["status"] == "agreed"


def test_versions_are_ordered_as_people_count():
    assert sorted(["10", "9", "2026-1", "1.10", "1.9"], key=version_order) == [
        "1.9", "1.10", "9", "10", "2026-1",
    ]  # fmt: skip


def test_a_process_is_a_node_of_another_graph():
    inner = create_process(OLD)
    outer = StateGraph(ProcessState)
    outer.add_node("process", inner)
    outer.add_edge(START, "process")
    graph = outer.compile(checkpointer=InMemorySaver())
    graph.invoke({"input": {}}, CONFIG)
    assert graph.invoke(APPROVED, CONFIG)["status"] == "agreed"


def test_copies_of_the_graph_know_its_definitions():
    saver = InMemorySaver()
    create_process(OLD, checkpointer=saver).invoke({"input": {}}, CONFIG)
    newer = create_process(NEW).copy({"checkpointer": saver})
    with pytest.raises(ConfigurationError, match="needs 'test@1'"):
        newer.invoke(APPROVED, CONFIG)


def test_the_picture_shows_the_steps_and_where_they_lead():
    graph = create_process([OLD, NEW])
    assert to_ascii(graph).splitlines() == [
        "START     ──▶ begin",
        "begin     ┄┄▶ ask@1 | ask@2",
        "ask@1     ┄┄▶ note@1 | refused@1 (reject)",
        "ask@2     ┄┄▶ mark@2 | refused@2 (reject)",
        "note@1    ┄┄▶ agreed@1",
        "refused@1 ┄┄▶ END",
        "mark@2    ┄┄▶ agreed@2",
        "refused@2 ┄┄▶ END",
        "agreed@1  ┄┄▶ END",
        "agreed@2  ┄┄▶ END",
    ]
    assert "refused@1" in to_svg(graph, highlight={"ask@1": "interrupted"})


def test_the_picture_looks_into_branches(tmp_path):
    tools = example_tools("onboarding").onboarding_tools(tmp_path)
    graph = create_process(EXAMPLES / "onboarding", tools, model="offline")
    drawn = to_ascii(graph, xray=True)
    assert "prepare.contract@1:signature@1" in drawn
    assert "(late)" in drawn
    assert "mail@1" in to_svg(graph, xray=True)


def test_several_questions_are_answered_one_by_one():
    text = """\
process: test
version: 1
roles: {boss: [mia]}
steps:
  - id: both
    parallel:
      one: [{id: a, wait: {event: a}}, {id: rest, wait: {for: 1 day}}]
      two: [{id: b, wait: {event: b}, deadlines: [{after: 2 days, role: boss}]}]
"""
    instance = Instance(text).begin()
    assert [(item.step, item.kind, item.question) for item in instance.waits.values()] == [
        ("a", "event", "waits for 'a'"),
        ("b", "event", "waits for 'b'"),
    ]
    assert due(instance.graph.get_state(CONFIG), instance.now) is None
    instance.answer("a", "a")
    assert instance.waits["rest"].question == "waits until 2026-02-26 06:13 UTC"
    instance.answer("b", "c")
    assert "is not the event 'b'" in instance.waits["b"].trouble
    instance.pass_days(1)
    assert list(instance.waits) == ["b"]
    instance.pass_days(1).answer("b", event="b", by="eve")
    assert "not in the role 'boss'" in instance.waits["b"].trouble
    assert instance.answer("b", event="b", by="mia", data=7).status == "completed"
    assert instance.state["results"]["b"]["data"] == 7
    with pytest.raises(ConfigurationError, match="step 'b' waits for nothing; nothing waits"):
        reply(instance.graph.get_state(CONFIG), "b", "b")


def test_an_instance_outlives_its_process_in_a_file(tmp_path):
    for asked in ({"input": {}}, APPROVED):
        with create_checkpointer(f"sqlite:///{tmp_path}/instances.db") as saver:
            ended = create_process(OLD, checkpointer=saver).invoke(asked, CONFIG)
    assert ended["status"] == "agreed"
    assert [each["event"] for each in ended["trail"]] == [
        "asked", "decided", "completed", "completed", "ended",
    ]  # fmt: skip


def test_the_trail_is_noted_in_the_audit_log_once_per_entry(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    graph = create_process(OLD, checkpointer=InMemorySaver(), audit=log)
    graph.invoke({"input": {}}, CONFIG)
    graph.invoke(Command(resume={"type": "approve", "by": "eve"}), CONFIG)
    ended = graph.invoke(APPROVED, CONFIG)
    noted = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [each["entry"] for each in noted] == [each["id"] for each in ended["trail"]]
    assert {each["thread"] for each in noted} == {"instance"}
    assert "eve" in [each["by"] for each in noted]
    assert verify_audit_log(tmp_path / "audit.jsonl").faults == ()


def entry(**told):
    empty = dict.fromkeys(["process", "version", "step", "kind", "event", "by", "role", "note"], "")
    return {"id": "1", "at": "", "input": None, "result": None, **empty, **told}


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@A1",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "|cmd",
        "%0A",
        "\uff1d1",
        '"=1',
        "'=1",
    ],
)
def test_no_cell_of_the_csv_is_a_formula(text):
    row = list(csv.reader(io.StringIO(trail_to_csv([entry(by=text, note=text)]), newline="")))[1]
    assert all(cell == "" or cell[0] in "'1" for cell in row)
    assert f"'{text}" in row


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_the_csv_has_a_row_for_each_entry_whatever_they_hold(texts):
    written = trail_to_csv([entry(by=text, result=text) for text in texts])
    rows = list(csv.reader(io.StringIO(written, newline=""), strict=True))
    assert len(rows) == len(texts) + 1
    assert {len(row) for row in rows} == {12}


def test_exports_show_no_secrets_and_the_json_is_the_trail():
    one = entry(by="mia", result={"api_key": "sk-1234567890abcdef"}, input=1.5)
    assert "1234567890" not in trail_to_csv([one]) + trail_to_json([one])
    plain = [entry(by="mia", result={"a": [1, "=x"]})]
    assert json.loads(trail_to_json(plain)) == plain
    assert trail_to_json([]) == "[]"


def test_entries_are_merged_by_their_ids():
    first, second = entry(), entry(id="2")
    assert merge_trail([first], [first, second]) == [first, second]
    assert merge_trail(None, None) == []


def test_what_others_interrupt_with_is_no_item_of_an_inbox():
    graph = create_process(OLD, checkpointer=InMemorySaver())
    assert inbox(graph.get_state(CONFIG)) == []
