"""Fixtures every test may use, and the checks every test ends with."""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
SECONDS_FOR_THREADS_TO_END = 3.0


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real files; tests that need it are skipped where it is missing."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("GEOCNN_DATA", beside))
    if not folder.is_dir():
        pytest.skip("the folder of real files is not here")
    return folder


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep projects and settings of a test in a folder of its own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("GEOCNN_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail the test when a warning or an error was logged.

    A test that expects one checks it through `caplog` and then calls `caplog.clear()`.
    """
    yield
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    lines = [
        f"{record.levelname} {record.name}: {record.getMessage()}"
        for record in records
        if record.levelno >= logging.WARNING
    ]
    assert not lines, "logged without being asked for:\n" + "\n".join(lines)


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fail the test when it leaves a thread that runs Python (a `Job` too) or a window behind."""
    threads, windows = set(_threads()), set(_windows())
    yield
    if running := _wait_for_end(threads):
        pytest.fail("still running after the test:\n" + "\n".join(running))
    if left := [text for key, text in _windows().items() if key not in windows]:
        gc.collect()  # a window may hang in a reference cycle
        left = [text for key, text in _windows().items() if key not in windows]
        assert not left, f"windows left behind: {left}"


def _threads() -> dict[int, str]:
    """Name where each thread that runs Python is; a `QThread` counts, an idle pool does not."""
    return {
        thread: f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
        for thread, frame in sys._current_frames().items()
    }


def _wait_for_end(known: set[int]) -> list[str]:
    """Give threads started since `known` a moment to end; name those that do not."""
    deadline = time.monotonic() + SECONDS_FOR_THREADS_TO_END
    time.sleep(0.002)  # a thread just started shows only once it got the interpreter's lock
    while running := {thread: text for thread, text in _threads().items() if thread not in known}:
        if time.monotonic() > deadline:
            return list(running.values())
        time.sleep(0.01)
    return []


def _windows() -> dict[int, str]:
    """Name the top-level widgets alive, after the deletions that wait for the event loop."""
    widgets = sys.modules.get("PySide6.QtWidgets")
    if widgets is None or not isinstance(widgets.QApplication.instance(), widgets.QApplication):
        return {}
    from PySide6.QtCore import QCoreApplication, QEvent
    from shiboken6 import getCppPointer

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return {
        getCppPointer(widget)[0]: f"{type(widget).__name__} {widget.objectName()!r}"
        for widget in widgets.QApplication.topLevelWidgets()
        if type(widget).__name__ != "QTipLabel"  # Qt keeps the last tooltip
    }
