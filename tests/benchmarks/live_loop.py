"""From a stroke lifted to the refreshed live map, and gaps in the event loop meanwhile.

In the real window, strokes by mouse events, on a line of 1,000 x 1,000 with 2,000 labelled pixels:
once all of it in view, once one cell to the pixel; then while the survey is learned.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from _loop import wait, wait_until
from _rows import head, milliseconds, private_home, row
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from geocnn_gui.gui.app import make_window
from geocnn_gui.gui.canvas.canvas import Canvas

SIDE, STROKES, LABELLED, TICK_MS = 1_000, 30, 2_000, 10
VIEW_LIMIT, SECTION_LIMIT = 0.3, 0.6  # s
GAP_LIMITS = 30.0, 100.0  # ms: 99th percentile, longest


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, help="a file to open instead of the made-up line")
    data = parser.parse_args().data
    with private_home() as home:
        path = data or Path(home) / "section.npy"
        if data is None:
            np.save(path, layers())
        head()
        Measurement(path).run()


def layers() -> np.ndarray:
    """Return amplitudes float32 (traces, samples) of bent layers, coarse above and fine below."""
    random = np.random.default_rng(0)
    traces, samples = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    depth = samples + 60 * np.sin(traces / 170)
    waves = np.where(depth < SIDE / 2, np.sin(depth / 9), np.sin(depth / 3))
    return (waves + random.normal(scale=0.4, size=waves.shape)).astype(np.float32)


class Measurement:
    """The window, its ticks, and when the canvas was painted."""

    def __init__(self, path: Path) -> None:
        self.app = QApplication.instance() or QApplication([])
        self.window = make_window(self.app)
        self.session, self.live = self.window.session, self.window.session.live
        self.canvas = self.window.findChild(Canvas, "canvas")
        self.paints = Paints(self.canvas)
        self.ticks: list[float] = []
        self._timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=TICK_MS)
        self._timer.timeout.connect(lambda: self.ticks.append(time.perf_counter()))
        self._random = np.random.default_rng(1)
        self.tiles: list[float] = []
        self.live.tile_drawn.connect(lambda _: self.tiles.append(time.perf_counter()))
        self.path = path

    def run(self) -> None:
        """Open, label, and print a row of each."""
        session = self.session
        self.window.resize(1440, 900)
        self.window.show()
        session.open_path(self.path)
        wait_until(lambda: session.source is not None and session.statistics is not None)
        session.set_tool("brush")
        session.set_brush_size(5)
        self.label()
        began = time.perf_counter()
        self.live.set_on(True)
        wait_until(lambda: self.live.shows)
        row("Live on: first map, torch imported", f"{time.perf_counter() - began:.1f} s")
        self.settle()
        self.measure("1,000 x 1,000 in view", SECTION_LIMIT)
        view = self.canvas.viewport
        self.canvas.zoom(self.canvas.rect().center(), 1 / view.x_scale, 1 / view.y_scale)
        self.settle()
        self.measure("one cell to the pixel", VIEW_LIMIT)
        self.gaps("painting live", lambda: self.strokes())
        session.survey.learn_longer()
        wait_until(lambda: session.survey.progress is not None, 120)
        before, began = session.survey.progress.done, time.monotonic()
        self.measure("one cell to the pixel, while the survey is learned", VIEW_LIMIT)
        self.gaps("painting live while the survey is learned", lambda: self.strokes())
        done = session.survey.progress.done - before
        row("steps of learning meanwhile", f"{done / (time.monotonic() - began):.1f} a second")
        began = time.perf_counter()
        self.window.close()
        row("closing the window while it is learned", f"{time.perf_counter() - began:.2f} s", "1 s",
            within=time.perf_counter() - began <= 1)  # fmt: skip

    def label(self) -> None:
        """Paint blocks of 50 cells, until there are enough, half of them in each class."""
        shape = self.session.source.picture_shape(self.session.section)
        for _ in range(LABELLED // 50):
            top, left = (int(self._random.integers(0, n - 30)) for n in shape)
            value = 1 if top < shape[0] / 2 else 2
            mask = np.ones((2, 25), bool)
            self.session.paint(
                self.session.section, slice(top, top + 2), slice(left, left + 25), mask, value
            )
        wait(0.2)

    def measure(self, what: str, limit: float) -> None:
        """Print how long after each stroke the last tile of its map was on the screen."""
        took = self.strokes()
        middle, late = milliseconds(took), milliseconds(took, 95)
        row(
            f"stroke lifted to map, {what}: median / 95 %",
            f"{middle:.0f} / {late:.0f} ms",
            f"{1000 * limit:.0f} ms",
            within=late <= 1000 * limit,
        )

    def strokes(self) -> list[float]:
        """Paint strokes one after the other; return the seconds that each took to be answered."""
        return [self.stroke(number) for number in range(STROKES)]

    def stroke(self, number: int) -> float:
        """Paint a stroke in view and wait for the last paint of what comes of it."""
        rows, columns = self.canvas.viewport.visible(self.canvas.size_f, self.canvas.picture_shape)
        row_, column = (int(self._random.integers(p.start, p.stop - 45)) for p in (rows, columns))
        self.session.set_current_class(1 if row_ < self.canvas.picture_shape[0] / 2 else 2)
        for step in range(9):
            at = self.canvas.viewport.pixel_of(row_, column + 5 * step)
            self._send(QEvent.Type.MouseMove if step else QEvent.Type.MouseButtonPress, at)
            wait(0.004)
        self.tiles.clear()
        self._send(QEvent.Type.MouseButtonRelease, at)
        lifted = time.perf_counter()
        self.settle()
        painted = [at for at in self.paints.times if self.tiles and at >= self.tiles[-1]]
        assert painted, "no map came of the stroke: the benchmark is wrong"
        return painted[0] - lifted

    def settle(self) -> None:
        """Wait until what was asked for is drawn and painted."""
        wait_until(lambda: not self.live._soon.isActive(), every=0.003)
        ended: list[bool] = []
        self.live._thread.ask(lambda: ended.append(True))
        wait_until(lambda: bool(ended), every=0.003)
        wait(0.06)
        wait_until(lambda: not self.live._tiles, every=0.003)
        wait(0.03)

    def gaps(self, what: str, work) -> None:
        """Print the gaps between ticks while `work()` runs an event loop."""
        self.ticks.clear()
        self._timer.start()
        work()
        self._timer.stop()
        gaps = [b - a for a, b in zip(self.ticks[:-1], self.ticks[1:], strict=True)]
        late, longest = milliseconds(gaps, 99), max(gaps) * 1000
        row(
            f"gap in the event loop, {what}: 99 % / longest",
            f"{late:.0f} / {longest:.0f} ms (median {milliseconds(gaps):.1f}, {len(gaps)} ticks)",
            f"{GAP_LIMITS[0]:.0f} / {GAP_LIMITS[1]:.0f} ms",
            within=late <= GAP_LIMITS[0] and longest <= GAP_LIMITS[1],
        )

    def _send(self, kind: QEvent.Type, at: QPointF) -> None:
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        button = none if kind == QEvent.Type.MouseMove else left
        held = none if kind == QEvent.Type.MouseButtonRelease else left
        modifiers = Qt.KeyboardModifier.NoModifier
        self.app.sendEvent(self.canvas, QMouseEvent(kind, at, at, button, held, modifiers))


class Paints(QObject):
    """Notes when a widget is painted."""

    def __init__(self, widget) -> None:
        super().__init__(widget)
        self.times: list[float] = []
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.times.append(time.perf_counter())
        return False


if __name__ == "__main__":
    main()
