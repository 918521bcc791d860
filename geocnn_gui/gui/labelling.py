"""The session's hand on labels and classes: strokes, undo, label files."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Window
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.commands import Step, paint_step
from geocnn_gui.gui.ruling import Ruling
from geocnn_gui.gui.strokes import StrokePart, join
from geocnn_gui.labels.classes import LabelClass, by_id
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.labels.matching import merge_classes
from geocnn_gui.labels.rules import merge_labels

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Section
    from geocnn_gui.labels.book import LabelBook
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.files import LabelFile
    from geocnn_gui.labels.store import LabelStore


class Labelling(Ruling):
    """State whose labels and classes can be changed; every change is an undo step."""

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
        """Return the cells of a part that the rules let change; the one place that asks them."""
        if self.source is None or self.labels is None or not self.rules.bind:
            return part.mask
        plane = self.source.plane(part.section)
        old = plane.picture(self.labels.store.read(plane.window(part.rows, part.columns)))
        return self.rules.may_change(old, part.mask, part.value)

    def end_stroke(self, text: str = "") -> None:
        """Write what the stroke has gathered to disk, as one undo step, called `text`."""
        parts, self._stroke = self._stroke, None
        if parts:
            self._paint(parts, text)

    def abort_stroke(self) -> None:
        """Forget what the stroke has gathered."""
        parts, self._stroke = self._stroke, None
        if parts and self.source is not None:
            whole = join(parts)
            plane = self.source.plane(whole.section)
            self.labels_changed.emit(plane.window(whole.rows, whole.columns))

    def _paint(self, parts: list[StrokePart], text: str = "") -> int:
        """Write parts of a section as one undo step; return how many cells have changed."""
        if self.source is None or self.labels is None:
            return 0
        whole = join(parts)
        one = whole.value if isinstance(whole.value, int) else None
        if not whole.mask.any():
            if whole.asked:
                self._tell_spared(one)
            return 0
        plane = self.source.plane(whole.section)
        window = plane.window(whole.rows, whole.columns)
        free = self._permitted(whole)  # labels or rules may have changed since the part came
        value = whole.value if one is not None else plane.array(np.asarray(whole.value))
        edit = LabelEdit.paint(self.labels.store, window, plane.array(free), value)
        if self.why_read_only() or not edit.cells:
            self.labels_changed.emit(window)
            return 0
        name = text or {0: "Erase", None: "Accept the prediction"}.get(one, "Paint")
        done = self._push_edits(name, (edit,), fallback=window)
        if not np.array_equal(free, whole.mask):
            self.labels_changed.emit(window)
        return edit.cells if done else 0

    def _push_edits(
        self,
        text: str,
        edits: tuple[LabelEdit, ...],
        *,
        fallback: Window | None = None,
        book: LabelBook | None = None,
    ) -> bool:
        """Apply edits and put them on the undo stack; `fallback` is redrawn where that fails.

        `book` is that of another source; without it the labels in view change. Says whether it
        could be done.
        """

        def apply(edits: tuple[LabelEdit, ...]) -> bool:
            return self._apply_edits(edits, book)

        done = apply(edits)
        if done:
            self.undo_stack.push(paint_step(text, edits, apply))
        elif fallback is not None:
            self.labels_changed.emit(fallback)
        return done

    def _apply_edits(self, edits: tuple[LabelEdit, ...], book: LabelBook | None = None) -> bool:
        changed = book or self.labels
        if changed is None or self.labels is None:
            return False
        try:
            changed.apply(*edits)
        except GeoCNNError as error:
            self.report(error)
            return False
        self._note_saved()
        if changed is not self.labels:
            return True
        for edit in edits if len(edits) < 20 else ():
            self.labels_changed.emit(edit.window)
        if len(edits) >= 20:
            self.labels_changed.emit(Window.whole(self.labels.store.shape))
        return True

    def _note_saved(self) -> None:
        self.saved_at = datetime.now()
        self.saved_changed.emit()

    def save(self) -> None:
        """Say that all is saved, tidying the label files; strokes are on disk as they end."""
        if self.project is None or self.labels is None or self.why_read_only():
            return
        try:
            self.labels.compact()
        except GeoCNNError as error:
            self.report(error)
            return
        self._note_saved()
        self.tell(f"All is saved, as you work, in {self.project.folder}.")

    def undo(self) -> None:
        """Take the last change back."""
        self.undo_stack.undo()

    def redo(self) -> None:
        """Make the change again that was taken back."""
        self.undo_stack.redo()

    def add_class(self, name: str | None = None) -> None:
        """Add a class with the next id and colour, and paint with it from now on."""
        if self.project is None:
            return
        added = self.project.new_class(name)
        if self._change_classes("Add class", (*self.classes, added)):
            self.set_current_class(added.id)

    def rename_class(self, number: int, name: str) -> None:
        """Give a class another name; an empty one changes nothing."""
        self._replace_class("Rename class", number, name=name.strip()[:80])

    def recolour_class(self, number: int, color: str) -> None:
        """Give a class another colour ("#rrggbb")."""
        self._replace_class("Colour class", number, color=color.lower())

    def _replace_class(self, text: str, number: int, **changes: str) -> None:
        old = by_id(self.classes, number)
        if old is None or not all(changes.values()):
            return
        new = LabelClass(**{**old.model_dump(), **changes})
        if new != old:
            self._change_classes(text, tuple(new if c.id == number else c for c in self.classes))

    def delete_class(self, number: int) -> None:
        """Remove a class and its labels in every source of the project, as one undo step."""
        if by_id(self.classes, number) is None or self.why_read_only():
            return
        if reason := self.why_locked(number):
            self.tell(reason)
            return
        self.undo_stack.beginMacro("Delete class")
        for book in self._all_books():
            edits = _edits_without(book.store, number)
            if edits:
                self._push_edits("Unlabel", edits, book=book)
        self._change_classes("Delete class", tuple(c for c in self.classes if c.id != number))
        self.undo_stack.endMacro()

    def _all_books(self) -> list[LabelBook]:
        """Return the labels of every source that has any; damaged ones are told and left out."""
        books = []
        for entry in self.project.sources if self.project is not None else ():
            try:
                book = self.project.stored_labels(entry.id) if self.project is not None else None
            except GeoCNNError as error:
                self.report(error)
                continue
            if book is not None:
                books.append(book)
        return books

    def _change_classes(self, text: str, after: Classes) -> bool:
        before = self.classes
        done = self._set_classes(after)
        if done:
            step = Step(text, lambda: self._set_classes(after), lambda: self._set_classes(before))
            self.undo_stack.push(step)
        return done

    def _set_classes(self, classes: Classes) -> bool:
        if self.project is None or self.why_read_only():
            return False
        try:
            self.project.set_classes(classes)
        except GeoCNNError as error:
            self.report(error)
            return False
        self.classes = classes
        self._note_saved()
        self.classes_changed.emit()
        if self.current_class and by_id(classes, self.current_class) is None:
            self.set_current_class(classes[0].id if classes else 0)
        return True

    def import_labels(self, path: Path | str) -> None:
        """Read a label file of the same grid and lay it over the labels, as one undo step."""
        from geocnn_gui.labels.files import read_label_file

        source, path = self.source, Path(path)
        if source is None or self.why_read_only():
            return

        def done(file: LabelFile) -> None:
            if self.source is source:
                self._take_labels(file, path.name)

        title = f"Reading labels from {path.name}"
        self._work_on(source, lambda: read_label_file(path, source), done, title)

    def _take_labels(self, file: LabelFile, name: str) -> None:
        if self.labels is None:
            return
        classes, mapping = merge_classes(self.classes, file.classes, by_color=file.coloured)
        edits, spared = merge_labels(
            self.labels.store, file.snapshot, mapping, self.rules.only_locks()
        )
        self.undo_stack.beginMacro(f"Labels from {name}")
        if classes != self.classes:
            self._change_classes("Classes", classes)
        if edits:
            self._push_edits("Labels", edits)
        self.undo_stack.endMacro()
        cells = sum(edit.cells for edit in edits)
        kept = f" {spared:,} of locked classes stay as they were." if spared else ""
        self.tell(f"{name}: {cells:,} {self.cell_noun}s labelled.{kept}".replace(",", "\u202f"))

    def save_labels(self, path: Path | str) -> None:
        """Write the labels of the source in view to a file in a background call."""
        from geocnn_gui import workflow
        from geocnn_gui.labels.files import save_labels

        if self.source is None or self.labels is None:
            return
        source, snapshot, path = self.source, self.labels.store.snapshot(), Path(path)
        classes, entries = self.classes, self.project.sources if self.project else ()

        def write() -> None:
            workflow.check_destination(path, inputs=tuple(Path(each.path) for each in entries))
            save_labels(path, snapshot, source, classes)

        self._work_on(
            source, write,
            lambda _: self.tell(f"Labels saved to {path}."), f"Writing {path.name}",
        )  # fmt: skip


def _edits_without(store: LabelStore, number: int) -> tuple[LabelEdit, ...]:
    everywhere = (
        LabelEdit.paint(store, window, store.read(window) == number, 0)
        for window in store.snapshot().labelled_windows()
    )
    return tuple(edit for edit in everywhere if edit.cells)
