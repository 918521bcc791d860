from __future__ import annotations

import numpy as np
import pytest
import rasterio

from geocnn_gui.data.source import Window, open_source
from geocnn_gui.gui.scoring import score_prediction
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.classes import LabelClass, classes_for
from geocnn_gui.labels.store import LabelSnapshot

IDS = np.array([[1, 1, 2], [2, 1, 2], [1, 2, 1]], np.uint8)


def result_of(task):
    """Return what a generator returns at its end."""
    try:
        while True:
            next(task)
    except StopIteration as end:
        return end.value


@pytest.fixture
def score(tmp_path):
    """Score a prediction of `IDS` by a model with some classes against some truth."""
    np.save(tmp_path / "data.npy", IDS.astype(np.float32))
    with open_source(tmp_path / "data.npy") as source:

        def score(theirs, truth, ours):
            store = PredictionStore.create(tmp_path / "run", source, theirs)
            store.write(Window.whole((3, 3)), IDS, np.ones((3, 3), np.float32))
            return result_of(score_prediction(source, store, truth, ours))

        yield score


def classes(**names):
    return tuple(
        LabelClass(id=int(key[1:]), name=name, color=f"#0000{key[1:]:0>2}")
        for key, name in names.items()
    )


def test_that_a_label_file_is_scored_by_the_names_of_the_project(score, tmp_path, recwarn):
    with rasterio.open(
        tmp_path / "truth.tif", "w", driver="GTiff", dtype="uint8", count=1, height=3, width=3
    ) as file:
        file.write(3 - IDS, 1)
        file.update_tags(1, CLASS_1="Shale", CLASS_2="Salt")
    found = score(classes_for([1, 2]), tmp_path / "truth.tif", classes(_1="Salt", _2="Shale"))
    assert found.scores.mean_iou == 1
    assert [c.name for c in found.scores.classes] == ["Salt", "Shale"]


def test_that_labels_of_the_project_are_matched_by_name_where_a_model_numbers_otherwise(score):
    labels = LabelSnapshot.from_array(3 - IDS)
    found = score(classes(_1="Salt", _2="Shale"), labels, classes(_1="Shale", _2="Salt"))
    assert found.scores.mean_iou == 1
    assert [c.name for c in found.classes] == ["Salt", "Shale"]
    assert [c.color for c in found.classes] == ["#000002", "#000001"]


def test_that_a_class_renamed_since_the_training_is_still_the_same(score):
    labels = LabelSnapshot.from_array(IDS)
    found = score(classes(_1="Salt", _2="Shale"), labels, classes(_1="Halite", _2="Shale"))
    assert found.scores.mean_iou == 1
    assert [c.name for c in found.scores.classes] == ["Halite", "Shale"]


def test_that_a_class_added_since_the_training_is_one_the_prediction_lacks(score):
    labels = LabelSnapshot.from_array(np.where(IDS == 2, 3, IDS).astype(np.uint8))
    ours = classes(_1="Salt", _2="Shale", _3="Chalk")
    found = score(classes(_1="Salt", _2="Shale"), labels, ours)
    iou = {c.name: c.iou for c in found.scores.classes}
    assert iou == {"Salt": 1, "Shale": 0, "Chalk": 0}


def test_that_a_damaged_record_of_what_was_seen_is_told_of(score, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "seen.npz").write_bytes(b"nothing")
    found = score(classes_for([1, 2]), LabelSnapshot.from_array(IDS), classes_for([1, 2]))
    assert not found.evaluation.known
    assert "seen.npz is damaged" in found.evaluation.notes[0]
