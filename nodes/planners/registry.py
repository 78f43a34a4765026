"""The planners that can be chosen by name."""

from collections.abc import Callable
from typing import TypeAlias

from cogwork.core.models import ChatModel
from cogwork.core.registry import Registry
from cogwork.nodes.planners.templates import TEMPLATES, make_template_planner
from cogwork.nodes.planning import Planner

__all__ = ["PlannerFactory", "planners"]

PlannerFactory: TypeAlias = Callable[[ChatModel], Planner]
"""Makes a planner that asks this model, if it asks any."""

planners: Registry[PlannerFactory] = Registry("planner", group="cogwork.planners")
"""Factories by name: `planners.get("mece")(model)`.

Another package adds one through the entry-point group `cogwork.planners`, a program through
`@planners.register("name", description="…")`.
"""

for _name, _description in (
    ("model", "A model makes the whole plan at once."),
    ("hierarchical", "A model splits the goal, its parts, their parts, and so on."),
    ("mece", "A model divides the goal into components without overlaps and gaps."),
    ("dependency", "A model lists tasks; what is urgent is computed."),
):
    planners.add(
        _name, f"cogwork.nodes.planners.{_name}:make_{_name}_planner", description=_description
    )


def _add_template(name: str | None, called: str, description: str) -> None:
    def factory(model: ChatModel) -> Planner:  # noqa: ARG001 - every factory takes a model
        return make_template_planner(name)

    planners.add(called, lambda: factory, description=description)


_add_template(None, "template", "A plan known beforehand, chosen by the goal's words.")
for _name in TEMPLATES:
    _add_template(_name, f"template:{_name}", f"The plan known beforehand for {_name}.")
