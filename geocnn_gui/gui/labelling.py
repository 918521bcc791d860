"""The session's hand on labels and classes: strokes, undo, label files."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Signal

from geocnn_gui.data.source import Window
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.ruling import Ruling
from geocnn_gui.gui.strokes import StrokePart, bounds, joined, only_value
from geocnn_gui.labels.classes import LabelClass, by_id
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.labels.matching import merge_classes
from geocnn_gui.labels.rules import merge_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Section
    from geocnn_gui.labels.book import LabelBook
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.files import LabelFile
    from geocnn_gui.labels.store import LabelStore
    from geocnn_gui.project.history import Changed

#: More changed windows than this are redrawn as the whole.
_MOST_WINDOWS = 20


class Labelling(Ruling):
    """State whose labels and classes can be changed; every change is an undo step.

    request_history: the list of steps is wanted.
    """

    request_history = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stroke: list[StrokePart] | None = None
        self.steps.made.connect(self._on_made)
        self.steps.failed.connect(self.report)

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
            plane = self.source.plane(parts[0].section)
            self.labels_changed.emit(plane.window(*bounds(parts)))

    def _paint(self, parts: list[StrokePart], text: str = "") -> int:
        """Write parts of a section as one undo step; return how many cells have changed."""
        if self.source is None or self.labels is None:
            return 0
        wholes, one = joined(parts), only_value(parts)
        if not any(whole.mask.any() for whole in wholes):
            if any(whole.asked for whole in wholes):
                self._tell_spared(one)
            return 0
        window = self.source.plane(parts[0].section).window(*bounds(parts))
        # Labels or rules may have changed since the parts came.
        free = [self._permitted(whole) for whole in wholes]
        edits = [self._edit(*each) for each in zip(wholes, free, strict=True)]
        edits = [edit for edit in edits if edit.cells]
        if self.why_read_only() or not edits:
            self.labels_changed.emit(window)
            return 0
        name = text or {0: "Erase", None: "Accept the prediction"}.get(one, "")
        name = name or f"Paint {_name_of(self.classes, one or 0)}"
        done = self._push_edits(name, edits, fallback=window)
        if any(
            not np.array_equal(mask, whole.mask) for mask, whole in zip(free, wholes, strict=True)
        ):
            self.labels_changed.emit(window)
        return sum(edit.cells for edit in edits) if done else 0

    def _edit(self, part: StrokePart, free: np.ndarray) -> LabelEdit:
        """Return the edit that gives the cells of a part that are `free` their value."""
        assert self.source is not None
        assert self.labels is not None
        plane = self.source.plane(part.section)
        window, value = plane.window(part.rows, part.columns), part.value
        value = value if isinstance(value, int) else plane.array(value)
        return LabelEdit.paint(self.labels.store, window, plane.array(free), value)

    def _push_edits(
        self, text: str, edits: Iterable[LabelEdit], *, fallback: Window | None = None
    ) -> bool:
        """Make edits of the labels in view as one step; say whether it could be done.

        `fallback` is redrawn where it could not.
        """
        done = self.steps.do(text, ((self.entry_id, edit) for edit in edits))
        if not done and fallback is not None:
            self.labels_changed.emit(fallback)
        self._tell_history()
        return done

    def make_edits(self, text: str, edits: Iterable[LabelEdit]) -> bool:
        """Make edits of the labels in view as one step; say whether it could be done."""
        return self._push_edits(text, edits)

    def _on_made(self, changed: Changed) -> None:
        """Show what a step has changed, made now, again, or taken back."""
        self._note_saved()
        windows = changed.windows.get(self.entry_id, ())
        if self.labels is not None and len(windows) >= _MOST_WINDOWS:
            windows = (Window.whole(self.labels.store.shape),)
        for window in windows:
            self.labels_changed.emit(window)
        if changed.classes and self.project is not None:
            self.classes = self.project.classes
            self.classes_changed.emit()
            if self.current_class and by_id(self.classes, self.current_class) is None:
                self.set_current_class(self.classes[0].id if self.classes else 0)

    def _tell_history(self) -> None:
        """Tell what became of the steps, where they and the labels do not agree."""
        for note in self.project.history.take_notes() if self.project is not None else ():
            self.tell(note, "warning")
            self.steps.refresh()

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
        self.go_to_step(self.steps.position - 1)

    def redo(self) -> None:
        """Make the change again that was taken back."""
        self.go_to_step(self.steps.position + 1)

    def show_history(self) -> None:
        """Bring the list of steps into view."""
        self.set_step("Label")
        self.request_history.emit()

    def go_to_step(self, position: int) -> None:
        """Take back or make again so many steps that `position` of them stand."""
        before, rows = self.steps.position, self.steps.rows
        self.steps.go_to(position)
        self._tell_history()
        low, high = sorted((before, self.steps.position))
        touched = frozenset().union(*(row.sources for row in rows[low:high]))
        names = {entry.id: entry.name for entry in self.project.sources} if self.project else {}
        elsewhere = [names[each] for each in sorted(touched & names.keys())]
        if elsewhere and self.entry_id not in touched:
            self.tell(f"Labels of {' and '.join(elsewhere)} have changed, out of view.")

    def add_class(self, name: str | None = None) -> None:
        """Add a class with the next id and colour, and paint with it from now on."""
        if self.project is None:
            return
        added = self.project.new_class(name)
        if self._change_classes(f"Add {added.name}", (*self.classes, added)):
            self.set_current_class(added.id)

    def rename_class(self, number: int, name: str) -> None:
        """Give a class another name; an empty one changes nothing."""
        self._replace_class("Rename", number, name=name.strip()[:80])

    def recolour_class(self, number: int, color: str) -> None:
        """Give a class another colour ("#rrggbb")."""
        self._replace_class("Colour", number, color=color.lower())

    def _replace_class(self, text: str, number: int, **changes: str) -> None:
        old = by_id(self.classes, number)
        if old is None or not all(changes.values()):
            return
        new = LabelClass(**{**old.model_dump(), **changes})
        if new != old:
            after = tuple(new if c.id == number else c for c in self.classes)
            self._change_classes(f"{text} {old.name}", after)

    def delete_class(self, number: int) -> None:
        """Remove a class and its labels in every source of the project, as one undo step."""
        if by_id(self.classes, number) is None or self.why_read_only():
            return
        if reason := self.why_locked(number):
            self.tell(reason)
            return
        parts = (
            (entry, edit)
            for entry, book in self._all_books()
            for edit in _edits_without(book.store, number)
        )
        left = tuple(c for c in self.classes if c.id != number)
        self.steps.do(f"Delete {_name_of(self.classes, number)}", parts, classes=left)
        self._tell_history()

    def _all_books(self) -> list[tuple[str, LabelBook]]:
        """Return id and labels of every source that has any; damaged ones are told, left out."""
        books = []
        for entry in self.project.sources if self.project is not None else ():
            try:
                book = self.project.stored_labels(entry.id) if self.project is not None else None
            except GeoCNNError as error:
                self.report(error)
                continue
            if book is not None:
                books.append((entry.id, book))
        return books

    def _change_classes(self, text: str, after: Classes) -> bool:
        if self.project is None or self.why_read_only():
            return False
        done = self.steps.do(text, classes=after)
        self._tell_history()
        return done

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
        store, rules, counts = self.labels.store, self.rules.only_locks(), Counter[str]()

        def parts() -> Iterator[tuple[str, LabelEdit]]:
            for edit, spared in merge_labels(store, file.snapshot, mapping, rules):
                counts.update(cells=edit.cells, spared=spared)
                yield self.entry_id, edit

        done = self.steps.do(f"Labels from {name}", parts(), classes=classes)
        self._tell_history()
        if not done:
            return
        cells, spared = counts["cells"], counts["spared"]
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


def _edits_without(store: LabelStore, number: int) -> Iterator[LabelEdit]:
    for window in store.snapshot().labelled_windows():
        yield LabelEdit.paint(store, window, store.read(window) == number, 0)


def _name_of(classes: Classes, number: int) -> str:
    found = by_id(classes, number)
    return found.name if found is not None else f"class {number}"
