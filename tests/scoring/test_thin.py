"""Scores of thin classes: slack along the axes, the same whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geocnn_gui.data.source import Window
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.scoring import thin

SHAPES = st.one_of(
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
)


def drawn(task):
    """Return what a task returns."""
    while True:
        try:
            next(task)
        except StopIteration as end:
            return end.value


def cuts(shape: tuple[int, ...], side: int) -> list[Window]:
    return list(thin._cut(Window.whole(shape), side))


def near(cells: np.ndarray, axes: tuple[int, ...], reach: int) -> np.ndarray:
    """Say, cell by cell, whether one of `cells` lies within `reach` along each of `axes`."""
    out = np.zeros(cells.shape, bool)
    places = np.argwhere(cells)
    for index in np.ndindex(*cells.shape):
        away = np.abs(places - index)
        same = [a for a in range(cells.ndim) if a not in axes]
        fits = (away[:, same] == 0).all(1) & (away[:, list(axes)] <= reach).all(1)
        out[index] = fits.any()
    return out


def brute(truth: np.ndarray, named: np.ndarray, axes: tuple[int, ...], reach: int):
    known, own = truth > 0, truth == 1
    judged = named & known
    right = (judged & near(own, axes, reach)).sum()
    found = (own & near(named, axes, reach)).sum()
    precision = right / judged.sum() if judged.any() else None
    recall = found / own.sum() if own.any() else None
    return precision, recall


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(0, 3), st.integers(1, 9), st.integers(0, 2**31))
def test_that_tolerant_scores_are_those_of_a_search_whatever_the_blocks(shape, reach, side, seed):
    random = np.random.default_rng(seed)
    truth, named = random.integers(0, 3, (2, *shape)).astype(np.uint8)
    truth *= random.random(shape) < 0.5
    labels = LabelSnapshot.from_array(truth)
    task = thin.tolerant_scores(
        labels, lambda w: named[w.slices], [1], tolerance=reach, windows=cuts(shape, side)
    )
    score = drawn(task)[1]
    axes = thin.plane_axes(labels)
    assert (score.precision, score.recall) == brute(truth, named == 1, axes, reach)


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.integers(0, 3), st.integers(1, 9), st.integers(0, 2**31))
def test_that_a_curve_is_the_score_at_each_threshold_whatever_the_blocks(shape, reach, side, seed):
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, shape).astype(np.uint8)
    shares = random.choice([0.0, 0.005, 0.1, 0.3, 0.5, 0.995, 1.0, np.nan], (1, *shape))
    shares = shares.astype(np.float32)
    labels = LabelSnapshot.from_array(truth)
    task = thin.tolerant_curves(
        labels, lambda w: shares[(slice(None), *w.slices)], {1: 0}, tolerance=reach,
        windows=cuts(shape, side),
    )  # fmt: skip
    tally = drawn(task)[1]
    axes = thin.plane_axes(labels)
    for point in tally.points[::20]:
        named = shares[0].astype(np.float64) >= point.threshold
        assert (point.precision, point.recall) == brute(truth, named, axes, reach)
    best = tally.best
    if best is not None:
        assert best.f1 == max(p.f1 for p in tally.points)


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.integers(1, 9), st.integers(0, 2**31))
def test_that_widths_do_not_depend_on_blocks(shape, side, seed):
    random = np.random.default_rng(seed)
    truth = (random.random(shape) < 0.9).astype(np.uint8)
    labels, axes = LabelSnapshot.from_array(truth), None
    tallies = []
    for windows in (cuts(shape, side), cuts(shape, 100)):
        tally, axes = thin.WidthTally(), thin.plane_axes(labels)
        for window in windows:
            wide, core = thin.with_margin(window, shape, axes=axes, margin=thin.THIN_BELOW)
            tally.add(labels.read(wide), core, axes=axes)
        tallies.append(tally.counts)
    np.testing.assert_array_equal(*tallies)


def slanted(width: float, angle: float) -> np.ndarray:
    rows, columns = np.mgrid[:120, :120] - 60
    across = np.abs(rows * np.cos(angle) + columns * np.sin(angle))
    return np.where(across < width / 2, 1, 2).astype(np.uint8)


@pytest.mark.parametrize("angle", np.linspace(0, np.pi, 9))
def test_that_a_line_is_thin_and_a_layer_is_not_however_they_lie(angle):
    assert drawn(thin.thin_classes(LabelSnapshot.from_array(slanted(3, angle)))) == {1}
    assert drawn(thin.thin_classes(LabelSnapshot.from_array(slanted(9, angle)))) == frozenset()


def test_that_labels_painted_on_one_inline_are_not_thin_for_that():
    truth = np.zeros((20, 60, 60), np.uint8)
    truth[7, 10:40, 10:50], truth[7, 45:47, 10:50] = 1, 2
    labels = LabelSnapshot.from_array(truth)
    assert thin.plane_axes(labels) == (1, 2)
    assert drawn(thin.thin_classes(labels)) == {2}


def test_that_a_line_two_cells_aside_is_right_and_three_aside_is_not():
    truth = np.full((40, 40), 2, np.uint8)
    truth[:, 20] = 1
    labels = LabelSnapshot.from_array(truth)
    for aside, expected in ((0, 1.0), (2, 1.0), (3, 0.0)):
        named = np.full((40, 40), 2, np.uint8)
        named[:, 20 + aside] = 1
        task = thin.tolerant_scores(labels, lambda w, named=named: named[w.slices], [1])
        score = drawn(task)[1]
        assert score.f1 == expected
