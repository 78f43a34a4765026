"""Sets of tasks are read from files, and what is wrong in them is named by line."""

import json

import pytest

from cogwork.core.errors import ConfigurationError
from cogwork.runtime.evaluation.checks import Exact, NumberIs, QuasiExact
from cogwork.runtime.evaluation.loading import load_gaia, load_hotpotqa, load_tasks

OWN = {"id": "sum", "question": "1 + 1?", "check": {"check": "number", "value": 2}}
GAIA = {
    "task_id": "c61d22de",
    "Question": "How many rows are there?",
    "Level": "2",
    "Final answer": "1,000",
    "file_name": "table.csv",
    "Annotator Metadata": {"Steps": "1. Count: 1,000"},
}
HOTPOT = {
    "_id": "5a8b57f2",
    "question": "Are both from Oslo?",
    "answer": "yes",
    "type": "comparison",
    "level": "hard",
    "supporting_facts": [["Ann", 0]],
    "context": [["Ann", ["Ann is from Oslo.", " She sings."]], ["Bo", ["Bo is too."]]],
}


@pytest.fixture
def written(tmp_path):
    def write(*rows):
        path = tmp_path / "set.jsonl"
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines) + "\n")
        return path

    (tmp_path / "table.csv").write_text("a\n1\n")
    return write


def test_our_own_form_has_the_fields_of_a_task(written, tmp_path):
    path = written(OWN, "", {**OWN, "id": "rows", "files": ["table.csv"], "group": "g"})
    first, second = load_tasks(path)
    assert (first.id, first.question, first.check) == ("sum", "1 + 1?", NumberIs(value=2))
    assert second.files == (tmp_path / "table.csv",)
    assert second.group == "g"


def test_a_line_may_hold_other_ends_of_lines_than_its_own(written):
    (task,) = load_tasks(written(json.dumps({**OWN, "question": "a\u2028b?"}, ensure_ascii=False)))
    assert task.question == "a\u2028b?"


def test_gaias_form_is_known_by_its_keys(written, tmp_path):
    path = written(GAIA)
    (task,) = load_tasks(path)
    assert load_gaia(path) == [task]
    assert (task.id, task.kind, task.level) == ("c61d22de", "gaia", 2)
    assert task.check == QuasiExact(answer="1,000")
    assert task.files == (tmp_path / "table.csv",)
    assert "How many rows are there?\n\nThe file is table.csv.\n\nEnd with" in task.question


def test_hotpotqas_form_is_known_by_its_keys(written):
    path = written(HOTPOT)
    (task,) = load_tasks(path)
    assert load_hotpotqa(path) == [task]
    assert (task.id, task.kind, task.level) == ("5a8b57f2", "comparison", 3)
    assert task.check == Exact(answers=("yes",))
    assert task.texts["context.md"] == "# Ann\n\nAnn is from Oslo. She sings.\n\n# Bo\n\nBo is too."
    assert (
        "Are both from Oslo?\n\nThe paragraphs to answer from are in context.md." in task.question
    )


def test_hotpotqas_columns_are_read_as_its_pairs(written):
    pairs = HOTPOT["context"]
    columns = {"title": [t for t, _ in pairs], "sentences": [s for _, s in pairs]}
    other = {**HOTPOT, "id": HOTPOT["_id"], "context": columns}
    del other["_id"]
    assert load_tasks(written(other)) == load_tasks(written(HOTPOT))


def test_a_file_with_one_array_is_read_too(tmp_path):
    path = tmp_path / "hotpot_dev_distractor_v1.json"
    path.write_text(json.dumps([HOTPOT, {**HOTPOT, "_id": "2"}]))
    assert [task.id for task in load_tasks(path)] == ["5a8b57f2", "2"]


@pytest.mark.parametrize("loaded", [GAIA, HOTPOT])
def test_nothing_of_the_answer_reaches_the_agent(written, loaded):
    answer = "42.75 zebras"
    said = {**loaded, "Final answer" if "task_id" in loaded else "answer": answer}
    (task,) = load_tasks(written(said))
    given = [task.question, *task.texts.values(), *(file.read_text() for file in task.files)]
    assert not any("zebras" in text or "Count" in text for text in given)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["{"], "line 1 is no JSON"),
        ([OWN, "", "nope"], "line 3 is no JSON"),
        ([OWN, "[1]"], r"line 2 is \[1\]; a task is a JSON object"),
        ([OWN, OWN], "line 2: the id 'sum' is that of line 1; rename one"),
        ([OWN, {**OWN, "id": "b", "check": {"check": "number"}}], "line 2: check.number.value"),
        ([{**OWN, "files": ["absent.csv"]}], "line 1: files.0: there is no file .*absent.csv"),
        ([{**OWN, "files": ["/etc/passwd"]}], "line 1: '/etc/passwd' leaves the folder"),
        ([{**OWN, "files": ["../x"]}], "line 1: '../x' leaves the folder"),
        ([{**OWN, "questoin": "?"}], "line 1: questoin: Extra"),
        ([{"id": "x"}], "line 1: question: Field required; check: Field required"),
        ([{**OWN, "files": 3}], "line 1: 'int' object is not iterable"),
        ([GAIA, {"Question": "?"}], "line 2 has no 'Final answer'"),
        ([{**GAIA, "Final answer": "?"}], "line 1: the answer is not told .* validation part"),
        ([{**GAIA, "file_name": "../x"}], "line 1: file_name is '../x'; it is the name"),
        ([{**GAIA, "Level": "hard"}], "line 1: invalid literal"),
        ([HOTPOT, {**HOTPOT, "context": [["a"]]}], "line 2: not enough values"),
        ([HOTPOT, {"_id": "x", "question": "?"}], "line 2 has no 'answer'"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(written, rows, reason):
    with pytest.raises(ConfigurationError, match=f"set.jsonl, {reason}"):
        load_tasks(written(*rows))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff", "it is not UTF-8"),
        (b"[", "is no JSON"),
        (b"[]", "holds no task"),
        (b"[3]", "item 1 is 3"),
    ],
)
def test_a_file_that_is_no_set_is_refused(tmp_path, content, reason):
    path = tmp_path / "set.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=reason):
        load_tasks(path)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"absent\.jsonl: No such file"):
        load_tasks(tmp_path / "absent.jsonl")
