"""Scores apart for cells trained on, held out and new; the file beside a map."""

from __future__ import annotations

import errno
import json
import os
import zipfile

import numpy as np
import pytest
import rasterio
from cli_commands import FILES, TINY

from geocnn_gui.data.source import Window, open_source
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.ground import HELD_OUT, TRAINED, Ground
from geocnn_gui.models.weights import load_model, save_model

LINE = FILES / "f3_section_cut.sgy"


@pytest.fixture(scope="session")
def split_model(trained, tmp_path_factory):
    """The tiny model, said to be trained on traces 0-19 and to hold out 20-29 of the line."""
    net, card = load_model(trained.model)
    summary = card.training.model_copy(update={"holdout_iou": 0.61, "refit": True})
    card = card.model_copy(update={"training": summary})
    path = tmp_path_factory.mktemp("split") / "split.safetensors"
    labels = LabelSnapshot.from_array(np.load(trained.labels))
    with open_source(LINE) as source:
        parts = [
            (Window((0, 0), (20, 100)), np.ones((20, 100), bool), TRAINED),
            (Window((20, 0), (10, 100)), np.ones((10, 100), bool), HELD_OUT),
        ]
        save_model(path, net, card, (Ground.mark(source, labels, parts),))
    return path


@pytest.mark.parametrize("suffix", [".tif", ".sgy", ".npy"])
def test_that_seen_and_new_cells_are_scored_apart(suffix, split_model, trained, geocnn, tmp_path):
    out = tmp_path / f"map{suffix}"
    said = geocnn("predict", split_model, LINE, "--out", out, "--json").json
    assert said["seen"] == f"{out}.seen.npz"
    scores = geocnn("evaluate", out, "--labels", trained.labels, "--json").json
    cells = {
        part: sum(c["support"] for c in each["classes"]) for part, each in scores["subsets"].items()
    }
    assert cells == {"held_out": 1000, "trained": 2000, "new": 1000}
    assert scores["known"]
    total = sum(np.array(each["confusion"]).sum() for each in scores["subsets"].values())
    assert total == np.array(scores["confusion"]).sum() == 4000
    assert len(scores["warnings"]) == 2
    assert "trained on these very labels" in scores["warnings"][0]
    assert "its honest figure is the held-out score 0.61 from training" in scores["warnings"][1]


def test_that_the_file_beside_a_cube_tells_its_cells(geocnn, tmp_path):
    cube = FILES / "f3_cube_cut.sgy"
    with open_source(cube) as source:
        shape = source.shape
    labels = np.zeros(shape, np.uint8)
    for top in range(0, shape[2], 50):  # each class in several patches
        labels[2, :, top : top + 25], labels[2, :, top + 25 : top + 50] = 1, 2
    np.save(tmp_path / "labels.npy", labels)
    model, out = tmp_path / "m.safetensors", tmp_path / "map.sgy"
    assert geocnn("train", "--data", cube, tmp_path / "labels.npy", *TINY, "--out", model).code == 0
    assert geocnn("predict", model, cube, "--out", out).code == 0
    scores = geocnn("evaluate", out, "--labels", tmp_path / "labels.npy", "--json").json
    assert scores["known"]
    assert {"held_out", "trained"} <= set(scores["subsets"])
    assert "these very labels" in scores["warnings"][0]


def test_that_other_data_are_all_new(split_model, trained, geocnn, tmp_path):
    other = tmp_path / "other.sgy"
    content = bytearray(LINE.read_bytes())
    content[-4:] = b"\0\0\0\1"
    other.write_bytes(content)
    out = tmp_path / "map.npy"
    assert geocnn("predict", split_model, other, "--out", out).code == 0
    truth = np.where(np.indices((40, 100))[1] < 60, 1, 2).astype(np.uint8)
    np.save(tmp_path / "truth.npy", truth)
    scores = geocnn("evaluate", out, "--labels", tmp_path / "truth.npy", "--json").json
    assert list(scores["subsets"]) == ["new"]
    assert scores["warnings"] == []


def test_that_labels_nearly_all_seen_are_warned_of(split_model, trained, geocnn, tmp_path):
    out, truth = tmp_path / "map.npy", np.load(trained.labels)
    truth[31:] = 0
    np.save(tmp_path / "truth.npy", truth)
    assert geocnn("predict", split_model, LINE, "--out", out).code == 0
    result = geocnn("evaluate", out, "--labels", tmp_path / "truth.npy")
    assert "The model has seen 97% of these labels in training" in result.out
    assert "Held out" in result.out
    assert "Trained on" in result.out


def test_that_a_model_that_does_not_tell_is_called_unknown(trained, geocnn, tmp_path):
    net, card = load_model(trained.model)
    summary = card.training.model_copy(update={"labels_digest": ()})
    old = tmp_path / "old.safetensors"
    save_model(old, net, card.model_copy(update={"training": summary, "grounds": ()}))
    assert geocnn("predict", old, LINE, "--out", tmp_path / "m.npy").code == 0
    scores = geocnn("evaluate", tmp_path / "m.npy", "--labels", trained.labels, "--json").json
    assert not scores["known"]
    assert scores["subsets"] == {}
    assert scores["notes"] == ["old.safetensors does not say which cells it was trained on."]


@pytest.mark.parametrize("names", [("m.sgy", "n.tif", "o.npy"), ("m.npy", "n.npy", "o.tif")])
def test_that_an_exported_map_keeps_what_was_seen(split_model, trained, geocnn, tmp_path, names):
    first, *copies = (tmp_path / name for name in names)
    assert geocnn("predict", split_model, LINE, "--out", first).code == 0
    truth = "--labels", trained.labels, "--json"
    before = geocnn("evaluate", first, *truth).json
    assert before["known"]
    for copy in copies:
        result = geocnn("export", first, copy, "--json")
        assert f"{copy}.seen.npz" in result.json["beside"]
        if copy.suffix != ".tif":
            assert geocnn("evaluate", copy, *truth).json["subsets"] == before["subsets"]
        first = copy if first.suffix != ".npy" else first


def test_that_a_map_alone_says_that_nothing_is_known(trained, geocnn):
    scores = geocnn("evaluate", trained.labels, "--labels", trained.labels, "--json").json
    assert scores["subsets"] == {}
    assert "There is no labels.npy.seen.npz" in scores["notes"][0]


def test_that_the_file_of_another_map_is_not_believed(split_model, trained, geocnn, tmp_path):
    out = tmp_path / "map.npy"
    assert geocnn("predict", split_model, LINE, "--out", out).code == 0
    np.save(out, np.load(trained.labels))
    scores = geocnn("evaluate", out, "--labels", trained.labels, "--json").json
    assert not scores["known"]
    assert "belongs to another state of map.npy" in scores["notes"][0]


def test_that_a_damaged_file_beside_a_map_is_told_of(split_model, trained, geocnn, tmp_path):
    out = tmp_path / "map.npy"
    assert geocnn("predict", split_model, LINE, "--out", out).code == 0
    beside = tmp_path / "map.npy.seen.npz"
    for content in (b"", beside.read_bytes()[:200], b"x" * 500):
        beside.write_bytes(content)
        result = geocnn("evaluate", out, "--labels", trained.labels, "--json")
        assert result.code == 0
        assert "is damaged" in result.json["notes"][0]


def test_that_the_file_beside_a_map_is_open_to_all(split_model, geocnn, tmp_path):
    assert geocnn("predict", split_model, LINE, "--out", tmp_path / "map.tif").code == 0
    with zipfile.ZipFile(tmp_path / "map.tif.seen.npz") as archive:
        card = json.loads(archive.read("seen.json"))
    assert card["values"] == {
        "0": "new", "1": "trained on", "2": "held out", "3": "near those",
    }  # fmt: skip
    assert (card["trained_cells"], card["held_out_cells"]) == (2000, 1000)
    assert card["transposed"]
    with np.load(tmp_path / "map.tif.seen.npz") as arrays:
        assert (arrays["0_0"][:100, :20] == TRAINED).all()
        assert (arrays["0_0"][:100, 20:30] == HELD_OUT).all()


def test_that_a_full_disk_leaves_the_old_map_with_its_file(
    split_model, geocnn, tmp_path, monkeypatch
):
    out = tmp_path / "map.npy"
    assert geocnn("predict", split_model, LINE, "--out", out).code == 0
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    from geocnn_gui.scoring import seen

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = seen.write_bytes

    def write(path, data):
        if path.name.startswith("map"):
            monkeypatch.setattr("pathlib.Path.write_bytes", full)
        real(path, data)

    monkeypatch.setattr(seen, "write_bytes", write)
    result = geocnn("predict", split_model, LINE, "--out", out)
    monkeypatch.undo()
    assert result.code == 1
    assert "the disk is full" in result.err
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before
    folders = [p.name for p in tmp_path.iterdir() if p.is_dir()]
    assert folders == [".map.npy.prediction"]  # --resume goes on from it


def test_that_an_error_map_tells_right_from_wrong(trained, geocnn, tmp_path):
    truth = np.array([[1, 1, 2], [0, 2, 2]], np.uint8)
    with rasterio.open(
        tmp_path / "map.tif", "w", driver="GTiff", dtype="uint8", count=1, height=2, width=3,
        transform=rasterio.Affine(30, 0, 5e5, 0, -30, 6e6), crs="EPSG:32631",
    ) as file:  # fmt: skip
        file.write(np.array([[1, 2, 2], [1, 0, 1]], np.uint8), 1)
    np.save(tmp_path / "truth.npy", truth)
    result = geocnn(
        "evaluate", tmp_path / "map.tif", "--labels", tmp_path / "truth.npy",
        "--errors", tmp_path / "errors.tif", "--confusion", "rows",
    )  # fmt: skip
    assert result.code == 0, result.err
    with rasterio.open(tmp_path / "errors.tif") as file:
        np.testing.assert_array_equal(file.read(1), [[1, 2, 1], [0, 2, 2]])
        assert file.colormap(1)[2][:3] == (230, 159, 0)
    assert "50.0%" in result.out


def test_that_an_error_map_never_replaces_its_inputs(trained, geocnn, tmp_path):
    np.save(tmp_path / "map.npy", np.load(trained.labels))
    before = (tmp_path / "map.npy").read_bytes()
    for name in (tmp_path / "map.npy", trained.labels):
        result = geocnn(
            "evaluate", tmp_path / "map.npy", "--labels", trained.labels, "--errors", name
        )
        assert result.code in (1, 2)
    assert (tmp_path / "map.npy").read_bytes() == before


def test_that_the_score_stands_with_its_reason(split_model, trained, geocnn, tmp_path):
    out = tmp_path / "map.npy"
    assert geocnn("predict", split_model, LINE, "--out", out).code == 0
    command = ("evaluate", out, "--labels", trained.labels)
    seen, held, new = geocnn(*command, "--json").json["grounds"]
    assert (seen["ground"], held["ground"], new["ground"]) == ("seen", "held_out", "new")
    assert held["value"] == 0.61
    assert seen["value"] is not None
    assert new["value"] is not None
    lines = geocnn(*command).out.splitlines()
    assert any(line.startswith("Held out: 0.61") for line in lines)
    assert any("Labels that the model has never seen." in line for line in lines)


def test_that_the_models_card_stands_in_for_a_lost_file(split_model, trained, geocnn, tmp_path):
    out = tmp_path / "map.npy"
    assert geocnn("predict", split_model, LINE, "--out", out).code == 0
    (tmp_path / "map.npy.seen.npz").unlink()
    command = ("evaluate", out, "--labels", trained.labels, "--json")
    assert [g["value"] for g in geocnn(*command).json["grounds"]] == [None] * 3
    found = geocnn(*command, "--model", split_model).json["grounds"]
    assert [g["value"] for g in found] == [None, 0.61, None]
    wrong = geocnn(*command, "--model", out)
    assert wrong.code != 0
    assert "is not a GeoCNN model" in wrong.err
