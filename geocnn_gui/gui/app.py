"""Start the window."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication

from geocnn_gui import __version__
from geocnn_gui.gui.ending import EndWhenTold
from geocnn_gui.gui.settings import read_settings
from geocnn_gui.gui.theme import app_icon, apply_theme
from geocnn_gui.project.home import data_home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from geocnn_gui.gui.main_window import MainWindow
    from geocnn_gui.gui.session import Session

_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Show the window, opening the file, project or "example:NAME" named first in `argv`, if any."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    gc.disable()  # nothing of what is made until the window shows is garbage
    _start_log()
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    window = make_window(app)
    sys.excepthook = _Hook(window.session)
    told = EndWhenTold(window.leave, window)
    window.session.survey.set_automatic(window.settings.learn_surveys)
    window.show()
    gc.freeze()
    gc.enable()
    if arguments:
        window.session.open_path(arguments[0])
    window.session.offer_recovery()
    try:
        return app.exec()
    finally:
        told.forget()


def make_window(app: QApplication, session: Session | None = None) -> MainWindow:
    """Return the window on a session, a new one by default, in its theme; not shown yet."""
    from geocnn_gui.gui.main_window import MainWindow
    from geocnn_gui.gui.session import Session

    # torch's threads sleep while they wait for each other: turning round and round they would
    # take the cores from the window, and from Live while a survey is learned. Read by OpenMP
    # when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app.setApplicationName("GeoCNN")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("geocnn")
    app.setWindowIcon(app_icon())
    apply_theme(app, read_settings().theme)
    return MainWindow(session or Session())


class _Hook:
    """Bring an exception nobody caught to the message bar and into the log."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        if threading.current_thread() is threading.main_thread():
            self._session.report(error.with_traceback(trace))
        else:
            _log.error("in a thread", exc_info=error)


def _start_log() -> None:
    """Log to a file in the program's own folder; to stderr where that cannot be written."""
    path = data_home() / "geocnn.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    except OSError:
        handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
