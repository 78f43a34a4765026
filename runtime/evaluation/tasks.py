"""Tasks with a programmatic check, and the set that comes with the package."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from os.path import normpath
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from cogwork.core.errors import ConfigurationError
from cogwork.runtime.evaluation.checks import Check, InsidePath

__all__ = ["KINDS", "EvalTask", "builtin_tasks"]

KINDS: Final = ("arithmetic", "lookup", "multi-step", "planning", "consistency")
"""Of the tasks that come with the package: sums over files, facts in documents, several tools
one after the other, puzzles, and questions that are asked in more than one way."""

_DATA: Final = Path(__file__).with_name("data")


def _is_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


class EvalTask(BaseModel):
    """A question with files, and how its answer is checked.

    Nothing but the question and the files reaches an agent.

    Attributes:
        id: Unique within a set.
        kind: What it tries; free text, by which results are summed.
        question: As an agent is asked.
        check: Judges the answer; see `cogwork.runtime.evaluation.checks`.
        files: Copied into the task's folder under their own names.
        texts: Written into the task's folder too: text by path.
        level: How hard it is, from 1.
        group: Tasks that ask the same in different words share it; empty for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1)]
    kind: str = "task"
    question: Annotated[str, Field(min_length=1)]
    check: Check
    files: tuple[Annotated[Path, AfterValidator(_is_file)], ...] = ()
    texts: dict[InsidePath, str] = {}
    level: Annotated[int, Field(ge=1)] = 1
    group: str = ""

    @model_validator(mode="after")
    def _has_each_path_once(self) -> Self:
        paths = Counter([*(file.name for file in self.files), *map(normpath, self.texts)])
        twice = [path for path, count in paths.items() if count > 1]
        if twice:
            raise ValueError(f"the task's folder would have {', '.join(twice)} twice; rename one")
        return self

    def __str__(self) -> str:
        """The id, so that `pytest.mark.parametrize(…, ids=str)` shows it."""
        return self.id

    def put_into(self, folder: Path) -> None:
        """Write the files and texts into a folder.

        Raises:
            OSError: A file cannot be read or written.
        """
        for file in self.files:
            (folder / file.name).write_bytes(file.read_bytes())
        for path, text in self.texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")


def check_ids(tasks: Iterable[EvalTask]) -> None:
    """Refuse a set in which an id stands twice.

    Raises:
        ConfigurationError: It does.
    """
    twice = [name for name, count in Counter(task.id for task in tasks).items() if count > 1]
    if twice:
        raise ConfigurationError(f"these ids of tasks stand twice: {', '.join(twice)}; rename one")


@cache
def builtin_tasks() -> tuple[EvalTask, ...]:
    """Return the tasks that come with the package, in the order of `KINDS`.

    Written for it, over small made-up files, with answers that were computed. What the offline
    model cannot do stays in.

    Examples:
        >>> sorted({task.kind for task in builtin_tasks()}) == sorted(KINDS)
        True
    """
    from cogwork.runtime.evaluation.loading import load_tasks

    return tuple(load_tasks(_DATA / "tasks.jsonl"))
