"""Figures of values, their pooling and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from geocnn_gui.scoring.value_evaluation import ValueComparison
from geocnn_gui.scoring.values import UnitSums, figures, pooled, sums_of, value_intervals


def test_that_figures_agree_with_their_definitions():
    random = np.random.default_rng(0)
    truth = random.normal(3, 2, 500)
    found = truth + random.normal(0.2, 0.5, 500)
    mae, rmse, r2, psnr = figures(sums_of(truth, found))
    error = found - truth
    assert mae == pytest.approx(np.abs(error).mean())
    assert rmse == pytest.approx(np.sqrt((error**2).mean()))
    assert r2 == pytest.approx(1 - (error**2).sum() / ((truth - truth.mean()) ** 2).sum())
    assert psnr == pytest.approx(20 * np.log10(np.ptp(truth) / rmse))


def test_that_parts_add_up_and_physical_scale_changes_errors_only():
    random = np.random.default_rng(1)
    truth, found = random.normal(size=(2, 40, 30))
    units = np.repeat(np.arange(4), 10)[:, None] * np.ones((1, 30), int)
    whole, parts = UnitSums(), UnitSums()
    whole.add(units, truth, found)
    for rows in (slice(0, 17), slice(17, 40)):
        parts.add(units[rows], truth[rows], found[rows])
    np.testing.assert_allclose(whole.total, parts.total)
    scores = whole.scores("block", ("a", "b", "c"))
    assert scores.ids == ("a", "b", "c")  # unit 0 is none
    one, ten = (value_intervals(scores, scale=s) for s in (1.0, 10.0))
    assert ten.rmse.value == pytest.approx(10 * one.rmse.value)
    assert (ten.r2, ten.psnr) == (one.r2, one.psnr)


def test_that_nan_enters_nothing():
    sums = UnitSums()
    sums.add(np.ones((1, 3), int), np.array([[1.0, np.nan, 2.0]]), np.array([[1.0, 5.0, np.nan]]))
    assert sums.total[0] == 1


def test_that_an_interval_takes_five_units_and_holds_the_figure():
    random = np.random.default_rng(2)
    sums = UnitSums()
    for unit in range(1, 13):
        truth = random.normal(0, 1, (1, 50))
        sums.add(np.full((1, 50), unit), truth, truth + random.normal(0, 0.1 * unit, (1, 50)))
    scores = sums.scores("block", [str(i) for i in range(12)])
    found = value_intervals(scores)
    for each in (found.mae, found.rmse, found.r2, found.psnr):
        low, high = each.ends
        assert low < each.value < high
    few = value_intervals(
        scores.model_copy(update={"ids": scores.ids[:4], "sums": scores.sums[:4]})
    )
    assert few.rmse.ends is None
    assert few.units == 4


def test_that_folds_are_pooled():
    one, two = UnitSums(), UnitSums()
    truth = np.arange(8.0)[None]
    one.add(np.ones((1, 8), int), truth, truth + 1)
    two.add(np.full((1, 8), 2), truth, truth - 3)
    both = pooled([one.scores("block", ("a", "b")), two.scores("block", ("a", "b"))])
    assert both.ids == ("a", "b")
    assert value_intervals(both).mae.value == pytest.approx(2)


def test_that_a_constant_truth_has_no_r2_and_large_values_keep_their_digits():
    assert np.isnan(figures(sums_of(np.full(9, 4.0), np.arange(9.0)))[2])
    truth = 1e7 + np.random.default_rng(3).normal(size=2000)
    comparison = ValueComparison(1e7)
    comparison.add(truth, truth + 0.1, None)
    found = comparison.figures()
    assert found.rmse == pytest.approx(0.1, rel=1e-6)
    assert found.bias == pytest.approx(0.1, rel=1e-6)
    assert found.r2 == pytest.approx(1 - 0.01 / truth.var(), rel=1e-5)
