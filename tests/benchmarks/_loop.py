"""Waiting in the window's event loop, for benchmarks of the window."""

from __future__ import annotations

import time

from PySide6.QtCore import QEventLoop, QTimer


def wait(seconds: float) -> None:
    """Let the event loop run."""
    loop = QEventLoop()
    QTimer.singleShot(int(seconds * 1000), loop.quit)
    loop.exec()


def wait_until(ready, seconds: float = 60, *, every: float = 0.02) -> None:
    """Let the event loop run until `ready()`, which is asked again and again."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "nothing happened"
        wait(every)
