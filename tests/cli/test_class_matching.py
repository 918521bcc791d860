from __future__ import annotations

import warnings

import numpy as np
import pytest
import rasterio
from cli_commands import TINY
from rasterio.errors import NotGeoreferencedWarning

from geocnn_gui.models.weights import read_card

RGB = {1: (0, 0, 255), 2: (0, 255, 0), 3: (255, 0, 0)}
IDS = np.repeat(np.array([[1, 2, 3]], np.uint8), 32, axis=1).repeat(96, axis=0)


def write(path, values, *, names=None, palette=None):
    values = values if values.ndim == 3 else values[None]
    driver = "PNG" if path.suffix == ".png" else "GTiff"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver=driver, dtype=values.dtype, count=len(values),
            height=values.shape[1], width=values.shape[2],
        ) as file:  # fmt: skip
            file.write(values)
            if palette:
                file.write_colormap(1, palette)
            if names:
                file.update_tags(1, **{f"CLASS_{i}": name for i, name in names.items()})
    return path


def colours(ids):
    table = np.zeros((256, 3), np.uint8)
    for number, color in RGB.items():
        table[number] = color
    return np.moveaxis(table[ids], -1, 0)


@pytest.fixture
def class_map(tmp_path):
    """A class map of three classes with names and a palette."""
    names = {1: "Water", 2: "Forest", 3: "Town"}
    return write(tmp_path / "map.tif", IDS, names=names, palette=RGB)


def test_that_a_picture_that_lacks_a_colour_is_scored_by_the_palette(geocnn, tmp_path, class_map):
    truth = write(tmp_path / "truth.png", colours(np.where(IDS == 2, 0, IDS)))
    scores = geocnn("evaluate", class_map, "--labels", truth, "--json").json
    assert scores["mean_iou"] == 1
    names = {c["id"]: c["name"] for c in scores["classes"]}
    assert (names[1], names[3]) == ("Water", "Town")


def test_that_a_colour_no_class_has_is_refused(geocnn, tmp_path, class_map):
    odd = colours(IDS)
    odd[:, :4] = 77
    result = geocnn("evaluate", class_map, "--labels", write(tmp_path / "odd.png", odd))
    assert result.code == 1
    assert "odd.png has the colour #4d4d4d, which no class of map.tif has" in result.err


def test_that_classes_are_scored_by_name_where_both_files_have_names(geocnn, tmp_path):
    ours = write(tmp_path / "map.tif", IDS, names={1: "Salt", 2: "Shale", 3: "Chalk"})
    turned = np.array([0, 3, 1, 2], np.uint8)[IDS]
    truth = write(tmp_path / "t.tif", turned, names={3: "Salt", 1: "Shale", 2: "Chalk"})
    scores = geocnn("evaluate", ours, "--labels", truth, "--json").json
    assert scores["mean_iou"] == 1
    assert [c["name"] for c in scores["classes"]] == ["Salt", "Shale", "Chalk"]


def test_that_plain_ids_are_scored_by_id(geocnn, tmp_path, class_map):
    truth = write(tmp_path / "truth.png", IDS)
    assert geocnn("evaluate", class_map, "--labels", truth, "--json").json["mean_iou"] == 1
    np.save(tmp_path / "map.npy", IDS)
    scores = geocnn("evaluate", tmp_path / "map.npy", "--labels", truth, "--json").json
    assert scores["mean_iou"] == 1


def test_that_several_label_files_are_trained_on_by_colour(geocnn, tmp_path):
    image = np.moveaxis(colours(IDS), 0, -1)[..., :1].squeeze(-1).astype(np.float32) + IDS
    for name in "ab":
        write(tmp_path / f"{name}.tif", image)
    first = write(tmp_path / "a.png", colours(IDS))
    second = write(tmp_path / "b.png", colours(np.where(IDS == 1, 0, IDS)))
    result = geocnn(
        "train", "--data", tmp_path / "a.tif", first, "--data", tmp_path / "b.tif", second,
        *TINY, "--out", tmp_path / "m.safetensors",
    )  # fmt: skip
    assert result.code == 0, result.err
    card = read_card(tmp_path / "m.safetensors")
    assert [c.color for c in card.classes] == ["#0000ff", "#00ff00", "#ff0000"]


def test_that_several_label_files_are_joined_by_name(tmp_path):
    from contextlib import ExitStack

    from geocnn_gui.cli.train import _open

    for name in "ab":
        write(tmp_path / f"{name}.tif", IDS.astype(np.float32))
    first = write(tmp_path / "la.tif", IDS, names={1: "Salt", 2: "Shale", 3: "Chalk"})
    turned = np.array([0, 3, 1, 2], np.uint8)[IDS]
    second = write(tmp_path / "lb.tif", turned, names={3: "Salt", 1: "Shale", 2: "Chalk"})
    data = ((str(tmp_path / "a.tif"), str(first)), (str(tmp_path / "b.tif"), str(second)))
    with ExitStack() as files:
        pairs, classes = _open(data, (), files, wish={"targets": (), "tables": ()})
    assert [c.name for c in classes] == ["Salt", "Shale", "Chalk"]
    assert pairs[0].labels.digest == pairs[1].labels.digest
