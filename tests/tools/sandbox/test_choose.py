"""Which sandbox runs a program; and that none does when no sandbox can be trusted."""

from pathlib import Path
from typing import Any

import pytest
from sandboxed import PRESENT, needs_bubblewrap

from cogwork.tools.sandbox import probes
from cogwork.tools.sandbox.bubblewrap import Bubblewrap
from cogwork.tools.sandbox.choose import choose
from cogwork.tools.sandbox.host import UnsafeHost
from cogwork.tools.sandbox.probes import Finding, examine, probe_sandbox
from cogwork.tools.sandbox.result import LANGUAGES, SandboxError

LANDLOCK = 444  # landlock_create_ruleset, on every processor
HELLO = {"python": "print('hello')", "javascript": "console.log('hello')", "bash": "echo hello"}
HELLO = {language: code for language, code in HELLO.items() if language in PRESENT}


@needs_bubblewrap
def test_bubblewrap_is_found_sound_and_chosen_for_every_language() -> None:
    found = probe_sandbox()
    assert [finding.backend for finding in found] == ["bubblewrap", "sandlock", "pydantic-monty"]
    assert found[0] == Finding("bubblewrap", LANGUAGES)
    assert [choose(language) for language in LANGUAGES] == [Bubblewrap()] * 3


def test_backends_are_examined_once() -> None:
    assert probe_sandbox()[0] is probe_sandbox()[0]


def test_a_backend_that_holds_nothing_is_found_out() -> None:
    found = examine(UnsafeHost())
    assert not found.usable
    assert set(found.breaches) >= {"network", "reading outside", "writing outside"}
    assert "socket file of the host" in found.reason()


@needs_bubblewrap
def test_a_variable_of_the_host_counts_as_a_breach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_SHELL_SETS", probes._SHELL_SETS - {"PWD"})  # as if it were one
    assert examine(Bubblewrap()).breaches == ("the variable PWD",)


def test_code_is_refused_when_no_sandbox_can_be_trusted() -> None:
    found = (
        Finding("bubblewrap", LANGUAGES, breaches=("network",)),
        Finding("sandlock", LANGUAGES, missing="not installed"),
        Finding("pydantic-monty", ("python",)),
    )
    with pytest.raises(SandboxError) as refused:
        choose("bash", probe=lambda: found)
    said = str(refused.value)
    assert "bash code is not run" in said
    assert "bubblewrap: disabled, it lets programs reach: network" in said
    assert "sandlock: not installed" in said
    assert "unsafe_host=True" in said
    assert choose("python", probe=lambda: found).name == "pydantic-monty"


def test_the_host_itself_is_chosen_only_when_asked_for() -> None:
    assert choose("bash", unsafe_host=True) == UnsafeHost()


def test_bubblewrap_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bash").symlink_to("/bin/bash")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install bubblewrap" in str(Bubblewrap().missing())


def test_without_namespaces_the_next_backend_runs_the_code(host: Any) -> None:
    tasks = [host.task(language, code, backend="best") for language, code in HELLO.items()]
    results = host.perform(*tasks, refused=[])
    if host.user is not None:  # its Python may be closed to it, and so sandlock
        assert results[0]["backend"] in {"sandlock", "pydantic-monty"}
        assert results[0]["stdout"] == "hello\n"
        return
    assert [(result["backend"], result["stdout"]) for result in results] == [
        ("sandlock", "hello\n")
    ] * len(PRESENT)


def test_without_any_sandbox_only_python_runs_and_nothing_on_the_host(host: Any) -> None:
    proof = Path(host.folder()) / "ran-on-the-host"
    tasks = [
        host.task(language, f"{code}\n", backend="best") for language, code in HELLO.items()
    ] + [host.task("bash", f"touch {proof}", backend="best")]
    python, *others = host.perform(*tasks, refused=[LANDLOCK])
    assert (python["backend"], python["stdout"]) == ("pydantic-monty", "hello\n")
    for refused in others:
        assert "is not run: this machine has no sandbox for it" in refused["error"]
        assert "bubblewrap: does not work here" in refused["error"]
    assert not proof.exists()


@needs_bubblewrap
def test_the_start_of_a_sandbox_leaves_no_descriptor_open() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    examine(Bubblewrap())
    assert set(Path("/proc/self/fd").iterdir()) == before
