from __future__ import annotations

import warnings

import numpy as np
import pytest
import rasterio
from export_scenes import scene
from rasterio.errors import NotGeoreferencedWarning

from geocnn_gui.data.source import open_source
from geocnn_gui.errors import BadRequest, CannotWrite
from geocnn_gui.events import Note, Progress, Saved

TRANSFORMS = {
    "north up": (30.0, 0.0, 462405.0, 0.0, -30.0, 1741815.0),
    "south up": (30.0, 0.0, 462405.0, 0.0, 30.0, 1734315.0),
    "rotated": (21.2, 21.2, 500000.0, 21.2, -21.2, 1700000.0),
    "sheared": (30.0, 4.0, 462405.0, 1.0, -30.0, 1741815.0),
}


def _read(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            return file.read(1), file.profile, file.tags(1), file


@pytest.mark.parametrize("name", TRANSFORMS)
def test_that_a_class_map_lies_where_its_source_lies(name, predict, export, tmp_path):
    crs = rasterio.CRS.from_epsg(32615).to_wkt()
    source = scene((60, 70), transform=TRANSFORMS[name], crs=crs)
    export(predict(source), source, tmp_path / "map.tif")
    _, profile, _, _ = _read(tmp_path / "map.tif")
    assert profile["transform"][:6] == TRANSFORMS[name]
    assert profile["crs"].to_epsg() == 32615


@pytest.mark.parametrize("shape", [(1, 1), (1, 600), (513, 3), (700, 1100)])
def test_that_every_cell_arrives(shape, predict, export, tmp_path):
    source = scene(shape, transform=TRANSFORMS["north up"])
    prediction = predict(source)
    events = export(prediction, source, tmp_path / "map.tif")
    values, profile, _, _ = _read(tmp_path / "map.tif")
    np.testing.assert_array_equal(values, prediction.ids)
    assert (profile["dtype"], profile["nodata"], profile["compress"]) == ("uint8", 0, "deflate")
    assert profile["tiled"]
    steps = [e for e in events if isinstance(e, Progress)]
    assert [e.done for e in steps] == list(range(1, steps[0].total + 1))
    assert events[-1] == Saved(tmp_path / "map.tif", "prediction")


def test_that_names_and_colours_travel_with_the_file(predict, export, tmp_path):
    source = scene((8, 9))
    export(predict(source), source, tmp_path / "map.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(tmp_path / "map.tif") as file:
            palette, tags, described = file.colormap(1), file.tags(1), file.descriptions
    assert palette[1] == (0xD5, 0x5E, 0x00, 255)
    assert palette[4] == (0x56, 0xB4, 0xE9, 255)
    assert palette[0][3] == 0
    assert tags["CLASS_1"] == "Salt"
    assert tags["CLASS_4"] == "Chaotic, gassy = odd"
    assert described == ("class",)


def test_that_confidence_is_float(predict, export, tmp_path):
    source = scene((8, 9))
    prediction = predict(source)
    events = export(prediction, source, tmp_path / "map.tif", "confidence")
    values, profile, _, _ = _read(tmp_path / "map.tif")
    assert profile["dtype"] == "float32"
    np.testing.assert_array_equal(values, prediction.confidence)
    assert events[-1].what == "confidence"


def test_that_a_missing_crs_is_said(predict, export, tmp_path):
    source = scene((8, 9))
    notes = [
        e.text for e in export(predict(source), source, tmp_path / "map.tif") if type(e) is Note
    ]
    assert notes == ["map.tif is written without CRS because scene has none."]


def test_that_a_line_becomes_a_picture_with_samples_down(files, predict, export, tmp_path):
    with open_source(files / "npra_line_cut.sgy") as source:
        prediction = predict(source)
        export(prediction, source, tmp_path / "line.tif")
    values, profile, _, _ = _read(tmp_path / "line.tif")
    np.testing.assert_array_equal(values, prediction.ids.T)
    assert profile["crs"] is None


def test_that_a_cube_is_refused_with_a_way_out(files, predict, export, tmp_path):
    with (
        open_source(files / "f3_cube_cut.sgy") as source,
        pytest.raises(BadRequest, match=r"is a cube .*; choose a name that ends in \.sgy or \.npy"),
    ):
        export(predict(source), source, tmp_path / "cube.tif")
    assert not list(tmp_path.iterdir())


def test_that_a_file_that_does_not_hold_what_was_written_is_not_kept(
    predict, export, tmp_path, monkeypatch
):
    """A full disk that GDAL does not tell: blocks are missing in the file."""
    source = scene((600, 700))
    prediction, out = predict(source), tmp_path / "map.tif"
    out.write_bytes(b"older")
    monkeypatch.setattr(rasterio.io.DatasetWriter, "write", lambda *_, **__: None)
    with pytest.raises(CannotWrite, match="disk"):
        export(prediction, source, out)
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]
    assert out.read_bytes() == b"older"
