"""The gallery of a sample set: stands in the place of the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from geocnn_gui.data import display
from geocnn_gui.data.colour_maps import colour_table
from geocnn_gui.gui.canvas.gallery.arrange import BY_PREDICTION, ORDERS, Facts, Order, arrange
from geocnn_gui.gui.canvas.gallery.facts import facts_of, marked_by, told_of
from geocnn_gui.gui.canvas.gallery.grid import Grid
from geocnn_gui.gui.canvas.gallery.one import OneSample, swatch
from geocnn_gui.gui.canvas.gallery.thumbs import Thumbs, drawn_small
from geocnn_gui.gui.canvas.gallery.tiles import SampleList, TilePainter, Words
from geocnn_gui.gui.canvas.reader import Reader
from geocnn_gui.gui.in_use import SourceLeft
from geocnn_gui.gui.theme import colours
from geocnn_gui.gui.widgets.card import button, grouped, label, plural
from geocnn_gui.gui.widgets.sample_picture import Look

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QImage

    from geocnn_gui.gui.session import Session

_ONE = "one"
_PATCH, _TRACE = QSize(112, 112), QSize(168, 84)
#: Milliseconds between two looks at a prediction that grows.
_LATER_MS = 300


class Gallery(QWidget):
    """Shows the samples of the session's source; idle while it is none.

    Signals
    -------
    failed: an exception raised while reading for the screen.
    """

    failed = Signal(object)

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
        self._listen()
        self._on_source()

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

    # -- the parts -----------------------------------------------------------------------------

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
        self._picked = button("", self._forget_marks, name="gallery_picked", tip="Show all again")
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

    def _listen(self) -> None:
        session = self._session
        session.source_changed.connect(self._on_source)
        session.statistics_changed.connect(self._on_look)
        session.view_changed.connect(self._on_look)
        session.classes_changed.connect(self._on_classes)
        session.labels_changed.connect(self._on_labels)
        session.overlay_changed.connect(self._on_prediction)
        session.errors_changed.connect(self._on_errors)
        session.tile_done.connect(lambda _: self._later.isActive() or self._later.start())
        session.job_changed.connect(self._on_job)
        self._later.timeout.connect(self._on_facts)
        self._soon.timeout.connect(self._want)
        self._order.activated.connect(lambda _: self._arrange())
        self._class.activated.connect(lambda _: self._arrange())
        self._thumbs.drawn.connect(self.grid.viewport().update)
        self.grid.moved.connect(self._soon.start)
        self.grid.opened.connect(lambda row: self.open_sample(self.samples.sample(row)))
        self.grid.digit.connect(self.press_digit)
        self.grid.selectionModel().selectionChanged.connect(lambda *_: self._show_hint())
        self.grid.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.grid.customContextMenuRequested.connect(self._show_menu)
        self.one.back.connect(self.close_sample)
        self.one.stepped.connect(self._step)
        self.one.digit.connect(self.press_digit)
        self.one.labelled.connect(self.label_chosen)
        self.one.resized.connect(self._ask_one)
        self._reader.answered.connect(self._on_answered)
        self._reader.failed.connect(self._on_failed)
        self.destroyed.connect(self._reader.close)

    # -- the session has changed ---------------------------------------------------------------

    @property
    def _set(self):
        source = self._session.source
        return source.samples if source is not None else None

    def _on_source(self) -> None:
        self._reader.forget_all()
        self._marked, self._facts, self._shown = None, None, -1
        self._pages.setCurrentWidget(self.grid)
        source, samples = self._session.source, self._set
        if source is None or samples is None:
            self._drawn = None
            self._thumbs.take(None, None)
            self.samples.show_samples(np.zeros(0, np.int64), ())
            return
        self._title.setText(source.name)
        self._title.setToolTip(str(source.path or ""))
        self._order.setCurrentIndex(self._order.findData("file"))
        self._on_look()
        self._on_classes()

    def _on_look(self) -> None:
        """Draw with other limits or colours, where they are others."""
        if self._set is None:
            return
        session, view = self._session, self._session.view
        if view.overlay_visible != self._overlaid:
            self._overlaid = view.overlay_visible
            self._on_prediction()
        key = (session.source, session.statistics, view.bands, view.low, view.high, view.gain,
               view.colour_map, colours().text)  # fmt: skip
        if key == self._drawn:
            return
        self._drawn = key
        self._thumbs.take(session.source, self._look(self._tile()))
        self._soon.start()
        self._ask_one()

    def _on_classes(self) -> None:
        session = self._session
        if self._set is None:
            return
        store = session.prediction
        self.samples.words = Words.of(session.classes, store.classes if store is not None else ())
        chosen = self._class.currentData()
        self._class.clear()
        self._class.addItem("All classes", None)
        for one in session.classes:
            self._class.addItem(swatch(one.color), one.name, one.id)
        self._class.addItem("Unlabelled", 0)
        self._class.setCurrentIndex(max(0, self._class.findData(chosen)))
        self.one.show_classes(session.classes, read_only=session.why_read_only())
        self._on_facts()
        self._arrange()

    def _on_labels(self, _: object = None) -> None:
        self._on_facts()
        if not self._labelling:
            self._arrange()

    def _on_prediction(self) -> None:
        if self._set is None:
            return
        self._on_classes()
        self._lay_out_tiles()

    def _on_job(self) -> None:
        """Put the samples in order once a prediction is whole."""
        if self._set is not None and self._session.job is None and self._session.prediction:
            self._on_facts()
            if self._order.currentData() in BY_PREDICTION:
                self._arrange()

    def _on_facts(self) -> None:
        """Read again what is known of the samples; where they lie stays."""
        if self._set is None:
            return
        self._facts = self.samples.facts = facts_of(self._session)
        self._offer_orders()
        self.grid.viewport().update()
        self._show_one()

    def _on_errors(self) -> None:
        errors = self._session.errors
        if self._set is None or (errors is None and self._labelling):
            return  # what one relabels stays in view
        had, self._marked = self._marked is not None, None
        if errors is not None:
            self._marked = marked_by(errors)
            pair = errors.pair is not None and errors.entries[0].name
            self._picked.setText(f"{pair or 'Errors'}  ✕")
            self.close_sample()
        if had or errors is not None:
            self._class.setCurrentIndex(0)
            self._arrange()

    def _forget_marks(self) -> None:
        self._marked = None
        self._session.pick_confusion(None)
        self._arrange()

    # -- what is shown -------------------------------------------------------------------------

    def _offer_orders(self) -> None:
        """Leave out the orders that a prediction would have to be there for."""
        predicted = self._facts is not None and bool(self._facts.predicted.any())
        for at in range(self._order.count()):
            if self._order.itemData(at) in BY_PREDICTION:
                self._order.model().item(at).setEnabled(predicted)  # type: ignore[attr-defined]
        if not predicted and self._order.currentData() in BY_PREDICTION:
            self._order.setCurrentIndex(0)
            self._arrange()

    def _arrange(self) -> None:
        samples, facts = self._set, self._facts
        if samples is None or facts is None:
            return
        order: Order = self._order.currentData()
        found = arrange(facts, order, self._class.currentData(), self._marked)
        kept = self.grid.chosen()
        self.samples.show_samples(found, samples.names)
        if len(kept):
            self.grid.choose(kept)
        self._lay_out_tiles()
        n = len(samples)
        noun = "trace" if samples.dims == 1 else "sample"
        part = f"{grouped(len(found))} of " if len(found) < n else ""
        self._count.setText(part + plural(n, noun))
        self._picked.setVisible(self._marked is not None)
        self._show_hint()
        self._show_one()

    def _tile(self) -> QSize:
        samples = self._set
        return _TRACE if samples is not None and samples.dims == 1 else _PATCH

    def _lay_out_tiles(self) -> None:
        predicted = self._facts is not None and bool(self._facts.predicted.any())
        self.grid.lay_out(self._tile(), lines=2 if predicted else 1)

    def _look(self, size: QSize) -> Look:
        session, view = self._session, self._session.view
        limits = None
        if session.source is not None and session.statistics is not None:
            shown = [session.statistics[band] for band in view.bands]
            chosen = view.low, view.high
            limits = display.stretch_of(session.source, shown, chosen).with_gain(view.gain).limits
        pixels = size * self.devicePixelRatioF()
        return Look(pixels, view.bands, limits, colour_table(view.colour_map), colours().text)

    def _want(self) -> None:
        rows = self.grid.rows_in_view()
        self._thumbs.want([self.samples.sample(row) for row in rows])

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

    # -- one of them ---------------------------------------------------------------------------

    @property
    def shown(self) -> int:
        """Return the sample that is shown large, -1 for none."""
        return self._shown if self._pages.currentWidget() is self.one else -1

    def open_sample(self, sample: int) -> None:
        """Show a sample large."""
        self._shown = sample
        self.one.picture.show_image(None)
        self._pages.setCurrentWidget(self.one)
        self._hint.setText(
            "Left and Right go on; 1 – 9 gives a class, 0 takes it away; Escape goes back."
        )
        self.one.setFocus()
        self._show_one()
        self._ask_one()

    def close_sample(self) -> None:
        """Show all of them again, the last one selected."""
        if self._pages.currentWidget() is not self.one:
            return
        self._pages.setCurrentWidget(self.grid)
        row = self.samples.row_of(self._shown)
        if row >= 0:
            self.grid.setCurrentIndex(self.samples.index(row))
        self._show_hint()
        self.grid.setFocus()

    def _step(self, steps: int) -> None:
        row, count = self.samples.row_of(self._shown), self.samples.rowCount()
        if count:
            self.open_sample(self.samples.sample(min(max(row + steps, 0), count - 1)))

    def _show_one(self) -> None:
        if self.shown < 0 or self._facts is None:
            return
        row, count = self.samples.row_of(self._shown), self.samples.rowCount()
        place = f"{grouped(row + 1)} of {grouped(count)}" if row >= 0 else ""
        told = told_of(self._session, self._facts, self.samples.words, self._shown, place)
        self.one.show_facts(told)

    def _ask_one(self) -> None:
        source, samples, index = self._session.source, self._set, self.shown
        if source is None or samples is None or index < 0:
            return
        look = self._look(QSize(1, 1))
        room = self.one.picture.room
        if samples.dims == 1:
            room = room.boundedTo(QSize(room.width(), room.width() * 6 // 10))
        look = Look(room, look.bands, look.limits, look.table, look.ink)
        side = max(room.width(), room.height())

        def draw() -> tuple[int, QImage | None]:
            return index, drawn_small(samples, index, side, look)

        self._reader.ask(_ONE, self._session.in_use.bound(source, draw))

    def _on_answered(self, topic: str, answer: tuple[int, QImage | None]) -> None:
        if topic == _ONE and answer[0] == self.shown:
            self.one.picture.show_image(answer[1], "This sample cannot be read.")

    def _on_failed(self, _topic: str, error: Exception) -> None:
        if not isinstance(error, SourceLeft):
            self.failed.emit(error)

    # -- labels --------------------------------------------------------------------------------

    def press_digit(self, place: int) -> None:
        """Give what is selected the class at a place of the table; 0 takes the label away."""
        if place == 0:
            self.label_chosen(0)
        elif place <= len(self._session.classes):
            self.label_chosen(self._session.classes[place - 1].id)

    def label_chosen(self, number: int) -> None:
        """Give what is selected, or shown large, a class; one step of undo."""
        session = self._session
        chosen = np.array([self.shown]) if self.shown >= 0 else self.grid.chosen()
        if session.source is None or not len(chosen):
            session.set_current_class(number)
            return
        low, high = int(chosen.min()), int(chosen.max())
        mask = np.zeros((1, high - low + 1), bool)
        mask[0, chosen - low] = True
        self._labelling = True
        try:
            session.paint(session.section, slice(0, 1), slice(low, high + 1), mask, number)
        finally:
            self._labelling = False

    def _show_menu(self, at: QPoint) -> None:
        if not self.grid.chosen_count or self._session.why_read_only():
            return
        menu = QMenu(self)
        menu.setObjectName("gallery_menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for place, one in enumerate(self._session.classes, 1):
            key = f"\t{place}" if place < 10 else ""
            act = menu.addAction(swatch(one.color), f"{one.name}{key}")
            act.triggered.connect(lambda _=False, number=one.id: self.label_chosen(number))
        menu.addSeparator()
        menu.addAction("Unlabelled\t0").triggered.connect(lambda: self.label_chosen(0))
        menu.popup(self.grid.viewport().mapToGlobal(at))

    def changeEvent(self, event: QEvent) -> None:
        """Draw traces in the ink of another theme."""
        if event.type() == event.Type.PaletteChange and self._set is not None:
            self._on_look()
        super().changeEvent(event)
