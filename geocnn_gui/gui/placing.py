"""Sources that have moved, changed or go; projects held elsewhere or left in a crash."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui import opening
from geocnn_gui.gui.labelling import all_books
from geocnn_gui.gui.showing import Showing
from geocnn_gui.project.finding import find_moved, search_places
from geocnn_gui.project.marks import forget_mark, interrupted
from geocnn_gui.project.removed import removed_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtCore import QObject

    from geocnn_gui.gui.opening import Opened
    from geocnn_gui.labels.book import LabelBook
    from geocnn_gui.labels.edit import LabelEdit
    from geocnn_gui.project.file import StoredSource
    from geocnn_gui.project.marks import Interrupted
    from geocnn_gui.project.project import Project, SourceEntry


#: Projects that are asked about at a start.
_MOST_OFFERS = 3
#: How long a question waits while something is being opened, in milliseconds.
_AGAIN_MS = 300


class Placing(Showing):
    """State that asks, in the message bar, wherever a project is not as it was left.

    request_place: the id of a source whose file the user wants to point at; whoever can ask
    answers with `use_place`.
    """

    request_place = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ending = threading.Event()
        self._told_read_only: Project | None = None
        self._recovered: tuple[Project | None, int] = (None, 0)

    # Sources that are not where they were

    def _ask_about(self, entry: SourceEntry) -> None:
        """Say that a file is missing or changed, with the ways out."""
        if entry.state == "changed":
            self.tell(
                f"{entry.path} has changed since it was added to the project: what was painted"
                " may not fit it any more.",
                "warning",
                actions=(("Open it anyway", lambda: self._use_anyway(entry.id, entry.path)),
                         ("Choose another…", lambda: self.request_place.emit(entry.id))),
            )  # fmt: skip
            return
        project = self.project
        if project is None:
            return
        self.tell(f"{entry.name} is no longer at {entry.path}; looking for it …")
        stored, places = project.stored(entry.id), search_places(project, entry.id)
        self._calls.start(
            lambda: find_moved(stored, places, self._ending.is_set),
            lambda found: self._offer_place(project, entry, found), self.report,
        )  # fmt: skip

    def _offer_place(self, project: Project, entry: SourceEntry, found: Path | None) -> None:
        if self.project is not project or entry.id not in {e.id for e in project.sources}:
            return
        if found is None:
            choose = ("Choose where it is…", lambda: self.request_place.emit(entry.id))
            self.tell(f"{entry.name} is no longer at {entry.path}, nor anywhere near the project.",
                      "warning", actions=(choose,))  # fmt: skip
            return
        self.tell(
            f"{entry.name} is no longer at {entry.path}; found at {found}.", "warning",
            actions=(("Use it", lambda: self.use_place(entry.id, found)),
                     ("Choose another…", lambda: self.request_place.emit(entry.id))),
        )  # fmt: skip

    def use_place(self, entry_id: str, path: Path | str) -> None:
        """Take a file in the place of a source: at once where it is the same, else ask."""
        project, path = self.project, Path(path)
        if project is None or entry_id not in {entry.id for entry in project.sources}:
            return
        if project.stored(entry_id).is_at(path):
            self._use_anyway(entry_id, path)
            return
        self.tell(
            f"{path.name} is not the file that was added as {project.stored(entry_id).name}: what"
            " was painted on that would lie over this one.",
            "warning",
            actions=(("Use it anyway", lambda: self._use_anyway(entry_id, path)),
                     ("Choose another…", lambda: self.request_place.emit(entry_id))),
        )  # fmt: skip

    def _use_anyway(self, entry_id: str, path: Path | str) -> None:
        project = self.project
        if project is None:
            return
        entry = replace(project.source(entry_id), path=str(path), state="there")
        self._open(
            lambda: opening.open_with_labels(project, entry),
            lambda source: self._join(source, lambda: opening.relinked(project, entry, source)),
            entry.path,
        )

    def shut_down(self) -> None:
        """Stop what runs and wait for it; a search ends at once."""
        self._ending.set()
        super().shut_down()

    # Sources that go

    def why_no_removal(self) -> str:
        """Say why no source can be removed now; "" when one can."""
        return self.why_read_only() or self.busy or self.why_not_now()

    def remove_source(self, entry_id: str) -> None:
        """Take a source out of the project; its labels are kept, and it can be put back."""
        project = self.project
        if project is None or self.why_no_removal():
            return
        self.end_stroke()
        try:
            stored = project.remove_source(entry_id)
        except GeoCNNError as error:
            self.report(error)
            return
        self._books.pop(entry_id, None)
        if entry_id == self.entry_id:
            self._leave_source()
            self.source_changed.emit()
        self.project_changed.emit()
        self.tell(
            f"{stored.name} was removed from the project; its labels are kept.",
            actions=(("Put it back", lambda: self._put_back(project, stored)),),
        )

    @property
    def removed(self) -> tuple[StoredSource, ...]:
        """Return the sources that were taken out of the project and can be put back."""
        if self.project is None:
            return ()
        return removed_sources(self.project.folder, {entry.id for entry in self.project.sources})

    def put_back(self, entry_id: str) -> None:
        """Take a removed source into the project again, with its labels."""
        stored = next((stored for stored in self.removed if stored.id == entry_id), None)
        if self.project is not None and stored is not None and not self.why_no_removal():
            self._put_back(self.project, stored)

    def _put_back(self, project: Project, stored: StoredSource) -> None:
        if self.project is not project:
            self.tell(f"Open {project.name} again to put {stored.name} back.", "warning")
            return
        try:
            project.put_back(stored)
        except GeoCNNError as error:
            self.report(error)
            return
        self.project_changed.emit()

        def ask(book: LabelBook | None) -> None:
            if book is not None and self.project is project:
                self._offer_to_erase(stored.id, book)

        self.call(lambda: project.stored_labels(stored.id), ask)

    # Projects held elsewhere, or left in a crash

    def _on_problem(self, problem: Exception) -> None:
        if isinstance(problem, opening.Elsewhere):
            self._ask_about(problem.entry)
        else:
            super()._on_problem(problem)

    def _tell_notes(self, opened: Opened) -> None:
        super()._tell_notes(opened)
        if opened.project.read_only and self._told_read_only is not opened.project:
            self._told_read_only = opened.project
            self.tell(opened.project.read_only, "warning",
                      actions=(("Try again", self.try_again),))  # fmt: skip
        if opened.before and opened.entry is not None:
            self.tell(f"{opened.entry.path} is the file that was at {opened.before}: its project"
                      " goes on.")  # fmt: skip
        if opened.back and opened.entry is not None:
            self.tell(f"{opened.entry.name} had been removed: it is back, with its labels.")
        if opened.labels is not None and opened.entry is not None:
            self._offer_to_erase(opened.entry.id, opened.labels)
        if opened.own is not None and opened.entry is not None:
            self._take_labels(opened.own, opened.entry.name)
        if opened.recovered:
            self._recovered = opened.project, opened.recovered
        if opened.source is not None:  # a question about its file comes first
            self._tell_recovered()

    def _tell_recovered(self) -> None:
        (project, edits), self._recovered = self._recovered, (None, 0)
        if edits and project is not None and project is self.project:
            back = "is" if edits == 1 else "are"
            self.tell(
                f"GeoCNN did not close properly last time: {_edits(edits)} after the last tidy"
                f" save {back} back.",
                actions=(("Keep them", lambda: None),
                         ("Without them", lambda: self._drop_recovered(project))),
            )  # fmt: skip

    def try_again(self) -> None:
        """Open a read-only project anew, for writing where that is possible now."""
        project, entry_id = self.project, self.entry_id
        if project is not None and self.why_read_only():
            folder = project.folder
            self._open(lambda: opening.open_project(folder, entry_id), self._show, folder.name)

    def _drop_recovered(self, project: Project) -> None:
        """Take away what a crash had left in the journals, as one undo step; a copy is kept."""
        if self.project is not project:
            self.tell(f"{project.name} was closed since: the edits are in its labels.", "warning")
            return
        if self.labels is None:
            self.tell("Show a source of the project first, so that Undo can bring them back.")
            return
        if self._waits():
            return
        damaged: list[GeoCNNError] = []
        books: dict[str, LabelBook] = {}
        copies: list[Path] = []

        def out(done: bool) -> None:
            for error in damaged:
                self.report(error)
            kept = f"; all of them are kept in {copies[0]}" if copies else ""
            if done:
                self.tell(f"The recovered edits are out; what was painted since stays{kept}.")

        self.steps.do(
            "Without the recovered edits", _recovered_edits(books, copies), then=out,
            cells=self._cells_of_all(), title="Taking the recovered edits out",
            before=lambda: books.update(all_books(project, damaged)),
        )  # fmt: skip

    def offer_recovery(self) -> None:
        """Ask whether to go on with what was open when the program ended badly."""
        if self.busy:  # what is being opened may be just that
            QTimer.singleShot(_AGAIN_MS, self, self.offer_recovery)
            return
        self.call(interrupted, self._offer_recovery)

    def _offer_recovery(self, items: tuple[Interrupted, ...]) -> None:
        for item in items[:_MOST_OFFERS]:
            if self.project is not None and self.project.folder == item.folder:
                forget_mark(item.mark)
                continue
            self.tell(
                f"GeoCNN did not close properly while {item.name} was open; {_what_is_safe(item)}.",
                "warning",
                actions=(("Continue", lambda item=item: self._continue(item)),
                         ("Not now", lambda item=item: forget_mark(item.mark))),
            )  # fmt: skip

    def _continue(self, item: Interrupted) -> None:
        folder = item.folder
        forget_mark(item.mark)
        self._open(lambda: opening.open_project(folder), self._show, item.name)


def _recovered_edits(
    books: dict[str, LabelBook], copies: list[Path]
) -> Iterator[tuple[str, LabelEdit]]:
    """Yield what takes recovered edits away, once the labels they are in have been copied."""
    for entry, book in books.items():
        for number, edit in enumerate(book.edits_to_tidy()):
            if not number:
                copies.append(book.keep_copy())
            yield entry, edit


def _edits(number: int) -> str:
    return "1 edit" if number == 1 else f"{number:,} edits".replace(",", "\u202f")


def _what_is_safe(item: Interrupted) -> str:
    if not item.edits:
        return "everything painted is safe"
    verb = "is" if item.edits == 1 else "are"
    if item.since is None:
        return f"{_edits(item.edits)} {verb} safe in the journal"
    since = item.since.astimezone()
    today = since.date() == datetime.now().astimezone().date()
    return f"{_edits(item.edits)} since {since:{'%H:%M' if today else '%d %B %H:%M'}} {verb} safe in the journal"
