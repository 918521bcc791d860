"""A whole training on a small section that can be learned: bright over dark layers."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from training_lines import CLASSES, CPU, a_line, a_pair

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Section, Source
from geocnn_gui.errors import BadRequest, CannotWrite, NoLiveData, NotEnoughLabels
from geocnn_gui.events import EpochDone, Event, Progress, Saved
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.spec import CnnSpec, UNetSpec
from geocnn_gui.models.weights import load_model, read_card
from geocnn_gui.training.run import Order, train
from geocnn_gui.training.sections import Pair, labelled_sections
from geocnn_gui.training.spec import TrainingSpec
from geocnn_gui.training.step import loss_of, share_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNET = UNetSpec(depth=2, width=8, dropout=0)
QUICK = TrainingSpec(epochs=3, steps_per_epoch=6, batch=4)


def a_training(out: Path, **changes: object) -> Iterator[Event]:
    pair = changes.pop("pair", None) or a_pair()
    spec = changes.pop("spec", UNET)
    return train(Order([pair], spec, QUICK.model_copy(update=changes), CLASSES, out, CPU))


def test_that_a_training_holds_out_then_refits_and_saves_one_file(tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    events = list(a_training(out, epochs=6))
    stages = [e.stage for e in events if isinstance(e, EpochDone)]
    assert set(stages) == {"holdout", "refit"}
    assert events[-1] == Saved(out, "model")
    assert list(tmp_path.iterdir()) == [out]
    card = read_card(out)
    scores = [e for e in events if isinstance(e, EpochDone) and e.stage == "holdout"]
    top = max(e.holdout_iou or 0 for e in scores)
    best = [e for e in scores if (e.holdout_iou or 0) >= top - 0.02][-1]
    assert card.training.holdout_iou == best.holdout_iou
    assert best.holdout_iou is not None
    assert best.holdout_iou > 0.8
    assert stages.count("refit") == best.epoch
    assert card.training.steps == best.epoch * QUICK.steps_per_epoch
    assert 0.1 < card.training.holdout_share < 0.3
    assert [c.id for c in card.classes] == [3, 9]
    assert card.scaling.mode == "survey"
    assert card.spacing.sample_interval is None  # the source does not say


@pytest.mark.parametrize("spec", [UNET, CnnSpec(patch=20, width=4)])
def test_that_the_same_seed_gives_the_same_network(
    spec: UNetSpec | CnnSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geocnn_gui.training.run.training_device", lambda device: device)
    nets = []
    for name in "ab":
        list(a_training(tmp_path / name, spec=spec, epochs=1, seed=5))
        nets.append(load_model(tmp_path / name)[0].state_dict())
    assert all(torch.equal(nets[0][key], nets[1][key]) for key in nets[0])


def test_that_stop_keeps_the_best_weights_so_far(tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    training = a_training(out, epochs=50)
    for event in training:
        if isinstance(event, EpochDone) and event.epoch == 2:
            break
    training.close()
    card = read_card(out)
    assert card.training.stopped_early
    assert not card.training.refit
    assert card.training.steps <= 2 * QUICK.steps_per_epoch
    load_model(out)


def test_that_stop_before_the_first_epoch_leaves_nothing(tmp_path: Path) -> None:
    training = a_training(tmp_path / "model.safetensors")
    for event in training:
        if isinstance(event, Progress):
            break
    training.close()
    assert list(tmp_path.iterdir()) == []


def test_that_a_stop_waits_for_one_batch_only(tmp_path: Path) -> None:
    training = a_training(tmp_path / "m", epochs=1000)
    begun = (e for e in training if isinstance(e, Progress) and e.total)
    steps = [e for e, _ in zip(begun, range(9), strict=False)]
    training.close()
    assert {b.done - a.done for a, b in pairwise(steps)} <= {0, 1}  # 0: scoring an epoch
    assert steps[-1].done >= 6
    assert all(s.seconds_left is not None for s in steps)


def test_that_one_class_only_is_refused(tmp_path: Path) -> None:
    source, truth = a_line()
    pair = Pair(source, LabelSnapshot.from_array(np.where(truth == 3, 3, 0).astype(np.uint8)))
    with pytest.raises(NotEnoughLabels, match=r"only the class Dark.*at least two classes"):
        list(a_training(tmp_path / "m", pair=pair))


def test_that_no_labels_are_refused(tmp_path: Path) -> None:
    source, truth = a_line()
    pair = Pair(source, LabelSnapshot.from_array(np.zeros_like(truth)))
    with pytest.raises(NotEnoughLabels, match="Line hold no class"):
        list(a_training(tmp_path / "m", pair=pair))


def test_that_a_source_without_live_samples_is_refused(tmp_path: Path) -> None:
    source, truth = a_line(live=False)
    with pytest.raises(NoLiveData, match="Line"):
        list(a_training(tmp_path / "m", pair=Pair(source, LabelSnapshot.from_array(truth))))


def test_that_sources_of_different_kind_are_refused(tmp_path: Path) -> None:
    image = ArraySource(
        np.ones((3, 20, 20), np.float32), kind="raster", domain="imagery", name="Scene",
        axes=(Axis("row", "px", 0, 1, 20), Axis("column", "px", 0, 1, 20)),
        bands=(Band("r"), Band("g"), Band("b")),
    )  # fmt: skip
    pairs = [a_pair(), Pair(image, LabelSnapshot.from_array(np.ones((20, 20), np.uint8)))]
    with pytest.raises(BadRequest, match="Scene and Line differ"):
        list(train(Order(pairs, UNET, QUICK, CLASSES, tmp_path / "m", CPU)))


def test_that_two_pairs_train_together(tmp_path: Path) -> None:
    pairs = [a_pair(0), a_pair(1)]
    list(train(Order(pairs, UNET, QUICK, CLASSES, tmp_path / "m", CPU)))
    card = read_card(tmp_path / "m")
    assert card.training.data == ("Line", "Line")
    assert sum(card.training.labelled_cells.values()) == 2 * 260 * 160


def test_that_labels_in_one_spot_train_without_a_score(tmp_path: Path) -> None:
    source, truth = a_line()
    sparse = np.zeros_like(truth)
    sparse[100:104, 60:64], sparse[100:104, 140:144] = 3, 9
    list(a_training(tmp_path / "m", pair=Pair(source, LabelSnapshot.from_array(sparse))))
    card = read_card(tmp_path / "m")
    assert card.training.holdout_iou is None
    assert card.training.refit


def test_that_a_full_disk_is_said_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match="disk is full"):
        list(a_training(tmp_path / "model.safetensors", epochs=1))
    assert list(tmp_path.iterdir()) == []


def test_that_unlabelled_pixels_never_enter_the_loss() -> None:
    logits = torch.randn(2, 3, 8, 8, requires_grad=True)
    labels = torch.zeros(2, 8, 8, dtype=torch.long)
    labels[0, 2:4, 3:6], labels[0, 6, 6] = 1, 3
    loss_of(logits, labels, share_of(labels, 3, balance=True)).backward()
    assert logits.grad is not None
    reached = logits.grad.abs().sum(1) > 0
    assert torch.equal(reached, labels > 0)


def test_that_a_batch_without_labels_gives_no_nan() -> None:
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    loss = loss_of(logits, labels, share_of(labels, 2, balance=True))
    assert loss.item() == 0


def a_cube() -> Source:
    axes = (
        Axis("inline", "", 100, 2, 30), Axis("crossline", "", 1, 1, 40), Axis("time", "ms", 0, 4, 50)
    )  # fmt: skip
    return ArraySource(
        np.zeros((30, 40, 50), np.float32), kind="cube", axes=axes, bands=(Band("a"),),
        domain="seismic", name="Cube",
    )  # fmt: skip


def test_that_the_painted_sections_of_a_cube_are_found() -> None:
    labels = np.zeros((30, 40, 50), np.uint8)
    labels[7, 5:35, 10:20], labels[7, 5:35, 30:40] = 1, 2
    labels[2:28, 11, 22:28] = 1
    found = labelled_sections(a_cube(), LabelSnapshot.from_array(labels))
    assert found == (Section(0, 7), Section(1, 11))


def test_that_a_thin_class_on_its_own_section_is_found() -> None:
    labels = np.zeros((30, 40, 50), np.uint8)
    labels[10, :, :40], labels[25, 3:6, 10:40] = 1, 2
    found = labelled_sections(a_cube(), LabelSnapshot.from_array(labels))
    assert found == (Section(0, 10), Section(0, 25))


def test_that_a_class_missed_by_even_spacing_gets_its_section(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("geocnn_gui.training.sections._MOST_SECTIONS", 5)
    labels = np.ones((30, 40, 50), np.uint8)
    labels[3, 5:9, 5:9] = 2
    found = labelled_sections(a_cube(), LabelSnapshot.from_array(labels))
    assert len(found) == 6
    assert found[-1] == Section(0, 3)


def test_that_a_fully_labelled_cube_gives_every_section_of_one_axis() -> None:
    labels = np.ones((30, 40, 50), np.uint8)
    found = labelled_sections(a_cube(), LabelSnapshot.from_array(labels))
    assert {s.axis for s in found} == {0}
    assert len(found) == 30
