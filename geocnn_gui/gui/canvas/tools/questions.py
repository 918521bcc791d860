"""What a tool asks of the data: read off the window's thread, the newest question only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, Signal

from geocnn_gui.gui.canvas.reader import Reader, SectionReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.session import Session

T = TypeVar("T")
_TOPIC = "tool"


class Questions(QObject):
    """Asks for the tool in hand, through the threads that read for the screen.

    Signals
    -------
    failed: the question in hand got no answer; `Reader.failed` brings the reason.
    """

    failed = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._done: Callable[[Any], None] | None = None
        self.reader, self.sections = Reader(), SectionReader()
        self.reader.answered.connect(self._on_answered)
        self.reader.failed.connect(self._on_failed)

    @property
    def waits(self) -> bool:
        """Say whether an answer is awaited."""
        return self._done is not None

    def ask(self, read: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run `read` on a thread and hand its answer to `done`, unless another is asked first."""
        if self._session.source is not None:
            self._done = done
            self.reader.ask(_TOPIC, self._session.in_use.bound(self._session.source, read))

    def forget(self) -> None:
        """Drop the question in hand."""
        if self._done is not None:
            self._done = None
            self.reader.forget(_TOPIC)

    def _on_answered(self, topic: str, answer: object) -> None:
        if topic == _TOPIC and self._done is not None:
            done, self._done = self._done, None
            done(answer)

    def _on_failed(self, topic: str, _error: Exception) -> None:
        if topic == _TOPIC:
            self._done = None
            self.failed.emit()
