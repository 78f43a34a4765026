"""Settings: one frozen object, and the only place that reads the environment.

Strongest first: keyword arguments, environment variables (`COGWORK_MODEL`, …), one
YAML file, defaults. Strings in the file may refer to the environment:

    model: openai:${MODEL:-gpt-5-mini}  # the default is for unset or empty
    api_key: ${COMPANY_KEY}             # unset is an error; $${ is a literal ${
    fallbacks: [ollama:qwen3]

What is wrong in the file is named by key and line.
"""

import os
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict

from cogwork.core.errors import ConfigurationError, redact
from cogwork.core.registry import nearest
from cogwork.core.settings_file import expand_home, read_settings_file

__all__ = ["Settings", "load_settings"]

_PREFIX = "COGWORK_"
_EXPECTED = {  # pydantic's kinds of fault, in plain words
    "dict_type": "a mapping of keys to values",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "path_type": "a path",
    "string_pattern_mismatch": "a URL that starts with http:// or https://",
    "string_type": "text",
    "tuple_type": "a list",
}
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _key(variable: str) -> SecretStr | None:
    key = os.environ.get(variable)
    return SecretStr(key) if key else None


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):  # YAML's `yes`; pydantic would take it for 1
        raise ValueError("a number")  # noqa: TRY004 - pydantic turns only this into a fault
    return value


_Number = BeforeValidator(_no_truth)
Seconds = Annotated[float, _Number, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """What a run of cogwork is configured with. Create it by `load_settings`.

    Attributes:
        model: `"provider:name"`; None chooses OpenAI's when there is a key, else the offline
            model.
        base_url: Where an OpenAI-compatible server answers.
        api_key: Falls back to `OPENAI_API_KEY` when nothing else gives one.
        temperature: 0 to 2; None leaves it to the provider.
        timeout: Seconds that one model call may take.
        max_retries: Further tries of a model call that failed transiently.
        fallbacks: Models to try, in order, when `model` fails. In an environment
            variable they are separated by commas.
        embeddings: Name for `cogwork.core.embeddings.create_embeddings`.
        checkpointer: URL for `cogwork.memory.create_checkpointer`; a relative path
            starts at the working folder.
        store: Folder of the memories, or a URL for `cogwork.memory.ChromaStore`; a relative
            path starts at the working folder.
        chroma: URL of a Chroma server for the memories, `http://host:port`; in their folder, or
            none with PostgreSQL, unless given.
        tasks: Where `cogwork tasks` keeps its tasks, a URL for `cogwork.runtime.tasks.Runner`.
        root: The folder that file tools may touch.
        corpus: The folder of documents that graphs with a `corpus` search.
        max_steps: Turns of an agent before it must answer from what it found.
        tool_timeout: Seconds that one tool call may take.
        policy: Rules for calls of tools, as `cogwork.tools.policy.load_policy` reads them. In
            an environment variable they are JSON.
        audit_log: The file in which runs of the command line and the server note their calls.
        audit_key: Makes the log's hashes unforgeable (see `cogwork.tools.audit`).
        log: "json" writes logs as JSON to standard error (see `cogwork.core.logs`).
        log_level: From which level on.
        serper_api_key: For `cogwork.tools.search`; falls back to `SERPER_API_KEY`.
        tavily_api_key: Falls back to `TAVILY_API_KEY`.
        semantic_scholar_api_key: Falls back to `SEMANTIC_SCHOLAR_API_KEY`.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    model: str | None = None
    base_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    api_key: SecretStr | None = Field(default_factory=partial(_key, "OPENAI_API_KEY"))
    temperature: Annotated[float, _Number, Field(ge=0, le=2)] | None = None
    timeout: Seconds = 60
    max_retries: Annotated[int, _Number, Field(ge=0)] = 2
    fallbacks: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    embeddings: str = "static"
    checkpointer: str = "sqlite:///.cogwork/checkpoints.sqlite"
    store: str = ".cogwork/memory"
    chroma: Annotated[str, Field(pattern=r"^https?://")] | None = None
    tasks: str = "sqlite:///.cogwork/tasks.sqlite"
    root: Annotated[Path, AfterValidator(expand_home)] = Path()
    corpus: Annotated[Path, AfterValidator(expand_home)] | None = None
    max_steps: Annotated[int, _Number, Field(ge=1)] = 10
    tool_timeout: Seconds = 60
    policy: dict[str, Any] = {}
    audit_log: Annotated[Path, AfterValidator(expand_home)] = Path(".cogwork/audit.jsonl")
    audit_key: SecretStr | None = None
    log: Literal["json"] | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    serper_api_key: SecretStr | None = Field(default_factory=partial(_key, "SERPER_API_KEY"))
    tavily_api_key: SecretStr | None = Field(default_factory=partial(_key, "TAVILY_API_KEY"))
    semantic_scholar_api_key: SecretStr | None = Field(
        default_factory=partial(_key, "SEMANTIC_SCHOLAR_API_KEY")
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """URLs may hold passwords, so every text is redacted before it is shown."""
        for name, value in super().__repr_args__():
            yield name, redact(value) if isinstance(value, str) else value


def load_settings(path: str | Path | None = None, **overrides: Any) -> Settings:
    """Read the settings from all their sources.

    Args:
        path: A YAML file; else `COGWORK_CONFIG` names it; else `cogwork.yaml` in the
            working folder is read if it is there.
        overrides: Single settings, stronger than any other source.

    Raises:
        ConfigurationError: The file is absent, unreadable or malformed; or settings are
            unknown, of the wrong type, or refer to variables that are not set. All
            faults of the last kind are named at once.
    """
    file = read_settings_file(path)
    environment = EnvSettingsSource(Settings)()
    given = {**file.values, **environment, **overrides}
    shown = {**file.raw, **environment, **overrides}

    def origin(*path: str | int) -> str:
        if path[0] in overrides:
            return "keyword argument"
        if path[0] in environment:
            return f"environment variable {_PREFIX}{str(path[0]).upper()}"
        return f"{file.name}, line {file.line(*path)}"

    faults = [*file.faults, *_unknown(given, origin)]
    try:
        settings = Settings(**{key: given[key] for key in given if key in Settings.model_fields})
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        faults += [_fault(detail, shown, origin) for detail in details]
    if faults:
        count = "1 setting is" if len(faults) == 1 else f"{len(faults)} settings are"
        raise ConfigurationError(f"{count} wrong: " + "; ".join(faults), details={"faults": faults})
    return settings


def _unknown(given: Iterable[str], origin: Callable[..., str]) -> Iterator[str]:
    known = list(Settings.model_fields)
    for key in given:
        if key not in known:
            yield f"'{key}' ({origin(key)}) is no setting, {nearest(key, known)}"


def _fault(detail: ErrorDetails, shown: Mapping[str, Any], origin: Callable[..., str]) -> str:
    key = str(detail["loc"][0])
    message = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    expected = _EXPECTED.get(detail["type"], message)
    # reprlib looks only so far into a value, which YAML's aliases can make astronomic.
    value = "***" if key.endswith("_key") else redact(_SHORT.repr(shown[key]))
    path = ".".join(str(part) for part in detail["loc"])
    return f"{path} is {value} ({origin(*detail['loc'])}), expected {expected}"
