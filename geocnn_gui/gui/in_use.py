"""Keep a source open for as long as something reads it."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from geocnn_gui.data.source import Source

T = TypeVar("T")


class SourceLeft(Exception):
    """A source left the view before it was read."""


class InUse:
    """Counts who reads each source, on any thread; the last one closes a source that has left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: Counter[Source] = Counter()
        self._retired: WeakSet[Source] = WeakSet()

    def hold(self, source: Source) -> None:
        """Keep a source open until `release`; raises `SourceLeft` for one that is retired."""
        with self._lock:
            if source in self._retired:
                raise SourceLeft
            self._readers[source] += 1

    def release(self, source: Source) -> None:
        """Take one `hold` back."""
        with self._lock:
            self._readers[source] -= 1
            idle = self._readers[source] == 0
            if idle:
                del self._readers[source]
            last = idle and source in self._retired
        if last:
            source.close()

    def retire(self, source: Source) -> None:
        """Close a source now, or when the last one that reads it is done."""
        with self._lock:
            self._retired.add(source)
            idle = source not in self._readers
        if idle:
            source.close()

    @contextmanager
    def reading(self, source: Source) -> Iterator[None]:
        """Hold a source within a block."""
        self.hold(source)
        try:
            yield
        finally:
            self.release(source)

    def bound(self, source: Source, read: Callable[[], T]) -> Callable[[], T]:
        """Return `read` so that the source stays open while it runs."""

        def run() -> T:
            with self.reading(source):
                return read()

        return run
