"""How a run is told on a terminal."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AnyMessage, ToolMessage
from rich.console import Console
from rich.markup import escape

from cogwork.nodes.history import tool_calls_of
from cogwork.nodes.plan import Plan
from cogwork.runtime.answers import told
from cogwork.runtime.wording import counted
from cogwork.tools.registry import tools

__all__ = ["Narrator"]

_STOPPED = {
    "step_limit": "stopped at the step limit; --max-steps raises it",
    "incomplete": "some steps of the plan failed; the answer stands on the others",
    "no_progress": "stopped: the same call gave the same result again and again",
}

_NO_TOOL = re.compile(r"I know no tool or rule for (.*)")

_STEP_MARKS = {
    "started": "[bold yellow]▶[/]",
    "finished": "[bold green]✓[/]",
    "failed": "[bold red]✗[/]",
    "blocked": "[red]⊘[/]",
    "skipped": "[yellow]↷[/]",
    "waiting": "[bold magenta]?[/]",
}


class Narrator:
    """Tells thoughts, actions and observations as they happen.

    Args:
        console: Where to.
        max_lines: Lines of an observation that are shown.
    """

    def __init__(self, console: Console, *, max_lines: int = 8) -> None:
        self._console = console
        self._max_lines = max_lines
        self._is_talking = False

    def words(self, text: str) -> None:
        """Some words of a thought or an answer, as the model says them."""
        if not text:
            return
        if not self._is_talking:
            self._console.print("[bold cyan]●[/] ", end="")
            self._is_talking = True
        self._console.print(_plain(text), end="", highlight=False, soft_wrap=True)

    def message(self, message: AnyMessage) -> None:
        """A whole message that a node has written."""
        if isinstance(message, ToolMessage):
            self._observation(message)
            return
        if not self._is_talking:
            self.words(message.text)
        if self._is_talking:
            self._console.print()
            self._is_talking = False
        for call in tool_calls_of(message):
            arguments = call["args"]
            if isinstance(arguments, Mapping):
                arguments = ", ".join(f"{name}={_brief(v)}" for name, v in arguments.items())
            self._console.print(
                f"  [bold yellow]→[/] [bold]{_plain(str(call['name']))}[/]({_plain(arguments)})",
                highlight=False,
                soft_wrap=True,
            )

    def plan(self, plan: Plan) -> None:
        """A plan that was made: its steps, in an order in which they can run."""
        for key in plan.order:
            step = plan[key]
            after = (
                f" [dim]after {_plain(', '.join(step.depends_on))}[/]" if step.depends_on else ""
            )
            doing = f"[bold]{_plain(step.tool)}[/] " if step.tool else ""
            self._console.print(
                f"  [dim]{_plain(key)}[/] {doing}{_plain(step.description)}{after}",
                highlight=False,
                soft_wrap=True,
            )

    def step(self, event: Mapping[str, Any]) -> None:
        """A step of a plan has begun, ended, or waits."""
        mark = _STEP_MARKS.get(str(event["event"]))
        if mark is None:
            return
        count = f" [dim]({event['done']} of {event['total']})[/]" if "done" in event else ""
        error = f": {_plain(str(event['error']))}" if event.get("error") else ""
        self._console.print(
            f"  {mark} {_plain(str(event['step']))} {event['event']}{error}{count}",
            highlight=False,
            soft_wrap=True,
        )

    def end(self, state: Mapping[str, Any], questions: Sequence[Any] = ()) -> None:
        """Why the run ended, where that is not plain, and what it waits for."""
        for question in questions:
            self._console.print("[bold magenta]?[/] ", end="")
            self._console.print(_plain(told(question)), highlight=False, soft_wrap=True)
        reason = _STOPPED.get(state.get("stop_reason") or "")
        if reason:
            self._console.print(f"[yellow]{reason}[/]")
        if not questions and (hint := _more_tools(state)):
            self._console.print(f"[yellow]{hint}[/]", soft_wrap=True)

    def _observation(self, message: ToolMessage) -> None:
        lines = message.text.splitlines() or ["(nothing)"]
        shown = lines[: self._max_lines]
        if len(lines) > len(shown):
            shown.append(f"… {counted(len(lines) - len(shown), 'more line')}")
        mark = "[bold red]✗[/]" if message.status == "error" else "[bold green]←[/]"
        seconds = message.response_metadata.get("seconds")
        took = f"[dim]({seconds:.3f} s)[/] " if seconds is not None else ""
        for place, line in enumerate(shown):
            lead = f"  {mark} {took}" if place == 0 else "    "
            self._console.print(f"{lead}{_plain(line)}", highlight=False, soft_wrap=True)


def _more_tools(state: Mapping[str, Any]) -> str:
    """How the agent gets a tool, where the offline model says that it knows none."""
    said = state["messages"][-1].text if state.get("messages") else ""
    lacking = _NO_TOOL.search(said)
    if not lacking:
        return ""
    words = set(re.findall(r"\w+", lacking[1].casefold()))
    optional = [entry.name for entry in tools if entry.metadata.get("optional")]
    fitting = [name for name in optional if words & set(name.split("_"))]
    usual = "--tool calculator --tool files"
    if fitting:
        return f"to give it more tools: {usual} --tool {' --tool '.join(fitting)}"
    return f"to give it more tools: {usual} --tool …, such as {', '.join(optional)}"


def _plain(text: str) -> str:
    """Text that a terminal shows as it is: no markup of rich, no control sequences."""
    return escape("".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text))


def _brief(value: Any, limit: int = 100) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
