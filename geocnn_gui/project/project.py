"""A project: the autosaved folder of work on one or more sources."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geocnn_gui.errors import BadRequest, CannotWrite, ProjectInUse, writing
from geocnn_gui.inference.store import disown
from geocnn_gui.labels.archive import check_shape
from geocnn_gui.labels.book import LabelBook, stored_shape
from geocnn_gui.labels.classes import Classes, LabelClass, new_class
from geocnn_gui.project.file import (
    Choice,
    ProjectFile,
    State,
    StoredSource,
    read_project,
    write_project,
)
from geocnn_gui.project.guard import check_folder
from geocnn_gui.project.history import History
from geocnn_gui.project.home import is_example
from geocnn_gui.project.homes import home_of
from geocnn_gui.project.lock import FolderLock, holder_of
from geocnn_gui.project.marks import OpenMark
from geocnn_gui.project.removed import (
    forget_removed,
    note_removed,
    removed_folder,
    removed_like,
    removed_sources,
)
from geocnn_gui.project.runs import deleted_runs, purge_runs
from geocnn_gui.project.target import StoredTarget

if TYPE_CHECKING:
    from geocnn_gui.project.state import WorkState

_FILE = "project.json"


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source of a project: `open_source(entry.path, **entry.choices)` opens it.

    `path` is where the file is now, or "example:..."; `state` says whether the file there is
    the one that was added.
    """

    id: str
    path: str
    name: str
    choices: Mapping[str, Choice] = field(default_factory=dict)
    state: State = "there"
    target: StoredTarget | None = None

    @property
    def unchanged(self) -> bool:
        """Say whether the file that was added is there."""
        return self.state == "there"


class Project:
    """An open project; every change is on disk when the call returns.

    The folder holds project.json, labels/ID/, predictions/ID/, runs/0001/ ..., backbones/ and
    removed/ID/.
    One program at a time writes it; `read_only` says why this one does not, "" where it does.
    `left_at` is when a session began that ended without closing it, else None. Use it from one
    thread.
    """

    def __init__(
        self, folder: Path, data: ProjectFile, lock: FolderLock | None, *, read_only: str = ""
    ) -> None:
        """Use `create`, `open` or `for_source`."""
        self.folder = folder
        self.read_only = read_only
        self.left_at = lock.left_at if lock is not None else None
        self._data = data
        self._lock = lock
        self._mark = OpenMark(folder, data.name) if lock is not None else None
        self._books: dict[str, LabelBook] = {}
        self._opening = threading.Lock()  # a training opens books of other sources
        self._saving = threading.Lock()  # a step that is made on a thread sets classes
        #: What can be undone; labels and classes that it knows are changed through it.
        self.history = History(self)

    @classmethod
    def create(cls, folder: Path, *, name: str | None = None) -> Project:
        """Begin a project in a folder that has none.

        Raises
        ------
        BadRequest
            When there is a project already.
        CannotWrite, ProjectInUse
            When the folder cannot be written, or is taken.
        """
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return _locked(folder, ProjectFile(name=name or folder.name or "Project"))

    @classmethod
    def open(cls, folder: Path, *, or_read: bool = False) -> Project:
        """Open a project, given its folder or the project.json in it.

        With `or_read`, one that cannot be had for writing is opened read-only.

        Raises
        ------
        UnreadableFile
            When there is none, it is damaged, from a newer version, or holds links that lead
            out of it; it is left alone.
        ProjectInUse, CannotWrite
            When another program has it open, or the folder cannot be written.
        """
        folder = (folder.parent if folder.name == _FILE else folder).resolve()
        check_folder(folder)
        read_project(folder / _FILE)  # before a lock file is put beside something else
        try:
            return _locked(folder, None)
        except (ProjectInUse, CannotWrite):
            if not or_read:
                raise
        holder = holder_of(folder)
        why = f"The project is open{holder}"
        if holder is None:
            why = "The folder of the project cannot be written to"
        return cls(folder, read_project(folder / _FILE), None, read_only=f"{why}: read-only here.")

    @classmethod
    def for_source(
        cls,
        source: str | Path,
        *,
        choices: Mapping[str, Choice] | None = None,
        or_read: bool = False,
    ) -> Project:
        """Return the project that goes with a file or example, begun where there is none.

        Raises
        ------
        UnreadableFile, ProjectInUse, CannotWrite
            As `open` and `add_source` do.
        """
        folder = home_of(source)
        begun = not (folder / _FILE).exists()
        if not begun:
            project = cls.open(folder, or_read=or_read)
        else:
            StoredSource.of(source, folder, entry_id="s1", choices={})  # is the file there?
            name = str(source).partition(":")[2] if is_example(source) else Path(source).stem
            project = cls.create(folder, name=name)
        try:
            if begun:
                project.add_source(source, choices)
        except BaseException:
            project.close()
            raise
        return project

    @property
    def name(self) -> str:
        """Return the project's name, for the title bar."""
        return self._data.name

    @property
    def classes(self) -> Classes:
        """Return the classes in the order of the table."""
        return self._data.classes

    def set_classes(self, classes: Classes) -> None:
        """Save the classes; labels keep their ids. Raises `CannotWrite`, then nothing changed."""
        last = max([self._data.last_class_id, *(c.id for c in classes)])
        self._save(classes=tuple(classes), last_class_id=last)

    def new_class(self, name: str | None = None) -> LabelClass:
        """Return a class not yet in the table, whose id no deleted class had (while any is left)."""
        return new_class(self.classes, name, above=self._data.last_class_id)

    @property
    def sources(self) -> tuple[SourceEntry, ...]:
        """Return the sources in the order they were added, each where its file is now."""
        return tuple(_entry(stored, self.folder) for stored in self._data.sources)

    def source(self, entry_id: str) -> SourceEntry:
        """Return one source; raises `KeyError` for an id that the project does not have."""
        return _entry(self.stored(entry_id), self.folder)

    def stored(self, entry_id: str) -> StoredSource:
        """Return what project.json says of a source; raises `KeyError`."""
        for stored in self._data.sources:
            if stored.id == entry_id:
                return stored
        raise KeyError(entry_id)

    def add_source(
        self, source: str | Path, choices: Mapping[str, Choice] | None = None
    ) -> SourceEntry:
        """Add a file or example; one that is in already is returned as it is.

        One that was removed comes back under its old id, with its labels.

        Raises
        ------
        UnreadableFile
            When the file is not there.
        CannotWrite
            When the project cannot be saved.
        """
        number = max([self._data.last_source_id, *(int(s.id[1:]) for s in self._data.sources)]) + 1
        new = StoredSource.of(
            source, self.folder, entry_id=f"s{number}", choices=dict(choices or {})
        )
        for stored in self._data.sources:
            if stored.path == new.path:
                return _entry(stored, self.folder)
        old = removed_like(removed_sources(self.folder, {s.id for s in self._data.sources}), new)
        if old is not None:
            kept = {"id": old.id, "choices": new.choices or old.choices, "target": old.target}
            self.put_back(new.model_copy(update=kept))
            return self.source(old.id)
        self._save(sources=(*self._data.sources, new), last_source_id=number)
        return _entry(new, self.folder)

    def remove_source(self, entry_id: str) -> StoredSource:
        """Take a source out; its labels are kept in removed/ID/. Return what `put_back` needs.

        Raises
        ------
        CannotWrite
            When the folder cannot be written; the source is still in then.
        """
        stored = self.stored(entry_id)
        self._writable()
        kept = removed_folder(self.folder, stored)
        note_removed(self.folder, stored)
        self._save(sources=tuple(s for s in self._data.sources if s.id != entry_id))
        if stored.id in self._books:
            self._books.pop(stored.id).close()
            self.history.forget(stored.id)
        with suppress(CannotWrite):  # they stay where they are then, and the id is not given again
            _move(self.folder / "labels" / stored.id, kept / "labels")
        return stored

    def put_back(self, stored: StoredSource) -> None:
        """Take a removed source in again, with its labels; raises `CannotWrite`."""
        self._writable()
        kept = removed_folder(self.folder, stored)
        _move(kept / "labels", self.folder / "labels" / stored.id)
        known = {s.id: s for s in (*self._data.sources, stored)}
        self._save(sources=tuple(sorted(known.values(), key=lambda s: int(s.id[1:]))))
        forget_removed(self.folder, stored)

    def set_choices(self, entry_id: str, choices: Mapping[str, Choice]) -> None:
        """Save the reader's choices for a source (time or depth ...)."""
        self.replace_source(self.stored(entry_id).model_copy(update={"choices": dict(choices)}))

    def relink(self, entry_id: str, path: Path) -> SourceEntry:
        """Say where a source's file is now; raises as `add_source` does."""
        stored = self.stored(entry_id)
        new = StoredSource.of(path, self.folder, entry_id=entry_id, choices=stored.choices)
        new = new.model_copy(update={"target": stored.target})
        self.replace_source(new)
        return _entry(new, self.folder)

    def replace_source(self, new: StoredSource) -> None:
        """Save a source's record in the place of that with its id; raises `CannotWrite`."""
        old, time = self.stored(new.id), {"vertical": ""}
        if (old.fingerprint, old.choices | time) != (new.fingerprint, new.choices | time):
            self._writable()
            disown(self.prediction_folder(new.id))
        self._save(sources=tuple(new if s.id == new.id else s for s in self._data.sources))

    def labels(
        self, entry_id: str, shape: tuple[int, ...], *, axes: tuple[str, ...] = ()
    ) -> LabelBook:
        """Return the labels of a source of `shape`; the same book until the project closes.

        `axes` are the names of the source's axes, for the file. Raises as `LabelBook` does.
        """
        stored = self.stored(entry_id)
        with self._opening:
            if stored.id not in self._books:
                folder = self.folder / "labels" / stored.id
                self._books[stored.id] = LabelBook(
                    folder, tuple(shape), axes=axes, read_only=bool(self.read_only)
                )
            book = self._books[stored.id]
        check_shape(book.folder, book.store.shape, tuple(shape))
        book.axes = book.axes or axes
        self.history.settle(stored.id, book)
        return book

    def stored_labels(self, entry_id: str) -> LabelBook | None:
        """Return the labels of a source that need not be there; None where it has none.

        Raises as `LabelBook` does.
        """
        shape = stored_shape(self.folder / "labels" / self.stored(entry_id).id)
        return None if shape is None else self.labels(entry_id, shape)

    @property
    def work(self) -> WorkState:
        """Return how the work was left."""
        return self._data.work

    @property
    def specs(self) -> tuple[dict[str, Any] | None, ...]:
        """Return the specs of model, training and a split made by hand as JSON, unchecked.

        None where there is none.
        """
        return self._data.model_spec, self._data.training_spec, self._data.split

    def keep(
        self, work: WorkState, model: dict[str, Any], training: dict[str, Any],
        split: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Save how the work stands, where anything is new; raises `CannotWrite`."""
        new: dict[str, Any] = {
            "work": work, "model_spec": model, "training_spec": training, "split": split,
        }  # fmt: skip
        if any(getattr(self._data, name) != value for name, value in new.items()):
            self._save(**new)

    def prediction_folder(self, entry_id: str) -> Path:
        """Return where the prediction of a source goes; the folder itself may not exist yet."""
        return self.folder / "predictions" / self.stored(entry_id).id

    @property
    def runs(self) -> tuple[Path, ...]:
        """Return the folders of the trainings, oldest first."""
        folders = (self.folder / "runs").glob("[0-9][0-9][0-9][0-9]*")
        ours = (p for p in folders if p.is_dir() and p.name.isdecimal())
        return tuple(sorted(ours, key=lambda p: (len(p.name), p)))

    def new_run_folder(self) -> Path:
        """Make and return the folder of the next training; raises `CannotWrite`."""
        self._writable()
        numbers = [int(run.name) for run in (*self.runs, *deleted_runs(self.folder))]
        folder = self.folder / "runs" / f"{max(numbers, default=0) + 1:04d}"
        with writing(folder):
            folder.mkdir(parents=True)
        return folder

    def _writable(self) -> None:
        if self.read_only:
            raise CannotWrite(
                f"Cannot change the project in {self.folder}: {self.read_only.rstrip('.')}",
                "close it there and try again, or save a copy",
            )

    def _save(self, **changes: object) -> None:
        self._writable()
        with self._saving:
            data = ProjectFile.model_validate({**dict(self._data), **changes})
            write_project(self.folder / _FILE, data)
            self._data = data

    def close(self) -> None:
        """Tidy the labels and let others open the project."""
        self.history.close()
        for book in self._books.values():
            book.close()
        self._books.clear()
        if self._lock is not None:
            purge_runs(self.folder)
            self._lock.release()
        if self._mark is not None:
            self._mark.release()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _locked(folder: Path, new: ProjectFile | None) -> Project:
    """Take the lock of a folder and read its project, or begin it as `new`."""
    folder = folder.resolve()
    check_folder(folder)
    lock = FolderLock(folder)
    try:
        if new is None:
            project = Project(folder, read_project(folder / _FILE), lock)
            project.history.open()
            return project
        if (folder / _FILE).exists():
            raise BadRequest(f"There is a project in {folder} already", "open it instead")
        write_project(folder / _FILE, new)
        return Project(folder, new, lock)
    except BaseException:
        lock.release()
        raise


def _entry(stored: StoredSource, folder: Path) -> SourceEntry:
    path, state = stored.find(folder)
    return SourceEntry(stored.id, path, stored.name, stored.choices, state, stored.target)


def _move(folder: Path, to: Path) -> None:
    """Rename a folder, where there is one; an older one in its place gets a number."""
    if not folder.is_dir():
        return
    with writing(to):
        if to.exists():
            taken = sum(1 for _ in to.parent.glob(f"{to.name}*"))
            to.rename(to.with_name(f"{to.name}-{taken}"))
        to.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(to)
