"""A project: the autosaved folder of work on one or more sources."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from geocnn_gui.errors import BadRequest, writing
from geocnn_gui.labels.book import LabelBook
from geocnn_gui.labels.classes import Classes, LabelClass, new_class
from geocnn_gui.project.file import (
    Choice,
    ProjectFile,
    StoredSource,
    read_project,
    write_project,
)
from geocnn_gui.project.home import default_folder, is_example
from geocnn_gui.project.lock import FolderLock

_FILE = "project.json"


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source of a project: `open_source(entry.path, **entry.choices)` opens it.

    `path` is where the file is now, or "example:..."; `unchanged` says whether the file there is
    the one that was added (False also when it is missing).
    """

    id: str
    path: str
    name: str
    choices: Mapping[str, Choice] = field(default_factory=dict)
    unchanged: bool = True


class Project:
    """An open project; every change is on disk when the call returns.

    The folder holds project.json, labels/ID/, predictions/ID/ and runs/0001/ ... One program at
    a time has it open. Use it from one thread.
    """

    def __init__(self, folder: Path, data: ProjectFile, lock: FolderLock) -> None:
        """Use `create`, `open` or `for_source`."""
        self.folder = folder
        self._data = data
        self._lock = lock
        self._books: dict[str, LabelBook] = {}
        self._opening = threading.Lock()  # a training opens books of other sources

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
        return cls._locked(folder, ProjectFile(name=name or folder.name or "Project"))

    @classmethod
    def open(cls, folder: Path) -> Project:
        """Open a project, given its folder or the project.json in it.

        Raises
        ------
        UnreadableFile
            When there is none, or it is damaged or from a newer version; it is left alone.
        ProjectInUse, CannotWrite
            When another program has it open, or the folder cannot be written.
        """
        folder = folder.parent if folder.name == _FILE else folder
        read_project(folder / _FILE)  # before a lock file is put beside something else
        return cls._locked(folder, None)

    @classmethod
    def _locked(cls, folder: Path, new: ProjectFile | None) -> Project:
        folder = folder.resolve()
        lock = FolderLock(folder)
        try:
            if new is None:
                return cls(folder, read_project(folder / _FILE), lock)
            if (folder / _FILE).exists():
                raise BadRequest(f"There is a project in {folder} already", "open it instead")
            write_project(folder / _FILE, new)
            return cls(folder, new, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def for_source(
        cls, source: str | Path, *, choices: Mapping[str, Choice] | None = None
    ) -> Project:
        """Return the project that goes with a file or example, begun where there is none.

        Raises
        ------
        UnreadableFile, ProjectInUse, CannotWrite
            As `open` and `add_source` do.
        """
        folder = default_folder(source)
        if (folder / _FILE).exists():
            project = cls.open(folder)
        else:
            StoredSource.of(source, folder, entry_id="s1", choices={})  # is the file there?
            name = str(source).partition(":")[2] if is_example(source) else Path(source).stem
            project = cls.create(folder, name=name)
        try:
            if not project.sources:
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
        return tuple(self._entry(stored) for stored in self._data.sources)

    def source(self, entry_id: str) -> SourceEntry:
        """Return one source; raises `KeyError` for an id that the project does not have."""
        return self._entry(self._stored(entry_id))

    def _entry(self, stored: StoredSource) -> SourceEntry:
        path, unchanged = stored.find(self.folder)
        return SourceEntry(stored.id, path, stored.name, stored.choices, unchanged)

    def _stored(self, entry_id: str) -> StoredSource:
        for stored in self._data.sources:
            if stored.id == entry_id:
                return stored
        raise KeyError(entry_id)

    def add_source(
        self, source: str | Path, choices: Mapping[str, Choice] | None = None
    ) -> SourceEntry:
        """Add a file or example; one that is in already is returned as it is.

        Raises
        ------
        UnreadableFile
            When the file is not there.
        CannotWrite
            When the project cannot be saved.
        """
        taken = [int(stored.id[1:]) for stored in self._data.sources]
        new = StoredSource.of(
            source, self.folder, entry_id=f"s{max(taken, default=0) + 1}",
            choices=dict(choices or {}),
        )  # fmt: skip
        for stored in self._data.sources:
            if stored.path == new.path:
                return self._entry(stored)
        self._save(sources=(*self._data.sources, new))
        return self._entry(new)

    def set_choices(self, entry_id: str, choices: Mapping[str, Choice]) -> None:
        """Save the reader's choices for a source (time or depth ...)."""
        self._replace_source(self._stored(entry_id).model_copy(update={"choices": dict(choices)}))

    def relink(self, entry_id: str, path: Path) -> SourceEntry:
        """Say where a source's file is now; raises as `add_source` does."""
        stored = self._stored(entry_id)
        new = StoredSource.of(path, self.folder, entry_id=entry_id, choices=stored.choices)
        self._replace_source(new)
        return self._entry(new)

    def _replace_source(self, new: StoredSource) -> None:
        self._save(sources=tuple(new if s.id == new.id else s for s in self._data.sources))

    def labels(
        self, entry_id: str, shape: tuple[int, ...], *, axes: tuple[str, ...] = ()
    ) -> LabelBook:
        """Return the labels of a source of `shape`; the same book until the project closes.

        `axes` are the names of the source's axes, for the file. Raises as `LabelBook` does.
        """
        stored = self._stored(entry_id)
        with self._opening:
            if stored.id not in self._books:
                folder = self.folder / "labels" / stored.id
                self._books[stored.id] = LabelBook(folder, tuple(shape), axes=axes)
            return self._books[stored.id]

    def prediction_folder(self, entry_id: str) -> Path:
        """Return where the prediction of a source goes; the folder itself may not exist yet."""
        return self.folder / "predictions" / self._stored(entry_id).id

    @property
    def runs(self) -> tuple[Path, ...]:
        """Return the folders of the trainings, oldest first."""
        folders = (self.folder / "runs").glob("[0-9][0-9][0-9][0-9]*")
        return tuple(sorted((p for p in folders if p.is_dir()), key=lambda p: (len(p.name), p)))

    def new_run_folder(self) -> Path:
        """Make and return the folder of the next training; raises `CannotWrite`."""
        numbers = [int(run.name) for run in self.runs if run.name.isdecimal()]
        folder = self.folder / "runs" / f"{max(numbers, default=0) + 1:04d}"
        with writing(folder):
            folder.mkdir(parents=True)
        return folder

    def _save(self, **changes: object) -> None:
        data = ProjectFile.model_validate({**dict(self._data), **changes})
        write_project(self.folder / _FILE, data)
        self._data = data

    def close(self) -> None:
        """Tidy the labels and let others open the project."""
        for book in self._books.values():
            book.close()
        self._books.clear()
        self._lock.release()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
