"""Labels that were said to be right stay so until they change."""

from __future__ import annotations

import numpy as np
import pytest

from geocnn_gui.data.source import Plane, Section, Window
from geocnn_gui.labels.store import LabelStore
from geocnn_gui.project.kept_labels import KeptLabels, read_kept, write_kept

BOX = slice(2, 8), slice(3, 9)
CELLS = np.argwhere(np.ones((4, 4))) + np.array([3, 4])


@pytest.fixture
def plane():
    return Plane(Section(0, 5), ndim=3, row_axis=2, column_axis=1)


@pytest.fixture
def store():
    labels = LabelStore((12, 30, 24))
    labels.write(Window((5, 3, 2), (1, 6, 6)), 1)
    return labels


def test_that_kept_labels_are_read_back_and_hold(tmp_path, plane, store):
    write_kept(tmp_path, [KeptLabels.of(store, plane, BOX, 1)])
    (kept,) = read_kept(tmp_path)
    assert kept.holds(store, plane, CELLS, 1)
    assert not kept.holds(store, plane, CELLS, 2)
    assert not kept.holds(store, plane, CELLS + 20, 1)


def test_that_a_change_there_ends_it_and_one_elsewhere_does_not(plane, store):
    kept = KeptLabels.of(store, plane, BOX, 1)
    store.write(Window((5, 20, 20), (1, 2, 2)), 1)
    store.write(Window((4, 3, 2), (1, 6, 6)), 2)
    assert kept.holds(store, plane, CELLS, 1)
    store.write(Window((5, 4, 3), (1, 1, 1)), 2)
    assert not kept.holds(store, plane, CELLS, 1)


@pytest.mark.parametrize("content", [b"", b"[", b'{"a": 1}', b'[{"label": 0}]'])
def test_that_a_damaged_file_keeps_nothing(tmp_path, content):
    (tmp_path / "kept.json").write_bytes(content)
    assert read_kept(tmp_path) == ()


def test_that_a_box_outside_the_source_holds_nothing(plane, store):
    far = KeptLabels(axis=0, index=5, rows=(0, 9999), columns=(0, 9999), label=1, mark=0)
    assert not far.holds(store, plane, CELLS, 1)
