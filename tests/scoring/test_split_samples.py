"""What is held out of sample sets: whole records, else samples that follow each other."""

from __future__ import annotations

import numpy as np
from labelled_planes import cells_of

from geocnn_gui.data.source import Plane, Section
from geocnn_gui.scoring.split import LabelledPlane
from geocnn_gui.scoring.split_plan import plan_split
from geocnn_gui.scoring.split_spec import SplitSpec


def set_of(classes: np.ndarray, records: np.ndarray | None = None) -> LabelledPlane:
    """Return a sample set with class numbers from 1."""
    labels = np.asarray(classes)[None]
    plane = Plane(Section(), 2, 0, 1)
    return LabelledPlane(0, plane, labels.shape, cells_of(labels), True, records)


def planned(plane: LabelledPlane, **spec):
    return plan_split([plane], SplitSpec(**spec), ["a", "b"], 40)


def test_that_samples_of_a_record_are_never_apart():
    records = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 9))
    classes = 1 + np.random.default_rng(1).integers(0, 2, 180)
    plane = set_of(classes, records)
    plan = planned(plane, folds=3)
    assert plan.unit == "record"
    assert plan.buffer == (0, 0)
    held = np.zeros(180, int)
    for fold in range(plan.folds):
        mask = plan.fold(fold)[0].held_mask(slice(0, 1), slice(0, 180))[0]
        near = plan.fold(fold)[0].near_mask(slice(0, 1), slice(0, 180))[0]
        assert np.array_equal(mask, near)
        held += mask
        for record in range(20):
            assert len(set(mask[records == record])) == 1
    assert (held == 1).all()


def test_that_sorted_samples_are_held_out_in_runs_of_each_class():
    plane = set_of(np.repeat([1, 2], 100))
    plan = planned(plane)
    assert plan.unit == "block"
    mask = plan.fold(0)[0].held_mask(slice(0, 1), slice(0, 200))[0]
    assert mask[:100].any()
    assert mask[100:].any()
    runs = np.diff(np.flatnonzero(np.diff(np.pad(mask.astype(int), 1))))[::2]
    assert runs.min() >= 8
    assert 0.1 < mask.mean() < 0.4


def test_that_a_small_set_without_records_still_has_a_score():
    plan = planned(set_of(np.tile([1, 2], 10)))
    assert plan.folds == 1
    assert plan.parts(0).held.min() > 0


def test_that_a_kept_choice_of_records_comes_back():
    records = np.repeat(np.arange(12), 5)
    plane = set_of(np.tile([1, 2], 30), records)
    plan = planned(plane)
    again = plan_split([plane], plan.spec, ["a", "b"], 40, choice=plan.choice())
    assert again.roles == plan.roles
    assert planned(plane, unit="block").unit == "block"
