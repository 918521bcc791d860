"""A sample set in the window: its labels come along as one step, and stay as the user leaves them."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton, QTableWidget, QWidget

from geocnn_gui.data.samples import holds_samples
from geocnn_gui.data.source import Window
from geocnn_gui.gui.opening import is_project
from geocnn_gui.gui.widgets.score_bars import ScoreBars
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.ground import HELD_OUT, TRAINED
from geocnn_gui.scoring.seen import SEEN_FILE, Seen, SeenCard


@pytest.fixture
def patches(tmp_path):
    path = tmp_path / "patches.npz"
    names = np.array(["mud", "sand"])[np.repeat([0, 1], 20)]
    values = (
        np.random.default_rng(0).normal(size=(40, 16, 16)) + np.repeat([0, 3], 20)[:, None, None]
    )
    np.savez(path, patches=values.astype(np.float32), labels=names)
    return path


def counts(session):
    return session.labels.store.counts


def test_that_a_sets_labels_arrive_as_one_step(session, patches, qtbot, open_and_wait):
    open_and_wait(session, patches, qtbot)
    assert session.source.kind == "samples"
    assert [c.name for c in session.classes] == ["mud", "sand"]
    assert counts(session) == {1: 20, 2: 20}
    assert len(session.steps.rows) == 1
    session.undo()
    assert counts(session) == {}
    session.redo()
    assert counts(session) == {1: 20, 2: 20}


def test_that_labels_taken_away_do_not_come_back(session, patches, qtbot, open_and_wait):
    open_and_wait(session, patches, qtbot)
    session.undo()
    session.close_source()
    open_and_wait(session, patches, qtbot)
    assert counts(session) == {}


def test_that_a_set_added_to_a_project_brings_its_classes(opened, patches, qtbot):
    with qtbot.waitSignals([opened.source_changed, opened.statistics_changed], timeout=20000):
        opened.add_path(patches)
    assert [c.name for c in opened.classes] == ["mud", "sand"]  # in the place of two unnamed ones
    assert sorted(counts(opened).values()) == [20, 20]
    values = opened.labels.store.read(Window.whole((1, 40)))[0]
    assert set(values[:20]) == {next(c.id for c in opened.classes if c.name == "mud")}


def test_that_a_relabelled_sample_is_undone(session, patches, qtbot, open_and_wait):
    open_and_wait(session, patches, qtbot)
    session.paint(session.section, slice(0, 1), slice(3, 4), np.ones((1, 1), bool), 2)
    assert counts(session) == {1: 19, 2: 21}
    session.undo()
    assert counts(session) == {1: 20, 2: 20}


def predict_first_class(session, folder):
    """Predict the first class everywhere, by a model trained on the first half."""
    store = PredictionStore.create(folder, session.source, session.classes)
    store.write(Window.whole((1, 40)), np.ones((1, 40), np.uint8), np.ones((1, 40)))
    seen = np.full((1, 40), HELD_OUT, np.uint8)
    seen[:, 10:30] = TRAINED
    card = SeenCard(
        model="m", model_sha256="0", source="patches", identity="0", known=True, refit=True,
        holdout_iou=0.61,
    )  # fmt: skip
    Seen(card, LabelSnapshot.from_array(seen)).save(store.folder / SEEN_FILE)
    session.show_prediction(store)


def test_that_the_panels_speak_of_samples(window, session, patches, qtbot, open_and_wait, tmp_path):
    open_and_wait(session, patches, qtbot)
    predict_first_class(session, tmp_path / "prediction")
    session.set_step("Predict")
    session.set_step("Export")
    session.set_step("Score")
    with qtbot.waitSignal(session.scored, timeout=10000):
        session.start_scoring()
    qtbot.waitUntil(lambda: session.job is None)
    assert window.findChild(QPushButton, "predict_section").text().startswith("Predict the samples")
    assert window.findChild(QLabel, "export_classes_what").text().endswith("class of every sample")
    assert window.findChild(QCheckBox, "error_map").text() == "Show right and wrong samples"
    panel = window.findChild(QWidget, "score_panel")
    said = [each.text() for each in panel.findChildren(QLabel)]
    said += [bar.reason for bar in panel.findChild(ScoreBars).bars]
    assert "Samples it was trained on: what it remembers." in said
    assert not [each for each in said if "pixel" in each.lower()]
    header = panel.findChild(QTableWidget, "score_table").horizontalHeaderItem(6)
    assert (header.text(), header.toolTip()) == ("Samples", "Labelled samples")


@pytest.mark.parametrize("example", ["patches", "traces"])
def test_that_the_window_shows_a_textbook_example(window, session, example, qtbot, open_and_wait):
    open_and_wait(session, f"example:{example}", qtbot)
    assert sum(counts(session).values()) == session.source.shape[1]
    assert len(session.classes) == 3
    qtbot.waitUntil(lambda: not session.busy, timeout=10000)
    assert not [message for message in session.said if message.kind == "error"]


def test_that_a_folder_of_images_is_no_project(tmp_path):
    (tmp_path / "set" / "mud").mkdir(parents=True)
    assert is_project(str(tmp_path / "set"))
    (tmp_path / "set" / "mud" / "a.png").write_bytes(b"x")
    assert holds_samples(tmp_path / "set")
    assert not is_project(str(tmp_path / "set"))
    (tmp_path / "set" / "project.json").write_text("{}")
    assert is_project(str(tmp_path / "set"))
