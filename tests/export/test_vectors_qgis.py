"""What a user sees who opens exported polygons in QGIS."""

from __future__ import annotations

import numpy as np
import pytest
import qgis_look
from export_scenes import ArrayPrediction

from geocnn_gui.data.source import open_source
from geocnn_gui.export.vectors import export_vectors
from geocnn_gui.labels.classes import LabelClass

pytestmark = pytest.mark.slow
CLASSES = (
    LabelClass(id=1, name='Forest "dense" & <old>', color="#0072b2"),
    LabelClass(id=4, name="Übergang 水", color="#e69f00"),
    LabelClass(id=200, name="Nowhere", color="#009e73"),
)
SCRIPT = """
layer = QgsVectorLayer(asked["path"], "map", "ogr")
renderer = layer.renderer()
said = {
    "valid": layer.isValid(), "renderer": renderer.type(), "crs": layer.crs().authid(),
    "field": renderer.classAttribute(), "features": layer.featureCount(),
    "classes": [[c.value(), c.label(), c.symbol().color().name()] for c in renderer.categories()],
    "indexed": layer.hasSpatialIndex(),
    "broken": sum(not f.geometry().isGeosValid() for f in layer.getFeatures()),
    "colours": {f["class_name"]: f["color"] for f in layer.getFeatures()},
}
"""


def look(path, source, scale, runtime) -> dict:
    """Open a layer in QGIS, draw it with `scale` pixels a cell; return what it says and draws."""
    rows, columns = source.shape
    a, _, x, _, e, y = source.transform
    corners = x, y + e * rows, x + a * columns, y
    return qgis_look.look(
        path, SCRIPT, runtime, crs="EPSG:32615", size=[columns * scale, rows * scale],
        corners=corners,
    )  # fmt: skip


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp"])
def test_that_qgis_draws_polygons_in_the_classes_colours_with_their_names(suffix, files, tmp_path):
    if not qgis_look.has_qgis():
        pytest.skip("QGIS is not here")
    path, scale = tmp_path / f"a map.{suffix}", 7
    with open_source(files / "landsat_cut.tif") as source:
        prediction = ArrayPrediction(source.shape)
        list(export_vectors(prediction, source, CLASSES, path))
        seen = look(path, source, scale, tmp_path / "runtime")
    crs = "EPSG:4326" if suffix == "geojson" else "EPSG:32615"
    assert (seen["valid"], seen["renderer"], seen["crs"]) == (True, "categorizedSymbol", crs)
    assert seen["field"] == "class_id"
    assert [[int(c[0]), *c[1:]] for c in seen["classes"]] == [
        [c.id, c.name, c.color] for c in CLASSES
    ]
    assert seen["colours"] == {c.name: c.color for c in CLASSES[:2]}
    assert seen["broken"] == 0
    colors = {0: "#ffffff", 1: "#0072b2", 4: "#e69f00"}
    expected = [[colors[i] for i in row] for row in prediction.ids.tolist()]
    middles = np.array(seen["pixels"])[scale // 2 :: scale, scale // 2 :: scale]
    np.testing.assert_array_equal(middles, expected)
    if suffix == "gpkg":
        assert seen["indexed"] == 2  # QGIS' number for "present"
