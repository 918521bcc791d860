"""Values drawn as a figure with their unit, and a map of values taken up from its file."""

from __future__ import annotations

import numpy as np
import pytest
from export_scenes import ArrayPrediction, ValueArray

from geocnn_gui.cli.app import run
from geocnn_gui.data.source import Window, open_source
from geocnn_gui.export.figure import FigureSpec, export_figure
from geocnn_gui.export.table import export_prediction


def test_that_a_figure_shows_values_in_colours_with_a_bar_of_their_unit(files, tmp_path):
    pictures = {}
    with open_source(files / "landsat_cut.tif") as source:
        for kind in (ValueArray, ArrayPrediction):
            out = tmp_path / f"{kind.__name__}.svg"
            spec = FigureSpec(overlay_opacity=1, dpi=60, width_mm=80)
            list(export_figure(spec, source, kind(source.shape), (), out))
            pictures[kind] = out.read_text()
    assert "Porosity (%)" in pictures[ValueArray]
    assert "Prediction" not in pictures[ValueArray]
    assert "Porosity" not in pictures[ArrayPrediction]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_that_a_tif_of_values_is_exported_again(files, tmp_path, capsys):
    data, map_ = files / "f3_section_cut.sgy", tmp_path / "map.tif"
    with open_source(data) as source:
        prediction = ValueArray(source.shape)
        list(export_prediction(prediction, source, (), map_, "values"))
    for name in ("again.sgy", "again.npy", "again.svg"):
        assert run(["export", str(map_), str(tmp_path / name), "--data", str(data)]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), prediction.values)
    with open_source(tmp_path / "again.sgy") as found:
        values = found.read(Window.whole(found.shape))
    np.testing.assert_allclose(values, np.nan_to_num(prediction.values), rtol=1e-6)
    assert "Porosity (%)" in (tmp_path / "again.svg").read_text()
    capsys.readouterr()
    assert run(["export", str(map_), str(tmp_path / "x.gpkg")]) == 1
    assert "holds values and no classes" in capsys.readouterr().err
