"""The canvas with everything around it: section bar, axes, colour bar, legend, sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt, QTimer, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from geocnn_gui.data.colour_maps import COLOUR_MAP_TITLES, CONFIDENCE_MAP, colour_table
from geocnn_gui.data.source import Section
from geocnn_gui.gui.canvas.axes import AxisBar
from geocnn_gui.gui.canvas.canvas import Canvas
from geocnn_gui.gui.canvas.colour_maps import packed
from geocnn_gui.gui.canvas.feed import Feed
from geocnn_gui.gui.canvas.overlays import value_limits, value_map
from geocnn_gui.gui.canvas.pointer import Pointer
from geocnn_gui.gui.canvas.readout import number_text
from geocnn_gui.gui.canvas.split_item import BUFFER, HELD, TESTED
from geocnn_gui.gui.live import PREPARING
from geocnn_gui.gui.widgets.histogram_bar import HistogramBar
from geocnn_gui.gui.widgets.legend import Legend
from geocnn_gui.gui.widgets.section_bar import SectionBar

if TYPE_CHECKING:
    from geocnn_gui.data.source import Window
    from geocnn_gui.gui.session import Session

HINT = "Paint a few strokes of at least two classes, then train."
#: A wait longer than this is shown.
_PATIENCE_MS = 200
_CHANNEL_INKS = ("#d1495b", "#3a9d5d", "#3b7dd8")
_INSET, _GAP = 12, 4
_READING = "Reading\u2026"


class CanvasView(QWidget):
    """Shows the session's section; `canvas` is the part that takes keys.

    Signals
    -------
    failed: an exception raised while reading for the screen.
    """

    failed = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("canvasView")
        self._session = session
        self.canvas = Canvas(session, self)
        self.section_bar = SectionBar(COLOUR_MAP_TITLES, self)
        self.top_axis = AxisBar(Qt.Orientation.Horizontal, self)
        self.left_axis = AxisBar(Qt.Orientation.Vertical, self)
        self.colour_bar = HistogramBar(self)
        self.legend = Legend(self.canvas)
        self.split_legend = Legend(self.canvas)
        self.split_legend.setObjectName("split_legend")
        self.hint = _Sentence(HINT, self.canvas)
        self.tool_hint = _Sentence("", self.canvas)
        self.tool_hint.setObjectName("tool_hint")
        self.guide = _Sentence("", self.canvas)
        self.guide.setObjectName("guide_sentence")
        self._cursor_below = False
        self.waiting = _Sentence(_READING, self.canvas)
        self.feed = Feed(session, self.canvas)
        self._pointer = Pointer(session, self.canvas, self.feed)
        self._patience = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._lay_out()
        self._listen_to_widgets()
        self._listen_to_session()
        self._on_source_changed()

    def close_reading(self) -> None:
        """End the threads that read for the screen; for the end of the window."""
        self.feed.close()

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(0)
        grid.addWidget(self.top_axis, 0, 1)
        grid.addWidget(self.left_axis, 1, 0)
        grid.addWidget(self.canvas, 1, 1)
        grid.setColumnMinimumWidth(2, 10)
        grid.addWidget(self.colour_bar, 1, 3)
        grid.setColumnStretch(1, 1)
        grid.setRowStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.section_bar)
        layout.addLayout(grid, 1)

    def _listen_to_widgets(self) -> None:
        bar, session = self.section_bar, self._session
        bar.axis_chosen.connect(self._on_axis_chosen)
        bar.index_chosen.connect(lambda i: session.set_section(Section(session.section.axis, i)))
        bar.step_requested.connect(session.step_section)
        bar.gain_changed.connect(lambda gain: session.set_view(gain=gain))
        bar.colour_map_chosen.connect(lambda name: session.set_view(colour_map=name))
        bar.bands_chosen.connect(lambda bands: session.set_view(bands=bands, low=None, high=None))
        bar.aspect_locked.connect(lambda locked: session.set_view(lock_aspect=locked))
        self.colour_bar.limits_changed.connect(
            lambda low, high: session.set_view(low=low, high=high, gain=1.0)
        )
        self.colour_bar.reset_requested.connect(
            lambda: session.set_view(low=None, high=None, gain=1.0)
        )
        self.top_axis.zoom_requested.connect(
            lambda factor, x: self.canvas.zoom(QPointF(x, 0), factor, 1.0)
        )
        self.left_axis.zoom_requested.connect(
            lambda factor, y: self.canvas.zoom(QPointF(0, y), 1.0, factor)
        )
        self.canvas.viewport_changed.connect(self._show_view)
        self.canvas.viewport_changed.connect(self._place_overlays)
        self.canvas.cursor_moved.connect(self._mark_axes)
        self.canvas.opacity_turned.connect(self._turn_opacity)
        self.canvas.cursor_moved.connect(self._session.hover_cell)
        self.canvas.cursor_moved.connect(self._session.note_cursor)
        self.canvas.cursor_moved.connect(self._session.why_here.hover)
        self.canvas.hint_changed.connect(self._show_hint)
        self.feed.pictured.connect(self._show_histogram)
        self.feed.stretched.connect(self._show_limits)
        self.feed.busy_changed.connect(self._on_busy)
        self.feed.failed.connect(self.failed)
        self._patience.timeout.connect(self.waiting.show)
        # Without a parent-child tie to the threads, they must be ended by hand.
        self.destroyed.connect(self.feed.reader.close)

    def _listen_to_session(self) -> None:
        session = self._session
        session.source_changed.connect(self._on_source_changed)
        session.section_changed.connect(self._on_section_changed)
        session.view_changed.connect(self._on_view_changed)
        session.labels_changed.connect(self._on_labels_changed)
        session.classes_changed.connect(self._on_classes_changed)
        session.tool_changed.connect(lambda: self.canvas.use_tool(session.tool))
        session.overlay_changed.connect(self._on_overlay_changed)
        session.errors_changed.connect(self._on_overlay_changed)
        session.target_changed.connect(self._show_sentences)
        session.block_wanted.connect(lambda block: self.canvas.show_block(*block))
        session.tile_done.connect(self.feed.take_tile)
        session.map_changed.connect(self._on_overlay_changed)
        session.live.tile_drawn.connect(self.feed.take_tile)
        session.live.changed.connect(self._on_live_changed)
        self.canvas.viewport_changed.connect(self._tell_live)
        session.section_changed.connect(self._tell_live)
        for signal in (session.next_places.changed, session.why_here.changed,
                       session.suspects.changed, session.section_changed):  # fmt: skip
            signal.connect(self._show_marks)
        for signal in (session.split_changed, session.section_changed, session.source_changed):
            signal.connect(self._show_split)
        for signal in (session.seen_changed, session.section_changed):
            signal.connect(self._show_inside)

    # -- the session has changed ---------------------------------------------------------------

    def _on_source_changed(self) -> None:
        self.canvas.finish_gesture()
        source = self._session.source
        sections = source.section_axes if source else ()
        self.section_bar.set_sections([source.axes[i] for i in sections] if source else ())
        title = source.name if source else ""
        self.section_bar.set_title(title, str(source.path or "") if source else "")
        self.colour_bar.reset()
        self.feed.take_source()
        self._show_section()
        self._show_look()
        self._show_sentences()

    def _on_section_changed(self) -> None:
        self.canvas.finish_gesture()
        self.feed.take_section()
        self._show_section()
        self._show_sentences()

    def _on_view_changed(self) -> None:
        self.feed.take_view()
        self._show_look()
        self._show_sentences()

    def _on_labels_changed(self, window: Window) -> None:
        self.feed.take_labels(window)
        self.canvas.take_labels()
        self._show_sentences()

    def _on_classes_changed(self) -> None:
        self.canvas.take_labels()
        self.feed.take_classes()
        self._show_sentences()

    def _on_live_changed(self) -> None:
        self.feed.take_classes()
        self._show_sentences()
        self._on_busy(self.feed.busy)

    def _tell_live(self) -> None:
        """Say which cells are in view."""
        canvas = self.canvas
        if 0 not in canvas.picture_shape:
            rows, columns = canvas.viewport.visible(canvas.size_f, canvas.picture_shape)
            self._session.live.set_cells(rows, columns)

    def _on_overlay_changed(self) -> None:
        self.feed.take_prediction()
        self._show_sentences()

    # -- what the user asks for ----------------------------------------------------------------

    def _on_axis_chosen(self, axis: int) -> None:
        source = self._session.source
        if source is not None and axis != self._session.section.axis:
            self._session.set_section(Section(axis, source.shape[axis] // 2))

    def _turn_opacity(self, change: float) -> None:
        view, predicted = self._session.view, self._session.shown_map is not None
        if self._session.errors is not None:
            self._session.set_error_opacity(self._session.error_opacity + change)
            return
        name = "overlay_opacity" if predicted and view.overlay != "none" else "labels_opacity"
        opacity = min(max(getattr(view, name) + change, 0.0), 1.0)
        self._session.set_view(**{name: round(opacity, 3)})

    # -- what is shown around the picture ------------------------------------------------------

    def _show_section(self) -> None:
        source, section = self._session.source, self._session.section
        if source is None:
            self.top_axis.set_axis(None)
            self.left_axis.set_axis(None)
            return
        plane = source.plane(section)
        self.top_axis.set_axis(source.axes[plane.column_axis])
        self.left_axis.set_axis(source.axes[plane.row_axis])
        if section.axis is not None:
            self.section_bar.set_section(section.axis, section.index)
        self._show_view()

    def _show_view(self) -> None:
        view = self.canvas.viewport
        self.top_axis.set_view(view.left, view.x_scale)
        self.left_axis.set_view(view.top, view.y_scale)

    def _show_look(self) -> None:
        view, source = self._session.view, self._session.source
        names = [band.name for band in source.bands] if source else []
        colours = {band.colour: i for i, band in enumerate(source.bands)} if source else {}
        natural = tuple(colours.get(name, -1) for name in ("red", "green", "blue"))
        self.section_bar.set_bands(names, view.bands, natural if min(natural) >= 0 else None)
        self.section_bar.set_look(
            gain=view.gain, colour_map=view.colour_map, lock_aspect=view.lock_aspect
        )
        single = len(view.bands) == 1
        self.colour_bar.set_colours(packed(colour_table(view.colour_map)) if single else ())

    def _show_histogram(self) -> None:
        inks = _CHANNEL_INKS if len(self.feed.histograms) == 3 else ()
        self.colour_bar.set_histograms(self.feed.histograms, inks)

    def _show_limits(self) -> None:
        stretch = self.feed.stretch
        if stretch is not None:
            self.colour_bar.set_limits(*stretch.mean, symmetric=stretch.symmetric)

    def _mark_axes(self, cell: tuple[int, int] | None) -> None:
        self.top_axis.set_cursor(cell[1] + 0.5 if cell else None)
        self.left_axis.set_cursor(cell[0] + 0.5 if cell else None)
        y = self.canvas.viewport.y_of(cell[0]) if cell else 0.0
        if (y > 0.75 * self.canvas.height()) != self._cursor_below:
            self._cursor_below = not self._cursor_below
            self._place_overlays()

    def _show_sentences(self) -> None:
        """Show the legend of a prediction, or what to do while there are no labels."""
        session, view = self._session, self._session.view
        store = session.shown_map if view.overlay_visible else None
        errors = session.errors if view.overlay_visible else None
        self.legend.setVisible(store is not None and (view.overlay != "none" or errors is not None))
        if errors is not None:
            entries = [(one.color, one.name) for one in errors.entries]
            self.legend.show_classes("Errors", entries)
        elif store is not None and store.target is not None:
            ends = tuple(number_text(float(f"{v:.3g}")) for v in value_limits(store))
            colours = packed(colour_table(value_map(store)))
            self.legend.show_bar(store.target.title, colours, (ends[0], ends[1]))
        elif store is not None and view.overlay == "confidence":
            self.legend.show_bar("Confidence", packed(colour_table(CONFIDENCE_MAP)))
        elif store is not None:
            entries = [(one.color, one.name) for one in store.classes]
            self.legend.show_classes("Live" if session.live.shows else "Prediction", entries)
        labels = session.labels
        unlabelled = labels is not None and not labels.store.counts and not session.learns_values
        hint = session.live.sentence or (HINT if unlabelled and store is None else "")
        self.hint.say(hint if not self.tool_hint.text() else "")
        self._place_overlays()

    def _show_hint(self, text: str) -> None:
        """Say what to do next with the tool in hand, in the place of what to do at first."""
        self.tool_hint.say(text)
        self._show_sentences()

    def _hint_y(self) -> int:
        """Return where the hint is out of the way: below, or above while the cursor is below."""
        if self._cursor_below:
            return _INSET
        return self.canvas.height() - self.tool_hint.height() - _INSET

    def _guide_y(self) -> int:
        """Return where the guide's sentence is free of the others above."""
        taken = [s for s in (self.waiting, self.tool_hint) if s.isVisible() and s.y() <= _INSET]
        return _INSET + sum(sentence.height() + _GAP for sentence in taken)

    def _show_split(self) -> None:
        """Draw what the next training holds out, and say what the colours mean."""
        ground = self._session.split_ground()
        self.canvas.split.set_ground(ground)
        self.split_legend.setVisible(ground is not None)
        shown = self._session.split
        if shown is not None and ground is not None:
            folds = shown.plan.folds
            title = f"Split, fold {ground.fold + 1} of {folds}" if folds > 1 else "Split"
            buffer = [(BUFFER, "Buffer")] if max(shown.plan.buffer) else []
            entries = [(HELD, "Held out"), *buffer, (TESTED, "Test set")]
            self.split_legend.show_classes(title, entries)
        self.canvas.update()
        self._place_overlays()

    def _show_inside(self) -> None:
        """Draw what is seen inside the model."""
        self.canvas.inside.set_overlay(self._session.inspect_overlay())
        self.canvas.update()

    def _show_marks(self) -> None:
        """Outline the place to label next, strokes that are like and a suspect; say why."""
        places, why, suspects = (
            self._session.next_places, self._session.why_here, self._session.suspects,
        )  # fmt: skip
        marks = (places.mark, *why.marks, suspects.mark)
        self.canvas.marks.set_marks([mark for mark in marks if mark is not None])
        shown = suspects.sentence if suspects.mark is not None else ""
        self.guide.say(why.sentence or places.sentence or shown)
        self.canvas.update()
        self._place_overlays()

    def _on_busy(self, busy: bool) -> None:
        preparing = self._session.live.preparing
        self.waiting.setText(PREPARING if preparing and not busy else _READING)
        self.waiting.adjustSize()
        if not (busy or preparing):
            self._patience.stop()
            self.waiting.hide()
        elif not self._patience.isActive() and self.waiting.isHidden():
            self._patience.start()
        self._place_overlays()

    def _place_overlays(self) -> None:
        width, height = self.canvas.width(), self.canvas.height()
        for sentence, y in (
            (self.hint, lambda: height - self.hint.height() - _INSET),
            (self.tool_hint, self._hint_y),
            (self.waiting, lambda: _INSET),
            (self.guide, self._guide_y),
        ):
            if sentence.isVisible():
                sentence.fit()  # before its place is asked for, which is by its height
            sentence.move((width - sentence.width()) // 2, y())
        for legend, x in (
            (self.legend, width - self.legend.width() - _INSET), (self.split_legend, _INSET),
        ):  # fmt: skip
            legend.move(x, height - legend.height() - _INSET)
            for sentence in (self.hint, self.tool_hint):
                if sentence.isVisible() and sentence.geometry().intersects(legend.geometry()):
                    legend.move(x, sentence.y() - legend.height() - _GAP)


class _Sentence(QLabel):
    """A quiet sentence on a rounded patch over the canvas; the mouse goes through."""

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self._over = parent
        self.setObjectName("canvasSentence")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setContentsMargins(12, 6, 12, 6)
        self.setAutoFillBackground(False)
        self.setStyleSheet(
            "QLabel { background: palette(base); color: palette(text); border-radius: 6px; }"
        )
        self.adjustSize()
        self.hide()

    def say(self, text: str) -> None:
        """Show a sentence, or nothing; one that is wider than the canvas takes several lines."""
        self.setText(text)
        if text:
            self.fit()
        self.setVisible(bool(text))

    def fit(self) -> None:
        """Take the size of the text, as wide as the canvas at most."""
        room = self._over.width() - 2 * _INSET
        self.setWordWrap(False)
        wide = self.sizeHint().width() > room
        self.setWordWrap(wide)
        self.resize(room, self.heightForWidth(room)) if wide else self.adjustSize()
