"""What the history costs: the end of a stroke, and large steps beside the event loop.

Strokes are timed on pictures of 4,000 and 20,000 cells a side and on a cube. Then labels of 100
million cells are brought into the larger picture in the real window, taken back, made again, one
of their classes deleted, and a prediction of 16 million cells accepted, while a timer of 10 ms
ticks.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import rasterio  # noqa: F401  GDAL is loaded with the first label file, 60 ms once
from _loop import wait, wait_until
from _rows import head, milliseconds, private_home, row
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

from geocnn_gui.data.source import Section
from geocnn_gui.gui.app import make_window
from geocnn_gui.gui.session import Session
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.tools import brush_stroke

SHAPES = {
    "4,000 x 4,000": (4_000, 4_000), "20,000 x 20,000": (20_000, 20_000),
    "a cube of 400 x 400 x 400": (400, 400, 400),
}  # fmt: skip
STROKES, STEPS, RADIUS = 60, 25, 12
LIMIT, GAP = 16.0, 100.0  # ms
PATCH, ACCEPTED = 50, 4_000


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=10_000, help="cells a side that are labelled")
    side = parser.parse_args().side
    with private_home() as home:
        app = QApplication.instance() or QApplication([])
        head()
        for name, shape in SHAPES.items():
            strokes(name, picture(Path(home) / f"{'x'.join(map(str, shape))}.npy", shape))
        Large(app, Path(home), side).run()


def picture(path: Path, shape: tuple[int, ...]) -> Path:
    """Write a picture that is nothing but a little noise at its begin, so that it is sparse."""
    values = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    values[:8] = np.random.default_rng(0).integers(1, 255, values[:8].shape, np.uint8)
    return path


def strokes(name: str, path: Path) -> None:
    """Time the ends of strokes here and there."""
    session = Session()
    session.open_path(path)
    wait_until(lambda: session.source is not None)
    rows, columns = session.source.picture_shape(session.section)
    random, seconds = np.random.default_rng(0), []
    for number in range(STROKES):
        steps = random.normal(0, 15, (STEPS, 2)).cumsum(axis=0)
        points = np.clip(random.uniform((0, 0), (rows, columns)) + steps, 0, (rows, columns))
        session.begin_stroke()
        for ends in pairwise(points):
            shape = brush_stroke(np.array(ends), RADIUS, (rows, columns))
            session.paint(session.section, *shape, 1 + number % 2)
        begun = time.perf_counter()
        session.end_stroke()
        seconds.append(time.perf_counter() - begun)
    assert session.steps.position == STROKES, "a stroke was not written: the benchmark is wrong"
    late = milliseconds(seconds, 95)
    row(f"end of a stroke, on disk with its history, {name}: median / 95 %",
        f"{milliseconds(seconds):.1f} / {late:.1f} ms", f"{LIMIT:.0f} ms", within=late <= LIMIT)  # fmt: skip
    session.shut_down()


class Large:
    """The window on a large picture, and the ticks of its event loop."""

    def __init__(self, app: QApplication, home: Path, side: int) -> None:
        self.home, self.side = home, side
        self.window = make_window(app)
        self.session = self.window.session
        self.session.message.connect(lambda message: self.said.append(message.text))
        self.said: list[str] = []
        self.ticks: list[float] = []
        self._timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=10)
        self._timer.timeout.connect(lambda: self.ticks.append(time.perf_counter()))

    def run(self) -> None:
        """Print a row for each large step."""
        session, cells = self.session, f"{self.side**2 / 1e6:.0f} M cells"
        self.window.resize(1440, 900)
        self.window.show()
        session.open_path(picture(self.home / "large.npy", (20_000, 20_000)))
        wait_until(lambda: session.source is not None and session.statistics is not None)
        labels = self._labels()
        wait(2.0)
        self._measure(f"labels of {cells} brought in", lambda: session.import_labels(labels), 1)
        self._measure("a stroke after it", self._stroke, 2)
        self._measure("taken back", lambda: session.go_to_step(0), 0)
        self._measure("made again", lambda: session.go_to_step(2), 2)
        self._measure("one of four classes deleted", lambda: session.delete_class(2), 3)
        session.show_prediction(self._prediction())
        block = slice(self.side, self.side + ACCEPTED)
        self._measure(f"{ACCEPTED**2 / 1e6:.0f} M cells of a prediction accepted",
                      lambda: session.accept_in_view(block, block), 4)  # fmt: skip
        begun = time.perf_counter()
        self.window.close()
        row("the window closed, its labels tidied", f"{time.perf_counter() - begun:.1f} s")

    def _measure(self, what: str, act, position: int) -> None:
        """Act, and let the event loop run until so many steps stand and all is drawn."""
        session = self.session
        self.ticks.clear()
        self._timer.start()
        wait(0.1)
        begun = time.perf_counter()
        act()
        try:
            wait_until(lambda: session.steps.position == position and not session.busy, 120)
        except AssertionError:
            raise SystemExit(f"{what}: {self.said[-3:]}") from None
        seconds = time.perf_counter() - begun
        wait(1.0)
        self._timer.stop()
        longest = max(np.diff(self.ticks)) * 1000
        row(f"{what}: longest gap in the event loop", f"{longest:.0f} ms ({seconds:.2f} s in all)",
            f"{GAP:.0f} ms", within=longest <= GAP)  # fmt: skip

    def _stroke(self) -> None:
        shape = brush_stroke(np.array([[60, 60], [200, 300]]), RADIUS, (20_000, 20_000))
        self.session.begin_stroke()
        self.session.paint(Section(), *shape, 1)
        self.session.end_stroke()

    def _labels(self) -> Path:
        """Write patches of four classes, and dots of a fifth between them."""
        random = np.random.default_rng(0)
        path = self.home / "labels.npy"
        values = np.lib.format.open_memmap(path, "w+", np.uint8, (20_000, 20_000))
        for start in range(0, self.side, 1000):
            high = min(1000, self.side - start)
            ids = random.integers(1, 5, (-(-high // PATCH), -(-self.side // PATCH)), np.uint8)
            block = ids.repeat(PATCH, 0).repeat(PATCH, 1)[:high, : self.side]
            block[random.random(block.shape) < 0.01] = 5
            values[start : start + high, : self.side] = block
        return path

    def _prediction(self) -> PredictionStore:
        session = self.session
        store = PredictionStore.create(self.home / "run", session.source, session.classes)
        plane = session.source.plane(Section())
        random = np.random.default_rng(1)
        rows = slice(self.side, self.side + ACCEPTED)
        ids = random.choice([c.id for c in session.classes], (ACCEPTED // 8, ACCEPTED // 8))
        ids = ids.astype(np.uint8).repeat(8, 0).repeat(8, 1)
        store.write(plane.window(rows, rows), ids, np.full(ids.shape, 0.9))
        return store


if __name__ == "__main__":
    main()
