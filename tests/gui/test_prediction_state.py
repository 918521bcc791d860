"""A prediction belongs to its data, its model and its project, wherever they lie."""

from __future__ import annotations

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
import segyio
from pydantic import ValidationError

from geocnn_gui.gui.session import Session
from geocnn_gui.inference.model_state import model_mark
from geocnn_gui.models.spec import CnnSpec


@pytest.fixture
def predicted(opened, paint, work, qtbot):
    """A session that has trained and predicted the section in view."""
    paint(0, 2, 1)
    paint(5, 7, 2)
    opened.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: bool(work.predicted) and opened.job is None, timeout=20000)
    assert opened.prediction is not None
    return opened


def reopen(path, qtbot, *, press=""):
    """Open a path in a new session; press a button of the question that comes, if any."""
    session = Session()
    said = []
    session.message.connect(said.append)
    session.open_path(path)
    if press:
        actions = lambda: {text: act for each in said for text, act in each.actions}  # noqa: E731
        qtbot.waitUntil(lambda: press in actions(), timeout=10000)
        actions()[press]()
    qtbot.waitUntil(lambda: session.statistics is not None, timeout=10000)
    return session


def test_that_a_prediction_of_other_data_is_not_shown(predicted, small_file, qtbot):
    predicted.shut_down()
    np.save(small_file, np.ones((20, 30, 24), np.float32))
    again = reopen(small_file, qtbot, press="Open it anyway")
    assert again.model_path is not None
    assert again.prediction is None
    again.shut_down()


def forget_data(session):
    """Let the prediction in view be one of version 0.1.0, which did not say of what it is."""
    card = session.prediction.folder / "card.json"
    said = json.loads(card.read_text())
    del said["data"]
    card.write_text(json.dumps(said))


def replace_data(path):
    """Put another file in the place of one, as old as that was."""
    other, times = path.with_name("other.npy"), path.stat()
    np.save(other, np.ones((20, 30, 24), np.float32))
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns - 1))
    other.replace(path)


def test_that_an_old_prediction_of_unchanged_data_is_shown(predicted, small_file, qtbot):
    forget_data(predicted)
    predicted.shut_down()
    again = reopen(small_file, qtbot)
    assert again.prediction is not None
    again.shut_down()


def test_that_an_old_prediction_of_replaced_data_is_not_shown(predicted, small_file, qtbot):
    forget_data(predicted)
    predicted.shut_down()
    replace_data(small_file)
    again = reopen(small_file, qtbot, press="Open it anyway")
    assert again.prediction is None
    again.shut_down()


def test_that_data_replaced_while_open_are_not_mixed_with_what_was(predicted, small_file, work):
    before, out = len(work.predicted), small_file.with_name("map.npy")
    said = []
    predicted.message.connect(lambda message: said.append(message.text))
    replace_data(small_file)
    predicted.start_prediction()
    assert predicted.job is None
    assert len(work.predicted) == before
    predicted.start_export(out)
    assert predicted.job is None
    assert not out.exists()
    assert all("has changed since it was opened" in each for each in said)
    assert len(said) == 2


def test_that_a_prediction_of_samples_read_otherwise_is_not_shown(session, work, tmp_path, qtbot):
    line, spec = tmp_path / "line.sgy", segyio.spec()
    spec.samples, spec.tracecount, spec.format = np.arange(24) * 4, 30, 1
    with segyio.create(line, spec) as file:
        file.trace = np.random.default_rng(0).normal(size=(30, 24)).astype(np.float32)
        file.bin.update(hdt=4000, hns=24)
    with qtbot.waitSignals([session.source_changed, session.statistics_changed]):
        session.open_path(line)
    _, columns = session.source.picture_shape(session.section)
    for value in (1, 2):
        block = slice(3 * value, 3 * value + 2)
        mask = np.ones((2, columns), bool)
        session.paint(session.section, block, slice(0, columns), mask, value)
    session.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: bool(work.predicted) and session.job is None, timeout=20000)
    assert session.prediction is not None
    for choices, shown in (({"vertical": "depth"}, True), ({"sample_format": "ieee"}, False)):
        with qtbot.waitSignals([session.source_changed, session.statistics_changed]):
            session.choose(**choices)
        assert (session.prediction is not None) is shown


def test_that_a_moved_project_still_shows_its_prediction(predicted, tmp_path, qtbot):
    folder = predicted.project.folder
    predicted.shut_down()
    shutil.move(folder, tmp_path / "elsewhere")
    again = reopen(tmp_path / "elsewhere", qtbot)
    assert again.prediction is not None
    again.shut_down()


def test_that_a_moved_project_shows_a_prediction_named_in_the_old_manner(
    predicted, tmp_path, qtbot
):
    folder, shown = predicted.project.folder, predicted.prediction.folder
    card = json.loads((shown / "card.json").read_text())
    card["model"] = model_mark(predicted.model_path)
    (shown / "card.json").write_text(json.dumps(card))
    predicted.shut_down()
    shown.rename(shown.with_name("0123456789abcdef"))
    shutil.copytree(folder, tmp_path / "copy")
    for place in (folder, tmp_path / "copy"):
        again = reopen(place, qtbot)
        assert again.prediction is not None
        again.shut_down()


def test_that_a_model_is_read_through_once_for_all_its_predictions(predicted, monkeypatch):
    read = []
    real = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *a: read.append(a) or real(*a))
    predicted.prediction_folder()
    assert read == []
    model = predicted.model_path
    model.write_bytes(model.read_bytes())
    os.utime(model, ns=(1, 1))
    assert predicted.prediction_folder() == predicted.prediction_folder()
    assert len(read) == 1


def test_that_a_prediction_with_a_model_that_has_gone_is_refused(predicted, caplog):
    said = []
    predicted.message.connect(lambda message: said.append(message.text))
    predicted.model_path.unlink()
    predicted.start_prediction()
    assert predicted.job is None
    assert "is gone" in said[-1]
    caplog.clear()


def test_that_a_prediction_takes_the_names_that_its_classes_have_now(predicted, qtbot):
    with qtbot.waitSignal(predicted.overlay_changed):
        predicted.rename_class(1, "Salt")
    assert [c.name for c in predicted.prediction.classes] == ["Salt", "Class 2"]
    predicted.undo()
    assert [c.name for c in predicted.prediction.classes] == ["Class 1", "Class 2"]


def test_that_a_prediction_keeps_its_kind_of_names_when_another_model_is_opened(
    predicted, tmp_path, qtbot
):
    model = tmp_path / "elsewhere.safetensors"
    shutil.copy(predicted.model_path, model)
    predicted.open_model(model)
    predicted.rename_class(1, "Salt")
    assert [c.name for c in predicted.prediction.classes] == ["Salt", "Class 2"]
    own = predicted.runs[0].model
    predicted.use_run(model)
    predicted.start_prediction()
    qtbot.waitUntil(lambda: predicted.prediction is not None and predicted.job is None)
    predicted.open_model(own)
    predicted.rename_class(2, "Sand")
    assert [c.name for c in predicted.prediction.classes] == ["Class 1", "Class 2"]


def test_that_polygons_and_legend_carry_the_names_and_colours_of_now(predicted, tmp_path, qtbot):
    out = tmp_path / "map.geojson"
    predicted.rename_class(1, "Salt")
    predicted.recolour_class(1, "#ff0000")
    predicted.start_export(out, "polygons")
    qtbot.waitUntil(lambda: predicted.job is None and out.exists(), timeout=20000)
    of = json.loads(out.read_text())["features"][0]["properties"]
    assert "Salt" in of.values()
    assert "#ff0000" in {str(value).lower() for value in of.values()}
    assert predicted.prediction.classes[0].color == predicted.classes[0].color


def test_that_a_model_from_elsewhere_keeps_its_own_names(predicted, tmp_path, qtbot):
    model = tmp_path / "elsewhere.safetensors"
    shutil.copy(predicted.model_path, model)
    predicted.use_run(model)
    predicted.start_prediction()
    qtbot.waitUntil(lambda: predicted.prediction is not None and predicted.job is None)
    predicted.rename_class(1, "Salt")
    assert [c.name for c in predicted.prediction.classes] == ["Class 1", "Class 2"]


def test_that_the_model_of_a_run_need_not_be_read_in_the_window(predicted, monkeypatch):
    from geocnn_gui.inference import model_state as store
    from geocnn_gui.inference.model_state import ModelState
    from geocnn_gui.project.runs import MODEL_FILE, RunRecord, read_run, save_record

    model, expected = predicted.model_path, predicted.prediction_folder()
    assert model.name == MODEL_FILE
    run = read_run(model.parent)
    state = store.model_state(model)
    record = run.record.model_copy(update={"model_state": state})
    save_record(model.parent, record)
    monkeypatch.setattr(store, "_states", {})
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read through again"))
    read_run(model.parent)
    assert predicted.prediction_folder() == expected
    monkeypatch.setattr(store, "_states", {})
    other = state.model_copy(update={"size": state.size + 1, "digest": "0" * 16})
    save_record(model.parent, record.model_copy(update={"model_state": other}))
    read_run(model.parent)
    assert store._states == {}
    for digest in ("../../elsewhere", "", "0" * 15):
        with pytest.raises(ValidationError):
            ModelState(size=1, modified=1, digest=digest)
    assert RunRecord.model_validate_json(record.model_dump_json()) == record
