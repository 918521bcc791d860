"""Reading for the screen off the window's thread; an answer to an older question is dropped."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Qt, QThreadPool, Signal
from shiboken6 import isValid

from geocnn_gui.data.source import Picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.data.source import Section, Source
    from geocnn_gui.gui.canvas.parts import Part

#: A section of at most so many values is read once and kept, so that zooming reads nothing.
KEPT_VALUES = 8_000_000


class Reader(QObject):
    """Run reads on two threads, the newest of each topic.

    Every question gets a generation number. A question that was overtaken before it began is
    not read at all; the answer to one overtaken meanwhile is dropped.

    Signals
    -------
    answered: topic and what the read returned. failed: topic and the exception.
    busy_changed: `busy`.
    """

    answered = Signal(str, object)
    failed = Signal(str, object)
    busy_changed = Signal(bool)
    _done = Signal(str, int, object)

    def __init__(self) -> None:
        super().__init__()
        self._pool = QThreadPool()
        self._pool.setMaxThreadCount(2)
        self._generations: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._waiting: set[str] = set()
        self._done.connect(self._on_done, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Say whether any answer is awaited."""
        return bool(self._waiting)

    def waits_for(self, topic: str) -> bool:
        """Say whether an answer to `topic` is awaited."""
        return topic in self._waiting

    def ask(self, topic: str, read: Callable[[], Any]) -> None:
        """Run `read` on a thread; its answer arrives by `answered` unless `topic` is asked anew."""
        generation = self._generations[topic] = next(self._numbers)
        self._set_waiting(self._waiting | {topic})
        self._pool.start(lambda: self._run(topic, generation, read))

    def forget(self, topic: str) -> None:
        """Drop the question that is open, if any."""
        self._generations[topic] = next(self._numbers)
        self._set_waiting(self._waiting - {topic})

    def forget_all(self) -> None:
        """Drop every question that is open."""
        for topic in tuple(self._generations):
            self.forget(topic)

    def close(self) -> None:
        """Drop all questions and wait for the reads in hand to end."""
        for topic in self._generations:
            self._generations[topic] = next(self._numbers)
        self._waiting.clear()
        if isValid(self._pool):  # at the program's end Qt may have deleted it first
            self._pool.waitForDone()

    def _run(self, topic: str, generation: int, read: Callable[[], Any]) -> None:
        if self._generations[topic] != generation:
            return
        answer: Future[Any] = Future()
        try:
            answer.set_result(read())
        except Exception as error:  # noqa: BLE001  handed to whoever listens to `failed`
            answer.set_exception(error)
        self._done.emit(topic, generation, answer)

    def _on_done(self, topic: str, generation: int, answer: Future[Any]) -> None:
        if self._generations[topic] != generation:
            return
        self._set_waiting(self._waiting - {topic})
        error = answer.exception()
        if error is not None:
            self.failed.emit(topic, error)
        else:
            self.answered.emit(topic, answer.result())

    def _set_waiting(self, waiting: set[str]) -> None:
        changed = bool(waiting) != bool(self._waiting)
        self._waiting = waiting
        if changed:
            self.busy_changed.emit(bool(waiting))


class SectionReader:
    """Read parts of sections, averaged down to the part's step where the section is kept.

    A section of up to `KEPT_VALUES` values is read whole and kept (one only), so memory is
    bounded; of larger ones only the part is read. May be called from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: tuple[Source, Section] | None = None
        self._kept: Picture | None = None

    def read(
        self, source: Source, section: Section, part: Part, *, bands: tuple[int, ...]
    ) -> Picture:
        """Return the part's values float32 (bands, rows, columns) and its live cells."""
        if self.keeps(source, section):
            whole = self._whole(source, section)
            values = whole.values[list(bands)][:, part.rows, part.columns]
            return averaged(Picture(values, whole.live[part.rows, part.columns]), part.step)
        picture = source.read_preview(section, part.rows, part.columns, part.shape)
        return Picture(picture.values[list(bands)], picture.live)

    def keeps(self, source: Source, section: Section) -> bool:
        """Say whether a section is small enough to be kept."""
        rows, columns = source.picture_shape(section)
        return rows * columns * max(len(source.bands), 1) <= KEPT_VALUES

    def forget(self) -> None:
        """Let go of the section that is kept."""
        with self._lock:
            self._key = self._kept = None

    def _whole(self, source: Source, section: Section) -> Picture:
        with self._lock:
            if self._kept is not None and self._key == (source, section):
                return self._kept
        rows, columns = source.picture_shape(section)
        picture = source.read_picture(section, slice(0, rows), slice(0, columns))
        with self._lock:
            self._key, self._kept = (source, section), picture
        return picture


def averaged(picture: Picture, step: tuple[int, int]) -> Picture:
    """Average the live values of blocks of `step` (rows, columns) cells; edge blocks are cut."""
    if step == (1, 1):
        return picture
    live = _block_sums(picture.live.astype(np.float32), step)
    values = np.stack([_block_sums(band, step) for band in picture.values])
    return Picture(values / np.maximum(live, 1), live > 0)


def _block_sums(array: np.ndarray, step: tuple[int, int]) -> np.ndarray:
    """Sum blocks of `step` cells of a (rows, columns) array."""
    rows, columns = (np.arange(0, n, s) for n, s in zip(array.shape, step, strict=True))
    if step[0] > 1:
        array = np.add.reduceat(array, rows, axis=0)
    return np.add.reduceat(array, columns, axis=1) if step[1] > 1 else array
