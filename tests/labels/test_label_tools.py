from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocnn_gui.labels.tools import Shape, brush_stroke, polygon

SIZE = (40, 30)
coordinate = st.floats(-15, 50, allow_nan=False)
points = st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=5).map(np.array)


def on_picture(drawn: Shape) -> np.ndarray:
    rows, columns, mask = drawn
    picture = np.zeros(SIZE, bool)
    picture[rows, columns] = mask
    return picture


def distance_to_line(line: np.ndarray) -> np.ndarray:
    """Distance of each cell centre to the polyline, by dense sampling."""
    dense = np.concatenate([np.linspace(a, b, 400) for a, b in pairwise(line)])
    r, c = np.indices(SIZE)
    return np.min([np.hypot(r - p[0], c - p[1]) for p in dense], axis=0)


@given(points.filter(lambda p: len(p) > 1), st.floats(1, 12))
def test_that_a_stroke_covers_the_cells_within_its_radius(line, radius):
    distance = distance_to_line(line)
    picture = on_picture(brush_stroke(line, radius, SIZE))
    assert picture[distance <= radius - 0.05].all()
    assert not picture[distance > radius + 0.05].any()


@given(points, st.floats(0.1, 12))
def test_that_a_stroke_beside_the_picture_is_clipped(line, radius):
    rows, columns, mask = brush_stroke(line, radius, SIZE)
    assert 0 <= rows.start <= rows.stop <= SIZE[0]
    assert 0 <= columns.start <= columns.stop <= SIZE[1]
    assert mask.shape == (rows.stop - rows.start, columns.stop - columns.start)


def test_that_a_click_paints_a_disc():
    picture = on_picture(brush_stroke(np.array([[10.0, 12.0]]), 2, SIZE))
    assert picture[8:13, 10:15].astype(int).tolist() == [
        [0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0],
    ]  # fmt: skip
    assert picture.sum() == 13


def test_that_the_thinnest_brush_leaves_no_gaps():
    picture = on_picture(brush_stroke(np.array([[2.0, 3.0], [30.2, 11.4]]), 0.5, SIZE))
    assert (picture[2:31].sum(axis=1) >= 1).all()
    assert picture[2, 3]
    assert picture[30, 11]
    assert on_picture(brush_stroke(np.array([[4.4, 4.6]]), 0.5, SIZE)).sum() == 1


def test_that_a_rectangle_covers_the_centres_inside_it():
    corners = np.array([[2.5, 3.5], [2.5, 9.5], [6.5, 9.5], [6.5, 3.5]])
    expected = np.zeros(SIZE, bool)
    expected[3:7, 4:10] = True
    np.testing.assert_array_equal(on_picture(polygon(corners, SIZE)), expected)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8).map(np.array))
def test_that_a_polygon_agrees_with_ray_casting(corners):
    inside = np.zeros(SIZE, bool)
    on_edge = np.zeros(SIZE, bool)
    r, c = np.indices(SIZE)
    for (r0, c0), (r1, c1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        cut = (r0 > r) != (r1 > r)
        at = c0 + (r - r0) * (c1 - c0) / np.where(cut, r1 - r0, 1)
        inside ^= cut & (c < at)
        on_edge |= (np.abs(c - at) < 1e-6) | (np.abs(r - r0) < 1e-6)
    drawn = on_picture(polygon(corners, SIZE))
    np.testing.assert_array_equal(drawn[~on_edge], inside[~on_edge])


@pytest.mark.parametrize("corners", [[[3, 3]], [[3, 3], [10, 12]]])
def test_that_fewer_than_three_corners_enclose_nothing(corners):
    assert not on_picture(polygon(np.array(corners, float), SIZE)).any()
