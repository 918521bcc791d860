"""A prediction on disk: classes and confidence of every cell, filled tile by tile."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from geocnn_gui.errors import UnreadableFile, writing
from geocnn_gui.files import write_bytes
from geocnn_gui.labels.classes import LabelClass

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.data.source import Source, Window
    from geocnn_gui.labels.classes import Classes

_CARD, _CLASSES, _CONFIDENCE = "card.json", "classes.npy", "confidence.npy"


class _Card(BaseModel):
    """What card.json holds; a folder without it is no prediction."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    shape: tuple[int, ...]
    classes: tuple[LabelClass, ...]
    source: str = ""
    model: str = ""
    complete: bool = False


class PredictionStore:
    """Class ids and confidence of a source's cells, memory-mapped, in the source's array order.

    Id 0 means not predicted (not yet, or no live data there); its confidence is 0. Several
    objects, threads or processes may read while one writes.
    """

    def __init__(self, folder: Path, card: _Card, *, writable: bool) -> None:
        self.folder = folder
        self._card = card
        mode = "r+" if writable else "r"
        self._classes = np.load(folder / _CLASSES, mmap_mode=mode)
        self._confidence = np.load(folder / _CONFIDENCE, mmap_mode=mode)
        for array in (self._classes, self._confidence):
            if array.shape != card.shape or array.dtype != np.uint8:
                raise ValueError(f"array of {array.shape} {array.dtype} in {folder}")

    @classmethod
    def create(
        cls, folder: Path, source: Source, classes: Classes, *, model: str = ""
    ) -> PredictionStore:
        """Open a prediction of `source` for writing; raises `CannotWrite`.

        What `folder` already holds is kept where it is a prediction of the same source by the
        same `model`, so that section after section can be added; otherwise it is replaced.
        """
        card = _Card(shape=source.shape, classes=classes, source=source.name, model=model)
        if model and _read_card(folder) == card:
            with suppress(OSError, ValueError):
                store = cls(folder, card, writable=True)
                store._write_card()
                return store
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name in (_CARD, _CLASSES, _CONFIDENCE):
                # A new file, not the old one emptied: someone may still be looking at that.
                (folder / name).unlink(missing_ok=True)
            for name in (_CLASSES, _CONFIDENCE):
                # Sparse: cells take room on disk when they are written.
                np.lib.format.open_memmap(folder / name, "w+", np.uint8, card.shape)
            store = cls(folder, card, writable=True)
        store._write_card()
        return store

    @classmethod
    def open(cls, folder: Path) -> PredictionStore:
        """Open a prediction for reading, finished or not.

        Raises
        ------
        UnreadableFile
            When `folder` holds no prediction or a damaged one.
        """
        try:
            card = _Card.model_validate_json((folder / _CARD).read_bytes())
            return cls(folder, card, writable=False)
        except (OSError, ValueError, ValidationError) as error:
            raise UnreadableFile(f"{folder} holds no whole prediction", "predict again") from error

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the cells per axis of the source."""
        return self._card.shape

    @property
    def classes(self) -> Classes:
        """Return the classes that the ids stand for."""
        return self._card.classes

    @property
    def complete(self) -> bool:
        """Say whether everything that was asked for has been predicted."""
        return self._card.complete

    def read_classes(self, window: Window) -> np.ndarray:
        """Return class ids uint8 (*window.size), a copy."""
        return np.array(self._classes[window.slices])

    def read_confidence(self, window: Window) -> np.ndarray:
        """Return confidence float32 0..1 (*window.size), a copy."""
        return self._confidence[window.slices].astype(np.float32) / np.float32(255)

    def write(self, window: Window, classes: np.ndarray, confidence: np.ndarray) -> None:
        """Store class ids and confidence (0..1), both (*window.size); raises `CannotWrite`."""
        with writing(self.folder):
            for name in (_CLASSES, _CONFIDENCE):
                _reserve(self.folder / name, self.shape, window)
        self._classes[window.slices] = classes
        levels = np.rint(np.clip(confidence, 0, 1) * 255).astype(np.uint8)
        self._confidence[window.slices] = np.where(classes == 0, 0, levels)

    def finish(self, *, complete: bool) -> None:
        """Flush the cells to disk, then say in the card whether all were predicted."""
        with writing(self.folder):
            for array in (self._classes, self._confidence):
                if isinstance(array, np.memmap):
                    array.flush()
        self._card = self._card.model_copy(update={"complete": complete})
        self._write_card()

    def close(self) -> None:
        """Release the files."""
        del self._classes, self._confidence

    def _write_card(self) -> None:
        write_bytes(self.folder / _CARD, self._card.model_dump_json(indent=1).encode())


def _read_card(folder: Path) -> _Card | None:
    """Return what is said of the prediction in `folder`, as of one that is not complete."""
    with suppress(OSError, ValidationError):
        card = _Card.model_validate_json((folder / _CARD).read_bytes())
        return card.model_copy(update={"complete": False})
    return None


def _reserve(path: Path, shape: tuple[int, ...], window: Window) -> None:
    """Claim disk space for the cells of `window` (one byte each).

    Writing into a hole of a mapped file on a full disk kills the process (SIGBUS); asking first
    gives an `OSError` instead.
    """
    if not hasattr(os, "posix_fallocate"):  # macOS, Windows: the second best
        if shutil.disk_usage(path.parent).free < 2 * window.cells:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return
    strides = np.cumprod((1, *shape[:0:-1]), dtype=np.int64)[::-1]
    last = np.subtract(window.stop, 1)
    with path.open("rb+") as file:
        header = file.seek(0, os.SEEK_END) - int(np.prod(shape, dtype=np.int64))
        for index in range(window.offset[0], window.stop[0]):
            start = index * strides[0] + np.dot(window.offset[1:], strides[1:])
            stop = index * strides[0] + np.dot(last[1:], strides[1:]) + 1
            os.posix_fallocate(file.fileno(), header + int(start), int(stop - start))
