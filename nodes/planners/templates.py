"""Plans that are known beforehand: research, writing, analysis, and a general one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from langchain_core.runnables import RunnableConfig

from cogwork.core.errors import UnknownNameError
from cogwork.core.registry import nearest
from cogwork.nodes.plan import Plan, Step
from cogwork.nodes.planners.draft import inert, with_earlier
from cogwork.nodes.planning import Planner, PlanRequest

__all__ = ["TEMPLATES", "Template", "choose_template", "make_template_planner"]


@dataclass(frozen=True, slots=True)
class Template:
    """Steps for a kind of goal.

    Args:
        steps: Their descriptions say `{goal}` where the goal is meant.
        words: Beginnings of words that goals of this kind have.
    """

    steps: tuple[Step, ...]
    words: tuple[str, ...] = ()


def _step(key: str, description: str, *after: str, cost: float = 1.0) -> Step:
    return Step(id=key, description=description, depends_on=after, estimated_cost=cost)


TEMPLATES: Mapping[str, Template] = {
    "research": Template(
        words=("research", "investigat", "survey", "literature", "find out", "look into", "sources"),
        steps=(
            _step("questions", "List the questions that have to be answered for this: {goal}"),
            _step("facts", "Find the facts that answer the questions, with sources: {goal}",
                  "questions", cost=3),
            _step("objections", "Find what speaks against the usual answers, with sources: {goal}",
                  "questions", cost=2),
            _step("weigh", "Weigh facts and objections, and say how sure each answer is: {goal}",
                  "facts", "objections", cost=2),
            _step("report", "Report what was found, with sources, and what stays open: {goal}",
                  "questions", "weigh"),
        ),
    ),
    "writing": Template(
        words=("writ", "draft", "essay", "article", "blog", "letter", "story", "speech", "compose"),
        steps=(
            _step("readers", "Say who reads this, and what they should know afterwards: {goal}"),
            _step("material", "Gather the facts and examples that are needed for this: {goal}", cost=2),
            _step("outline", "Make an outline: {goal}", "readers", "material"),
            _step("draft", "Write the whole text after the outline: {goal}",
                  "outline", "material", cost=3),
            _step("critique", "Name what is wrong, missing, or too long in the draft: {goal}",
                  "readers", "draft"),
            _step("final", "Write the final text, with all that was named put right: {goal}",
                  "draft", "critique", cost=2),
        ),
    ),
    "analysis": Template(
        words=("analy", "data", "statistic", "trend", "correlat", "compar", "evaluat", "assess"),
        steps=(
            _step("question", "Say what exactly is to be found out, and how one would see it: {goal}"),
            _step("data", "Get the data or material for this: {goal}", cost=2),
            _step("quality", "Check the data for gaps, errors and outliers: {goal}", "data"),
            _step("analyse", "Analyse the data, and show the figures: {goal}",
                  "question", "data", "quality", cost=3),
            _step("check", "Check the figures another way: {goal}", "data", "analyse"),
            _step("conclude", "Say what follows, and how sure it is: {goal}",
                  "question", "analyse", "check"),
        ),
    ),
    "general": Template(
        steps=(
            _step("understand", "Say what is asked, what is known, and what is missing: {goal}"),
            _step("do", "Do it: {goal}", "understand", cost=3),
            _step("check", "Check whether the result is what was asked, and put it right: {goal}",
                  "understand", "do"),
        ),
    ),
}  # fmt: skip


def make_template_planner(
    name: str | None = None, templates: Mapping[str, Template] = TEMPLATES
) -> Planner:
    """Make the planner that fills a template with the goal, without any model.

    Args:
        name: Of the template; chosen by the goal's words unless given.
        templates: To choose from; one is called `general`.

    Raises:
        UnknownNameError: There is no such template.
    """
    for needed in (name or "general", "general"):
        if needed not in templates:
            raise UnknownNameError(
                f"no template is called '{needed}'; {nearest(needed, list(templates))}"
            )

    async def plan(request: PlanRequest, config: RunnableConfig) -> Plan:  # noqa: ARG001 - the signature of planners
        chosen = templates[name or choose_template(request.goal, templates)]
        goal = inert(request.goal)
        steps = [
            step.model_copy(update={"description": step.description.replace("{goal}", goal)})
            for step in chosen.steps
        ]
        return with_earlier(Plan(goal=request.goal, steps=tuple(steps)), request)

    return plan


def choose_template(goal: str, templates: Mapping[str, Template] = TEMPLATES) -> str:
    """Return the template most of whose words are in a goal, `general` when none is.

    Of several, the one whose word comes first.

    Args:
        goal: In plain words.
        templates: To choose from.

    Examples:
        >>> choose_template("Write an essay on the history of data")
        'writing'
    """
    said = goal.casefold()
    best = ("general", 0, 0)
    for name, template in templates.items():
        places = [found.start() for word in template.words if (found := _search(word, said))]
        if places and (len(places), -min(places)) > (best[1], best[2]):
            best = (name, len(places), -min(places))
    return best[0]


def _search(word: str, text: str) -> re.Match[str] | None:
    return re.search(rf"\b{re.escape(word)}", text)
