"""What an instance of a process remembers."""

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired

from typing_extensions import TypedDict

from cogwork.nodes.process.trail import Entry, merge_trail

__all__ = ["BranchOutput", "ProcessInput", "ProcessState", "merge_named"]


def merge_named(left: Mapping[str, Any] | None, right: Mapping[str, Any] | None) -> dict[str, Any]:
    """Add what other steps gave; a step gives something once."""
    return {**(left or {}), **(right or {})}


class ProcessInput(TypedDict):
    """What an instance begins with: `input` as its definition says; `version`, else the newest."""

    input: dict[str, Any]
    version: NotRequired[str]
    definitions: NotRequired[dict[str, str]]


class BranchOutput(TypedDict):
    """What the steps of a branch add."""

    results: Annotated[dict[str, Any], merge_named]
    failed: Annotated[dict[str, str], merge_named]
    trail: Annotated[list[Entry], merge_trail]


class ProcessState(ProcessInput, BranchOutput):
    """What an instance remembers.

    `results` holds what each step gave, by its id; `failed` why steps failed that nothing came
    after; `trail` what happened. `status` is absent while the instance runs, then the id of the
    `end` that it came to, `completed` or `failed`. `process` and `version` say what it is an
    instance of; `definitions` holds the digest of that definition and of those of its
    subprocesses, by name and version.
    """

    process: NotRequired[str]
    status: NotRequired[str]
