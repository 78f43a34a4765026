"""What a cache has done, in figures, and what they suggest."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["CacheInfo"]

_FEW: Final = 50  # reads, before which rates say nothing
_LOW: Final = 0.05  # of the reads answered: less is not worth it
_GOOD: Final = 0.2


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What a cache has done in this process, and what it holds.

    Attributes:
        hits: Calls that were answered from it.
        misses: Calls that were made.
        coalesced: Calls that waited for the same call of another.
        entries: Results that it holds.
        bytes: Of what it holds; 0 where objects are kept as they are.
        evicted: Results that went to make room.
        expired: Results that were asked for when their time was over.
        failed: Results that could not be kept, or not be read again.
        last_failure: Why, of the last of them.
    """

    hits: int = 0
    misses: int = 0
    coalesced: int = 0
    entries: int = 0
    bytes: int = 0
    evicted: int = 0
    expired: int = 0
    failed: int = 0
    last_failure: str = ""

    @property
    def hit_rate(self) -> float:
        """The share of the reads that were hits, from 0 to 1."""
        return self.hits / max(1, self.hits + self.misses)

    def advice(self) -> tuple[str, ...]:
        """Return what the figures suggest, a sentence each; nothing when all is well.

        Examples:
            >>> CacheInfo(hits=3, misses=997).advice()
            ('Only 0.3 % of 1000 calls were answered from it: turn it off.',)
        """
        reads = self.hits + self.misses
        if reads < _FEW:
            found = [f"It was asked {reads} times, which is too few to judge it by."]
        else:
            found = [*self._on_size(reads), *self._on_time()]
        if self.failed:
            found.append(
                f"{self.failed} results could not be kept or read; of the last one: "
                f"{self.last_failure}."
            )
        return tuple(found)

    def _on_size(self, reads: int) -> Iterator[str]:
        rate = f"{100 * self.hit_rate:.3g} %"
        if self.evicted > self.misses / 10 and self.hit_rate >= _GOOD:
            yield (
                f"{rate} of {reads} calls are hits, and {self.evicted} results had to make room: "
                f"let it hold more than {self.entries}."
            )
        elif self.hits + self.coalesced < _LOW * reads and self.expired <= self.misses / 2:
            yield f"Only {rate} of {reads} calls were answered from it: turn it off."

    def _on_time(self) -> Iterator[str]:
        if self.expired > self.misses / 2:
            yield (
                f"{self.expired} of {self.misses} misses had been there and were too old: give it "
                "a longer ttl, if what it holds is true for longer."
            )
