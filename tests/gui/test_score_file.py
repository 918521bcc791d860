from __future__ import annotations

import numpy as np
import rasterio

from geocnn_gui.data.source import Window, open_source
from geocnn_gui.gui.scoring import _score
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.classes import classes_for

IDS = np.array([[1, 1, 2], [2, 1, 2], [1, 2, 1]], np.uint8)


def test_that_a_label_file_is_scored_by_the_names_of_the_project(tmp_path, recwarn):
    np.save(tmp_path / "data.npy", IDS.astype(np.float32))
    with rasterio.open(
        tmp_path / "truth.tif", "w", driver="GTiff", dtype="uint8", count=1, height=3, width=3
    ) as file:
        file.write(3 - IDS, 1)
        file.update_tags(1, CLASS_1="Shale", CLASS_2="Salt")
    with open_source(tmp_path / "data.npy") as source:
        store = PredictionStore.create(tmp_path / "run", source, classes_for([1, 2]))
        whole = Window.whole((3, 3))
        store.write(whole, IDS, np.ones((3, 3), np.float32))
        names = {1: "Salt", 2: "Shale"}
        score = _score(store, source, tmp_path / "truth.tif", names, "")
        store.close()
    assert score.scores.mean_iou == 1
    assert [c.name for c in score.scores.classes] == ["Salt", "Shale"]
