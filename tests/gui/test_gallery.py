"""The gallery of a sample set: what is shown, in which order, and labels given by key."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton, QSlider

from geocnn_gui.data.source import Window
from geocnn_gui.gui.canvas.gallery.arrange import Facts, arrange
from geocnn_gui.gui.panels.model_panel import ModelPanel
from geocnn_gui.inference.store import PredictionStore

N = 40


@pytest.fixture
def patches(tmp_path):
    path = tmp_path / "patches.npz"
    names = np.array(["mud", "sand"])[np.repeat([0, 1], N // 2)]
    values = np.random.default_rng(0).normal(size=(N, 16, 16)).astype(np.float32)
    np.savez(path, patches=values, labels=names)
    return path


@pytest.fixture
def gallery(window, session, patches, qtbot, open_and_wait):
    open_and_wait(session, patches, qtbot)
    gallery = window.findChild(object, "gallery")
    qtbot.waitUntil(lambda: not gallery.busy and not session.busy, timeout=10000)
    return gallery


@pytest.fixture
def predicted(gallery, session, tmp_path):
    """The gallery with a prediction: sample 3 is wrong and sure, sample 30 wrong and unsure."""
    store = PredictionStore.create(
        tmp_path / "p", session.source, session.classes, model="m", probabilities=True
    )
    ids = np.repeat([1, 2], N // 2).astype(np.uint8)[None]
    ids[0, 3], ids[0, 30] = 2, 1
    sure = np.linspace(0.6, 0.8, N, dtype=np.float32)[None]
    sure[0, 3], sure[0, 30] = 0.95, 0.55
    shares = np.where(np.arange(1, 3)[:, None, None] == ids, sure, 1 - sure)
    store.write(Window.whole((1, N)), ids, sure, shares)
    store.finish(complete=True)
    session.show_prediction(store)
    return gallery


def click(gallery, qtbot, row, modifier=Qt.KeyboardModifier.NoModifier):
    grid = gallery.grid
    where = grid.visualRect(gallery.samples.index(row)).center()
    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, modifier, where)


def choose(gallery, name, text):
    box = gallery.findChild(QComboBox, name)
    box.setCurrentIndex(box.findText(text))
    box.activated.emit(box.currentIndex())


def label_of(session, sample):
    return int(session.labels.store.read(Window((0, sample), (1, 1)))[0, 0])


def test_that_wrong_ones_come_first_and_the_surest_of_them_before_the_others():
    labels = np.array([1, 1, 2, 2, 0], np.uint8)
    found = np.array([1, 2, 1, 2, 1], np.uint8)
    facts = Facts(labels, found, labels, np.array([0.9, 0.6, 0.8, 0.5, 0.7], np.float32))
    assert arrange(facts, "wrong").tolist() == [2, 1, 3, 4, 0]
    assert arrange(facts, "unsure").tolist() == [3, 1, 4, 2, 0]
    assert arrange(facts, "class").tolist() == [0, 1, 2, 3, 4]
    assert arrange(facts, "file", 0).tolist() == [4]


def test_that_only_what_is_in_view_is_drawn(window, session, tmp_path, qtbot, open_and_wait):
    path = tmp_path / "many.npz"
    values = np.random.default_rng(0).normal(size=(5000, 4, 4)).astype(np.float32)
    np.savez(path, patches=values, labels=np.arange(5000) % 3)
    open_and_wait(session, path, qtbot)
    gallery = window.findChild(object, "gallery")
    assert gallery.isVisible()
    assert not window.findChild(object, "canvasView").isVisible()
    qtbot.waitUntil(lambda: not gallery.busy, timeout=10000)
    rows = gallery.grid.rows_in_view()
    view = gallery.grid.viewport().rect()
    seen = [
        r for r in range(200) if view.intersects(gallery.grid.visualRect(gallery.samples.index(r)))
    ]
    assert set(seen) <= set(rows)
    assert len(seen) <= gallery._thumbs.kept <= 2 * len(rows) + 24


def test_that_digits_label_all_that_is_selected_as_one_step(gallery, session, qtbot):
    control = Qt.KeyboardModifier.ControlModifier
    for row in (0, 1, 2):
        click(gallery, qtbot, row, control)
    steps = session.steps.position
    qtbot.keyClick(gallery.grid, Qt.Key.Key_2)
    assert [label_of(session, i) for i in range(4)] == [2, 2, 2, 1]
    assert session.steps.position == steps + 1
    qtbot.keyClick(gallery.grid, Qt.Key.Key_0)
    assert [label_of(session, i) for i in range(4)] == [0, 0, 0, 1]
    session.undo()
    session.undo()
    assert [label_of(session, i) for i in range(4)] == [1, 1, 1, 1]


def test_that_labels_given_by_key_are_there_when_the_set_is_opened_again(
    gallery, session, patches, qtbot, open_and_wait
):
    click(gallery, qtbot, 5, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(gallery.grid, Qt.Key.Key_2)
    session.close_source()
    open_and_wait(session, patches, qtbot)
    assert label_of(session, 5) == 2


def test_that_a_click_opens_one_and_arrows_go_on(predicted, session, qtbot):
    click(predicted, qtbot, 2)
    one = predicted.one
    assert one.isVisible()
    assert one.findChild(QLabel, "sample_name").text() == "patch 2"
    qtbot.keyClick(one, Qt.Key.Key_Right)
    assert predicted.shown == 3
    assert one.findChild(QLabel, "sample_predicted").text().startswith("sand  0.95")
    assert [row[0] for row in one.findChild(object, "sample_shares").rows] == ["mud", "sand"]
    qtbot.keyClick(one, Qt.Key.Key_2)
    assert label_of(session, 3) == 2
    assert predicted.shown == 3
    qtbot.keyClick(one, Qt.Key.Key_Escape)
    assert predicted.grid.isVisible()
    qtbot.waitUntil(lambda: not predicted.busy, timeout=10000)


def test_that_the_wrong_ones_come_first_on_demand(predicted):
    choose(predicted, "gallery_order", "Wrong first")
    assert predicted.samples.order[:2].tolist() == [3, 30]
    choose(predicted, "gallery_class", "sand")
    assert predicted.samples.order[0] == 30
    assert len(predicted.samples.order) == N // 2


def test_that_a_cell_of_the_matrix_leaves_only_its_samples(predicted, session, qtbot):
    with qtbot.waitSignal(session.scored, timeout=10000):
        session.start_scoring()
    qtbot.waitUntil(lambda: session.job is None, timeout=10000)
    session.pick_confusion((1, 2))
    assert predicted.samples.order.tolist() == [3]
    picked = predicted.findChild(QPushButton, "gallery_picked")
    assert picked.text().startswith("mud, predicted sand")
    click(predicted, qtbot, 0, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(predicted.grid, Qt.Key.Key_2)  # what is relabelled stays in view
    assert predicted.samples.order.tolist() == [3]
    qtbot.mouseClick(picked, Qt.MouseButton.LeftButton)
    assert len(predicted.samples.order) == N
    assert not picked.isVisible()


def test_that_painting_is_off_and_says_why(gallery, window):
    for name in ("tool_brush", "tool_polygon", "tool_eraser"):
        action = window.findChild(object, f"action_{name}")
        assert not action.isEnabled()
        assert "sample by sample" in action.toolTip()
    assert not window.findChild(QSlider, "brush_size").isEnabled()


def test_that_a_chip_labels_what_is_selected(gallery, window, session, qtbot):
    click(gallery, qtbot, 4, Qt.KeyboardModifier.ControlModifier)
    chip = window.findChild(object, "class_chips").chips[1]
    qtbot.mouseClick(chip, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    assert label_of(session, 4) == session.classes[1].id


def test_that_the_model_panel_takes_the_network_of_the_example_when_it_is_built_late(
    session, qtbot, open_and_wait
):
    open_and_wait(session, "example:patches", qtbot)
    net = session.model_spec
    panel = ModelPanel(session, open_model=list, save_model=list, choose_weights=lambda _: None)
    qtbot.addWidget(panel)
    assert session.model_spec == net
    assert net.kind == "layers"
    assert session.training_spec.epochs == 240
    assert session.training_spec.batch == 0
    qtbot.waitUntil(lambda: not session.busy, timeout=10000)


def test_that_the_label_panel_speaks_of_samples(gallery, window):
    assert window.findChild(QLabel, "label_title").text() == "Say what each sample is"
    assert window.findChild(QLabel, "label_title").isVisible()
    assert window.findChild(QLabel, "label_sentence").text() == "40 labelled samples in 2 classes."


def test_that_a_prediction_can_be_hidden_while_one_labels(predicted, session):
    assert predicted.samples.told(3) == ("Label: mud", "Predicted: sand 0.95")
    session.set_view(overlay_visible=False)
    assert predicted.samples.told(3) == ("Label: mud",)
    session.set_view(overlay_visible=True)
    assert predicted.samples.told(3) == ("Label: mud", "Predicted: sand 0.95")


def test_that_the_table_holds_labels_and_predictions(predicted, session, tmp_path, qtbot):
    click(predicted, qtbot, 0, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(predicted.grid, Qt.Key.Key_0)
    session.start_export(tmp_path / "out.csv", "classes")
    qtbot.waitUntil(lambda: session.job is None, timeout=10000)
    rows = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    assert rows[0] == ["sample", "label", "class_id", "class", "confidence", "p mud", "p sand"]
    assert rows[1][:4] == ["patch 0", "", "1", "mud"]
    assert rows[4][:5] == ["patch 3", "mud", "2", "sand", "0.9490"]


def test_that_a_folder_of_images_is_opened_from_the_menu(window, session, tmp_path, qtbot):
    for number, name in enumerate(("mud", "sand")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(3):
            image = QImage(12, 12, QImage.Format.Format_RGB888)
            image.fill(QColor(40 * i, 100 * number, 60))
            assert image.save(str(tmp_path / "set" / name / f"{i}.png"))
    window.findChild(object, "action_open_folder").trigger()
    dialog = window.findChild(QFileDialog, "file_dialog")
    assert dialog.fileMode() == QFileDialog.FileMode.Directory
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
        dialog.fileSelected.emit(str(tmp_path / "set"))
    dialog.close()
    assert session.source.kind == "samples"
    assert session.labels.store.counts == {1: 3, 2: 3}
    gallery = window.findChild(object, "gallery")
    qtbot.waitUntil(lambda: not gallery.busy and not session.busy, timeout=10000)
    assert gallery._thumbs.kept == 6


def test_that_one_of_several_arrays_is_chosen_and_remembered(
    session, tmp_path, qtbot, open_and_wait
):
    path = tmp_path / "two.npz"
    values = np.random.default_rng(0).normal(size=(12, 8, 8)).astype(np.float32)
    np.savez(path, near=values, far=values + 5, labels=np.arange(12) % 2)
    session.open_path(path)
    qtbot.waitUntil(lambda: bool(session.said), timeout=10000)
    message = session.said[-1]
    assert message.text == "two.npz holds several arrays: which of them are the samples?"
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
        dict(message.actions)["far"]()
    assert session.source.choices["key"] == "far"
    session.close_source()
    open_and_wait(session, path, qtbot)
    assert session.source.choices["key"] == "far"
    assert session.source.samples.read(0).mean() > 3


def test_that_the_cards_of_the_welcome_page_open_the_examples(window, session, qtbot):
    card = window.findChild(QPushButton, "example_traces")
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
        qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    assert session.source.name == "Textbook traces"
    assert session.model_spec.dims == 1
    assert session.training_spec.epochs == 60
    assert window.findChild(QPushButton, "example_denoise") is not None
    gallery = window.findChild(object, "gallery")
    qtbot.waitUntil(lambda: not gallery.busy and not session.busy, timeout=10000)


def test_that_shift_selects_all_between(gallery, session, qtbot):
    columns = gallery.grid.rows_in_view().stop // 2
    click(gallery, qtbot, 2, Qt.KeyboardModifier.ControlModifier)
    click(gallery, qtbot, columns, Qt.KeyboardModifier.ShiftModifier)
    assert gallery.grid.chosen().tolist() == list(range(2, columns + 1))
    qtbot.keyClick(gallery.grid, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert gallery.grid.chosen_count == N
    qtbot.keyClick(gallery.grid, Qt.Key.Key_End)
    assert gallery.grid.chosen().tolist() == [N - 1]
