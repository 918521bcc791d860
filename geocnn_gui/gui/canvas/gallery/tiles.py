"""The list of samples, and how one of them is painted: picture, class, what is predicted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate

from geocnn_gui.gui.theme import colours
from geocnn_gui.gui.widgets.sample_picture import centred

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtCore import QObject, QPersistentModelIndex
    from PySide6.QtWidgets import QStyleOptionViewItem

    from geocnn_gui.gui.canvas.gallery.arrange import Facts
    from geocnn_gui.gui.canvas.gallery.thumbs import Thumbs
    from geocnn_gui.labels.classes import Classes

    Index = QModelIndex | QPersistentModelIndex

#: Around a tile, between picture and text, the height of a line of text, in pixels.
_PAD, _GAP, LINE = 6, 4, 17
_DOT = 9


@dataclass(frozen=True)
class Words:
    """Names and colours: `ours` by id of the project, `theirs` by id of the model."""

    ours: dict[int, tuple[str, str]] = field(default_factory=dict)
    theirs: dict[int, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, ours: Classes, theirs: Classes) -> Words:
        """Return the names and colours of these classes; the project's colours go before."""
        known = {c.name.casefold(): c.color for c in ours}
        return cls(
            {c.id: (c.name, c.color) for c in ours},
            {c.id: (c.name, known.get(c.name.casefold(), c.color)) for c in theirs},
        )


class SampleList(QAbstractListModel):
    """The samples to show, in order; what is known of them is in `facts`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.order = np.zeros(0, np.int64)
        self.names: Sequence[str] = ()
        self.facts: Facts | None = None
        self.words = Words()

    def show_samples(self, order: np.ndarray, names: Sequence[str]) -> None:
        """Show these samples."""
        self.beginResetModel()
        self.order, self.names = order, names
        self.endResetModel()

    def sample(self, row: int) -> int:
        """Return the sample in a row."""
        return int(self.order[row])

    def row_of(self, sample: int) -> int:
        """Return the row of a sample, -1 where it is not shown."""
        found = np.flatnonzero(self.order == sample)
        return int(found[0]) if len(found) else -1

    def rowCount(self, parent: Index | None = None) -> int:
        """Count the samples shown."""
        return 0 if parent is not None and parent.isValid() else len(self.order)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the name of a sample; as a tip also what is known of it."""
        if not index.isValid():
            return None
        sample = self.sample(index.row())
        if role == Qt.ItemDataRole.DisplayRole:
            return self.names[sample]
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return "\n".join((self.names[sample], *self.told(sample)))
        return None

    def told(self, sample: int) -> tuple[str, ...]:
        """Say of a sample its label and what is predicted."""
        facts = self.facts
        if facts is None:
            return ()
        name = self.words.ours.get(int(facts.labels[sample]), ("unlabelled", ""))[0]
        if not facts.predicted[sample]:
            return (f"Label: {name}",)
        found = self.words.theirs.get(int(facts.predicted[sample]), ("?", ""))[0]
        return f"Label: {name}", f"Predicted: {found} {facts.confidence[sample]:.2f}"


class TilePainter(QStyledItemDelegate):
    """Paints a tile: the picture, a frame in the colour of its class, and what is predicted."""

    def __init__(self, samples: SampleList, thumbs: Thumbs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._samples, self._thumbs = samples, thumbs
        self.picture = QSize(112, 112)
        self.tile = QSize(128, 160)

    def fit(self, width: int, picture: QSize, *, lines: int) -> None:
        """Lay tiles out over a width: as many columns as fit, evenly."""
        self.picture = picture
        least = picture.width() + 2 * _PAD + 6
        columns = max(1, width // least)
        height = picture.height() + 2 * _PAD + _GAP + lines * LINE + 6
        self.tile = QSize(max(least, width // columns), height)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the size of a tile."""
        return self.tile

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a tile."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        look, sample = colours(), self._samples.sample(index.row())
        room = QRectF(option.rect).adjusted(3, 3, -3, -3)  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            chosen = bool(state & QStyle.StateFlag.State_Selected)
            painter.setPen(QPen(QColor(look.accent), 1.5) if chosen else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(look.tint if chosen else look.hover))
            painter.drawRoundedRect(room.adjusted(1, 1, -1, -1), 6, 6)
        box = QRectF(0, 0, self.picture.width(), self.picture.height())
        box.moveCenter(QPointF(room.center().x(), 0))
        box.moveTop(room.top() + _PAD - 2)
        self._paint_picture(painter, sample, box)
        self._paint_words(painter, sample, box.adjusted(-2, 0, 2, 0))
        painter.restore()

    def _paint_picture(self, painter: QPainter, sample: int, box: QRectF) -> None:
        look, image = colours(), self._thumbs.image(sample)
        frame = box
        if image is not None:
            frame = centred(image, box)
            painter.drawImage(frame.topLeft(), image)
        else:
            painter.fillRect(box.adjusted(1, 1, -1, -1), QColor(look.hover))
            if self._thumbs.is_damaged(sample):
                painter.setPen(QColor(look.muted))
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "not readable")
        facts = self._samples.facts
        number = int(facts.labels[sample]) if facts is not None else 0
        named = self._samples.words.ours.get(number)
        pen = QPen(QColor(named[1] if named else look.border), 2.5 if named else 1)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(frame.adjusted(0.5, 0.5, -0.5, -0.5))
        if facts is not None and facts.wrong[sample]:
            paint_cross(painter, frame.topRight() + QPointF(-3, 3))

    def _paint_words(self, painter: QPainter, sample: int, box: QRectF) -> None:
        facts, look, words = self._samples.facts, colours(), self._samples.words
        if facts is None:
            return
        top = box.bottom() + _GAP
        line = QRectF(box.left(), top, box.width(), LINE)
        name, color = words.ours.get(int(facts.labels[sample]), ("unlabelled", ""))
        _paint_line(painter, line, (name, color), "", look.text if color else look.muted)
        if facts.predicted[sample]:
            found = words.theirs.get(int(facts.predicted[sample]), ("?", ""))
            wrong = bool(facts.wrong[sample])
            line.translate(0, LINE)
            ink = look.error if wrong else look.muted
            text = (f"→ {found[0]}" if wrong or not color else "✓", "")
            _paint_line(painter, line, text, f"{facts.confidence[sample]:.2f}", ink)


def paint_cross(painter: QPainter, centre: QPointF) -> None:
    """Mark a wrong prediction: a cross on a disc, around `centre`."""
    look = colours()
    painter.setPen(QPen(QColor(look.card), 1.5))
    painter.setBrush(QColor(look.error))
    painter.drawEllipse(centre, 8, 8)
    pen = QPen(QColor(look.card), 2)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    for side in (-1, 1):
        painter.drawLine(centre + QPointF(-3, -3 * side), centre + QPointF(3, 3 * side))


def _paint_line(
    painter: QPainter, line: QRectF, named: tuple[str, str], figure: str, ink: str
) -> None:
    """Draw a dot in a colour, a name that is cut where it is long, and a figure on the right."""
    metrics, (name, color) = painter.fontMetrics(), named
    left, right = line.left(), metrics.horizontalAdvance(figure) + 4 if figure else 0
    if color:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(color))
        dot = QRectF(left, line.center().y() - _DOT / 2, _DOT, _DOT)
        painter.drawRoundedRect(dot, 2, 2)
        left += _DOT + 5
    painter.setPen(QColor(ink))
    room = int(line.right() - left - right)
    text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, room)
    painter.drawText(QRectF(left, line.top(), room, LINE), Qt.AlignmentFlag.AlignVCenter, text)
    painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, figure)
