"""Rules of painting, against a model that goes cell by cell."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geocnn_gui.data.source import Window
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.labels.rules import PaintRules, merge_labels
from geocnn_gui.labels.store import LabelSnapshot, LabelStore

SHAPE = (5, 7)
ids = st.integers(0, 4)
labels = arrays(np.uint8, SHAPE, elements=ids)
masks = arrays(bool, SHAPE)
rules = st.builds(PaintRules, st.booleans(), st.frozensets(st.integers(1, 4)))


def expected(old, mask, value, rules):
    """Paint cell by cell."""
    new = old.copy()
    for at in zip(*np.nonzero(mask), strict=True):
        wanted = int(value[at] if isinstance(value, np.ndarray) else value)
        if wanted in rules.locked or int(old[at]) in rules.locked:
            continue
        if rules.only_unlabelled and old[at] and wanted:
            continue
        new[at] = wanted
    return new


@given(labels, masks, ids | labels, rules)
def test_that_only_cells_that_the_rules_free_are_painted(old, mask, value, rules):
    free = rules.may_change(old, mask, value)
    store = LabelStore(SHAPE, LabelSnapshot.from_array(old))
    whole = Window.whole(SHAPE)
    edit = LabelEdit.paint(store, whole, free, value)
    edit.apply(store)
    assert np.array_equal(store.read(whole), expected(old, mask, value, rules))
    edit.revert(store)
    assert np.array_equal(store.read(whole), old)


@given(labels, masks, ids)
def test_that_without_rules_every_cell_may_change(old, mask, value):
    rules = PaintRules()
    assert not rules.bind
    assert np.array_equal(rules.may_change(old, mask, value), mask)


@given(labels, labels, rules)
def test_that_labels_of_a_file_spare_locked_classes_alone(old, new, rules):
    store = LabelStore(SHAPE, LabelSnapshot.from_array(old))
    table = np.array([0, 2, 1, 3, 4] + [0] * 251, np.uint8)
    brought = LabelSnapshot.from_array(new)
    merged = list(merge_labels(store, brought, table, rules.only_locks()))
    for edit, _ in merged:
        edit.apply(store)
    locks, renamed = PaintRules(locked=rules.locked), table[new]
    after = expected(old, renamed > 0, renamed, locks)
    assert np.array_equal(store.read(Window.whole(SHAPE)), after)
    assert sum(spared for _, spared in merged) == np.count_nonzero(
        (renamed > 0) & (after != renamed)
    )
