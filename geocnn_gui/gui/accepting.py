"""Labels that come from what is there already: a prediction, the section beside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.gui.labelling import Labelling
from geocnn_gui.gui.strokes import StrokePart
from geocnn_gui.labels.matching import predicted_ids, with_classes

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Section, Source
    from geocnn_gui.gui.state import ShownMap
    from geocnn_gui.labels.classes import Classes

#: So many cells of a prediction are accepted at once, and so many are read at a time.
MOST_ACCEPTED, _AT_ONCE = 25_000_000, 2_000_000


class Accepting(Labelling):
    """Labelling by accepting a prediction and by copying from a section to the next."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._told_unknown: ShownMap | None = None

    def why_no_accepting(self) -> str:
        """Say why no prediction can be accepted as labels; "" where one can."""
        if self.source is None or self.labels is None:
            return "Open a file first."
        if reason := self.why_read_only():
            return reason
        if self.shown_map is None:
            return "Predict first."
        if self.shown_map.target is not None:
            return "What is predicted here are values, not classes."
        return ""

    def predicted_labels(self, section: Section, rows: slice, columns: slice) -> np.ndarray:
        """Return what accepting the prediction would write, uint8 (rows, columns).

        0 where nothing is predicted, where it is less sure than `accept_from`, and where it is a
        class that the project does not have.
        """
        assert self.source is not None
        assert self.shown_map is not None
        table, _ = predicted_ids(self.classes, self.shown_map.classes)
        return _accepted(self.source, self.shown_map, section, rows, columns,
                         table=table, least=self.accept_from)  # fmt: skip

    def check_accepting(self) -> bool:
        """Say whether a prediction can be accepted; tell why not, or what of it cannot."""
        if reason := self.why_no_accepting():
            self.tell(reason)
            return False
        if not self.may_paint():
            return False
        self._tell_unknown()
        return True

    def _tell_unknown(self) -> None:
        """Tell once for each prediction which of its classes the project lacks."""
        shown = self.shown_map
        if shown is None or shown is self._told_unknown:
            return
        self._told_unknown = shown
        _, unknown = predicted_ids(self.classes, shown.classes)
        if unknown:
            names = ", ".join(one.name for one in unknown)
            self.tell(
                f"This project has no class {names}: what is predicted as that is not accepted.",
                actions=(("Add to the classes", lambda: self._add_classes(unknown)),),
            )

    def _add_classes(self, more: Classes) -> None:
        self._change_classes("Add classes", with_classes(self.classes, more))

    def accept_in_view(self, rows: slice, columns: slice) -> None:
        """Label a block of the section in view as predicted, as one undo step.

        The prediction is read in the background.
        """
        source, shown, section = self.source, self.shown_map, self.section
        if not self.check_accepting() or source is None or shown is None:
            return
        cells = (rows.stop - rows.start) * (columns.stop - columns.start)
        if cells > MOST_ACCEPTED:
            self.tell(
                f"{_count(cells)} {self.cell_noun}s are in view and at most "
                f"{_count(MOST_ACCEPTED)} can be accepted at once: zoom in.",
                "warning",
            )
            return
        table, _ = predicted_ids(self.classes, shown.classes)
        least = self.accept_from

        def read() -> StrokePart | None:
            values = _accepted(source, shown, section, rows, columns, table=table, least=least)
            part = StrokePart(section, rows, columns, values != 0, values)
            return part if part.mask.any() else None

        def done(part: StrokePart | None) -> None:
            if self.source is not source or self.why_read_only():
                return
            if not np.array_equal(predicted_ids(self.classes, shown.classes)[0], table):
                self.tell("The classes have changed meanwhile: accept the prediction again.")
                return
            self._take_accepted(part)

        self._work_on(source, read, done, "Reading the prediction")

    def _take_accepted(self, part: StrokePart | None) -> None:
        if part is None:
            sure = f" with a confidence of {self.accept_from:g} or more" if self.accept_from else ""
            self.tell(f"Nothing is predicted in view{sure}.")
            return

        def tell(cells: int) -> None:
            if cells:
                self.tell(f"{_count(cells)} {self.cell_noun}s labelled as predicted.")

        self._paint([part], "Accept the prediction", tell)

    # To the next section

    def why_no_copy_to(self, step: int) -> str:
        """Say why labels cannot be copied `step` sections on; "" where they can."""
        source, section = self.source, self.section
        if source is None or self.labels is None:
            return "Open a file first."
        if section.axis is None:
            return "Only a cube has other sections."
        if reason := self.why_read_only():
            return reason
        if not 0 <= section.index + step < source.shape[section.axis]:
            return f"This is the {'last' if step > 0 else 'first'} section."
        return ""

    def copy_labels(self, step: int) -> None:
        """Copy the labels of the section in view `step` sections on and show that one.

        Labels that are there stay; cells without data get none. One undo step.
        """
        source, section = self.source, self.section
        if self.why_no_copy_to(step) or source is None or self._stroke is not None:
            return
        if not self.may_paint():
            return
        target = replace(section, index=section.index + step)
        found = self._labels_of(section)
        if found is None:
            self.tell("There are no labels on this section to copy.")
            return
        rows, columns, values = found
        plane = source.plane(target)

        def read() -> np.ndarray:
            return plane.picture(source.live(plane.window(rows, columns)))

        def done(live: np.ndarray) -> None:
            if self.section == section:  # else the user has gone elsewhere, perhaps by this key
                self._take_copy(target, rows, columns, values, live)

        self._look_at(source, read, done)

    def _labels_of(self, section: Section) -> tuple[slice, slice, np.ndarray] | None:
        """Return the block of a section that holds all of its labels, None where it has none."""
        assert self.source is not None
        assert self.labels is not None
        plane = self.source.plane(section)
        shape = self.source.picture_shape(section)
        whole = plane.picture(
            self.labels.store.read(plane.window(slice(0, shape[0]), slice(0, shape[1])))
        )
        rows, columns = (np.flatnonzero(whole.any(axis=axis)) for axis in (1, 0))
        if not rows.size:
            return None
        box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
        return *box, whole[box]

    def _take_copy(
        self, target: Section, rows: slice, columns: slice, values: np.ndarray, live: np.ndarray
    ) -> None:
        assert self.source is not None
        assert self.labels is not None
        plane = self.source.plane(target)
        there = plane.picture(self.labels.store.read(plane.window(rows, columns)))
        wanted = int(np.count_nonzero(values))
        free = np.where(live & (there == 0), values, 0).astype(np.uint8)

        def tell(done: int) -> None:
            if done < wanted and (done or not free.any()):
                self.tell(
                    f"{_count(done)} of {_count(wanted)} labelled {self.cell_noun}s were copied; the "
                    "others have a label here, are locked, or lie where no data are."
                )

        if free.any():
            part = StrokePart(target, rows, columns, free != 0, free)
            self._paint([part], "Copy labels", tell)
        self.set_section(target)
        if not free.any():
            tell(0)


def _accepted(
    source: Source,
    shown: ShownMap,
    section: Section,
    rows: slice,
    columns: slice,
    *,
    table: np.ndarray,
    least: float,
) -> np.ndarray:
    """Return predicted ids turned by `table` where the confidence suffices, uint8 (rows, columns)."""
    plane = source.plane(section)
    width = max(columns.stop - columns.start, 1)
    values = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    lines = max(_AT_ONCE // width, 1)
    for start in range(rows.start, rows.stop, lines):
        part = slice(start, min(start + lines, rows.stop))
        window = plane.window(part, columns)
        ids = table[shown.read_classes(window)]
        if least > 0:
            ids[shown.read_confidence(window) < least] = 0
        values[part.start - rows.start : part.stop - rows.start] = plane.picture(ids)
    return values


def _count(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")
