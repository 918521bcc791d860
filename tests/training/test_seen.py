"""Which cells a model file says that its training has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from training_lines import CLASSES, CPU, a_pair

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Section, Source, Window
from geocnn_gui.events import EpochDone
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.ground import HELD_OUT, NEAR, NEW, TRAINED, Ground, ground_of
from geocnn_gui.models.spec import UNetSpec
from geocnn_gui.models.weights import read_card, read_grounds
from geocnn_gui.scoring.split_spec import SplitSpec
from geocnn_gui.training.run import Order, train
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from pathlib import Path

UNET = UNetSpec(depth=2, width=8)
QUICK = TrainingSpec(epochs=1, steps_per_epoch=1, batch=2, split=SplitSpec(buffer=8))


def a_training(pair: Pair, out: Path, *, epochs: int | None = None, **changes: object) -> Ground:
    """Train on a pair, to the end or for so many epochs; return what the model has seen."""
    order = Order([pair], UNET, QUICK.model_copy(update=changes), CLASSES, out, CPU)
    training = train(order)
    for event in training:
        if isinstance(event, EpochDone) and event.epoch == epochs:
            training.close()
    ground = ground_of(read_grounds(out), pair.source)
    assert ground is not None
    return ground


def whole(ground: Ground) -> np.ndarray:
    return ground.seen.read(Window.whole(ground.card.shape))


def a_raster() -> tuple[Source, np.ndarray]:
    """A raster of 300 x 280 with a strip without data, and labels on a part of it."""
    values = np.random.default_rng(0).normal(size=(1, 300, 280)).astype(np.float32)
    values[:, :, 270:] = np.nan
    source = ArraySource(
        values, kind="raster", domain="imagery", name="Scene", bands=(Band("a"),),
        axes=(Axis("row", "px", 0, 1, 300), Axis("column", "px", 0, 1, 280)),
    )  # fmt: skip
    labels = np.zeros((300, 280), np.uint8)
    labels[:200, :140], labels[:200, 140:], labels[210:220, :50] = 3, 9, 7  # 7 is no class
    return source, labels


def test_that_a_raster_tells_trained_from_held_out(tmp_path: Path) -> None:
    source, labels = a_raster()
    pair = Pair(source, LabelSnapshot.from_array(labels))
    ground = a_training(pair, tmp_path / "model")
    seen = whole(ground)
    used = np.isin(labels, (3, 9))
    used[:, 270:] = False  # masked
    assert ground.card.labels_digest == pair.labels.digest
    assert np.array_equal(seen != NEW, used)
    share = (seen == HELD_OUT).sum() / used.sum()
    assert abs(share - read_card(tmp_path / "model").training.holdout_share) < 0.01
    assert 0.1 < share < 0.4


def test_that_what_lies_close_to_held_out_ground_is_new_to_a_scored_network(
    tmp_path: Path,
) -> None:
    source, labels = a_raster()
    pair = Pair(source, LabelSnapshot.from_array(labels))
    refitted = whole(a_training(pair, tmp_path / "refitted"))
    scored = whole(a_training(pair, tmp_path / "scored", refit=False))
    held = refitted == HELD_OUT
    assert np.array_equal(scored == HELD_OUT, held)
    near = np.zeros_like(held)
    for row, column in np.argwhere(held):
        near[max(row - 8, 0) : row + 9, max(column - 8, 0) : column + 9] = True
    assert np.array_equal(scored == TRAINED, (refitted == TRAINED) & ~near)
    assert np.array_equal(scored == NEAR, (refitted == TRAINED) & near)
    assert np.array_equal(scored == NEW, refitted == NEW)  # the buffer is no new ground


def test_that_a_stopped_training_has_not_seen_what_it_held_out(tmp_path: Path) -> None:
    source, labels = a_raster()
    pair = Pair(source, LabelSnapshot.from_array(labels))
    scored = whole(a_training(pair, tmp_path / "scored", refit=False))
    stopped = whole(a_training(pair, tmp_path / "stopped", epochs=1))
    assert read_card(tmp_path / "stopped").training.stopped_early
    assert np.array_equal(stopped, scored)


def test_that_only_the_sections_of_a_cube_that_were_trained_on_count(tmp_path: Path) -> None:
    axes = (
        Axis("inline", "", 1, 1, 40), Axis("crossline", "", 1, 1, 150), Axis("time", "ms", 0, 4, 150)
    )  # fmt: skip
    values = np.random.default_rng(0).normal(size=(40, 150, 150)).astype(np.float32)
    source = ArraySource(
        values, kind="cube", axes=axes, bands=(Band("a"),), domain="seismic", name="Cube"
    )
    labels = np.full((40, 150, 150), 3, np.uint8)
    labels[:, :, 75:] = 9
    pair = Pair(source, LabelSnapshot.from_array(labels), (Section(0, 5), Section(1, 60)))
    seen = whole(a_training(pair, tmp_path / "model"))
    expected = np.zeros(labels.shape, bool)
    expected[5], expected[:, 60] = True, True
    assert np.array_equal(seen != NEW, expected)
    assert {TRAINED, HELD_OUT} <= set(np.unique(seen[5]))


def test_that_labels_in_one_spot_are_all_trained_on(tmp_path: Path) -> None:
    pair = a_pair()
    labels = np.zeros(pair.source.shape, np.uint8)
    labels[100:104, 60:64], labels[100:104, 140:144] = 3, 9
    pair = Pair(pair.source, LabelSnapshot.from_array(labels))
    seen = whole(a_training(pair, tmp_path / "model"))
    assert np.array_equal(seen, np.where(labels > 0, TRAINED, NEW))
