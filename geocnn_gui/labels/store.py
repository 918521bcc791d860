"""Labels of one source as sparse chunks: written while painting, frozen for a training run."""

from __future__ import annotations

import hashlib
import math
from itertools import product
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Key = tuple[int, ...]
#: Cells of a chunk per number of axes; about what one screenful or one brush stroke touches.
CHUNK_SHAPES: dict[int, tuple[int, ...]] = {1: (65536,), 2: (256, 256), 3: (64, 64, 64)}


def weighed(cells: int, shape: tuple[int, ...]) -> int:
    """Return how many cells of a plane are as much work: a section of a cube cuts many chunks."""
    return 8 * cells if len(shape) == 3 else cells


class _Chunks:
    """What a store and a snapshot share: a shape, chunks by number, and reading from them."""

    def __init__(self, shape: tuple[int, ...], chunks: dict[Key, np.ndarray]) -> None:
        self.shape = tuple(int(n) for n in shape)
        self._chunk_shape = CHUNK_SHAPES[len(self.shape)]
        self._chunks = chunks

    def _read(self, window: Window) -> np.ndarray:
        values = np.zeros(window.size, np.uint8)
        for key, outer, inner in self._parts(window):
            if (chunk := self._chunk(key)) is not None:
                values[outer] = chunk[inner]
        return values

    def _chunk(self, key: Key) -> np.ndarray | None:
        return self._chunks.get(key)

    def _parts(self, window: Window) -> Iterator[tuple[Key, tuple[slice, ...], tuple[slice, ...]]]:
        """Cut `window` at chunk borders: chunk number, slices in the window, in the chunk."""
        along = []
        for low, size, end, step in zip(
            window.offset, window.size, self.shape, self._chunk_shape, strict=True
        ):
            if low < 0 or size < 0 or low + size > end:
                raise ValueError(f"{window} is not inside {self.shape}")
            along.append(_cuts(low, low + size, step))
        for parts in product(*along):
            key, outer, inner = zip(*parts, strict=True)
            yield key, outer, inner

    def _window(self, key: Key) -> Window:
        offset = tuple(k * step for k, step in zip(key, self._chunk_shape, strict=True))
        sizes = zip(offset, self._chunk_shape, self.shape, strict=True)
        return Window(offset, tuple(min(step, end - low) for low, step, end in sizes))


def _cuts(low: int, high: int, step: int) -> list[tuple[int, slice, slice]]:
    cuts = []
    for number in range(low // step, -(-high // step)):
        start, stop = max(low, number * step), min(high, (number + 1) * step)
        inner = slice(start - number * step, stop - number * step)
        cuts.append((number, slice(start - low, stop - low), inner))
    return cuts


class LabelSnapshot(_Chunks):
    """Labels as they stood at one moment; immutable, so any thread may read it.

    `counts` maps each class id to its cells; 0 (unlabelled) is not counted.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        chunks: dict[Key, np.ndarray] | None = None,
        counts: dict[int, int] | None = None,
    ) -> None:
        super().__init__(shape, chunks or {})
        self._counts = counts or {}

    @classmethod
    def from_array(cls, array: np.ndarray) -> LabelSnapshot:
        """Freeze a whole array of ids 0-254 in the source's order (line, cube or raster)."""
        if array.dtype != np.uint8 and array.size and not 0 <= array.min() <= array.max() <= 254:
            raise ValueError("class ids must be 0-254")
        store = LabelStore(array.shape)
        store.write(Window.whole(array.shape), array)
        return store.snapshot()

    @property
    def counts(self) -> dict[int, int]:
        """Return the cells of each class id above 0."""
        return dict(self._counts)

    @property
    def chunks(self) -> Mapping[Key, np.ndarray]:
        """Return the chunks that hold any label, by chunk number; read-only uint8 arrays."""
        return {key: self._chunks[key] for key in sorted(self._chunks) if self._chunks[key].any()}

    def read(self, window: Window) -> np.ndarray:
        """Return a new uint8 array (*window.size); 0 is unlabelled."""
        return self._read(window)

    def labelled_windows(self) -> list[Window]:
        """Return the windows of the chunks that hold any label, in array order."""
        return [self._window(key) for key in self.chunks]

    def parts(self) -> list[tuple[Window, np.ndarray]]:
        """Return the chunks that hold any label with their windows, in array order; read-only.

        Of a later snapshot a chunk that was not written since is the same object.
        """
        return [(self._window(key), chunk) for key, chunk in self.chunks.items()]

    @property
    def room(self) -> int:
        """Return about how many cells lie in the windows that hold any label, without a look."""
        return min(len(self._chunks) * math.prod(self._chunk_shape), math.prod(self.shape))

    @property
    def digest(self) -> str:
        """Return a hex digest of shape and labels; the same labels have the same digest."""
        digest = hashlib.sha256(repr(self.shape).encode())
        for key, chunk in self.chunks.items():
            digest.update(repr(key).encode())
            digest.update(chunk.tobytes())
        return digest.hexdigest()


class LabelStore(_Chunks):
    """The labels being painted: uint8 ids per cell, only touched chunks in memory.

    One thread writes; any thread may read or take snapshots.
    """

    def __init__(self, shape: tuple[int, ...], start: LabelSnapshot | None = None) -> None:
        """Start empty, or from a snapshot of the same shape (shared until written)."""
        if start is not None and start.shape != tuple(shape):
            raise ValueError(f"labels of {start.shape} in a store of {shape}")
        super().__init__(shape, dict(start.chunks) if start else {})
        self._lock = Lock()
        self._marks: dict[Key, int] = {}
        self._unmarked = set(self._chunks)
        self._counts = np.zeros(256, np.int64)
        for number, cells in (start.counts if start else {}).items():
            self._counts[number] = cells

    @property
    def counts(self) -> dict[int, int]:
        """Return the cells of each class id above 0; kept up to date by every write."""
        return {int(i): int(self._counts[i]) for i in np.flatnonzero(self._counts[1:]) + 1}

    @property
    def mark(self) -> int:
        """Return 64 bits that tell these labels from any others; 0 where there are none.

        Only the chunks that were written since it was last asked for are looked at.
        """
        with self._lock:
            for key in self._unmarked:
                self._marks[key] = _mark_of(key, self._chunks[key])
            self._unmarked.clear()
            return sum(self._marks.values()) % 2**64

    def read(self, window: Window) -> np.ndarray:
        """Return a new uint8 array (*window.size); 0 is unlabelled."""
        with self._lock:
            return self._read(window)

    def write(self, window: Window, values: np.ndarray | int) -> None:
        """Set the cells of `window` to `values` (an array of its size, or one id)."""
        values = np.broadcast_to(np.asarray(values, np.uint8), window.size)
        with self._lock:
            for key, outer, inner in self._parts(window):
                self._write_part(key, inner, values[outer])

    def _write_part(self, key: Key, inner: tuple[slice, ...], values: np.ndarray) -> None:
        chunk = self._chunk(key)
        if chunk is None:
            if not values.any():
                return
            chunk = self._chunks[key] = np.zeros(self._window(key).size, np.uint8)
        elif key not in self._chunks or not chunk.flags.writeable:  # someone else holds it
            chunk = self._chunks[key] = chunk.copy()
        self._counts -= np.bincount(chunk[inner].ravel(), minlength=256)
        self._counts += np.bincount(values.ravel(), minlength=256)
        self._counts[0] = 0
        chunk[inner] = values
        self._unmarked.add(key)

    def draft(self) -> LabelDraft:
        """Return a place for changes that nobody sees before they are all made."""
        return LabelDraft(self)

    def snapshot(self) -> LabelSnapshot:
        """Freeze the labels as they are now; nothing is copied until a chunk is written again."""
        with self._lock:
            for chunk in self._chunks.values():
                chunk.flags.writeable = False
            return LabelSnapshot(self.shape, dict(self._chunks), self.counts)


class LabelDraft(LabelStore):
    """Changes of a store that stay apart until `commit` makes them all at once.

    It holds the chunks that were written, and reads as if they were made. The store must not be
    written meanwhile.
    """

    def __init__(self, store: LabelStore) -> None:
        """Use `LabelStore.draft`."""
        super().__init__(store.shape)
        self._store = store  # its counts are added to, so those here are differences

    def _chunk(self, key: Key) -> np.ndarray | None:
        return self._chunks[key] if key in self._chunks else self._store._chunk(key)

    def _write_part(self, key: Key, inner: tuple[slice, ...], values: np.ndarray) -> None:
        super()._write_part(key, inner, values)
        chunk = self._chunks.get(key)
        if chunk is not None and not chunk.any():  # one byte stands for all of it
            self._chunks[key] = np.broadcast_to(np.uint8(0), chunk.shape)

    def commit(self) -> None:
        """Put everything into the store, in one moment."""
        marks = {key: _mark_of(key, chunk) for key, chunk in self._chunks.items()}
        empty = [key for key, chunk in self._chunks.items() if not chunk.any()]
        store = self._store
        with store._lock:
            store._chunks.update(self._chunks)
            store._marks.update(marks)
            for key in empty:
                del store._chunks[key], store._marks[key]
            store._unmarked -= marks.keys()
            store._counts += self._counts


def _mark_of(key: Key, chunk: np.ndarray) -> int:
    if not chunk.any():
        return 0
    digest = hashlib.sha256(repr(key).encode())  # most processors have it built in
    digest.update(np.ascontiguousarray(chunk).data)
    return int.from_bytes(digest.digest()[:8], "little")
