"""What the steps of a plan can be done by, and what is done when they fail."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from langchain_core.runnables import Runnable

from cogwork.core.errors import PlanningError
from cogwork.core.registry import nearest
from cogwork.nodes.attempt import ToInput, Way
from cogwork.nodes.plan import Plan, Step
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.recovery import DEFAULT_LADDER, Rung
from cogwork.tools.audit import AuditLog
from cogwork.tools.calling import ReadyTool
from cogwork.tools.effects import OnDoubt
from cogwork.tools.policy import Policy

__all__ = ["Recompose", "Ways"]

Recompose: TypeAlias = Callable[[Step, str], Awaitable[Plan]]
"""From a step that failed, and why, to smaller ones that do the same."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What steps can be done by, and what is done when they fail.

    Args:
        tools: What steps may call, by name.
        agent: Does steps that name no tool.
        alternatives: What to fall back to, by the name of a tool or the id of a step.
        ladder: What to do about failures.
        recompose: Splits a step that failed.
        timeout: Seconds for one attempt of the agent.
        to_input: Makes the agent's input.
        on_doubt: What to do with a call of which nobody knows whether its effect happened.
        policy: Which calls of tools are made, ask a person first, or are refused.
        audit: Where decisions about calls are noted.
    """

    tools: Mapping[str, ReadyTool] = field(default_factory=dict)
    agent: Runnable[Any, Any] | None = None
    alternatives: Mapping[str, Sequence[Way]] = field(default_factory=dict)
    ladder: Sequence[Rung] = DEFAULT_LADDER
    recompose: Recompose | None = None
    timeout: float | None = None
    to_input: ToInput | None = None
    on_doubt: OnDoubt = "ask"
    policy: Policy | None = None
    audit: AuditLog | None = None

    def of(self, step: Step) -> list[Way]:
        """Return what can do a step, first choice first.

        Raises:
            PlanningError: Nothing can.
        """
        more = self.alternatives.get(step.id) or self.alternatives.get(step.tool or "") or ()
        if step.tool is None and self.agent is None and not more:
            raise PlanningError(f"step '{step.id}' names no tool, and there is no agent to do it")
        if step.tool is not None and step.tool not in self.tools:
            raise PlanningError(
                f"step '{step.id}' calls '{step.tool}', which is no tool; "
                f"{nearest(step.tool, list(self.tools))}"
            )
        first = self.agent if step.tool is None else self.tools[step.tool]
        return [*([first] if first else []), *more]

    async def parts_of(self, step: Step, reason: str) -> Plan:
        """Return smaller steps that do the same as one that failed.

        Raises:
            PlanningError: There are none, or they make no plan that can be executed.
        """
        made = await self.recompose(step, reason) if self.recompose else None
        if not isinstance(made, Plan):
            raise PlanningError(f"recompose returned {type(made).__name__}, which is no Plan")
        faults = check_plan(made, [ready.tool for ready in self.tools.values()])
        for part in made.steps:
            if part.tool is None and self.agent is None:
                faults.append(f"step '{part.id}' names no tool, and there is no agent to do it")
            if _does_the_same(part, step):
                faults.append(f"step '{part.id}' does the same as '{step.id}', which failed")
        if faults:
            raise PlanningError("; ".join(faults))
        return made


def _does_the_same(part: Step, step: Step) -> bool:
    is_task = step.tool is None and part.description.strip() == step.description.strip()
    return part.tool == step.tool and part.args == step.args and (step.tool is not None or is_task)
