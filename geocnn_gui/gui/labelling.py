"""The session's hand on labels and classes: strokes, undo, label files."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal

from geocnn_gui.data.source import Window
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.ruling import Ruling
from geocnn_gui.gui.strokes import StrokePart, Tally, area, bounds, joined, only_value
from geocnn_gui.labels.book import labels_size
from geocnn_gui.labels.classes import LabelClass, by_id
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.labels.matching import merge_classes
from geocnn_gui.labels.rules import merge_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Plane, Section
    from geocnn_gui.labels.book import LabelBook
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.files import LabelFile
    from geocnn_gui.labels.rules import PaintRules
    from geocnn_gui.labels.store import LabelStore
    from geocnn_gui.labels.tools import Shape
    from geocnn_gui.project.history import Changed
    from geocnn_gui.project.project import Project

#: More changed windows than this are redrawn as the whole.
_MOST_WINDOWS = 20
#: Labels that are one class far and wide take about a byte on disk for so many cells.
_CELLS_A_BYTE = 256


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
        self.steps.stopped.connect(lambda what: self.tell(f"{what}: stopped, nothing has changed."))

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
        plane = source.plane(section)
        window = plane.window(*box)
        if self.why_read_only():
            self.labels_changed.emit(window)
            return

        def edits() -> Iterator[tuple[str, LabelEdit]]:
            for part in parts:
                # Labels or rules may have changed since the part came.
                free = _permitted(part, plane, labels.store, rules)
                value = part.value if isinstance(part.value, int) else plane.array(part.value)
                where = plane.window(part.rows, part.columns)
                edit = LabelEdit.paint(labels.store, where, plane.array(free), value)
                tally.count(part, free, edit)
                yield entry, edit

        name = tally.text or {0: "Erase", None: "Accept the prediction"}.get(tally.value, "")
        name = name or f"Paint {_name_of(self.classes, tally.value or 0)}"
        self.steps.do(
            name, edits(), cells=cells, then=lambda done: self._after_paint(window, tally, done)
        )

    def _after_paint(self, window: Window, tally: Tally, done: bool) -> None:
        """Show what became of cells that were shown as painted, and tell why nothing has changed."""
        if not done or tally.differs:
            self.labels_changed.emit(window)
        if done and tally.asked and not tally.free:
            self._tell_spared(tally.value)
        self._tell_history()
        if tally.then is not None:
            tally.then(tally.changed if done else 0)

    def make_edits(self, text: str, edits: Iterable[LabelEdit]) -> bool:
        """Make a few edits of the labels in view as one step; say whether it could be done."""
        if self._waits():
            return False
        entry = self.entry_id
        done = self.steps.do(text, ((entry, edit) for edit in edits))
        self._tell_history()
        return done

    def _waits(self) -> bool:
        """Say whether labels cannot be changed just now, and tell why."""
        if self.steps.busy:
            self.tell(f"{self.steps.busy}: wait for it to end, or stop it.", "warning")
        return bool(self.steps.busy)

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
        if self._waits():
            return
        folder = self.project.folder

        def saved(done: bool) -> None:
            if done:
                self._note_saved()
                self.tell(f"All is saved, as you work, in {folder}.")

        cells = sum(self.labels.store.counts.values())
        self.steps.work(self.labels.compact, cells=cells, title="Tidying the labels", then=saved)

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
        if self._waits():
            return
        before, rows = self.steps.position, self.steps.rows
        names = {entry.id: entry.name for entry in self.project.sources} if self.project else {}

        def gone() -> None:
            self._tell_history()
            low, high = sorted((before, self.steps.position))
            touched = frozenset().union(*(row.sources for row in rows[low:high]))
            elsewhere = [names[each] for each in sorted(touched & names.keys())]
            if elsewhere and self.entry_id not in touched:
                self.tell(f"Labels of {' and '.join(elsewhere)} have changed, out of view.")

        self.steps.go_to(position, gone)

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
        project = self.project
        if project is None or by_id(self.classes, number) is None or self.why_read_only():
            return
        if reason := self.why_locked(number):
            self.tell(reason)
            return
        if self._waits():
            return
        books: dict[str, LabelBook] = {}
        damaged: list[GeoCNNError] = []

        def parts() -> Iterator[tuple[str, LabelEdit]]:
            for entry, book in books.items():
                for edit in _edits_without(book.store, number):
                    yield entry, edit

        def deleted(_: bool) -> None:
            for error in damaged:
                self.report(error)
            self._tell_history()

        left = tuple(c for c in self.classes if c.id != number)
        self.steps.do(
            f"Delete {_name_of(self.classes, number)}", parts(), classes=left,
            cells=self._cells_of_all(number), then=deleted,
            before=lambda: books.update(all_books(project, damaged)),
        )  # fmt: skip

    def _cells_of_all(self, number: int) -> int:
        """Return about how many cells are searched for a class in all sources of the project."""
        cells, project = 0, self.project
        for entry in project.sources if project is not None else ():
            book = self._books.get(entry.id)
            if book is None:  # not opened yet
                cells += _CELLS_A_BYTE * labels_size(project.folder / "labels" / entry.id)
            elif number in book.store.counts:
                cells += sum(book.store.counts.values())
        return cells

    def _change_classes(self, text: str, after: Classes) -> bool:
        if self.project is None or self.why_read_only() or self._waits():
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
                self.steps.when_idle(lambda: self._take_labels(file, path.name))

        title = f"Reading labels from {path.name}"
        self._work_on(source, lambda: read_label_file(path, source), done, title)

    def _take_labels(self, file: LabelFile, name: str) -> None:
        if self.labels is None:
            return
        classes, mapping = merge_classes(self.classes, file.classes, by_color=file.coloured)
        store, rules, counts = self.labels.store, self.rules.only_locks(), Counter[str]()
        entry = self.entry_id

        def parts() -> Iterator[tuple[str, LabelEdit]]:
            for edit, spared in merge_labels(store, file.snapshot, mapping, rules):
                counts.update(cells=edit.cells, spared=spared)
                yield entry, edit

        def taken(done: bool) -> None:
            self._tell_history()
            if done:
                cells, spared = counts["cells"], counts["spared"]
                kept = f" {spared:,} of locked classes stay as they were." if spared else ""
                said = f"{name}: {cells:,} {self.cell_noun}s labelled.{kept}"
                self.tell(said.replace(",", "\u202f"))

        self.steps.do(
            f"Labels from {name}", parts(), classes=classes, title="Bringing labels in",
            cells=sum(window.cells for window in file.snapshot.labelled_windows()), then=taken,
        )  # fmt: skip

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


def _permitted(
    part: StrokePart, plane: Plane, store: LabelStore, rules: PaintRules
) -> np.ndarray:
    """Return the cells of a part that the rules let change; the one place that asks them."""
    if not rules.bind:
        return part.mask
    old = plane.picture(store.read(plane.window(part.rows, part.columns)))
    return rules.may_change(old, part.mask, part.value)


def all_books(project: Project, damaged: list[GeoCNNError]) -> dict[str, LabelBook]:
    """Return the labels of every source that has any; those `damaged` are left out."""
    books = {}
    for entry in project.sources:
        try:
            book = project.stored_labels(entry.id)
        except GeoCNNError as error:
            damaged.append(error)
            continue
        if book is not None:
            books[entry.id] = book
    return books


def _edits_without(store: LabelStore, number: int) -> Iterator[LabelEdit]:
    for window in store.snapshot().labelled_windows():
        yield LabelEdit.paint(store, window, store.read(window) == number, 0)


def _name_of(classes: Classes, number: int) -> str:
    found = by_id(classes, number)
    return found.name if found is not None else f"class {number}"
