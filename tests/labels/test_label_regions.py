"""Regions, what lies between lines, and random walks, against counting by brute force."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from geocnn_gui.labels.tools import (
    Sketch,
    Span,
    between,
    between_box,
    blocks,
    box,
    brush_stroke,
    connected,
    flood,
    pieces_of_line,
    polygon,
    random_walk,
    trimmed,
)

SIZE = (12, 15)
pictures = arrays.arrays(np.int8, SIZE, elements=st.integers(0, 5)).map(lambda a: a.astype(float))
masks = arrays.arrays(bool, SIZE)
cells = st.tuples(st.integers(0, SIZE[0] - 1), st.integers(0, SIZE[1] - 1))
corner = st.tuples(st.floats(-8, 20), st.floats(-8, 25))


def covered(shape, size=SIZE) -> np.ndarray:
    rows, columns, mask = shape
    picture = np.zeros(size, bool)
    picture[rows, columns] = mask
    return picture


# -- strokes -----------------------------------------------------------------------------------


@given(st.lists(corner, min_size=1, max_size=4), st.floats(1, 7))
def test_that_a_square_brush_covers_the_cells_within_its_radius_along_both_axes(points, radius):
    line = np.array(points)
    picture = covered(brush_stroke(line, radius, SIZE, square=True))
    dense = np.concatenate(
        [np.linspace(a, b, 500) for a, b in zip(line, [*line[1:], line[-1]], strict=True)]
    )
    r, c = np.indices(SIZE)
    apart = np.min([np.maximum(abs(r - y), abs(c - x)) for y, x in dense], axis=0)
    assert picture[apart <= radius - 0.05].all()
    assert not picture[apart > radius + 0.05].any()


@pytest.mark.parametrize("size", [2, 3, 4, 5])
@pytest.mark.parametrize("at", [(6.0, 7.0), (6.5, 7.5), (6.2, 6.9)])
def test_that_a_dab_of_a_square_brush_is_as_wide_as_it_says(size, at):
    picture = covered(brush_stroke(np.array([at]), size / 2, SIZE, square=True))
    assert picture.sum() == size * size
    assert picture.any(axis=0).sum() == picture.any(axis=1).sum() == size


# -- regions -----------------------------------------------------------------------------------


@given(pictures, cells, st.integers(0, 5), masks)
def test_that_a_flood_fills_what_hangs_together_within_the_tolerance(values, seed, most, free):
    found = flood(values[None], seed, np.array([most]), free=free)
    parts, _ = ndimage.label(free & (np.abs(values - values[seed]) <= most))
    expected = (parts == parts[seed]) if free[seed] else np.zeros(SIZE, bool)
    assert np.array_equal(found, expected)


def test_that_a_flood_looks_at_every_band_and_never_enters_nan():
    values = np.zeros((2, *SIZE))
    values[1, :, 8:] = 5
    values[0, :, 4] = np.nan
    free = np.ones(SIZE, bool)
    found = flood(values, (3, 6), np.array([1.0, 1.0]), free=free)
    assert found[:, 5:8].all()
    assert found.sum() == 3 * SIZE[0]
    anything = flood(values, (3, 6), np.array([np.inf, np.inf]), free=free)
    assert anything[:, 5:].all()
    assert not anything[:, :5].any()
    assert not flood(values, (3, 4), np.array([np.inf, np.inf]), free=free).any()


def test_that_a_tolerance_holds_in_single_precision():
    values = np.array([[[0.1, 0.4, 0.7]]], np.float32)
    found = flood(values, (0, 0), np.array([0.3]), free=np.ones((1, 3), bool))
    assert found.tolist() == [[True, True, False]]


@given(masks, cells)
def test_that_cells_hang_together_by_sides_or_by_corners_too(mask, seed):
    for corners, structure in ((False, None), (True, np.ones((3, 3)))):
        parts, _ = ndimage.label(mask, structure)
        expected = (parts == parts[seed]) & mask[seed]
        assert np.array_equal(connected(mask, seed, corners=corners), expected)


@given(masks)
def test_that_trimming_keeps_every_cell_and_no_empty_border(mask):
    rows, columns, inner = trimmed(slice(0, SIZE[0]), slice(0, SIZE[1]), mask)
    assert np.array_equal(covered((rows, columns, inner)), mask)
    if mask.any():
        assert inner[0].any()
        assert inner[-1].any()
        assert inner[:, 0].any()
        assert inner[:, -1].any()


# -- between two lines -------------------------------------------------------------------------


@given(st.lists(corner, min_size=2, max_size=4), st.lists(corner, min_size=2, max_size=4),
       st.booleans(), st.booleans())  # fmt: skip
def test_that_between_is_what_counting_each_column_finds(one, other, keep_one, keep_other):
    shapes = [brush_stroke(np.array(line), 0.5, SIZE) for line in (one, other)]
    kept = (keep_one, keep_other)
    spans = [Span.of(shape, kept=keep) for shape, keep in zip(shapes, kept, strict=True)]
    found = covered(between(*spans))
    pictures = [covered(shape) for shape in shapes]
    for column in range(SIZE[1]):
        rows = [np.flatnonzero(picture[:, column]) for picture in pictures]
        expected = np.zeros(SIZE[0], bool)
        if rows[0].size and rows[1].size:
            upper = 0 if rows[0][0] + rows[0][-1] <= rows[1][0] + rows[1][-1] else 1
            top = rows[upper][-1] + 1 if kept[upper] else rows[upper][0]
            end = rows[1 - upper][0] if kept[1 - upper] else rows[1 - upper][-1] + 1
            expected[top : max(end, top)] = True
        assert np.array_equal(found[:, column], expected)


@pytest.fixture(scope="module")
def small_blocks():
    """Boxes of more than 6 cells are drawn in blocks of 4 x 5."""
    with pytest.MonkeyPatch.context() as patch:
        boxes = sys.modules["geocnn_gui.labels.tools.box"]  # a function has its name
        patch.setattr(boxes, "_AT_ONCE", 6)
        patch.setattr(boxes, "_BLOCK", (4, 5))
        patch.setattr("geocnn_gui.labels.tools.stroke._LONGEST", 3)
        yield


def united(shapes):
    picture = np.zeros(SIZE, bool)
    for shape in shapes:
        assert shape[2].size <= 20
        assert not (picture & covered(shape)).any()
        picture |= covered(shape)
    return picture


@given(points=st.lists(corner, min_size=3, max_size=6))
def test_that_blocks_of_a_polygon_are_the_whole(small_blocks, points):
    points = np.array(points)
    found = [polygon(points, SIZE, within=each) for each in blocks(*box(points, 0.0, SIZE))]
    assert np.array_equal(united(found), covered(polygon(points, SIZE)))


@given(one=st.lists(corner, min_size=2, max_size=4), other=st.lists(corner, min_size=2, max_size=4))
def test_that_blocks_between_lines_are_the_whole(small_blocks, one, other):
    lines = [Span.of(brush_stroke(np.array(each), 0.5, SIZE)) for each in (one, other)]
    found = [between(*lines, within=each) for each in blocks(*between_box(*lines))]
    assert np.array_equal(united(found), covered(between(*lines)))


@given(
    points=st.lists(corner, min_size=2, max_size=4), radius=st.floats(1, 5), square=st.booleans()
)
def test_that_pieces_of_a_line_are_swept_as_the_whole(small_blocks, points, radius, square):
    line = np.array(points).round(6)
    found = np.zeros(SIZE, bool)
    for piece in pieces_of_line(line):
        assert np.abs(np.diff(piece, axis=0)).max() <= 3.001
        found |= covered(brush_stroke(piece, radius, SIZE, square=square))
    less, more = (
        covered(brush_stroke(line, radius + by, SIZE, square=square)) for by in (-1e-5, 1e-5)
    )
    assert found[less].all()
    assert not found[~more].any()


@given(points=st.lists(corner, min_size=2, max_size=4))
def test_that_a_line_drawn_in_pieces_runs_through_every_column(small_blocks, points):
    line = np.array(points)
    drawn, whole = Span.drawn(line, SIZE), Span.of(brush_stroke(line, 0.5, SIZE))
    assert drawn.columns == whole.columns
    for one, other in ((drawn, whole), (whole, drawn)):  # half a cell may be rounded either way
        wide = Span.of(brush_stroke(line, 2.0, SIZE))
        first, last = wide.at(one.columns)
        has = one.first >= 0
        assert (first[has] <= one.first[has]).all()
        assert (one.last[has] <= last[has]).all()
        assert np.count_nonzero(has) >= np.count_nonzero(other.first >= 0) - 2


def test_that_only_columns_of_both_lines_are_filled():
    upper = Span.of(brush_stroke(np.array([[2.0, 1.0], [2.0, 9.0]]), 0.5, SIZE))
    lower = Span.of(brush_stroke(np.array([[8.0, 5.0], [8.0, 13.0]]), 0.5, SIZE), kept=True)
    found = covered(between(lower, upper))
    assert found[2:8, 5:10].all()
    assert found.sum() == 6 * 5
    apart = Span.of(brush_stroke(np.array([[8.0, 12.0], [8.0, 13.0]]), 0.5, SIZE))
    assert not between(upper, apart)[2].any()


# -- scribbles and walks -----------------------------------------------------------------------


@given(st.lists(st.tuples(corner, corner, st.integers(1, 4)), max_size=5))
def test_that_a_sketch_holds_what_was_drawn_last(strokes):
    sketch, expected = Sketch(), np.zeros(SIZE, np.uint8)
    for start, end, value in strokes:
        shape = brush_stroke(np.array([start, end]), 1.5, SIZE)
        sketch.add([shape], value)
        expected[shape[0], shape[1]][shape[2]] = value
    found = np.zeros(SIZE, np.uint8)
    found[sketch.rows, sketch.columns] = sketch.ids
    assert np.array_equal(found, expected)
    assert set(sketch.classes) == set(np.unique(expected)) - {0}


seeds = arrays.arrays(np.uint8, SIZE, elements=st.sampled_from([0] * 12 + [2, 5, 7]))


@settings(deadline=None, max_examples=40)
@given(pictures, masks, seeds)
def test_that_a_walk_keeps_the_seeds_and_gives_live_cells_their_classes(values, dead, seeds):
    live = ~(dead & np.roll(dead, 3))
    found = random_walk(values[None], live, seeds)
    assert np.array_equal(found, random_walk(values[None], live, seeds))
    sown = live & (seeds > 0)
    assert np.array_equal(found[sown], seeds[sown])
    assert not found[~live].any()
    parts, count = ndimage.label(live)
    for part in range(1, count + 1):
        cells = parts == part
        assert set(np.unique(found[cells])) <= ({*np.unique(seeds[cells & sown])} or {0})


@pytest.mark.parametrize("size", [(40, 60), (150, 121)])
def test_that_a_walk_stops_at_the_edge_of_two_blocks(size):
    values = np.random.default_rng(0).normal(0, 0.1, size)
    edge = size[1] // 3
    values[:, edge:] += 2.0
    seeds = np.zeros(size, np.uint8)
    seeds[5:9, 3:6] = 4  # scribbles at unlike distances from the edge
    seeds[5:9, -9:-6] = 9
    found = random_walk(values[None], np.ones(size, bool), seeds)
    assert (found[:, :edge] == 4).all()
    assert (found[:, edge:] == 9).all()


def test_that_a_walk_on_even_ground_parts_it_in_the_middle():
    seeds = np.zeros((9, 21), np.uint8)
    seeds[:, 0], seeds[:, -1] = 1, 2
    found = random_walk(np.zeros((1, 9, 21)), np.ones((9, 21), bool), seeds)
    assert (found[:, :10] == 1).all()
    assert (found[:, 11:] == 2).all()
