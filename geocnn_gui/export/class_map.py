"""Predictions that come from elsewhere than a store: map files, and one class of several."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Source, Window, open_source
from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Event, Progress
from geocnn_gui.export.layers import ModelPrediction, Prediction, slabs
from geocnn_gui.labels.classes import Classes, by_id, classes_for
from geocnn_gui.labels.files import Grid, grid_on, ids_on
from geocnn_gui.labels.rasters import names_and_colors

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_ARRAYS, _BLACK = ("NPY", "NPZ"), "#000000"
#: IBM floats and others may round 1 a little upwards.
_ROUNDED = 1 + 1e-5


@dataclass(frozen=True, slots=True)
class ClassMap:
    """A class map in a file, and confidence in another, as a prediction on a source's grid.

    `named` are the classes that the file names or colours, `files` what is read. Confidence is NaN where there is no
    file of it.
    """

    source: Source
    named: Classes
    files: tuple[Path, ...]
    _ids: Grid = field(repr=False)
    _confidence: Grid | None = field(default=None, repr=False)
    _percent: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the cells per axis of the source."""
        return self.source.shape

    @property
    def has_confidence(self) -> bool:
        """Say whether a file of confidence was given."""
        return self._confidence is not None

    def read_classes(self, window: Window) -> np.ndarray:
        """Return class ids uint8 (*window.size); raises `LabelsMismatch` for other values."""
        return self._ids.read(window)

    def read_confidence(self, window: Window) -> np.ndarray:
        """Return confidence float32 0..1 (*window.size), NaN where there is no file of it.

        Raises `BadRequest` where the file holds other values than confidence has.
        """
        if self._confidence is None:
            return np.full(window.size, np.nan, np.float32)
        values = self._confidence.read(window)
        values = values[0] if self._confidence.banded else values
        values, most = np.nan_to_num(values.astype(np.float32)), 100 if self._percent else 1
        if values.size and (values.min() < 0 or values.max() > most * _ROUNDED):
            said = f"it holds values from {values.min():g} to {values.max():g}, not 0 to {most}"
            raise _no_confidence(self.files[-1], said)
        return np.minimum(values / np.float32(most), 1)

    def find_classes(self) -> Generator[Event, None, Classes]:
        """Look through the map; return the classes named in it and those found besides."""
        parts, found = slabs(self.shape), np.zeros(256, bool)
        for done, window in enumerate(parts, 1):
            found[np.unique(self.read_classes(window))] = True
            yield Progress(done, len(parts), "Looking for classes")
        others = [i for i in np.flatnonzero(found).tolist() if by_id(self.named, i) is None]
        return tuple(sorted((*self.named, *classes_for(others)), key=lambda c: c.id))


@contextmanager
def open_map(
    path: Path,
    *,
    data: Path | None = None,
    confidence: Path | None = None,
    classes: Classes = (),
) -> Iterator[ClassMap]:
    """Open a class map that a prediction was saved to, on its own grid or that of `data`.

    `classes` take the place of those that the file names. Confidence in a file of integers is
    in percent.

    Raises
    ------
    UnreadableFile, LabelsMismatch
        When a file is missing or damaged, or they do not lie on one grid.
    BadRequest
        When what is given as confidence is another class map.
    """
    if confidence is not None and confidence.exists() and confidence.samefile(path):
        raise _no_confidence(confidence, "it is the class map itself")
    with ExitStack() as files:
        label = files.enter_context(open_source(path))
        source = label if data is None else files.enter_context(open_source(data))
        shares = None if confidence is None else files.enter_context(open_source(confidence))
        if shares is not None and confidence is not None and _classes_in(shares):
            raise _no_confidence(confidence, "its values are classes with names or colours")
        yield ClassMap(
            source, classes or _classes_in(label), tuple(p for p in (path, confidence) if p is not None),
            ids_on(label, source, path),
            None if shares is None else grid_on(shares, source),
            shares is not None and shares.dtype.kind in "iu",
        )  # fmt: skip


def _no_confidence(path: Path, why: str) -> BadRequest:
    return BadRequest(f"{path} is no confidence: {why}", "give the confidence of this map")


def _classes_in(label: Source) -> Classes:
    """Return the classes that a class map names or colours."""
    if label.kind != "raster" or label.path is None or label.format in _ARRAYS:
        return ()
    names, colors = names_and_colors(label.path)
    ids = {i for i, color in colors.items() if color != _BLACK} | set(names)
    classes = classes_for([i for i in ids if 0 < i <= 254], names)
    return tuple(c.model_copy(update={"color": colors.get(c.id, c.color)}) for c in classes)


@dataclass(frozen=True, slots=True)
class OneProbability:
    """A prediction whose confidence is the probability of one class, 0 where not predicted."""

    prediction: ModelPrediction
    place: int

    @classmethod
    def of(cls, prediction: Prediction, classes: Classes, class_id: int) -> Prediction:
        """Return it for a class of a prediction that has probabilities."""
        assert isinstance(prediction, ModelPrediction)
        return cls(prediction, [c.id for c in classes].index(class_id))

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the cells per axis of the source."""
        return self.prediction.shape

    def read_classes(self, window: Window) -> np.ndarray:
        """Return class ids uint8 (*window.size)."""
        return self.prediction.read_classes(window)

    def read_confidence(self, window: Window) -> np.ndarray:
        """Return the probability float32 0..1 (*window.size)."""
        return np.nan_to_num(self.prediction.read_probabilities(window)[self.place])
