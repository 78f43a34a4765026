"""One hierarchy, as drawn, and messages without secrets."""

import copy
import inspect
import pickle
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cogwork.core import errors
from cogwork.core.errors import CogworkError, ConfigurationError, UnknownNameError, redact

KEY = "s3cr3tVALUE"


def drawn_hierarchy() -> dict[str, str]:
    """Child → parent, as the module's docstring draws it."""
    parents: dict[str, str] = {}
    above: dict[int, str] = {}
    for line in inspect.getdoc(errors).splitlines():
        name = line.lstrip(" │├└─").split(" ")[0]
        if name.endswith("Error") and line.startswith("    "):
            depth = (len(line) - len(line.lstrip(" │├└─"))) // 4
            above[depth] = name
            parents[name] = above.get(depth - 1, "Exception")
    return parents


def test_docstring_draws_the_hierarchy_as_it_is():
    real = {
        name: kind.__mro__[1].__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    }

    assert drawn_hierarchy() == real
    assert set(real) <= set(errors.__all__)


@pytest.mark.parametrize(
    "text",
    [
        f"api_key={KEY}",
        f"OPENAI_API_KEY={KEY} was refused",
        f"AWS_SECRET_ACCESS_KEY: {KEY}",
        f"{{'api_key': '{KEY}', 'model': 'm'}}",
        f'{{"client_secret": "{KEY}"}}',
        f"[(b'x-api-key', b'{KEY}')]",
        f"Authorization: Bearer {KEY}",
        f"Authorization: Basic {KEY}==",
        f'"authorization": "Bearer {KEY}"',
        f"sent Bearer {KEY}",
        f"Set-Cookie: {KEY}",
        f"https://host/path?access_token={KEY}&page=2",
        f"postgresql://user:{KEY}@host/db",
        f"postgresql://user:p@{KEY}@host/db",
        f"redis://:{KEY}@host:6379/0",
        f"password = {KEY}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{KEY}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{KEY}",
        f"key sk-{KEY}",
        f"key sk-proj-{KEY}",
        f"key sk_live_{KEY}",
        f"key ghp_{KEY}{KEY}",
        f"key github_pat_{KEY}{KEY}",
        f"key xoxb-{KEY}",
        f"key hf_{KEY}{KEY}",
        f"key AIza{KEY}{KEY}{KEY}",
        f"key eyJhbGciOiJIUzI1NiJ9.{KEY}.{KEY}",
    ],
)
def test_safe_message_shows_no_secret(text):
    error = CogworkError(f"the call failed ({text}) today")

    assert KEY not in error.safe_message()
    assert "***" in error.safe_message()
    assert error.safe_message().startswith("the call failed (")


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens=4096 is above the limit of 2048",
        "the file 'notes/token.txt' does not exist",
        "https://api.example.com:8080/v1/models answered 404",
        "12:30 user@example.com wrote",
        "set OPENAI_API_KEY, or choose another model",
        "unknown tool 'task-runner'; did you mean 'risk-runner'?",
    ],
)
def test_safe_message_keeps_what_is_no_secret(text):
    assert CogworkError(text).safe_message() == text


def test_safe_message_is_one_paragraph_without_details():
    error = ConfigurationError("first\n  second", details={"answer": KEY})

    assert error.safe_message() == "first second"
    assert error.details == {"answer": KEY}


ENDLESS = """
from cogwork.core.errors import redact
for text in ("a-" * 200_000, "sk-" * 50_000, "=x" * 100_000, "token " * 50_000, "a://u:" * 50_000):
    redact(text)
assert redact("a-" * 100_000 + "password=tea4two").endswith("-password=***")
"""


def test_a_long_text_is_redacted_in_linear_time():
    """All of it takes half a second; in quadratic time the first text alone takes minutes."""
    subprocess.run([sys.executable, "-c", ENDLESS], check=True, timeout=60)


PIECES = ["api_key", "=", ": ", " ", "'", "Bearer ", "sk-", KEY, "x://", ":", "@", "/", "\n", "é"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
@example("api_key=Bearer api_key")
def test_redacting_twice_changes_nothing(text):
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize("remake", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_error_survives_a_process_boundary(remake):
    error = remake(UnknownNameError("no tool", details={"name": "x"}, transient=True))

    assert isinstance(error, UnknownNameError)
    assert (str(error), error.details, error.transient) == ("no tool", {"name": "x"}, True)


def test_unknown_name_is_also_a_key_error_with_a_readable_message():
    assert isinstance(UnknownNameError("no tool is called 'x'"), KeyError)
    assert str(UnknownNameError("no tool is called 'x'")) == "no tool is called 'x'"
