"""`cogwork memory` as people meet it: arguments in, words and exit codes out."""

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cogwork.memory.store import ChromaStore
from cogwork.runtime.cli import main

COGWORK = str(Path(sys.executable).parent / "cogwork")
TEA = "Ada drinks green tea"
STORE = Path(".cogwork/memory")


@pytest.fixture
def cogwork(monkeypatch, capsys):
    """Run the command line in this process, as `cogwork memory …` would."""

    def run(*args, stdin=b""):
        monkeypatch.setattr(sys, "argv", ["cogwork", "memory", *map(str, args)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code, out=said.out, err=said.err)

    return run


@pytest.fixture
def told(cogwork):
    """Run a command and return the JSON that it prints."""

    def run(*args, **options):
        ran = cogwork(*args, "--json", **options)
        assert ran.code == 0, ran.err
        return json.loads(ran.out)

    return run


def process(*args, **options):
    return subprocess.run(
        [COGWORK, "memory", *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def texts(memories):
    return [memory["text"] for memory in memories]


def test_a_fact_is_told_as_new_and_then_as_merged(cogwork, told):
    assert cogwork("add", TEA).out.startswith("new ")
    assert cogwork("add", f"{TEA}!").out.startswith("merged ")
    (known,) = told("list")
    assert (known["text"], known["repeats"]) == (TEA, 1)


def test_importance_and_metadata_are_kept_as_json_or_text(told):
    pairs = ("--metadata", "year=2026", "--metadata", "by=Bob", "--metadata", "where=a=b")
    told("add", TEA, "--importance", "0.8", *pairs)
    (known,) = told("list")
    assert known["importance"] == 0.8
    assert known["metadata"] == {"year": 2026, "by": "Bob", "where": "a=b"}


def test_facts_come_a_line_each_from_a_file_and_from_standard_input(told, tmp_path):
    (tmp_path / "facts.txt").write_text("\ufeffOne flew east\r\n\r\nOne flew west\n")
    added = told("add", "-", "--file", "facts.txt", stdin="Ünder the nest\n\n".encode())
    assert texts(added) == ["Ünder the nest", "One flew east", "One flew west"]


def test_a_search_finds_by_meaning_and_by_words_and_counts_no_access(told, cogwork):
    told("add", TEA, "The printer in room 12 needs toner", "Bob lives in Graz")
    assert texts(told("search", "hot beverages to drink", "-k", "1")) == [TEA]
    assert texts(told("search", "room 12", "-k", "1")) == ["The printer in room 12 needs toner"]
    assert {memory["accesses"] for memory in told("list")} == {0}
    shown = cogwork("search", "tea", "-k", "1").out
    assert TEA in shown
    assert told("search", "tea")[0]["id"][:8] in shown


def test_markup_and_control_characters_are_shown_as_text(cogwork):
    odd = "[bold]x[/] [/nope] \x1b[31mred\nnext"
    said = cogwork("add", odd).out + cogwork("list").out
    assert said.count("[bold]x[/] [/nope] \ufffd[31mred next") == 2


def test_a_long_text_is_cut_in_tables_and_whole_in_json(cogwork, told):
    long = "word " * 5_000
    assert len(cogwork("add", long).out) < 400
    assert len(cogwork("list").out) < 3_000
    assert texts(told("list")) == [long.strip()]


def test_a_list_is_sorted_and_says_what_it_leaves_out(cogwork, told):
    told("add", "an apple", "--importance", "0.1")
    told("add", "two pears", "--importance", "0.9")
    told("add", "blue plums")
    assert texts(told("list")) == ["blue plums", "two pears", "an apple"]
    assert texts(told("list", "--sort", "oldest")) == ["an apple", "two pears", "blue plums"]
    assert texts(told("list", "--sort", "importance"))[0] == "two pears"
    assert texts(told("list", "--sort", "text", "--limit", "1")) == ["an apple"]
    assert "2 of 3" in cogwork("list", "--limit", "2").err


def test_users_and_agents_do_not_see_each_other(told, cogwork):
    told("add", TEA, "--user", "ada/../bob")
    told("add", "an agent's own view", "--user", "ada/../bob", "--agent", "Writer")
    assert told("list") == []
    assert told("list", "--user", "ada") == []
    assert texts(told("list", "--user", "ada/../bob")) == [TEA]
    assert texts(told("search", "tea view", "--user", "ada/../bob", "--agent", "Writer")) == [
        "an agent's own view"
    ]
    assert "nothing found for user 'ada'" in cogwork("list", "--user", "ada").err
    held = told("stats")["memories"]
    assert [(each["user"], each["agent"], each["items"]) for each in held] == [
        ("ada/../bob", "Writer", 1),
        ("ada/../bob", None, 1),
    ]


def test_forgetting_takes_the_beginning_of_an_id(told, cogwork):
    added = told("add", TEA, "Bob lives in Graz")
    assert cogwork("forget", added[0]["id"][:6], "--yes").code == 0
    assert texts(told("list")) == ["Bob lives in Graz"]


def test_forgetting_by_words_takes_what_has_all_of_them(told, cogwork):
    told("add", TEA, "Ada drinks coffee", "Tea is grown in Assam")
    assert texts(told("forget", "--query", "drinks TEA", "--yes")) == [TEA]
    assert "nothing was forgotten" in cogwork("forget", "--query", "cocoa").out
    assert len(told("list")) == 2


def test_forgetting_without_a_terminal_wants_yes(told, cogwork):
    told("add", TEA)
    ran = cogwork("forget", "--query", "tea")
    assert ran.code == 3
    assert TEA in ran.err
    assert "--yes" in ran.err
    assert texts(told("list")) == [TEA]


@pytest.mark.parametrize(("answer", "left"), [("y", []), ("n", [TEA])])
def test_forgetting_on_a_terminal_asks(told, answer, left):
    import pty

    told("add", TEA)
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    ran = process("forget", "--query", "tea", stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert ran.returncode == 0, ran.stderr
    assert "for good?" in ran.stderr
    assert texts(told("list")) == left


def test_one_wrong_id_keeps_all(told, cogwork):
    added = told("add", TEA)
    ran = cogwork("forget", added[0]["id"], "zzz", "--yes")
    assert (ran.code, "'zzz': no memory has this id" in ran.err) == (2, True)
    assert texts(told("list")) == [TEA]


def test_stats_tell_kinds_size_embeddings_and_index(told, cogwork):
    told("add", TEA, "Bob lives in Graz", "--user", "ada")
    with ChromaStore(STORE, embeddings=None) as store:
        store.put(("notes", "of a program"), "k", {"text": "x"})
        store.put(("memories", "bob"), "k", {"text": "x"})
    stats = told("stats")
    assert stats["embeddings"].startswith("static")
    assert stats["pending"] == stats["distinct_vectors"] == 2
    assert stats["bytes"] > 10_000
    assert {(each["user"], each["kind"], each["items"]) for each in stats["memories"]} == {
        ("ada", "facts", 2),
        ("", "memories/bob", 1),
        ("", "notes/of a program", 1),
    }
    assert told("stats", "--user", "nobody")["memories"] == []
    shown = cogwork("stats").out
    assert "2 of 2 vectors not in Chroma yet" in shown
    assert "notes/of a program" in shown


def test_consolidation_explains_itself_and_can_be_undone(told, cogwork):
    told("add", TEA, "--importance", "0.1")
    ran = cogwork("consolidate", "--untouched-days", "0")
    assert f"forgot '{TEA}'" in ran.out
    assert told("list") == []
    undo = ran.out.split("cogwork memory ")[1].split()
    assert cogwork(*undo).out == "brought back 1 memory\n"
    assert texts(told("list")) == [TEA]
    assert cogwork(*undo).code == 2


def test_a_consolidation_that_changed_nothing_offers_no_undo(told, cogwork):
    told("add", TEA)
    assert told("consolidate")["undo"] is None
    assert "nothing to merge or forget" in cogwork("consolidate").out


def test_other_embeddings_are_refused_until_everything_is_embedded_again(told, cogwork):
    told("add", TEA)
    with sqlite3.connect(STORE / "memory.sqlite3") as database:
        database.execute("UPDATE facts SET value = 'other:1' WHERE name = 'embeddings'")
    database.close()
    assert cogwork("search", "tea").code == 1
    assert texts(told("list")) == [TEA]
    assert told("reindex", "--embed") == {"vectors": 1}
    assert texts(told("search", "tea")) == [TEA]


def test_a_reindexed_store_has_every_vector_in_chroma(told):
    told("add", TEA, "Bob lives in Graz")
    assert told("reindex") == {"vectors": 2}
    assert told("stats")["pending"] == 0


BAD = {
    "no texts": (["add"], "nothing to remember"),
    "blank text": (["add", " "], "blank"),
    "no file": (["add", "--file", "absent.txt"], "'absent.txt' cannot be read"),
    "no pair": (["add", "x", "--metadata", "kind"], "KEY=VALUE"),
    "no importance": (["add", "x", "--importance", "2"], "--importance"),
    "blank query": (["search", " "], "the query is empty"),
    "no user": (["add", "x", "--user", ""], "user is ''"),
    "what to forget": (["forget"], "by ids or by --query"),
    "no order": (["list", "--sort", "sise"], "--sort"),
    "blank store": (["list", "--store", ""], "store is blank"),
    "no scheme": (["list", "--store", "redis://h"], "redis://h"),
    "no suffix": (["map", "map.pdf"], ".svg"),
    "no settings": (["list", "--config", "absent.yaml"], "absent.yaml"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_usage_is_one_clear_line(cogwork, case):
    args, expected = BAD[case]
    ran = cogwork(*args)
    assert ran.code == 2, ran.out + ran.err
    assert expected in ran.err
    assert not STORE.exists()


def test_a_missing_store_is_named_and_not_made(cogwork):
    for command in ("list", "stats", "reindex", "consolidate", "export"):
        ran = cogwork(command)
        assert (ran.code, "no memory store '.cogwork/memory'" in ran.err) == (1, True)
    Path("other").mkdir()
    assert "holds no memory.sqlite3" in cogwork("list", "--store", "other").err
    assert not STORE.exists()
    assert not list(Path("other").iterdir())


def test_a_damaged_and_a_newer_file_are_named_and_left_alone(told, cogwork):
    told("add", TEA)
    file = STORE / "memory.sqlite3"
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    ran = cogwork("list")
    assert (ran.code, "schema version 99" in ran.err) == (1, True)
    file.write_bytes(b"this is no database" * 100)
    ran = cogwork("list")
    assert (ran.code, "memory.sqlite3" in ran.err) == (1, True)
    assert file.read_bytes() == b"this is no database" * 100


def test_a_store_that_another_process_owns_is_refused_by_its_number(told):
    told("add", TEA)
    with ChromaStore(STORE, embeddings=None):
        ran = process("list")
    assert ran.returncode == 1
    assert f"in use by process {os.getpid()}" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_ctrl_c_keeps_what_was_told_and_no_more(told):
    lines = "\n".join(f"box {number} holds {number * 7} nails" for number in range(5_000))
    Path("facts.txt").write_text(lines)
    running = subprocess.Popen(
        [COGWORK, "memory", "add", "--file", "facts.txt"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    first = [running.stdout.readline() for _ in range(3)]
    running.send_signal(signal.SIGINT)
    rest, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    count = len([line for line in [*first, *rest.splitlines()] if line.startswith("new")])
    assert count < 5_000
    assert len(told("list", "--limit", "5000")) in {count, count + 1}


def test_help_of_every_command_has_an_example(cogwork):
    commands = ("add", "search", "list", "forget", "stats", "consolidate", "undo", "export")
    for command in (*commands, "import", "reindex", "map"):
        assert f"Example: cogwork memory {command}" in cogwork(command, "--help").out
