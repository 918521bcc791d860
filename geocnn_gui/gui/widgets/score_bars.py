"""Scores on one scale from 0 to 1: on seen, held-out and new ground, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPalette, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QVBoxLayout, QWidget

from geocnn_gui.gui.theme import colours
from geocnn_gui.gui.widgets.card import label
from geocnn_gui.scoring.intervals import score_words

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QPaintEvent, QResizeEvent

#: What each ground is drawn in; told apart by colour-blind eyes, on light and on dark ground.
_COLOURS = {"seen": "#e08a00", "held_out": "#2f7fd1", "new": "#0b9e6f"}
_EMPTY = "Score the prediction to see what it reaches on ground it has seen, held out and new."
_BAR, _PAD = 9, 6


@dataclass(frozen=True, slots=True)
class Bar:
    """A score and its interval (0 to 1; None: unknown), a line that says why; `part` names what a click shows."""

    name: str
    title: str
    value: float | None
    interval: tuple[float, float] | None
    reason: str
    part: str = ""
    tip: str = ""


class ScoreBars(QWidget):
    """One row for each ground; a click, Space or Enter shows its pixels, once more ends that.

    Signals
    -------
    picked: the `part` of the row that is to be shown, "" for none.
    """

    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("score_bars")
        self.setAccessibleName("Score with its reason")
        self._bars: tuple[Bar, ...] = ()
        self._rows: list[_Row] = []
        self._empty = label(_EMPTY, role="muted", name="score_bars_empty", wrap=True)
        self._scale = _Scale()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self._layout.addWidget(self._empty)
        self._layout.addWidget(self._scale)
        self._scale.hide()

    @property
    def bars(self) -> tuple[Bar, ...]:
        """Return what is shown."""
        return self._bars

    def show_bars(self, bars: tuple[Bar, ...]) -> None:
        """Show these rows, or what is to be done where there are none."""
        if bars == self._bars:
            return
        self._bars = bars
        for row in self._rows:
            self._layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._rows = [_Row(bar, self) for bar in bars]
        for at, row in enumerate(self._rows):
            row.clicked.connect(lambda _=False, row=row: self._on_clicked(row))
            self._layout.insertWidget(1 + at, row)
        self._empty.setVisible(not bars)
        self._scale.setVisible(bool(bars))

    def mark(self, part: str | None, *, stale: str = "") -> None:
        """Mark the row whose pixels are shown; with `stale` none can be, and the tip says why."""
        for row in self._rows:
            row.allow(stale)
            row.setChecked(bool(row.bar.part) and row.bar.part == part)

    def _on_clicked(self, row: _Row) -> None:
        self.picked.emit(row.bar.part if row.isChecked() else "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go up and down with the arrows; Escape ends what is shown."""
        rows = [row for row in self._rows if row.isEnabled()]
        at = next((i for i, row in enumerate(rows) if row is self.focusWidget()), None)
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        if step is not None and at is not None:
            rows[min(max(at + step, 0), len(rows) - 1)].setFocus(Qt.FocusReason.TabFocusReason)
        elif event.key() == Qt.Key.Key_Escape and any(row.isChecked() for row in rows):
            self.picked.emit("")
        else:
            super().keyPressEvent(event)


class _Row(QAbstractButton):
    """A title and a figure, the bar with its interval, and the reason under it."""

    def __init__(self, bar: Bar, parent: QWidget) -> None:
        super().__init__(parent)
        self.bar = bar
        self.setObjectName(f"score_bar_{bar.name}")
        self.setCheckable(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(f"{bar.title}: {score_words(bar.value, bar.interval)}")
        self.setAccessibleDescription(bar.reason)
        self._lines = 1
        self.allow("")

    def allow(self, stale: str) -> None:
        """Let it be clicked where there is something to show; the tip says what or why not."""
        bar = self.bar
        reason = stale or (
            "" if bar.part else "None of its labelled pixels lie in this prediction."
        )
        self.setEnabled(not reason)
        what = reason or "Click to see its right and wrong pixels"
        self.setToolTip(" · ".join(text for text in (bar.tip, what) if text))
        cursor = Qt.CursorShape.PointingHandCursor if not reason else Qt.CursorShape.ArrowCursor
        self.setCursor(cursor)

    def sizeHint(self) -> QSize:
        """Return room for the title, the bar and the reason."""
        line = self.fontMetrics().lineSpacing()
        return QSize(200, 2 * _PAD + line + 4 + _BAR + 4 + self._lines * line)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Break the reason anew."""
        super().resizeEvent(event)
        width = max(self.width() - 2 * _PAD, 40)
        box = self.fontMetrics().boundingRect(0, 0, width, 1000, Qt.TextFlag.TextWordWrap,
                                              self.bar.reason)  # fmt: skip
        lines = max(1, round(box.height() / self.fontMetrics().lineSpacing()))
        if lines != self._lines:
            self._lines = lines
            self.updateGeometry()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take Enter as Space; leave the arrows to the whole."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        elif event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Escape):
            event.ignore()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it; also one that cannot be clicked in full strength."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_back(painter)
        palette = self.palette()
        text = palette.color(QPalette.ColorGroup.Active, QPalette.ColorRole.WindowText)
        muted = QColor(colours().muted)
        metrics, line = self.fontMetrics(), self.fontMetrics().lineSpacing()
        top = QRectF(_PAD, _PAD, self.width() - 2 * _PAD, line)
        painter.setPen(text)
        painter.drawText(top, Qt.AlignmentFlag.AlignLeft, self.bar.title)
        figure = score_words(self.bar.value, self.bar.interval)
        painter.setPen(text if self.bar.value is not None else muted)
        painter.drawText(top, Qt.AlignmentFlag.AlignRight, figure)
        track = QRectF(_PAD, _PAD + line + 4, self.width() - 2 * _PAD, _BAR)
        self._paint_bar(painter, track)
        painter.setPen(muted)
        below = QRectF(_PAD, track.bottom() + 4, track.width(), self._lines * metrics.lineSpacing())
        painter.drawText(below, Qt.TextFlag.TextWordWrap, self.bar.reason)

    def _paint_back(self, painter: QPainter) -> None:
        """Tint it where it is shown or under the mouse; frame it where it has the focus."""
        shown, over = self.isChecked(), self.underMouse() and self.isEnabled()
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        if shown or over:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours().tint if shown else colours().hover))
            painter.drawRoundedRect(box, 5, 5)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours().accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 5, 5)

    def _paint_bar(self, painter: QPainter, track: QRectF) -> None:
        """Draw the track from 0 to 1, the score on it, and its interval as a whisker."""
        bar, colour = self.bar, QColor(_COLOURS.get(self.bar.name, colours().accent))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours().border))
        painter.drawRoundedRect(track, 2, 2)
        if bar.value is None:
            return
        painter.setBrush(colour)
        length = max(2.0, track.width() * min(max(bar.value, 0.0), 1.0))
        painter.drawRoundedRect(QRectF(track.topLeft(), QPointF(track.left() + length, track.bottom())),
                                2, 2)  # fmt: skip
        if bar.interval is None:
            return
        ends = [track.left() + track.width() * min(max(end, 0.0), 1.0) for end in bar.interval]
        middle, reach = track.center().y(), _BAR / 2 + 2
        painter.setPen(QPen(QColor(colours().text), 1.5))
        painter.drawLine(QPointF(ends[0], middle), QPointF(ends[1], middle))
        for end in ends:
            painter.drawLine(QPointF(end, middle - reach), QPointF(end, middle + reach))


class _Scale(QWidget):
    """The figures under the bars: 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return room for a line of figures."""
        return QSize(200, self.fontMetrics().height() + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Write 0, 0.5 and 1 where they are on the bars."""
        painter = QPainter(self)
        painter.setPen(QColor(colours().muted))
        box = QRectF(_PAD, 0, self.width() - 2 * _PAD, self.height())
        for text, side in (("0", Qt.AlignmentFlag.AlignLeft), ("0.5", Qt.AlignmentFlag.AlignHCenter),
                           ("1", Qt.AlignmentFlag.AlignRight)):  # fmt: skip
            painter.drawText(box, side, text)
