"""What a figure is drawn from: the picture, the prediction and the labels, read at print size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data import display
from geocnn_gui.data.display import Stretch
from geocnn_gui.data.source import Picture, Plane, Section, Source
from geocnn_gui.data.statistics import estimate_statistics
from geocnn_gui.export.layers import ValuePrediction
from geocnn_gui.models.target import Target

if TYPE_CHECKING:
    from geocnn_gui.data.source import Axis, Window
    from geocnn_gui.export.figure import FigureSpec
    from geocnn_gui.export.layers import Prediction
    from geocnn_gui.labels.store import LabelSnapshot

#: A window of so many values is read whole and averaged; of a larger one cells are picked.
_WHOLE = 16_000_000
_AT_ONCE = 4_000_000


@dataclass(slots=True)
class Layers:
    """The parts of a figure; `read_next` fills one after the other, `steps` times in all.

    `ids`, `confidence`, `values` (of `target`, NaN where not predicted) and `labels` are (rows, columns) of the window, thinned like each other;
    None where they are not shown.
    """

    source: Source
    section: Section
    rows: slice
    columns: slice
    bands: tuple[int, ...]
    most: tuple[int, int]
    reading: list[Callable[[], None]] = field(default_factory=list)
    picture: Picture = field(init=False)
    stretch: Stretch = field(init=False)
    ids: np.ndarray | None = None
    confidence: np.ndarray | None = None
    values: np.ndarray | None = None
    target: Target | None = None
    labels: np.ndarray | None = None

    @property
    def steps(self) -> int:
        """Count what was asked for."""
        return len(self.reading)

    def read_next(self) -> None:
        """Read the next part."""
        self.reading.append(self.reading.pop(0))
        self.reading[-1]()

    @property
    def plane(self) -> Plane:
        """Return how the section lies in the source."""
        return self.source.plane(self.section)

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Return the axes down and across."""
        plane = self.plane
        return self.source.axes[plane.row_axis], self.source.axes[plane.column_axis]

    @property
    def title(self) -> str:
        """Name the source and section."""
        if self.section.axis is None:
            return self.source.name
        axis = self.source.axes[self.section.axis]
        value = f"{axis.at(self.section.index):,.6g}".replace(",", "")
        unit = f" {axis.unit}" if axis.unit else ""
        return f"{self.source.name}, {axis.title.removesuffix(f' ({axis.unit})').lower()} {value}{unit}"

    def read_picture(self, spec: FigureSpec) -> None:
        """Read the data and find what the colours span."""
        cells = (self.rows.stop - self.rows.start) * (self.columns.stop - self.columns.start)
        if cells * len(self.source.bands) <= _WHOLE:
            picture = self.source.read_picture(self.section, self.rows, self.columns)
        else:
            picture = self.source.read_preview(self.section, self.rows, self.columns, self.most)
        self.picture = picture
        figures = estimate_statistics(self.source)
        shown = [figures[band] for band in self.bands]
        self.stretch = display.stretch_of(self.source, shown, (spec.low, spec.high)).with_gain(
            spec.gain
        )

    def thinned(
        self, read: Callable[[Window], np.ndarray], *, keep_small: bool = False
    ) -> np.ndarray:
        """Read an array of the source's cells at about the printed size.

        Cells are picked; `keep_small` reads all and takes the highest of each block, so that a
        thin stroke is not lost.
        """
        plane, parts = self.plane, (self.rows, self.columns)
        steps = tuple(
            max(1, -(-(part.stop - part.start) // most))
            for part, most in zip(parts, self.most, strict=True)
        )
        slow = 0 if plane.row_axis < plane.column_axis else 1
        blocks = []
        for at in _lines(parts[slow], steps[slow], parts[1 - slow], every=keep_small):
            window = plane.window(*((at, self.columns) if slow == 0 else (self.rows, at)))
            blocks.append(_picked(plane.picture(read(window)), steps, keep_small=keep_small))
        return np.concatenate(blocks, axis=slow)


def layers_of(
    spec: FigureSpec, source: Source, prediction: Prediction | None, labels: LabelSnapshot | None
) -> Layers:
    """Return what is to be read for a figure."""
    section = spec.section or source.first_section()
    rows, columns = (
        slice(*(part or (0, size)))
        for part, size in zip((spec.rows, spec.columns), source.picture_shape(section), strict=True)
    )
    pixels = int(spec.width_mm / 25.4 * spec.dpi)
    layers = Layers(
        source, section, rows, columns, spec.bands or _natural(source), (pixels, pixels)
    )
    layers.reading.append(lambda: layers.read_picture(spec))
    if prediction is not None and spec.overlay != "none":
        layers.reading.append(lambda: _read_prediction(layers, spec, prediction))
    if labels is not None and spec.labels:
        layers.reading.append(lambda: _read_labels(layers, labels))
    return layers


def _read_prediction(layers: Layers, spec: FigureSpec, prediction: Prediction) -> None:
    if isinstance(prediction, ValuePrediction) and prediction.target is not None:
        layers.target = prediction.target
        layers.values = layers.thinned(prediction.read_values)
        return
    layers.ids = layers.thinned(prediction.read_classes)
    if spec.overlay == "confidence":
        layers.confidence = layers.thinned(prediction.read_confidence)


def _read_labels(layers: Layers, labels: LabelSnapshot) -> None:
    layers.labels = layers.thinned(labels.read, keep_small=True)


def _natural(source: Source) -> tuple[int, ...]:
    """Return the bands for red, green and blue where the source names them, else the first."""
    colours = {band.colour: i for i, band in enumerate(source.bands)}
    found = [colours.get(name) for name in ("red", "green", "blue")]
    return tuple(i for i in found if i is not None) if None not in found else (0,)


def _lines(part: slice, step: int, other: slice, *, every: bool) -> list[slice]:
    """Cut `part` into blocks of whole steps, or pick every so-manyth line where that will do."""
    if step > 1 and not every:
        return [slice(at, at + 1) for at in range(part.start, part.stop, step)]
    thick = step * max(1, _AT_ONCE // (step * (other.stop - other.start)))
    return [slice(at, min(at + thick, part.stop)) for at in range(part.start, part.stop, thick)]


def _picked(block: np.ndarray, steps: tuple[int, ...], *, keep_small: bool) -> np.ndarray:
    if not keep_small:
        return block[:: steps[0], :: steps[1]]
    for axis, step in enumerate(steps):
        block = np.maximum.reduceat(block, np.arange(0, block.shape[axis], step), axis=axis)
    return block
