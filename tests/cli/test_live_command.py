"""`geocnn live`: a few labels become a map, without a training."""

from __future__ import annotations

import errno
import os
from contextlib import nullcontext

import numpy as np
import pytest

from geocnn_gui.cli import console
from geocnn_gui.data.source import open_source
from geocnn_gui.events import TileDone
from geocnn_gui.inference.store import PredictionStore


@pytest.fixture
def line(files):
    return files / "f3_section_cut.sgy"


@pytest.fixture
def live(geocnn, line, section_labels, tmp_path):
    """Draw the section from its labels, or from others, into "map.npy"."""

    def call(*more, out="map.npy", source=line, labels=section_labels):
        return geocnn("live", source, "--labels", labels, "--out", tmp_path / out, "--device",
                      "cpu", *more)  # fmt: skip

    return call


@pytest.fixture
def few(section_labels, tmp_path_factory):
    """Labels of a tenth of the traces."""
    labels = np.load(section_labels)
    labels[4:] = 0
    path = tmp_path_factory.mktemp("few") / "few.npy"
    np.save(path, labels)
    return path


def test_that_a_few_labels_become_a_map_of_the_section(live, few, section_labels, tmp_path):
    result = live("--confidence", tmp_path / "c.npy", "--json", labels=few)
    assert result.code == 0, result.err
    said, truth = np.load(tmp_path / "map.npy"), np.load(section_labels)
    assert said.shape == truth.shape
    assert (said == truth)[4:].mean() > 0.6
    confidence = np.load(tmp_path / "c.npy")
    assert confidence.min() >= 1 / 3
    assert confidence.max() <= 1
    assert [c["id"] for c in result.json["classes"]] == [1, 2, 4]
    assert (tmp_path / "map.npy.seen.npz").exists()


def test_that_the_score_tells_labelled_cells_from_new_ones(
    live, few, geocnn, section_labels, tmp_path
):
    assert live(labels=few).code == 0
    result = geocnn("evaluate", tmp_path / "map.npy", "--labels", section_labels, "--json")
    assert result.code == 0, result.err
    parts = result.json["subsets"]
    cells = {name: int(np.sum(part["confusion"])) for name, part in parts.items()}
    assert (cells["trained"], cells["new"]) == (400, 3600)


@pytest.mark.parametrize("out", ["map.tif", "map.sgy"])
def test_that_the_map_is_written_in_every_format(live, out, tmp_path, section_labels):
    assert live(out=out).code == 0
    assert live().code == 0
    with open_source(tmp_path / out) as written:
        section = written.first_section()
        rows, columns = written.picture_shape(section)
        found = written.read_picture(section, slice(0, rows), slice(0, columns)).values[0]
    np.testing.assert_array_equal(found.astype(np.uint8), np.load(tmp_path / "map.npy").T)


def test_that_another_file_is_drawn_from_labels_of_two(
    live, files, line, section_labels, few, tmp_path
):
    other = files / "penobscot_crossline_cut.sgy"
    result = live("--data", line, few, "--on", other, "--probabilities", tmp_path / "p.npy")
    assert result.code == 0, result.err
    with open_source(other) as source:
        assert np.load(tmp_path / "map.npy").shape == source.shape
        shares = np.load(tmp_path / "p.npy")
    assert shares.shape == (3, *np.load(tmp_path / "map.npy").shape)
    named = np.load(tmp_path / "map.npy") > 0
    assert named.mean() > 0.8
    np.testing.assert_allclose(shares.sum(axis=0)[named], 1, atol=1e-3)


def test_that_a_cube_is_drawn_section_by_section(live, files, tmp_path):
    cube = files / "f3_cube_cut.sgy"
    with open_source(cube) as source:
        labels = np.zeros(source.shape, np.uint8)
    labels[3, :, 35:45], labels[3, :, -10:] = 1, 2
    np.save(tmp_path / "cube.npy", labels)
    result = live(source=cube, labels=tmp_path / "cube.npy")
    assert result.code == 0, result.err
    said = np.load(tmp_path / "map.npy")
    assert said.shape == labels.shape
    assert (said > 0).mean() > 0.8
    assert (said == labels)[labels > 0].mean() > 0.9


def test_that_only_the_sections_asked_for_are_drawn(live, files, tmp_path):
    cube = files / "f3_cube_cut.sgy"
    with open_source(cube) as source:
        axis = source.axes[0]
        labels = np.zeros(source.shape, np.uint8)
    labels[3, :, 35:45], labels[3, :, -10:] = 1, 2
    np.save(tmp_path / "cube.npy", labels)
    which = f"inline:{axis.at(2):g}"
    assert live("--sections", which, source=cube, labels=tmp_path / "cube.npy").code == 0
    said = np.load(tmp_path / "map.npy")
    assert [i for i in range(len(said)) if said[i].any()] == [2]


def test_that_colours_become_classes_by_the_bundled_backbone(live, files, tmp_path):
    raster = files / "landsat_cut.tif"
    with open_source(raster) as source:
        labels = np.zeros(source.shape, np.uint8)
    labels[:5], labels[-5:] = 1, 2
    np.save(tmp_path / "l.npy", labels)
    result = live(source=raster, labels=tmp_path / "l.npy", out="map.tif")
    assert result.code == 0, result.err
    assert "imagery.safetensors" in result.err
    with open_source(tmp_path / "map.tif") as written, open_source(raster) as source:
        assert written.crs == source.crs


BAD = [
    (("--backbone", "imagery"), "does not suit"),
    (("--backbone", "nowhere.safetensors"), "nowhere.safetensors"),
    (("--on", "landsat_cut.tif"), "not alike"),
    (("--out", "map.docx"), "map.docx"),
]


@pytest.mark.parametrize(("more", "fact"), BAD)
def test_that_what_does_not_suit_is_one_sentence_and_writes_nothing(
    live, files, tmp_path, monkeypatch, more, fact
):
    monkeypatch.chdir(files)
    result = live(*more)
    assert result.code == 1
    assert fact in result.err
    assert "Traceback" not in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--out", "--confidence", "--probabilities"])
@pytest.mark.parametrize("name", ["labels.npy", "more.npy", "more_labels.npy"])
def test_that_nothing_that_is_read_is_written_over(live, section_labels, tmp_path, option, name):
    labels = np.load(section_labels)
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "more.npy", labels.astype(np.float32))
    np.save(tmp_path / "more_labels.npy", labels)
    before = (tmp_path / name).read_bytes()
    result = live("--data", tmp_path / "more.npy", tmp_path / "more_labels.npy",
                  option, tmp_path / name, labels=tmp_path / "labels.npy")  # fmt: skip
    assert result.code == 1
    assert "is one of the inputs" in result.err
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("value", [0, 1])
def test_that_fewer_than_two_classes_are_not_enough(live, tmp_path, value):
    np.save(tmp_path / "l.npy", np.full((40, 100), value, np.uint8))
    result = live(labels=tmp_path / "l.npy")
    assert result.code == 1
    assert "fewer than two classes" in result.err
    assert [p.name for p in tmp_path.iterdir()] == ["l.npy"]


def test_that_ctrl_c_leaves_the_older_map_and_nothing_else(live, tmp_path, monkeypatch):
    (tmp_path / "map.npy").write_bytes(b"older")
    seen = []

    class Asked:
        def is_set(self):
            return bool(seen)

    shown = console._Lines.show

    def show(lines, event):
        seen.extend([event] if isinstance(event, TileDone) else [])
        shown(lines, event)

    monkeypatch.setattr(console._Lines, "show", show)
    monkeypatch.setattr(console, "_interrupts", lambda: nullcontext(Asked()))
    result = live()
    assert result.code == 130
    assert "stopped; nothing is written" in result.err
    assert [p.name for p in tmp_path.iterdir()] == ["map.npy"]
    assert (tmp_path / "map.npy").read_bytes() == b"older"


@pytest.mark.parametrize("full_at", ["while drawing", "while writing"])
def test_that_a_full_disk_leaves_the_older_map(live, tmp_path, monkeypatch, full_at):
    assert live().code == 0
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if full_at == "while drawing":
        monkeypatch.setattr("geocnn_gui.inference.store._reserve", full)
    else:
        finish = PredictionStore.finish

        def finish_and_fill(store, **how):
            finish(store, **how)
            monkeypatch.setattr("pathlib.Path.write_bytes", full)

        monkeypatch.setattr(PredictionStore, "finish", finish_and_fill)
    result = live()
    monkeypatch.undo()
    assert result.code == 1
    assert f"Cannot write {tmp_path / 'map.npy'}" in result.err
    assert "the disk is full" in result.err
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
