"""A training that is broken off and goes on ends like one that was left alone."""

from __future__ import annotations

import json
import os
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from training_lines import CLASSES, CPU, a_line, a_pair

from geocnn_gui.errors import BadRequest, CannotWrite, UnreadableFile
from geocnn_gui.events import EpochDone, Event, Note
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.spec import CnnSpec, UNetSpec
from geocnn_gui.models.weights import load_model, read_card
from geocnn_gui.scoring.intervals import UnitCounter
from geocnn_gui.training import checkpoint as checkpoints
from geocnn_gui.training.checkpoint import Keeper, read_checkpoint, require_same_specs
from geocnn_gui.training.checkpoint import read_card as read_checkpoint_card
from geocnn_gui.training.holdout import HeldScore
from geocnn_gui.training.run import Order, resume, train
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: With dropout, so that torch's own random numbers count too.
UNET = UNetSpec(depth=2, width=8, dropout=0.3)
QUICK = TrainingSpec(epochs=3, steps_per_epoch=2, batch=2)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sums come out the same only in the same order; bf16 rounds too much to compare."""
    monkeypatch.setattr("geocnn_gui.training.run.training_device", lambda device: device)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def begin(folder: Path, **changes: object) -> Iterator[Event]:
    spec = changes.pop("spec", UNET)
    training = QUICK.model_copy(update=changes)
    folder.mkdir(exist_ok=True)
    order = Order([a_pair()], spec, training, CLASSES, folder / "model", CPU, folder / "check")
    return train(order)


def go_on(folder: Path, pair: Pair | None = None) -> Iterator[Event]:
    return resume(folder / "check", [pair or a_pair()], out=folder / "model", device=CPU)


def epochs(events: list[Event]) -> list[EpochDone]:
    return [event for event in events if isinstance(event, EpochDone)]


def stop_after(events: Iterator[Event], count: int) -> list[EpochDone]:
    """Close a task when it has told of `count` epochs."""
    found = list(islice((e for e in events if isinstance(e, EpochDone)), count))
    events.close()
    return found


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_model(folder / "model")[0].state_dict()


def assert_same(folder: Path, other: Path) -> None:
    a, b = weights(folder), weights(other)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)
    ours, theirs = (
        read_card(f / "model").training.model_dump(exclude={"seconds"}) for f in (folder, other)
    )
    assert ours == theirs


@pytest.mark.parametrize("spec", [UNET, CnnSpec(patch=20, width=4)])
def test_that_a_training_broken_off_after_every_epoch_ends_with_the_same_weights(
    spec: UNetSpec | CnnSpec, tmp_path: Path
) -> None:
    whole = epochs(list(begin(tmp_path / "whole", spec=spec)))
    assert {e.stage for e in whole} == {"holdout", "refit"}
    parts = stop_after(begin(tmp_path / "parts", spec=spec), 1)
    while (tmp_path / "parts" / "check").exists():
        parts += stop_after(go_on(tmp_path / "parts"), 1)
    assert parts == whole
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_that_patience_counts_on_after_a_break(tmp_path: Path, monkeypatch) -> None:
    scores = iter([0.9, 0.5, 0.5, 0.9, 0.5, 0.5])

    def scored(*_: object) -> Iterator[None]:
        yield
        return HeldScore(1.0, next(scores), np.eye(2, dtype=np.int64), UnitCounter(2))

    monkeypatch.setattr("geocnn_gui.training.loop.score_holdout", scored)
    whole = epochs(list(begin(tmp_path / "whole", epochs=9, patience=2)))
    assert [e.stage for e in whole] == ["holdout"] * 3 + ["refit"]
    parts = stop_after(begin(tmp_path / "parts", epochs=9, patience=2), 3)
    parts += epochs(list(go_on(tmp_path / "parts")))
    assert parts == whole


def test_that_a_checkpoint_is_a_safetensors_file_and_goes_when_all_is_done(tmp_path: Path) -> None:
    from safetensors import safe_open

    stop_after(begin(tmp_path), 1)
    with safe_open(tmp_path / "check", framework="pt") as file:
        names = set(file.keys())
        assert file.get_tensor("net.head.weight").shape == (2, 8, 1, 1)
    assert {"random.torch", "random.augment", "averaged.n_averaged"} <= names
    card = read_checkpoint_card(tmp_path / "check")
    assert (card.stage, card.epoch, card.epochs) == ("holdout", 1, 3)
    assert card.reached == "epoch 1 of 3 of the held-out run"
    events = list(go_on(tmp_path))
    assert Note("Training goes on after epoch 1 of 3 of the held-out run.") in events
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]


def test_that_time_counts_on(tmp_path: Path) -> None:
    stop_after(begin(tmp_path), 1)
    card = read_checkpoint_card(tmp_path / "check")
    data = read_checkpoint(tmp_path / "check")
    late = card.model_copy(update={"seconds": 1000.0})
    checkpoints.write_checkpoint(tmp_path / "check", late, data.tensors)
    list(go_on(tmp_path))
    assert read_card(tmp_path / "model").training.seconds > 1000


def test_that_short_epochs_are_written_when_the_training_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "_SHARE", 1e-9)  # after the first, none is worth its time
    monkeypatch.setattr(checkpoints, "_SHORT", 0.0)
    training = begin(tmp_path)
    told = (e for e in training if isinstance(e, EpochDone))
    next(told), next(told)
    assert read_checkpoint_card(tmp_path / "check").epoch == 1
    training.close()
    assert read_checkpoint_card(tmp_path / "check").epoch == 2


def test_that_a_full_disk_is_told_once_and_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "_SHARE", 1e9)
    training = begin(tmp_path, epochs=4)
    next(e for e in training if isinstance(e, EpochDone))
    before = (tmp_path / "check").read_bytes()
    sync = os.fsync

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    told = []
    for event in training:
        told.append(event)
        if isinstance(event, EpochDone) and (event.stage, event.epoch) == ("holdout", 4):
            break
    monkeypatch.setattr(os, "fsync", sync)
    assert (tmp_path / "check").read_bytes() == before
    told += list(training)
    warnings = [e.text for e in told if isinstance(e, Note) and e.warning]
    assert len(warnings) == 1
    assert warnings[0].startswith("Training goes on, but could not be continued")
    assert "the disk is full" in warnings[0]
    assert read_card(tmp_path / "model").training.refit
    assert not (tmp_path / "check").exists()


def test_that_a_model_that_cannot_be_written_keeps_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise CannotWrite("Cannot write model: the disk is full", "free some space")

    with monkeypatch.context() as patch:
        patch.setattr("geocnn_gui.training.run.save_model", full)
        with pytest.raises(CannotWrite):
            list(begin(tmp_path))
    card = read_checkpoint_card(tmp_path / "check")
    assert (card.stage, card.epoch) == ("refit", card.epochs)
    assert epochs(list(go_on(tmp_path))) == []
    assert read_card(tmp_path / "model").training.refit


def test_that_other_labels_are_refused(tmp_path: Path) -> None:
    stop_after(begin(tmp_path), 1)
    source, truth = a_line()
    truth[:3, :3] = 0
    with pytest.raises(BadRequest, match="labels of Line are not those that the training began"):
        list(go_on(tmp_path, Pair(source, LabelSnapshot.from_array(truth))))
    assert (tmp_path / "check").exists()


def test_that_other_data_and_other_sections_are_refused(tmp_path: Path) -> None:
    from geocnn_gui.data.source import Section

    stop_after(begin(tmp_path), 1)
    source, truth = a_line()
    labels = LabelSnapshot.from_array(truth)
    with pytest.raises(BadRequest, match="other sections of Line"):
        list(go_on(tmp_path, Pair(source, labels, (Section(),))))
    source.name = "Another"
    with pytest.raises(BadRequest, match=r"Another is not the data .* \(Line\)"):
        list(go_on(tmp_path, Pair(source, labels)))
    two = resume(tmp_path / "check", [a_pair(), a_pair()], out=tmp_path / "model", device=CPU)
    with pytest.raises(BadRequest, match=r"another number of data files \(1, not 2\)"):
        list(two)


def test_that_other_settings_are_named(tmp_path: Path) -> None:
    stop_after(begin(tmp_path), 1)
    card = read_checkpoint_card(tmp_path / "check")
    require_same_specs(card, UNET, QUICK)
    with pytest.raises(BadRequest, match=r"began with training.epochs=3, not 5"):
        require_same_specs(card, UNET, QUICK.model_copy(update={"epochs": 5}))
    with pytest.raises(BadRequest, match=r"began with model.kind=unet, not cnn"):
        require_same_specs(card, CnnSpec(), QUICK)


KEY = "geocnn-checkpoint"
#: What may become of the description in the header.
REWRITTEN = {
    "no key": lambda text: {"geocnn": text},
    "not json": lambda _: {KEY: "{"},
    "list": lambda _: {KEY: "[]"},
    "field": lambda text: {KEY: text.replace('"stage"', '"stag"')},
    "newer": lambda text: {KEY: text.replace('"version":2', '"version":3')},
}


def damaged(content: bytes, how: str) -> bytes:
    length = int.from_bytes(content[:8], "little")
    if how in REWRITTEN:
        header = json.loads(content[8 : 8 + length])
        header["__metadata__"] = REWRITTEN[how](header["__metadata__"][KEY])
        data = json.dumps(header).encode()
        return len(data).to_bytes(8, "little") + data + content[8 + length :]
    return {
        "cut": content[:-100],
        "header cut": content[: length // 2],
        "bit": content[:-50] + bytes([content[-50] ^ 1]) + content[-49:],
        "empty": b"",
        "text": b"no checkpoint at all, only words" * 10,
    }[how]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("stopped")
    stop_after(begin(folder), 1)
    return (folder / "check").read_bytes()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("cut", "is damaged"), ("bit", "is damaged"), ("not json", "is damaged"),
        ("list", "is damaged"), ("field", "is damaged"), ("newer", "another version"),
        ("header cut", "is no checkpoint"), ("empty", "is no checkpoint"),
        ("text", "is no checkpoint"), ("no key", "is no checkpoint"),
    ],
)  # fmt: skip
def test_that_a_damaged_checkpoint_is_refused_in_a_sentence(
    how: str, said: str, stopped: bytes, tmp_path: Path
) -> None:
    (tmp_path / "check").write_bytes(damaged(stopped, how))
    with pytest.raises(UnreadableFile, match=said):
        list(go_on(tmp_path))


def test_that_a_model_is_no_checkpoint_and_none_is_said(tmp_path: Path) -> None:
    list(begin(tmp_path, epochs=1))
    with pytest.raises(UnreadableFile, match="is no checkpoint"):
        list(resume(tmp_path / "model", [a_pair()], out=tmp_path / "other", device=CPU))
    with pytest.raises(UnreadableFile, match="cannot be read"):
        list(go_on(tmp_path))


def test_that_a_checkpoint_whose_tensors_do_not_fit_is_refused(
    stopped: bytes, tmp_path: Path
) -> None:
    (tmp_path / "check").write_bytes(stopped)
    start = read_checkpoint(tmp_path / "check")
    fewer = {name: t for name, t in start.tensors.items() if name != "net.head.weight"}
    checkpoints.write_checkpoint(tmp_path / "check", start.card, fewer)
    with pytest.raises(UnreadableFile, match="is damaged"):
        list(go_on(tmp_path))


def test_that_nothing_is_kept_without_a_place(tmp_path: Path) -> None:
    keeper = Keeper(None)
    assert keeper.keep(None, {}) is None
    keeper.flush()
    keeper.remove()
    assert list(tmp_path.iterdir()) == []


def test_that_the_scored_network_can_be_kept(tmp_path: Path) -> None:
    told = epochs(list(begin(tmp_path, refit=False)))
    assert {e.stage for e in told} == {"holdout"}
    card = read_card(tmp_path / "model").training
    assert (card.refit, card.stopped_early) == (False, False)
    assert not (tmp_path / "check").exists()
