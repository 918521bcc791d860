"""What one run for values gains over another, on the same held-out units."""

from __future__ import annotations

import numpy as np
import pytest

from geocnn_gui.gui.widgets.compare_runs import ComparedRun, differences
from geocnn_gui.models.target import Target
from geocnn_gui.scoring.value_gain import ValueRun, rmse_gain
from geocnn_gui.scoring.values import UnitSums

POROSITY = Target(name="porosity", unit="%", mean=20, scale=4)


def run_of(noise, *, units=12, target=POROSITY, seed=0, shift=0.0):
    """A run whose errors have a spread of `noise` percent, of the same truth for every seed."""
    truth = np.random.default_rng(9).normal(20, 5, (units, 300)) + shift
    found = truth + np.random.default_rng(seed).normal(0, noise, truth.shape)
    sums = UnitSums()
    numbers = np.arange(1, units + 1)[:, None].repeat(300, 1)
    sums.add(numbers, (truth - target.mean) / target.scale, (found - target.mean) / target.scale)
    return ValueRun(target, sums.scores("block", [f"u{n}" for n in range(units)]))


def test_that_a_gain_is_in_the_unit_of_the_target_whatever_its_standardisation():
    other = Target(name="porosity", unit="%", mean=25, scale=1.5)
    units, gain = rmse_gain(run_of(3), run_of(2, seed=1, target=other))
    assert units == 12
    assert gain.value == pytest.approx(-1, abs=0.15)
    low, high = gain.ends
    assert low < gain.value < high < 0


def test_that_like_runs_may_differ_by_chance():
    assert ": may be chance" in said(run_of(2), run_of(2, seed=1))


def said(first, second):
    return differences((ComparedRun("Run 1", values=first), ComparedRun("Run 2", values=second)))


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (run_of(2), None, "one estimates values and the other names classes"),
        (run_of(2), run_of(2, target=Target(name="depth")), "porosity (%) and depth"),
        (run_of(2), ValueRun(POROSITY, None), "not kept unit by unit"),
        (run_of(2), run_of(2, shift=3), "scored on other ground"),
        (run_of(3, units=3), run_of(2, units=3), "% on 3 common units, too few to tell"),
        (run_of(3), run_of(1), "Run 2 against Run 1: RMSE \N{MINUS SIGN}"),
    ],
)
def test_that_what_cannot_be_compared_says_why(first, second, words):
    assert words in said(first, second)
