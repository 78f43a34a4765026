import os
import random
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.tools.root import MAX_BYTES, MAX_NAMES, Root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A root beside a secret that must not be reached."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "root" / "data").mkdir(parents=True)
    (tmp_path / "root" / "data" / "sales.csv").write_text("a,b")
    return tmp_path / "root"


@pytest.fixture
def root(folder: Path) -> Root:
    return Root(folder)


def inside(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def outside(folder: Path) -> list[str]:
    """Paths that lead to the secret or to where it lies."""
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    (folder / "up").symlink_to(folder.parent)
    (folder / "chain").symlink_to("up")
    (folder / "dangling").symlink_to(folder.parent / "new.txt")
    return [
        "../secret.txt",
        "data/../../secret.txt",
        str(folder.parent / "secret.txt"),
        f"{folder}/../secret.txt",
        f"{folder}-twin/secret.txt",
        "/etc/passwd",
        "link.txt",
        "up/secret.txt",
        "chain/secret.txt",
        "dangling",
        "up/new/new.txt",
    ]


def test_nothing_outside_is_read_written_listed_or_seen(folder: Path, root: Root) -> None:
    for path in outside(folder):
        for use in (root.read, root.exists, root.names, lambda path: root.write(path, b"x")):
            with pytest.raises(ToolError, match="leads outside of the root") as caught:
                use(path)
            assert path in str(caught.value)
            assert str(folder) in str(caught.value)
    assert (folder.parent / "secret.txt").read_text() == "secret"
    assert inside(folder.parent) == ["root", "secret.txt"]


def test_links_and_dots_that_stay_inside_work(folder: Path, root: Root) -> None:
    (folder / "short").symlink_to("data")
    (folder / "newest.csv").symlink_to(folder / "data" / "sales.csv")
    for path in (
        "data/sales.csv",
        "short/sales.csv",
        "newest.csv",
        "data/../data/./sales.csv",
        str(folder / "data" / "sales.csv"),
    ):
        assert root.read(path) == b"a,b"
    root.write("newest.csv", b"c")
    assert (folder / "newest.csv").is_symlink()
    assert root.read("data/sales.csv") == b"c"


def test_root_may_itself_be_reached_by_a_link(folder: Path) -> None:
    (folder.parent / "alias").symlink_to(folder)
    root = Root(folder.parent / "alias")
    assert root.read("data/sales.csv") == b"a,b"
    assert root.read(str(folder.parent / "alias" / "data" / "sales.csv")) == b"a,b"


def test_link_put_in_place_after_the_path_was_checked_leads_nowhere(
    folder: Path, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = os.path.realpath

    def slow_resolve(path: str) -> str:
        resolved = resolve(path)
        (folder / "data").rename(folder / "old")  # what an attacker does in between
        (folder / "data").symlink_to(folder.parent)
        return resolved

    monkeypatch.setattr(os.path, "realpath", slow_resolve)
    with pytest.raises(ToolError, match=r"cannot write 'data/secret\.txt'"):
        root.write("data/secret.txt", b"gone")
    assert (folder.parent / "secret.txt").read_text() == "secret"


def test_pipe_put_in_place_after_a_file_was_checked_does_not_block(
    folder: Path, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.stat

    def slow_stat(*args: Any, **options: Any) -> os.stat_result:
        status = look(*args, **options)
        monkeypatch.undo()
        (folder / "data" / "sales.csv").unlink()
        os.mkfifo(folder / "data" / "sales.csv")
        return status

    monkeypatch.setattr(os, "stat", slow_stat)
    with pytest.raises(ToolError, match="a named pipe, not a file"):
        root.read("data/sales.csv")


@pytest.mark.parametrize("path", ["data", ".", ""])
def test_folder_is_no_file(root: Root, path: str) -> None:
    with pytest.raises(ToolError, match="is a folder"):
        root.read(path)
    with pytest.raises(ToolError, match="is a folder"):
        root.write(path, b"x")


def test_special_files_are_refused_and_do_not_block(folder: Path, root: Root) -> None:
    os.mkfifo(folder / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    os.chdir(folder)  # the path of a socket must be short
    listener.bind("sock")
    listener.close()
    for path, kind in (("pipe", "a named pipe"), ("sock", "a socket")):
        with pytest.raises(ToolError, match=f"'{path}' in the root '{folder}' is {kind}"):
            root.read(path)
        with pytest.raises(ToolError, match=kind):
            root.write(path, b"x")
        assert root.exists(path)
    with pytest.raises(ToolError, match="'null' in the root '/dev' is a device"):
        Root("/dev").read("null")


def test_file_above_the_limit_is_refused_before_it_is_read(folder: Path, root: Root) -> None:
    with (folder / "big").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of nothing
    with pytest.raises(ToolError, match="1,099,511,627,776 bytes or more; the limit is 10,485,760"):
        root.read("big")
    assert MAX_BYTES == 10_485_760
    small = Root(folder, max_bytes=3)
    assert small.read("data/sales.csv") == b"a,b"
    small.write("out", b"123")
    with pytest.raises(ToolError, match=r"'out' .* has 4 bytes or more; the limit is 3"):
        small.write("out", b"1234")
    assert small.read("out") == b"123"


def test_file_that_hides_its_size_is_cut_off_at_the_limit() -> None:
    assert Path("/proc/self/status").stat().st_size == 0
    with pytest.raises(ToolError, match="the limit is 100"):
        Root("/proc/self", max_bytes=100).read("status")


def test_missing_file_is_answered_with_the_nearest_names(root: Root) -> None:
    for path in ("sales.csv", "data/sale.csv", "dat/sales.csv"):
        with pytest.raises(ToolError, match=r"did you mean 'data/sales\.csv'") as caught:
            root.read(path)
        assert f"'{path}' does not exist in the root '{root.folder}'" in str(caught.value)
    with pytest.raises(ToolError, match="did you mean 'data/'"):
        root.names("dta")


def test_missing_file_in_an_empty_root_says_that_it_is_empty(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="the root is empty"):
        Root(tmp_path).read("a")


def test_file_used_as_a_folder_is_said(root: Root) -> None:
    for use in (root.read, root.names, lambda path: root.write(path, b"x")):
        with pytest.raises(ToolError, match="not a directory"):
            use("data/sales.csv/x")
    assert not root.exists("data/sales.csv/x")


@pytest.mark.parametrize("path", ["a\0b", "\ud800", "x" * 300, "loop"])
def test_impossible_path_is_a_clear_error(folder: Path, root: Root, path: str) -> None:
    (folder / "loop").symlink_to("loop")
    for use in (root.read, lambda path: root.write(path, b"x"), root.names):
        with pytest.raises(ToolError):
            use(path)


def test_written_file_appears_whole_with_its_folders(folder: Path, root: Root) -> None:
    root.write("deep/er/out.txt", b"one")
    assert root.read("deep/er/out.txt") == b"one"
    root.write("deep/er/out.txt", b"two")
    assert root.read("deep/er/out.txt") == b"two"
    assert inside(folder / "deep" / "er") == ["out.txt"]


def test_permissions_of_a_replaced_file_are_kept(folder: Path, root: Root) -> None:
    (folder / "run.sh").touch(0o750)
    root.write("run.sh", b"#!/bin/sh")
    assert (folder / "run.sh").stat().st_mode & 0o777 == 0o750


def test_readers_see_the_old_or_the_new_content_and_nothing_between(root: Root) -> None:
    contents = [bytes([letter]) * 200_000 for letter in b"ab"]
    root.write("out", contents[0])

    def write() -> None:
        for turn in range(40):
            root.write("out", contents[turn % 2])

    writers = [Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    seen = {root.read("out")}
    while any(writer.is_alive() for writer in writers):
        seen.add(root.read("out"))
    assert seen <= set(contents)
    assert root.names(pattern=".*") == []


def in_process(script: str) -> str:
    """Run a script of its own process, which may give up rights and limits."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_write_that_runs_out_of_space_leaves_the_old_file_and_no_other(folder: Path) -> None:
    said = in_process(f"""
        import resource
        from cogwork.core.errors import ToolError
        from cogwork.tools.root import Root
        root = Root({str(folder)!r})
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        for path in ("data/sales.csv", "new.txt"):
            try:
                root.write(path, b"x" * 2000)
            except ToolError as error:
                print(error)
    """)
    assert said.count("file too large; nothing was changed") == 2
    assert (folder / "data" / "sales.csv").read_text() == "a,b"
    assert inside(folder) == ["data"]
    assert inside(folder / "data") == ["sales.csv"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("new/", "names a folder"), ("a\nb.txt", "control characters"), ("\x1b[2J", "control")],
)
def test_name_that_no_file_should_have_is_not_written(folder, root, path, reason):
    with pytest.raises(ToolError, match=reason):
        root.write(path, b"x")
    assert inside(folder) == ["data"]


def test_root_with_a_zero_byte_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="zero byte"):
        Root("a\0b")


def test_unwritable_folder_is_a_clear_error() -> None:
    said = in_process("""
        import os, tempfile
        from cogwork.core.errors import ToolError
        from cogwork.tools.root import Root
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o555)
            if os.geteuid() == 0:  # root may write anywhere
                os.seteuid(65534)
            try:
                Root(folder).write("out.txt", b"x")
            except ToolError as error:
                print(error)
            if os.getuid() == 0:
                os.seteuid(0)
    """)
    assert "cannot write 'out.txt' in the root" in said
    assert "permission denied; nothing was changed" in said


def test_listing_is_sorted_relative_to_the_root_and_marks_folders(folder: Path, root: Root) -> None:
    for name in ("b.txt", "a.csv", ".hidden", "data/deep/c.csv", "data/.cache/d.csv"):
        root.write(name, b"")
    (folder / "up").symlink_to(folder.parent)
    assert root.names() == ["a.csv", "b.txt", "data/", "up/"]
    assert root.names("data") == ["data/deep/", "data/sales.csv"]
    assert root.names(pattern="*.csv") == ["a.csv"]
    assert root.names(pattern="**/*.csv") == ["a.csv", "data/deep/c.csv", "data/sales.csv"]
    assert root.names("data", "**") == ["data/deep/", "data/deep/c.csv", "data/sales.csv"]
    assert root.names(pattern=".h*") == [".hidden"]
    assert root.names(pattern="*.parquet") == []


@pytest.mark.parametrize("pattern", ["../*", "data/*", "/etc/*", "**/../*", "", "a/**"])
def test_pattern_with_folders_is_refused(root: Root, pattern: str) -> None:
    with pytest.raises(ToolError, match="give the folder as path"):
        root.names(pattern=pattern)


def test_listing_ends_after_one_name_more_than_is_shown(folder: Path, root: Root) -> None:
    for number in range(MAX_NAMES + 50):
        (folder / "data" / f"{number:05}").touch()
    assert len(root.names("data")) == MAX_NAMES + 1


def test_existence_of_files_and_folders(folder: Path, root: Root) -> None:
    (folder / "broken").symlink_to("nothing")
    seen = [root.exists(path) for path in ("data", "data/sales.csv", ".", "no", "no/no", "broken")]
    assert seen == [True, True, True, False, False, False]


def test_root_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(ConfigurationError, match=f"the root '{path}' is no folder"):
            Root(path)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.sampled_from(["..", ".", "data", "up", "in", "/", "x", "a.txt", "~"]), max_size=6),
    st.binary(max_size=20),
)
def test_no_path_reaches_outside(folder: Path, parts: list[str], content: bytes) -> None:
    if not (folder / "up").is_symlink():
        (folder / "up").symlink_to("..")
        (folder / "in").symlink_to("data/..")
    path = "/".join(parts)
    root = Root(folder)
    try:
        root.write(path, content)
    except ToolError:
        pass
    else:
        assert root.read(path) == content
    assert inside(folder.parent) == ["root", "secret.txt"]
    assert (folder.parent / "secret.txt").read_text() == "secret"


@pytest.mark.parametrize(
    "path",
    [
        ".cogwork/checkpoints.sqlite",
        ".env",
        ".env.local",
        "sub/.ENV",
        "cogwork.yaml",
        ".git/config",
    ],
)
def test_keys_settings_and_own_data_stay_closed(tmp_path: Path, path: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text("key")
    (tmp_path / "link").symlink_to(tmp_path / path)
    root = Root(tmp_path)
    for name in (path, "link"):
        with pytest.raises(ToolError, match="closed to tools"):
            root.read(name)
        with pytest.raises(ToolError, match="closed to tools"):
            root.write(name, b"x")
    assert Root(tmp_path, closed=()).read(path) == b"key"


# ---- deleting, other names, races ---------------------------------------------------------------


def test_files_and_empty_folders_are_deleted(folder: Path, root: Root) -> None:
    root.write("out/a.txt", b"a")
    with pytest.raises(ToolError, match=r"cannot delete 'out'.*not empty"):
        root.delete("out")
    root.delete("out/a.txt")
    root.delete("out")
    assert not (folder / "out").exists()
    with pytest.raises(ToolError, match="'out' does not exist"):
        root.delete("out")


def test_nothing_else_is_deleted(folder: Path, root: Root) -> None:
    outside = folder.parent / "kept.txt"
    outside.write_text("kept")
    (folder / "link").symlink_to(outside)
    os.mkfifo(folder / "pipe")
    for path in ("link", "../kept.txt", str(outside), ".", "", ".env", "pipe"):
        with pytest.raises(ToolError):
            root.delete(path)
    assert outside.exists()
    assert (folder / "pipe").exists()


def test_file_with_a_name_outside_is_not_read(folder: Path, root: Root) -> None:
    secret = folder.parent / "secret.txt"
    secret.write_text("secret")
    os.link(secret, folder / "a.txt")
    with pytest.raises(ToolError, match="has another name outside of it"):
        root.read("a.txt")
    root.write("a.txt", b"new")
    assert secret.read_text() == "secret"
    assert root.read("a.txt") == b"new"


def test_file_with_two_names_inside_is_read(folder: Path, root: Root) -> None:
    root.write("a.txt", b"same")
    (folder / "deep").mkdir()
    os.link(folder / "a.txt", folder / "deep" / "b.txt")
    assert root.read("a.txt") == root.read("deep/b.txt") == b"same"


SWAPPER = """
import os, sys
root, outside = sys.argv[1:]
names = [(f"{root}/dir", f"{root}/aside", outside), (f"{root}/file", f"{root}/beside", outside + "/file")]
print("ready", flush=True)
while True:
    for name, aside, target in names:
        try:
            os.rename(name, aside)
            os.symlink(target, name)
            os.unlink(name)
            os.rename(aside, name)
        except OSError:
            if not os.path.lexists(name) and os.path.lexists(aside):
                os.rename(aside, name)
"""


@pytest.mark.parametrize("times", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_swapped_links_lead_nowhere(tmp_path: Path, times: int) -> None:
    inside, outside = tmp_path / "root", tmp_path / "outside"
    (inside / "dir").mkdir(parents=True)
    outside.mkdir()
    for folder in (inside, inside / "dir"):
        (folder / "file").write_bytes(b"inside")
    (outside / "file").write_bytes(b"secret")
    root = Root(inside)
    operations = [
        lambda: root.read("dir/file"),
        lambda: root.read("file"),
        lambda: root.write("dir/new", b"new"),
        lambda: root.write("file", b"inside"),
        lambda: root.names("dir", "**/*"),
        lambda: root.exists("dir/hidden"),
        lambda: root.delete("dir/new"),
        lambda: root.delete("dir/hidden"),
    ]
    (outside / "hidden").write_bytes(b"secret")
    with subprocess.Popen(
        [sys.executable, "-c", SWAPPER, str(inside), str(outside)], stdout=subprocess.PIPE
    ) as swapper:
        assert swapper.stdout is not None
        swapper.stdout.readline()
        found: list[Any] = []
        try:
            for number in range(times):
                with suppress(ToolError):
                    found.append(operations[number % len(operations)]())
        finally:
            swapper.kill()
    assert len(found) > times / 20
    assert b"secret" not in found
    assert True not in found
    assert not [each for each in found if isinstance(each, list) and "dir/hidden" in each]
    assert sorted(each.name for each in outside.iterdir()) == ["file", "hidden"]
    assert {each.read_bytes() for each in outside.iterdir()} == {b"secret"}


WRITER = """
import sys
from cogwork.tools.root import Root
root = Root(sys.argv[1])
print("ready", flush=True)
while True:
    for letter in b"ab":
        root.write("file", bytes([letter]) * 300_000)
"""


def test_writes_that_are_killed_tear_nothing(tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(10):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(chance.uniform(0.005, 0.03))
            writer.kill()
        content = (tmp_path / "file").read_bytes()
        assert content in (b"a" * 300_000, b"b" * 300_000)
