"""A map of memories: near in meaning is near on the sheet, clusters have names.

Vectors are centred and reduced to their principal components (by singular values of the
covariance). Clusters come from k-means on their directions there, and their number from
the best silhouette. Each cluster is named by the words that many of its memories have and
few others. The same memories always give the same map.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cogwork.core.drawing.diagram import shorten
from cogwork.core.drawing.scatter import MOST_GROUPS, Dot, Group, Scatter, draw_scatter
from cogwork.core.errors import ConfigurationError
from cogwork.memory.facts import Memory

__all__ = ["MemoryMap", "draw_memory_map"]

Matrix = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

_COMPONENTS = 12
_LEAST = 6  # memories of a cluster; fewer than twice as many are one
_SAMPLE = 2_000
_RUNS = 8
_ROUNDS = 40
_PUSHES = 300
_PULL = 0.6  # how far from its cluster's middle a memory stays
_LONGEST = 240  # characters of a text that are shown
_WORD = re.compile(r"[^\W\d_]{3,}")
_COMMON = frozenset(
    {
        *("about", "after", "again", "all", "also", "always", "and", "any", "are", "because"),
        *("been", "before", "being", "but", "can", "cannot", "could", "did", "does", "doing"),
        *("each", "every", "few", "for", "from", "get", "gets", "had", "has", "have", "her"),
        *("here", "hers", "him", "his", "how", "into", "its", "just", "like", "likes", "made"),
        *("make", "makes", "many", "more", "most", "much", "must", "never", "not", "now"),
        *("off", "often", "once", "one", "only", "other", "our", "out", "over", "own", "per"),
        *("same", "she", "should", "since", "some", "such", "than", "that", "the", "their"),
        *("them", "then", "there", "these", "they", "this", "those", "through", "too", "two"),
        *("under", "until", "upon", "use", "used", "uses", "using", "very", "was", "were"),
        *("what", "when", "where", "which", "while", "who", "whom", "whose", "why", "will"),
        *("with", "within", "without", "would", "you", "your", "user"),
    }
)


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """A map that was drawn.

    Args:
        svg: The text of an SVG file, which shows each text when the pointer rests on it.
        clusters: Names and sizes, the largest first; the sizes count what is not drawn too.
        memories: How many were mapped.
        drawn: How many of them have a dot.
        without_vector: How many could not be mapped.
    """

    svg: str
    clusters: tuple[Group, ...]
    memories: int
    drawn: int
    without_vector: int


def draw_memory_map(
    memories: Sequence[Memory],
    vectors: Mapping[str, npt.ArrayLike],
    *,
    title: str = "Memories",
    clusters: int | None = None,
    limit: int = 2_000,
) -> MemoryMap:
    """Draw memories by their vectors.

    Args:
        memories: What is known.
        vectors: A vector by the id of each memory; memories without one are left out.
        title: Stands above the map.
        clusters: How many, at most 8; None finds out.
        limit: How many dots at most; the most important and last used ones are drawn.

    Raises:
        ConfigurationError: A limit is impossible.
    """
    if clusters is not None and not 1 <= clusters <= MOST_GROUPS:
        raise ConfigurationError(f"clusters is {clusters}; it lies between 1 and {MOST_GROUPS}")
    if limit < 1:
        raise ConfigurationError(f"limit is {limit}; it must be 1 or more")
    mapped = [memory for memory in memories if memory.id in vectors]
    points = _components([vectors[memory.id] for memory in mapped])
    labels = _by_size(_cluster(points, clusters))
    names = _names([memory.text for memory in mapped], labels, points)
    groups = tuple(Group(name, int(np.sum(labels == number))) for number, name in enumerate(names))
    places = _places(points, labels)
    order = sorted(range(len(mapped)), key=lambda i: (-mapped[i].importance, -mapped[i].used_at))
    shown = order[:limit]
    dots = [_dot(mapped[i], places[i], int(labels[i])) for i in shown]
    left_out = len(memories) - len(mapped)
    subtitle = _subtitle(len(mapped), len(dots), len(groups), left_out)
    svg = draw_scatter(Scatter(title, subtitle, dots, groups, "no memories yet"))
    return MemoryMap(svg, groups, len(mapped), len(dots), left_out)


def _components(vectors: Sequence[npt.ArrayLike]) -> Matrix:
    """The vectors of unit length in their principal components, the strongest first."""
    if not vectors:
        return np.zeros((0, 2))
    matrix = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    matrix -= matrix.mean(axis=0)
    return np.asarray(matrix @ _axes(matrix, _COMPONENTS))


def _axes(matrix: Matrix, count: int) -> Matrix:
    """The strongest axes as columns; each points to where its largest number is positive."""
    _, _, rows = np.linalg.svd(matrix.T @ matrix)
    axes = rows[:count].T
    largest = axes[np.argmax(np.abs(axes), axis=0), np.arange(axes.shape[1])]
    return np.asarray(axes * np.where(largest < 0, -1.0, 1.0))


def _cluster(points: Matrix, wanted: int | None) -> Labels:
    """Cluster by direction; of much, an even sample says where the centres are."""
    if len(points) < 2 * _LEAST and wanted is None:
        return np.zeros(len(points), np.int64)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    points = points / np.maximum(lengths, 1e-12)
    sample = points[:: -(-len(points) // _SAMPLE) or 1]
    if wanted is not None:
        best = _k_means(sample, min(wanted, len(sample)))
    else:
        tried = [_k_means(sample, k) for k in range(2, min(MOST_GROUPS, len(sample) // _LEAST) + 1)]
        best = max(tried, key=lambda centres: _silhouette(sample, centres))
    nearest = np.argmin(_distances(points, best), axis=1)
    return np.unique(nearest, return_inverse=True)[1].astype(np.int64)


def _k_means(points: Matrix, count: int) -> Matrix:
    """The best of some runs of Lloyd's algorithm (1982), started by k-means++ (2007)."""
    chance = np.random.default_rng(0)  # always the same one
    runs = [_refined(points, _spread(points, count, chance)) for _ in range(_RUNS)]
    return min(
        runs, key=lambda centres: float(np.sum(_distances(points, centres).min(axis=1) ** 2))
    )


def _spread(points: Matrix, count: int, chance: np.random.Generator) -> Matrix:
    chosen = [int(chance.integers(len(points)))]
    while len(chosen) < count:
        far = _distances(points, points[chosen]).min(axis=1) ** 2
        if not far.any():
            break
        chosen.append(int(chance.choice(len(points), p=far / far.sum())))
    return points[chosen]


def _refined(points: Matrix, centres: Matrix) -> Matrix:
    for _ in range(_ROUNDS):
        nearest = np.argmin(_distances(points, centres), axis=1)
        moved = [points[nearest == n].mean(axis=0) for n in np.unique(nearest)]
        if len(moved) == len(centres) and np.allclose(moved, centres, atol=1e-9):
            break
        centres = np.array(moved)
    return centres


def _distances(points: Matrix, centres: Matrix) -> Matrix:
    squares = (
        np.sum(points**2, axis=1)[:, None]
        - 2 * points @ centres.T
        + np.sum(centres**2, axis=1)[None, :]
    )
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def _silhouette(points: Matrix, centres: Matrix) -> float:
    """How much nearer points are to their own centre than to the next one, on average."""
    if len(centres) < 2:
        return 0.0
    nearest = np.sort(_distances(points, centres), axis=1)
    return float(np.mean(1 - nearest[:, 0] / np.maximum(nearest[:, 1], 1e-12)))


def _by_size(labels: Labels) -> Labels:
    """Number the clusters by size, the largest first."""
    sizes = Counter(labels.tolist())
    order = {number: place for place, (number, _) in enumerate(sizes.most_common())}
    return np.array([order[number] for number in labels.tolist()], dtype=np.int64)


def _places(points: Matrix, labels: Labels) -> Matrix:
    """Two dimensions, in a sheet 1.5 wide and 1 high; clusters that overlap are moved apart."""
    if len(points) == 0:
        return points
    centres = _means(points, labels)
    turned = _PULL * points + (1 - _PULL) * centres[labels]
    places = np.zeros((len(points), 2))
    axes = _axes(turned, 2)
    places[:, : axes.shape[1]] = turned @ axes
    span = np.ptp(places, axis=0)
    places *= np.array([1.5, 1.0]) / np.where(span > 1e-12, span, 1.0)
    middles = _means(places, labels)
    away = np.linalg.norm(places - middles[labels], axis=1)
    reach = np.array([np.quantile(away[labels == n], 0.7) for n in range(len(middles))])
    return np.asarray(places + (_moved_apart(middles, reach + 0.05) - middles)[labels])


def _moved_apart(middles: Matrix, reach: npt.NDArray[np.float64]) -> Matrix:
    """Push circles apart, a little at a time, until none overlap or patience ends."""
    middles = middles.copy()
    for _ in range(_PUSHES):
        gaps = middles[:, None, :] - middles[None, :, :]
        distances = np.linalg.norm(gaps, axis=2)
        overlaps = np.maximum(reach[:, None] + reach[None, :] - distances, 0.0)
        np.fill_diagonal(overlaps, 0.0)
        if not overlaps.any():
            break
        ways = gaps / np.maximum(distances, 1e-9)[:, :, None]
        middles += 0.25 * np.sum(overlaps[:, :, None] * ways, axis=1)
    return middles


def _means(points: Matrix, labels: Labels) -> Matrix:
    return np.array([points[labels == n].mean(axis=0) for n in range(int(labels.max()) + 1)])


def _names(texts: Sequence[str], labels: Labels, points: Matrix) -> list[str]:
    """The commonest distinguishing words of each cluster, up to three.

    Of words as good as each other, those of the text nearest to the middle win.
    """
    if not texts:
        return []
    away = np.linalg.norm(points - _means(points, labels)[labels], axis=1)
    inside: list[Counter[str]] = [Counter() for _ in range(int(labels.max()) + 1)]
    spelled: dict[str, Counter[str]] = {}
    for place in np.argsort(away, kind="stable").tolist():
        words = {word.casefold(): word for word in _WORD.findall(texts[place])}
        for plain in [each for each in words if each not in _COMMON]:
            spelled.setdefault(plain, Counter())[words[plain]] += 1
            inside[labels[place]][plain] += 1
    total = sum(inside, Counter[str]())
    return [
        ", ".join(spelled[word].most_common(1)[0][0] for word in _distinguishing(here, total))
        for here in inside
    ]


def _distinguishing(here: Counter[str], total: Counter[str]) -> list[str]:
    """Up to three words, by how many texts here have them and what share of all that is."""
    scores = {word: count * (count / total[word]) ** 2 for word, count in here.items()}
    best = sorted(scores, key=lambda word: -scores[word])  # stable: nearest first
    return best[:3]


def _dot(memory: Memory, place: npt.NDArray[np.float64], group: int) -> Dot:
    text = shorten(memory.text, _LONGEST)
    return Dot(
        float(place[0]),
        float(place[1]),
        memory.importance,
        group,
        f"{text} (importance {memory.importance:.2f}, used {memory.accesses} times)",
    )


def _subtitle(mapped: int, drawn: int, clusters: int, left_out: int) -> str:
    parts = [f"{mapped:,} memories" if mapped != 1 else "1 memory"]
    if drawn < mapped:
        parts.append(f"the {drawn:,} most important are drawn")
    if clusters > 1:
        parts.append(f"{clusters} clusters")
    if mapped:
        parts.append("near means alike, larger means more important")
    if left_out:
        parts.append(f"{left_out:,} without a vector left out")
    return " · ".join(parts)
