"""Folds, a test set and single pixels: what a training says of its score."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from training_lines import CLASSES, CPU, a_pair

from geocnn_gui.data.source import Window
from geocnn_gui.events import EpochDone, Event, Note, Progress
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.ground import HELD_OUT, NEAR, NEW, TRAINED
from geocnn_gui.models.spec import UNetSpec
from geocnn_gui.models.weights import load_model, read_card, read_grounds
from geocnn_gui.scoring.split_spec import TEST, SplitChoice, SplitSpec
from geocnn_gui.training.run import Order, resume, train
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.spec import TrainingSpec
from geocnn_gui.training.thin_classes import pool_thin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNET = UNetSpec(depth=2, width=8, dropout=0.3)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("geocnn_gui.training.run.training_device", lambda device: device)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def a_faulted_pair() -> Pair:
    """Two layers, the second cut by lines two cells wide: class 9 is thin."""
    pair = a_pair()
    labels = np.full(pair.source.shape, 3, np.uint8)
    for trace in range(8, 250, 16):
        labels[trace : trace + 2, 10:150] = 9
    return Pair(pair.source, LabelSnapshot.from_array(labels))


def begin(
    folder: Path, *, epochs: int = 2, pair: Pair | None = None, **split: object
) -> Iterator[Event]:
    folder.mkdir(exist_ok=True)
    training = TrainingSpec(
        epochs=epochs, steps_per_epoch=2, batch=2, split=SplitSpec(buffer=4, **split)
    )
    order = Order(
        [pair or a_pair()], UNET, training, CLASSES, folder / "model", CPU, folder / "check"
    )
    return train(order)


def go_on(folder: Path, pair: Pair | None = None) -> Iterator[Event]:
    return resume(folder / "check", [pair or a_pair()], out=folder / "model", device=CPU)


def epochs(events: list[Event]) -> list[EpochDone]:
    return [event for event in events if isinstance(event, EpochDone)]


def stop_after(events: Iterator[Event], count: int) -> list[EpochDone]:
    found = list(islice((e for e in events if isinstance(e, EpochDone)), count))
    events.close()
    return found


def seen(folder: Path) -> np.ndarray:
    ground = read_grounds(folder / "model")[0]
    return ground.seen.read(Window.whole(ground.card.shape))


def test_that_every_fold_is_held_out_in_turn_and_the_score_is_pooled(tmp_path: Path) -> None:
    events = list(begin(tmp_path, folds=3))
    held = [e for e in epochs(events) if e.stage == "holdout"]
    assert [(e.fold, e.folds, e.epoch) for e in held] == [
        (f, 3, e) for f in range(3) for e in (1, 2)
    ]
    said = {e.text for e in events if isinstance(e, Progress)}
    assert "Fold 2 of 3: epoch 1 of 2" in said
    totals = {e.total for e in events if isinstance(e, Progress) and e.total}
    assert len(totals) == 1
    summary = read_card(tmp_path / "model").training
    assert summary.refit
    assert summary.holdout_folds == 3
    assert summary.holdout_scores is not None
    assert len(summary.holdout_scores.ids) == summary.holdout_units > 5
    assert summary.holdout_iou is not None
    low, high = summary.holdout_interval or (1, 0)
    assert low <= summary.holdout_iou <= high
    assert (seen(tmp_path) == HELD_OUT).mean() > 0.9


def test_that_folds_broken_off_after_every_epoch_end_as_if_left_alone(tmp_path: Path) -> None:
    whole = epochs(list(begin(tmp_path / "whole", folds=2, test=0.15)))
    parts = stop_after(begin(tmp_path / "parts", folds=2, test=0.15), 1)
    while (tmp_path / "parts" / "check").exists():
        parts += stop_after(go_on(tmp_path / "parts"), 1)
    assert parts == whole
    first, second = (load_model(tmp_path / f / "model")[0].state_dict() for f in ("whole", "parts"))
    assert all(torch.equal(first[key], second[key]) for key in first)
    a, b = (
        read_card(tmp_path / f / "model").training.model_dump(exclude={"seconds"})
        for f in ("whole", "parts")
    )
    assert a == b
    assert a["test_iou"] is not None


@pytest.mark.slow
def test_that_the_threshold_of_a_thin_class_comes_from_all_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pooled: list[list] = []

    def keep(folds) -> list:
        pooled.append(list(folds))
        return pool_thin(folds)

    monkeypatch.setattr("geocnn_gui.training.run.pool_thin", keep)
    pair, wish = a_faulted_pair(), {"epochs": 1, "folds": 3, "unit": "block"}
    list(begin(tmp_path / "whole", pair=pair, **wish))
    stop_after(begin(tmp_path / "parts", pair=pair, **wish), 1)
    while (tmp_path / "parts" / "check").exists():
        stop_after(go_on(tmp_path / "parts", pair), 1)
    whole, parts = (read_card(tmp_path / f / "model") for f in ("whole", "parts"))
    assert (whole.thin, whole.thresholds) == (parts.thin, parts.thresholds)
    assert whole.thin == (9,)
    assert pooled[0] == pooled[-1]
    assert len(pooled[0]) == 3
    held = sum(count.labelled for fold in pooled[0] for (count,) in [fold])
    thin_cells = int((pair.labels.read(Window.whole(pair.labels.shape)) == 9).sum())
    assert held == thin_cells  # every unit is held out once


def test_that_a_test_set_is_never_trained_on_and_scored_once(tmp_path: Path) -> None:
    events = list(begin(tmp_path, test=0.2))
    summary = read_card(tmp_path / "model").training
    told = [e.text for e in events if isinstance(e, Note) and e.text.startswith("Test set")]
    assert len(told) == 1
    assert summary.test_iou is not None
    assert f"{summary.test_iou:.2f}" in told[0]
    marks = seen(tmp_path)
    assert 0.1 < (marks == NEW).mean() < 0.5
    assert 0 < (marks == NEAR).mean() < 0.2  # around it
    assert {NEW, TRAINED, HELD_OUT, NEAR} == set(np.unique(marks))


def test_that_labels_of_the_test_set_change_nothing_of_the_network(tmp_path: Path) -> None:
    """Swap the classes there: the same network comes out, its test score does not."""
    choice = SplitChoice(unit="block", side=64, roles={"0:64-64": TEST, "0:128-64": 0})
    source, truth = a_pair().source, a_pair().labels.read(Window.whole((260, 160)))
    other = truth.copy()
    other[64:128, 64:128] = np.where(truth[64:128, 64:128] == 9, 3, 9)
    pairs = [Pair(source, LabelSnapshot.from_array(labels)) for labels in (truth, other)]
    for name, pair in zip("ab", pairs, strict=True):
        list(begin(tmp_path / name, choice=choice, pair=pair))
    a, b = (load_model(tmp_path / name / "model")[0].state_dict() for name in "ab")
    assert all(torch.equal(a[key], b[key]) for key in a)
    ours, theirs = (read_card(tmp_path / name / "model").training for name in "ab")
    assert ours.holdout_iou == theirs.holdout_iou
    assert ours.test_iou != theirs.test_iou


def test_that_units_moved_by_hand_are_what_is_held_out(tmp_path: Path) -> None:
    choice = SplitChoice(unit="block", side=64, roles={"0:64-64": 0, "0:192-64": 0})
    list(begin(tmp_path, choice=choice))
    marks = seen(tmp_path)
    expected = np.zeros(marks.shape, bool)
    expected[64:128, 64:128] = expected[192:256, 64:128] = True
    assert np.array_equal(marks == HELD_OUT, expected)


def test_that_single_pixels_are_called_leaky_and_stand_beside_an_honest_score(
    tmp_path: Path,
) -> None:
    events = list(begin(tmp_path, unit="pixels (leaky)"))
    summary = read_card(tmp_path / "model").training
    assert summary.leaky_iou is not None
    assert summary.holdout_iou is not None
    assert summary.holdout_by == "block"
    assert [e.leaky for e in epochs(events)] == [True, True, False, False, *[False] * 2]
    assert any("leaky" in e.text for e in events if isinstance(e, Note) and e.warning)


def test_that_a_share_written_before_splits_had_a_spec_is_read() -> None:
    assert TrainingSpec.model_validate({"holdout": 0.3}).split == SplitSpec(share=0.3)
