"""The session: what is open, what is painted, what runs."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from geocnn_gui import workflow
from geocnn_gui.data.source import Section, Window
from geocnn_gui.errors import CannotWrite, NotEnoughLabels
from geocnn_gui.gui.labelling import merge_classes
from geocnn_gui.gui.session import MODEL_FILE, Session
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.files import read_label_file
from geocnn_gui.labels.store import LabelStore
from geocnn_gui.models.spec import CnnSpec
from geocnn_gui.training.spec import TrainingSpec

FILES = Path(__file__).parents[1] / "files"


def open_and_wait(session, path, qtbot):
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
        session.open_path(path)


def wait_for_job(session, qtbot):
    qtbot.waitUntil(lambda: session.job is None, timeout=20000)


def counts(session):
    return session.labels.store.counts


def test_that_a_new_file_gets_a_project_with_two_classes(opened):
    assert opened.source.shape == (20, 30, 24)
    assert [c.id for c in opened.classes] == [1, 2]
    assert opened.section == Section(0, 10)
    assert len(opened.statistics) == 1


def test_that_a_file_that_cannot_be_read_is_told_in_one_sentence(session, tmp_path, qtbot):
    bad = tmp_path / "bad.npy"
    bad.write_bytes(b"no array")
    with qtbot.waitSignal(session.message, timeout=10000) as blocker:
        session.open_path(bad)
    message = blocker.args[0]
    assert message.kind == "error"
    assert "bad.npy" in message.text
    assert session.source is None
    assert session.busy == ""


def test_that_a_file_that_cannot_be_read_leaves_the_open_one(opened, tmp_path, qtbot):
    with qtbot.waitSignal(opened.message, timeout=10000):
        opened.open_path(tmp_path / "missing.sgy")
    assert opened.source.shape == (20, 30, 24)


def test_that_a_section_beyond_the_end_is_the_last(opened):
    opened.step_section(100)
    assert opened.section.index == 19
    opened.step_section(-100)
    assert opened.section.index == 0


def test_that_a_stroke_is_one_undo_step(opened):
    rows, columns = slice(2, 6), slice(3, 9)
    mask = np.ones((4, 6), bool)
    opened.begin_stroke()
    opened.paint(opened.section, rows, columns, mask, 1)
    opened.paint(opened.section, slice(4, 8), slice(5, 11), mask, 1)
    assert counts(opened) == {}
    opened.end_stroke()
    assert counts(opened) == {1: 24 + 24 - 8}
    assert len(opened.steps.rows) == 1
    opened.undo()
    assert counts(opened) == {}
    opened.redo()
    assert counts(opened) == {1: 40}


def test_that_erasing_undoes_to_what_stood_there(opened, paint):
    paint(0, 3, 1)
    paint(3, 6, 2)
    before = counts(opened)
    paint(1, 5, 0)
    assert counts(opened) != before
    opened.undo()
    assert counts(opened) == before


def test_that_an_aborted_stroke_changes_nothing_but_asks_for_a_redraw(opened, qtbot):
    opened.begin_stroke()
    opened.paint(opened.section, slice(0, 2), slice(0, 2), np.ones((2, 2), bool), 1)
    with qtbot.waitSignal(opened.labels_changed) as blocker:
        opened.abort_stroke()
    assert isinstance(blocker.args[0], Window)
    assert counts(opened) == {}
    assert not opened.steps.can_undo


def test_that_labels_are_there_when_the_file_is_opened_again(opened, paint, small_file, qtbot):
    paint(0, 3, 2)
    opened.add_class("Salt")
    opened.shut_down()
    again = Session()
    open_and_wait(again, small_file, qtbot)
    assert counts(again) == {2: 90}
    assert [c.name for c in again.classes] == ["Class 1", "Class 2", "Salt"]
    again.shut_down()


def test_that_painting_says_when_it_was_saved(opened, paint, qtbot):
    with qtbot.waitSignal(opened.saved_changed):
        paint(0, 1, 1)
    assert opened.saved_at is not None


def test_that_a_full_disk_leaves_labels_as_they_were(opened, paint, monkeypatch):
    paint(0, 2, 1)
    redrawn = []
    opened.labels_changed.connect(redrawn.append)

    def full(*_):
        raise CannotWrite("Cannot write labels: the disk is full", "free some space")

    monkeypatch.setattr(opened.labels, "change", full)
    paint(4, 6, 2)
    assert counts(opened) == {1: 60}
    assert len(opened.steps.rows) == 1
    assert opened.said[-1].kind == "error"
    assert redrawn  # the canvas has shown the stroke already


def test_that_an_undo_that_cannot_be_written_is_told_and_changes_nothing(
    opened, paint, monkeypatch
):
    paint(0, 2, 1)

    def full(*_):
        raise CannotWrite("Cannot write labels: the disk is full", "free some space")

    monkeypatch.setattr(opened.labels, "change", full)
    opened.undo()
    assert counts(opened) == {1: 60}
    assert opened.said[-1].kind == "error"


def test_that_classes_can_be_added_renamed_recoloured_and_it_undone(opened):
    opened.add_class("Salt")
    assert opened.current_class == 3
    opened.rename_class(3, "Halite")
    opened.recolour_class(3, "#112233")
    assert opened.classes[2] == LabelClass(id=3, name="Halite", color="#112233")
    for _ in range(3):
        opened.undo()
    assert [c.id for c in opened.classes] == [1, 2]
    assert opened.current_class == 1
    assert opened.project.classes == opened.classes


def test_that_an_empty_name_keeps_the_old(opened):
    opened.rename_class(1, "  ")
    assert opened.classes[0].name == "Class 1"


def test_that_deleting_a_class_takes_its_labels_and_undo_brings_both_back(opened, paint):
    paint(0, 2, 1)
    paint(5, 9, 2)
    opened.delete_class(2)
    assert counts(opened) == {1: 60}
    assert [c.id for c in opened.classes] == [1]
    opened.undo()
    assert counts(opened) == {1: 60, 2: 120}
    assert [c.id for c in opened.classes] == [1, 2]


def test_that_labels_are_not_searched_for_a_class_that_has_none(opened, paint, monkeypatch):
    paint(0, 2, 1)
    read = []
    monkeypatch.setattr(LabelStore, "read", lambda _, window: read.append(window))
    opened.delete_class(2)
    monkeypatch.undo()
    assert not read
    assert [c.id for c in opened.classes] == [1]
    assert counts(opened) == {1: 60}


def test_that_an_id_of_a_deleted_class_is_not_given_again(opened):
    opened.delete_class(2)
    opened.add_class()
    assert [c.id for c in opened.classes] == [1, 3]


def test_that_labels_from_a_file_are_one_undo_step(opened, paint, tmp_path, qtbot):
    paint(0, 2, 1)
    labels = np.zeros((20, 30, 24), np.uint8)
    labels[1, :4, :5] = 2
    labels[2, 0, 0] = 7
    np.save(tmp_path / "labels.npy", labels)
    with qtbot.waitSignal(opened.message, timeout=10000):
        opened.import_labels(tmp_path / "labels.npy")
    assert counts(opened) == {1: 60, 2: 20, 7: 1}
    assert [c.id for c in opened.classes] == [1, 2, 7]
    opened.undo()
    assert counts(opened) == {1: 60}
    assert [c.id for c in opened.classes] == [1, 2]


def test_that_labels_of_another_size_are_refused(opened, tmp_path, qtbot):
    np.save(tmp_path / "labels.npy", np.ones((20, 30, 25), np.uint8))
    with qtbot.waitSignal(opened.message, timeout=10000) as blocker:
        opened.import_labels(tmp_path / "labels.npy")
    assert blocker.args[0].kind == "error"
    assert counts(opened) == {}


def test_that_saved_labels_read_back_the_same(opened, paint, tmp_path, qtbot):
    paint(0, 3, 2)
    with qtbot.waitSignal(opened.message, timeout=10000):
        opened.save_labels(tmp_path / "out.npy")
    assert np.count_nonzero(np.load(tmp_path / "out.npy") == 2) == 90


def test_that_saved_labels_keep_the_names_of_the_classes(session, tmp_path, qtbot):
    np.save(tmp_path / "line.npy", np.zeros((20, 24), np.float32) + np.arange(24))
    open_and_wait(session, tmp_path / "line.npy", qtbot)
    session.rename_class(2, "Salt")
    session.recolour_class(2, "#112233")
    session.paint(session.section, slice(0, 2), slice(0, 4), np.ones((2, 4), bool), 2)
    with qtbot.waitSignal(session.message, timeout=10000):
        session.save_labels(tmp_path / "labels.tif")
    file = read_label_file(tmp_path / "labels.tif", session.source)
    assert file.classes == (LabelClass(id=2, name="Salt", color="#112233"),)


def test_that_a_stroke_in_hand_is_kept_when_another_source_arrives(opened, tmp_path, qtbot):
    np.save(tmp_path / "other.npy", np.zeros((20, 30, 24), np.float32) + np.arange(24))
    with qtbot.waitSignal(opened.source_changed, timeout=10000):
        opened.add_path(tmp_path / "other.npy")
        opened.begin_stroke()
        opened.paint(opened.section, slice(0, 2), slice(0, 3), np.ones((2, 3), bool), 1)
    with qtbot.waitSignal(opened.source_changed, timeout=10000):
        opened.show_entry("s1")
    assert counts(opened) == {1: 6}


def test_that_classes_of_a_file_join_ours_by_name_then_by_id():
    ours = (
        LabelClass(id=1, name="Salt", color="#000000"),
        LabelClass(id=2, name="Shale", color="#111111"),
    )
    theirs = (
        LabelClass(id=1, name="Class 1", color="#222222"),
        LabelClass(id=2, name="Chalk", color="#333333"),
        LabelClass(id=9, name="Salt", color="#444444"),
    )
    merged, table = merge_classes(ours, theirs)
    assert [(c.id, c.name) for c in merged] == [(1, "Salt"), (2, "Shale"), (3, "Chalk")]
    assert (table[1], table[2], table[9]) == (1, 3, 1)


def test_that_training_says_what_it_lacks(opened, paint):
    assert "two classes" in opened.why_no_training()
    paint(0, 2, 1)
    assert opened.why_no_training()
    paint(5, 7, 2)
    assert opened.why_no_training() == ""


def test_that_training_takes_a_snapshot_and_then_predicts_what_is_in_view(
    opened, paint, work, qtbot
):
    paint(0, 2, 1)
    paint(5, 7, 2)
    spec, training = CnnSpec(width=4), TrainingSpec(epochs=2)
    opened.start_training(spec, training)
    paint(8, 9, 2)  # after the click
    qtbot.waitUntil(lambda: bool(work.predicted) and opened.job is None, timeout=20000)
    pairs, model_spec, training_spec, classes = work.trained[0]
    assert pairs[0].labels.counts == {1: 60, 2: 60}
    assert (model_spec, training_spec, classes) == (spec, training, opened.classes)
    assert work.predicted[0][1] == [opened.section]
    assert [e.epoch for e in opened.epochs] == [1, 2]
    whole = opened.source.plane(opened.section).window(slice(0, 24), slice(0, 30))
    assert (opened.prediction.read_classes(whole) == 1).all()


def test_that_tiles_are_told_after_the_prediction_can_be_read(opened, paint, work, qtbot):
    paint(0, 2, 1)
    paint(5, 7, 2)
    seen = []
    opened.tile_done.connect(lambda w: seen.append(opened.prediction.read_classes(w).max()))
    opened.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: bool(seen) and opened.job is None, timeout=20000)
    assert seen == [1]
    opened.start_prediction(whole=True)
    wait_for_job(opened, qtbot)
    assert len(seen) == 21


def test_that_stop_keeps_the_weights_and_offers_to_predict(opened, paint, work, qtbot):
    work.epochs, work.pause = 1000, 0.005
    paint(0, 2, 1)
    paint(5, 7, 2)
    opened.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: opened.progress is not None, timeout=10000)
    opened.stop_job()
    wait_for_job(opened, qtbot)
    assert opened.model_path == opened.run_folder / MODEL_FILE
    assert [text for text, _ in opened.said[-1].actions] == ["Continue", "Predict"]
    assert not work.predicted


def test_that_only_one_task_runs_at_a_time(opened, paint, work, qtbot):
    work.epochs, work.pause = 1000, 0.005
    paint(0, 2, 1)
    paint(5, 7, 2)
    opened.start_training(CnnSpec(width=4))
    assert opened.why_no_training()
    first = opened.job
    opened.start_training(CnnSpec(width=4))
    assert opened.job is first
    assert opened.said[-1].kind == "warning"
    opened.stop_job()
    wait_for_job(opened, qtbot)


def test_that_a_failed_training_is_told_with_its_way_out(opened, paint, work, qtbot):
    work.error = NotEnoughLabels("Salt has no label on live samples", "paint some there")
    paint(0, 2, 1)
    paint(5, 7, 2)
    opened.start_training(CnnSpec(width=4))
    wait_for_job(opened, qtbot)
    assert opened.said[-1].text == "Salt has no label on live samples; paint some there."
    assert opened.job is None


def test_that_another_file_can_be_opened_while_a_training_runs(
    opened, paint, work, qtbot, tmp_path
):
    work.epochs, work.pause = 1000, 0.005
    paint(0, 2, 1)
    paint(5, 7, 2)
    opened.start_training(CnnSpec(width=4))
    other = tmp_path / "other.npy"
    np.save(other, np.zeros((40, 50), np.float32))
    open_and_wait(opened, other, qtbot)
    assert opened.job is not None
    opened.stop_job()
    wait_for_job(opened, qtbot)
    assert opened.model_path is None  # the run belongs to the project that was left
    assert not work.predicted


def test_that_the_newest_model_and_its_prediction_come_back_with_the_file(
    opened, paint, work, small_file, qtbot
):
    paint(0, 2, 1)
    paint(5, 7, 2)
    opened.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: bool(work.predicted) and opened.job is None, timeout=20000)
    model = opened.model_path
    opened.shut_down()
    again = Session()
    open_and_wait(again, small_file, qtbot)
    assert again.model_path == model
    assert again.prediction is not None
    again.shut_down()


def test_that_labels_of_other_sources_of_the_project_are_trained_on_too(
    opened, paint, work, qtbot, tmp_path
):
    paint(0, 2, 1)
    other = tmp_path / "other.npy"
    np.save(other, np.random.default_rng(1).normal(size=(20, 30, 24)).astype(np.float32))
    with qtbot.waitSignal(opened.statistics_changed, timeout=10000):
        opened.add_path(other)
    assert len(opened.project.sources) == 2
    opened.paint(opened.section, slice(0, 2), slice(0, 30), np.ones((2, 30), bool), 1)
    opened.paint(opened.section, slice(4, 6), slice(0, 30), np.ones((2, 30), bool), 2)
    opened.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: bool(work.predicted) and opened.job is None, timeout=20000)
    assert [p.labels.counts for p in work.trained[0][0]] == [{1: 60}, {1: 60, 2: 60}]
    with qtbot.waitSignal(opened.statistics_changed, timeout=10000):
        opened.show_entry("s1")
    assert counts(opened) == {1: 60}


class SlowStatistics:
    """Stands in for the statistics: they read their source once `go` is set."""

    def __init__(self):
        self.started, self.go, self.sources, self.errors = [], threading.Event(), [], []

    def __call__(self, source):
        self.started.append(source)
        self.go.wait(10)
        try:
            if source.closed:
                raise ValueError("I/O operation on closed file")
            if len(source.axes) == 3:
                raise KeyError("a defect")
        except Exception as error:
            self.errors.append(error)
            raise
        return ()


@pytest.fixture
def closing(monkeypatch):
    """Let sources say whether they are closed."""
    from geocnn_gui.data.array import ArraySource

    close = ArraySource.close

    def closed(source):
        source.closed = True
        close(source)

    monkeypatch.setattr(ArraySource, "closed", False, raising=False)
    monkeypatch.setattr(ArraySource, "close", closed)


def test_that_a_source_that_is_left_stays_open_while_it_is_read(
    session, small_file, closing, monkeypatch, tmp_path, qtbot, caplog
):
    slow = SlowStatistics()
    monkeypatch.setattr("geocnn_gui.data.statistics.estimate_statistics", slow)
    with qtbot.waitSignal(session.source_changed, timeout=10000):
        session.open_path(small_file)
    qtbot.waitUntil(lambda: len(slow.started) == 1, timeout=10000)
    cube = session.source
    np.save(tmp_path / "other.npy", np.zeros((20, 30), np.float32))
    with qtbot.waitSignal(session.source_changed, timeout=10000):
        session.open_path(tmp_path / "other.npy")
    assert not cube.closed
    session._set_busy("Opening something")
    with qtbot.waitSignal(session.statistics_changed, timeout=10000):
        slow.go.set()
    qtbot.waitUntil(lambda: cube.closed, timeout=10000)
    qtbot.wait(50)
    assert [type(error) for error in slow.errors] == [KeyError]
    assert not [m for m in session.said if m.kind == "error"]  # not of the source in view
    assert session.busy == "Opening something"
    session._set_busy("")
    caplog.clear()


def test_that_a_training_goes_on_without_sources_that_cannot_be_read(
    opened, paint, work, qtbot, tmp_path
):
    paint(0, 2, 1)
    paint(5, 7, 2)
    for name in ("labelled", "bare"):
        np.save(tmp_path / f"{name}.npy", np.zeros((20, 30, 24), np.float32) + np.arange(24))
        with qtbot.waitSignal(opened.statistics_changed, timeout=10000):
            opened.add_path(tmp_path / f"{name}.npy")
        if name == "labelled":
            paint(0, 2, 1)
    with qtbot.waitSignal(opened.statistics_changed, timeout=10000):
        opened.show_entry("s1")
    for name in ("labelled", "bare"):
        (tmp_path / f"{name}.npy").unlink()
    opened.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: bool(work.predicted) and opened.job is None, timeout=20000)
    assert [p.labels.counts for p in work.trained[0][0]] == [{1: 60, 2: 60}]
    warnings = [m.text for m in opened.said if m.kind == "warning"]
    assert len([text for text in warnings if "goes on without labelled" in text]) == 1
    assert not [text for text in warnings if "bare" in text]


def test_that_a_training_that_learns_nothing_leaves_no_run(opened, paint, work, qtbot):
    work.error = NotEnoughLabels("Salt has no label on live samples", "paint some there")
    paint(0, 2, 1)
    paint(5, 7, 2)
    opened.start_training(CnnSpec(width=4))
    wait_for_job(opened, qtbot)
    assert opened.project.runs == ()


@pytest.fixture
def predicted(opened, paint, work, qtbot):
    """A session with a prediction: class 1 everywhere in the section in view."""
    paint(0, 2, 1)
    paint(5, 9, 2)
    opened.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: bool(work.predicted) and opened.job is None, timeout=20000)
    return opened


def test_that_a_prediction_is_exported(predicted, tmp_path, qtbot):
    predicted.start_export(tmp_path / "out.npy", "classes")
    wait_for_job(predicted, qtbot)
    values = np.load(tmp_path / "out.npy")
    assert values.shape == (20, 30, 24)
    assert (values[10] == 1).all()
    assert not values[:10].any()
    assert "out.npy" in predicted.said[-1].text


def test_that_an_export_in_an_unknown_format_is_refused(predicted, tmp_path, qtbot):
    predicted.start_export(tmp_path / "out.xyz", "classes")
    wait_for_job(predicted, qtbot)
    assert predicted.said[-1].kind == "error"
    assert not (tmp_path / "out.xyz").exists()


def test_that_the_score_is_right_and_warns_of_training_labels(predicted, qtbot):
    with qtbot.waitSignal(predicted.scored, timeout=10000) as blocker:
        predicted.start_scoring()
    score = blocker.args[0]
    assert score.scores.pixel_accuracy == pytest.approx(60 / 180)
    assert "these very labels" in score.caution


def test_that_a_score_against_a_file_needs_no_caution(predicted, tmp_path, qtbot):
    truth = np.zeros((20, 30, 24), np.uint8)
    truth[10] = 1
    np.save(tmp_path / "truth.npy", truth)
    with qtbot.waitSignal(predicted.scored, timeout=10000) as blocker:
        predicted.start_scoring(tmp_path / "truth.npy")
    assert blocker.args[0].scores.mean_iou == 1.0
    assert blocker.args[0].caution == ""


def test_that_a_file_that_is_no_model_is_told(opened, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nothing")
    opened.use_run(path)
    assert opened.said[-1].kind == "error"
    assert opened.model_path is None


def test_that_a_bug_is_told_plainly_and_logged(session, caplog):
    session.report(KeyError("inner"))
    assert session.said[-1].details == "KeyError: 'inner'"
    assert "Traceback" not in session.said[-1].text
    assert len(caplog.records) == 1
    caplog.clear()


def test_that_mislabelled_floats_are_offered_to_be_read_rightly(session, tmp_path, qtbot):
    path = tmp_path / "line.sgy"
    content = bytearray((FILES / "npra_line_cut.sgy").read_bytes())
    content[3224:3226] = (5).to_bytes(2, "big")  # IBM samples that say IEEE
    path.write_bytes(content)
    open_and_wait(session, path, qtbot)
    offer = session.said[-1]
    assert "says IEEE floats but its samples look IBM" in offer.text
    labels, choices = zip(*offer.actions, strict=True)
    assert labels == ("Read as IBM", "Keep")
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
        choices[0]()
    assert session.source.choices["sample_format"] == "ibm"
    assert session.said[-1] is offer  # nothing more to ask
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
        session.choose(vertical="depth")
    assert session.source.choices == {"vertical": "depth", "sample_format": "ibm"}


@pytest.mark.parametrize("away", ["while tiles come", "until the end"])
def test_that_tiles_of_a_source_out_of_view_are_kept_for_it(
    predicted, work, tmp_path, qtbot, monkeypatch, away
):
    go = threading.Event()

    def predict(*args, **kwargs):
        for number, event in enumerate(work.predict(*args, **kwargs)):
            if number == 4 and away == "while tiles come":
                go.wait(10)
            yield event

    monkeypatch.setattr(workflow, "predict", predict)
    np.save(tmp_path / "flat.npy", np.zeros((20, 30), np.float32) + np.arange(30))
    predicted.use_run(predicted.model_path)
    tiles = []
    predicted.tile_done.connect(lambda _: tiles.append(predicted.entry_id))
    with qtbot.waitSignal(predicted.source_changed, timeout=10000):
        predicted.add_path(tmp_path / "flat.npy")
        predicted.start_prediction(whole=True)
        tiles.clear()
    seen = len(tiles)
    qtbot.waitUntil(lambda: predicted.job is None or away == "while tiles come", timeout=10000)
    qtbot.wait(120)
    assert len(tiles) == seen  # none while the other is in view
    assert predicted.prediction is None
    with qtbot.waitSignal(predicted.source_changed, timeout=10000):
        predicted.show_entry("s1")
    go.set()
    wait_for_job(predicted, qtbot)
    assert predicted.prediction.read_classes(Window.whole((20, 30, 24))).all()
    assert set(tiles) <= {"s1"}


def test_that_a_prediction_that_had_nothing_left_to_do_is_shown(predicted, monkeypatch, qtbot):
    monkeypatch.setattr(workflow, "predict", lambda *_, **__: iter(()))
    predicted.show_prediction(None)
    predicted.start_prediction()
    wait_for_job(predicted, qtbot)
    assert predicted.prediction is not None


def test_that_a_model_stays_in_hand_for_another_file_that_it_fits(predicted, tmp_path, qtbot):
    model = predicted.model_path
    np.save(tmp_path / "other.npy", np.zeros((20, 30), np.float32) + np.arange(30))
    open_and_wait(predicted, tmp_path / "other.npy", qtbot)
    assert predicted.model_path == model
    assert predicted.why_no_prediction() == ""


def test_that_a_model_can_be_saved_and_taken_before_any_data(
    predicted, tmp_path, small_file, qtbot
):
    copy = tmp_path / "copy.safetensors"
    predicted.save_model(copy)
    assert copy.read_bytes() == predicted.model_path.read_bytes()
    predicted.close_source()
    assert predicted.why_no_model()
    predicted.use_run(copy)
    np.save(tmp_path / "other.npy", np.zeros((20, 30), np.float32) + np.arange(30))
    open_and_wait(predicted, tmp_path / "other.npy", qtbot)
    assert predicted.model_path == copy


def test_that_a_model_that_is_gone_is_told_and_nothing_written(predicted, tmp_path):
    predicted.model_path.unlink()
    predicted.save_model(tmp_path / "copy.safetensors")
    assert predicted.said[-1].kind == "error"
    assert not list(tmp_path.glob("copy*"))


def test_that_of_several_files_the_first_readable_is_opened_and_the_others_added(
    session, tmp_path, qtbot
):
    paths = [tmp_path / f"{name}.npy" for name in ("bad", "one", "worse", "two")]
    for path in paths:
        np.save(path, np.zeros((20, 30), np.float32) + np.arange(30))
    for number in (0, 2):
        paths[number].write_bytes(b"no array")
    session.open_paths(paths)
    qtbot.waitUntil(lambda: len(session.said) == 2 and session.entry_id == "s2", timeout=10000)
    assert [entry.name for entry in session.project.sources] == ["one.npy", "two.npy"]


def test_that_labels_of_all_sources_of_the_project_count_for_training(
    opened, paint, tmp_path, qtbot
):
    paint(0, 2, 1)
    np.save(tmp_path / "other.npy", np.zeros((20, 30, 24), np.float32) + np.arange(24))
    with qtbot.waitSignal(opened.statistics_changed, timeout=10000):
        opened.add_path(tmp_path / "other.npy")
    assert "two classes" in opened.why_no_training()
    paint(0, 2, 2)
    assert opened.why_no_training() == ""
    opened.delete_class(1)  # its labels in the first source stay, but are none of a class
    assert "two classes" in opened.why_no_training()
