"""`geocnn train --start`: a training that begins with a survey backbone."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from cli_commands import TINY

from geocnn_gui.cli import console
from geocnn_gui.models.architectures.unet_spec import UNetSpec
from geocnn_gui.models.survey import load_backbone, new_backbone, save_backbone
from geocnn_gui.models.survey_card import BackboneCard
from geocnn_gui.models.weights import load_model, read_card


@pytest.fixture
def backbone(tmp_path):
    path = tmp_path / "survey.safetensors"
    card = BackboneCard(
        spec=UNetSpec(depth=2, width=8), domain="seismic", bands=("amplitude",), licence="CC0-1.0"
    )
    torch.manual_seed(7)
    save_backbone(path, new_backbone(card))
    return path


@pytest.fixture
def train(trained, geocnn, tmp_path):
    def call(*more):
        asked = ("--data", trained.data, trained.labels, *TINY, "--out", tmp_path / "m.safetensors")
        return geocnn("train", *asked, *more)

    return call


def test_that_a_training_begins_with_a_backbone(train, backbone, tmp_path):
    result = train("--start", backbone, "--set", "training.learning_rate=1e-9")
    assert result.code == 0, result.err
    assert "Begins with the survey backbone survey.safetensors" in result.err
    net, card = load_model(tmp_path / "m.safetensors")
    known = load_backbone(backbone).net.state_dict()["merge.0.0.weight"]
    torch.testing.assert_close(net.state_dict()["merge.0.0.weight"], known, atol=1e-6, rtol=0)
    assert card.training.began.startswith("survey backbone survey.safetensors")


def test_that_another_depth_is_refused_with_that_of_the_backbone(train, backbone, tmp_path):
    result = train("--start", backbone, "--set", "model.depth=3")
    assert result.code == 1
    assert "choose the U-Net with depth 2, width 8" in result.err
    assert not (tmp_path / "m.safetensors").exists()


def test_that_the_licence_outlives_the_backbone(train, backbone, tmp_path, monkeypatch):
    losses, said = [], console._Lines.say

    class AfterTheRefitHasBegun:
        def is_set(self):
            return len(losses) >= 3

    def say(lines, text):
        said(lines, text)
        losses.extend(["loss"] * ("loss" in text))

    more = ("--start", backbone, "--set", "training.epochs=2")
    with monkeypatch.context() as patch:
        patch.setattr(console, "_interrupts", lambda: nullcontext(AfterTheRefitHasBegun()))
        patch.setattr(console._Lines, "say", say)
        assert train(*more).code == 130
    backbone.unlink()
    result = train(*more, "--resume")
    assert result.code == 0, result.err
    training = read_card(tmp_path / "m.safetensors").training
    assert training.licence == "CC0-1.0"
    assert training.began.startswith("survey backbone")
