"""The main job without a screen: the seismic example is trained, predicted, scored, pictured."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from geocnn_gui.gui.app import make_window
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from geocnn_gui.gui.main_window import MainWindow
    from geocnn_gui.gui.session import Message, Score, Session

EXAMPLE = "example:seismic"
#: Fewer rounds than the default: a demonstration is over within three minutes.
TRAINING = TrainingSpec(epochs=8, steps_per_epoch=20)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the demonstration to the folder named first in `argv` (./geocnn-demo)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    folder = Path(arguments[0] if arguments else "geocnn-demo").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    # A home of its own: the example that the user has painted on stays as it is.
    os.environ["GEOCNN_HOME"] = str(folder / "home")
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    window = make_window(app)
    window.resize(1440, 900)
    window.show()
    try:
        _Demo(window, folder).run()
    except _Failed as error:
        _say(f"geocnn demo: {error}", sys.stderr)
        return 1
    finally:
        window.close()
    return 0


class _Failed(Exception):
    """The window showed an error, whose sentence this carries."""


class _Demo:
    def __init__(self, window: MainWindow, folder: Path) -> None:
        self._window, self._folder = window, folder
        self._session: Session = window.session
        self._error = ""
        self._score: Score | None = None
        self._session.message.connect(self._on_message)
        self._session.scored.connect(self._on_scored)
        self._started = time.monotonic()

    def run(self) -> None:
        """Do each step as the window's buttons do it, and wait for its end."""
        session = self._session
        session.open_path(EXAMPLE)
        self._until(lambda: session.source is not None and session.statistics is not None)
        _say("Opened the seismic example with its painted labels; training a U-Net.")
        session.start_training(None, TRAINING)
        self._until(lambda: session.job is None and session.prediction is not None)
        session.start_prediction(whole=True)
        self._until(lambda: session.job is None)
        session.start_scoring(self._write_truth())
        self._until(lambda: self._score is not None)
        for what in ("classes", "confidence"):
            session.start_export(self._folder / f"{what}.npy", what)
            self._until(lambda: session.job is None)
        self._settle()
        self._picture()
        self._report()

    def _write_truth(self) -> Path:
        from geocnn_gui.data.synthetic import true_labels

        assert self._session.source is not None
        path = self._folder / "truth.npy"
        np.save(path, true_labels(self._session.source))
        return path

    def _picture(self) -> None:
        path = self._folder / "window.png"
        if not self._window.grab().save(str(path)):
            raise _Failed(f"cannot write {path}")

    def _report(self) -> None:
        assert self._score is not None
        scores = self._score.scores
        path = self._folder / "scores.json"
        path.write_text(json.dumps(scores.model_dump(mode="json"), indent=1), encoding="utf-8")
        _say(f"Mean IoU against the truth of the whole cube: {scores.mean_iou:.2f}")
        assert self._session.model_path is not None
        names = ("window.png", "scores.json", "classes.npy", "confidence.npy", "truth.npy")
        for each in (self._session.model_path, *(self._folder / name for name in names)):
            _say(str(each))
        _say(f"Done in {time.monotonic() - self._started:.0f} s.")

    def _on_message(self, message: Message) -> None:
        if message.kind == "error":
            self._error = message.text

    def _on_scored(self, score: Score) -> None:
        self._score = score

    def _until(self, reached: Callable[[], bool]) -> None:
        """Let the window work until a step has ended; raises `_Failed` with its error."""
        loop, timer = QEventLoop(), QTimer()
        timer.setInterval(50)
        timer.timeout.connect(lambda: loop.quit() if reached() or self._error else None)
        timer.start()
        loop.exec()
        timer.stop()
        if self._error:
            raise _Failed(self._error)

    def _settle(self) -> None:
        """Let the canvas draw what was read in the background."""
        loop = QEventLoop()
        QTimer.singleShot(800, loop.quit)
        loop.exec()


def _say(text: str, stream: TextIO | None = None) -> None:
    print(text, file=stream or sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
