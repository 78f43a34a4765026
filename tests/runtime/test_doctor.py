"""What `cogwork doctor` says of the sandboxes that code would run in."""

import threading

import pytest
from sandboxed import needs_bubblewrap

from cogwork.core.settings import Settings
from cogwork.runtime import doctor
from cogwork.tools.sandbox import Finding
from cogwork.tools.sandbox.result import LANGUAGES

MISSING = Finding("bubblewrap", LANGUAGES, missing="no bwrap here; apt-get install bubblewrap")


def told(*found, **more):
    return {
        each.name: (each.status, each.text) for each in doctor._sandboxes(lambda: found, **more)
    }


@needs_bubblewrap
def test_each_sandbox_of_this_machine_is_tried():
    said = {each.name: each for each in doctor.examine(Settings())}
    assert {"bubblewrap", "sandlock", "pydantic-monty"} <= said.keys()
    assert said["bubblewrap"].status == "ok"
    assert "run_code runs python" in said["bubblewrap"].text


def test_what_is_missing_says_what_to_install_and_that_nothing_is_run():
    said = told(MISSING)
    assert said["bubblewrap"] == ("missing", "no bwrap here; apt-get install bubblewrap")
    assert said["sandbox"] == ("missing", "run_code refuses to run anything here")


def test_one_usable_sandbox_is_enough():
    said = told(MISSING, Finding("pydantic-monty", ("python",)))
    assert said["pydantic-monty"] == ("ok", "a sandbox: run_code runs python")
    assert "sandbox" not in said


def test_a_sandbox_that_lets_programs_out_is_broken():
    status, text = told(Finding("sandlock", LANGUAGES, breaches=("network",)))["sandlock"]
    assert status == "broken"
    assert text == "disabled, it lets programs reach: network"


def test_a_sandbox_that_hangs_holds_nothing_up():
    ended = threading.Event()
    said = doctor._sandboxes(lambda: [MISSING] * ended.wait(60), patience=0.05)
    ended.set()
    assert [(each.name, each.status) for each in said] == [("sandbox", "missing")]
    assert "did not answer within 0.05 seconds" in said[0].text


@pytest.mark.parametrize("extra", ["data", "search", "mcp"])
def test_extras_of_tools_are_named(extra):
    assert any(each.name == extra for each in doctor.examine(Settings()))
