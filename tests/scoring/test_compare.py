from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geocnn_gui.data.source import Plane, Section, Window
from geocnn_gui.events import Progress
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.scoring.compare import VALUES, ErrorMap, compare

SHAPE = (5, 70, 66)
ids = arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 0, 0, 1, 2]), fill=st.just(0))


def result_of(task):
    try:
        while True:
            next(task)
    except StopIteration as end:
        return end.value


def reader(values):
    return lambda window: values[window.slices]


@settings(deadline=None, max_examples=25)
@given(ids, ids, arrays(np.uint8, SHAPE, elements=st.integers(0, 2), fill=st.just(1)))
def test_that_the_parts_are_counted_as_cell_by_cell(truth, predicted, seen):
    snapshots = LabelSnapshot.from_array(truth), LabelSnapshot.from_array(seen)
    found = result_of(compare(snapshots[0], reader(predicted), snapshots[1]))
    for part, value in VALUES.items():
        for a, b in ((1, 1), (1, 2), (2, 1), (2, 0)):
            cells = (truth == a) & (predicted == b) & (seen == value)
            assert found.confusion(part).counts[a, b] == cells.sum()
    assert found.cells() == (truth > 0).sum()


@settings(deadline=None, max_examples=25)
@given(ids, ids, st.sampled_from([None, (1, 2), (2, 2), (2, 0)]), st.integers(0, 2))
def test_that_the_cells_of_a_pair_are_found_where_they_are(truth, predicted, pair, axis):
    marks = ErrorMap(LabelSnapshot.from_array(truth), reader(predicted), pair)
    sought = (
        (truth > 0) & (truth != predicted)
        if pair is None
        else (truth == pair[0]) & (predicted == pair[1])
    )
    found = marks.read_classes(Window.whole(SHAPE))
    np.testing.assert_array_equal((found == 2) if pair is None else (found > 0), sought)
    others = tuple(a for a in range(3) if a != axis)
    np.testing.assert_array_equal(marks.count_along(axis), sought.sum(axis=others))
    plane = Plane(Section(0, 3), 3, 2, 1)
    block = marks.densest_block(plane)
    picture = sought[3].T
    if block is None:
        assert not picture.any()
    else:
        inside = picture[block]
        assert inside[0].any()
        assert inside[-1].any()
        assert inside[:, 0].any()
        assert inside[:, -1].any()


def test_that_the_largest_heap_of_errors_is_found():
    truth = np.zeros((600, 900), np.uint8)
    truth[10:12, 10:12] = 1
    truth[400:440, 700:730] = 1
    marks = ErrorMap(LabelSnapshot.from_array(truth), reader(np.full_like(truth, 2)))
    rows, columns = marks.densest_block(Plane(Section(), 2, 0, 1))
    assert 400 <= rows.start < rows.stop <= 440
    assert 700 <= columns.start < columns.stop <= 730


def test_that_progress_is_told_of_many_labels_and_can_be_stopped():
    truth = LabelSnapshot.from_array(np.ones((600, 600), np.uint8))
    task = compare(truth, reader(np.ones((600, 600), np.uint8)))
    assert next(task) == Progress(1, 9, "Scoring")
    task.close()
