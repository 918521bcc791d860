"""Read labels and predictions of a part of a section as levels for an `IndexItem`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from geocnn_gui.data.colour_maps import CONFIDENCE_MAP, DIVERGING_MAP
from geocnn_gui.gui.canvas.index_item import aligned, thinned

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.data.source import Plane, Window
    from geocnn_gui.gui.canvas.parts import Part
    from geocnn_gui.gui.state import ShownMap
    from geocnn_gui.labels.store import LabelStore
    from geocnn_gui.scoring.compare import ErrorMap

_AT_ONCE = 4_000_000


#: Reads uint8 levels of a window, in the source's array order.
Levels: TypeAlias = "Callable[[Window], np.ndarray]"


def label_levels(store: LabelStore, plane: Plane, part: Part) -> np.ndarray:
    """Return class ids uint8 of `part.shape`; where the step is above 1 the largest id wins."""
    return _sparse(store.read, lambda: store.snapshot().labelled_windows(), plane, part)


def error_levels(marks: ErrorMap, plane: Plane, part: Part) -> np.ndarray:
    """Return marks uint8 of `part.shape`; where the step is above 1 a wrong cell wins."""
    return _sparse(marks.read_classes, marks.truth.labelled_windows, plane, part)


def _sparse(
    read: Levels, windows: Callable[[], list[Window]], plane: Plane, part: Part
) -> np.ndarray:
    """Return levels of which every one counts; of a large part only `windows` are read."""
    whole = plane.window(part.rows, part.columns)
    if not is_large(part):
        return thinned(plane.picture(read(whole)), part.step)
    levels = np.zeros(part.shape, np.uint8)
    for chunk in windows():
        if (window := chunk.intersection(whole)) is not None:
            _add_block(levels, part, plane, plane.picture(read(window)), window)
    return levels


def class_levels(store: ShownMap) -> Levels:
    """Return a reader of predicted class ids; 0 is not predicted."""
    return store.read_classes


def confidence_levels(store: ShownMap) -> Levels:
    """Return a reader of confidence as levels 1-255 for 0 to 1; 0 is not predicted."""

    def read(window: Window) -> np.ndarray:
        confidence = store.read_confidence(window) * np.float32(254) + np.float32(1.5)
        return np.where(store.read_classes(window) > 0, confidence.astype(np.uint8), 0)

    return read


def value_levels(store: ShownMap) -> Levels:
    """Return a reader of values as levels 1-255 between the limits; 0 is not predicted."""
    low, high = value_limits(store)

    def read(window: Window) -> np.ndarray:
        values = store.read_values(window)
        shares = np.clip((np.nan_to_num(values) - low) / (high - low), 0, 1)
        levels = (shares * np.float32(254) + np.float32(1.5)).astype(np.uint8)
        return np.where(np.isfinite(values), levels, 0).astype(np.uint8)

    return read


def value_limits(store: ShownMap) -> tuple[float, float]:
    """Return the values of the first and last colour: around the middle of the training target."""
    target = store.target
    assert target is not None
    return target.limits


def is_centred(store: ShownMap) -> bool:
    """Say whether values swing around 0, as amplitudes do."""
    target = store.target
    return target is not None and target.centred


def value_map(store: ShownMap | None) -> str:
    """Return the colour map of a prediction's values, or of its confidence."""
    return DIVERGING_MAP if store is not None and is_centred(store) else CONFIDENCE_MAP


def picture_levels(read: Levels, plane: Plane, part: Part) -> np.ndarray:
    """Return levels uint8 of `part.shape`, every `part.step`-th cell.

    Above step 1 only every so-manyth line of the array is read, along its slower axis.
    """
    if part.step == (1, 1):
        return plane.picture(read(plane.window(part.rows, part.columns)))
    if plane.row_axis < plane.column_axis:
        lines = _lines(part.rows, part.step[0], lambda at: plane.window(at, part.columns))
        rows = [plane.picture(read(window))[:, :: part.step[1]] for window in lines]
        return np.concatenate(rows, axis=0)
    lines = _lines(part.columns, part.step[1], lambda at: plane.window(part.rows, at))
    columns = [plane.picture(read(window))[:: part.step[0]] for window in lines]
    return np.concatenate(columns, axis=1)


def _lines(cells: slice, step: int, window: Callable[[slice], Window]) -> list[Window]:
    return [window(slice(at, at + 1)) for at in range(cells.start, cells.stop, step)]


def _add_block(
    levels: np.ndarray, part: Part, plane: Plane, block: np.ndarray, window: Window
) -> None:
    """Put the labels of one chunk into the thinned levels; chunks may share an edge block."""
    cells = plane.cells(window)
    target = aligned(part, *cells) if cells else None
    if target is None or cells is None:
        return
    before = (cells[0].start - target.rows.start, cells[1].start - target.columns.start)
    block = thinned(np.pad(block, ((before[0], 0), (before[1], 0))), part.step)
    row = (target.rows.start - part.rows.start) // part.step[0]
    column = (target.columns.start - part.columns.start) // part.step[1]
    view = levels[row : row + block.shape[0], column : column + block.shape[1]]
    np.maximum(view, block, out=view)


def is_large(part: Part, *, several: int = 1) -> bool:
    """Say whether labels of a part, or of `several`, take a while to be read; of a whole raster."""
    cells = (part.rows.stop - part.rows.start) * (part.columns.stop - part.columns.start)
    return part.step != (1, 1) and several * cells > _AT_ONCE
