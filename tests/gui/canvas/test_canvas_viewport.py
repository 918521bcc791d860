"""The mapping between cells and pixels, and the choice of what to read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QSizeF

from geocnn_gui.gui.canvas.parts import Part, still_good, wanted_part
from geocnn_gui.gui.canvas.viewport import Viewport, fit

SIZE = QSizeF(800, 500)
scales = st.floats(0.01, 90)
places = st.floats(-1000, 5000)
viewports = st.builds(Viewport, places, places, scales, scales)


@given(viewports, st.integers(0, 4000), st.integers(0, 4000))
def test_that_the_centre_of_a_cell_maps_there_and_back(
    viewport: Viewport, row: int, column: int
) -> None:
    assert viewport.cell_at(viewport.pixel_of(row, column)) == (row, column)


@given(viewports, st.floats(0, 800), st.floats(0, 500), st.floats(0.5, 2))
def test_that_zooming_keeps_the_point_under_the_cursor(
    viewport: Viewport, x: float, y: float, factor: float
) -> None:
    at = QPointF(x, y)
    assert viewport.zoomed(at, factor, factor).point_at(at) == pytest.approx(
        viewport.point_at(at), abs=1e-6
    )


@given(st.integers(1, 5000), st.integers(1, 5000), st.none() | st.floats(0.1, 10))
def test_that_a_fitted_picture_is_wholly_in_view(
    rows: int, columns: int, aspect: float | None
) -> None:
    viewport = fit(SIZE, (rows, columns), aspect)
    box = viewport.rectangle(slice(0, rows), slice(0, columns))
    assert box.left() >= -1e-6 * columns
    assert box.top() >= -1e-6 * rows
    assert box.right() <= 800 + 1e-6
    assert box.bottom() <= 500 + 1e-6
    if aspect is not None:
        assert viewport.y_scale == pytest.approx(viewport.x_scale * aspect)


@given(viewports, st.integers(1, 200_000), st.integers(1, 200_000))
def test_that_the_part_wanted_covers_the_view_within_bounded_memory(
    viewport: Viewport, rows: int, columns: int
) -> None:
    part = wanted_part(viewport, SIZE, (rows, columns), ratio=1.0, whole=1_000_000)
    seen = viewport.visible(SIZE, (rows, columns))
    assert still_good(part, part, *seen)
    assert part.shape[0] * part.shape[1] <= 4 * 800 * 500 * 1.5**2 + 10_000 + 1_000_000


def test_that_a_part_at_another_step_is_read_anew() -> None:
    fine = Part(slice(0, 100), slice(0, 100), (1, 1))
    coarse = Part(slice(0, 100), slice(0, 100), (2, 2))
    assert not still_good(fine, coarse, slice(0, 10), slice(0, 10))
    assert not still_good(fine, fine, slice(90, 101), slice(0, 10))


def test_that_the_middle_of_the_widget_stays_over_the_picture() -> None:
    viewport = fit(SIZE, (100, 100), None).panned(1e6, -1e6).within(SIZE, (100, 100))
    row, column = viewport.cell_at(QPointF(400, 250))
    assert (row, column) == (100, 0)
