"""The session's hand on labels and classes: undo, classes, label files."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Signal

from geocnn_gui.data.source import Window
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.painting import Painting, name_of
from geocnn_gui.labels.book import labels_size
from geocnn_gui.labels.classes import LabelClass, by_id
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.labels.matching import merge_classes
from geocnn_gui.labels.rules import merge_labels
from geocnn_gui.labels.store import weighed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from PySide6.QtCore import QObject

    from geocnn_gui.labels.book import LabelBook
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.files import LabelFile
    from geocnn_gui.labels.store import LabelStore
    from geocnn_gui.project.history import Changed
    from geocnn_gui.project.project import Project

#: More changed windows than this are redrawn as the whole.
_MOST_WINDOWS = 20
#: Labels that are one class far and wide take about a byte on disk for so many cells.
_CELLS_A_BYTE = 256


class Labelling(Painting):
    """State whose labels and classes can be changed; every change is an undo step.

    request_history: the list of steps is wanted.
    """

    request_history = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._books: dict[str, LabelBook] = {}  # of the sources that were shown
        self.steps.made.connect(self._on_made)
        self.steps.failed.connect(self.report)
        self.steps.stopped.connect(lambda what: self.tell(f"{what}: stopped, nothing has changed."))

    def make_edits(self, text: str, edits: Iterable[LabelEdit]) -> bool:
        """Make a few edits of the labels in view as one step; say whether it could be done."""
        if self._waits():
            return False
        entry = self.entry_id
        done = self.steps.do(text, ((entry, edit) for edit in edits))
        self._tell_history()
        return done

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
            f"Delete {name_of(self.classes, number)}", parts(), classes=left,
            cells=self._cells_of_all(number), then=deleted,
            before=lambda: books.update(all_books(project, damaged)),
        )  # fmt: skip

    def _offer_to_erase(self, entry_id: str, book: LabelBook) -> None:
        """Ask about labels of classes that were deleted while their source was out, or damaged."""
        sources = {e.id: e.name for e in self.project.sources} if self.project else {}
        if entry_id not in sources or self.why_read_only() or not self.classes:
            return
        gone = book.store.counts.keys() - {c.id for c in self.classes}
        if gone:
            cells = f"{sum(book.store.counts[n] for n in gone):,}".replace(",", "\u202f")
            self.tell(
                f"{sources[entry_id]}: {cells} cells are labelled with classes"
                " that are no longer there.", "warning",
                actions=(("Erase them", lambda: self._erase_unknown(entry_id, book.store.shape)),
                         ("Keep them", lambda: None)),
            )  # fmt: skip

    def _erase_unknown(self, entry_id: str, shape: tuple[int, ...]) -> None:
        """Erase the labels of classes that are not there, as one undo step."""
        project = self.project
        if project is None or entry_id not in {e.id for e in project.sources} or self._waits():
            return
        known = [0, *(c.id for c in self.classes)]
        store = project.labels(entry_id, shape).store

        def parts() -> Iterator[tuple[str, LabelEdit]]:
            for window in store.snapshot().labelled_windows():
                unknown = np.isin(store.read(window), known, invert=True)
                yield entry_id, LabelEdit.paint(store, window, unknown, 0)

        self.steps.do(
            "Erase labels without a class", parts(), then=lambda _: self._tell_history(),
            cells=weighed(sum(store.counts.values()), store.shape),
        )  # fmt: skip

    def _cells_of_all(self, number: int | None = None) -> int:
        """Return about how many cells are searched, for a class, in all sources of the project."""
        cells, project = 0, self.project
        if project is None:
            return cells
        for entry in project.sources:
            book = self._books.get(entry.id)
            if book is None:  # not opened yet
                cells += _CELLS_A_BYTE * labels_size(project.folder / "labels" / entry.id)
            elif number is None or number in book.store.counts:
                cells += weighed(sum(book.store.counts.values()), book.store.shape)
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
            cells=weighed(file.snapshot.room, store.shape), then=taken,
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
    """Yield what erases a class; labels without any of it are not searched."""
    for window in store.snapshot().labelled_windows() if number in store.counts else ():
        yield LabelEdit.paint(store, window, store.read(window) == number, 0)
