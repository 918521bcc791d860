"""Features of frozen stages are computed once; the training is the one without that."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from training_lines import CLASSES, CPU, a_line

from geocnn_gui.events import EpochDone, Note
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.networks import build
from geocnn_gui.models.spec import SPECS, CnnSpec
from geocnn_gui.models.weights import load_model
from geocnn_gui.training import frozen
from geocnn_gui.training.frozen import frozen_part
from geocnn_gui.training.run import Order, resume, train
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.spec import TrainingSpec

RESNET = SPECS["resnet18"]
QUICK = TrainingSpec(epochs=2, steps_per_epoch=2, batch=4, refit=False, augment=False)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setattr("geocnn_gui.training.run.training_device", lambda device: device)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """A ResNet-18 whose weights lie in a file, frozen up to its third stage."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet.safetensors"
    net = build(RESNET(patch=32, weights="none"), 3, 2)
    save_file({f"encoder.{k}": v for k, v in net.encoder.state_dict().items()}, path)
    return RESNET(patch=32, step=32, weights=str(path), freeze="stage3")


def a_few() -> Pair:
    source, truth = a_line()
    few = np.zeros_like(truth)
    few[10:250:24, 4:156:16] = truth[10:250:24, 4:156:16]
    return Pair(source, LabelSnapshot.from_array(few))


def order(folder, spec, **changes):
    folder.mkdir(exist_ok=True)
    training = QUICK.model_copy(update=changes)
    return Order([a_few()], spec, training, CLASSES, folder / "m", CPU, folder / "check")


def learn(folder, spec, **changes):
    events = list(train(order(folder, spec, **changes)))
    return load_model(folder / "m")[0].state_dict(), events


def notes(events) -> list[str]:
    return [e.text for e in events if isinstance(e, Note) and "eatures" in e.text]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet-v3", "convnext-tiny"])
def test_that_every_stage_can_be_left_out_once_its_features_are_known(name):
    torch.manual_seed(0)
    kind = SPECS[name]
    for stage in kind.stage_names():
        spec = kind(patch=32, freeze=stage)
        net = build(spec, 2, 3).eval()
        part = frozen_part(net, spec)
        patches = torch.randn(2, 2, 32, 32)
        with torch.no_grad():
            whole = net.training_logits(patches)
            features = part.features(patches)
            torch.testing.assert_close(part.logits(features, 2), whole, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(net.training_logits(patches), whole)


def test_that_there_is_no_frozen_part_where_nothing_is_frozen():
    spec = RESNET(patch=32, freeze="nothing")
    assert frozen_part(build(spec, 1, 2), spec) is None
    assert frozen_part(build(CnnSpec(patch=20, width=4), 1, 2), CnnSpec(patch=20, width=4)) is None


def test_that_a_training_on_kept_features_is_that_without_them(spec, tmp_path, monkeypatch):
    plain, told = learn(tmp_path / "plain", spec)
    assert notes(told) == []
    passes = []
    run = frozen.FrozenPart.features
    monkeypatch.setattr(frozen.FrozenPart, "features", lambda *a: passes.append(1) or run(*a))
    kept, told = learn(tmp_path / "kept", spec, frozen_copies=1)
    (text,) = notes(told)
    assert text.endswith("computed once and kept; augmentation is off.")
    assert len(passes) <= 1 + QUICK.epochs * QUICK.steps_per_epoch * QUICK.batch
    for name, value in plain.items():
        torch.testing.assert_close(kept[name].float(), value.float(), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_that_it_goes_on_bit_for_bit_with_changed_copies(spec, tmp_path):
    recipe = {"frozen_copies": 3, "augment": True}
    whole, told = learn(tmp_path / "whole", spec, **recipe)
    assert notes(told)[0].endswith("3 changed copies of each.")
    begun = train(order(tmp_path / "parts", spec, **recipe))
    list(islice((e for e in begun if isinstance(e, EpochDone)), 1))
    begun.close()
    parts = tmp_path / "parts"
    list(resume(parts / "check", [a_few()], out=parts / "m", device=CPU))
    found = load_model(parts / "m")[0].state_dict()
    assert all(torch.equal(found[name], value) for name, value in whole.items())


def test_that_only_so_many_are_kept_as_there_is_room_for(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(frozen, "_MOST_BYTES", 20 * 256 * 2 * 2 * 4)
    _, told = learn(tmp_path, spec, frozen_copies=1, epochs=1)
    assert "kept, 21 of 80 labelled cells" in notes(told)[0]


def test_that_asking_for_it_without_frozen_stages_is_said(tmp_path):
    _, told = learn(tmp_path, CnnSpec(patch=20, width=4), frozen_copies=1, epochs=1)
    assert "computed anew" in notes(told)[0]
