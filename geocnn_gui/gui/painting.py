"""The session's brush: what is painted is gathered, and written as one step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from geocnn_gui.gui.ruling import Ruling
from geocnn_gui.gui.strokes import StrokePart, Tally, area, bounds, joined, only_value
from geocnn_gui.labels.classes import by_id
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.labels.store import weighed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Plane, Section, Window
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.rules import PaintRules
    from geocnn_gui.labels.store import LabelStore
    from geocnn_gui.labels.tools import Shape


class Painting(Ruling):
    """State whose labels can be painted; every stroke is an undo step."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stroke: list[StrokePart] | None = None

    def begin_stroke(self) -> None:
        """Gather what is painted from now on into one undo step."""
        self._stroke = []

    def paint(
        self,
        section: Section,
        rows: slice,
        columns: slice,
        mask: np.ndarray,
        value: np.ndarray | int,
    ) -> np.ndarray:
        """Set masked cells (bool (rows, columns)) of a section to a class id, 0 to erase.

        `value` may be uint8 (rows, columns), an id for each cell. Within a stroke the cells are
        only gathered; `end_stroke` writes them. Returns the cells that the rules let change.
        """
        part = StrokePart(section, rows, columns, mask, value, bool(mask.any()))
        part = replace(part, mask=self._permitted(part))
        if self._stroke is not None:
            self._stroke.append(part)
        else:
            self._paint([part])
        return part.mask

    def paint_values(
        self, section: Section, rows: slice, columns: slice, values: np.ndarray
    ) -> np.ndarray:
        """Set cells of a section to the class ids in `values` (uint8 (rows, columns)).

        Where they are 0 the labels stay. Gathers and returns as `paint` does.
        """
        return self.paint(section, rows, columns, values != 0, values)

    def _permitted(self, part: StrokePart) -> np.ndarray:
        """Return the cells of a part that the rules let change."""
        if self.source is None or self.labels is None:
            return part.mask
        return _permitted(part, self.source.plane(part.section), self.labels.store, self.rules)

    def may_paint(self) -> bool:
        """Say whether a stroke may begin; tell why not while something large is being made."""
        if self.steps.long_busy:
            self.tell(f"{self.steps.busy}: painting goes on when that has ended.")
        return self.labels is not None and not self.steps.long_busy

    def end_stroke(self, text: str = "") -> None:
        """Write what the stroke has gathered to disk, as one undo step, called `text`."""
        parts, self._stroke = self._stroke, None
        if parts:
            self._paint(parts, text)

    def abort_stroke(self) -> None:
        """Forget what the stroke has gathered."""
        parts, self._stroke = self._stroke, None
        if parts and self.source is not None:
            plane = self.source.plane(parts[0].section)
            self.labels_changed.emit(plane.window(*bounds(parts)))

    def paint_shapes(
        self, section: Section, shapes: Iterable[Shape], value: int, *, box: tuple[slice, slice]
    ) -> None:
        """Paint shapes within a box of a section with a class, as one undo step.

        They are drawn one by one, in the background where the box is large: so a shape over all
        of a large raster is never held as one.
        """
        parts = (StrokePart(section, *shape, value, bool(shape[2].any())) for shape in shapes)
        self._write_parts(section, box, parts, Tally(value), cells=area(*box))

    def _paint(
        self, parts: list[StrokePart], text: str = "",
        then: Callable[[int], object] | None = None,
    ) -> None:  # fmt: skip
        """Write parts of a section as one undo step; `then` hears how many cells have changed."""
        cells, wholes = joined(parts)
        tally = Tally(only_value(parts), text, then)
        self._write_parts(parts[0].section, bounds(parts), wholes, tally, cells=cells)

    def _write_parts(
        self, section: Section, box: tuple[slice, slice], parts: Iterable[StrokePart],
        tally: Tally, *, cells: int,
    ) -> None:  # fmt: skip
        """Write parts within a box of a section, large ones in the background."""
        source, labels, entry, rules = self.source, self.labels, self.entry_id, self.rules
        if source is None or labels is None:
            return
        plane, known = source.plane(section), _ids(self.classes)
        window = plane.window(*box)
        if self.why_read_only():
            self.labels_changed.emit(window)
            return

        def edits() -> Iterator[tuple[str, LabelEdit]]:
            # What waited its turn may be of a class that has gone meanwhile.
            bound = replace(rules, locked=rules.locked | (known - _ids(self.classes)))
            for part in parts:
                # Labels or rules may have changed since the part came.
                free = _permitted(part, plane, labels.store, bound)
                value = part.value if isinstance(part.value, int) else plane.array(part.value)
                where = plane.window(part.rows, part.columns)
                edit = LabelEdit.paint(labels.store, where, plane.array(free), value)
                tally.count(part, free, edit)
                yield entry, edit

        name = tally.text or {0: "Erase", None: "Accept the prediction"}.get(tally.value, "")
        name = name or f"Paint {name_of(self.classes, tally.value or 0)}"
        self.steps.do(
            name, edits(), cells=weighed(cells, source.shape),
            then=lambda done: self._after_paint(window, tally, done),
        )  # fmt: skip

    def _after_paint(self, window: Window, tally: Tally, done: bool) -> None:
        """Show what became of cells that were shown as painted, and tell why nothing has changed."""
        if not done or tally.differs:
            self.labels_changed.emit(window)
        if done and tally.asked and not tally.free:
            self._tell_spared(tally.value)
        self._tell_history()
        if tally.then is not None:
            tally.then(tally.changed if done else 0)

    def _waits(self) -> bool:
        """Say whether labels cannot be changed just now, and tell why."""
        if self.steps.busy:
            self.tell(f"{self.steps.busy}: wait for it to end, or stop it.", "warning")
        return bool(self.steps.busy)

    def _tell_history(self) -> None:
        """Tell what became of the steps, where they and the labels do not agree."""
        for note in self.project.history.take_notes() if self.project is not None else ():
            self.tell(note, "warning")
            self.steps.refresh()


def _permitted(part: StrokePart, plane: Plane, store: LabelStore, rules: PaintRules) -> np.ndarray:
    """Return the cells of a part that the rules let change; the one place that asks them."""
    if not rules.bind:
        return part.mask
    old = plane.picture(store.read(plane.window(part.rows, part.columns)))
    return rules.may_change(old, part.mask, part.value)


def _ids(classes: Classes) -> frozenset[int]:
    return frozenset(one.id for one in classes)


def name_of(classes: Classes, number: int) -> str:
    """Return the name of a class, also of one that is not there."""
    found = by_id(classes, number)
    return found.name if found is not None else f"class {number}"
