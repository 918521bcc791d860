"""Strokes across large pictures: written square by square, and yet one step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocnn_gui.data.source import Section
from geocnn_gui.gui import strokes
from geocnn_gui.gui.strokes import StrokePart, join, joined, only_value
from geocnn_gui.labels.tools import brush_stroke

SIZE = (90, 70)
cell = st.tuples(st.integers(0, SIZE[0] - 1), st.integers(0, SIZE[1] - 1))


@given(st.lists(st.tuples(cell, cell, st.integers(0, 3), st.booleans()), min_size=1, max_size=6))
def test_that_squares_hold_what_the_whole_stroke_holds(drawn):
    parts = []
    for start, end, value, many in drawn:
        rows, columns, mask = brush_stroke(np.array([start, end]), 2, SIZE)
        ids = np.full(mask.shape, value, np.uint8) if many else value
        parts.append(StrokePart(Section(), rows, columns, mask, ids))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strokes, "_AT_ONCE", 50)
        patch.setattr(strokes, "_SIDE", 16)
        _, pieces = joined(parts)
    found, expected = np.full(SIZE, 9), np.full(SIZE, 9)
    for piece in pieces:
        found[piece.rows, piece.columns][piece.mask] = np.broadcast_to(
            piece.value, piece.mask.shape
        )[piece.mask]
        assert piece.mask.size <= 2500
    whole = join(parts)
    expected[whole.rows, whole.columns][whole.mask] = np.broadcast_to(
        whole.value, whole.mask.shape
    )[whole.mask]
    assert np.array_equal(found, expected)
    one = {part.value for part in parts if isinstance(part.value, int)}
    alike = len(one) == 1 and all(isinstance(part.value, int) for part in parts)
    assert only_value(parts) == (one.pop() if alike else None)


def test_that_a_far_stroke_is_one_step_which_is_undone_whole(opened, monkeypatch):
    monkeypatch.setattr(strokes, "_AT_ONCE", 50)
    monkeypatch.setattr(strokes, "_SIDE", 4)
    opened.begin_stroke()
    for at in range(2, 20):
        dab = brush_stroke(np.array([[at, at], [at + 1, at + 1]]), 1, (24, 30))
        opened.paint(opened.section, *dab, 2)
    opened.end_stroke()
    painted = opened.labels.store.counts
    assert painted[2] > 50
    assert len(opened.steps.rows) == 1
    opened.undo()
    assert opened.labels.store.counts == {}
    opened.redo()
    assert opened.labels.store.counts == painted
