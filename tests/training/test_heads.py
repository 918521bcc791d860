"""Heads that bend what they give reach all of a target, and go with what is learned."""

from __future__ import annotations

import numpy as np
import pytest

from geocnn_gui.data.source import open_source
from geocnn_gui.errors import BadRequest
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.labels.targets import target_on
from geocnn_gui.models.target import Target
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.values import open_target_pictures


@pytest.fixture
def learned(tmp_path):
    """Return how a target is standardised, and its standardised values."""

    def measure(target, head):
        np.save(tmp_path / "data.npy", np.random.default_rng(0).normal(size=target.shape))
        np.save(tmp_path / "target.npy", target.astype(np.float32))
        with (
            open_source(tmp_path / "data.npy") as source,
            open_source(tmp_path / "target.npy") as file,
        ):
            pair = Pair(source, LabelSnapshot(source.shape), target=target_on(file, source))
            task = open_target_pictures([pair], head=head)
            while True:
                try:
                    next(task)
                except StopIteration as end:
                    whole = [slice(0, size) for size in target.shape]
                    return end.value.learned, end.value.all[0].truth(*whole)

    return measure


@pytest.mark.parametrize(
    ("head", "low", "high"),
    [("sigmoid", 0, 1), ("tanh", -1, 1), ("relu", 0, np.inf), ("linear", -np.inf, np.inf)],
)
def test_that_a_head_reaches_every_value_of_the_target(learned, head, low, high):
    values = np.random.default_rng(1).normal(20, 3, (60, 70)).clip(1)
    values[5, 5], values[50, 60] = 400, 0.5  # far out, and rarely seen in samples of it
    target, standardised = learned(values, head)
    assert low < standardised.min() < standardised.max() < high
    back = standardised * np.float32(target.scale) + np.float32(target.mean)
    np.testing.assert_allclose(back, values, rtol=1e-3, atol=1e-3)
    if head != "linear":
        assert target.limits == (0.5, 400)
        assert not target.centred


def test_that_values_below_0_are_refused_for_relu(learned):
    values = np.random.default_rng(1).normal(0, 3, (60, 70))
    with pytest.raises(BadRequest, match="relu gives no value below 0, and target goes down to -"):
        learned(values, "relu")


def test_that_colours_of_a_damaged_file_are_refused():
    for span in [(1, 1), (2, 1), (0, np.inf), (np.nan, 1)]:
        with pytest.raises(ValueError, match="not two finite numbers in order"):
            Target(name="a", span=span)
