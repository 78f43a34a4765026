"""Settings: the order of the sources, references, and faults that are named all at once."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from cogwork.core.errors import ConfigurationError
from cogwork.core.settings import Settings, load_settings

SECRET = "hunter22-and-more"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cogwork.yaml"


def wrong(path: Path | None = None, **overrides: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, **overrides)
    return str(caught.value)


def test_defaults_need_no_file_and_no_environment():
    assert load_settings().model_dump() == {
        "model": None,
        "base_url": None,
        "api_key": None,
        "temperature": None,
        "timeout": 60,
        "max_retries": 2,
        "fallbacks": (),
        "embeddings": "static",
        "checkpointer": "sqlite:///.cogwork/checkpoints.sqlite",
        "store": ".cogwork/memory",
        "chroma": None,
        "tasks": "sqlite:///.cogwork/tasks.sqlite",
        "root": Path(),
        "corpus": None,
        "max_steps": 10,
        "tool_timeout": 60,
        "policy": {},
        "audit_log": Path(".cogwork/audit.jsonl"),
        "audit_key": None,
        "log": None,
        "log_level": "INFO",
        "serper_api_key": None,
        "tavily_api_key": None,
        "semantic_scholar_api_key": None,
    }


def test_argument_beats_environment_beats_file_beats_default(file, monkeypatch):
    file.write_text("model: file\ntimeout: 1\nmax_steps: 1\n")
    monkeypatch.setenv("COGWORK_MODEL", "environment")
    monkeypatch.setenv("COGWORK_TIMEOUT", "2")

    settings = load_settings(model="argument")

    assert (settings.model, settings.timeout, settings.max_steps) == ("argument", 2, 1)
    assert settings.max_retries == 2


def test_file_is_found_by_argument_then_variable_then_working_folder(file, monkeypatch, tmp_path):
    for name in ("cogwork", "variable", "argument"):
        (tmp_path / f"{name}.yaml").write_text(f"model: {name}")

    assert load_settings().model == "cogwork"
    monkeypatch.setenv("COGWORK_CONFIG", str(tmp_path / "variable.yaml"))
    assert load_settings().model == "variable"
    assert load_settings(tmp_path / "argument.yaml").model == "argument"


def test_own_key_beats_the_file_beats_the_general_key(file, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "general")
    assert load_settings().api_key == SecretStr("general")
    file.write_text("api_key: from-file")
    assert load_settings().api_key == SecretStr("from-file")
    monkeypatch.setenv("COGWORK_API_KEY", "own")
    assert load_settings().api_key == SecretStr("own")


@pytest.mark.parametrize("service", ["serper", "tavily", "semantic_scholar"])
def test_keys_of_searches_have_their_usual_variables_too(service, file, monkeypatch):
    name = f"{service}_api_key"
    assert getattr(load_settings(), name) is None
    monkeypatch.setenv(name.upper(), SECRET)
    assert getattr(load_settings(), name) == SecretStr(SECRET)
    assert SECRET not in repr(load_settings())
    file.write_text(f"{name}: from-file")
    assert getattr(load_settings(), name) == SecretStr("from-file")
    assert SECRET not in wrong(**{name: [SECRET]})


def test_every_setting_can_come_from_the_environment(monkeypatch):
    given = {
        "MODEL": "openai:x",
        "BASE_URL": "http://localhost:1/v1",
        "API_KEY": "k",
        "TEMPERATURE": "0.5",
        "TIMEOUT": "1.5",
        "MAX_RETRIES": "0",
        "FALLBACKS": "openai:y, ollama:z",
        "EMBEDDINGS": "e",
        "CHECKPOINTER": "memory://",
        "STORE": "memories",
        "CHROMA": "http://localhost:8000",
        "TASKS": "sqlite:///t.sqlite",
        "ROOT": "/data",
        "CORPUS": "/documents",
        "MAX_STEPS": "3",
        "TOOL_TIMEOUT": "9",
        "POLICY": '{"default": "deny"}',
        "AUDIT_LOG": "audit.jsonl",
        "AUDIT_KEY": "secret",
        "LOG": "json",
        "LOG_LEVEL": "DEBUG",
        "SERPER_API_KEY": "s",
        "TAVILY_API_KEY": "t",
        "SEMANTIC_SCHOLAR_API_KEY": "p",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"COGWORK_{name}", value)

    settings = load_settings()

    assert {name.upper() for name in Settings.model_fields} == set(given)
    assert settings.fallbacks == ("openai:y", "ollama:z")
    assert (settings.temperature, settings.timeout, settings.root) == (0.5, 1.5, Path("/data"))
    assert settings != Settings.model_construct()


def test_foreign_and_empty_variables_are_left_alone(monkeypatch):
    monkeypatch.setenv("COGWORK_SOMETHING_ELSE", "1")
    monkeypatch.setenv("COGWORK_FALLBACKS__0", "x")
    monkeypatch.setenv("COGWORK_MAX_STEPS", "")
    monkeypatch.setenv("OPENAI_API_KEY", "")

    assert load_settings() == Settings.model_construct(api_key=None)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\ufeff# with a byte order mark\n"])
def test_empty_file_is_fine(file, text):
    file.write_text(text)

    assert load_settings(file) == load_settings()


def test_references_are_replaced_in_texts_and_lists(file, monkeypatch):
    monkeypatch.setenv("NAME", "big")
    monkeypatch.setenv("EMPTY", "")
    file.write_text(
        "model: openai:${NAME}-${ABSENT:-one}${EMPTY:-!}${EMPTY}\n"
        "timeout: ${SECONDS_TO_WAIT:-7}\n"
        "embeddings: $${NAME} $5 $NAME\n"
        "fallbacks: [a, '${NAME}']\n"
    )

    settings = load_settings()

    assert settings.model == "openai:big-one!"
    assert settings.timeout == 7
    assert settings.embeddings == "${NAME} $5 $NAME"
    assert settings.fallbacks == ("a", "big")


def test_missing_variable_is_named_with_key_file_and_line(file):
    file.write_text("timeout: 5\nmodel: openai:${NO_SUCH_NAME}\n")

    message = wrong()

    for part in ("'NO_SUCH_NAME'", "model", "cogwork.yaml, line 2", "${NO_SUCH_NAME:-default}"):
        assert part in message


@pytest.mark.parametrize("text", ["${", "${}", "${1}", "${A:-${B}}", "${A B}", "${A-x}"])
def test_malformed_reference_is_refused(file, text):
    file.write_text(f"model: '{text}'\n")

    assert "model (cogwork.yaml, line 1) holds a '${' that starts no reference" in wrong()


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_known(file):
    file.write_text("# a comment\n\nmodel: x\nmax_step: 5\n")

    assert "'max_step' (cogwork.yaml, line 4) is no setting, did you mean 'max_steps' " in wrong()


def test_what_is_wrong_within_a_value_is_named_with_its_own_line(file):
    file.write_text("fallbacks:\n  - a\n  - 3\n  - ${ABSENT}\n")
    assert "fallbacks.2 (cogwork.yaml, line 4) needs the environment variable 'ABSENT'" in wrong()
    file.write_text("fallbacks:\n  - a\n  - 3\n")
    assert "fallbacks.1 is ['a', 3] (cogwork.yaml, line 3), expected text" in wrong()


def test_references_are_replaced_within_mappings_too(file, monkeypatch):
    monkeypatch.setenv("PARTNER", "example.com")
    rules = "policy:\n  rules:\n    - {then: deny, tool: send, args: {to: '${PARTNER}'}}\n"
    file.write_text(rules)
    assert load_settings().policy["rules"][0]["args"] == {"to": "example.com"}
    monkeypatch.delenv("PARTNER")
    message = wrong()
    assert "policy.rules.0.args.to (cogwork.yaml, line 3) needs the environment" in message
    assert "'PARTNER'" in message


def test_a_key_that_is_given_twice_within_a_value_is_named_with_its_line(file):
    file.write_text("policy:\n  rules:\n    - then: deny\n      then: allow\n")
    assert "'then' in policy.rules.0 is given twice (cogwork.yaml, lines 3 and 4)" in wrong()


def test_aliases_that_multiply_are_read_at_once(file):
    levels = ["a0: &a0 [x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    file.write_text("policy:\n" + "".join(f"  {level}\n" for level in levels))
    assert load_settings().policy["a0"] == ["x", "x"]


def test_all_faults_are_named_at_once_with_their_origin(file, monkeypatch):
    monkeypatch.setenv("COGWORK_MAX_STEPS", "many")
    file.write_text("modle: x\ntimeout: soon\nbase_url: ${ABSENT}\nroot: 5\nfallbacks: [a, 3]\n")

    message = wrong(temperature=9)

    assert message.startswith("7 settings are wrong: ")
    for fault in (
        "'modle' (cogwork.yaml, line 1) is no setting, did you mean 'model'?",
        "timeout is 'soon' (cogwork.yaml, line 2), expected a number",
        "base_url (cogwork.yaml, line 3) needs the environment variable 'ABSENT'",
        "root is 5 (cogwork.yaml, line 4), expected a path",
        "fallbacks.1 is ['a', 3] (cogwork.yaml, line 5), expected text",
        "max_steps is 'many' (environment variable COGWORK_MAX_STEPS), expected a whole number",
        "temperature is 9 (keyword argument), expected less than or equal to 2",
    ):
        assert fault in message


def test_duplicate_key_is_named_with_both_lines(file):
    file.write_text("timeout: 1\nmodel: x\ntimeout: 2\n")

    assert wrong() == "1 setting is wrong: 'timeout' is given twice (cogwork.yaml, lines 1 and 3)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timeout: 0", "greater than 0"),
        ("timeout: .inf", "a finite number"),
        ("timeout:", "a number"),
        ("tool_timeout: [1]", "a number"),
        ("max_steps: 0", "greater than or equal to 1"),
        ("max_steps: 2.5", "a whole number"),
        ("max_steps: yes", "a number"),
        ("timeout: true", "a number"),
        ("max_retries: -1", "greater than or equal to 0"),
        ("model: 5", "text"),
        ("model: {a: 1}", "text"),
        ("base_url: localhost:11434", "a URL that starts with http:// or https://"),
        ("fallbacks: {a: 1}", "a list"),
        ("log: xml", "'json'"),
        ("log_level: loud", "'DEBUG', 'INFO'"),
        ("policy: [1]", "a mapping"),
        ("root: ~no-such-person/x", "a path whose home folder exists"),
        ("model: 2024-13-45", "month must be in 1..12"),
    ],
)
def test_wrong_value_says_what_is_expected(file, text, expected):
    file.write_text(text)

    message = wrong()

    assert text.split(":")[0] in message
    assert "cogwork.yaml, line 1" in message
    assert expected in message


@pytest.mark.parametrize(
    "text", ["!!bool maybe", "!!timestamp soon", "!!int ''", "!!float ''", f"!!int {SECRET}"]
)
def test_a_tag_that_a_value_does_not_fit_is_named(file, text):
    file.write_text(f"timeout: 5\naudit_key: {text}\n")

    message = wrong()

    assert "audit_key (cogwork.yaml, line 2) cannot be read" in message
    assert SECRET not in message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("model: a: b", "line 1, column 9"),
        (f"timeout: 5\nmodel: '{SECRET}", "line 2, column"),
        ("model: *absent", "line 1, column 8"),
        ("model: !!python/object/apply:os.system [id]", "line 1, column 8"),
        ("fallbacks: &loop [*loop]", "line 1, column 12"),
        ("timeout: 5\nmodel: \x07", "line 2, column 8"),
        ("a: 1\n---\nb: 2", "line 2, column 1"),
        ("- model", "line 1"),
        ("just text", "line 1"),
        ("[" * 4000, "nested too deeply"),
    ],
)
def test_malformed_file_is_named_with_the_place(file, text, place):
    file.write_text(text)

    message = wrong()

    assert "cogwork.yaml" in message
    assert place in message
    assert SECRET not in message


def test_absent_file_is_an_error_when_it_was_asked_for(tmp_path, monkeypatch):
    assert f"'{tmp_path / 'x.yaml'}' cannot be read: No such file" in wrong(tmp_path / "x.yaml")
    monkeypatch.setenv("COGWORK_CONFIG", "y.yaml")
    assert "'y.yaml' cannot be read" in wrong()


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"model: \xff")

    assert "binary.yaml' is not UTF-8 text (byte 7)" in wrong(tmp_path / "binary.yaml")
    assert "directory" in wrong(tmp_path)


@pytest.mark.parametrize("key", ["_env_file", "model_config", "model_dump", "1", "true", "[a]: 1"])
def test_no_other_key_reaches_the_machinery(file, key):
    file.write_text(f"? {key}\n: x\n" if key.startswith("[") else f"{key}: x\n")

    assert "is no setting" in wrong()


def test_home_is_expanded_in_the_root(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))

    assert load_settings(root="~/data").root == tmp_path / "data"


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        load_settings().model = "other"


def test_no_secret_is_shown(file, monkeypatch):
    monkeypatch.setenv("COGWORK_API_KEY", SECRET)
    monkeypatch.setenv("MY_PASSWORD", SECRET)
    file.write_text(
        f"checkpointer: postgresql://me:{SECRET}@host/db\nbase_url: https://u:{SECRET}@h\n"
    )

    settings = load_settings()

    assert settings.checkpointer == f"postgresql://me:{SECRET}@host/db"
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()['api_key']}"


def test_no_fault_shows_a_secret(file, monkeypatch):
    monkeypatch.setenv("COGWORK_BASE_URL", f"ftp://me:{SECRET}@host")
    monkeypatch.setenv("MY_PASSWORD", SECRET)
    file.write_text(f"api_key: [{SECRET}]\ntimeout: ${{MY_PASSWORD}}\napikey: {SECRET}\n")

    message = wrong(max_steps=f"sk-{SECRET}")

    assert message.startswith("5 settings are wrong")
    assert SECRET not in message


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(), st.lists
)


@given(st.dictionaries(st.sampled_from([*Settings.model_fields, "other"]), VALUES))
def test_any_arguments_give_settings_or_one_clear_error(overrides):
    try:
        outcome: object = load_settings(**overrides)
    except ConfigurationError as error:
        outcome = str(error)

    assert isinstance(outcome, Settings) or " wrong: " in str(outcome)


def test_module_is_light():
    script = "import sys, cogwork.core.settings; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    roots = {name.split(".")[0] for name in loaded.stdout.split()}
    assert not roots & {"langchain_core", "langgraph", "openai", "httpx", "numpy"}
