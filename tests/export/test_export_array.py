from __future__ import annotations

import errno

import numpy as np
import pytest

from geocnn_gui.data.source import open_source
from geocnn_gui.errors import BadRequest, CannotWrite
from geocnn_gui.export import layers
from geocnn_gui.export.layers import slabs
from geocnn_gui.export.table import export_prediction


@pytest.mark.parametrize("what", ["classes", "confidence"])
@pytest.mark.parametrize("name", ["npra_line_cut.sgy", "f3_cube_cut.sgy", "landsat_cut.tif"])
def test_that_the_array_is_that_of_the_prediction(
    name, what, files, predict, export, tmp_path, monkeypatch
):
    monkeypatch.setattr(layers, "_BLOCK_CELLS", 1000)
    with open_source(files / name) as source:
        prediction = predict(source)
        export(prediction, source, tmp_path / "map.npy", what)
    found = np.load(tmp_path / "map.npy")
    expected = prediction.ids if what == "classes" else prediction.confidence
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["npra_line_cut.sgy", "f3_cube_cut.sgy", "landsat_cut.tif"])
def test_that_probabilities_have_the_classes_in_front(
    name, files, predict, export, tmp_path, monkeypatch
):
    monkeypatch.setattr(layers, "_BLOCK_CELLS", 1000)
    with open_source(files / name) as source:
        prediction = predict(source)
        export(prediction, source, tmp_path / "map.npy", "probabilities")
    found = np.load(tmp_path / "map.npy")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, prediction.probabilities)


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_that_a_prediction_without_probabilities_is_refused_with_a_way_out(
    suffix, files, predict, export, tmp_path
):
    with open_source(files / "npra_line_cut.sgy") as source:
        prediction = predict(source)
        prediction.has_probabilities = False
        with pytest.raises(BadRequest, match=r"the likeliest class .*; predict again with prob"):
            export(prediction, source, tmp_path / f"map{suffix}", "probabilities")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (5, 2000, 3), (3, 10_000_000)])
def test_that_slabs_cover_the_array_once(shape):
    parts = slabs(shape)
    assert sum(window.cells for window in parts) == np.prod(shape)
    stops = [0, *(window.stop[0] for window in parts)]
    assert stops[:-1] == [window.offset[0] for window in parts]
    assert stops[-1] == shape[0]


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".sgy"])
def test_that_a_full_disk_leaves_the_older_file(
    suffix, files, predict, export, tmp_path, monkeypatch
):
    out = tmp_path / f"map{suffix}"
    out.write_bytes(b"older")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with open_source(files / "npra_line_cut.sgy") as source:
        prediction = predict(source)
        prediction.read_classes = full
        with pytest.raises(CannotWrite, match=f"Cannot write .*map{suffix}: the disk is full"):
            export(prediction, source, out)
    assert [p.name for p in tmp_path.iterdir()] == [out.name]
    assert out.read_bytes() == b"older"


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".sgy"])
def test_that_a_stopped_export_leaves_nothing(suffix, files, predict, tmp_path):
    with open_source(files / "npra_line_cut.sgy") as source:
        task = export_prediction(predict(source), source, (), tmp_path / f"map{suffix}")
        while "Note" in type(next(task)).__name__:
            pass
        assert list(tmp_path.iterdir())
        task.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("map.jpg", "no ending that names a known format"), ("map", "no ending"),
     ("folder.npy", "is not a file")],
)  # fmt: skip
def test_that_a_bad_name_is_refused(name, sentence, files, predict, export, tmp_path):
    (tmp_path / "folder.npy").mkdir()
    with (
        open_source(files / "npra_line_cut.sgy") as source,
        pytest.raises(BadRequest, match=sentence),
    ):
        export(predict(source), source, tmp_path / name)


def test_that_the_data_file_itself_is_never_overwritten(files, predict, export, tmp_path):
    original = files / "npra_line_cut.sgy"
    copy = tmp_path / "line.sgy"
    copy.write_bytes(original.read_bytes())
    (tmp_path / "other.sgy").symlink_to(copy)
    for out in (copy, tmp_path / "other.sgy"):
        with open_source(copy) as source, pytest.raises(BadRequest, match="the data file itself"):
            export(predict(source), source, out)
    assert copy.read_bytes() == original.read_bytes()


def test_that_a_missing_folder_is_named(files, predict, export, tmp_path):
    with (
        open_source(files / "npra_line_cut.sgy") as source,
        pytest.raises(CannotWrite, match="the folder does not exist; create it"),
    ):
        export(predict(source), source, tmp_path / "no" / "map.npy")
