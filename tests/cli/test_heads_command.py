"""What a network's head is asked to give, on the command line."""

from __future__ import annotations

import numpy as np
import pytest
from cli_commands import TINY

from geocnn_gui.models.weights import read_card

LAYERS = (
    "--model", "layers", "--set", "model.layers=sliding", "--set", "model.patch=20", *TINY[6:],
)  # fmt: skip


@pytest.fixture
def train(geocnn, tmp_path):
    """Train the list of layers on patches of a set, with their classes or with values."""
    random = np.random.default_rng(0)
    patches = random.normal(size=(30, 1, 20, 20)).astype("f4")
    np.savez(tmp_path / "set.npz", patches=patches, labels=np.arange(30) % 2)
    np.savetxt(tmp_path / "values.csv", random.random(30) * 9 + 100)

    def call(*more, values=False):
        given = ("--values", tmp_path / "values.csv") if values else ()
        return geocnn(
            "train", "--samples", tmp_path / "set.npz", *given, *LAYERS, *more, "--json",
            "--out", tmp_path / "m.safetensors",
        )  # fmt: skip

    return call


@pytest.mark.parametrize("head", ["sigmoid", "relu", "tanh"])
def test_that_a_head_for_values_learns_no_classes(train, tmp_path, head):
    result = train("--set", f"model.head={head}")
    assert result.code == 1
    assert f"The head {head} gives a value" in result.err
    assert "take softmax to name classes, or a target to learn values" in result.err
    assert not (tmp_path / "m.safetensors").exists()


def test_that_a_linear_head_names_classes_as_softmax_does(train):
    linear = train("--set", "model.head=linear").json
    soft = train().json
    assert linear["holdout_iou"] == soft["holdout_iou"]


def test_that_values_replace_softmax_and_losses_of_classes_in_words(train, tmp_path):
    result = train("--set", "training.loss=focal", values=True)
    assert result.code == 0, result.err
    notes = " ".join(result.json["notes"])
    assert "the head is linear in place of softmax" in notes
    assert "learned by the squared error; the loss focal is for classes" in notes
    assert read_card(tmp_path / "m.safetensors").spec.head == "linear"


def test_that_a_sigmoid_predicts_within_the_values_it_learned(train, geocnn, tmp_path):
    result = train("--set", "model.head=sigmoid", values=True)
    assert result.code == 0, result.err
    model, out = tmp_path / "m.safetensors", tmp_path / "p.npy"
    assert read_card(model).spec.head == "sigmoid"
    assert geocnn("predict", model, tmp_path / "set.npz", "--out", out).code == 0
    found, truth = np.load(out), np.loadtxt(tmp_path / "values.csv")
    wide = np.ptp(truth)
    assert truth.min() - wide / 10 < found.min() < found.max() < truth.max() + wide / 10


@pytest.mark.slow
def test_that_freezing_without_weights_is_told(geocnn, train, tmp_path):
    notes = geocnn(
        "train", "--samples", tmp_path / "set.npz", "--model", "resnet18", *TINY[6:], "--set",
        "model.weights=none", "--set", "model.freeze=encoder", "--set", "training.frozen_copies=1",
        "--set", "model.patch=32", "--out", tmp_path / "frozen.safetensors", "--json",
    ).json["notes"]  # fmt: skip
    assert any("Freezing needs weights to keep: with weights=none" in note for note in notes)
    assert not any("No stages" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "unet-1d",
            "are patches of 20 x 20, and this network reads traces; choose a network on pic",
        ),
        ("cnn", "are traces of 40, and this network reads pictures; choose a network on traces"),
    ],
)
def test_that_a_network_refuses_samples_of_another_form(geocnn, train, tmp_path, name, words):
    if name == "cnn":
        np.savez(tmp_path / "set.npz", traces=np.ones((9, 40), "f4"), labels=np.arange(9) % 2)
    result = geocnn(
        "train", "--samples", tmp_path / "set.npz", "--model", name, "--device", "cpu",
        "--out", tmp_path / "m.safetensors",
    )  # fmt: skip
    assert result.code == 1
    assert words in " ".join(result.err.split())
