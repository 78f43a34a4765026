"""Processes for tests: the examples of the docs, and a clock that a test moves."""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from cogwork.graphs.process import create_process
from cogwork.nodes.process.answering import due, inbox, reply
from cogwork.nodes.process.reading import parse_definition

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
DAY = 86_400.0
CONFIG: Any = {"configurable": {"thread_id": "instance"}}


def example_tools(name: str) -> Any:
    """The module `tools.py` of an example."""
    spec = importlib.util.spec_from_file_location(f"{name}_tools", EXAMPLES / name / "tools.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def invoices(folder: Path) -> list[Any]:
    """The tools of the invoice example, over a copy of its data."""
    if not (folder / "payments.csv").exists():
        shutil.copytree(EXAMPLES / "invoices" / "data", folder, dirs_exist_ok=True)
    return example_tools("invoices").invoice_tools(folder)


class Instance:
    """One instance, its clock, and short ways to go on with it."""

    def __init__(self, definitions: Any, tools: Any = (), **options: Any) -> None:
        self.now = options.pop("now", 1_772_000_000.0)
        if isinstance(definitions, str) and "\n" in definitions:
            definitions = parse_definition(definitions, "test.yaml")
        options.setdefault("checkpointer", InMemorySaver())
        self.graph = create_process(definitions, tools, clock=lambda: self.now, **options)
        self.state: dict[str, Any] = {}

    def begin(self, **given: Any) -> "Instance":
        self.state = self.graph.invoke({"input": given}, CONFIG)
        return self

    def answer(self, step: str, given: Any = None, **more: Any) -> "Instance":
        command = reply(self.graph.get_state(CONFIG), step, given or more)
        self.state = self.graph.invoke(command, CONFIG)
        return self

    def approve(self, step: str, by: str) -> "Instance":
        return self.answer(step, type="approve", by=by)

    def reject(self, step: str, by: str) -> "Instance":
        return self.answer(step, type="reject", by=by)

    def pass_days(self, days: float) -> "Instance":
        """Let time pass, and wake what is due."""
        self.now += days * DAY
        command = due(self.graph.get_state(CONFIG), self.now)
        if command is not None:
            self.state = self.graph.invoke(command, CONFIG)
        return self

    @property
    def status(self) -> str | None:
        return self.state.get("status")

    @property
    def waits(self) -> dict[str, Any]:
        return {item.step: item for item in inbox(self.graph.get_state(CONFIG))}

    def events(self, step: str) -> list[str]:
        return [entry["event"] for entry in self.state["trail"] if entry["step"] == step]
