"""A brush step on large pictures, beside the same with a label image built anew, and its end."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from _loop import wait, wait_until
from _rows import head, milliseconds, private_home, row
from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPixmap
from PySide6.QtWidgets import QApplication

from geocnn_gui.gui.canvas.view import CanvasView
from geocnn_gui.gui.session import Session

SIDES, STEPS, LIMIT = (4_000, 20_000), 200, 16.0  # cells, steps, ms
VIEW = (1556, 960)  # pixels of the window's canvas


def main() -> None:
    """Print the rows."""
    with private_home() as home:
        head()
        for side in SIDES:
            path = save_picture(Path(home) / f"picture{side}.npy", side)
            for scale, name in ((None, "whole picture in view"), (1.0, "one cell to the pixel")):
                report(f"{side:,} x {side:,}, {name}", *measure(path, scale, side))
            path.unlink()


def save_picture(path: Path, side: int) -> Path:
    """Write noise of `side` x `side` cells, strip by strip."""
    picture = np.lib.format.open_memmap(path, "w+", np.float32, (side, side))
    random = np.random.default_rng(0)
    for start in range(0, side, 1000):
        picture[start : start + 1000] = random.standard_normal((1000, side), dtype=np.float32)
    return path


def report(name: str, ours: list[float], end: float, naive: list[float]) -> None:
    """Print the rows of one picture."""
    middle, late = milliseconds(ours), milliseconds(ours, 99)
    step = f"{middle:.2f} ms (99 %: {late:.2f})"
    row(f"brush step, {name}", step, f"{LIMIT:.0f} ms", within=late <= LIMIT)
    row("the stroke is lifted: its labels are on disk", f"{end * 1000:.0f} ms")
    if naive:
        times = milliseconds(naive) / middle
        built = f"{milliseconds(naive):.0f} ms ({times:.0f} times as long)"
        row("the same with an RGBA image built anew", built)


def measure(path: Path, scale: float | None, side: int) -> tuple[list[float], float, list[float]]:
    """Return seconds per step of the canvas, of a stroke's end, and per step of the naive way."""
    app = QApplication.instance() or QApplication([])
    session = Session()
    view = CanvasView(session)
    view.resize(*VIEW)
    view.show()
    session.open_path(path)
    wait_until(lambda: session.statistics is not None and not view.canvas.image.empty)
    if scale is not None:
        now = view.canvas.viewport
        view.canvas.zoom(view.canvas.rect().center(), scale / now.x_scale, scale / now.y_scale)
    wait(1.0)
    wait_until(lambda: not view.feed.busy)
    session.set_tool("brush")
    session.set_brush_size(24)
    naive = rebuild(view.canvas, side) if side <= SIDES[0] else []
    figures = *brush(app, view.canvas), naive
    view.close_reading()
    session.shut_down()
    view.deleteLater()
    return figures


def brush(app, canvas) -> tuple[list[float], float]:
    """Drag the brush along a circle: from the mouse event until its pixels are painted."""
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    painted = PaintCounter(canvas)
    centre = canvas.rect().center()
    angles = np.linspace(0, 2 * np.pi, STEPS)
    places = [QPointF(centre.x() + 300 * np.cos(a), centre.y() + 300 * np.sin(a)) for a in angles]

    def send(kind: QEvent.Type, at: QPointF, button: Qt.MouseButton) -> None:
        held = none if kind == QEvent.Type.MouseButtonRelease else left
        modifiers = Qt.KeyboardModifier.NoModifier
        app.sendEvent(canvas, QMouseEvent(kind, at, at, button, held, modifiers))
        app.sendPostedEvents(None, QEvent.Type.UpdateRequest)

    send(QEvent.Type.MouseButtonPress, places[0], left)
    times = []
    for place in places[1:]:
        before, start = painted.count, time.perf_counter()
        send(QEvent.Type.MouseMove, place, none)
        times.append(time.perf_counter() - start)
        assert painted.count > before, "the step was not painted: the benchmark is wrong"
    start = time.perf_counter()
    send(QEvent.Type.MouseButtonRelease, places[-1], left)
    return times, time.perf_counter() - start


def rebuild(canvas, side: int) -> list[float]:
    """Make a coloured image of all labels and draw it, as a first version would."""
    labels = np.zeros((side, side), np.uint8)
    table = np.zeros((256, 4), np.uint8)
    table[1] = 153, 153, 153, 160
    screen = QPixmap(canvas.size())
    times = []
    for step in range(5):
        start = time.perf_counter()
        labels[2000 + step : 2024 + step, 2000:2024] = 1
        pixels = table[labels]
        image = QImage(pixels.data, side, side, 4 * side, QImage.Format.Format_RGBA8888)
        painter = QPainter(screen)
        painter.drawImage(screen.rect(), image)
        painter.end()
        times.append(time.perf_counter() - start)
    return times


class PaintCounter(QObject):
    """Counts the paints of a widget."""

    def __init__(self, widget) -> None:
        super().__init__(widget)
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Paint
        return False


if __name__ == "__main__":
    main()
