"""Sample sets on the command line: train, predict, evaluate, reproduce."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest

from geocnn_gui.models.weights import read_card

if TYPE_CHECKING:
    from pathlib import Path

_QUICK = (
    "--model", "layers", "--set", "training.epochs=6", "--set", "training.batch=0",
    "--set", "training.optimizer=adam", "--set", "training.learning_rate=0.02",
    "--set", "training.schedule=constant", "--set", "training.augment=false",
    "--set", "training.average=false", "--set", "training.refit=false",
)  # fmt: skip


def save_traces(path: Path, *, records: bool = False, n: int = 120, scale: float = 1.0) -> None:
    """Save traces of 64 samples: bumps upwards, downwards, or none, one after another."""
    random = np.random.default_rng(0)
    classes = np.arange(n) % 3
    traces = 0.05 * random.normal(size=(n, 64))
    bump = np.exp(-(((np.arange(64) - 32) / 3) ** 2))
    traces += np.array([0, 1, -1])[classes][:, None] * bump
    more = {"record": np.arange(n) // 6} if records else {}
    names = np.array(["none", "up", "down"])[classes]
    np.savez(path, traces=(scale * traces).astype(np.float32), labels=names, **more)


@pytest.fixture(scope="module")
def traces(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "traces.npz"
    save_traces(path, records=True)
    return path


@pytest.fixture
def model(geocnn, traces, tmp_path) -> Path:
    out = tmp_path / "traces.safetensors"
    settings = ("--set", "model.layers=textbook-traces")
    result = geocnn("train", "--samples", traces, *_QUICK, *settings, "--out", out, "--json")
    assert result.code == 0, result.err
    # All windows of a record stay together.
    assert result.json["holdout_by"] == "record"
    assert result.json["holdout_units"] >= 3
    assert result.json["holdout_iou"] > 0.9
    return out


def test_that_a_set_of_traces_is_told(geocnn, traces):
    facts = geocnn("info", traces, "--json").json
    assert facts["kind"] == "samples"
    assert facts["samples"] == 120
    assert facts["records"] == 20
    assert facts["sample_classes"] == {"down": 40, "none": 40, "up": 40}


def test_that_a_set_is_predicted_and_scored(geocnn, traces, model, tmp_path):
    card = read_card(model)
    assert card.scaling.mode == "trace"
    assert [c.name for c in card.classes] == ["down", "none", "up"]
    table, array = tmp_path / "named.csv", tmp_path / "named.npy"
    assert geocnn("predict", model, traces, "--out", table).code == 0
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 120
    assert rows[1]["sample"] == "trace 1"
    assert rows[1]["class"] == "up"
    shares = [float(rows[1][f"p {name}"]) for name in ("down", "none", "up")]
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert max(shares) == shares[2]
    assert geocnn("predict", model, traces, "--out", array).code == 0
    assert np.load(array).shape == (1, 120)
    scores = geocnn("evaluate", array, "--labels", traces, "--json").json
    assert scores["pixel_accuracy"] > 0.9
    assert scores["subsets"].keys() == {"trained", "held_out"}
    assert not any(each["thin"] for each in scores["classes"])


def test_that_a_map_of_a_set_is_refused(geocnn, traces, model, tmp_path):
    result = geocnn("predict", model, traces, "--out", tmp_path / "map.tif")
    assert result.code == 1
    assert "is a sample set and no map; choose a name that ends in .csv or .npy" in result.err


def test_that_a_trace_net_reads_every_window_of_a_section(geocnn, model, tmp_path):
    """Traces of another strength: each is standardised around every cell."""
    bump = np.exp(-(((np.arange(200) - 80) / 3) ** 2))
    random = np.random.default_rng(2)
    section = 4000 * (np.stack([bump, -bump] * 10, 1) + 0.05 * random.normal(size=(200, 20)))
    path, out = tmp_path / "section.npy", tmp_path / "named.npy"
    np.save(path, section.astype(np.float32))
    result = geocnn("predict", model, path, "--domain", "seismic", "--out", out)
    assert result.code == 0, result.err
    named = np.load(out)
    assert (named[80, ::2] == 3).all()
    assert (named[80, 1::2] == 1).all()


def test_that_patches_train_a_net_for_every_pixel(geocnn, tmp_path):
    random = np.random.default_rng(0)
    classes = np.repeat([0, 1], 60)
    waves = np.sin(np.arange(24) * 1.5)
    patches = np.where(classes[:, None, None] == 1, waves[:, None], waves[None]) + 0.1 * (
        random.normal(size=(120, 24, 24)))  # fmt: skip
    data, model, out = (tmp_path / name for name in ("p.npz", "p.safetensors", "named.npy"))
    np.savez(data, patches=patches.astype(np.float32), labels=classes)
    result = geocnn(
        "train", "--samples", data, "--model", "cnn", "--set", "model.patch=20", "--set",
        "model.width=4", "--set", "training.epochs=3", "--set", "training.steps_per_epoch=10",
        "--set", "training.augment=false", "--out", model, "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert result.json["holdout_by"] == "block"
    assert result.json["holdout_iou"] > 0.9
    assert any("24 x 24 and the network reads 20 x 20" in note for note in result.json["notes"])
    section = np.zeros((60, 80), np.float32)
    section[:, :40] = np.sin(np.arange(40) * 1.5)
    section[:, 40:] = np.sin(np.arange(60) * 1.5)[:, None]
    np.save(tmp_path / "section.npy", section)
    arguments = ("predict", model, tmp_path / "section.npy", "--domain", "seismic", "--out", out)
    assert geocnn(*arguments).code == 0
    named = np.load(out)
    assert (named[15:45, 15:30] == 1).mean() > 0.9
    assert (named[15:45, 50:65] == 2).mean() > 0.9


def test_that_a_stopped_prediction_of_a_set_goes_on(model, traces, tmp_path):
    from geocnn_gui import workflow
    from geocnn_gui.data.source import Window, open_source
    from geocnn_gui.events import TileDone
    from geocnn_gui.inference.store import PredictionStore

    with open_source(traces) as source:
        task = workflow.predict(model, source, folder=tmp_path / "p")
        first = next(event for event in task if isinstance(event, TileDone))
        task.close()
        events = list(workflow.predict(model, source, folder=tmp_path / "p"))
        tiles = [event for event in events if isinstance(event, TileDone)]
        assert first not in tiles
        assert tiles
        store = PredictionStore.open(tmp_path / "p")
        assert store.complete
        assert (store.read_classes(Window.whole(source.shape)) > 0).all()
        store.close()


def test_that_large_values_are_not_taken_as_they_are(geocnn, tmp_path):
    save_traces(tmp_path / "loud.npz", scale=300)
    result = geocnn(
        "train", "--samples", tmp_path / "loud.npz", *_QUICK, "--set",
        "model.layers=textbook-traces", "--set", "training.scaling=raw", "--out",
        tmp_path / "m.safetensors",
    )  # fmt: skip
    assert result.code == 1
    assert "choose another scaling than raw" in result.err


def test_that_training_on_samples_refuses_what_has_no_labels(geocnn, tmp_path):
    path = tmp_path / "cube.npz"
    np.savez(path, patches=np.ones((40, 32, 32), np.float32))
    result = geocnn("train", "--samples", path, *_QUICK, "--out", tmp_path / "m.safetensors")
    assert result.code == 1
    assert "cube.npz is no sample set: it opens as a cube of 40 x 32 x 32" in result.err
    assert "give an .npz with an array `labels`" in result.err


def test_that_training_needs_data(geocnn, tmp_path):
    result = geocnn("train", "--model", "cnn", "--out", tmp_path / "m.safetensors")
    assert result.code == 2
    assert "'--data' or '--samples'" in result.err


@pytest.mark.slow
def test_that_the_traces_of_the_textbook_are_reproduced(geocnn, tmp_path):
    figure = tmp_path / "traces.png"
    result = geocnn("reproduce", "traces", "--seeds", "1", "--figure", figure, "--json")
    assert result.code == 0, result.err
    found = result.json
    assert found["parameters"] == 4211
    assert found["published"]["epochs"] == [1, 15, 30, 45, 60]
    assert [each["seed"] for each in found["seeds"]] == [0]
    for each in found["seeds"]:
        assert each["accuracy"] >= 0.94
        assert len(each["losses"]) == 5
        assert each["losses"][-1] < 0.02
        assert each["holdout_loss"] < 0.1
        assert set(each["class_accuracy"]) == {"Noise", "Positive arrival", "Negative arrival"}
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_that_the_recipes_are_those_published():
    from geocnn_gui.training.textbook_recipes import RECIPES

    for recipe in RECIPES.values():
        assert recipe.model.parameters(1, 3) == recipe.parameters
        assert recipe.published.epochs[-1] == recipe.epochs
