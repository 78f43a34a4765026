"""Roles: what the members of a team are for, what a goal requires, and who does what.

Pure functions. A role has capabilities, told in words; a requirement is a part of the goal
and the capability that it takes. One is assigned to the other by its exact name, or else by
how near the words are in meaning; see `cogwork.nodes.fitting`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Final

from langchain_core.embeddings import Embeddings
from pydantic import BaseModel, ConfigDict, Field

from cogwork.core.errors import ConfigurationError
from cogwork.nodes.fitting import fit_scores, generalists
from cogwork.nodes.plan import Plan, Step

__all__ = [
    "ROLES",
    "Assignment",
    "Gap",
    "Requirement",
    "Role",
    "assign_roles",
    "check_roles",
    "requirements_plan",
]

_OFFERED = 3  # roles that an error names as the nearest


class Role(BaseModel):
    """What a member of a team is for.

    Attributes:
        name: Letters, digits, - and _.
        capabilities: What it can do, each in a few words, such as "check facts".
        prompt: What a member made for this role is told; made of the rest where it is empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]
    capabilities: Annotated[tuple[str, ...], Field(min_length=1)]
    prompt: str = ""

    @property
    def instructions(self) -> str:
        """What a member made for this role is told."""
        return self.prompt or (
            f"You are the {self.name} of a team. You are there to: {'; '.join(self.capabilities)}. "
            "Do your part of the work, on what others have found, and say only what you found."
        )


class Requirement(BaseModel):
    """A part of a goal, and what it takes to do it.

    Attributes:
        id: Letters, digits, - and _; unique within the goal.
        description: What is to be done, understood without the other parts.
        capability: What it takes: the name of a role, or a capability in words; the
            description unless given.
        depends_on: Ids of the parts whose results it needs.
        estimated_cost: What it is thought to take beside the others.
        priority: Among parts that are ready, the higher one goes first.
        optional: Whether the goal can do without it.
        proposed: Whether the capability is a proposal, as of a model that divided a question:
            somebody may take the part also where nobody has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=100)]
    description: Annotated[str, Field(min_length=1)]
    capability: str = ""
    depends_on: tuple[str, ...] = ()
    estimated_cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    priority: int = 0
    optional: bool = False
    proposed: bool = False

    @property
    def needed(self) -> str:
        """What is looked for among the capabilities."""
        return self.capability or self.description

    @property
    def is_open(self) -> bool:
        """Whether a generalist may take it: nobody has demanded a capability."""
        return self.proposed or not self.capability


class Assignment(BaseModel):
    """Who does a part of the goal.

    Attributes:
        requirement: Its id.
        members: Names of roles, the first choice first; the others stand in when one fails.
        scores: How well each fits: 1 by name, else the cosine of the meanings.
        note: Why these do it, where none of them fits.
    """

    model_config = ConfigDict(frozen=True)

    requirement: str
    members: tuple[str, ...]
    scores: tuple[float, ...]
    note: str = ""


class Gap(BaseModel):
    """A part of the goal that nobody can do.

    Attributes:
        requirement: Its id.
        description: What was to be done.
        needed: The capability that is missing.
        nearest: The roles that come nearest, the best first, with their scores.
    """

    model_config = ConfigDict(frozen=True)

    requirement: str
    description: str
    needed: str
    nearest: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        """What is missing, what comes near, and the way out."""
        near = ", ".join(f"'{name}' ({score:.2f})" for name, score in self.nearest) or "none"
        return (
            f"nobody in the team can do '{self.requirement}', which takes '{self.needed:.200}'; "
            f"nearest roles: {near}; add Role(name=…, capabilities=('{self.needed:.80}',)) with a "
            "member, name one of these as its capability, or set allow_gaps=True"
        )


ROLES: Final = (
    Role(
        name="coordinator",
        capabilities=("coordinate", "plan", "prioritise", "decide", "choose", "combine results"),
    ),
    Role(
        name="researcher",
        capabilities=(
            *("research", "search", "find", "look up", "read", "list", "gather", "open"),
            *("search for information", "find facts and sources", "read files and documents"),
            "answer questions",
        ),
    ),
    Role(
        name="analyst",
        capabilities=(
            *("analyse", "compute", "calculate", "count", "compare", "measure", "estimate"),
            *("analyse data", "compare and evaluate", "find totals, averages and trends"),
        ),
    ),
    Role(
        name="writer",
        capabilities=(
            *("write", "draft", "summarise", "summarize", "explain", "describe", "save"),
            *("write a text or report", "summarise and explain", "write or save a file"),
        ),
    ),
    Role(
        name="reviewer",
        capabilities=(
            *("review", "check", "verify", "proofread", "correct", "test", "criticise"),
            *("check facts for errors", "verify and test results", "edit and correct a text"),
        ),
    ),
)
"""Roles that most goals do with."""


def check_roles(roles: Sequence[Role]) -> None:
    """Refuse roles that make no team.

    Raises:
        ConfigurationError: There are none, or two have one name.
    """
    if not roles:
        raise ConfigurationError("a team needs at least one role; pass roles=[Role(…)]")
    for name, count in Counter(role.name for role in roles).items():
        if count > 1:
            raise ConfigurationError(f"{count} roles are called '{name}'; names must differ")


def assign_roles(
    requirements: Sequence[Requirement],
    roles: Sequence[Role],
    *,
    embeddings: Embeddings | str = "static",
    threshold: float = 0.4,
    tools: Mapping[str, Sequence[str]] | None = None,
) -> tuple[list[Assignment], list[Gap]]:
    """Say who does each requirement, and which ones nobody can do.

    A role fits by 1 where the capability is its name or one of its capabilities; where no
    capability is said, if the description begins with the words of one, or is a question and
    the role can "answer questions". Else it fits by the greatest cosine between what is needed
    and its capabilities. Of roles that fit alike, the one with fewer requirements so far goes
    first, then the name decides: the order of the roles never matters.

    With `tools`, what fits no role goes to generalists (see `cogwork.nodes.fitting`), unless its
    capability was demanded.

    Args:
        requirements: In the order in which they are to be assigned.
        roles: Of the members.
        embeddings: LangChain's, or a name as in `create_embeddings`; not asked where names
            decide.
        threshold: Least cosine by which a role fits.
        tools: What the tools of each role are for, in words, by its name.

    Raises:
        ConfigurationError: The threshold is not above 0 and up to 1, or the roles make no
            team.
        ModelError: The embeddings cannot be had.

    Examples:
        >>> roles = [Role(name="cook", capabilities=("cook meals",))]
        >>> found, gaps = assign_roles(
        ...     [Requirement(id="soup", description="Make a soup", capability="cook")], roles
        ... )
        >>> found[0].members, gaps
        (('cook',), [])
    """
    if not 0 < threshold <= 1:
        raise ConfigurationError(f"the threshold is {threshold}; give a cosine above 0, up to 1")
    check_roles(roles)
    load: Counter[str] = Counter()
    found, gaps = [], []
    scores = fit_scores(requirements, roles, embeddings)
    for each, near in zip(requirements, scores, strict=True):
        order = sorted(near, key=lambda name: (-near[name], load[name], name))
        fit, note = tuple(name for name in order if near[name] >= threshold), ""
        if not fit and tools is not None and each.is_open:
            fit, note = generalists(
                each.description,
                near,
                tools,
                load=load.__getitem__,
                embeddings=embeddings,
                threshold=threshold,
            )
        if fit:
            load[fit[0]] += 1
            marks = tuple(near[name] for name in fit)
            found.append(Assignment(requirement=each.id, members=fit, scores=marks, note=note))
        else:
            gaps.append(_gap(each, [(name, near[name]) for name in order[:_OFFERED]]))
    return found, gaps


def _gap(requirement: Requirement, near: Sequence[tuple[str, float]]) -> Gap:
    return Gap(
        requirement=requirement.id,
        description=requirement.description,
        needed=requirement.needed,
        nearest=tuple(near),
    )


def requirements_plan(
    requirements: Sequence[Requirement], *, goal: str = "", without: Iterable[str] = ()
) -> Plan:
    """Return the plan whose steps are the requirements.

    Args:
        requirements: Each becomes a step without a tool.
        goal: The plan's.
        without: Ids of those that are left out; what waits for one waits for what that one
            would have waited for.
    """
    absent = {each.id: each for each in requirements if each.id in set(without)}
    steps = [
        Step(
            id=each.id,
            description=each.description,
            depends_on=tuple(dict.fromkeys(_before(each, absent))),
            estimated_cost=each.estimated_cost,
            priority=each.priority,
            optional=each.optional,
        )
        for each in requirements
        if each.id not in absent
    ]
    return Plan(goal=goal, steps=tuple(steps))


def _before(
    requirement: Requirement, absent: Mapping[str, Requirement], seen: frozenset[str] = frozenset()
) -> Iterator[str]:
    """What a requirement waits for, through those that are absent."""
    for key in requirement.depends_on:
        if key not in absent:
            yield key
        elif key not in seen:
            yield from _before(absent[key], absent, seen | {key})
