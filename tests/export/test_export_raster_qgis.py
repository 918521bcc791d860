"""What a user sees who opens an exported map in QGIS."""

from __future__ import annotations

import numpy as np
import pytest
import qgis_look

from geocnn_gui.data.source import open_source
from geocnn_gui.export.table import export_prediction
from geocnn_gui.labels.classes import LabelClass

pytestmark = pytest.mark.slow
CLASSES = (
    LabelClass(id=1, name='Forest "dense" & <old>', color="#0072b2"),
    LabelClass(id=4, name="Wasser 水 🌊\nline two", color="#e69f00"),
)
SCRIPT = """
layer = QgsRasterLayer(asked["path"], "map")
renderer, provider = layer.renderer(), layer.dataProvider()
said = {
    "valid": layer.isValid(), "renderer": renderer.type(), "crs": layer.crs().authid(),
    "bands": [layer.bandName(i + 1) for i in range(layer.bandCount())],
    "nodata": provider.sourceNoDataValue(1), "pyramids": len(provider.buildPyramidList()),
}
if renderer.type() == "paletted":
    said["classes"] = [[c.value, c.label, c.color.name()] for c in renderer.classes()]
else:
    said["range"] = [renderer.band(), renderer.classificationMin(), renderer.classificationMax()]
"""


@pytest.fixture
def look(tmp_path):
    """Open a raster in QGIS; return what it says and draws."""
    if not qgis_look.has_qgis():
        pytest.skip("QGIS is not here")
    return lambda path: qgis_look.look(path, SCRIPT, tmp_path / "runtime")


def test_that_qgis_draws_a_class_map_in_its_colours_with_its_names(look, files, predict, tmp_path):
    with open_source(files / "landsat_cut.tif") as source:
        prediction = predict(source)
        for _ in export_prediction(prediction, source, CLASSES, tmp_path / "a.map.tif"):
            pass
    seen = look(tmp_path / "a.map.tif")
    assert (seen["valid"], seen["renderer"], seen["crs"]) == (True, "paletted", "EPSG:32615")
    assert seen["classes"] == [
        [1, 'Forest "dense" & <old>', "#0072b2"],
        [4, "Wasser 水 🌊 line two", "#e69f00"],
    ]
    assert seen["nodata"] == 0
    colors = {0: "#ffffff", 1: "#0072b2", 4: "#e69f00"}
    expected = [[colors[i] for i in row] for row in prediction.ids.tolist()]
    assert seen["pixels"] == expected


def test_that_qgis_draws_the_confidence_of_probabilities(look, files, predict, tmp_path):
    with open_source(files / "landsat_cut.tif") as source:
        prediction = predict(source)
        prediction.probabilities[:, 0, 0] = 0, 1
        task = export_prediction(prediction, source, CLASSES, tmp_path / "p.tif", "probabilities")
        for _ in task:
            pass
    seen = look(tmp_path / "p.tif")
    assert (seen["valid"], seen["renderer"]) == (True, "singlebandpseudocolor")
    assert seen["range"] == [3, 0, 1]
    assert seen["bands"][0] == 'Band 1: Forest "dense" & <old>'
    assert seen["bands"][2] == "Band 3: confidence"
    assert seen["pixels"][0][0] == "#fde725"
    white = np.array(seen["pixels"]) == "#ffffff"
    np.testing.assert_array_equal(white, np.isnan(prediction.probabilities[0]))
