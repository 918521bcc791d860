"""`geocnn models`, and a list of layers trained and used through the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cli_commands import FILES

from geocnn_gui.models.layers.files import write_layers
from geocnn_gui.models.layers.presets import PRESETS
from geocnn_gui.models.layers.spec import Convolution, LayersSpec, Pool
from geocnn_gui.models.spec import SPECS

QUICK = (
    "--device", "cpu", "--set", "training.epochs=1", "--set", "training.steps_per_epoch=2",
    "--set", "training.batch=2", "--set", "training.refit=false",
)  # fmt: skip


def test_that_all_networks_are_listed_with_their_least_patch_and_size(geocnn):
    said = geocnn("models", "--bands", 5, "--classes", 4, "--json").json
    assert [each["name"] for each in said["models"]] == list(SPECS)
    assert [each["name"] for each in said["layers"]] == list(PRESETS)
    for each in said["models"]:
        assert each["parameters"] == SPECS[each["name"]]().parameters(5, 4)
        assert each["least_patch"] >= 4
        assert each["task"] in ("patches", "pixels")
        assert each["origin"]
        assert each["year"] > 1980
    table = geocnn("models")
    assert table.code == 0
    for name in (*SPECS, *PRESETS):
        assert f"\n{name} " in table.out


@pytest.mark.parametrize("name", ["cnn", "unet", "unet-1d", "lenet5", "textbook-patches"])
def test_that_the_layers_of_a_network_add_up(geocnn, name):
    said = geocnn("models", name, "--bands", 5, "--classes", 4, "--patch", 64, "--json").json
    leaves = [row for row in said["layers"] if not row["block"]]
    assert sum(row["parameters"] for row in leaves) == said["parameters"]
    assert sum(row["operations"] for row in leaves) == said["operations"] > 0
    assert said["patch"] == 64 >= said["least_patch"]
    assert said["layers"][-1]["output"][0] == 4
    if name in SPECS and "patch" not in SPECS[name].model_fields:
        assert said["parameters"] == SPECS[name]().parameters(5, 4)
    for row in said["layers"]:
        assert {"path", "title", "receptive_field", "jump", "dense_parameters", "problem"} <= set(
            row
        )


def test_that_settings_reach_the_table(geocnn):
    wide = geocnn("models", "cnn", "--set", "model.width=32", "--json").json
    assert wide["layers"][0]["output"][0] == 32
    said = geocnn("models", "layers", "--set", "model.layers=sliding", "--set", "model.patch=40",
                  "--json").json  # fmt: skip
    assert (said["patch"], said["least_patch"]) == (40, 20)


def test_that_an_impossible_layer_is_named_with_its_reason(geocnn, tmp_path):
    path = tmp_path / "net.json"
    write_layers(path, LayersSpec(layers=(Convolution(), Pool(window=99))))
    said = geocnn("models", path, "--json").json
    assert "its window spans 99, the data is 32" in said["problem"]
    assert said["layers"][1]["problem"] in said["problem"]
    shown = geocnn("models", path)
    assert "Layer 2 (Max pooling 99x99): its window spans 99" in shown.out
    assert shown.code == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nosuch"], "no network, file or list of layers called nosuch"),
        (["nowhere.json"], "nowhere.json cannot be read"),
        (["nowhere.safetensors"], "nowhere.safetensors does not exist"),
        (["cnn", "--patch", 8], "cannot look at patches of 8"),
        (["unet", "--patch", 50], "choose a multiple of 16"),
        (["unet", "--set", "model.depth=5", "--patch", 16], "choose a multiple of 32"),
        (["unet-encoder", "--set", "model.weights=none", "--patch", 16], "a multiple of 32"),
    ],
)
def test_that_what_cannot_be_told_is_refused_in_a_sentence(geocnn, arguments, reason):
    result = geocnn("models", *arguments)
    assert result.code == 1
    assert reason in result.err
    assert result.err.count("\n") == 1


def test_that_a_pass_over_the_users_data_is_counted(geocnn, tmp_path):
    cut = FILES / "f3_section_cut.sgy"  # 40 x 100
    said = geocnn("models", "every-pixel", "--data", cut, "--json").json
    assert said["bands"] == 1
    assert said["data"]["cells"] == 4000
    assert said["data"]["operations"] == round(4000 * said["operations"] / 64**2)
    assert "smaller than the patch of 64" in said["data"]["note"]
    asked = geocnn("models", "textbook-patches", "--data", cut).out
    assert "One pass over f3_section_cut, 4,000 cells: 0.03 thousand million" in asked
    np.savez(tmp_path / "small.npz", patches=np.zeros((8, 24, 24), np.float32), labels=[0, 1] * 4)
    result = geocnn("models", "resnet18", "--data", tmp_path / "small.npz")
    assert result.code == 1
    assert "24 x 24, smaller than the 32" in result.err


@pytest.mark.slow
@pytest.mark.parametrize("layers", ["textbook-traces", "every-pixel", "file"])
def test_that_own_layers_are_trained_and_used_in_a_fresh_process(
    geocnn, process, section_labels, tmp_path, layers
):
    cut, model = FILES / "f3_section_cut.sgy", tmp_path / "own.safetensors"
    if layers == "file":
        layers = tmp_path / "net.json"
        own = PRESETS["textbook-patches"].model_copy(update={"step": 6})
        write_layers(layers, own)
    done = geocnn(
        "train", "--data", cut, section_labels, "--model", "layers", "--out", model,
        "--set", f"model.layers={layers}", "--set", "model.patch=16", *QUICK,
    )  # fmt: skip
    assert done.code == 0, done.err
    here, there = tmp_path / "here.npy", tmp_path / "there.npy"
    done = geocnn("predict", model, cut, "--out", here, "--device", "cpu")
    assert done.code == 0, done.err
    done = process("predict", model, cut, "--out", there, "--device", "cpu")
    assert done.code == 0, done.err
    found = np.load(here)
    assert found.shape == (40, 100)
    assert set(np.unique(found)) <= {0, 1, 2, 4}
    np.testing.assert_array_equal(found, np.load(there))
    told = geocnn("models", model, "--json").json
    assert (told["patch"], told["bands"], told["classes"]) == (16, 1, 3)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("model.layers=textbok-patches", "did you mean textbook-patches"),
        ("model.dims=4", "model.dims must be a whole number from 1 to 3"),
        ("model.layer=sliding", "did you mean model.layers?"),
    ],
)
def test_that_a_wrong_setting_of_own_layers_is_refused(
    geocnn, section_labels, tmp_path, setting, reason
):
    cut = FILES / "f3_section_cut.sgy"
    result = geocnn("train", "--data", cut, section_labels, "--model", "layers",
                    "--out", tmp_path / "m.safetensors", "--set", setting)  # fmt: skip
    assert result.code != 0
    assert reason in " ".join(result.err.split())


def test_that_layers_that_cannot_be_built_are_refused_before_training(
    geocnn, section_labels, tmp_path
):
    path = tmp_path / "net.json"
    path.write_text(json.dumps({"layers": [{"layer": "pool", "window": 99}]}))
    out = tmp_path / "m.safetensors"
    result = geocnn("train", "--data", FILES / "f3_section_cut.sgy", section_labels, "--model",
                    "layers", "--out", out, "--set", f"model.layers={path}", *QUICK)  # fmt: skip
    assert result.code == 1
    assert "its window spans 99, the data is 32" in result.err
    assert not out.exists()
