"""What the gallery is made of, and how its samples are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from geocnn_gui.data import display
from geocnn_gui.data.colour_maps import colour_table
from geocnn_gui.gui.canvas.gallery.arrange import ORDERS, Facts
from geocnn_gui.gui.canvas.gallery.grid import Grid
from geocnn_gui.gui.canvas.gallery.one import OneSample
from geocnn_gui.gui.canvas.gallery.thumbs import Thumbs
from geocnn_gui.gui.canvas.gallery.tiles import SampleList, TilePainter
from geocnn_gui.gui.canvas.reader import Reader
from geocnn_gui.gui.in_use import SourceLeft
from geocnn_gui.gui.theme import colours
from geocnn_gui.gui.widgets.card import button, grouped, label
from geocnn_gui.gui.widgets.sample_picture import Look

if TYPE_CHECKING:
    import numpy as np

    from geocnn_gui.data.samples import Samples
    from geocnn_gui.gui.session import Session

_PATCH, _TRACE = QSize(112, 112), QSize(168, 84)
#: Milliseconds between two looks at a prediction that grows.
_LATER_MS = 300


class GalleryParts(QWidget):
    """The head with order and filter, the grid, one sample large, a line that says what to do.

    Signals
    -------
    failed: an exception raised while reading for the screen. cleared: the filter of the confusion
    matrix was clicked away.
    """

    failed = Signal(object)
    cleared = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gallery")
        self._session = session
        self._reader = Reader()
        self._thumbs = Thumbs(self._reader, session.in_use, self)
        self.samples = SampleList(self)
        self._painter = TilePainter(self.samples, self._thumbs, self)
        self.grid, self.one = Grid(self.samples, self._painter), OneSample()
        self._facts: Facts | None = None
        self._marked: np.ndarray | None = None
        self._labelling = False
        self._shown = -1
        self._drawn: tuple[object, ...] | None = None
        self._overlaid = True
        self._later = QTimer(self, singleShot=True, interval=_LATER_MS)
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._lay_out()

    def close_reading(self) -> None:
        """End the threads that read for the screen; for the end of the window."""
        self._reader.close()

    @property
    def busy(self) -> bool:
        """Say whether something in view is still to be drawn."""
        return self._reader.busy or self._soon.isActive() or self._later.isActive()

    def focus(self) -> None:
        """Take the keys."""
        (self.one if self._pages.currentWidget() is self.one else self.grid).setFocus()

    @property
    def shown(self) -> int:
        """Return the sample that is shown large, -1 for none."""
        return self._shown if self._pages.currentWidget() is self.one else -1

    def _lay_out(self) -> None:
        self._title = label(role="title", name="gallery_title")
        self._count = label(role="muted", name="gallery_count")
        self._order, self._class = QComboBox(), QComboBox()
        for box, name, title in (
            (self._order, "gallery_order", "Order"), (self._class, "gallery_class", "Class"),
        ):  # fmt: skip
            box.setObjectName(name)
            box.setAccessibleName(title)
            box.setToolTip(f"{title} of the samples")
        for order, text in ORDERS.items():
            self._order.addItem(text, order)
        self._picked = button("", self.cleared.emit, name="gallery_picked", tip="Show all again")
        self._hint = label(role="muted", name="gallery_hint")
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._title)
        head.addWidget(self._count, 1)
        head.addWidget(self._picked)
        head.addWidget(self._class)
        head.addWidget(self._order)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.grid)
        self._pages.addWidget(self.one)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addWidget(self._pages, 1)
        layout.addWidget(self._hint)

    @property
    def _set(self) -> Samples | None:
        source = self._session.source
        return source.samples if source is not None else None

    def _tile(self) -> QSize:
        samples = self._set
        return _TRACE if samples is not None and samples.dims == 1 else _PATCH

    def _look(self, size: QSize) -> Look:
        session, view = self._session, self._session.view
        limits = None
        if session.source is not None and session.statistics is not None:
            shown = [session.statistics[band] for band in view.bands]
            chosen = view.low, view.high
            limits = display.stretch_of(session.source, shown, chosen).with_gain(view.gain).limits
        pixels = size * self.devicePixelRatioF()
        return Look(pixels, view.bands, limits, colour_table(view.colour_map), colours().text)

    def _show_hint(self) -> None:
        chosen, why = self.grid.chosen_count, self._session.why_read_only()
        if why:
            text = why
        elif chosen > 1:
            text = f"{grouped(chosen)} selected: 1 – 9 gives them a class, 0 takes it away."
        else:
            text = "Click opens one; Ctrl or Shift selects several; 1 – 9 gives a class, 0 takes it away."
        if not len(self.samples.order) and self._set is not None:
            text = "No sample is of this kind."
        self._hint.setText(text)

    def _on_failed(self, _topic: str, error: Exception) -> None:
        if not isinstance(error, SourceLeft):
            self.failed.emit(error)
