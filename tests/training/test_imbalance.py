"""Rare and thin classes: balancing does what it says, and what is lost is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from training_lines import CLASSES, CPU, a_line, a_pair

from geocnn_gui.data.array import ArraySource
from geocnn_gui.events import Note
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.spec import UNetSpec
from geocnn_gui.models.weights import read_card
from geocnn_gui.scoring.split_spec import SplitSpec
from geocnn_gui.training.losses import MOST_WEIGHT, share_of
from geocnn_gui.training.pictures import Pictures
from geocnn_gui.training.run import Order, train
from geocnn_gui.training.sampling import LabelledPicture, PatchSampler
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from pathlib import Path

UNET = UNetSpec(depth=2, width=8, dropout=0)
RARE, COMMON = 40, 40_000


@pytest.fixture
def uneven() -> LabelledPicture:
    """A line with a thousand times as many cells of one class as of the other."""
    source, _ = a_line()
    truth = np.full(source.shape, 3, np.uint8)
    truth[100:110, 50:54] = 9
    truth[:, 155:] = 0
    truth.reshape(-1)[np.flatnonzero(truth == 3)[COMMON:]] = 0
    lookup = np.zeros(256, np.uint8)
    lookup[[3, 9]] = 1, 2
    labels = LabelSnapshot.from_array(truth)
    picture = LabelledPicture(source, source.first_section(), labels, (), lookup)
    for _ in picture.find_cells():
        pass
    return picture


def test_that_a_class_a_thousand_times_rarer_is_drawn_thirty_times_as_often(uneven):
    shares = {}
    for balance in (True, False):
        sampler = PatchSampler([uneven], classes=2, balance=balance, seed=0)
        assert list(sampler.counts) == [COMMON, RARE]
        shares[balance] = sampler.shares[1]
    assert shares[False] == pytest.approx(1 / 1001)
    assert shares[True] == pytest.approx(1 / (1 + np.sqrt(1000)))


def test_that_weights_even_classes_out_up_to_their_limit():
    labels = torch.ones(1, 1001, 1000, dtype=torch.long)
    labels[0, 0] = 2
    weights = share_of(labels, 2, balance=True).weights
    assert weights.tolist() == pytest.approx([0.5005, MOST_WEIGHT], rel=1e-3)
    assert share_of(labels, 2, balance=False).weights.tolist() == [1, 1]
    labels[0, :300] = 2  # within the limit both weigh the same together
    weights = share_of(labels, 2, balance=True).weights
    counts = torch.tensor([701_000.0, 300_000.0])
    torch.testing.assert_close(weights[0] * counts[0], weights[1] * counts[1], rtol=1e-4, atol=0)


def learn(tmp_path: Path, pair: Pair, **changes: object) -> list[str]:
    spec = TrainingSpec(epochs=2, steps_per_epoch=3, batch=2, refit=False)
    order = Order([pair], UNET, spec.model_copy(update=changes), CLASSES, tmp_path / "m", CPU)
    return [("! " if e.warning else "") + e.text for e in train(order) if isinstance(e, Note)]


def test_that_the_log_says_what_balancing_came_to_once(tmp_path):
    told = [text for text in learn(tmp_path, a_pair(), refit=True) if "balanced" in text]
    (text,) = told
    assert "Dark" in text
    assert "of the patches, weight" in text
    assert not any("balanced" in t for t in learn(tmp_path, a_pair(), balance=False))


def test_that_a_class_never_predicted_is_warned_of(tmp_path):
    source, _ = a_line()
    truth = np.full(source.shape, 3, np.uint8)
    for trace in range(5, 260, 20):
        truth[trace : trace + 2, 30:150:40] = 9  # noise: nothing in the data tells of it
    pair = Pair(source, LabelSnapshot.from_array(truth))
    told = learn(tmp_path, pair, balance=False, epochs=1, learning_rate=3e-2)
    (text,) = [text for text in told if "never predicted" in text]
    assert text.startswith("! Bright: never predicted on the held-out part, where it has ")


@pytest.fixture
def faulted() -> Pair:
    """A line with a fault every 26 traces, three traces wide, that the data show."""
    source, _ = a_line()
    random, truth = np.random.default_rng(0), np.full(source.shape, 3, np.uint8)
    for trace in range(10, 260, 26):
        truth[trace : trace + 3] = 9
    values = np.where(truth == 9, 1500.0, 0.0) + random.normal(0, 300, truth.shape)
    line = ArraySource(
        values.astype(np.float32), kind="line", axes=source.axes, bands=source.bands,
        domain="seismic", name="Faulted",
    )  # fmt: skip
    return Pair(line, LabelSnapshot.from_array(truth))


def test_that_a_thin_class_gets_its_best_threshold_from_the_held_out_part(faulted, tmp_path):
    told = learn(tmp_path, faulted, epochs=4, steps_per_epoch=8)
    card = read_card(tmp_path / "m")
    assert card.thin == (9,)
    assert 0 < card.thresholds[9] <= 1
    assert card.training.holdout_f1_tolerant[9] > 0.5
    (text,) = [text for text in told if "is thin" in text]
    assert text.startswith("Bright is thin: held-out F1 within 2 cells")


def test_that_broad_classes_have_no_thresholds(tmp_path):
    assert not any("is thin" in text for text in learn(tmp_path, a_pair()))
    assert read_card(tmp_path / "m").thresholds == {}


def test_that_of_very_many_labels_all_count_though_few_are_listed(uneven, monkeypatch):
    monkeypatch.setattr("geocnn_gui.training.sampling._CELLS_PER_CLASS", 1000)
    for _ in uneven.find_cells():
        pass
    assert len(uneven.cells.rows) < COMMON / 30
    sampler = PatchSampler([uneven], classes=2, balance=True, seed=0)
    assert sampler.counts == pytest.approx([COMMON, RARE], rel=0.02)
    assert sampler.shares[1] == pytest.approx(1 / (1 + np.sqrt(1000)), rel=0.02)
    everything = Pictures([uneven], [0], [], CLASSES).plan(SplitSpec(unit="block"), reach=2)
    assert everything.parts(None).total == pytest.approx([COMMON, RARE], rel=0.02)
