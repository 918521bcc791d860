"""The cell under the mouse is the one that is painted, on screens of every density."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from canvas_sources import CLASSES
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
SHAPE = (30, 40)
#: Where the mouse goes, in shares of the widget.
PLACES = np.random.default_rng(5).uniform(0.3, 0.7, (9, 2))
RATIO = float(os.environ.get("QT_SCALE_FACTOR", "1"))

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QImage

    from geocnn_gui.data.source import Source
    from geocnn_gui.gui.canvas.canvas import Canvas
    from geocnn_gui.gui.canvas.view import CanvasView
    from geocnn_gui.gui.session import Session

    Show = Callable[[Source], None]
    Wait = Callable[[], None]


def mosaic(kind: str) -> ArraySource:
    """Values 0 to 3, other ones in all cells around; the same picture for a line and a raster."""
    rows, columns = SHAPE
    picture = np.add.outer(np.arange(rows) % 2 * 2, np.arange(columns) % 2).astype(np.float32)
    if kind == "line":
        axes = (Axis("cdp", "", 1, 1, columns), Axis("time", "ms", 0, 4, rows))
        return ArraySource(
            picture.T, kind="line", axes=axes, bands=(Band("a"),), domain="seismic", name=kind
        )
    axes = (Axis("row", "m", 0, -1, rows), Axis("column", "m", 0, 1, columns))
    return ArraySource(
        picture[None], kind="raster", axes=axes, bands=(Band("a"),), domain="imagery", name=kind
    )


def click(canvas: Canvas, at: QPointF) -> None:
    """Click with the precision that a dense screen has, parts of a pixel included."""
    over = QPointF(canvas.mapToGlobal(at))
    for kind, held in (
        (QEvent.Type.MouseButtonPress, LEFT),
        (QEvent.Type.MouseButtonRelease, NONE),
    ):
        event = QMouseEvent(kind, at, over, LEFT, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(canvas, event)


def seen(canvas: Canvas, at: QPointF) -> str:
    """Return the colour of the screen's own pixel under a point; "" within a pixel of others.

    Qt may draw the border between two cells one pixel off.
    """
    image: QImage = canvas.grab().toImage()
    assert image.devicePixelRatio() == RATIO == canvas.devicePixelRatioF()
    x, y = int(at.x() * RATIO), int(at.y() * RATIO)
    around = {image.pixelColor(x + i, y + j).name() for i in (-1, 0, 1) for j in (-1, 0, 1)}
    return around.pop() if len(around) == 1 else ""


def labelled(session: Session) -> np.ndarray:
    assert session.source is not None
    assert session.labels is not None
    plane = session.source.plane(session.section)
    window = plane.window(*(slice(0, n) for n in SHAPE))
    return plane.picture(session.labels.store.read(window))


def values(session: Session) -> np.ndarray:
    assert session.source is not None
    every = (slice(0, n) for n in SHAPE)
    return session.source.read_picture(session.section, *every).values[0]


@pytest.fixture
def places(
    view: CanvasView, session: Session, show: Show, settled: Wait, request: pytest.FixtureRequest
) -> list[QPointF]:
    """A mosaic on the screen at some zoom, and points on it."""
    kind, zoom = request.param
    show(mosaic(kind))
    session.set_view(labels_opacity=1.0)
    canvas = view.canvas
    canvas.zoom(QPointF(canvas.width() * 0.43, canvas.height() * 0.57), zoom, zoom)
    settled()
    found = [QPointF(float(x) * canvas.width(), float(y) * canvas.height()) for x, y in PLACES]
    return [QPointF(int(at.x() * RATIO), int(at.y() * RATIO)) / RATIO for at in found]


every_zoom = pytest.mark.parametrize(
    "places", [(kind, zoom) for kind in ("line", "raster") for zoom in (1.0, 2.3)],
    indirect=True, ids=lambda each: f"{each[0]}-{each[1]}",
)  # fmt: skip


@every_zoom
def test_that_the_brush_paints_the_cell_whose_colour_is_under_the_mouse(
    view: CanvasView, session: Session, places: list[QPointF]
) -> None:
    session.set_tool("brush")
    session.set_brush_size(1)
    pairs, before = set(), labelled(session)
    for at in places:
        if not (colour := seen(view.canvas, at)):
            continue
        click(view.canvas, at)
        new = labelled(session) != before
        before = labelled(session)
        assert np.count_nonzero(new) == 1
        assert seen(view.canvas, at) == CLASSES[0].color
        pairs.add((float(values(session)[new][0]), colour))
    assert is_one_to_one(pairs)


@every_zoom
def test_that_a_fill_takes_the_values_under_the_mouse(
    view: CanvasView, session: Session, places: list[QPointF], settled: Wait
) -> None:
    session.set_tool("fill")
    session.set_tool_settings(tolerance=0)
    pairs = set()
    for at in places:
        if not (colour := seen(view.canvas, at)):
            continue
        click(view.canvas, at)
        settled()
        assert seen(view.canvas, at) == CLASSES[0].color
        filled = set(values(session)[labelled(session) > 0].tolist())
        assert len(filled) == 1
        pairs.add((filled.pop(), colour))
        session.undo()
    assert is_one_to_one(pairs)


@every_zoom
def test_that_the_pick_takes_the_class_that_is_seen(
    view: CanvasView, session: Session, places: list[QPointF]
) -> None:
    ids = np.isin(values(session), (1, 2)).astype(np.uint8) + 1
    session.paint_values(session.section, slice(0, SHAPE[0]), slice(0, SHAPE[1]), ids)
    for at in places:
        session.set_current_class(0)
        session.set_tool("pick")
        click(view.canvas, at)
        colour = {one.id: one.color for one in CLASSES}[session.current_class]
        assert seen(view.canvas, at) in (colour, "")


def is_one_to_one(pairs: set[tuple[float, str]]) -> bool:
    """Say whether no value has two colours and no colour two values."""
    found, colours = zip(*pairs, strict=True)
    return len(set(found)) == len(set(colours)) == len(pairs) > 1


@pytest.mark.slow
@pytest.mark.skipif(RATIO != 1, reason="this is one of the runs that it starts")
@pytest.mark.parametrize("ratio", ["2"])
def test_that_all_this_holds_on_dense_screens(ratio: str) -> None:
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__))]
    environment = os.environ | {"QT_SCALE_FACTOR": ratio, "QT_QPA_PLATFORM": "offscreen"}
    root = Path(__file__).parents[3]
    done = subprocess.run(
        test, env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "12 passed" in done.stdout
