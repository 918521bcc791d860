"""The labels of one source on disk: a base file, and a journal of every edit since."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.errors import CannotWrite, GeoCNNError, UnreadableFile, writing
from geocnn_gui.labels.archive import (
    check_shape,
    read_archive,
    read_archive_header,
    write_archive,
)
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.labels.journal import Journal, count_records, read_header
from geocnn_gui.labels.store import LabelStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.labels.store import LabelSnapshot

_BASE, _JOURNAL = "labels.npz", "labels.journal"

#: Bytes of journal after which an edit also renews the base file; keeps reopening quick.
JOURNAL_LIMIT = 64 * 2**20


class LabelBook:
    """Labels that are on disk as soon as they are in `store`.

    Change them through `apply` only; an undo is `apply(edit.inverse())`. `recovered` is a
    sentence when something of the journal could not be read, else None. `replayed` counts the
    edits that came from the journal on opening; none where the book was closed properly.
    """

    def __init__(
        self,
        folder: Path,
        shape: tuple[int, ...],
        *,
        axes: tuple[str, ...] = (),
        read_only: bool = False,
    ) -> None:
        """Open the labels in `folder`, or none yet, for a source of `shape`.

        `axes` are the names of the source's axes, written into the base file. Nothing is written
        before the first edit, and never where `read_only` is set.

        Raises
        ------
        UnreadableFile
            When the base file or the journal is damaged beyond its tail; both are left alone.
        LabelsMismatch
            When the labels belong to a source of another shape.
        """
        self.folder = folder
        self.recovered: str | None = None
        self.replayed = 0
        self._tidy: LabelSnapshot | None = None  # before the replay, and after it
        self._replayed: LabelSnapshot | None = None
        self._read_only = read_only
        self.axes = axes
        self._base = folder / _BASE
        self._journal_path = folder / _JOURNAL
        self._journal: Journal | None = None
        self._lock = RLock()
        self._closed = False
        try:
            self._load(tuple(shape))
        except (UnreadableFile, CannotWrite):
            if not read_only:
                raise
            self._load(tuple(shape))  # its holder tidied the files between the two reads

    def _load(self, shape: tuple[int, ...]) -> None:
        self.store, self._generation = LabelStore(shape), 0
        if self._base.exists():
            self.store, self._generation = read_archive(self._base, shape)
        if self._journal_path.exists():
            self._replay()

    def _replay(self) -> None:
        journal = Journal(self._journal_path, read_only=self._read_only)
        try:
            check_shape(self._journal_path, journal.shape, self.store.shape)
            if journal.generation > self._generation:
                raise UnreadableFile(
                    f"{self._base}, which {self._journal_path.name} continues, is missing or old",
                    "restore it from a backup, or move the journal away to start anew",
                )
            if journal.generation < self._generation:  # the base file holds all of it
                journal.close()
                return
            self._tidy = self.store.snapshot()
            for edit in journal.replay():
                edit.apply(self.store)
            self._replayed = self.store.snapshot()
        except BaseException:
            journal.close()
            raise
        self.replayed = journal.records_read
        if self._read_only:  # what its holder writes just now is no damage
            journal.close()
            return
        self._journal = journal
        if journal.dropped:
            kept = f"; all of it is kept in {journal.copy.name}" if journal.copy else ""
            self.recovered = (
                f"The end of {self._journal_path} was not whole ({journal.dropped} bytes): the"
                f" labels are as they stood before it{kept}."
            )

    def edits_to_tidy(self) -> Iterator[LabelEdit]:
        """Yield the edits that take away what came from the journal on opening.

        Cells that were changed since stay as they are.
        """
        if self._tidy is None or self._replayed is None:
            return
        windows = {*self._replayed.labelled_windows(), *self._tidy.labelled_windows()}
        for window in sorted(windows, key=lambda w: w.offset):
            now, replayed = self.store.read(window), self._replayed.read(window)
            values = np.where(now == replayed, self._tidy.read(window), now)
            edit = LabelEdit.replace(self.store, window, values, erase=True)
            if edit.cells:
                yield edit

    def keep_copy(self) -> Path:
        """Write the labels as they are beside their files, as "labels-DATE.npz"; return where.

        Raises `CannotWrite`.
        """
        now = datetime.now().strftime("%Y%m%d-%H%M%S")
        path = self.folder / f"labels-{now}.npz"
        write_archive(path, self.store.snapshot(), axes=self.axes)
        return path

    def apply(self, *edits: LabelEdit) -> None:
        """Put the edits on disk as one, then into the store.

        Raises
        ------
        CannotWrite
            When they cannot be written, or the book is read-only; disk and store are then as
            before.
        """
        edits = tuple(edit for edit in edits if edit.cells)
        if not edits:
            return
        with self._lock:
            journal = self._open_journal()
            journal.append(edits)
            for edit in edits:
                edit.apply(self.store)
            self.tidy_long_journal()

    def change(self) -> Change:
        """Begin a change of any size; raises `CannotWrite` where the book cannot be written."""
        with self._lock:
            return Change(self, self._open_journal())

    @property
    def has_long_journal(self) -> bool:
        """Say whether the journal has grown so long that the base file should be renewed."""
        return self._journal is not None and self._journal.size > JOURNAL_LIMIT

    def tidy_long_journal(self) -> None:
        """Renew the base file where the journal has grown long."""
        with self._lock:
            if self.has_long_journal:
                with suppress(CannotWrite):  # the journal holds everything
                    self.compact()

    def _open_journal(self) -> Journal:
        if self._closed:
            raise ValueError(f"the labels in {self.folder} are closed")
        if self._read_only:
            raise CannotWrite(f"The labels in {self.folder} are read-only here", "copy the project")
        if self._journal is None:
            with writing(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
            Journal.create(self._journal_path, self.store.shape, self._generation)
            self._journal = Journal(self._journal_path)
        return self._journal

    def compact(self) -> None:
        """Write everything into a new base file and begin an empty journal.

        A crash between the two is harmless: a journal older than the base file is not replayed.

        Raises
        ------
        CannotWrite
            When the disk is full or the like; nothing is lost.
        """
        with self._lock:
            if self._journal is None or not self._journal.size:
                return
            generation = self._generation + 1
            write_archive(self._base, self.store.snapshot(), generation=generation, axes=self.axes)
            self._generation = generation
            self._journal.close()
            self._journal = None  # the next edit begins a new one
            with suppress(OSError):  # it is older than the base file now, so never replayed
                self._journal_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Tidy the files and release them."""
        with self._lock:
            with suppress(CannotWrite):  # the journal holds everything
                self.compact()
            if self._journal is not None:
                self._journal.close()
            self._journal, self._closed = None, True

    def __enter__(self) -> LabelBook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Change:
    """Edits on their way to the disk, one by one: made together, or taken back.

    Write them, `sync`, and `take_in`; or `take_back`, then all is as before. The book must not
    be changed otherwise meanwhile.
    """

    def __init__(self, book: LabelBook, journal: Journal) -> None:
        """Use `LabelBook.change`."""
        self._journal, self._size = journal, journal.size
        self._draft = book.store.draft()

    def write(self, edit: LabelEdit) -> None:
        """Put an edit behind the others; raises `CannotWrite`, then those before it stay."""
        self._journal.append([edit], sync=False)
        edit.apply(self._draft)

    def sync(self) -> None:
        """Wait until all of it is on disk; raises `CannotWrite`."""
        self._journal.sync()

    def take_in(self) -> None:
        """Make all of them in the store, in one moment."""
        self._draft.commit()

    def take_back(self) -> None:
        """Take everything off the disk again, as far as that lets itself be changed."""
        with suppress(CannotWrite):
            self._journal.cut(self._size)


def stored_shape(folder: Path) -> tuple[int, ...] | None:
    """Return the shape of the labels in a folder, None where there are none.

    Raises `UnreadableFile` when the files are damaged.
    """
    if (folder / _BASE).exists():
        return read_archive_header(folder / _BASE).shape
    if (folder / _JOURNAL).exists():
        return read_header(folder / _JOURNAL)[1]
    return None


def labels_size(folder: Path) -> int:
    """Return the bytes that the labels in a folder take on disk."""
    files = (folder / name for name in (_BASE, _JOURNAL))
    return sum(file.stat().st_size for file in files if file.exists())


def pending_edits(folder: Path) -> int:
    """Count the edits that only the journal in a folder holds, unread; 0 for damaged files."""
    base, journal = folder / _BASE, folder / _JOURNAL
    try:
        if not journal.exists():
            return 0
        tidy = read_archive_header(base).generation if base.exists() else 0
        return count_records(journal) if read_header(journal)[0] == tidy else 0
    except (GeoCNNError, OSError):
        return 0


def last_tidy(folder: Path) -> datetime | None:
    """Return when the base file in a folder was written (UTC), None where there is none."""
    try:
        return datetime.fromtimestamp((folder / _BASE).stat().st_mtime, UTC)
    except OSError:
        return None
