"""Sets of tasks from JSONL files: our own form, GAIA's and HotpotQA's.

Published sets are not part of the package and are not downloaded; their files are dropped in.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cogwork.core.errors import ConfigurationError
from cogwork.runtime.evaluation.checks import Exact, QuasiExact, inside
from cogwork.runtime.evaluation.scoring import FINAL_ANSWER
from cogwork.runtime.evaluation.tasks import EvalTask

__all__ = ["load_gaia", "load_hotpotqa", "load_tasks"]

Row = dict[str, Any]
Reader = Callable[[Row, Path], EvalTask]


def load_tasks(path: str | Path) -> list[EvalTask]:
    """Read a set of tasks; the keys of its first line tell which form it has.

    In our own form, a line has the fields of `EvalTask`; `files` are paths relative to the
    folder of the set.

    Args:
        path: A JSONL file, or a file with one JSON array.

    Raises:
        ConfigurationError: The file is absent or empty, or a line of it is wrong; the message
            names the line.
    """
    rows = list(_rows(Path(path)))
    first = rows[0][1]
    if "Final answer" in first or "Question" in first:
        return _read(Path(path), rows, _gaia)
    hotpot = {"question", "answer"} <= first.keys() and "check" not in first
    return _read(Path(path), rows, _hotpotqa if hotpot else _own)


def load_gaia(path: str | Path) -> list[EvalTask]:
    """Read a file like GAIA's `metadata.jsonl` (Mialon et al. 2023, arXiv:2311.12983).

    Of a line are read: task_id, Question, "Final answer", Level, file_name; the last is a file
    beside it. The question asks for a final answer on a line of its own, and tells the file.

    Raises:
        ConfigurationError: As `load_tasks`; also for answers that GAIA keeps to itself.
    """
    return _read(Path(path), list(_rows(Path(path))), _gaia)


def load_hotpotqa(path: str | Path) -> list[EvalTask]:
    """Read a file like HotpotQA's (Yang et al. 2018, arXiv:1809.09600).

    Of a line are read: _id or id, question, answer, type, level, and context, as pairs of a
    title and its sentences or as two lists. The paragraphs are given as `context.md`; the
    question asks for a final answer on a line of its own.

    Raises:
        ConfigurationError: As `load_tasks`.
    """
    return _read(Path(path), list(_rows(Path(path))), _hotpotqa)


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Where each object stands, and the object."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"cannot read tasks from {path}: {reason}") from error
    if not text.strip():
        raise ConfigurationError(f"{path} is empty; a set has one task a line, as JSON")
    if text.lstrip().startswith("["):
        yield from _items(path, text)
        return
    for number, line in enumerate(text.split("\n"), 1):  # not at every kind of line's end
        if line.strip():
            yield f"line {number}", _parsed(path, f"line {number}", line)


def _items(path: Path, text: str) -> Iterator[tuple[str, Row]]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{path} is no JSON: {error}") from error
    if not found:
        raise ConfigurationError(f"{path} holds no task")
    for number, row in enumerate(found, 1):
        yield f"item {number}", _object(path, f"item {number}", row)


def _parsed(path: Path, place: str, line: str) -> Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}, {place} is no JSON: {error}") from error
    return _object(path, place, found)


def _object(path: Path, place: str, found: Any) -> Row:
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path}, {place} is {found!r:.60}; a task is a JSON object")
    return found


def _read(path: Path, rows: list[tuple[str, Row]], reader: Reader) -> list[EvalTask]:
    places: dict[str, str] = {}
    tasks = []
    for place, row in rows:
        try:
            task = reader(row, path.parent)
        except KeyError as error:
            raise ConfigurationError(f"{path}, {place} has no {error}") from error
        except ValidationError as error:
            raise ConfigurationError(f"{path}, {place}: {_faults(error)}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"{path}, {place}: {error}") from error
        if task.id in places:
            raise ConfigurationError(
                f"{path}, {place}: the id '{task.id}' is that of {places[task.id]}; rename one"
            )
        places[task.id] = place
        tasks.append(task)
    return tasks


def _faults(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(
        f"{'.'.join(map(str, each['loc']))}: {each['msg'].removeprefix('Value error, ')}"
        for each in found
    )


def _own(row: Row, folder: Path) -> EvalTask:
    # A set from elsewhere must not hand an agent what lies around on this machine.
    files = [folder / inside(each) for each in row.get("files", ())]
    return EvalTask.model_validate({**row, "files": files})


def _gaia(row: Row, folder: Path) -> EvalTask:
    answer, name = str(row["Final answer"]), row.get("file_name") or ""
    if answer.strip() in ("", "?"):
        raise ValueError("the answer is not told (GAIA's test part); use the validation part")
    if name and Path(name).name != name:
        raise ValueError(f"file_name is {name!r}; it is the name of a file beside the set")
    about = [f"The file is {name}."] if name else []
    return EvalTask(
        id=str(row["task_id"]),
        kind="gaia",
        question="\n\n".join([row["Question"], *about, FINAL_ANSWER]),
        check=QuasiExact(answer=answer),
        files=(folder / name,) if name else (),
        level=int(row.get("Level", 1)),
    )


def _hotpotqa(row: Row, folder: Path) -> EvalTask:  # noqa: ARG001 - as the others
    levels = {"easy": 1, "medium": 2, "hard": 3}
    context = "\n\n".join(_paragraphs(row.get("context") or []))
    about = ["The paragraphs to answer from are in context.md."] if context else []
    return EvalTask(
        id=str(row["_id"] if "_id" in row else row["id"]),
        kind=str(row.get("type") or "hotpotqa"),
        question="\n\n".join([row["question"], *about, FINAL_ANSWER]),
        check=Exact(answers=(row["answer"],)),
        texts={"context.md": context} if context else {},
        level=levels.get(row.get("level") or "easy", 1),
    )


def _paragraphs(context: Any) -> Iterator[str]:
    """Of pairs, as HotpotQA's own files have, or of columns, as Hugging Face's have."""
    if isinstance(context, dict):
        context = list(zip(context["title"], context["sentences"], strict=True))
    for title, sentences in context:
        text = " ".join(sentence.strip() for sentence in sentences)
        yield f"# {title}\n\n{text}"
