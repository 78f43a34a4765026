"""The audit log: everything that was appended is there, and every change shows."""

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.tools.audit import AuditLog, verify_audit_log

KEY = "the key of this test"
WRITER = """
import sys
from cogwork.tools.audit import AuditLog
log = AuditLog(sys.argv[1])
print("ready", flush=True)
for number in range(int(sys.argv[3])):
    log.append({"writer": sys.argv[2], "number": number})
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "audit.jsonl"


def written(path: Path, count: int = 6, key: str | None = KEY) -> list[bytes]:
    log = AuditLog(path, key=key)
    for number in range(count):
        log.append({"event": "call", "number": number})
    return path.read_bytes().splitlines(keepends=True)


def faults(path: Path, **options: object) -> tuple[str, ...]:
    return verify_audit_log(path, key=KEY, **options).faults


def writer(path: Path, name: str, count: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_records_are_there_in_their_order(path: Path):
    lines = [json.loads(line) for line in written(path)]
    assert [line["number"] for line in lines] == list(range(6))
    report = verify_audit_log(path, key=KEY)
    assert (report.entries, report.last, report.faults) == (6, lines[-1]["hash"], ())


def test_only_this_user_can_read_it(path: Path):
    written(path)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("key", [None, KEY])
def test_edit_removal_reorder_and_truncation_are_found(path: Path, key: str | None):
    lines = written(path, key=key)
    changes = {
        "edit": [*lines[:2], lines[2].replace(b'"number": 2', b'"number": 9'), *lines[3:]],
        "removal": [*lines[:2], *lines[3:]],
        "first": lines[1:],
        "reorder": [lines[0], lines[2], lines[1], *lines[3:]],
        "twice": [*lines[:3], lines[2], *lines[3:]],
        "truncation": lines[:-1],
        "half a line": [*lines[:-1], lines[-1][:-9]],
        "all": [],
        "noise": [*lines[:3], b"noise\n", *lines[3:]],
    }
    for name, changed in changes.items():
        path.write_bytes(b"".join(changed))
        assert verify_audit_log(path, key=key).faults, name
    path.write_bytes(b"".join(lines))
    assert not verify_audit_log(path, key=key).faults


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_found(path: Path, data: st.DataObject):
    text = path.read_bytes() if path.exists() else b"".join(written(path))
    place = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[place]))
    path.write_bytes(text[:place] + bytes([byte]) + text[place + 1 :])
    try:
        assert faults(path)
    finally:
        path.write_bytes(text)


@pytest.mark.parametrize(
    "edit",
    [
        (b'"number": 1', b'"number": 7, "number": 1'),  # which a parser reads as it was
        (b'"number": 1', b'"number":  1'),
        (b'"event"', b'"\\u0065vent"'),
        (b'"number": 1', b'"number": ' + b"[" * 100_000),
        (b'"hash": "', b'"hash": "\xc3\xa9'),
    ],
    ids=["a name twice", "white space", "an escape", "too deep", "a hash that is none"],
)
def test_a_record_that_is_written_otherwise_was_changed(path: Path, edit: tuple[bytes, bytes]):
    lines = written(path)
    assert edit[0] in lines[1]
    path.write_bytes(b"".join([lines[0], lines[1].replace(*edit), *lines[2:]]))
    assert any("line 2" in fault for fault in faults(path))


def test_a_head_that_was_deleted_is_not_made_anew(path: Path):
    lines = written(path)
    path.write_bytes(b"".join(lines[:3]))
    path.with_name("audit.jsonl.head").unlink()
    with pytest.raises(ToolError, match=r"has 3 records, but 'audit\.jsonl\.head' is gone"):
        AuditLog(path, key=KEY).append({"event": "call"})
    assert faults(path)


def test_a_first_record_whose_head_a_crash_kept_back_is_kept(path: Path):
    [line] = written(path, 1)
    path.with_name("audit.jsonl.head").unlink()
    AuditLog(path, key=KEY).append({"event": "call"})
    assert path.read_bytes().startswith(line)
    assert not faults(path)


class Mute:
    def __str__(self) -> str:
        raise RuntimeError("says nothing")


def test_whatever_the_arguments_are_the_call_is_noted(path: Path):
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    log = AuditLog(path, key=KEY)
    odd = [
        "\ud800",
        "\ud800" * 3_000,
        {"\udfff": 1},
        deep,
        10**9_999,
        float("nan"),
        Mute(),
        b"\xff",
    ]
    for each in odd:
        log.append({"args": {"odd": each}})
    assert not faults(path)
    noted = [json.loads(line)["args"]["odd"] for line in path.read_text().splitlines()]
    assert noted[0] == r"\ud800"
    assert noted[2] == {r"\udfff": 1}
    assert "nested too deeply" in json.dumps(noted[3])
    assert noted[5:7] == ["nan", "<Mute>"]


def test_forger_without_the_key_is_found(path: Path, tmp_path: Path):
    lines = written(path)
    for count in (3, 6, 7):
        forged = tmp_path / "forged.jsonl"
        written(forged, count, key="a guess")
        path.write_bytes(forged.read_bytes())
        path.with_name("audit.jsonl.head").write_bytes(
            forged.with_name("forged.jsonl.head").read_bytes()
        )
        assert faults(path)
        forged.unlink()
        forged.with_name("forged.jsonl.head").unlink()
    path.write_bytes(b"".join(lines[:3]))
    path.with_name("audit.jsonl.head").unlink()
    assert faults(path)


def test_older_copy_is_found_by_a_hash_kept_elsewhere(path: Path):
    head = path.with_name("audit.jsonl.head")
    written(path, 3)
    older = path.read_bytes(), head.read_bytes()
    AuditLog(path, key=KEY).append({"event": "late"})
    kept = verify_audit_log(path, key=KEY).last
    path.write_bytes(older[0])
    head.write_bytes(older[1])
    assert faults(path) == ()
    assert faults(path, known=[kept]) == (f"no record has the hash {kept}",)


def test_log_that_was_shortened_takes_no_more(path: Path):
    lines = written(path)
    path.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(ToolError, match="is shorter than it was"):
        AuditLog(path, key=KEY).append({"event": "more"})


def test_secrets_are_redacted_and_long_texts_cut(path: Path):
    secret = "sk-" + "a1b2" * 10
    AuditLog(path).append(
        {"args": {"header": f"Bearer {secret}", secret: [secret]}, "text": "x" * 9_000}
    )
    text = path.read_text()
    assert secret not in text
    assert len(text) < 4_000
    assert "9,000 characters" in text
    AuditLog(path).append({"text": f"{'x ' * 990}{secret}{' x' * 990}"})  # at the cut
    assert "sk-" not in path.read_text()
    assert not verify_audit_log(path).faults


def test_what_is_not_json_is_written_as_text(path: Path):
    AuditLog(path).append({"path": Path("a"), "set": {1}, "nested": (1, None, True, 0.5)})
    entry = json.loads(path.read_text())
    assert (entry["path"], entry["set"], entry["nested"]) == ("a", "{1}", [1, None, True, 0.5])


def test_names_of_the_log_itself_are_refused(path: Path):
    with pytest.raises(ConfigurationError, match="writes hash, seq itself"):
        AuditLog(path).append({"seq": 1, "hash": "x"})
    assert not path.exists()


def test_log_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolError, match="cannot be written"):
        AuditLog(tmp_path / "file" / "audit.jsonl").append({})
    with pytest.raises(ToolError, match="No space left"):
        AuditLog("/dev/full").append({})
    with pytest.raises(ToolError, match="cannot be read: No such file"):
        verify_audit_log(tmp_path / "none.jsonl")


def test_link_is_not_followed(tmp_path: Path):
    (tmp_path / "target").write_text("")
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(ToolError, match="cannot be written"):
        AuditLog(tmp_path / "audit.jsonl").append({})


def test_threads_and_processes_share_it(path: Path):
    log = AuditLog(path)
    processes = [writer(path, f"process {n}", 50) for n in range(2)]
    threads = [
        threading.Thread(target=lambda: [log.append({"writer": "thread"}) for _ in range(50)])
        for _ in range(3)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    report = verify_audit_log(path)
    assert (report.entries, report.faults) == (250, ())


def test_killed_writers_lose_nothing_and_leave_a_whole_log(path: Path):
    chance = random.Random(5)
    for _ in range(8):
        process = writer(path, "killed", 10_000)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.05))
        process.kill()
        acknowledged = process.communicate()[0].split()
        entries = [json.loads(line) for line in path.read_bytes().splitlines()]
        last = [entry["number"] for entry in entries if entry.get("writer") == "killed"]
        assert not acknowledged or last[-1] >= int(acknowledged[-1])
        assert not verify_audit_log(path).faults


def test_torn_write_is_noted_by_the_next(path: Path):
    lines = written(path)
    path.write_bytes(b"".join([*lines, lines[-1][:40]]))
    assert faults(path) == ()
    AuditLog(path, key=KEY).append({"event": "after"})
    assert faults(path) == ()
    events = [
        json.loads(line)["event"] for line in path.read_bytes().splitlines() if b'"hash"' in line
    ]
    assert events[-2:] == ["torn", "after"]
    path.write_bytes(path.read_bytes().replace(lines[-1][:40] + b"\n{", b"something else\n{"))
    assert faults(path)
