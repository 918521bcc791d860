"""One sample, large: its picture, name, record, label, and how likely each class is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from geocnn_gui.gui.canvas.gallery.grid import digit_of
from geocnn_gui.gui.theme import colours
from geocnn_gui.gui.widgets.card import button, label, link
from geocnn_gui.gui.widgets.sample_picture import centred
from geocnn_gui.gui.widgets.share_bars import ShareBars

if TYPE_CHECKING:
    from PySide6.QtGui import QImage, QKeyEvent, QPaintEvent, QResizeEvent

    from geocnn_gui.labels.classes import Classes

_FACTS = 220


@dataclass(frozen=True)
class Told:
    """What is said of a sample: `predicted` a sentence, `shares` the rows of the bars."""

    name: str
    record: str
    place: str
    label: int
    predicted: str = ""
    wrong: bool = False
    shares: tuple[tuple[str, str, float, str], ...] = ()
    chosen: int = -1


class OneSample(QWidget):
    """Shows a sample; arrows go on, digits label it, Escape goes back.

    Signals
    -------
    back: back to all. stepped: to the next (1) or previous (-1). digit: a digit was pressed.
    labelled: the id of the class that was chosen, 0 for none. resized: another size is wanted.
    """

    back = Signal()
    stepped = Signal(int)
    digit = Signal(int)
    labelled = Signal(int)
    resized = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("gallery_one")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.picture = _Picture()
        self.picture.resized.connect(self.resized)
        self._name = label(role="title", name="sample_name", wrap=True)
        self._record = label(role="muted", name="sample_record", wrap=True)
        self._label = QComboBox()
        self._label.setObjectName("sample_label")
        self._label.setAccessibleName("Label")
        self._label.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._label.activated.connect(lambda at: self.labelled.emit(self._label.itemData(at)))
        self._predicted = label(role="figure", name="sample_predicted", wrap=True)
        self._bars = ShareBars(name="sample_shares")
        self._bars.unsetCursor()
        self._place = label(role="muted", name="sample_place")
        self._before = button("‹", lambda: self.stepped.emit(-1), name="sample_previous",
                              tip="Previous sample (Left)")  # fmt: skip
        self._next = button("›", lambda: self.stepped.emit(1), name="sample_next",
                            tip="Next sample (Right)")  # fmt: skip
        for each in (self._before, self._next, self._label):
            each.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(16)
        layout.addWidget(self.picture, 1)
        layout.addWidget(self._facts())

    def _facts(self) -> QWidget:
        panel = QWidget()
        panel.setFixedWidth(_FACTS)
        column = QVBoxLayout(panel)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(link("‹ All samples", self.back.emit, name="sample_back", tip="Escape"))
        column.addSpacing(4)
        column.addWidget(self._name)
        column.addWidget(self._record)
        column.addSpacing(8)
        column.addWidget(label("LABEL", role="heading"))
        column.addWidget(self._label)
        column.addSpacing(8)
        self._head = label("PREDICTION", role="heading")
        column.addWidget(self._head)
        column.addWidget(self._predicted)
        column.addWidget(self._bars)
        column.addStretch(1)
        line = QHBoxLayout()
        line.addWidget(self._place, 1)
        line.addWidget(self._before)
        line.addWidget(self._next)
        column.addLayout(line)
        return panel

    def show_classes(self, classes: Classes, *, read_only: str) -> None:
        """Offer these classes as labels; `read_only` says why none can be given."""
        self._label.clear()
        self._label.addItem("Unlabelled", 0)
        for place, one in enumerate(classes, 1):
            key = f"   {place}" if place < 10 else ""
            self._label.addItem(swatch(one.color), f"{one.name}{key}", one.id)
        self._label.setEnabled(not read_only)
        self._label.setToolTip(read_only or "Digits do the same; 0 takes the label away")

    def show_facts(self, told: Told) -> None:
        """Say what is known of the sample in view."""
        self._name.setText(told.name)
        self._record.setText(told.record)
        self._record.setVisible(bool(told.record))
        self._place.setText(told.place)
        self._label.setCurrentIndex(max(0, self._label.findData(told.label)))
        self._predicted.setText(told.predicted or "None yet: train, then predict.")
        self._predicted.setStyleSheet(f"color: {colours().error}" if told.wrong else "")
        self._bars.setVisible(bool(told.shares))
        self._bars.show_shares(told.shares, told.chosen)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go on with arrows, label with digits, go back with Escape."""
        number = digit_of(event)
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if number is not None:
            self.digit.emit(number)
        elif event.key() in steps:
            self.stepped.emit(steps[Qt.Key(event.key())])
        elif event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Backspace, Qt.Key.Key_Return):
            self.back.emit()
        else:
            super().keyPressEvent(event)


class _Picture(QWidget):
    """The picture, in the middle of what room there is.

    Signals
    -------
    resized: there is another room for it.
    """

    resized = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("sample_picture")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._image: QImage | None = None
        self._why = ""

    def show_image(self, image: QImage | None, why: str = "") -> None:
        """Show a picture; without one say why."""
        self._image, self._why = image, why
        self.update()

    @property
    def room(self) -> QSize:
        """Return the pixels of the screen that a picture may have."""
        return (QSize(self.width() - 8, self.height() - 8) * self.devicePixelRatioF()).expandedTo(
            QSize(16, 16)
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for a picture of the new size."""
        self.resized.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        box = QRectF(self.rect())
        if self._image is None:
            painter.setPen(QColor(colours().muted))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self._why)
            return
        place = centred(self._image, box)
        painter.drawImage(place.topLeft(), self._image)
        painter.setPen(QColor(colours().border))
        painter.drawRect(place.adjusted(-0.5, -0.5, 0.5, 0.5))


def swatch(color: str) -> QIcon:
    """Return a square of a class's colour."""
    made = QPixmap(12, 12)
    made.fill(QColor(color))
    return QIcon(made)
