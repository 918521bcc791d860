"""Gaps in the event loop of the real window while a network trains and predicts in its Job.

A timer of 10 ms ticks while the picture is panned 20 times a second.
"""

from __future__ import annotations

import argparse
import time

from _rows import head, milliseconds, private_home, row
from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication

from geocnn_gui.gui.app import make_window
from geocnn_gui.gui.canvas.canvas import Canvas
from geocnn_gui.models.spec import UNetSpec
from geocnn_gui.training.spec import TrainingSpec

TICK_MS, PAN_MS = 10, 50
LIMITS = 30.0, 100.0  # ms: 99th percentile, longest
TORCH_LIMIT = 250.0  # ms, once
IDLE_SECONDS = 5.0


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=40, help="how long to train")
    seconds = parser.parse_args().seconds
    with private_home():
        head()
        Measurement().run(seconds)


class Measurement:
    """The window, its ticks, and what happened when."""

    def __init__(self) -> None:
        self.app = QApplication.instance() or QApplication([])
        self.window = make_window(self.app)
        self.session = self.window.session
        self.ticks: list[float] = []
        self.steps = 0
        self._way = 1
        self._timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=TICK_MS)
        self._timer.timeout.connect(lambda: self.ticks.append(time.perf_counter()))
        self._panner = QTimer(interval=PAN_MS)
        self._panner.timeout.connect(self._pan)
        self.session.progressed.connect(self._on_progress)

    def run(self, seconds: float) -> None:
        """Open the seismic example, idle, train, predict, and print a row of each."""
        self.window.resize(1440, 900)
        self.window.show()
        self.session.open_path("example:seismic")
        self._wait(lambda: self.session.source is not None, 60)
        self._wait(lambda: self.session.statistics is not None, 60)
        self._panner.start()
        self._sleep(1.0)
        self._print("idle", self._gaps(lambda: self._sleep(IDLE_SECONDS)))
        start = self._gaps(self._begin_training)
        longest = max(start) * 1000
        row("first step of a training, torch imported: longest gap", f"{longest:.0f} ms",
            f"{TORCH_LIMIT:.0f} ms once", within=longest <= TORCH_LIMIT)  # fmt: skip
        before, begun = self.steps, time.monotonic()
        gaps = self._gaps(lambda: self._sleep(seconds))
        pace = (self.steps - before) / (time.monotonic() - begun)
        self._print(f"training ({pace:.1f} steps/s)", gaps)
        self._wait(lambda: bool(self.session.epochs), 300)  # else there is nothing to keep
        self._stop()
        self._predict()
        self.window.close()

    def _begin_training(self) -> None:
        self.session.start_training(
            UNetSpec(), TrainingSpec(epochs=1000, patience=1000, steps_per_epoch=4)
        )
        self._wait(lambda: self.steps > 0, 120)

    def _stop(self) -> None:
        asked = time.monotonic()
        self.session.stop_job()
        self._wait(lambda: self.session.job is None, 60)
        seconds = time.monotonic() - asked
        row("Stop: work ended after", f"{seconds:.2f} s", "1 s or one micro-batch",
            within=seconds <= 1 or None)  # fmt: skip

    def _predict(self) -> None:
        if self.session.why_no_prediction():
            raise SystemExit(f"not predicted: {self.session.why_no_prediction()}")

        def work() -> None:
            self.session.start_prediction(whole=True)
            begun = time.monotonic()
            self._wait(lambda: self.session.job is None or time.monotonic() - begun > 30, 60)

        self._print("predicting", self._gaps(work))
        self.session.stop_job()
        self._wait(lambda: self.session.job is None, 60)

    def _gaps(self, work) -> list[float]:
        """Return the seconds between ticks while `work()` runs an event loop."""
        self.ticks.clear()
        self._timer.start()
        work()
        self._timer.stop()
        return [b - a for a, b in zip(self.ticks[:-1], self.ticks[1:], strict=True)]

    def _print(self, what: str, gaps: list[float]) -> None:
        late, longest = milliseconds(gaps, 99), max(gaps) * 1000
        row(
            f"gap in the event loop, {what}: 99 % / longest",
            f"{late:.0f} / {longest:.0f} ms (median {milliseconds(gaps):.1f}, {len(gaps)} ticks)",
            f"{LIMITS[0]:.0f} / {LIMITS[1]:.0f} ms",
            within=late <= LIMITS[0] and longest <= LIMITS[1],
        )

    def _pan(self) -> None:
        canvas = self.window.findChild(Canvas, "canvas")
        canvas.zoom(canvas.rect().center(), 1.02**self._way, 1.02**self._way)
        canvas.pan_by(3.0 * self._way, 0.0)
        self._way = -self._way

    def _on_progress(self, progress) -> None:
        self.steps = progress.done

    def _sleep(self, seconds: float) -> None:
        loop = QEventLoop()
        QTimer.singleShot(int(seconds * 1000), loop.quit)
        loop.exec()

    def _wait(self, ready, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < deadline, "nothing happened"
            self._sleep(0.02)


if __name__ == "__main__":
    main()
