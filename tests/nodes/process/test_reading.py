"""Definitions: every fault is told with its file, line, key and way out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.errors import ConfigurationError
from cogwork.nodes.process.parts import seconds_of
from cogwork.nodes.process.reading import parse_definition, read_definition, read_definitions
from cogwork.nodes.process.source import Source

WHOLE = """\
process: buy
version: 1
roles: {boss: [mia]}
input: {amount: number}
steps:
  - id: look
    tool: price
    args: {n: "${input.amount}"}
    recovery: [{retry: 2, wait: 1s}, {fallback: guess}, {escalate: boss}]
  - id: ask
    approval: {role: boss, question: "Buy for ${look}?", show: {price: "${look}"}, edit: [price]}
    deadlines: [{after: 2 days, role: boss}, {after: 4 days, go: no}]
    on: {reject: no}
  - id: both
    parallel:
      one: [{id: a, tool: t}]
      two: [{id: b, wait: {event: come, by: boss}}]
  - id: decide
    rule: [{when: "a == 1", go: yes_}, {set: {x: 1}}]
    next: no
  - {end: yes_}
  - {end: no}
"""


def told(text):
    with pytest.raises(ConfigurationError) as raised:
        parse_definition(text, "buy.yaml")
    return str(raised.value)


def test_a_whole_definition_is_read():
    definition = parse_definition(WHOLE, "buy.yaml")
    assert (definition.key, definition.file) == ("buy@1", "buy.yaml")
    assert [step.kind for step in definition.all_steps()] == [
        "tool",
        "approval",
        "parallel",
        "tool",
        "wait",
        "rule",
        "end",
        "end",
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("process: buy", "process: Buy it", "line 1, process: 'Buy it' is no name; use small"),
        ("process: buy", "process: in", "line 1, process: 'in' means something else"),
        ("version: 1", "version: 1.10", "line 2, version: 1.1 is no version; write a whole"),
        ("version: 1", "vresion: 1", "line 2, vresion: unknown key 'vresion'; did you mean 'version'"),
        ("amount: number", "amount: money", "line 4, input.amount: Input should be 'text'"),
        ("    args:", "    agrs:", "line 8, steps[0].agrs: unknown key 'agrs'; did you mean 'args'"),
        ("retry: 2", "retry: many", "line 9, steps[0].recovery[0].retry: Input should be a valid int"),
        ("retry: 2", "retri: 2", "line 9, steps[0].recovery[0].retri: unknown key 'retri'; did you"),
        ("wait: 1s", "wait: soon", "line 9, steps[0].recovery[0].wait: 'soon' is no duration; write"),
        ("{retry: 2, wait: 1s}", "{}", "line 9, steps[0].recovery[0]: this is not one thing to do"),
        ("{escalate: boss}", "{escalate: bos}", "line 9, steps[0].recovery[2].escalate: no role is"),
        ("{fallback: guess}", "{skip: false}", "line 9, steps[0].recovery[1].skip: Input should be"),
        ("role: boss, q", "role: bos, q", "line 11, steps[1].approval.role: no role is called 'bos'"),
        ("edit: [price]", "edit: [prize]", "line 11, steps[1].approval.edit: 'prize' is not shown"),
        ("${look}?", "${lock}?", "line 11, steps[1].approval.question: 'lock', column 1: undeclared"),
        ("${look}?", "${a}?", "line 11, steps[1].approval.question: 'a', column 1: undeclared"),
        ("after: 2 days", "after: 9 days", "line 12, steps[1].deadlines[1].after: this is not later"),
        ("go: no}]", "go: on}]", "line 12, steps[1].deadlines[1].go: no step here is called 'on'"),
        ("on: {reject: no}", "on: {}", "line 13, steps[1].on.reject: 'reject' is missing; add it"),
        ("[{id: a, tool: t}]", "[]", "line 16, steps[2].parallel.one: a branch is a list of steps"),
        ("{id: a, tool: t}", "{end: a}", "line 16, steps[2].parallel.one[0]: a branch cannot end"),
        ("{id: b,", "{id: a,", "line 17, steps[2].parallel.two[0].id: 'a' is the id of"),
        ("event: come, by: boss", "by: boss", "line 17, steps[2].parallel.two[0].wait: what is waited"),
        ("event: come, by", "for: 2h, by", "line 17, steps[2].parallel.two[0].wait: a time comes by"),
        ("a == 1", "a ==", "line 19, steps[3].rule[0].when: 'a ==', column 5: Syntax error"),
        ('{when: "a == 1", go: yes_}', "{go: yes_}", "line 19, steps[3].rule[0]: no case behind"),
        ("go: yes_}, {", "go: look}, {", "the steps go in a circle, look → ask → both → decide → look"),
        ("go: yes_}, {", "go: no}, {", "line 21, steps[4]: nothing leads to 'yes_'; lead to it"),
        ("    tool: price\n", "", "line 6, steps[0]: the step has no kind; give it exactly one of"),
        ("    tool: price", "    tool: price\n    agent: x", "the step has tool and agent at once"),
        ("  - {end: no}", "  - no", "line 22, steps[5]: 'no' is no step; write"),
        ("  - {end: no}", "  - {end: look}", "line 22, steps[5].end: 'look' is the id of"),
        ("    tool: price", "    tool: [price]", "line 7, steps[0].tool: Input should be a valid str"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_its_key_and_the_way_out(old, new, fault):
    assert old in WHOLE
    said = told(WHOLE.replace(old, new, 1))
    assert "buy.yaml, line " in said
    assert fault in said


def test_all_faults_are_told_at_once():
    said = told(WHOLE.replace("tool: price", "tool: 3").replace("version: 1", "version: [1]"))
    assert [line.split(": ")[0] for line in said.splitlines()] == [
        "buy.yaml, line 2, version",
        "buy.yaml, line 7, steps[0].tool",
    ]


BOMB = "a: &a [x, x]\n" + "".join(f"a{n}: &a{n} [*a, *a]\n" for n in range(3))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (BOMB, "line 2: '*a' is an alias; write out what it means"),
        ("process: &a x\nversion: *a", "line 2: '*a' is an alias"),
        ("<<: {a: 1}\nprocess: x", "unknown key '<<'"),
        ("x: !!python/object/apply:os.system [ls]", "the tag 'tag:yaml.org,2002:python/object"),
        ("!!python/name:os.system {}", "line 1: the tag"),
        ("x: !!binary aGk=", "the tag"),
        ("x: !!set {a, b}", "the tag"),
        ("x: 1\nx: 2", "line 2: 'x' is given twice; remove one of the two"),
        ("? [a, b]\n: 1", "a list or mapping is no key"),
        ("[" * 5_000, "more than 30 levels deep; make it flatter"),
        ("{a: " * 5_000, "more than 30 levels deep"),
        ("x: " + "a" * 1_000_001, "more than 1,000,000 characters; divide it"),
        ("- 1", "line 1: this is no definition; begin with 'process"),
        ("", "line 1: this is no definition"),
        ("process: [", "not valid YAML"),
        ("a: 1\nb: \x01", "line 2: not valid YAML: special characters"),
        ("a: 1\n--- \nb: 2", "line 2: not valid YAML"),
        ("a: '\n\n", "not valid YAML"),
    ],
)
def test_hostile_yaml_is_refused_with_its_line(text, fault):
    said = told(text)
    assert said.startswith("buy.yaml, line ")
    assert fault in said


def test_dates_and_words_that_yaml_reads_otherwise_stay_what_they_are():
    source = Source("a: 2026-05-04\non: x\nb: 'yes'\nc: =\n", "x.yaml")
    assert source.value == {"a": "2026-05-04", "on": "x", "b": "yes", "c": "="}


def test_files_that_cannot_be_read_are_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"absent.yaml' cannot be read: No such file"):
        read_definition(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes("process: grün".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="not UTF-8 text"):
        read_definition(tmp_path / "latin.yaml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match="there is no definition in"):
        read_definitions(tmp_path / "empty")


def test_a_folder_holds_versions_and_no_version_twice(tmp_path):
    (tmp_path / "one.yaml").write_text(WHOLE)
    (tmp_path / "two.yml").write_text(WHOLE.replace("version: 1", "version: 2"))
    assert [each.key for each in read_definitions(tmp_path)] == ["buy@1", "buy@2"]
    (tmp_path / "three.yaml").write_text(WHOLE)
    with pytest.raises(ConfigurationError, match=r"'buy@1' is defined in .* and in .*; give the"):
        read_definitions(tmp_path)


def test_the_digest_tells_what_a_definition_says_and_not_how_or_who():
    first = parse_definition(WHOLE)
    assert parse_definition("# by us\n" + WHOLE.replace("[mia]", "[ida]")).digest == first.digest
    assert parse_definition(WHOLE.replace("2 days", "3 days")).digest != first.digest


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1.5 hours", 5_400), ("2 days", 172_800), ("1 week", 604_800)],
)
def test_durations_are_read(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0s", "-1s", "3", "3 fortnights", "1e9 d", "999999999w", 5, None, "٣s"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is no duration; write '30s'"):
        seconds_of(text)


LINES = WHOLE.splitlines(keepends=True)


@given(st.lists(st.sampled_from(range(len(LINES))), max_size=6), st.text(max_size=8), st.data())
def test_any_damage_is_told_with_a_line_or_does_no_harm(lost, added, data):
    place = data.draw(st.integers(0, len(LINES)))
    kept = [line for number, line in enumerate(LINES) if number not in lost]
    text = "".join([*kept[:place], added, *kept[place:]])
    faults = []
    try:
        parse_definition(text, "buy.yaml")
    except ConfigurationError as error:
        faults = str(error).splitlines()
    assert all(line.startswith("buy.yaml, line ") for line in faults)
