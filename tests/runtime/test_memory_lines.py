"""Export and import: what goes out comes back, wrong lines change nothing."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.store.memory import InMemoryStore

from cogwork.core.bridge import run_blocking
from cogwork.core.errors import ConfigurationError
from cogwork.memory.facts import Facts, Memory
from cogwork.memory.sameness import digest
from cogwork.memory.semantic import SemanticMemory
from cogwork.runtime.cli import main
from cogwork.runtime.memory_lines import export_lines, import_lines, parse_lines

NS = ("tests", "ada")
TEXTS = st.text(st.characters(codec=None), min_size=1, max_size=40).filter(str.strip)
SECONDS = st.floats(0, 1e11)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
MEMORIES = st.builds(
    Memory,
    id=st.just(""),
    text=TEXTS,
    metadata=st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    importance=st.floats(0, 1),
    accesses=st.integers(0, 10**6),
    repeats=st.integers(0, 10**6),
    created_at=SECONDS,
    used_at=SECONDS,
    supersedes=st.lists(st.text(max_size=9), max_size=3).map(tuple),
    provenance=st.lists(st.fixed_dictionaries({"text": TEXTS}), max_size=2).map(tuple),
)


def with_ids(memories):
    """The memories as a store would hold them: the id belongs to the text, each once."""
    named = [Memory.from_dict({**each.as_dict(), "id": digest(each.text)}) for each in memories]
    return list({memory.id: memory for memory in named}.values())


def take_over(store, *lines):
    return run_blocking(import_lines, store, NS, parse_lines(lines))


def everything(store):
    return run_blocking(SemanticMemory(store, NS).everything)


@settings(max_examples=60, deadline=None)
@given(st.lists(MEMORIES, max_size=5).map(with_ids))
def test_what_is_exported_comes_back_exactly_however_often(memories):
    store = InMemoryStore()
    lines = export_lines(memories).decode().split("\n")
    first = take_over(store, *lines)
    assert (first.new, first.changed, first.unchanged) == (len(memories), 0, 0)
    assert sorted(everything(store), key=lambda m: m.id) == sorted(memories, key=lambda m: m.id)
    again = take_over(store, *lines)
    assert (again.new, again.changed, again.unchanged) == (0, 0, len(memories))
    assert sorted(export_lines(everything(store)).decode().split("\n")) == sorted(lines)


def test_a_text_alone_is_a_memory_made_now():
    store, before = InMemoryStore(), time.time()
    assert take_over(store, '{"text": "Ada drinks tea"}').new == 1
    (known,) = everything(store)
    assert before <= known.created_at == known.used_at <= time.time()
    assert known.importance == 0.5


def test_what_a_line_does_not_say_stays_as_it_is():
    store = InMemoryStore()
    memory = SemanticMemory(store, NS)
    run_blocking(memory.remember, "Ada drinks tea")
    (known,) = everything(store)
    done = take_over(store, '{"text": "Ada drinks tea", "importance": 0.9}')
    assert (done.new, done.changed) == (0, 1)
    (changed,) = everything(store)
    assert changed.importance == 0.9
    assert changed.created_at == known.created_at


def test_of_two_lines_on_one_text_the_later_holds():
    store = InMemoryStore()
    take_over(store, *(json.dumps({"text": "tea", "accesses": n}) for n in (1, 2)))
    assert [memory.accesses for memory in everything(store)] == [2]


def test_old_facts_that_are_imported_count_and_are_consolidated():
    store = InMemoryStore()
    memory = SemanticMemory(store, NS)
    run_blocking(memory.remember, "Bob lives in Graz")
    run_blocking(memory.consolidate)
    take_over(store, '{"text": "Ada drinks tea", "created_at": 5, "used_at": 9e8}')
    assert run_blocking(Facts(store, NS).note, "count") == 2
    report = run_blocking(memory.consolidate)
    assert report.examined == 2


WRONG = {
    "no JSON": ("{text}", "no JSON"),
    "cut off": ('{"text": "x', "no JSON"),
    "NaN": ('{"text": "x", "metadata": {"n": NaN}}', "NaN"),
    "deep": ('{"text": "x", "metadata": {"n": ' + "[" * 100_000, "no JSON"),
    "a list": ("[1]", "no memory"),
    "no text": ('{"importance": 1}', "no memory"),
    "blank text": ('{"text": " "}', 'text is " "'),
    "unknown": ('{"text": "x", "importnace": 1}', "did you mean 'importance'"),
    "importance": ('{"text": "x", "importance": 2}', "from 0 to 1"),
    "truth": ('{"text": "x", "importance": true}', "from 0 to 1"),
    "infinite": ('{"text": "x", "used_at": 1e999}', "seconds since 1970"),
    "half": ('{"text": "x", "accesses": 0.5}', "whole number"),
    "metadata": ('{"text": "x", "metadata": []}', "an object"),
    "list": ('{"text": "x", "supersedes": [1]}', "a list of ids"),
    "id": ('{"text": "x", "id": "y"}', "leave it out"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_line_is_named_and_nothing_is_imported(case):
    line, expected = WRONG[case]
    store = InMemoryStore()
    with pytest.raises(ConfigurationError, match=r"^line 3: ") as caught:
        take_over(store, '{"text": "fine"}', "", line)
    assert expected in str(caught.value)
    assert everything(store) == []


def run(monkeypatch, capsys, *args):
    monkeypatch.setattr(sys, "argv", ["cogwork", "memory", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def test_a_store_is_carried_over_by_the_command_line(monkeypatch, capsys):
    for text in ("Ada drinks tea", "Zoë wohnt in Köln \u2028 \U0001f600"):
        assert run(monkeypatch, capsys, "add", text)[0] == 0
    code, printed, _ = run(monkeypatch, capsys, "export")
    assert code == 0
    assert run(monkeypatch, capsys, "export", "a.jsonl")[1] == "wrote 2 memories to a.jsonl\n"
    assert Path("a.jsonl").read_text() == printed
    assert "2 new" in run(monkeypatch, capsys, "import", "a.jsonl", "--store", "other")[1]
    assert "2 unchanged" in run(monkeypatch, capsys, "import", "a.jsonl", "--store", "other")[1]
    assert run(monkeypatch, capsys, "export", "--store", "other")[1] == printed
    assert sorted(path.name for path in Path().iterdir()) == [".cogwork", "a.jsonl", "other"]


def test_a_file_that_cannot_be_imported_makes_no_store(monkeypatch, capsys):
    Path("bad.jsonl").write_text('{"text": "fine"}\n{"text": 1}\n')
    code, _, said = run(monkeypatch, capsys, "import", "bad.jsonl")
    assert (code, "line 2: text is 1" in said) == (2, True)
    Path("latin.jsonl").write_bytes('{"text": "Köln"}'.encode("latin-1"))
    assert "line 1 is not UTF-8" in run(monkeypatch, capsys, "import", "latin.jsonl")[2]
    assert not Path(".cogwork").exists()


def test_an_export_that_fails_leaves_the_former_file(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, capsys, "add", "Ada drinks tea")[0] == 0
    Path("folder").mkdir()
    code, _, said = run(monkeypatch, capsys, "export", "folder")
    assert (code, "cannot write to folder" in said) == (2, True)
    assert run(monkeypatch, capsys, "export", "no/such.jsonl")[0] == 2
    link = Path("link.jsonl")
    link.symlink_to("real.jsonl")
    assert run(monkeypatch, capsys, "export", "link.jsonl")[0] == 0
    assert link.is_symlink()
    assert "Ada drinks tea" in Path("real.jsonl").read_text()


@pytest.mark.slow
def test_ctrl_c_imports_all_or_nothing(monkeypatch, capsys):
    lines = [json.dumps({"text": f"crate {n} holds {n * 7} nails"}) for n in range(4_000)]
    Path("big.jsonl").write_text("\n".join(lines))
    cogwork = str(Path(sys.executable).parent / "cogwork")
    running = subprocess.Popen([cogwork, "memory", "import", "big.jsonl"], stderr=subprocess.PIPE)
    while not Path(".cogwork/memory/memory.sqlite3").exists() and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode in {0, 130}
    assert b"Traceback" not in said
    code, out, _ = run(monkeypatch, capsys, "list", "--json", "--limit", "5000")
    assert code in {0, 1}
    assert len(json.loads(out or "[]")) in {0, 4_000}
