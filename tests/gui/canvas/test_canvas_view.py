"""The canvas in a window: real mouse and keys, and the pixels that come of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from canvas_sources import CLASSES, cube_source, line_source, scene_source
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QEnterEvent, QImage, QPalette, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton

from geocnn_gui.data.source import Picture, Section, Window
from geocnn_gui.errors import UnreadableFile
from geocnn_gui.gui.canvas import feed, overlays
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.edit import LabelEdit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from geocnn_gui.data.source import Source
    from geocnn_gui.gui.canvas.canvas import Canvas
    from geocnn_gui.gui.canvas.view import CanvasView
    from geocnn_gui.gui.session import Session
    from geocnn_gui.gui.state import CursorReadout

    Show = Callable[[Source], None]
    Settle = Callable[[], None]

LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton


def pixel(canvas: Canvas, row: float, column: float) -> QPoint:
    return canvas.viewport.pixel_of(row, column).toPoint()


def colour(canvas: Canvas, row: int, column: int, ratio: float = 1.0) -> tuple[int, int, int]:
    """What the canvas draws at a cell's centre on a screen of some device pixel ratio."""
    image = QImage(canvas.size() * ratio, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    canvas.render(image)
    at = canvas.viewport.pixel_of(row, column) * ratio
    return image.pixelColor(int(at.x()), int(at.y())).getRgb()[:3]


def labels(session: Session) -> np.ndarray:
    """The labels as a picture of the section in view."""
    assert session.source is not None
    assert session.labels is not None
    store, plane = session.labels.store, session.source.plane(session.section)
    rows, columns = session.source.picture_shape(session.section)
    return plane.picture(store.read(plane.window(slice(0, rows), slice(0, columns))))


def set_labels(session: Session, picture: np.ndarray) -> None:
    """Label the section in view and say so."""
    assert session.source is not None
    assert session.labels is not None
    plane = session.source.plane(session.section)
    window = plane.window(*(slice(0, n) for n in picture.shape))
    session.labels.apply(LabelEdit.replace(session.labels.store, window, plane.array(picture)))
    session.labels_changed.emit(window)


def drag(canvas: Canvas, *places: QPoint, button: Qt.MouseButton = LEFT) -> None:
    QTest.mousePress(canvas, button, pos=places[0])
    for place in places[1:]:
        QTest.mouseMove(canvas, place)
    QTest.mouseRelease(canvas, button, pos=places[-1])


def wheel(
    canvas: Canvas, at: QPoint, delta: int, modifiers: Qt.KeyboardModifier | None = None
) -> None:
    event = QWheelEvent(
        QPointF(at),
        QPointF(canvas.mapToGlobal(at)),
        QPoint(),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        modifiers or Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas, event)


# -- the picture -------------------------------------------------------------------------------


def test_that_a_view_without_a_source_draws_nothing_and_takes_clicks(
    view: CanvasView, session: Session
) -> None:
    session.set_tool("brush")
    drag(view.canvas, QPoint(50, 50), QPoint(80, 80))
    wheel(view.canvas, QPoint(50, 50), 120)
    QTest.mouseDClick(view.canvas, LEFT, pos=QPoint(60, 60))
    assert not view.hint.isVisible()


def test_that_a_line_is_drawn_grey_around_zero_with_traces_to_the_right(
    view: CanvasView, show: Show, settled: Settle
) -> None:
    show(line_source())
    settled()
    dark, middle, light = (colour(view.canvas, 15, column)[0] for column in (0, 19, 39))
    assert dark < 5
    assert middle == pytest.approx(124, abs=6)
    assert light > 250
    assert colour(view.canvas, 0, 30) == colour(view.canvas, 29, 30)


def test_that_red_white_blue_and_gain_change_the_colours_without_reading(
    view: CanvasView,
    session: Session,
    show: Show,
    settled: Settle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = line_source()
    show(source)
    settled()
    monkeypatch.setattr(source, "read_picture", None)
    session.set_view(colour_map="red-white-blue")
    red, _, blue = colour(view.canvas, 5, 2)
    assert red > blue + 50
    before = colour(view.canvas, 5, 24)
    session.set_view(gain=3.0)
    assert colour(view.canvas, 5, 24) != before
    settled()


def test_that_imagery_takes_its_colours_from_the_bands_and_masks_nodata(
    view: CanvasView, session: Session, show: Show, settled: Settle
) -> None:
    source = scene_source()
    show(source)
    settled()
    assert session.view.bands == (2, 1, 0)
    values = source.read_picture(Section(), slice(0, 20), slice(0, 40)).values
    row, column = np.unravel_index(int((values[2] - values[0]).argmax()), (20, 40))
    red, _, blue = colour(view.canvas, int(row), int(column))
    assert red > blue + 100
    neutral = colour(view.canvas, 0, 5)
    assert neutral[0] == neutral[1] == neutral[2]
    assert neutral == colour(view.canvas, 0, 30)


def test_that_imagery_keeps_square_cells_and_sections_fill_the_view(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(scene_source())
    scene = view.canvas.viewport
    assert scene.x_scale == pytest.approx(scene.y_scale)
    show(line_source())
    line = view.canvas.viewport
    assert line.x_scale * 40 == pytest.approx(view.canvas.width())
    assert line.y_scale * 30 == pytest.approx(view.canvas.height())
    session.set_view(lock_aspect=True)
    assert view.canvas.viewport.x_scale == pytest.approx(view.canvas.viewport.y_scale)


def test_that_one_band_of_many_can_be_drawn(
    view: CanvasView, session: Session, show: Show, settled: Settle
) -> None:
    show(scene_source())
    session.set_view(bands=(1,), colour_map="viridis")
    settled()
    assert len(set(colour(view.canvas, 10, 10))) > 1
    assert view.section_bar.bands.text() == "green"


def test_that_a_huge_source_is_read_by_part_coarse_first(
    view: CanvasView, show: Show, settled: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = line_source(40, 30)
    axes = tuple(type(a)(a.name, a.unit, a.first, a.step, 20_000) for a in source.axes)
    source.axes = axes
    asked: list[tuple[slice, slice, tuple[int, int]]] = []

    def preview(section: Section, rows: slice, columns: slice, shape: tuple[int, int]) -> Picture:
        asked.append((rows, columns, shape))
        return Picture(np.ones((1, *shape), np.float32), np.ones(shape, bool))

    monkeypatch.setattr(source, "read_preview", preview)
    monkeypatch.setattr(source, "read_picture", None)
    show(source)
    settled()
    assert min(rows * columns for *_, (rows, columns) in asked) <= 512 * 512
    assert max(rows * columns for *_, (rows, columns) in asked) <= 4_000_000
    asked.clear()
    view.canvas.zoom(QPointF(300, 200), 60, 60)
    settled()
    rows, columns, _ = asked[-1]
    assert rows.stop - rows.start < 1000
    assert columns.stop - columns.start < 1000


def test_that_a_read_that_fails_is_reported(
    qtbot: QtBot, view: CanvasView, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = line_source()
    problem = UnreadableFile("line is gone", "open it again")

    def read(*_: object) -> Picture:
        raise problem

    monkeypatch.setattr(source, "read_picture", read)
    view.failed.disconnect()
    with qtbot.waitSignal(view.failed) as failed:
        show(source)
    assert failed.args == [problem]


# -- sections ----------------------------------------------------------------------------------


def test_that_an_answer_for_an_older_section_is_dropped(
    view: CanvasView, session: Session, show: Show, settled: Settle
) -> None:
    show(cube_source())
    for index in (0, 5, 1, 4):
        session.set_section(Section(0, index))
    settled()
    source, piece = session.source, view.canvas.image
    assert source is not None
    value = piece.value_at(view.feed.key, 2, 3)
    assert value is not None
    assert value[0] == pytest.approx(4 - 2.5 + 3 / 100 + 2 / 1000)


def test_that_the_next_section_keeps_the_zoom_and_another_axis_fits(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(cube_source())
    view.canvas.zoom(QPointF(100, 100), 3, 3)
    zoomed = view.canvas.viewport
    session.step_section(1)
    assert view.canvas.viewport == zoomed
    session.set_section(Section(2, 0))
    assert view.canvas.viewport != zoomed
    assert view.canvas.picture_shape == (6, 7)


def test_that_the_section_bar_speaks_in_the_axis_own_numbers(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(cube_source())
    bar = view.section_bar
    assert bar.axis.isVisible()
    bar.number.setValue(108)
    assert session.section == Section(0, 4)
    bar.slider.setValue(1)
    assert session.section == Section(0, 1)
    assert bar.number.value() == 102
    bar.following.click()
    assert session.section == Section(0, 2)
    bar.axis.activated.emit(2)
    assert session.section == Section(2, 4)
    assert bar.number.suffix() == " ms"


def test_that_axes_carry_the_source_own_coordinates(view: CanvasView, show: Show) -> None:
    show(line_source())
    ticks = {text: at for at, text in view.top_axis.ticks()}
    viewport = view.canvas.viewport
    assert ticks["110"] == pytest.approx(viewport.x_of(9 + 0.5))
    down = {text: at for at, text in view.left_axis.ticks()}
    assert down["40"] == pytest.approx(viewport.y_of(10 + 0.5))
    show(scene_source())
    northings = [text for _, text in view.left_axis.ticks()]
    assert all("\u202f" in text for text in northings)


# -- painting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("zoom", [1.0, 0.3, 3.7, 12.0])
def test_that_a_click_on_a_cell_paints_that_cell(
    view: CanvasView, session: Session, show: Show, settled: Settle, zoom: float, ratio: float
) -> None:
    show(line_source())
    settled()
    session.set_tool("brush")
    session.set_brush_size(1)
    session.set_view(labels_opacity=1.0)
    canvas = view.canvas
    canvas.zoom(QPointF(canvas.width() / 2, canvas.height() / 2), zoom, zoom)
    settled()
    row, column = canvas.viewport.cell_at(QPointF(canvas.width() / 2 + 7, canvas.height() / 2 - 5))
    QTest.mouseClick(canvas, LEFT, pos=pixel(canvas, row, column))
    expected = np.zeros((30, 40), np.uint8)
    expected[row, column] = 1
    assert np.array_equal(labels(session), expected)
    canvas._tool.hover(None)  # the brush's outline lies over the cell
    assert colour(canvas, row, column, ratio) == (255, 0, 0)
    for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
        assert colour(canvas, r, c, ratio) != (255, 0, 0)


def test_that_a_fast_drag_leaves_no_gaps_and_is_one_undo_step(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(line_source())
    session.set_tool("brush")
    session.set_brush_size(3)
    session.set_current_class(2)
    drag(view.canvas, pixel(view.canvas, 10, 3), pixel(view.canvas, 10, 35))
    painted = labels(session)
    assert (painted[9:12, 3:36] == 2).all()
    assert len(session.steps.rows) == 1
    session.undo()
    assert not labels(session).any()


def test_that_the_stroke_shows_while_it_is_drawn_and_esc_takes_it_back(
    view: CanvasView, session: Session, show: Show, settled: Settle
) -> None:
    show(line_source())
    settled()
    session.set_tool("brush")
    session.set_brush_size(5)
    session.set_view(labels_opacity=1.0)
    canvas = view.canvas
    QTest.mousePress(canvas, LEFT, pos=pixel(canvas, 15, 10))
    QTest.mouseMove(canvas, pixel(canvas, 15, 20))
    assert colour(canvas, 15, 15) == (255, 0, 0)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert colour(canvas, 15, 15) != (255, 0, 0)
    QTest.mouseRelease(canvas, LEFT, pos=pixel(canvas, 15, 20))
    assert not labels(session).any()
    assert not session.steps.rows


def test_that_the_eraser_erases(view: CanvasView, session: Session, show: Show) -> None:
    show(line_source())
    set_labels(session, np.ones((30, 40), np.uint8))
    session.set_tool("eraser")
    session.set_brush_size(1)
    QTest.mouseClick(view.canvas, LEFT, pos=pixel(view.canvas, 4, 5))
    assert labels(session)[4, 5] == 0
    assert labels(session).sum() == 30 * 40 - 1


@pytest.mark.parametrize("end", ["enter", "double click"])
def test_that_a_polygon_fills_what_it_encloses(
    view: CanvasView, session: Session, show: Show, end: str
) -> None:
    show(line_source())
    session.set_tool("polygon")
    canvas = view.canvas
    corners = [(4.5, 4.5), (4.5, 10.5), (8.5, 10.5)]
    for corner in corners:
        QTest.mouseClick(canvas, LEFT, pos=pixel(canvas, *corner))
    if end == "enter":
        QTest.mouseClick(canvas, LEFT, pos=pixel(canvas, 8.5, 4.5))
        QTest.keyClick(canvas, Qt.Key.Key_Return)
    else:
        QTest.mouseClick(canvas, LEFT, pos=pixel(canvas, 8.5, 4.5))
        QTest.mouseDClick(canvas, LEFT, pos=pixel(canvas, 8.5, 4.5))
    expected = np.zeros((30, 40), np.uint8)
    expected[5:9, 5:11] = 1
    assert np.array_equal(labels(session), expected)


def test_that_esc_drops_a_polygon_and_backspace_its_last_corner(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(line_source())
    session.set_tool("polygon")
    canvas = view.canvas
    for corner in ((2, 2), (2, 20), (20, 20), (29, 1)):
        QTest.mouseClick(canvas, LEFT, pos=pixel(canvas, *corner))
    QTest.keyClick(canvas, Qt.Key.Key_Backspace)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert not labels(session).any()
    for corner in ((2, 2), (2, 20), (20, 20), (29, 1)):
        QTest.mouseClick(canvas, LEFT, pos=pixel(canvas, *corner))
    QTest.keyClick(canvas, Qt.Key.Key_Backspace)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert labels(session)[5, 15] == 1
    assert labels(session)[20, 5] == 0


def test_that_another_section_keeps_the_stroke_on_the_one_it_was_drawn_on(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(cube_source())
    session.set_tool("brush")
    session.set_brush_size(1)
    canvas = view.canvas
    QTest.mousePress(canvas, LEFT, pos=pixel(canvas, 2, 3))
    session.step_section(1)
    QTest.mouseMove(canvas, pixel(canvas, 2, 5))
    QTest.mouseRelease(canvas, LEFT, pos=pixel(canvas, 2, 5))
    assert not labels(session).any()
    session.step_section(-1)
    assert labels(session)[2, 3] == 1


def test_that_labels_of_a_class_are_recoloured_and_hidden(
    view: CanvasView, session: Session, show: Show, settled: Settle
) -> None:
    show(line_source())
    settled()
    set_labels(session, np.ones((30, 40), np.uint8))
    session.set_view(labels_opacity=1.0)
    assert colour(view.canvas, 3, 3) == (255, 0, 0)
    session.classes = (CLASSES[0].model_copy(update={"color": "#00ff00"}), CLASSES[1])
    session.classes_changed.emit()
    assert colour(view.canvas, 3, 3) == (0, 255, 0)
    session.set_view(overlay_visible=False)
    assert colour(view.canvas, 3, 3) != (0, 255, 0)


# -- moving about ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["pan", "middle", "space"])
def test_that_dragging_pans(view: CanvasView, session: Session, show: Show, way: str) -> None:
    show(line_source())
    session.set_tool("pan" if way == "pan" else "brush")
    canvas = view.canvas
    cell = canvas.viewport.cell_at(QPointF(200, 200))
    if way == "space":
        QTest.keyPress(canvas, Qt.Key.Key_Space)
    drag(canvas, QPoint(200, 200), QPoint(240, 170), button=MIDDLE if way == "middle" else LEFT)
    QTest.keyRelease(canvas, Qt.Key.Key_Space)
    assert canvas.viewport.cell_at(QPointF(240, 170)) == cell
    assert not labels(session).any()


def test_that_the_wheel_zooms_at_the_cursor_and_a_double_click_fits(
    view: CanvasView, show: Show
) -> None:
    show(line_source())
    canvas = view.canvas
    fitted, cell = canvas.viewport, canvas.viewport.point_at(QPointF(300, 120))
    wheel(canvas, QPoint(300, 120), 360)
    assert canvas.viewport.x_scale > fitted.x_scale
    assert canvas.viewport.point_at(QPointF(300, 120)) == pytest.approx(cell)
    QTest.mouseDClick(canvas, LEFT, pos=QPoint(300, 120))
    assert canvas.viewport == fitted


def test_that_the_wheel_over_an_axis_stretches_that_axis_alone(
    view: CanvasView, show: Show
) -> None:
    show(line_source())
    before = view.canvas.viewport
    view.top_axis.zoom_requested.emit(2.0, 100.0)
    after = view.canvas.viewport
    assert after.x_scale == pytest.approx(2 * before.x_scale)
    assert after.y_scale == before.y_scale


def test_that_shift_and_the_wheel_turn_the_opacity(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(line_source())
    wheel(view.canvas, QPoint(50, 50), -120, Qt.KeyboardModifier.ShiftModifier)
    assert session.view.labels_opacity == pytest.approx(0.75)


def test_that_a_fitted_picture_fits_again_after_a_resize(
    view: CanvasView, show: Show, qtbot: QtBot
) -> None:
    show(line_source())
    view.resize(700, 500)
    qtbot.waitUntil(lambda: view.canvas.viewport.x_scale * 40 == pytest.approx(view.canvas.width()))


# -- predictions -------------------------------------------------------------------------------


@pytest.fixture
def prediction(session: Session, show: Show, settled: Settle, tmp_path: Path) -> PredictionStore:
    """An empty prediction of the line in view."""
    show(line_source())
    assert session.source is not None
    store = PredictionStore.create(tmp_path / "run", session.source, CLASSES)
    session.prediction = store
    session.set_view(overlay_opacity=1.0)
    session.overlay_changed.emit()
    settled()
    return store


def test_that_a_prediction_appears_tile_by_tile_with_a_legend(
    view: CanvasView, session: Session, prediction: PredictionStore
) -> None:
    assert colour(view.canvas, 5, 5) != (0, 0, 255)
    tile = Window((0, 0), (20, 30))
    prediction.write(tile, np.full(tile.size, 2, np.uint8), np.ones(tile.size))
    session.tile_done.emit(tile)
    assert colour(view.canvas, 5, 5) == (0, 0, 255)
    assert colour(view.canvas, 5, 25) != (0, 0, 255)
    assert view.legend.isVisible()
    assert view.legend.entries == (("#ff0000", "Sand"), ("#0000ff", "Salt"))
    session.set_view(overlay="none")
    assert colour(view.canvas, 5, 5) != (0, 0, 255)
    assert not view.legend.isVisible()


def test_that_a_tile_done_while_the_overlay_is_read_is_not_lost(
    view: CanvasView, session: Session, prediction: PredictionStore, settled: Settle
) -> None:
    session.overlay_changed.emit()  # asks for the whole overlay, in the background
    tile = Window((0, 0), (20, 30))
    prediction.write(tile, np.full(tile.size, 2, np.uint8), np.ones(tile.size))
    session.tile_done.emit(tile)
    settled()
    assert colour(view.canvas, 5, 5) == (0, 0, 255)


def test_that_confidence_has_its_own_colours(
    view: CanvasView, session: Session, prediction: PredictionStore, settled: Settle
) -> None:
    whole = Window.whole((40, 30))
    sure = np.repeat(np.linspace(0, 1, 40)[:, None], 30, axis=1)
    prediction.write(whole, np.full(whole.size, 2, np.uint8), sure)
    session.set_view(overlay="confidence")
    settled()
    low, high = colour(view.canvas, 5, 0), colour(view.canvas, 5, 39)
    assert low[2] > low[1]  # viridis runs from violet ...
    assert high[0] > 200  # ... to yellow
    assert high[2] < 80


def test_that_shift_and_the_wheel_turn_the_opacity_of_a_prediction(
    view: CanvasView, session: Session, prediction: PredictionStore
) -> None:
    wheel(view.canvas, QPoint(50, 50), -240, Qt.KeyboardModifier.ShiftModifier)
    assert session.view.overlay_opacity == pytest.approx(0.9)


# -- what is said ------------------------------------------------------------------------------


def test_that_the_empty_canvas_says_what_to_do_until_something_is_painted(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(line_source())
    assert view.hint.isVisible()
    set_labels(session, np.ones((30, 40), np.uint8))
    assert not view.hint.isVisible()


def test_that_the_cursor_is_read_out(
    view: CanvasView, session: Session, prediction: PredictionStore, qtbot: QtBot
) -> None:
    whole = Window.whole((40, 30))
    prediction.write(whole, np.full(whole.size, 2, np.uint8), np.full(whole.size, 0.8))
    picture = np.zeros((30, 40), np.uint8)
    picture[10, 39] = 1
    set_labels(session, picture)
    said: list[CursorReadout | None] = []
    session.cursor_changed.connect(said.append)
    QTest.mouseMove(view.canvas, pixel(view.canvas, 10, 39))
    qtbot.waitUntil(lambda: bool(said) and said[-1] is not None and said[-1].values is not None)
    readout = said[-1]
    assert readout is not None
    assert readout.coordinates == ("CDP 140", "TWT 40 ms")
    assert readout.values == pytest.approx((1.0,))
    assert (readout.label, readout.predicted) == (1, 2)
    assert readout.confidence == pytest.approx(0.8, abs=0.01)
    QApplication.sendEvent(view.canvas, QEvent(QEvent.Type.Leave))
    assert said[-1] is None


def test_that_the_handles_of_the_colour_bar_set_the_limits(
    view: CanvasView, session: Session, show: Show, settled: Settle
) -> None:
    show(line_source())
    settled()
    view.colour_bar.limits_changed.emit(-0.25, 0.25)
    assert (session.view.low, session.view.high) == (-0.25, 0.25)
    assert view.colour_bar.limits == (-0.25, 0.25)
    view.colour_bar.reset_requested.emit()
    assert session.view.low is None
    assert view.colour_bar.limits[1] > 0.9


def test_that_labels_of_a_huge_picture_are_read_on_a_thread_with_what_is_painted_meanwhile(
    view: CanvasView, session: Session, show: Show, settled: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(line_source(3000, 3000))
    settled()
    assert session.labels is not None
    monkeypatch.setattr(overlays, "_AT_ONCE", 100_000)
    threads: list[threading.Thread] = []
    real = feed.label_levels

    def noted(*arguments: Any) -> np.ndarray:
        threads.append(threading.current_thread())
        return real(*arguments)

    monkeypatch.setattr(feed, "label_levels", noted)
    mask = np.ones((40, 3000), bool)
    session.paint(Section(), slice(100, 140), slice(0, 3000), mask, 1)
    session.labels_changed.emit(Window.whole((3000, 3000)))
    session.paint(Section(), slice(2000, 2010), slice(7, 90), np.ones((10, 83), bool), 2)
    settled()
    part = view.canvas.labels.part
    assert part is not None
    assert part.step > (1, 1)
    assert session.source is not None
    plane = session.source.plane(Section())
    expected = real(session.labels.store, plane, part)
    assert set(np.unique(expected)) == {0, 1, 2}
    assert np.array_equal(view.canvas.labels.levels, expected)
    here = threading.current_thread()
    assert {thread is here for thread in threads} == {True, False}


def test_that_another_palette_restyles_everything(
    view: CanvasView, show: Show, settled: Settle
) -> None:
    show(scene_source())
    settled()
    before = colour(view.canvas, 0, 5)
    dark = QPalette(QColor("#303030"), QColor("#202020"))
    view.setPalette(dark)
    assert before[0] > 150
    assert colour(view.canvas, 0, 5)[0] < 60
    assert view.top_axis.grab().toImage().pixelColor(2, 2).lightness() < 60


def test_that_the_canvas_takes_the_keys_when_the_mouse_comes_unless_one_types(
    view: CanvasView, show: Show, qtbot: QtBot
) -> None:
    show(line_source())
    button, field = QPushButton(view), QLineEdit(view)
    for widget in (button, field):
        widget.show()
    view.activateWindow()
    qtbot.waitUntil(view.isActiveWindow)
    enter = QEnterEvent(QPointF(50, 50), QPointF(50, 50), QPointF(50, 50))
    button.setFocus()
    QApplication.sendEvent(view.canvas, enter)
    assert view.canvas.hasFocus()
    field.setFocus()
    QApplication.sendEvent(view.canvas, enter)
    assert field.hasFocus()


def test_that_what_a_tool_says_lies_at_the_edge_and_covers_no_legend(
    view: CanvasView, session: Session, show: Show, settled: Settle, tmp_path: Path
) -> None:
    source = line_source()
    show(source)
    view.resize(420, 500)
    store = PredictionStore.create(tmp_path / "p", source, session.classes, model="m")
    session.prediction = store
    session.overlay_changed.emit()
    for tool in ("wand", "edge", "between"):
        session.set_tool(tool)
        settled()
        hint, legend = view.tool_hint.geometry(), view.legend.geometry()
        assert view.tool_hint.isVisible()
        assert view.legend.isVisible()
        assert hint.height() > 40
        assert view.canvas.height() - 14 < hint.bottom() < view.canvas.height() - 10
        assert not hint.intersects(legend)
        assert view.canvas.rect().contains(legend)
    session.set_tool("pan")
    assert view.legend.geometry().bottom() > hint.top()
    session.prediction = None
    store.close()
