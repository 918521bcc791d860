"""Thin classes on the command line: F1 with slack, curves and thresholds from probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio


@pytest.fixture
def fault(tmp_path):
    """A fault of one column in the labels, predicted two columns aside and partly missed."""
    truth = np.full((60, 80), 1, np.uint8)
    truth[:, 40] = 2
    named = np.ones_like(truth)
    named[:30, 42] = 2
    shares = np.full((2, 60, 80), 0.9, np.float32)
    shares[1] = 0.1
    shares[:, :30, 42], shares[:, 30:, 42] = [[0.2], [0.8]], [[0.65], [0.35]]
    for name, values in (("truth", truth), ("map", named), ("shares", shares)):
        np.save(tmp_path / f"{name}.npy", values)
    bands = (*shares, shares.max(0))
    with rasterio.open(
        tmp_path / "shares.tif", "w", driver="GTiff", width=80, height=60, count=3,
        dtype="float32", nodata=np.nan, transform=rasterio.Affine(1, 0, 0, 0, -1, 60),
    ) as file:  # fmt: skip
        for number, (band, name) in enumerate(
            zip(bands, ("Class 1", "Class 2", "confidence"), strict=True), 1
        ):
            file.write(band, number)
            file.set_band_description(number, name)
    return tmp_path


def of_class(result, number):
    return next(c for c in result.json["classes"] if c["id"] == number)


def test_that_a_thin_class_gets_an_f1_with_slack(fault, geocnn):
    result = geocnn("evaluate", fault / "map.npy", "--labels", fault / "truth.npy", "--json")
    thin, layer = of_class(result, 2), of_class(result, 1)
    assert (thin["thin"], thin["f1"], thin["precision_tolerant"]) == (True, 0, 1)
    assert thin["recall_tolerant"] == 32 / 60  # two rows below the end are still near
    assert (layer["thin"], layer["f1_tolerant"]) == (False, None)


def test_that_less_slack_and_other_thin_classes_can_be_asked_for(fault, geocnn):
    files = (fault / "map.npy", "--labels", fault / "truth.npy", "--json")
    strict = geocnn("evaluate", *files, "--tolerance", "1", "--thin", "1")
    assert of_class(strict, 2)["f1_tolerant"] == 0
    assert of_class(strict, 1)["f1_tolerant"] > 0.9
    assert of_class(geocnn("evaluate", *files, "--not-thin", "2"), 2)["f1_tolerant"] is None


@pytest.mark.parametrize("name", ["shares.npy", "shares.tif"])
def test_that_probabilities_give_the_best_threshold(name, fault, geocnn):
    result = geocnn(
        "evaluate", fault / "map.npy", "--labels", fault / "truth.npy",
        "--probabilities", fault / name, "--json",
    )  # fmt: skip
    best = result.json["thresholds"]["2"]
    assert 0.1 < best["threshold"] <= 0.35
    assert best["f1"] == 1
    curve = result.json["curves"]["2"]
    assert [p["threshold"] for p in curve] == sorted(p["threshold"] for p in curve)
    at = next(p for p in curve if p["threshold"] == pytest.approx(0.5))
    assert (at["precision"], at["recall"]) == (1, 32 / 60)


def test_that_the_table_names_thin_classes(fault, geocnn):
    result = geocnn(
        "evaluate", fault / "map.npy", "--labels", fault / "truth.npy",
        "--probabilities", fault / "shares.npy",
    )  # fmt: skip
    assert "F1 ±2" in result.out
    assert "Best threshold" in result.out


def test_that_probabilities_of_another_grid_are_refused(fault, geocnn):
    np.save(fault / "other.npy", np.zeros((2, 30, 80), np.float32) + 0.5)
    result = geocnn(
        "evaluate", fault / "map.npy", "--labels", fault / "truth.npy",
        "--probabilities", fault / "other.npy",
    )  # fmt: skip
    assert result.code != 0
    assert "give the probabilities that were written beside the map" in result.err


def test_that_probabilities_of_a_cube_give_thresholds_too(tmp_path, geocnn):
    truth = np.full((18, 30, 40), 1, np.uint8)
    truth[:, :, 20] = 2
    named = np.ones_like(truth)
    named[:, :15, 20] = 2
    shares = np.full((2, *truth.shape), 0.9, np.float32)
    shares[1] = 0.1
    shares[:, :, :15, 20], shares[:, :, 15:, 20] = [[[0.2]], [[0.8]]], [[[0.65]], [[0.35]]]
    for name, values in (("truth", truth), ("map", named), ("shares", shares)):
        np.save(tmp_path / f"{name}.npy", values)
    command = ("evaluate", tmp_path / "map.npy", "--labels", tmp_path / "truth.npy", "--json")
    found = geocnn(*command, "--probabilities", tmp_path / "shares.npy").json
    best = found["thresholds"]["2"]
    assert best["f1"] == 1
    assert 0.1 < best["threshold"] <= 0.35
    wrong = geocnn(*command, "--probabilities", tmp_path / "map.npy")
    assert wrong.code != 0
    assert "several values for each cell of a cube" in wrong.err
    np.save(tmp_path / "small.npy", shares[:, :17])
    assert "has the shape" in geocnn(*command, "--probabilities", tmp_path / "small.npy").err
