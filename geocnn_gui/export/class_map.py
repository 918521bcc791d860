"""Predictions that come from elsewhere than a store: maps in files, and one class of several."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Source, Window, open_source
from geocnn_gui.data.statistics import estimate_statistics
from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Event, Progress
from geocnn_gui.export.layers import ModelPrediction, Prediction, slabs
from geocnn_gui.labels.classes import Classes, by_id, classes_for
from geocnn_gui.labels.files import Grid, grid_on, ids_on
from geocnn_gui.labels.rasters import names_and_colors
from geocnn_gui.labels.targets import TargetValues, target_on
from geocnn_gui.models.target import Target

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


@dataclass(frozen=True, slots=True)
class ValueMap:
    """A map of values in a file, as a prediction on a source's grid; `files` is what is read."""

    source: Source
    target: Target
    files: tuple[Path, ...]
    _values: TargetValues = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the cells per axis of the source."""
        return self.source.shape

    def read_values(self, window: Window) -> np.ndarray:
        """Return values float32 (*window.size), NaN where there is none."""
        return np.ascontiguousarray(self._values.read(window))

    def read_classes(self, window: Window) -> np.ndarray:
        """Return uint8 (*window.size): 1 where there is a value."""
        return np.isfinite(self.read_values(window)).astype(np.uint8)

    def read_confidence(self, window: Window) -> np.ndarray:
        """Return float32 (*window.size): 1 where there is a value."""
        return np.isfinite(self.read_values(window)).astype(np.float32)


def _value_map(path: Path, label: Source, source: Source) -> ValueMap | None:
    """Return a map of values, None where a file holds whole numbers as classes have, or data."""
    picture = label.kind == "raster" and label.format not in _ARRAYS
    if not picture or label.dtype.kind != "f" or len(label.bands) != 1:
        return None
    (facts,) = estimate_statistics(label)
    middle = facts.median, facts.low, facts.high
    if facts.minimum >= 0 and facts.maximum <= 254 and all(v == round(v) for v in middle):
        return None
    values = target_on(label, source)
    name = label.bands[0].name or values.name
    target = Target(name=name[:80], unit=values.unit, mean=facts.median, scale=facts.scale)
    return ValueMap(source, target, (path,), values)


@contextmanager
def open_map(
    path: Path,
    *,
    data: Path | None = None,
    confidence: Path | None = None,
    classes: Classes = (),
) -> Iterator[ClassMap | ValueMap]:
    """Open a map of classes or values that was predicted, on its own grid or that of `data`.

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
        if confidence is None and (values := _value_map(path, label, source)) is not None:
            yield values
            return
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
