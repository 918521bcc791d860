"""Transfer learning through the command line: weights in, frozen parts kept, a model that is whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cli_commands import FILES

from geocnn_gui.models.pretrained import read_weights
from geocnn_gui.models.spec import ResNetSpec
from geocnn_gui.models.vision import torchvision
from geocnn_gui.models.weights import load_model, read_card

QUICK = (
    "--set", "training.epochs=1", "--set", "training.steps_per_epoch=2", "--device", "cpu",
    "--set", "training.batch=2", "--set", "training.split.share=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "r18.pth"
    torch.save(torchvision().models.resnet18(weights=None).state_dict(), path)
    return path


def given_state(path):
    return read_weights(ResNetSpec(weights=str(path)))


@pytest.fixture
def train(geocnn, section_labels, tmp_path):
    def call(kind, *settings):
        out = tmp_path / "model.safetensors"
        chosen = [part for s in settings for part in ("--set", s)]
        result = geocnn(
            "train", "--data", FILES / "f3_section_cut.sgy", section_labels, "--model", kind,
            *QUICK, *chosen, "--out", out, "--json",
        )  # fmt: skip
        return result, out

    return call


@pytest.mark.parametrize("kind", ["resnet18", "unet-resnet18"])
def test_that_it_trains_from_scratch_without_any_weights(train, kind):
    result, out = train(kind, "model.weights=none")
    assert result.code == 0, result.err
    assert read_card(out).spec.kind == kind


@pytest.mark.parametrize("kind", ["resnet18", "unet-resnet18"])
def test_that_frozen_parts_stay_as_they_were_and_the_rest_learns(train, weights, kind):
    result, out = train(kind, f"model.weights={weights}", "model.freeze=early")
    assert result.code == 0, result.err
    given, state = given_state(weights), load_model(out)[0].state_dict()
    for name, value in given.items():
        if name.startswith(("bn1.", "layer1.", "layer2.")) and "batches" not in name:
            assert torch.equal(state[f"encoder.{name}"], value), name
    changed = state["encoder.layer4.1.conv2.weight"] - given["layer4.1.conv2.weight"]
    assert 0 < float(changed.abs().max()) < 2e-3


def test_that_the_encoder_moves_less_than_what_is_fresh(train, weights):
    moved = []
    for factor in (0.01, 1):
        _, out = train("resnet18", f"model.weights={weights}", f"model.encoder_rate={factor}")
        state = load_model(out)[0].state_dict()
        given = given_state(weights)["layer3.0.conv1.weight"]
        moved.append(float((state["encoder.layer3.0.conv1.weight"] - given).abs().mean()))
    assert 0 < moved[0] < moved[1] / 10


def test_that_missing_weights_end_it_before_anything_is_computed(train, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("GEOCNN_WEIGHTS_URL", "http://127.0.0.1:9/")
    result, out = train("unet-resnet18")
    assert result.code == 1
    assert not out.exists()
    last = result.err.strip().splitlines()[-1]
    assert "resnet18-f37072fd.pth" in last
    assert str(tmp_path / "torch" / "hub" / "checkpoints") in last
    assert "Reading the labels" not in result.err


def test_that_weights_that_do_not_fit_end_it_before_anything_is_computed(train, tmp_path):
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "odd.pth")
    result, _ = train("resnet18", f"model.weights={tmp_path / 'odd.pth'}")
    assert result.code == 1
    assert "odd.pth does not fit ResNet-18" in result.err
    assert "Reading the labels" not in result.err


def test_that_a_setting_says_what_it_takes(train):
    result, _ = train("resnet18", "model.patch=20")
    assert "a whole number from 32 to 128" in result.err
    result, _ = train("resnet18", "model.weights=")
    assert "imagenet, none or the name of a weights file" in result.err


@pytest.mark.slow
def test_that_a_saved_model_needs_neither_its_weights_nor_a_network(
    train, process, weights, geocnn, tmp_path
):
    own = tmp_path / "moved.pth"
    own.write_bytes(weights.read_bytes())
    result, model = train("unet-resnet18", f"model.weights={own}", "model.freeze=encoder")
    assert result.code == 0, result.err
    section = FILES / "f3_section_cut.sgy"
    assert geocnn("predict", model, section, "--out", tmp_path / "here.npy").code == 0
    own.unlink()
    assert read_card(model).spec.weights == "moved.pth"
    assert str(tmp_path).encode() not in model.read_bytes()
    told = process("predict", model, section, "--out", tmp_path / "there.npy", cwd=tmp_path)
    assert told.code == 0, told.err
    here, there = (np.load(tmp_path / f"{name}.npy") for name in ("here", "there"))
    assert np.mean(here == there) > 0.999


def test_that_a_model_carries_its_licence(train):
    result, out = train("cnn", "model.width=4", "model.patch=20", "training.licence=CC BY-SA 3.0")
    assert result.code == 0
    assert read_card(out).training.licence == "CC BY-SA 3.0"
