"""A prediction on disk: classes, confidence and, where asked for, each class's probability.

Of a continuous target: its values, and 1 for a class where there is one.

Three C-ordered arrays in a folder, filled tile by tile. Confidence is stored in steps of 1/255,
probabilities in steps of 1/65535; there the likeliest class is never level with another, so that
it is the one in the array of classes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from geocnn_gui.data.identity import identity_of
from geocnn_gui.data.source import Window
from geocnn_gui.errors import BadRequest, UnreadableFile, writing
from geocnn_gui.files import write_bytes
from geocnn_gui.inference.journal import JOURNAL, Journal, Record, read_record
from geocnn_gui.inference.model_state import model_state
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.target import Target

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.data.source import Source
    from geocnn_gui.labels.classes import Classes

_CARD, _CLASSES, _CONFIDENCE = "card.json", "classes.npy", "confidence.npy"
_PROBABILITIES, _VALUES = "probabilities.npy", "values.npy"
_FILES = (_CLASSES, _CONFIDENCE, _PROBABILITIES, _VALUES, JOURNAL)
_LEVELS = 65535
#: Up to so many cells times classes, 200 MB, a 2-D source's probabilities are stored unasked.
_UNASKED = 100_000_000


class _Array(BaseModel):
    """How one array file is to be read: the axes in array order, the first varying slowest."""

    model_config = ConfigDict(frozen=True)

    file: str
    axes: tuple[str, ...]
    dtype: str
    order: Literal["C"] = "C"
    meaning: str


class _Card(BaseModel):
    """What card.json holds; a folder without it is no prediction."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    shape: tuple[int, ...]
    classes: tuple[LabelClass, ...]
    source: str = ""
    data: str = ""  # what `data_mark` says of the source; stores of version 0.1.0 do not say
    model: str = ""
    complete: bool = False
    tiling: str = ""  # "exact" or "blended"
    arrays: tuple[_Array, ...] = ()  # stores of version 0.1.0 do not say
    target: Target | None = None  # what the values are; `classes` then has one that stands for it

    @property
    def subject(self) -> tuple[object, ...]:
        """Return what must be the same for cells of two tasks to stand in one store."""
        model = self.model.rpartition(" ")[2]  # the same under any file name
        return self.shape, self.classes, self.data, model, self.target


class PredictionStore:
    """Class ids and confidence of a source's cells, memory-mapped, in the source's array order.

    Id 0 means not predicted (not yet, or no live data there); its confidence is 0, its
    probabilities are NaN. Several objects, threads or processes may read while one writes.
    """

    def __init__(self, folder: Path, card: _Card, *, writable: bool) -> None:
        self.folder = folder
        self._card = card
        self._shown: Classes = ()
        mode = "r+" if writable else "r"
        self._classes = _load(folder / _CLASSES, card.shape, "|u1", mode)
        self._confidence = self._values = None
        if card.target is None:
            self._confidence = _load(folder / _CONFIDENCE, card.shape, "|u1", mode)
        else:
            self._values = _load(folder / _VALUES, card.shape, "<f4", mode)
        self._probabilities: np.ndarray | None = None
        if (folder / _PROBABILITIES).exists():
            whole = (len(card.classes), *card.shape)
            self._probabilities = _load(folder / _PROBABILITIES, whole, "<u2", mode)

    @classmethod
    def create(
        cls,
        folder: Path,
        source: Source,
        classes: Classes,
        *,
        model: str = "",
        probabilities: bool = False,
        target: Target | None = None,
    ) -> PredictionStore:
        """Open a prediction of `source` for writing; raises `CannotWrite`.

        What `folder` already holds is kept where it is a prediction of the same source by the
        same `model`, so that section after section can be added; otherwise it is replaced.
        With `probabilities` the store has room for them; one that already has keeps them. Cells
        that were predicted without have none. With a `target` it holds values.
        """
        card = _Card(
            shape=source.shape, classes=classes, source=source.name, data=data_mark(source),
            model=model, target=target,
        )  # fmt: skip
        old = _read_card(folder)
        kept = bool(model) and old is not None and old.subject == card.subject
        probabilities |= kept and (folder / _PROBABILITIES).exists()
        arrays = _arrays(source, probabilities=probabilities) if target is None else _value_arrays(
            source, target)  # fmt: skip
        card = card.model_copy(update={"arrays": arrays})
        if kept:
            with suppress(OSError, ValueError):
                return cls._of(folder, card)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name in (_CARD, *_FILES):
                # A new file, not the old one emptied: someone may still be looking at that.
                (folder / name).unlink(missing_ok=True)
            return cls._of(folder, card)

    @classmethod
    def _of(cls, folder: Path, card: _Card) -> PredictionStore:
        """Make the arrays of `card` that are missing, open all for writing, and write the card."""
        for array in card.arrays:
            if not (folder / array.file).exists():
                lead = (len(card.classes),) if array.file == _PROBABILITIES else ()
                # Sparse: cells take room on disk when they are written.
                np.lib.format.open_memmap(
                    folder / array.file, "w+", np.dtype(array.dtype), (*lead, *card.shape)
                )
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
        return self._shown or self._card.classes

    def show_as(self, classes: Classes) -> bool:
        """Take names and colours from `classes` of the same ids; say whether any has changed."""
        if self.target is not None:
            return False
        before, known = self.classes, {c.id: c for c in classes}
        self._shown = tuple(known.get(c.id, c) for c in self._card.classes)
        return self._shown != before

    def is_of(self, source: Source) -> bool:
        """Say whether this is a prediction of just these data, read as they are now."""
        if self.shape != source.shape:
            return False
        if not self._card.data:
            return _precedes(source, self.folder / _CARD)
        return self._card.data == data_mark(source)

    @property
    def model(self) -> str:
        """Return the model file's name and a digest of it, "" where it was not said."""
        return self._card.model

    @property
    def has_probabilities(self) -> bool:
        """Say whether the probability of every class is stored, not only the highest."""
        return self._probabilities is not None

    @property
    def target(self) -> Target | None:
        """Return what the values are, None where there are classes."""
        return self._card.target

    @property
    def tiling(self) -> str:
        """Return "exact", or "blended" where tiles overlap, "" where it was not said."""
        return self._card.tiling

    @property
    def complete(self) -> bool:
        """Say whether everything that was asked for has been predicted."""
        return self._card.complete

    def read_classes(self, window: Window) -> np.ndarray:
        """Return class ids uint8 (*window.size), a copy."""
        return np.array(self._classes[window.slices])

    def read_confidence(self, window: Window) -> np.ndarray:
        """Return confidence float32 0..1 (*window.size), a copy; of values 1 where there is one."""
        if self._confidence is None:
            return (self._classes[window.slices] > 0).astype(np.float32)
        return self._confidence[window.slices].astype(np.float32) / np.float32(255)

    def read_values(self, window: Window) -> np.ndarray:
        """Return values float32 (*window.size) in the target's unit, NaN where not predicted.

        Raises
        ------
        BadRequest
            When this is a prediction of classes.
        """
        if self._values is None:
            raise BadRequest(
                f"The prediction in {self.folder} holds classes and no values",
                "predict with a model of a continuous value",
            )
        known = self._classes[window.slices] > 0
        return np.where(known, self._values[window.slices], np.float32(np.nan))

    def read_probabilities(self, window: Window) -> np.ndarray:
        """Return probabilities float32 0..1 (classes, *window.size), NaN where not predicted.

        Raises
        ------
        BadRequest
            When this prediction was made without.
        """
        if self._probabilities is None:
            raise BadRequest(
                f"The prediction in {self.folder} holds no probabilities",
                "predict again with probabilities",
            )
        levels = self._probabilities[(slice(None), *window.slices)]
        shares = levels.astype(np.float32) / np.float32(_LEVELS)
        shares[:, ~levels.any(axis=0)] = np.nan
        return shares

    def write(
        self,
        window: Window,
        classes: np.ndarray,
        confidence: np.ndarray,
        probabilities: np.ndarray | None = None,
    ) -> None:
        """Store class ids and confidence (0..1), both (*window.size); raises `CannotWrite`.

        `probabilities` (classes, *window.size), 0..1, are stored where the store has them.
        """
        assert self._confidence is not None
        arrays = [(_CLASSES, self._classes), (_CONFIDENCE, self._confidence)]
        with writing(self.folder):
            for name, array in arrays:
                _reserve(self.folder / name, array, window)
            if self._probabilities is not None:
                every = Window((0, *window.offset), (len(self.classes), *window.size))
                _reserve(self.folder / _PROBABILITIES, self._probabilities, every)
        if self._probabilities is not None:
            levels = 0 if probabilities is None else self._levels(classes, probabilities)
            self._probabilities[(slice(None), *window.slices)] = levels
        self._classes[window.slices] = classes
        levels = np.rint(np.clip(confidence, 0, 1) * 255).astype(np.uint8)
        self._confidence[window.slices] = np.where(classes == 0, 0, levels)

    def write_values(self, window: Window, values: np.ndarray) -> None:
        """Store values (*window.size), NaN where there are none; raises `CannotWrite`."""
        assert self._values is not None
        with writing(self.folder):
            _reserve(self.folder / _CLASSES, self._classes, window)
            _reserve(self.folder / _VALUES, self._values, window)
        self._values[window.slices] = values
        self._classes[window.slices] = np.isfinite(values)

    def _levels(self, classes: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return probabilities as uint16 of 1/65535; that of the cell's class stands alone.

        A class that rounding makes level with it is set one step below. 0 where no class is.
        """
        numbers = np.zeros(256, np.intp)
        numbers[[c.id for c in self.classes]] = np.arange(len(self.classes))
        chosen = numbers[np.asarray(classes, np.uint8)][None]
        levels = np.rint(np.clip(shares, 0, 1) * np.float32(_LEVELS)).astype(np.uint16)
        highest = np.maximum(np.take_along_axis(levels, chosen, 0), 1)
        # A thin class named by its threshold may have others above it: those stay.
        levels = np.where(levels == highest, highest - np.uint16(1), levels)
        np.put_along_axis(levels, chosen, highest, 0)
        return np.where(classes == 0, 0, levels)

    def record(self, settings: dict[str, Any]) -> Record | None:
        """Return which tiles are done, None where they were not predicted with `settings`.

        `settings` and whether there are probabilities must be the same.
        """
        found = read_record(self.folder)
        same = found is not None and found.settings == self._with_probabilities(settings)
        return found if same else None

    def begin(self, settings: dict[str, Any], record: Record, *, tiling: str) -> Journal:
        """Begin to write down which tiles are done, on top of those of `record`."""
        record.settings = self._with_probabilities(settings)
        self._card = self._card.model_copy(update={"tiling": tiling})
        self._write_card()
        return Journal(self.folder, record, self.flush)

    def _with_probabilities(self, settings: dict[str, Any]) -> dict[str, Any]:
        return {**settings, "probabilities": self.has_probabilities}

    def flush(self) -> None:
        """Make the cells last that have been written; raises `CannotWrite`."""
        with writing(self.folder):
            for array in (self._classes, self._confidence, self._probabilities, self._values):
                if isinstance(array, np.memmap):
                    array.flush()

    def finish(self, *, complete: bool) -> None:
        """Flush the cells to disk, then say in the card whether all were predicted."""
        self.flush()
        self._card = self._card.model_copy(update={"complete": complete})
        self._write_card()

    def close(self) -> None:
        """Release the files."""
        del self._classes, self._confidence, self._probabilities, self._values

    def _write_card(self) -> None:
        write_bytes(self.folder / _CARD, self._card.model_dump_json(indent=1).encode())


def _read_card(folder: Path) -> _Card | None:
    """Return what is said of the prediction in `folder`, as of one that is not complete."""
    with suppress(OSError, ValidationError):
        card = _Card.model_validate_json((folder / _CARD).read_bytes())
        return card.model_copy(update={"complete": False})
    return None


def data_mark(source: Source) -> str:
    """Return a digest of what a source's file holds and of how its samples are read.

    Time or depth is no matter: the samples stay.
    """
    with suppress(OSError):
        read = sorted((k, v) for k, v in source.choices.items() if k != "vertical")
        return hashlib.sha256(f"{identity_of(source)} {read}".encode()).hexdigest()[:16]
    return "gone"


def _precedes(source: Source, card: Path) -> bool:
    """Say whether a source's file has been as it is since before a card of it was written."""
    with suppress(OSError):
        return source.path is None or source.path.stat().st_mtime_ns <= card.stat().st_mtime_ns
    return False


def disown(folder: Path) -> None:
    """Let the stores in `folder` that do not say of which data they are count for no data.

    For when a source becomes another file, or is read in another way; raises `CannotWrite`.
    """
    for path in folder.glob(f"*/{_CARD}"):
        card = _read_card(path.parent)
        if card is not None and not card.data:
            write_bytes(path, card.model_copy(update={"data": "other"}).model_dump_json().encode())


def folder_of(model: Path, folder: Path) -> Path:
    """Return the folder in `folder` with what a model has predicted, else for what it will.

    It has the name of what the model file holds, wherever that lies. Those of version 0.1.0 have
    the name of its place, and are found by their cards. Raises `OSError` when the model has gone.
    """
    digest = model_state(model).digest
    if not (named := folder / digest).is_dir():
        for card in sorted(folder.glob(f"*/{_CARD}")):
            if model_of(card.parent).endswith(f" {digest}"):
                return card.parent
    return named


def model_of(folder: Path) -> str:
    """Return the mark of the model whose prediction lies in `folder`, "" where there is none."""
    card = _read_card(folder)
    return "" if card is None else card.model


def progress_in(folder: Path) -> Record | None:
    """Return what a task in `folder` was asked for and has done, None where it has done nothing."""
    record = None if _read_card(folder) is None else read_record(folder)
    return record if record is not None and record.count else None


def stores_unasked(source: Source, classes: Classes) -> bool:
    """Say whether probabilities of `source` are small enough to be stored without being asked."""
    return len(source.shape) == 2 and int(np.prod(source.shape)) * len(classes) <= _UNASKED


def _arrays(source: Source, *, probabilities: bool) -> tuple[_Array, ...]:
    axes = tuple(axis.name for axis in source.axes)
    arrays = (
        _Array(file=_CLASSES, axes=axes, dtype="|u1", meaning="class id, 0: not predicted"),
        _Array(file=_CONFIDENCE, axes=axes, dtype="|u1", meaning="0 to 255 for 0 to 1"),
        _Array(
            file=_PROBABILITIES, axes=("class", *axes), dtype="<u2",
            meaning="0 to 65535 for 0 to 1, classes as listed here, all 0: not predicted",
        ),
    )  # fmt: skip
    return arrays if probabilities else arrays[:2]


def _value_arrays(source: Source, target: Target) -> tuple[_Array, ...]:
    axes = tuple(axis.name for axis in source.axes)
    return (
        _Array(file=_CLASSES, axes=axes, dtype="|u1", meaning="1 where there is a value"),
        _Array(file=_VALUES, axes=axes, dtype="<f4", meaning=target.title),
    )


def _load(path: Path, shape: tuple[int, ...], dtype: str, mode: Literal["r", "r+"]) -> np.ndarray:
    array = np.load(path, mmap_mode=mode)
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise ValueError(f"array of {array.shape} {array.dtype} in {path}")
    return array


def _reserve(path: Path, array: np.ndarray, window: Window) -> None:
    """Claim disk space for the cells of `window` in the file of `array`.

    Writing into a hole of a mapped file on a full disk kills the process (SIGBUS); asking first
    gives an `OSError` instead. Runs may be wider than the window along the last two axes.
    """
    if not hasattr(os, "posix_fallocate"):  # macOS, Windows: the second best
        if shutil.disk_usage(path.parent).free < 2 * window.cells * array.itemsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return
    strides = np.multiply(
        np.cumprod((1, *array.shape[:0:-1]), dtype=np.int64)[::-1], array.itemsize
    )
    lead = array.ndim - 2
    first = int(np.dot(window.offset[lead:], strides[lead:]))
    length = int(np.dot(np.subtract(window.size[lead:], 1), strides[lead:])) + array.itemsize
    with path.open("rb+") as file:
        header = file.seek(0, os.SEEK_END) - array.nbytes
        for index in np.ndindex(*window.size[:lead]):
            start = int(np.dot(np.add(index, window.offset[:lead]), strides[:lead]))
            os.posix_fallocate(file.fileno(), header + start + first, length)
