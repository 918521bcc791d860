"""The gallery of a sample set: stands in the place of the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtWidgets import QMenu, QWidget

from geocnn_gui.gui.canvas.gallery.arrange import BY_PREDICTION, Order, arrange
from geocnn_gui.gui.canvas.gallery.facts import facts_of, marked_by, told_of
from geocnn_gui.gui.canvas.gallery.one import swatch
from geocnn_gui.gui.canvas.gallery.parts import GalleryParts
from geocnn_gui.gui.canvas.gallery.thumbs import drawn_small
from geocnn_gui.gui.canvas.gallery.tiles import Words
from geocnn_gui.gui.theme import colours
from geocnn_gui.gui.widgets.card import grouped, plural
from geocnn_gui.gui.widgets.sample_picture import Look

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QImage

    from geocnn_gui.gui.session import Session

_ONE = "one"


class Gallery(GalleryParts):
    """Shows the samples of the session's source; idle while it is none."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self._listen()
        self._on_source()

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
        self.cleared.connect(self._forget_marks)
        self._reader.answered.connect(self._on_answered)
        self._reader.failed.connect(self._on_failed)
        self.destroyed.connect(self._reader.close)

    # -- the session has changed ---------------------------------------------------------------

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

    def _lay_out_tiles(self) -> None:
        predicted = self._facts is not None and bool(self._facts.predicted.any())
        self.grid.lay_out(self._tile(), lines=2 if predicted else 1)

    def _want(self) -> None:
        rows = self.grid.rows_in_view()
        self._thumbs.want([self.samples.sample(row) for row in rows])

    # -- one of them ---------------------------------------------------------------------------

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
