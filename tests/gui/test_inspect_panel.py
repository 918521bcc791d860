"""Looking inside a model in the window, with real clicks."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QSpinBox, QTabBar, QToolButton, QWidget

from geocnn_gui.data.source import Section, open_source
from geocnn_gui.data.statistics import estimate_statistics
from geocnn_gui.gui.panels.inspect_panel import InspectPanel
from geocnn_gui.gui.widgets.kernel_view import KernelView
from geocnn_gui.gui.widgets.map_grid import MapGrid
from geocnn_gui.gui.widgets.share_bars import ShareBars
from geocnn_gui.inspection import looking
from geocnn_gui.inspection.layers import feature_maps
from geocnn_gui.inspection.spec import Place
from geocnn_gui.inspection.subject import Subject
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.networks import build
from geocnn_gui.models.scaling import Scaling
from geocnn_gui.models.spec import CnnSpec
from geocnn_gui.models.weights import ModelCard, save_model

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def model(tmp_path, small_file):
    """An untrained model of the small file."""
    path = tmp_path / "model.safetensors"
    classes = tuple(LabelClass(id=n, name=f"Kind {n}", color="#2169c4") for n in (1, 2))
    spec = CnnSpec(patch=20, width=4)
    torch.manual_seed(0)
    with open_source(small_file) as source:
        card = ModelCard(
            spec=spec, classes=classes, bands=tuple(b.name for b in source.bands),
            domain=source.domain,
            scaling=Scaling(mode="survey", statistics=estimate_statistics(source)),
        )  # fmt: skip
    save_model(path, build(spec, 1, 2), card)
    return path


@pytest.fixture
def panel(session, small_file, model, qtbot, open_and_wait):
    """The Inspect panel by itself, at its first answer."""
    panel = InspectPanel(session)
    qtbot.addWidget(panel)
    panel.resize(320, 560)
    panel.show()
    open_and_wait(session, small_file, qtbot)
    session.open_model(model)
    session.set_step("Inspect")
    settle(session, qtbot)
    return panel


@pytest.fixture
def inside(window, session, small_file, model, qtbot, open_and_wait):
    """The window with the Inspect panel in front, at its first answer."""
    open_and_wait(session, small_file, qtbot)
    session.open_model(model)
    tabs = window.findChild(QTabBar, "steps")
    number = next(n for n in range(tabs.count()) if tabs.tabText(n) == "Inspect")
    qtbot.mouseClick(tabs, LEFT, pos=tabs.tabRect(number).center())
    settle(session, qtbot)
    return window


def settle(session, qtbot):
    """Wait until the newest question is answered."""
    qtbot.waitUntil(
        lambda: not session.looking and session.seen is not None
        and session.seen.question == session.question, timeout=20000,
    )  # fmt: skip


def press(panel, name, qtbot, session, kind=QToolButton):
    """Click a button or check box and wait for the answer."""
    widget = panel.findChild(kind, name)
    at = QPoint(8, widget.height() // 2) if kind is QCheckBox else widget.rect().center()
    qtbot.mouseClick(widget, LEFT, pos=at)
    settle(session, qtbot)


def cell_at(window, row, column):
    """Return the canvas and the pixel of a cell."""
    canvas = window.findChild(QWidget, "canvas")
    return canvas, canvas.viewport.pixel_of(row, column).toPoint()


def test_that_the_panel_says_why_it_is_empty(window, session, small_file, qtbot, open_and_wait):
    session.set_step("Inspect")
    empty = window.findChild(QLabel, "inspect_empty")
    assert empty.text() == "Open a file first."
    open_and_wait(session, small_file, qtbot)
    session.set_step("Inspect")
    assert empty.text() == "Train or open a model first."
    assert not empty.isHidden()


def test_that_the_middle_is_looked_at_first(panel, session):
    place = session.seen.question.place
    assert (place.row, place.column) == (12, 15)
    shares = panel.findChild(ShareBars, "inspect_shares")
    assert [row[0] for row in shares.rows] == ["Kind 1", "Kind 2"]
    assert sum(row[2] for row in shares.rows) == pytest.approx(1)
    layers = panel.findChild(QComboBox, "inspect_layer")
    assert layers.currentText().startswith("convs.0 ")
    assert panel.findChild(QLabel, "inspect_maps_where").text() == "1\u20134 of 4"


def test_that_maps_follow_the_cursor_and_are_those_of_the_network(inside, session, model, qtbot):
    canvas, at = cell_at(inside, 5, 20)
    qtbot.mouseMove(canvas, at)
    qtbot.waitUntil(lambda: session.question.place.row == 5, timeout=5000)
    settle(session, qtbot)
    place = session.seen.question.place
    assert place == Place(session.section, 5, 20)
    subject = Subject.open(model, session.source)
    expected = feature_maps(subject, subject.look(place), "convs.0")
    assert np.array_equal(session.seen.maps, expected)


def test_that_a_click_on_the_data_pins_the_place(inside, session, qtbot):
    canvas, at = cell_at(inside, 18, 9)
    qtbot.mouseClick(canvas, LEFT, pos=at)
    settle(session, qtbot)
    assert not inside.findChild(QCheckBox, "inspect_follow").isChecked()
    qtbot.mouseMove(canvas, cell_at(inside, 3, 3)[1])
    qtbot.wait(50)
    assert session.question.place == Place(session.section, 18, 9)
    assert inside.findChild(QLabel, "inspect_place").text() == "row 18, column 9"
    press(inside, "inspect_follow", qtbot, session, QCheckBox)
    qtbot.mouseMove(canvas, cell_at(inside, 4, 4)[1])
    qtbot.waitUntil(lambda: session.question.place.row == 4, timeout=5000)
    settle(session, qtbot)


def test_that_a_drag_pans_and_pins_nothing(inside, session, qtbot):
    canvas, at = cell_at(inside, 12, 12)
    session.set_follows(False)
    before = session.question.place
    qtbot.mousePress(canvas, LEFT, pos=at)
    for step in (10, 20, 30):
        qtbot.mouseMove(canvas, at + QPoint(step, 0))
    qtbot.mouseRelease(canvas, LEFT, pos=at + QPoint(30, 0))
    assert session.question.place == before


def test_that_the_map_that_is_clicked_lies_over_the_data(inside, session, qtbot):
    grid = inside.findChild(MapGrid, "inspect_maps")
    sheet = inside.findChild(QWidget, "inspect_maps_sheet")
    qtbot.mouseClick(sheet, LEFT, pos=sheet.box(2).center())
    settle(session, qtbot)
    overlay = inside.findChild(QWidget, "canvas").inside.overlay
    assert np.array_equal(overlay.values, session.seen.maps[2])
    assert (overlay.rows, overlay.columns) == ((4.0, 20.0), (7.0, 23.0))  # 5x5 unpadded of 20
    qtbot.keyClick(sheet, Qt.Key.Key_Right)
    settle(session, qtbot)
    assert session.question.channel == 3
    assert grid.isVisible()
    press(inside, "inspect_shown", qtbot, session, QCheckBox)
    assert inside.findChild(QWidget, "canvas").inside.overlay.values is None


def test_that_another_layer_is_shown(panel, session, qtbot):
    layers = panel.findChild(QComboBox, "inspect_layer")
    layers.setFocus()
    for _ in range(3):
        qtbot.keyClick(layers, Qt.Key.Key_Down)
    settle(session, qtbot)
    assert session.seen.layer == "convs.1"
    assert session.seen.maps.shape == (8, 6, 6)


@pytest.mark.parametrize("method", ["grad-cam", "integrated", "occlusion"])
def test_that_the_class_that_is_clicked_is_explained(panel, session, qtbot, method):
    press(panel, "inspect_page_why", qtbot, session)
    press(panel, f"inspect_method_{method}", qtbot, session)
    shares = panel.findChild(ShareBars, "inspect_shares")
    for number in (0, 1):
        qtbot.mouseClick(shares, LEFT, pos=QPoint(30, 19 * number + 9))
        settle(session, qtbot)
        assert f"Kind {number + 1}" in panel.findChild(QLabel, "inspect_why").text()
    found = session.seen.attribution
    assert found.method == method
    assert np.array_equal(session.inspect_overlay().values, found.values)


def test_that_receptive_fields_are_drawn_and_told(panel, session, qtbot):
    press(panel, "inspect_page_reach", qtbot, session)
    assert "20 \u00d7 20" in panel.findChild(QLabel, "inspect_can_see").text()
    rows, columns, _ = session.inspect_overlay().boxes[0]
    assert (rows, columns) == ((2.0, 22.0), (5.0, 25.0))
    press(panel, "inspect_of_layer", qtbot, session, QCheckBox)
    assert "5 \u00d7 5" in panel.findChild(QLabel, "inspect_can_see").text()


def test_that_a_kernel_slides_and_is_flipped(panel, session, qtbot):
    press(panel, "inspect_page_slide", qtbot, session)
    view = panel.findChild(KernelView, "inspect_kernel_view")
    (_, data), (_, kernel), (_, products) = view.parts
    assert np.allclose(products, data * kernel)
    press(panel, "inspect_way_flipped", qtbot, session)
    assert np.array_equal(view.parts[1][1], kernel[::-1, ::-1])
    assert np.array_equal(view.parts[0][1], data)
    spin = panel.findChild(QSpinBox, "inspect_kernel")
    spin.setFocus()
    qtbot.keyClick(spin, Qt.Key.Key_Up)
    settle(session, qtbot)
    assert session.seen.sliding.kernel == 1


@pytest.mark.parametrize("way", ["", "flipped"])
def test_that_the_matrix_times_the_trace_is_the_response(panel, session, qtbot, way):
    press(panel, "inspect_page_slide", qtbot, session)
    press(panel, f"inspect_way_{way}", qtbot, session)
    press(panel, "inspect_form_matrix", qtbot, session)
    (_, matrix), (_, trace), (_, response) = panel.findChild(
        KernelView, "inspect_kernel_view"
    ).parts
    compute = np.convolve if way else np.correlate
    taps = session.seen.sliding.taps
    assert np.allclose(response[:, 0], compute(trace[:, 0], taps, "same"))
    assert np.allclose(matrix @ trace, response)


def test_that_another_section_is_looked_at_in_the_same_place(panel, session, qtbot):
    before = session.seen.maps
    session.set_section(Section(0, 3))
    settle(session, qtbot)
    assert session.seen.question.place.section == Section(0, 3)
    assert not np.array_equal(session.seen.maps, before)


def test_that_of_many_questions_only_the_newest_is_answered(panel, session, qtbot, monkeypatch):
    asked, gate = [], threading.Event()
    see = looking.Looker.see

    def slow(self, question):
        asked.append(question.place.row)
        gate.wait(10)
        return see(self, question)

    monkeypatch.setattr(looking.Looker, "see", slow)
    for row in range(1, 8):
        session.hover_cell((row, 4))
    qtbot.waitUntil(lambda: bool(asked), timeout=5000)
    gate.set()
    settle(session, qtbot)
    assert asked == [1, 7]
    assert session.seen.question.place.row == 7


def test_that_an_answer_of_a_closed_project_is_dropped(panel, session, qtbot, monkeypatch):
    gate, see = threading.Event(), looking.Looker.see

    def slow(self, question):
        gate.wait(10)
        return see(self, question)

    monkeypatch.setattr(looking.Looker, "see", slow)
    session.hover_cell((2, 2))
    session.close_source()
    gate.set()
    qtbot.waitUntil(lambda: not session.looking, timeout=10000)
    assert session.seen is None
    assert session.inspect_overlay() is None


def test_that_a_model_that_cannot_be_read_says_so_in_the_panel(panel, session, model, qtbot):
    session.set_step("Label")
    model.write_bytes(b"no model")
    session._forget_seen()
    session.set_step("Inspect")
    qtbot.waitUntil(lambda: bool(session.unseen), timeout=10000)
    assert "is not a GeoCNN model" in panel.findChild(QLabel, "inspect_empty").text()


def test_that_nothing_is_drawn_when_another_panel_is_in_front(inside, session):
    canvas = inside.findChild(QWidget, "canvas")
    assert canvas.inside.overlay is not None
    session.set_step("Label")
    assert canvas.inside.overlay is None
    session.hover_cell((1, 1))
    assert session.question.place.row != 1
