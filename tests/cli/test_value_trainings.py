"""Values learned from a cube, over folds with a test set, and a rate found for them."""

from __future__ import annotations

import numpy as np
import pytest
from cli_commands import FILES, TINY

from geocnn_gui.data.source import Window, open_source
from geocnn_gui.models.weights import read_card

SECTION = FILES / "f3_section_cut.sgy"


def target_of(path, out):
    """Save what is to be learned of a file: the size of its samples."""
    with open_source(path) as source:
        values = np.abs(source.read(Window.whole(source.shape)).astype(np.float32)) + 10
    np.save(out, values)
    return out


def test_that_a_cube_is_learned_and_one_of_its_sections_predicted(geocnn, tmp_path):
    cube, model = tmp_path / "cube.npy", tmp_path / "m.safetensors"
    data = np.random.default_rng(0).normal(0, 5, (18, 20, 32)).astype(np.float32)
    data[:, :3, :4] = np.nan
    np.save(cube, data)
    target = target_of(cube, tmp_path / "size.npy")
    result = geocnn(
        "train", "--data", cube, "--target", target, "--sections", "inline:0-16:4", *TINY,
        "--out", model, "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert result.json["holdout"]["rmse"] > 0, result.err
    card, values = read_card(model), np.load(target)
    assert card.section_axes == (0,)
    assert card.training.labelled_cells == {1: np.isfinite(values[::4]).sum()}
    out = tmp_path / "map.npy"
    assert geocnn("predict", model, cube, "--sections", "inline:2", "--out", out).code == 0
    found = np.load(out)
    live = np.isfinite(data[2])
    np.testing.assert_array_equal(np.isfinite(found[2]), live)
    assert np.isnan(np.delete(found, 2, 0)).all()
    result = geocnn("evaluate", out, "--target", target, "--json")
    assert result.code == 0, result.err
    scored = result.json
    assert scored["cells"] == live.sum()
    errors = (found - values)[2][live].astype(float)
    assert scored["rmse"] == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-5)


def test_that_folds_are_pooled_and_a_test_set_is_kept_apart(geocnn, tmp_path):
    target = target_of(SECTION, tmp_path / "size.npy")
    result = geocnn(
        "train", "--data", SECTION, "--target", target, *TINY, "--folds", 2, "--test-set", 0.2,
        "--out", tmp_path / "m.safetensors", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    said, training = result.json, read_card(tmp_path / "m.safetensors").training
    assert said["holdout_folds"] == 2
    assert said["test"]["rmse"] > 0
    assert said["test_units"] > 0
    assert training.holdout_units == len(training.holdout_value_scores.ids)
    assert "Test set, never trained on: RMSE" in result.err


def test_that_a_rate_is_found_for_values(geocnn, tmp_path):
    target = target_of(SECTION, tmp_path / "size.npy")
    result = geocnn(
        "train", "--data", SECTION, "--target", target, "--model", "cnn", "--set",
        "model.patch=20", "--set", "training.batch=16", "--find-rate", "--device", "cpu", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    losses = result.json["losses"]
    assert len(losses) > 5
    assert all(np.isfinite(losses[:5]))
