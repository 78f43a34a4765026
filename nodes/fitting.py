"""Fitting: how well roles fit requirements, by name or by meaning, and who takes what fits none.

Pure functions.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from langchain_core.embeddings import Embeddings

from cogwork.core.embeddings import create_embeddings

if TYPE_CHECKING:  # they are assigned there, by what is said here
    from cogwork.nodes.roles import Requirement, Role

__all__ = ["fit_scores", "generalists", "text_cosines"]

_DIGITS = 6  # of a score; what is beyond is rounding
_ANSWERS = "answer questions"
_NO_ROLE: Final = "no role fits"


def fit_scores(
    requirements: "Sequence[Requirement]",
    roles: "Sequence[Role]",
    embeddings: Embeddings | str = "static",
) -> list[dict[str, float]]:
    """Return how well each role fits each requirement, by the roles' names.

    Args:
        requirements: One result for each.
        roles: Of the team.
        embeddings: As in `cogwork.nodes.roles.assign_roles`, which says what fits.

    Raises:
        ModelError: The embeddings cannot be had.
    """
    phrases = {
        role.name: [_plain(each) for each in (role.name, *role.capabilities)] for role in roles
    }
    named = [
        {name: 1.0 for name, known in phrases.items() if _fits_by_name(each, known)}
        for each in requirements
    ]
    vague = {
        each.needed
        for each, found in zip(requirements, named, strict=True)
        if len(found) < len(roles)
    }
    near = _cosines(sorted(vague), roles, embeddings) if vague else {}
    return [
        {**near.get(each.needed, {}), **found}
        for each, found in zip(requirements, named, strict=True)
    ]


def generalists(
    task: str,
    near: Mapping[str, float],
    tools: Mapping[str, Sequence[str]],
    *,
    load: Callable[[str], int],
    embeddings: Embeddings | str = "static",
    threshold: float = 0.4,
) -> tuple[tuple[str, ...], str]:
    """Return who takes a task that fits no role, the first choice first, and why.

    Those whose tools can do it; where there are none, those without tools; else all, the
    least loaded first.

    Args:
        task: What is to be done.
        near: How near each role comes to it, by name.
        tools: What the tools of each role are for, in words; of a role that is absent,
            nobody knows.
        load: How much a role has to do already.
        embeddings: By which the task is compared with the tools.
        threshold: Least cosine by which a tool can do it.

    Raises:
        ModelError: The embeddings cannot be had.

    Examples:
        >>> tools = {"cook": ["oven: Bake something"], "clerk": ["calculator: Compute a sum"]}
        >>> near = {"cook": 0.1, "clerk": 0.1}
        >>> generalists("Compute 6 * 7", near, tools, load=lambda name: 0)
        (('clerk',), 'no role fits; a tool does')
    """
    texts = sorted({text for name in near for text in tools.get(name, ())})
    (row,) = text_cosines([task], texts, embeddings) if texts else [[]]
    fit = {text for text, cosine in zip(texts, row, strict=True) if cosine >= threshold}

    def nearest(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(names, key=lambda name: (-near[name], load(name), name)))

    if able := [name for name in near if fit.intersection(tools.get(name, ()))]:
        return nearest(able), f"{_NO_ROLE}; a tool does"
    if bare := [name for name in near if not tools.get(name)]:
        return nearest(bare), f"{_NO_ROLE}, and no tool; who has none takes it"
    idle = sorted(near, key=lambda name: (load(name), -near[name], name))
    return tuple(idle), f"{_NO_ROLE}, and no tool; who has least to do takes it"


def text_cosines(
    texts: Sequence[str], others: Sequence[str], embeddings: Embeddings | str = "static"
) -> list[list[float]]:
    """Return how near each text is to each of the others: a row of cosines for each.

    Args:
        texts: One for each row.
        others: What they are compared with.
        embeddings: LangChain's, or a name as in `create_embeddings`.

    Raises:
        ModelError: The embeddings cannot be had.
    """
    import numpy as np

    space = _static() if embeddings == "static" else create_embeddings(embeddings)
    vectors = np.array(space.embed_documents([*texts, *others]))
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosines = vectors[: len(texts)] @ vectors[len(texts) :].T
    rows: list[list[float]] = np.round(cosines, _DIGITS).tolist()
    return rows


def _fits_by_name(requirement: "Requirement", names: Sequence[str]) -> bool:
    if requirement.capability:
        return _plain(requirement.capability) in names
    said = _plain(requirement.description)
    if said.endswith("?") and _ANSWERS in names:
        return True
    return any(said == name or said.startswith(f"{name} ") for name in names)


def _cosines(
    texts: Sequence[str], roles: "Sequence[Role]", embeddings: Embeddings | str
) -> dict[str, dict[str, float]]:
    said = [(role.name, each) for role in roles for each in role.capabilities]
    near = text_cosines(texts, [each for _, each in said], embeddings)
    found: dict[str, dict[str, float]] = {text: {} for text in texts}
    for text, row in zip(texts, near, strict=True):
        for (name, _), cosine in zip(said, row, strict=True):
            found[text][name] = max(cosine, found[text].get(name, -1.0))
    return found


@cache
def _static() -> Embeddings:
    """The built-in table, read once; it never changes."""
    return create_embeddings("static")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
