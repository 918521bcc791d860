"""Look at an exported layer as QGIS does: what it says of it, and what it draws."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path

PYTHON = "/usr/bin/python3"
#: Opens `layer`, fills `said` between the two halves, draws the layer and prints all as JSON.
_BEFORE = """
import json, os, sys
from qgis.core import (
    QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsRasterLayer, QgsVectorLayer)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor
asked = json.loads(sys.argv[1])
app = QgsApplication([], False)
app.initQgis()
"""
_AFTER = """
settings = QgsMapSettings()
settings.setLayers([layer])
settings.setDestinationCrs(type(layer.crs())(asked["crs"]) if "crs" in asked else layer.crs())
extent = layer.extent()
if "corners" in asked:
    extent.set(*asked["corners"])
settings.setExtent(extent)
settings.setBackgroundColor(QColor("#ffffff"))
settings.setOutputSize(QSize(*asked["size"]) if "size" in asked else QSize(
    layer.width(), layer.height()))
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
def has_qgis() -> bool:
    """Say whether QGIS is here."""
    if not Path(PYTHON).exists():
        return False
    return subprocess.run([PYTHON, "-c", "import qgis.core"], capture_output=True).returncode == 0


def look(path: Path, script: str, runtime: Path, **asked: object) -> dict:
    """Run `script`, which opens asked["path"] as `layer` and fills `said`, then draw the layer.

    `runtime` is an empty folder's name; "crs", "corners" and "size" say what is drawn, by default
    the whole layer with a pixel a cell.
    """
    runtime.mkdir(mode=0o700)
    own = {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(runtime), "HOME": str(runtime)}
    left = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    task = subprocess.run(
        [PYTHON, "-c", _BEFORE + script + _AFTER, json.dumps({"path": str(path), **asked})],
        capture_output=True, text=True, timeout=120, check=True, env=left | own,
    )  # fmt: skip
    return json.loads(task.stdout.splitlines()[-1])
