"""Keep the canvas's items filled: what the session shows, for the part that is in view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from geocnn_gui.data import display
from geocnn_gui.data.colour_maps import colour_table
from geocnn_gui.data.display import Estimate, Histogram
from geocnn_gui.data.source import Picture
from geocnn_gui.gui.canvas.colour_maps import class_colours, confidence_colours, packed
from geocnn_gui.gui.canvas.image_item import Rendering
from geocnn_gui.gui.canvas.index_item import aligned
from geocnn_gui.gui.canvas.overlays import (
    class_levels,
    confidence_levels,
    error_levels,
    is_large,
    label_levels,
    picture_levels,
    value_levels,
    value_map,
)
from geocnn_gui.gui.canvas.parts import WHOLE, Part, coarse_part, still_good, wanted_part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from geocnn_gui.data.display import Percentiles, Stretch
    from geocnn_gui.data.source import Plane, Window
    from geocnn_gui.gui.canvas.canvas import Canvas
    from geocnn_gui.gui.canvas.reader import Reader
    from geocnn_gui.gui.session import Session

#: Moves of the view within so many milliseconds are answered by one read.
_SETTLE_MS = 25
#: A step tells of about so many windows one after the other whose labels it has changed.
_IN_A_ROW = 8
_FINE, _COARSE, _OVERLAY, _LABELS = "fine", "coarse", "overlay", "labels"


@dataclass(frozen=True, slots=True)
class _Shot:
    """A picture that was read, and the figures of it that take a moment."""

    key: tuple[Any, ...]
    part: Part
    picture: Picture
    histograms: tuple[Histogram, ...]
    estimate: tuple[Estimate, ...]


class Feed(QObject):
    """Reads what the canvas needs and hands it over.

    Signals
    -------
    pictured: a new section or choice of bands is on the canvas. stretched: `stretch` changed.
    busy_changed: whether a read is awaited. failed: a read's exception.
    """

    pictured = Signal()
    stretched = Signal()
    busy_changed = Signal(bool)
    failed = Signal(object)

    def __init__(self, session: Session, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._session, self._canvas = session, canvas
        # The tools ask through the same threads, and of the same section that is kept.
        self._reader, self._sections = canvas.questions.reader, canvas.questions.sections
        self._reader.answered.connect(self._on_answered)
        self._reader.failed.connect(self._on_failed)
        self._reader.busy_changed.connect(self.busy_changed)
        self._late_tiles: list[Window] = []
        self._late_labels: list[Window] = []
        self._estimate: Sequence[Percentiles] = ()
        self._pictured: tuple[Any, ...] | None = None
        self._overlaid: object = None
        self._asked: tuple[object, Part] | None = None
        self.histograms: tuple[Histogram, ...] = ()
        self.stretch: display.Stretch | None = None
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self.refresh)
        canvas.viewport_changed.connect(self._settle.start)

    @property
    def reader(self) -> Reader:
        """Return the reader, for other questions of the same source."""
        return self._reader

    @property
    def busy(self) -> bool:
        """Say whether something in view is still to be read."""
        return self._settle.isActive() or self._reader.busy

    @property
    def key(self) -> tuple[Any, ...]:
        """Return what a picture must be of to be drawn: source, section and bands."""
        return id(self._session.source), self._session.section, self._session.view.bands

    def close(self) -> None:
        """End the reading threads."""
        self._settle.stop()
        self._reader.close()

    # -- the session has changed ---------------------------------------------------------------

    def take_source(self) -> None:
        """Show another source, or none."""
        self._canvas.questions.forget()
        self._reader.forget_all()
        self._sections.forget()
        self._estimate, self._asked, self._pictured = (), None, None
        self._late_tiles, self.histograms, self.stretch = [], (), None
        self._canvas.image.clear()
        self.take_section()

    def take_section(self) -> None:
        """Show another section, at the same place where it has the same shape."""
        session, canvas = self._session, self._canvas
        shape = session.source.picture_shape(session.section) if session.source else (0, 0)
        if shape != canvas.picture_shape:
            canvas.image.clear()
        canvas.labels.clear()
        canvas.prediction.clear()
        self._reader.forget(_OVERLAY)
        self._reader.forget(_LABELS)
        self.take_aspect()
        self.refresh()

    def take_aspect(self) -> None:
        """Lock or free the proportions of a cell."""
        session = self._session
        source = session.source
        shape = source.picture_shape(session.section) if source else (0, 0)
        locked = source is not None and session.view.lock_aspect
        aspect = display.cell_aspect(source, session.section) if source and locked else None
        self._canvas.set_picture(shape, aspect)

    def take_view(self) -> None:
        """Draw with other limits, colours, bands or opacities."""
        self.take_aspect()
        self._take_colours()
        self._take_rendering()
        self.refresh()
        self._canvas.update()

    def take_prediction(self) -> None:
        """Show another prediction, or another figure of it."""
        self._canvas.prediction.clear()
        self._reader.forget(_OVERLAY)
        self._late_tiles = []
        self._take_colours()
        self.refresh()
        self._canvas.update()

    def take_labels(self, window: Window) -> None:
        """Read the labels of a window again."""
        labels, source = self._session.labels, self._session.source
        held = self._canvas.labels.part
        if labels is None or source is None or held is None:
            return
        plane = source.plane(self._session.section)
        if self._reader.waits_for(_LABELS):
            self._late_labels.append(window)
        part = _touched(plane, held, window)
        if part is not None and is_large(part, several=_IN_A_ROW):
            self._ask_labels(held)
        elif part is not None:
            self._canvas.labels.update(part, label_levels(labels.store, plane, part))
            self._canvas.update(self._canvas.viewport.dirty(part.rows, part.columns))

    def take_tile(self, window: Window) -> None:
        """Show a tile of the prediction that is on disk."""
        if self._reader.waits_for(_OVERLAY):
            self._late_tiles.append(window)
        source, levels, held = self._session.source, self._levels(), self._canvas.prediction.part
        if source is None or levels is None or held is None:
            return
        plane = source.plane(self._session.section)
        part = _touched(plane, held, window)
        if part is not None:
            self._canvas.prediction.update(part, levels(plane, part))
            self._canvas.update(self._canvas.viewport.dirty(part.rows, part.columns))

    # -- what is in view -----------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask for what is in view and not held yet."""
        session, canvas = self._session, self._canvas
        source = session.source
        if source is None or source.samples is not None:  # the gallery shows those
            return
        if 0 in canvas.picture_shape or canvas.size_f.isEmpty():
            return
        part = wanted_part(
            canvas.viewport, canvas.size_f, canvas.picture_shape, canvas.devicePixelRatioF(), WHOLE
        )
        self._refresh_image(part)
        self._refresh_labels(part)
        self._refresh_prediction(part)

    def _visible(self) -> tuple[slice, slice]:
        canvas = self._canvas
        return canvas.viewport.visible(canvas.size_f, canvas.picture_shape)

    def _refresh_image(self, part: Part) -> None:
        session, image, key = self._session, self._canvas.image, self.key
        source, section, bands = session.source, session.section, session.view.bands
        if source is None or still_good(image.fine_part(key), part, *self._visible()):
            return
        if self._asked == (key, part) and self._reader.waits_for(_FINE):
            return
        sections = self._sections

        def shoot(part: Part) -> _Shot:
            picture = sections.read(source, section, part, bands=bands)
            figures = display.histograms(picture), Estimate.of(picture)
            return _Shot(key, part, picture, *figures)

        if not sections.keeps(source, section) and not image.has_coarse(key):
            coarse = coarse_part(self._canvas.picture_shape)
            self._reader.ask(_COARSE, session.in_use.bound(source, lambda: shoot(coarse)))
        self._asked = (key, part)
        self._reader.ask(_FINE, session.in_use.bound(source, lambda: shoot(part)))

    def _refresh_labels(self, part: Part) -> None:
        session, item = self._session, self._canvas.labels
        if session.source is None or session.labels is None:
            item.clear()
        elif not still_good(item.part, part, *self._visible()):
            if is_large(part):
                self._ask_labels(part)
                return
            plane = session.source.plane(session.section)
            self._reader.forget(_LABELS)
            self._show_labels(part, label_levels(session.labels.store, plane, part))

    def _ask_labels(self, part: Part) -> None:
        """Read the labels of a large part on a thread; what is painted meanwhile is read again."""
        session = self._session
        if session.source is not None and session.labels is not None:
            store, plane = session.labels.store, session.source.plane(session.section)
            self._late_labels = []
            self._reader.ask(_LABELS, lambda: (part, label_levels(store, plane, part)))

    def _show_labels(self, part: Part, levels: np.ndarray) -> None:
        self._canvas.labels.set_levels(part, levels)
        self._take_colours()
        late, self._late_labels = self._late_labels, []
        for window in late:
            self.take_labels(window)
        self._canvas.update()

    def _refresh_prediction(self, part: Part) -> None:
        session, levels = self._session, self._levels()
        item, key = self._canvas.prediction, self._overlay_key
        if session.source is None or levels is None:
            item.clear()
            return
        if key != self._overlaid:
            item.clear()
        if not still_good(item.part, part, *self._visible()):
            plane = session.source.plane(session.section)
            self._reader.ask(_OVERLAY, lambda: (key, part, levels(plane, part)))

    @property
    def _overlay_key(self) -> tuple[Any, ...]:
        session = self._session
        return session.shown_map, session.section, session.view.overlay, session.errors

    def _levels(self) -> Callable[[Plane, Part], np.ndarray] | None:
        """Return what reads the levels of the errors shown, or else of the prediction."""
        store, kind = self._session.shown_map, self._session.view.overlay
        if (errors := self._session.errors) is not None:
            return lambda plane, part: error_levels(errors.marks, plane, part)
        if store is None or kind == "none":
            return None
        read = class_levels(store) if kind == "classes" else confidence_levels(store)
        read = value_levels(store) if store.target is not None else read
        return lambda plane, part: picture_levels(read, plane, part)

    # -- answers -------------------------------------------------------------------------------

    def _on_answered(self, topic: str, answer: Any) -> None:
        if topic == _OVERLAY:
            self._show_prediction(*answer)
        elif topic == _LABELS:
            self._show_labels(*answer)
        elif topic in (_FINE, _COARSE):
            self._show_picture(topic, answer)

    def _on_failed(self, _topic: str, error: Exception) -> None:
        self.failed.emit(error)

    def _show_picture(self, topic: str, shot: _Shot) -> None:
        if shot.key != self.key:
            return
        image = self._canvas.image
        show = image.set_fine if topic == _FINE else image.set_coarse
        show(shot.key, shot.part, shot.picture)
        if self._pictured != shot.key:
            self._pictured = shot.key
            self.histograms, self._estimate = shot.histograms, shot.estimate
            self._take_rendering()
            self.pictured.emit()
        self._canvas.update()

    def _show_prediction(self, key: object, part: Part, levels: Any) -> None:
        if key != self._overlay_key:
            return
        self._overlaid = key
        self._canvas.prediction.set_levels(part, levels)
        tiles, self._late_tiles = self._late_tiles, []
        for window in tiles:
            self.take_tile(window)
        self._canvas.update()

    # -- colours -------------------------------------------------------------------------------

    def _take_colours(self) -> None:
        view, canvas = self._session.view, self._canvas
        changed = canvas.labels.set_colours(
            class_colours(self._session.classes, view.labels_opacity)
        )
        store, errors = self._session.shown_map, self._session.errors
        confidence = view.overlay == "confidence" and errors is None
        classes = store.classes if store is not None else self._session.classes
        classes = classes if errors is None else errors.entries
        values = store is not None and store.target is not None and errors is None
        colours = (
            confidence_colours(view.overlay_opacity, value_map(store))
            if confidence or values
            else class_colours(
                classes, view.overlay_opacity if errors is None else self._session.error_opacity
            )
        )
        if canvas.prediction.set_colours(colours) or changed:
            canvas.update()

    def take_classes(self) -> None:
        """Draw the classes in other colours."""
        self._take_colours()

    def _take_rendering(self) -> None:
        stretch = self._stretch()
        if stretch is None or self._pictured is None:
            return
        if self._pictured[2] != self._session.view.bands:
            return  # the picture held is of other bands; the new one is on its way
        view = self._session.view
        colours = packed(colour_table(view.colour_map)) if len(view.bands) == 1 else []
        self._canvas.image.set_rendering(Rendering(stretch.limits, tuple(colours)))
        if stretch != self.stretch:
            self.stretch = stretch
            self.stretched.emit()

    def _stretch(self) -> Stretch | None:
        session, view = self._session, self._session.view
        if session.source is None:
            return None
        if session.statistics is not None:
            of_bands: Sequence[Percentiles] = [session.statistics[band] for band in view.bands]
        elif self._estimate:
            of_bands = self._estimate
        else:
            return None
        chosen = (view.low, view.high)
        return display.stretch_of(session.source, of_bands, chosen).with_gain(view.gain)


def _touched(plane: Plane, held: Part, window: Window) -> Part | None:
    cells = plane.cells(window)
    return aligned(held, *cells) if cells is not None else None
