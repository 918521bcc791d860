"""A window of the data in grey, and beside it what is found there, in colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QImage, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from geocnn_gui.gui.widgets.value_image import grey_image, value_image

if TYPE_CHECKING:
    import numpy as np
    from PySide6.QtGui import QPaintEvent

_GAP, _CROSS = 8, 4


class ValuePair(QWidget):
    """Two squares side by side, whatever the form of the window, with a cross at the place."""

    def __init__(self, *, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._images: tuple[QImage, QImage] | None = None
        self._at = (0.5, 0.5)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_pair(
        self, data: np.ndarray, values: np.ndarray, *, at: tuple[int, int], signed: bool
    ) -> None:
        """Draw data and values (rows, columns) of one window; `at` is the place in it."""
        self._images = grey_image(data), value_image(values, signed=signed)
        self._at = (at[0] + 0.5) / values.shape[0], (at[1] + 0.5) / values.shape[1]
        self.setToolTip(f"{values.min():.3g} to {values.max():.3g}")
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for two squares."""
        return QSize(280, 136)

    def heightForWidth(self, width: int) -> int:
        """Return the side of one square."""
        return max(1, (width - _GAP) // 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw both."""
        if self._images is None:
            return
        painter = QPainter(self)
        side = min((self.width() - _GAP) / 2, float(self.height()))
        for number, image in enumerate(self._images):
            box = QRectF(number * (side + _GAP), 0, side, side)
            painter.drawImage(box, image)
            x, y = box.left() + self._at[1] * side, box.top() + self._at[0] * side
            for pen in (QPen(QColor(0, 0, 0, 200), 3), QPen(QColor("white"), 1)):
                painter.setPen(pen)
                painter.drawLine(round(x - _CROSS), round(y), round(x + _CROSS), round(y))
                painter.drawLine(round(x), round(y - _CROSS), round(x), round(y + _CROSS))
