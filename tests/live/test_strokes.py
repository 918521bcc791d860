"""Strokes over chunks are those of one labelling of the whole section."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from live_sources import open_values
from scipy import ndimage

from geocnn_gui.data.source import Section
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.live.strokes import Strokes


def whole(strokes, shape):
    found = np.zeros(shape, int)
    for rows, columns, numbers in strokes.blocks():
        found[rows, columns] = numbers
    return found


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), fill=st.sampled_from((0.05, 0.3)))
def test_that_strokes_go_on_over_chunks(seed, fill):
    random = np.random.default_rng(seed)
    cube = np.zeros((3, 70, 80), np.uint8)  # chunks are 64 cells a side
    cube[1] = random.integers(1, 3, (70, 80)) * (random.random((70, 80)) < fill)
    source = open_values(cube.astype(np.float32))
    section = Section(0, 1)
    strokes = Strokes(source, LabelSnapshot.from_array(cube), section, (1, 2))
    picture = source.plane(section).picture(cube[1:2])
    numbers = whole(strokes, picture.shape)
    for one in (1, 2):
        expected, count = ndimage.label(picture == one, np.ones((3, 3)))
        sizes = np.bincount(expected.ravel())
        boxes = ndimage.find_objects(expected)
        pairs = {(a, b) for a, b in zip(expected.ravel(), numbers.ravel(), strict=True) if a}
        assert len(pairs) == count == len({b for _, b in pairs})
        for mine, own in pairs:
            assert strokes.ids[own] == one
            assert strokes.sizes[own] == sizes[mine]
            assert strokes.box(own) == boxes[mine - 1]
    cells = random.integers(0, picture.shape, (50, 2))
    assert (strokes.at(cells) == numbers[tuple(cells.T)]).all()


def test_that_the_parts_of_a_stroke_are_all_of_it():
    values = np.zeros((600, 300), np.uint8)
    values[100:500, 40] = 1
    values[100:500, 60] = 1
    source = open_values(values.astype(np.float32))
    strokes = Strokes(source, LabelSnapshot.from_array(values), Section(), (1,))
    assert strokes.count == 2
    cells = np.concatenate(
        [part.cells() for part in strokes.parts(int(strokes.at(np.array([[40, 300]]))[0]))]
    )
    assert sorted(map(tuple, cells.tolist())) == [(40, c) for c in range(100, 500)]
