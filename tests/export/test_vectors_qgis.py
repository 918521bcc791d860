"""What a user sees who opens exported polygons in QGIS."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from export_scenes import ArrayPrediction

from geocnn_gui.data.source import open_source
from geocnn_gui.export.vectors import export_vectors
from geocnn_gui.labels.classes import LabelClass

pytestmark = pytest.mark.slow
PYTHON = "/usr/bin/python3"
CLASSES = (
    LabelClass(id=1, name='Forest "dense" & <old>', color="#0072b2"),
    LabelClass(id=4, name="Übergang 水", color="#e69f00"),
    LabelClass(id=200, name="Nowhere", color="#009e73"),
)
LOOK = """
import json, os, sys
from qgis.core import (QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsVectorLayer)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor
path, crs, size, *corners = json.loads(sys.argv[1])
app = QgsApplication([], False)
app.initQgis()
layer = QgsVectorLayer(path, "map", "ogr")
renderer = layer.renderer()
said = {
    "valid": layer.isValid(), "renderer": renderer.type(), "crs": layer.crs().authid(),
    "field": renderer.classAttribute(), "features": layer.featureCount(),
    "classes": [[c.value(), c.label(), c.symbol().color().name()] for c in renderer.categories()],
    "indexed": layer.hasSpatialIndex(),
    "broken": sum(not f.geometry().isGeosValid() for f in layer.getFeatures()),
    "colours": {f["class_name"]: f["color"] for f in layer.getFeatures()},
}
settings = QgsMapSettings()
settings.setLayers([layer])
settings.setDestinationCrs(type(layer.crs())(crs))
extent = layer.extent()
extent.set(*corners)
settings.setExtent(extent)
settings.setBackgroundColor(QColor("#ffffff"))
settings.setOutputSize(QSize(*size))
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
picture = job.renderedImage()
said["pixels"] = [
    [picture.pixelColor(x, y).name() for x in range(picture.width())]
    for y in range(picture.height())
]
print(json.dumps(said))
sys.stdout.flush()
os._exit(0)
"""


@cache
def _has_qgis() -> bool:
    if not Path(PYTHON).exists():
        return False
    return subprocess.run([PYTHON, "-c", "import qgis.core"], capture_output=True).returncode == 0


def look(path, source, scale, runtime) -> dict:
    """Open a layer in QGIS, draw it with `scale` pixels a cell; return what it says and draws."""
    runtime.mkdir(mode=0o700)
    own = {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(runtime), "HOME": str(runtime)}
    left = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    rows, columns = source.shape
    a, _, x, _, e, y = source.transform
    corners = x, y + e * rows, x + a * columns, y
    asked = json.dumps([str(path), "EPSG:32615", [columns * scale, rows * scale], *corners])
    task = subprocess.run(
        [PYTHON, "-c", LOOK, asked], capture_output=True, text=True, timeout=120, check=True,
        env=left | own,
    )  # fmt: skip
    return json.loads(task.stdout.splitlines()[-1])


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp"])
def test_that_qgis_draws_polygons_in_the_classes_colours_with_their_names(suffix, files, tmp_path):
    if not _has_qgis():
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
