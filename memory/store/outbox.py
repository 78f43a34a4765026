"""How vectors reach Chroma: behind the writers, in the order of the outbox.

A vector's number is never used twice, so every step may be repeated until it succeeds.
"""

import threading
import time
from collections.abc import Sequence

import numpy as np

from cogwork.core.errors import CogworkError
from cogwork.memory.store.chroma_index import ChromaIndex
from cogwork.memory.store.exact_index import Scores
from cogwork.memory.store.records import REMOVED, Records
from cogwork.memory.store.rows import Ids

__all__ = ["Feeder"]

_PORTION = 512
_AT_ONCE = 100  # vectors; a search waits until they are in
_TURN = 0.001  # seconds in which a search gets its turn
_GRACE = 0.3  # seconds that closing a store waits
_PATIENCE = 5.0  # seconds between attempts while Chroma cannot be reached


class Feeder:
    """Feeds Chroma in a thread that starts when it is first needed.

    Args:
        records: Where the outbox is.
        chroma: Whom to feed; None if there is no Chroma, and nothing is fed.
        threshold: With more vectors than this Chroma is needed; with more than this in
            the outbox it is not asked.
    """

    def __init__(self, records: Records, chroma: ChromaIndex | None, threshold: int) -> None:
        self._records = records
        self._chroma = chroma
        self._threshold = threshold
        self._total = records.vector_total()
        self._feeding = threading.Lock()
        self._starting = threading.Lock()
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._agreed = False
        self.error: CogworkError | None = None

    @property
    def state(self) -> str:
        """`none`, `idle` before Chroma was needed, then `loading`, `ready` or `failing`."""
        if self._chroma is None:
            return "none"
        if self.error is not None:
            return "failing"
        if self._agreed:
            return "ready"
        return "idle" if self._thread is None else "loading"

    def written(self, added: int) -> None:
        """Follow a write that added so many vectors."""
        with self._starting:
            self._total += added
        if self._total > self._threshold:
            self.wake()

    def wake(self) -> None:
        """Feed soon; returns at once."""
        self._woken.set()
        if self._thread is None and self._chroma is not None:
            with self._starting:
                if self._thread is None and not self._stopped.is_set():
                    self._thread = threading.Thread(
                        target=self._run, name="cogwork-chroma", daemon=True
                    )
                    self._thread.start()

    def candidates(self, query: Scores, count: int) -> Ids | None:
        """Return the numbers of vectors that may be nearest, or None if Chroma cannot tell.

        What Chroma has not heard of yet is among them, so nothing just written is missed.
        """
        if self._chroma is None or self.state != "ready":
            self.wake()
            return None
        pending = self._records.pending(self._threshold + 1)
        if len(pending) > self._threshold:
            return None
        try:
            nearest = self._chroma.nearest(query, count)
        except CogworkError as error:
            self.error = error
            self.wake()
            return None
        return np.union1d(nearest, np.array(pending, np.int64))

    def flush(self) -> None:
        """Return when Chroma has everything that was written before the call.

        Raises:
            MemoryStoreError: Chroma cannot be opened or written.
        """
        chroma = self._chroma
        if chroma is None:
            return
        with self._feeding:
            known = self.error
            if known is not None:  # whether it is back, and has what it had, is to be asked
                self._agreed = False
            try:
                with self._records.feeding():
                    self._feed(chroma)
                    if not self._agreed:
                        self._agree(chroma)
            except CogworkError as error:
                self.error = error
                raise
            if self.error is known:  # else a search has met another meanwhile
                self.error = None

    def rebuild(self) -> None:
        """Empty Chroma and give it every vector again.

        Raises:
            MemoryStoreError: Chroma cannot be emptied or written.
        """
        if self._chroma is None:
            return
        with self._feeding, self._records.feeding():
            self._agreed = False
            self._chroma.clear()
            self._records.enqueue_all()
        self.flush()

    def stop(self) -> None:
        """Stop after the portion under way; the rest waits in the outbox.

        While Chroma is still loading, the thread is left to end by itself.
        """
        with self._starting:
            self._stopped.set()
        self._woken.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_GRACE)
        if thread is None or not thread.is_alive():
            self._let_go()

    def _let_go(self) -> None:
        if self._chroma is not None:
            self._chroma.close()

    def _run(self) -> None:
        try:
            self._run_until_stopped()
        finally:
            self._let_go()

    def _run_until_stopped(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                self.flush()
            except CogworkError:  # kept in `error`; the outbox keeps what is to be done
                self._stopped.wait(_PATIENCE)
            else:
                self._woken.wait()

    def _feed(self, chroma: ChromaIndex) -> None:
        """Send the outbox, a portion at a time."""
        while not self._stopped.is_set():
            taken = self._records.take(_PORTION)
            if not taken:
                return
            self._add(chroma, [vector for vector, state in taken if state != REMOVED])
            chroma.remove([vector for vector, state in taken if state == REMOVED])
            self._records.confirm(taken)

    def _add(self, chroma: ChromaIndex, ids: Sequence[int]) -> None:
        present, matrix = self._records.vectors(ids)
        for start in range(0, len(present), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            chroma.add(present[part].tolist(), matrix[part])
            time.sleep(_TURN)

    def _agree(self, chroma: ChromaIndex) -> None:
        """Mend what Chroma lost or has too much: after a loss of power, or of another place."""
        if self._stopped.is_set():
            return
        ours, theirs = set(self._records.vector_ids()), chroma.ids()
        missing, surplus = sorted(ours - theirs), sorted(theirs - ours)
        for start in range(0, len(missing), _PORTION):
            self._add(chroma, missing[start : start + _PORTION])
        for start in range(0, len(surplus), _PORTION):
            chroma.remove(surplus[start : start + _PORTION])
        self._agreed = True
