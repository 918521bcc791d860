"""Exports from the window: what is offered, what is written, what is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton, QRadioButton

from geocnn_gui import workflow
from geocnn_gui.events import Progress, Saved
from geocnn_gui.export import figure
from geocnn_gui.gui.panels.side import SidePanel
from geocnn_gui.gui.widgets.message_bar import MessageBar
from geocnn_gui.models.spec import CnnSpec

FILES = Path(__file__).parents[1] / "files"


def child(widget, kind, name):
    found = widget.findChild(kind, name)
    assert found is not None, name
    return found


def click(widget):
    """Press a button with the left mouse button, where its text begins."""
    from PySide6.QtTest import QTest

    place = widget.rect().center()
    place.setX(min(place.x(), 30))
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=place)


@pytest.fixture
def shown(window, session, qtbot):
    """The window with the Export panel in front."""
    window.findChild(SidePanel).show_step("Export")
    return window


@pytest.fixture
def seismic(shown, session, work, qtbot, tmp_path):
    """The window with a SEG-Y cube of which one inline is predicted."""
    path = tmp_path / "cube.sgy"
    shutil.copy(FILES / "f3_cube_cut.sgy", path)
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
        session.open_path(path)
    _paint(session, 0, 2, 1)
    _paint(session, 5, 9, 2)
    session.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: bool(work.predicted) and session.job is None, timeout=20000)
    return session


def _paint(session, start, stop, value):
    columns = slice(0, session.source.picture_shape(session.section)[1])
    mask = np.ones((stop - start, columns.stop), bool)
    session.paint(session.section, slice(start, stop), columns, mask, value)


def formats(window):
    box = child(window, QComboBox, "export_format")
    return [box.itemText(i) for i in range(box.count())]


def answer(window, path):
    dialog = child(window, QFileDialog, "file_dialog")
    offered = Path(dialog.selectedFiles()[0]).name
    dialog.fileSelected.emit(str(path))
    dialog.close()
    return offered


def test_that_without_a_prediction_only_a_figure_can_be_drawn(shown, session, small_file, qtbot):
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
        session.open_path(small_file)
    button = child(shown, QPushButton, "export")
    assert not button.isEnabled()
    assert "Predict first" in button.toolTip()
    assert "Predict first" in child(shown, QLabel, "export_extent").text()
    assert not child(shown, QRadioButton, "export_polygons").isEnabled()
    assert "Predict first" in child(shown, QRadioButton, "export_polygons").toolTip()
    click(child(shown, QRadioButton, "export_figure"))
    assert button.isEnabled()


def test_that_formats_follow_from_the_data(shown, seismic):
    assert formats(shown) == ["SEG-Y", "SEG-Y, 8-bit", "NumPy"]
    assert "OpendTect" in child(shown, QLabel, "export_use").text()
    click(child(shown, QRadioButton, "export_polygons"))
    assert formats(shown) == ["GeoPackage", "GeoJSON", "Shapefile"]
    assert "inline" in child(shown, QRadioButton, "export_polygons").text()
    assert not child(shown, QRadioButton, "export_probabilities").isEnabled()


def test_that_what_is_not_predicted_is_said(shown, seismic, qtbot):
    note = child(shown, QLabel, "export_extent")
    inlines = seismic.source.shape[0]
    text = f"1 of {inlines} inlines are predicted; all else will be 0."
    qtbot.waitUntil(lambda: note.text() == text, timeout=10000)
    assert note.isVisible()
    click(child(shown, QRadioButton, "export_figure"))
    assert not note.isVisible()
    click(child(shown, QRadioButton, "export_classes"))
    seismic.start_prediction(whole=True)
    qtbot.waitUntil(lambda: seismic.job is None and not note.isVisible(), timeout=10000)


def test_that_an_8_bit_copy_is_written_by_two_clicks(shown, seismic, qtbot, tmp_path, monkeypatch):
    child(shown, QComboBox, "export_format").setCurrentIndex(1)
    click(child(shown, QPushButton, "export"))
    assert answer(shown, tmp_path / "small.sgy") == "cube_classes.sgy"
    bar = child(shown, MessageBar, "message_bar")
    qtbot.waitUntil(lambda: "small.sgy" in bar.text, timeout=10000)
    assert bar.text.startswith("Class map saved to")
    assert (tmp_path / "small.sgy").read_bytes()[3224:3226] == b"\x00\x08"
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    click(child(bar, QPushButton, "message_action_0"))
    assert [Path(folder) for folder in opened] == [tmp_path]


def test_that_polygons_are_those_of_the_section_in_view(shown, seismic, qtbot, tmp_path):
    click(child(shown, QRadioButton, "export_polygons"))
    click(child(shown, QPushButton, "export"))
    assert answer(shown, tmp_path / "map.geojson") == "cube_polygons.gpkg"
    qtbot.waitUntil(lambda: seismic.job is None, timeout=20000)
    text = (tmp_path / "map.geojson").read_text()
    assert text.count('"class_id": 1') == 1
    assert "map.qml beside it" in seismic.said[-1].text


def test_that_a_figure_shows_what_is_in_view(shown, seismic, qtbot, tmp_path, monkeypatch):
    drawn = []

    def draw(spec, source, prediction, classes, out, *, labels=None):
        drawn.append((spec, labels))
        yield Saved(out, "figure")

    monkeypatch.setattr(figure, "export_figure", draw)
    canvas = shown._canvas.canvas
    canvas.zoom(canvas.rect().center().toPointF(), 3.0, 3.0)
    seismic.set_view(colour_map="viridis", low=-50.0, high=70.0, overlay_opacity=0.25,
                     overlay="confidence")  # fmt: skip
    click(child(shown, QRadioButton, "export_figure"))
    rows, columns = canvas.viewport.visible(canvas.size_f, canvas.picture_shape)
    click(child(shown, QPushButton, "export"))
    assert answer(shown, tmp_path / "view.png") == "cube_figure.png"
    qtbot.waitUntil(lambda: bool(drawn) and seismic.job is None, timeout=10000)
    spec, labels = drawn[0]
    assert (spec.rows, spec.columns) == ((rows.start, rows.stop), (columns.start, columns.stop))
    assert spec.rows[1] - spec.rows[0] < seismic.source.shape[2]
    assert spec.section == seismic.section
    assert (spec.colour_map, spec.low, spec.high) == ("viridis", -50.0, 70.0)
    assert (spec.overlay, spec.overlay_opacity, spec.labels) == ("confidence", 0.25, True)
    assert labels.counts
    seismic.set_view(overlay_visible=False, labels_visible=False)
    seismic.start_export(tmp_path / "view.png", "figure")
    qtbot.waitUntil(lambda: len(drawn) == 2 and seismic.job is None, timeout=10000)
    assert (drawn[1][0].overlay, drawn[1][0].labels) == ("none", False)


def test_that_an_export_is_stopped_and_leaves_nothing(shown, seismic, qtbot, tmp_path, monkeypatch):
    def slow(order, material):
        with open(tmp_path / ".part", "w"):
            pass
        try:
            for step in range(10**6):
                yield Progress(step, 10**6, "Writing")
        finally:
            (tmp_path / ".part").unlink()

    monkeypatch.setattr(workflow, "export", slow)
    seismic.start_export(tmp_path / "map.sgy")
    qtbot.waitUntil(lambda: seismic.progress is not None, timeout=10000)
    assert not child(shown, QPushButton, "export").isEnabled()
    seismic.stop_job()
    qtbot.waitUntil(lambda: seismic.job is None, timeout=10000)
    assert not (tmp_path / ".part").exists()
    assert child(shown, QPushButton, "export").isEnabled()


@pytest.mark.parametrize("name", ["export", "labels"])
def test_that_other_data_of_the_project_are_not_written_over(seismic, qtbot, tmp_path, name):
    other = tmp_path / "other.npy"
    np.save(other, np.ones((4, 5), np.float32))
    seismic.project.add_source(other)
    before = other.read_bytes()
    if name == "export":
        seismic.start_export(other)
    else:
        seismic.save_labels(other)
    qtbot.waitUntil(
        lambda: any("is one of the inputs" in each.text for each in seismic.said), timeout=10000
    )
    assert other.read_bytes() == before


def test_that_an_error_comes_before_what_was_only_said(shown, session):
    bar = child(shown, MessageBar, "message_bar")
    session.tell("Saved.", actions=(("Show in folder", lambda: None),))
    session.tell("The disk is full.", "error")
    assert bar.text == "The disk is full."
    bar.dismiss()
    assert bar.text == "Saved."


def test_that_the_menu_offers_what_the_panel_does(shown, seismic):
    from PySide6.QtGui import QAction

    for name, kind in (("export", "classes"), ("export_polygons", "polygons"),
                       ("export_probabilities", "probabilities"), ("export_figure", "figure")):  # fmt: skip
        action = child(shown, QAction, f"action_{name}")
        assert action.isEnabled() == child(shown, QRadioButton, f"export_{kind}").isEnabled()
