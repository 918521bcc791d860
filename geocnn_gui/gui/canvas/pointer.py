"""Say what lies under the cursor, a few times a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from geocnn_gui.gui.canvas.readout import position_texts
from geocnn_gui.gui.state import CursorReadout

if TYPE_CHECKING:
    import numpy as np

    from geocnn_gui.data.source import Window
    from geocnn_gui.gui.canvas.canvas import Canvas
    from geocnn_gui.gui.canvas.feed import Feed
    from geocnn_gui.gui.session import Session

Cell = tuple[int, int]
_EVERY_MS = 30
_VALUE = "value"


class Pointer(QObject):
    """Turns the cell under the cursor into a `CursorReadout` for the session."""

    def __init__(self, session: Session, canvas: Canvas, feed: Feed) -> None:
        super().__init__(canvas)
        self._session, self._canvas, self._feed = session, canvas, feed
        self._cell: Cell | None = None
        self._timer = QTimer(self, singleShot=True, interval=_EVERY_MS)
        self._timer.timeout.connect(self._say)
        feed.reader.answered.connect(self._on_answered)
        canvas.cursor_moved.connect(self._on_moved)

    def _on_moved(self, cell: Cell | None) -> None:
        if cell is None:
            self._timer.stop()
            self._feed.reader.forget(_VALUE)
            if self._cell is not None:
                self._session.set_cursor(None)
        elif cell != self._cell and not self._timer.isActive():
            self._timer.start()
        self._cell = cell

    def _say(self) -> None:
        session, cell = self._session, self._cell
        if session.source is None or cell is None:
            return
        values = self._canvas.image.value_at(self._feed.key, *cell)
        session.set_cursor(self._readout(cell, values))
        if values is None:
            self._ask_value(cell)

    def _ask_value(self, cell: Cell) -> None:
        """Read the one cell: what is held is decimated or not there yet."""
        source, section = self._session.source, self._session.section
        bands = list(self._session.view.bands)
        if source is None:
            return

        def read() -> tuple[Cell, np.ndarray | None]:
            rows, columns = (slice(at, at + 1) for at in cell)
            picture = source.read_picture(section, rows, columns)
            return cell, picture.values[bands, 0, 0] if picture.live[0, 0] else None

        self._feed.reader.ask(_VALUE, self._session.in_use.bound(source, read))

    def _on_answered(self, topic: str, answer: Any) -> None:
        if topic == _VALUE and self._session.source is not None and answer[0] == self._cell:
            self._session.set_cursor(self._readout(*answer))

    def _readout(self, cell: Cell, values: np.ndarray | None) -> CursorReadout:
        session = self._session
        source, store = session.source, session.shown_map
        assert source is not None
        rows, columns = (slice(at, at + 1) for at in cell)
        window: Window = source.plane(session.section).window(rows, columns)
        predicted = int(store.read_classes(window).flat[0]) if store is not None else 0
        sure = float(store.read_confidence(window).flat[0]) if store and predicted else None
        if store is not None and store.target is not None:
            value, sure = float(store.read_values(window).flat[0]), None
            estimate = value if predicted else None
        else:
            estimate = None
        label = int(session.labels.store.read(window).flat[0]) if session.labels else 0
        return CursorReadout(
            position_texts(source, session.section, *cell),
            tuple(float(value) for value in values) if values is not None else None,
            label,
            predicted,
            sure,
            estimate,
        )
