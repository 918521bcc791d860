"""Labelled pictures for the tests of splits, and brute-force looks at what a split does to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Plane, Section
from geocnn_gui.scoring.buffer import along_axes
from geocnn_gui.scoring.split import LabelledCells, LabelledPlane

if TYPE_CHECKING:
    from geocnn_gui.scoring.regions import PlaneSplit
    from geocnn_gui.scoring.split_plan import SplitPlan

NAMES = "ABCDEFGH"


def a_raster(labels: np.ndarray, source: int = 0) -> LabelledPlane:
    """A 2-D source whose picture is `labels` (0 unlabelled)."""
    return LabelledPlane(source, Plane(Section(), 2, 0, 1), labels.shape, cells_of(labels))


def a_cube(cube: np.ndarray, sections: list[tuple[int, int]]) -> list[LabelledPlane]:
    """Sections (axis, index) of a cube of labels, samples along its last axis."""
    planes = []
    for axis, index in sections:
        row, column = {0: (2, 1), 1: (2, 0), 2: (0, 1)}[axis]
        plane = Plane(Section(axis, index), 3, row, column)
        labels = plane.picture(cube[plane.window(slice(0, cube.shape[row]),
                                                 slice(0, cube.shape[column])).slices])  # fmt: skip
        planes.append(LabelledPlane(0, plane, labels.shape, cells_of(labels)))
    return planes


def cells_of(labels: np.ndarray) -> LabelledCells:
    rows, columns = np.nonzero(labels)
    return LabelledCells(rows, columns, labels[rows, columns].astype(np.int64) - 1)


def squares(
    seed: int, shape: tuple[int, int], *, classes: int, each: int, side: int, source: int = 0
) -> LabelledPlane:
    """A raster with `each` squares of every class at random places, later ones over earlier."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint8)
    for number in np.repeat(np.arange(1, classes + 1), each):
        row, column = (int(random.integers(0, n - side)) for n in shape)
        labels[row : row + side, column : column + side] = number
    return a_raster(labels, source)


def whole(shape: tuple[int, int]) -> tuple[slice, slice]:
    return slice(0, shape[0]), slice(0, shape[1])


def labelled_in_source(plan: SplitPlan, splits: tuple[PlaneSplit, ...]) -> tuple[set, set]:
    """Return the source cells with labels that are held out or of the test, and trained on."""
    held, trained = set(), set()
    for p, split in zip(plan.planes, splits, strict=True):
        rows, columns = p.cells.rows, p.cells.columns
        out = split.is_held(rows, columns) | split.is_test(rows, columns)
        near = split.is_near(rows, columns)
        for cells, mask in ((held, out), (trained, ~near)):
            for row, column in zip(rows[mask].tolist(), columns[mask].tolist(), strict=True):
                place = [0] * p.plane.ndim
                place[p.plane.row_axis], place[p.plane.column_axis] = row, column
                if p.plane.section.axis is not None:
                    place[p.plane.section.axis] = p.plane.section.index
                cells.add((p.source, *place))
    return held, trained


def nearest_is_beyond_buffer(plan: SplitPlan, fold: int | None) -> bool:
    """Say, by pairs of labelled cells, whether training keeps the buffer from what is held."""
    splits = plan.refit() if fold is None else plan.fold(fold)
    held, trained = labelled_in_source(plan, splits)
    if not held or not trained:
        return True
    buffer = (0, *along_axes(plan.planes[0].plane, plan.buffer))
    away, near = np.array(sorted(held)), np.array(sorted(trained))
    near = np.random.default_rng(0).permutation(near)[:1500]
    close = np.ones((len(near), len(away)), bool)
    for axis, width in enumerate(buffer):
        close &= np.abs(near[:, axis, None] - away[None, :, axis]) <= width
    return not close.any()
