"""Values in every format: units, nodata, and what classes alone can be."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from export_scenes import ArrayPrediction, ValueArray

from geocnn_gui.data.segy import open_segy
from geocnn_gui.data.source import Window, open_source
from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Note
from geocnn_gui.export.table import export_prediction


def write(prediction, source, out):
    return list(export_prediction(prediction, source, (), out, "values"))


@pytest.mark.parametrize("name", ["f3_cube_cut.sgy", "npra_line_cut.sgy", "f3_section_cut.sgy"])
def test_that_segy_holds_floats_whatever_the_source_held(name, files, tmp_path):
    with open_source(files / name) as source:
        prediction = ValueArray(source.shape)
        events = write(prediction, source, tmp_path / "out.sgy")
        missing = np.isnan(prediction.values)
        with open_segy(tmp_path / "out.sgy") as found:
            values = found.read(Window.whole(found.shape))
            assert values.dtype == np.float32
            np.testing.assert_allclose(values[~missing], prediction.values[~missing], rtol=1e-6)
            assert not values[missing].any()
    said = " ".join(e.text for e in events if isinstance(e, Note))
    assert "holds 0 where nothing is predicted" in said


def test_that_geotiff_says_unit_place_and_nodata(files, tmp_path):
    with open_source(files / "landsat_cut.tif") as source:
        prediction = ValueArray(source.shape)
        write(prediction, source, tmp_path / "out.tif")
        with rasterio.open(tmp_path / "out.tif") as file:
            np.testing.assert_array_equal(file.read(1), prediction.values)
            assert (file.units, file.descriptions) == (("%",), ("Porosity",))
            assert np.isnan(file.nodata)
            assert file.transform[:6] == source.transform
    assert "singlebandpseudocolor" in (tmp_path / "out.qml").read_text()


def test_that_values_are_no_classes_and_classes_no_values(files, tmp_path):
    with open_source(files / "landsat_cut.tif") as source:
        with pytest.raises(BadRequest, match="holds classes and no values"):
            write(ArrayPrediction(source.shape), source, tmp_path / "out.tif")
        with pytest.raises(BadRequest, match="holds values and no classes"):
            list(export_prediction(ValueArray(source.shape), source, (), tmp_path / "out.tif"))
    assert not list(tmp_path.iterdir())
