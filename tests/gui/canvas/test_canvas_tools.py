"""The drawing tools in a window: real mouse and keys, and the labels that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from canvas_sources import CLASSES, cube_source, line_source, scene_source
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Picture, Section
from geocnn_gui.gui.canvas.tools import ground
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.edit import LabelEdit

LEFT = Qt.MouseButton.LeftButton
KEY = Qt.Key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from geocnn_gui.data.source import Source
    from geocnn_gui.gui.canvas.canvas import Canvas
    from geocnn_gui.gui.canvas.view import CanvasView
    from geocnn_gui.gui.session import Session

    Show = Callable[[Source], None]
    Wait = Callable[[], None]


def pixel(canvas: Canvas, row: float, column: float) -> QPoint:
    return canvas.viewport.pixel_of(row, column).toPoint()


def click(canvas: Canvas, *cells: tuple[float, float]) -> None:
    for cell in cells:
        QTest.mouseClick(canvas, LEFT, pos=pixel(canvas, *cell))


def drag(canvas: Canvas, *cells: tuple[float, float]) -> None:
    QTest.mousePress(canvas, LEFT, pos=pixel(canvas, *cells[0]))
    for cell in cells[1:]:
        QTest.mouseMove(canvas, pixel(canvas, *cell))
    QTest.mouseRelease(canvas, LEFT, pos=pixel(canvas, *cells[-1]))


def labels(session: Session) -> np.ndarray:
    """The labels as a picture of the section in view."""
    assert session.source is not None
    assert session.labels is not None
    plane = session.source.plane(session.section)
    rows, columns = session.source.picture_shape(session.section)
    store = session.labels.store
    return plane.picture(store.read(plane.window(slice(0, rows), slice(0, columns))))


def set_labels(session: Session, picture: np.ndarray) -> None:
    assert session.source is not None
    assert session.labels is not None
    plane = session.source.plane(session.section)
    window = plane.window(*(slice(0, n) for n in picture.shape))
    session.labels.apply(LabelEdit.replace(session.labels.store, window, plane.array(picture)))
    session.labels_changed.emit(window)


def blocks_source() -> ArraySource:
    """Two blocks of a line, 0 and 10, parted at trace 24; a few dead samples in the first."""
    array = np.zeros((40, 30), np.float32)
    array[24:] = 10.0
    array += np.random.default_rng(0).normal(0, 0.3, array.shape).astype(np.float32)
    array[5, 10:14] = np.nan
    axes = (Axis("cdp", "", 1, 1, 40), Axis("time", "ms", 0, 4, 30))
    return ArraySource(
        array, kind="line", axes=axes, bands=(Band("amplitude"),), domain="seismic", name="blocks"
    )


@pytest.fixture
def answered(view: CanvasView, qtbot: QtBot) -> Wait:
    """Wait until the tool in hand has its answer."""
    return lambda: qtbot.waitUntil(lambda: not view.canvas.questions.waits, timeout=5000)


# -- lines -------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["enter", "double click"])
def test_that_a_line_is_painted_as_wide_as_the_brush(
    view: CanvasView, session: Session, show: Show, end: str
) -> None:
    show(line_source())
    session.set_tool("line")
    session.set_brush_size(3)
    session.set_tool_settings(brush_shape="square")
    click(view.canvas, (10, 5), (10, 20), (20, 20))
    if end == "enter":
        QTest.keyClick(view.canvas, KEY.Key_Return)
    else:
        QTest.mouseDClick(view.canvas, LEFT, pos=pixel(view.canvas, 20, 20))
    expected = np.zeros((30, 40), np.uint8)
    expected[9:12, 4:22] = 1
    expected[9:22, 19:22] = 1
    assert np.array_equal(labels(session), expected)
    assert len(session.steps.rows) == 1


def test_that_backspace_drops_a_point_and_esc_the_line(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(line_source())
    session.set_tool("line")
    session.set_brush_size(1)
    click(view.canvas, (3, 3), (3, 9), (20, 9))
    QTest.keyClick(view.canvas, KEY.Key_Backspace)
    QTest.keyClick(view.canvas, KEY.Key_Return)
    assert labels(session)[3, 3:10].all()
    assert labels(session).sum() == 7
    click(view.canvas, (8, 3), (8, 9))
    QTest.keyClick(view.canvas, KEY.Key_Escape)
    QTest.keyClick(view.canvas, KEY.Key_Return)
    assert labels(session).sum() == 7


def test_that_the_line_in_hand_is_drawn_as_wide_as_it_will_be(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(line_source())
    session.set_tool("line")
    session.set_brush_size(6)
    click(view.canvas, (10, 5), (10, 30))
    painted = view.canvas.grab().toImage()
    at = view.canvas.viewport.pixel_of(12, 15).toPoint()
    red, green, _, _ = painted.pixelColor(at).getRgb()
    assert red > green + 40
    assert not labels(session).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_that_a_line_is_drawn_on_every_section_of_a_cube(
    view: CanvasView, session: Session, show: Show, axis: int
) -> None:
    show(cube_source())
    session.set_section(Section(axis, 3))
    session.set_tool("line")
    session.set_brush_size(1)
    click(view.canvas, (2, 1), (2, 4))
    QTest.keyClick(view.canvas, KEY.Key_Return)
    expected = np.zeros(labels(session).shape, np.uint8)
    expected[2, 1:5] = 1
    assert np.array_equal(labels(session), expected)
    assert session.labels is not None
    assert session.labels.store.counts == {1: 4}


# -- fill and wand -----------------------------------------------------------------------------


def test_that_a_fill_takes_what_is_near_and_leaves_dead_samples(
    view: CanvasView, session: Session, show: Show, answered: Wait
) -> None:
    show(blocks_source())
    session.set_tool("fill")
    session.set_tool_settings(tolerance=30)
    click(view.canvas, (20, 10))
    answered()
    expected = np.zeros((30, 40), np.uint8)
    expected[:, :24] = 1
    expected[10:14, 5] = 0
    assert np.array_equal(labels(session), expected)
    assert len(session.steps.rows) == 1
    session.set_tool_settings(tolerance=100)
    click(view.canvas, (11, 5))
    answered()
    assert np.array_equal(labels(session), expected)


def test_that_a_fill_stops_at_labels_unless_told_not_to(
    view: CanvasView, session: Session, show: Show, answered: Wait
) -> None:
    show(line_source())
    fence = np.zeros((30, 40), np.uint8)
    fence[:, 20] = 2
    set_labels(session, fence)
    session.set_tool("fill")
    session.set_tool_settings(tolerance=100)
    click(view.canvas, (5, 30))
    answered()
    assert (labels(session)[:, 21:] == 1).all()
    assert (labels(session)[:, 20] == 2).all()
    assert not labels(session)[:, :20].any()
    session.set_tool_settings(stop_at_labels=False)
    click(view.canvas, (5, 3))
    answered()
    assert (labels(session) == 1).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_that_a_fill_stays_on_its_section_of_a_cube(
    view: CanvasView, session: Session, show: Show, answered: Wait, axis: int
) -> None:
    show(cube_source())
    session.set_section(Section(axis, 2))
    session.set_tool("fill")
    session.set_tool_settings(tolerance=100)
    click(view.canvas, (3, 3))
    answered()
    assert (labels(session) == 1).all()
    assert session.labels is not None
    assert session.labels.store.counts == {1: labels(session).size}


def test_that_a_fill_on_a_scene_looks_at_the_bands_in_view(
    view: CanvasView, session: Session, show: Show, answered: Wait
) -> None:
    source = scene_source()
    show(source)
    session.set_tool("fill")
    session.set_tool_settings(tolerance=0)
    click(view.canvas, (7, 9))
    answered()
    assert labels(session).sum() == 1
    assert labels(session)[7, 9] == 1
    session.set_tool_settings(tolerance=100)
    click(view.canvas, (8, 9))
    answered()
    assert labels(session)[1:].all()
    assert not labels(session)[0].any()


def test_that_a_fill_of_a_large_picture_stops_near_the_view_and_says_so(
    view: CanvasView, session: Session, show: Show, answered: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    session.message.connect(lambda message: said.append(message.text))
    monkeypatch.setattr(ground, "MOST_CELLS", 200)
    source = line_source()
    show(source)
    read: list[int] = []
    plain = source.read_picture

    def counted(section: Section, rows: slice, columns: slice) -> Picture:
        read.append((rows.stop - rows.start) * (columns.stop - columns.start))
        return plain(section, rows, columns)

    monkeypatch.setattr(view.canvas.questions.sections, "keeps", lambda *_: False)
    monkeypatch.setattr(source, "read_picture", counted)
    session.set_tool("fill")
    session.set_tool_settings(tolerance=100)
    click(view.canvas, (15, 20))
    answered()
    assert 100 < labels(session).sum() <= 200
    assert labels(session)[15, 20] == 1
    assert sum(read) <= 200
    assert "cut" in said[-1]


def test_that_the_newest_fill_wins_and_esc_drops_it(
    view: CanvasView, session: Session, show: Show, answered: Wait, settled: Wait
) -> None:
    show(blocks_source())
    settled()
    session.set_tool("fill")
    session.set_tool_settings(tolerance=30)
    click(view.canvas, (20, 10), (20, 30))
    answered()
    assert (labels(session)[:, 24:] == 1).all()
    assert not labels(session)[:, :24].any()
    click(view.canvas, (20, 10))
    QTest.keyClick(view.canvas, KEY.Key_Escape)
    settled()
    click(view.canvas, (20, 10))
    session.set_tool("brush")
    settled()
    assert not labels(session)[:, :24].any()


def test_that_the_wand_grows_with_the_drag_and_shows_it_before_it_paints(
    view: CanvasView, session: Session, show: Show, answered: Wait, settled: Wait
) -> None:
    show(line_source())  # a ramp along the traces
    settled()
    session.set_tool("wand")
    canvas = view.canvas
    spot = pixel(canvas, 15, 20)
    QTest.mousePress(canvas, LEFT, pos=spot)
    widths = []
    for way in (60, 160, 30):
        QTest.mouseMove(canvas, spot + QPoint(way, 0))
        answered()
        area = canvas._tool._region.shape  # type: ignore[attr-defined]
        widths.append(area[2].shape[1])
        assert not labels(session).any()
    assert widths[1] > widths[0] > widths[2]
    QTest.mouseRelease(canvas, LEFT, pos=spot + QPoint(30, 0))
    answered()
    assert labels(session).any(axis=0).sum() == widths[2]
    assert labels(session).all(axis=0).sum() == widths[2]
    assert len(session.steps.rows) == 1
    assert session.tool_settings.tolerance == round(30 / 4)


def test_that_the_wand_takes_a_region_of_the_prediction(
    view: CanvasView, session: Session, show: Show, answered: Wait, tmp_path: Path
) -> None:
    source = line_source()
    show(source)
    said: list[str] = []
    session.message.connect(lambda message: said.append(message.text))
    session.set_tool("wand")
    session.set_tool_settings(wand_target="prediction")
    click(view.canvas, (5, 5))
    assert "Predict first" in said[-1]
    predicted = np.ones((40, 30), np.uint8)
    predicted[10:20, 5:9] = 2
    predicted[30:, :3] = 2
    store = PredictionStore.create(tmp_path / "p", source, CLASSES, model="m")
    window = source.plane(Section()).window(slice(0, 30), slice(0, 40))
    store.write(window, predicted, np.ones((40, 30), np.float32))
    session.prediction = store
    session.overlay_changed.emit()
    drag(view.canvas, (6, 12), (9, 16))
    answered()
    expected = np.zeros((30, 40), np.uint8)
    expected[5:9, 10:20] = 1
    assert np.array_equal(labels(session), expected)
    session.prediction = None
    store.close()


# -- smart edge --------------------------------------------------------------------------------


def test_that_the_smart_edge_parts_two_blocks_after_enter_as_one_step(
    view: CanvasView, session: Session, show: Show, answered: Wait
) -> None:
    show(blocks_source())
    session.set_tool("edge")
    session.set_brush_size(1)
    drag(view.canvas, (4, 2), (4, 8), (20, 2))
    QTest.keyClick(view.canvas, KEY.Key_Return)  # one class only: nothing to part
    assert not labels(session).any()
    session.set_current_class(2)
    drag(view.canvas, (6, 35), (22, 38))
    answered()
    assert not labels(session).any()
    QTest.keyClick(view.canvas, KEY.Key_Return)
    answered()
    found = labels(session)
    expected = np.zeros((30, 40), np.uint8)
    expected[4:23, 2:24] = 1
    expected[4:23, 24:39] = 2
    expected[10:14, 5] = 0
    assert np.argwhere(found != expected).tolist() == []
    assert len(session.steps.rows) == 1
    assert session.steps.undo_text == "Smart edge"
    session.undo()
    assert not labels(session).any()


def test_that_labels_there_are_scribbles_too_and_stay(
    view: CanvasView, session: Session, show: Show, answered: Wait
) -> None:
    show(blocks_source())
    before = np.zeros((30, 40), np.uint8)
    before[8:12, 30:33] = 2
    set_labels(session, before)
    session.set_tool("edge")
    session.set_brush_size(1)
    drag(view.canvas, (2, 10), (20, 36))  # over the edge, but labels on the far side
    QTest.keyClick(view.canvas, KEY.Key_Escape)
    drag(view.canvas, (2, 10), (20, 12))
    drag(view.canvas, (20, 12), (20, 22))
    QTest.keyClick(view.canvas, KEY.Key_Backspace)
    session.set_current_class(2)
    drag(view.canvas, (2, 36), (20, 36))
    QTest.keyClick(view.canvas, KEY.Key_Return)
    answered()
    found = labels(session)
    assert (found[2:21, 12:24] == 1).all()
    assert (found[2:21, 24:37] == 2).all()
    assert not found[21:].any()


def test_that_another_section_drops_scribbles(
    view: CanvasView, session: Session, show: Show, answered: Wait
) -> None:
    show(cube_source())
    session.set_tool("edge")
    session.set_brush_size(1)
    drag(view.canvas, (1, 1), (5, 1))
    session.set_current_class(2)
    drag(view.canvas, (1, 5), (5, 5))
    session.step_section(1)
    QTest.keyClick(view.canvas, KEY.Key_Return)
    answered()
    assert session.labels is not None
    assert not session.labels.store.counts


def test_that_scribbles_too_far_apart_are_refused_in_a_sentence(
    view: CanvasView, session: Session, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    session.message.connect(lambda message: said.append(message.text))
    monkeypatch.setattr(ground, "MOST_CELLS", 100)
    show(line_source())
    session.set_tool("edge")
    session.set_brush_size(1)
    click(view.canvas, (2, 2), (25, 35))
    assert "Zoom in" in said[-1]


# -- between two lines -------------------------------------------------------------------------


def test_that_what_lies_between_two_drawn_lines_is_filled(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(line_source())
    session.set_tool("between")
    click(view.canvas, (5, 2), (5, 20))
    QTest.keyClick(view.canvas, KEY.Key_Return)
    assert not labels(session).any()
    click(view.canvas, (15, 10), (15, 30))
    QTest.mouseDClick(view.canvas, LEFT, pos=pixel(view.canvas, 15, 30))
    expected = np.zeros((30, 40), np.uint8)
    expected[5:16, 10:21] = 1
    assert np.array_equal(labels(session), expected)
    assert len(session.steps.rows) == 1


@pytest.mark.parametrize("way", ["clicked", "around"])
def test_that_painted_lines_bound_what_is_filled_and_stay(
    view: CanvasView, session: Session, show: Show, answered: Wait, way: str
) -> None:
    show(line_source())
    before = np.zeros((30, 40), np.uint8)
    before[range(4, 14), range(10, 20)] = 2  # hangs together by corners
    before[22, 5:16] = 2
    set_labels(session, before)
    session.set_tool("between")
    canvas = view.canvas
    if way == "clicked":
        click(canvas, (6, 12))
        answered()
        click(canvas, (22, 8))
    else:
        click(canvas, (15, 13))
        QTest.mouseDClick(canvas, LEFT, pos=pixel(canvas, 15, 13))
    answered()
    expected = before.copy()
    for column in range(10, 16):
        expected[column - 5 : 22, column] = 1
    assert np.array_equal(labels(session), expected)


def test_that_a_missing_line_is_told(
    view: CanvasView, session: Session, show: Show, answered: Wait
) -> None:
    said: list[str] = []
    session.message.connect(lambda message: said.append(message.text))
    show(line_source())
    session.set_tool("between")
    click(view.canvas, (15, 13))
    QTest.mouseDClick(view.canvas, LEFT, pos=pixel(view.canvas, 15, 13))
    answered()
    assert "no painted line above" in said[-1]
    assert not labels(session).any()


# -- the pick ----------------------------------------------------------------------------------


def test_that_the_pick_takes_the_class_of_a_label_and_gives_the_tool_back(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(line_source())
    before = np.zeros((30, 40), np.uint8)
    before[5, 6] = 2
    set_labels(session, before)
    session.set_tool("polygon")
    session.set_tool("pick")
    click(view.canvas, (9, 9))
    assert (session.current_class, session.tool) == (1, "pick")
    click(view.canvas, (5, 6))
    assert (session.current_class, session.tool) == (2, "polygon")


# -- all of them -------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["line", "fill", "wand", "edge", "between", "pick"])
def test_that_clicks_beside_the_picture_do_nothing(
    view: CanvasView, session: Session, show: Show, answered: Wait, tool: str
) -> None:
    show(scene_source())
    session.set_tool(tool)  # type: ignore[arg-type]
    view.canvas.zoom(QPointF(450, 250), 0.5, 0.5)
    for at in (QPoint(2, 2), QPoint(view.canvas.width() - 3, 3)):
        QTest.mouseClick(view.canvas, LEFT, pos=at)
        QTest.mouseDClick(view.canvas, LEFT, pos=at)
        QTest.keyClick(view.canvas, KEY.Key_Return)
        answered()
    assert not labels(session).any()


@pytest.mark.parametrize("tool", ["line", "fill", "wand", "edge", "between", "pick"])
def test_that_tools_without_a_source_do_nothing(
    view: CanvasView, session: Session, tool: str
) -> None:
    session.set_tool(tool)  # type: ignore[arg-type]
    QTest.mouseClick(view.canvas, LEFT, pos=QPoint(30, 30))
    QTest.keyClick(view.canvas, KEY.Key_Return)
    QTest.keyClick(view.canvas, KEY.Key_Escape)
    assert session.labels is None


def test_that_a_tool_says_what_to_do_next(view: CanvasView, session: Session, show: Show) -> None:
    show(line_source())
    assert view.hint.isVisible()
    session.set_tool("between")
    assert view.tool_hint.isVisible()
    assert not view.hint.isVisible()
    first = view.tool_hint.text()
    click(view.canvas, (5, 5))
    assert view.tool_hint.text() != first
    session.set_tool("brush")
    assert not view.tool_hint.isVisible()
    assert view.hint.isVisible()


# -- while something is in hand ----------------------------------------------------------------


def test_that_scribbles_are_dropped_with_their_class(
    view: CanvasView, session: Session, show: Show, answered: Wait
) -> None:
    show(blocks_source())
    session.set_tool("edge")
    session.set_brush_size(1)
    drag(view.canvas, (4, 2), (20, 2))
    session.set_current_class(2)
    drag(view.canvas, (6, 35), (22, 38))
    answered()
    session.classes = CLASSES[:1]
    session.classes_changed.emit()
    QTest.keyClick(view.canvas, KEY.Key_Return)
    answered()
    assert not labels(session).any()


def test_that_the_smart_edge_spares_labels_that_came_after_its_answer(
    view: CanvasView, session: Session, show: Show, answered: Wait
) -> None:
    show(blocks_source())
    block = np.ones((4, 4), bool)
    session.paint(session.section, slice(10, 14), slice(10, 14), block, 2)
    session.undo()
    session.set_tool("edge")
    session.set_brush_size(1)
    drag(view.canvas, (4, 2), (20, 2))
    session.set_current_class(2)
    drag(view.canvas, (6, 35), (22, 38))
    answered()
    session.redo()
    QTest.keyClick(view.canvas, KEY.Key_Return)
    answered()
    found = labels(session)
    assert (found[10:14, 10:14] == 2).all()
    assert (found[4:23, 2:9] == 1).sum() > 100


def test_that_the_wand_stops_at_labels_that_came_while_it_was_dragged(
    view: CanvasView, session: Session, show: Show, answered: Wait
) -> None:
    show(line_source())
    session.paint(session.section, slice(0, 30), slice(15, 17), np.ones((30, 2), bool), 2)
    session.undo()
    session.set_tool("wand")
    QTest.mousePress(view.canvas, LEFT, pos=pixel(view.canvas, 8, 8))
    answered()
    QTest.mouseMove(view.canvas, pixel(view.canvas, 8, 8) + QPoint(400, 0))
    answered()
    session.redo()
    answered()
    QTest.mouseRelease(view.canvas, LEFT, pos=pixel(view.canvas, 8, 8) + QPoint(400, 0))
    answered()
    expected = np.zeros((30, 40), np.uint8)
    expected[:, :15], expected[:, 15:17] = 1, 2
    assert np.array_equal(labels(session), expected)


def test_that_a_stroke_ends_with_the_button_that_began_it(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(line_source())
    session.set_tool("brush")
    session.set_brush_size(1)
    middle, none = Qt.MouseButton.MiddleButton, Qt.MouseButton.NoButton
    kinds = QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove, QEvent.Type.MouseButtonRelease

    def send(kind: int, row: int, button: Qt.MouseButton, held: Qt.MouseButton) -> None:
        at = QPointF(pixel(view.canvas, row, 5))
        over = QPointF(view.canvas.mapToGlobal(at))
        event = QMouseEvent(kinds[kind], at, over, button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(view.canvas, event)

    send(0, 3, LEFT, LEFT)
    send(0, 3, middle, LEFT | middle)
    send(1, 5, none, LEFT | middle)
    send(2, 5, LEFT, middle)
    assert len(session.steps.rows) == 1
    send(1, 20, none, middle)
    send(2, 20, middle, none)
    found = labels(session)
    assert found[3:6, 5].all()
    assert found.sum() == 3
