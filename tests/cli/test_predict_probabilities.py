from __future__ import annotations

import shutil

import numpy as np
import pytest
import rasterio

from geocnn_gui import workflow
from geocnn_gui.data.source import open_source
from geocnn_gui.inference.store import PredictionStore


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_that_probabilities_agree_with_the_class_map(trained, geocnn, tmp_path):
    result = geocnn(
        "predict", trained.model, trained.data, "--out", tmp_path / "map.tif",
        "--probabilities", tmp_path / "p.tif", "--device", "cpu", "--json",
    )  # fmt: skip
    assert result.code == 0
    assert result.json["probabilities"] == str(tmp_path / "p.tif")
    with rasterio.open(tmp_path / "map.tif") as file:
        ids = file.read(1)
    with rasterio.open(tmp_path / "p.tif") as file:
        shares, names = file.read(), file.descriptions
    assert names == (*(c["name"] for c in result.json["classes"]), "confidence")
    live = ids > 0
    numbers = np.array([c["id"] for c in result.json["classes"]])
    np.testing.assert_array_equal(numbers[shares[:-1].argmax(axis=0)][live], ids[live])
    np.testing.assert_allclose(shares[:-1, live].sum(axis=0), 1, atol=1e-4)
    assert np.isnan(shares[:, ~live]).all()
    expected = ["map.qml", "map.tif", "map.tif.aux.xml", "map.tif.seen.npz"]
    expected += ["p.qml", "p.tif", "p.tif.aux.xml"]
    assert sorted(path.name for path in tmp_path.iterdir()) == expected


def test_that_probabilities_of_an_array_have_the_classes_first(trained, geocnn, tmp_path):
    result = geocnn(
        "predict", trained.model, trained.data, "--out", tmp_path / "map.npy",
        "--probabilities", tmp_path / "p.npy", "--device", "cpu",
    )  # fmt: skip
    assert result.code == 0
    ids, shares = np.load(tmp_path / "map.npy"), np.load(tmp_path / "p.npy")
    assert (shares.shape, shares.dtype) == ((3, *ids.shape), np.float32)
    live = ids > 0
    np.testing.assert_array_equal(np.array([1, 2, 4])[shares.argmax(axis=0)][live], ids[live])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("p.sgy", "holds no probabilities; choose a name that ends in .tif or .npy"), ("map.tif", "cannot hold both classes and prob"),
     ("c.tif", "cannot hold both confidence and prob"), ("p.jpg", "no ending that names")],
)  # fmt: skip
def test_that_a_bad_name_for_probabilities_is_refused(name, sentence, trained, geocnn, tmp_path):
    result = geocnn(
        "predict", trained.model, trained.data, "--out", tmp_path / "map.tif",
        "--confidence", tmp_path / "c.tif", "--probabilities", tmp_path / name,
    )  # fmt: skip
    assert result.code != 0
    assert sentence in result.err
    assert not list(tmp_path.iterdir())


def test_that_predicting_over_an_older_map_replaces_all_but_the_users_style(
    trained, geocnn, tmp_path
):
    (tmp_path / "map.qml").write_text("<qgis/>")
    (tmp_path / "map.tif").write_bytes(b"older")
    (tmp_path / "map.tif.aux.xml").write_bytes(b"older")
    (tmp_path / "map.tif.ovr").write_bytes(b"older")
    result = geocnn(
        "predict", trained.model, trained.data, "--out", tmp_path / "map.tif", "--device", "cpu",
        "--json",
    )  # fmt: skip
    assert result.code == 0
    assert any(note.startswith("map.qml is kept") for note in result.json["notes"])
    names = ["map.qml", "map.tif", "map.tif.aux.xml", "map.tif.seen.npz"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / "map.qml").read_text() == "<qgis/>"
    assert b"PAMDataset" in (tmp_path / "map.tif.aux.xml").read_bytes()


def test_that_predicting_a_line_for_the_window_keeps_probabilities(trained, tmp_path):
    data = shutil.copy(trained.data, tmp_path)
    with open_source(data) as source:
        for _ in workflow.predict(trained.model, source, folder=tmp_path / "run", device="cpu"):
            pass
    assert PredictionStore.open(tmp_path / "run").has_probabilities
