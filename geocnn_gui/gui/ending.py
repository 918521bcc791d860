"""End as tidily when the system asks (logging out, Ctrl-C in a terminal) as when the user quits."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSocketNotifier

if TYPE_CHECKING:
    from collections.abc import Callable

_ASKED = (signal.SIGTERM, signal.SIGINT, *filter(None, [getattr(signal, "SIGHUP", None)]))


class EndWhenTold(QObject):
    """Calls `end` on the window's thread when the system asks the program to end.

    Python's own handlers run only between two Python instructions, which an idle event loop
    never comes to: the wake-up socket brings it there.
    """

    def __init__(self, end: Callable[[], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._end = end
        self._here, there = socket.socketpair()
        self._there = there
        for each in (self._here, there):
            each.setblocking(False)
        self._notifier = QSocketNotifier(self._here.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_told)
        self._before = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, _wake) for number in _ASKED}

    def _on_told(self) -> None:
        told = set(self._here.recv(64))
        if told & set(_ASKED):
            self._end()

    def forget(self) -> None:
        """Give the signals back to who had them."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before)
        self._notifier.setEnabled(False)
        self._here.close()
        self._there.close()


def _wake(number: int, frame: object) -> None:
    """Do nothing: the socket tells."""
