import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError
from sandboxed import PRESENT, needs_bubblewrap

from cogwork.core.errors import ConfigurationError
from cogwork.tools.base import spec_of
from cogwork.tools.code import make_run_code
from cogwork.tools.registry import load_tools
from cogwork.tools.sandbox.limits import Limits

pytestmark = needs_bubblewrap


def test_a_program_is_run_and_its_output_returned() -> None:
    run = make_run_code()
    assert run.invoke({"language": "python", "code": "print(6 * 7)"}) == "exit code: 0\nstdout:\n42"
    said = run.invoke({"language": "bash", "code": "rev", "stdin": "stressed"})
    assert said == "exit code: 0\nstdout:\ndesserts"


@pytest.mark.skipif("javascript" not in PRESENT, reason="node is not installed")
def test_javascript_is_run_as_script_or_module(tmp_path: Path) -> None:
    run = make_run_code(tmp_path)
    said = run.invoke({"language": "javascript", "code": "console.error('a'); process.exit(3)"})
    assert said == "exit code: 3\nstderr:\na"
    (tmp_path / "own.js").write_text("exports.answer = 42")
    said = run.invoke({"language": "javascript", "code": "console.log(require('./own').answer)"})
    assert said == "exit code: 0\nstdout:\n42"
    code = "import fs from 'fs';\nconsole.log(await fs.readFileSync('own.js').length)"
    assert run.invoke({"language": "javascript", "code": code}) == "exit code: 0\nstdout:\n19"


async def test_it_runs_beside_an_event_loop() -> None:
    run = make_run_code()
    said = await run.ainvoke({"language": "bash", "code": "echo hello"})
    assert said == "exit code: 0\nstdout:\nhello"


def test_files_stay_from_call_to_call_and_are_listed(tmp_path: Path) -> None:
    (tmp_path / "given.txt").write_text("given")
    run = make_run_code(tmp_path)
    first = run.invoke(
        {"language": "python", "code": "import os; os.mkdir('d'); open('d/\\n', 'w').write('abc')"}
    )
    assert first == "exit code: 0\nfiles: 'd/\\n' (3 bytes)"
    second = run.invoke({"language": "bash", "code": "cat given.txt d/*; echo more >> given.txt"})
    assert second == "exit code: 0\nstdout:\ngivenabc\nfiles: 'given.txt' (10 bytes)"
    assert {path.name for path in tmp_path.iterdir()} == {"d", "given.txt"}


def test_modules_of_the_work_folder_can_be_imported(tmp_path: Path) -> None:
    run = make_run_code(tmp_path)
    (tmp_path / "own.py").write_text("answer = 42")
    said = run.invoke({"language": "python", "code": "import own; print(own.answer)"})
    assert said == "exit code: 0\nstdout:\n42"


def test_errors_show_where_they_arose() -> None:
    said = make_run_code().invoke({"language": "python", "code": "a = 1\nraise ValueError('no')"})
    assert said.startswith("exit code: 1\nstderr:\nTraceback")
    assert 'File "program.py", line 2' in said
    assert said.endswith("ValueError: no")


def test_a_limit_is_named_with_its_value() -> None:
    run = make_run_code(limits=Limits(output_bytes=2000))
    said = run.invoke({"language": "bash", "code": "yes"})
    assert said.startswith("exit code: 137\nstopped at a limit: output_bytes=2,000\nstdout:\ny\ny")
    assert len(said) < 2100


def test_the_tool_says_what_it_does() -> None:
    spec = spec_of(make_run_code())
    assert (spec.effect, spec.idempotent, spec.network, spec.retry) == ("write", False, False, None)
    assert spec.timeout is not None
    unsafe = spec_of(make_run_code(unsafe_host=True))
    assert (unsafe.effect, unsafe.network) == ("external", True)


def test_unsafe_host_runs_on_the_host(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "work").mkdir()
    run = make_run_code(tmp_path / "work", unsafe_host=True)
    said = run.invoke({"language": "bash", "code": f"echo reached > {outside}; pwd"})
    assert said == f"exit code: 0\nstdout:\n{tmp_path / 'work'}"
    assert outside.read_text() == "reached\n"


def test_programs_of_one_folder_can_run_at_once(tmp_path: Path) -> None:
    run = make_run_code(tmp_path)
    meet = "touch {0}; until [ -e {1} ]; do sleep 0.01; done"
    with ThreadPoolExecutor(2) as pool:
        said = list(
            pool.map(
                lambda names: run.invoke({"language": "bash", "code": meet.format(*names)}),
                (("a", "b"), ("b", "a")),
            )
        )
    assert [each.splitlines()[0] for each in said] == ["exit code: 0"] * 2


def test_its_own_folder_lasts_as_long_as_the_tool_and_ends_with_python() -> None:
    script = """
import gc
from cogwork.tools.base import with_spec
from cogwork.tools.code import make_run_code
run = with_spec(make_run_code(unsafe_host=True), timeout=9)
gc.collect()
print(run.invoke({"language": "bash", "code": "touch a; pwd"}).splitlines()[2])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    folder = Path(done.stdout.strip())
    assert folder.name.startswith("cogwork-code-"), done.stderr
    assert not folder.exists()


@pytest.mark.parametrize("closed", [".env", ".git", "cogwork.yaml"])
def test_a_folder_with_secrets_is_refused(closed: str, tmp_path: Path) -> None:
    (tmp_path / closed).touch()
    with pytest.raises(ConfigurationError, match=f"holds '{closed}'"):
        make_run_code(tmp_path)


def test_a_folder_that_the_host_imports_from_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "src")
    with pytest.raises(ConfigurationError, match="could plant modules"):
        make_run_code(tmp_path)


def test_a_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is no folder; create it"):
        make_run_code(tmp_path / "missing")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValidationError, match="'python', 'javascript' or 'bash'"):
        make_run_code().invoke({"language": "ruby", "code": "puts 1"})


def test_by_name_it_shares_a_folder_with_the_tools_for_files(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEY=1")  # of the root a program sees nothing else
    run, read, write = load_tools(["run_code", "read_file", "write_file"], root=tmp_path)
    assert "'sandbox/'" in run.description
    assert spec_of(run).effect == "write"
    write.invoke({"path": "sandbox/in.txt", "content": "stressed"})
    said = run.invoke({"language": "bash", "code": "rev in.txt >out.txt; ls -a / .. | grep env"})
    assert said == "exit code: 1\nfiles: 'out.txt' (8 bytes)"
    assert read.invoke({"path": "sandbox/out.txt"}).strip() == "desserts"


def test_a_work_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "sandbox").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="sandbox' is a link"):
        load_tools("run_code", root=tmp_path / "root")
    (tmp_path / "elsewhere" / "sandbox").touch()
    with pytest.raises(ConfigurationError, match="cannot be made: File exists"):
        load_tools("run_code", root=tmp_path / "elsewhere")
