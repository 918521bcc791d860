"""Networks on volumes on the command line: trained on a cube, used on a cube."""

from __future__ import annotations

import numpy as np
import pytest
from cli_commands import TINY

VOLUMES = (
    "--model", "unet-3d", *TINY[2:], "--set", "model.patch=16", "--set", "training.refit=false",
)  # fmt: skip


@pytest.fixture
def cube(tmp_path):
    """A cube of 24 inlines, 24 crosslines, 28 samples, louder below, with three labelled inlines."""
    values = np.random.default_rng(0).normal(size=(24, 24, 28)).astype(np.float32)
    values[..., 14:] *= 4
    labels = np.zeros(values.shape, np.uint8)
    labels[[4, 12, 20], :, :14], labels[[4, 12, 20], :, 14:] = 1, 2
    np.save(tmp_path / "cube.npy", values)
    np.save(tmp_path / "labels.npy", labels)
    return tmp_path / "cube.npy", tmp_path / "labels.npy"


@pytest.mark.slow
def test_that_a_cube_is_trained_checked_and_predicted(geocnn, cube, tmp_path):
    model, out = tmp_path / "m.safetensors", tmp_path / "out.npy"
    done = geocnn("train", "--data", *cube, *VOLUMES, "--out", model)
    assert done.code == 0, done.err
    done = geocnn("predict", model, cube[0], "--out", out)
    assert done.code == 0, done.err
    classes = np.load(out)
    assert classes.shape == (24, 24, 28)
    assert set(np.unique(classes)) <= {1, 2}
    done = geocnn("predict", model, cube[0], "--check-tiling")
    assert done.code == 0, done.err
    assert "against one pass over 24 x 28 x 24 cells" in done.out + done.err


def test_that_a_section_is_refused_in_words(geocnn, cube, tmp_path):
    np.save(tmp_path / "line.npy", np.load(cube[0])[4])
    np.save(tmp_path / "marks.npy", np.load(cube[1])[4])
    data = (tmp_path / "line.npy", tmp_path / "marks.npy")
    done = geocnn("train", "--data", *data, *VOLUMES, "--out", tmp_path / "m.safetensors")
    assert done.code
    assert "this network sees volumes" in done.err


def test_that_a_model_on_volumes_refuses_a_section(geocnn, cube, tmp_path):
    model = tmp_path / "m.safetensors"
    assert geocnn("train", "--data", *cube, *VOLUMES, "--out", model).code == 0
    np.save(tmp_path / "line.npy", np.load(cube[0])[4])
    done = geocnn("predict", model, tmp_path / "line.npy", "--out", tmp_path / "o.npy")
    assert done.code
    assert "The model reads volumes, which line" in done.err


def test_that_the_list_says_that_it_needs_a_cube(geocnn):
    done = geocnn("models", "--json")
    (card,) = [each for each in done.json["models"] if each["name"] == "unet-3d"]
    assert card["dims"] == 3
    assert "Needs a cube" in card["purpose"]
