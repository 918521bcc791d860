"""What a user sees who opens an exported map in QGIS."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from geocnn_gui.data.source import open_source
from geocnn_gui.export.table import export_prediction
from geocnn_gui.labels.classes import LabelClass

pytestmark = pytest.mark.slow
PYTHON = "/usr/bin/python3"
CLASSES = (
    LabelClass(id=1, name='Forest "dense" & <old>', color="#0072b2"),
    LabelClass(id=4, name="Wasser 水 🌊\nline two", color="#e69f00"),
)
LOOK = """
import json, os, sys
from qgis.core import (QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsRasterLayer)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor
app = QgsApplication([], False)
app.initQgis()
layer = QgsRasterLayer(sys.argv[1], "map")
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
settings = QgsMapSettings()
settings.setLayers([layer])
settings.setDestinationCrs(layer.crs())
settings.setExtent(layer.extent())
settings.setBackgroundColor(QColor("#ffffff"))
settings.setOutputSize(QSize(layer.width(), layer.height()))
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


@pytest.fixture
def look(tmp_path):
    """Open a raster in QGIS; return what it says and draws."""
    if not _has_qgis():
        pytest.skip("QGIS is not here")
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    own = {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(runtime), "HOME": str(runtime)}
    left = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def run(path: Path) -> dict:
        task = subprocess.run(
            [PYTHON, "-c", LOOK, str(path)], capture_output=True, text=True, timeout=120,
            env=left | own, check=True,
        )  # fmt: skip
        return json.loads(task.stdout.splitlines()[-1])

    return run


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
