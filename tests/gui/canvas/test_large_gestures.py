"""Gestures over large rasters cost what they cover, not the box around them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from canvas_sources import CLASSES, line_source
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from geocnn_gui.data.source import Window
from geocnn_gui.gui.canvas import feed, overlays
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.tools import Sketch, brush_stroke

LEFT = Qt.MouseButton.LeftButton
SIDE = 2000

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from geocnn_gui.data.source import Plane, Source
    from geocnn_gui.gui.canvas.canvas import Canvas
    from geocnn_gui.gui.canvas.parts import Part
    from geocnn_gui.gui.canvas.view import CanvasView
    from geocnn_gui.gui.session import Session
    from geocnn_gui.gui.state import Tool
    from geocnn_gui.labels.store import LabelStore

    Show = Callable[[Source], None]


def pixel(canvas: Canvas, row: float, column: float) -> QPoint:
    return canvas.viewport.pixel_of(row, column).toPoint()


def flick(canvas: Canvas, start: QPoint, end: QPoint) -> None:
    QTest.mousePress(canvas, LEFT, pos=start)
    QTest.mouseMove(canvas, end)
    QTest.mouseRelease(canvas, LEFT, pos=end)


@pytest.fixture
def swept(session: Session, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The masks that were painted."""
    masks: list[np.ndarray] = []
    real = session.paint

    def paint(*arguments: object) -> np.ndarray:
        mask = arguments[3]
        assert isinstance(mask, np.ndarray)
        masks.append(mask)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(session, "paint", paint)
    return masks


@pytest.mark.parametrize("brush", ["round", "square"])
@pytest.mark.parametrize("tool", ["brush", "eraser", "accept", "line"])
def test_that_a_flick_across_a_large_raster_holds_little_more_than_it_covers(
    view: CanvasView, session: Session, show: Show, swept: list[np.ndarray], tmp_path: Path,
    tool: Tool, brush: Literal["round", "square"],
) -> None:  # fmt: skip
    show(line_source(SIDE, SIDE))
    session.set_brush_size(12)
    session.set_tool_settings(brush_shape=brush)
    assert session.source is not None
    store = PredictionStore.create(tmp_path / "p", session.source, CLASSES, model="m")
    session.prediction = store
    session.set_tool(tool)
    canvas = view.canvas
    start, end = pixel(canvas, 200, 200), pixel(canvas, 1800, 1800)
    if tool == "line":
        for at in (start, end):
            QTest.mouseClick(canvas, LEFT, pos=at)
        QTest.keyClick(canvas, Qt.Key.Key_Return)
    else:
        flick(canvas, start, end)
    session.prediction = None
    store.close()
    assert sum(mask.any() for mask in swept) > 10 or tool == "accept"
    assert sum(mask.size for mask in swept) < 8 * 12 * 1600 * np.sqrt(2)


def test_that_a_flick_paints_what_one_sweep_covers(
    view: CanvasView, session: Session, show: Show
) -> None:
    show(line_source(SIDE, SIDE))
    session.set_tool("brush")
    canvas = view.canvas
    ends = pixel(canvas, 200, 200), pixel(canvas, 1800, 1100)
    flick(canvas, *ends)
    line = np.array([canvas.viewport.point_at(at.toPointF()) for at in ends])
    rows, columns, mask = brush_stroke(line, session.brush_size / 2, (SIDE, SIDE))
    assert session.labels is not None
    found = session.labels.store.read(Window((0, 0), (SIDE, SIDE))).T
    assert found.sum() == mask.sum()
    assert np.array_equal(found[rows, columns] == 1, mask)
    assert len(session.steps.rows) == 1


def test_that_a_flick_of_the_smart_edge_is_drawn_at_once_and_in_small_shapes(
    view: CanvasView, session: Session, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(line_source(1500, 1500))
    session.set_tool("edge")
    canvas, sizes = view.canvas, list[int]()
    real = Sketch.add

    def add(sketch: Sketch, shapes: list[tuple[slice, slice, np.ndarray]], value: int) -> None:
        sizes.append(sum(mask.size for _, _, mask in shapes))
        real(sketch, shapes, value)

    monkeypatch.setattr(Sketch, "add", add)
    QTest.mousePress(canvas, LEFT, pos=pixel(canvas, 100, 100))
    QTest.mouseMove(canvas, pixel(canvas, 1300, 1300))
    assert len(sizes) == 2
    assert sum(sizes) < 12 * 1200 * 12 * np.sqrt(2)
    QTest.mouseRelease(canvas, LEFT, pos=pixel(canvas, 1300, 1300))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)


def test_that_windows_of_a_large_step_are_not_read_one_by_one_on_the_windows_thread(
    view: CanvasView, session: Session, show: Show, settled: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    show(line_source(SIDE, SIDE))
    settled()
    assert session.labels is not None
    windows = [Window((at, 0), (250, SIDE)) for at in range(0, SIDE, 250)]
    for window in windows:
        session.labels.store.write(window, 1)
    here, read = threading.current_thread(), 0
    real = feed.label_levels

    def noted(store: LabelStore, plane: Plane, part: Part) -> np.ndarray:
        nonlocal read
        if threading.current_thread() is here:
            read += (part.rows.stop - part.rows.start) * (part.columns.stop - part.columns.start)
        return real(store, plane, part)

    monkeypatch.setattr(feed, "label_levels", noted)
    monkeypatch.setattr(overlays, "_AT_ONCE", 1_000_000)
    for window in windows:
        session.labels_changed.emit(window)
    settled()
    assert read <= 1_000_000
    assert (view.canvas.labels.levels == 1).all()
