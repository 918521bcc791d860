"""What can be undone in a project: steps on disk before they are made, in one order for all.

A step is in history.journal before labels or classes change, and these are brought up to it: a
crash between the two is mended when they are next opened, so that a step over several sources is
made wholly or not at all.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, TypeAlias

from geocnn_gui.data.source import Window
from geocnn_gui.errors import BadRequest, CannotWrite, GeoCNNError, UnreadableFile
from geocnn_gui.labels.store import weighed
from geocnn_gui.project.agreement import brought_up
from geocnn_gui.project.history_log import MOST_MOVES, PIECE_CELLS, HistoryLog, drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from geocnn_gui.labels.book import Change, LabelBook
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.edit import LabelEdit
    from geocnn_gui.project.history_log import LoggedStep, Moves
    from geocnn_gui.project.project import Project

HISTORY_FILE = "history.journal"
ASIDE_FILE = "history.journal.aside"
#: Bytes of steps on disk above which the oldest are forgotten.
HISTORY_LIMIT = 256 * 2**20


@dataclass
class Changed:
    """What a step or a move changed: windows by source, and whether classes."""

    windows: dict[str, list[Window]] = field(default_factory=dict)
    classes: bool = False


#: A step or a move on its way; yields the cells (`weighed`) of each part's window as met.
Making: TypeAlias = "Generator[int, None, Changed]"


class History:
    """The steps of a project that can be undone and made again; `position` of them stand.

    Labels and classes are changed through `do`, `go_to` and nothing else while it is in use.
    Labels that do not agree with it (an older program, another hand) are left as they are: then
    the history is put aside, and `take_notes` says so.
    """

    def __init__(self, project: Project) -> None:
        """Read what a project can undo; begin with nothing where it is read-only."""
        self._project = project
        self._path = project.folder / HISTORY_FILE
        self._log: HistoryLog | None = None
        self._books: dict[str, LabelBook] = {}
        self._settled: set[str] = set()
        self._late: dict[str, CannotWrite] = {}
        self._notes: list[str] = []
        self._most = HISTORY_LIMIT
        self._lock = RLock()

    @property
    def steps(self) -> tuple[LoggedStep, ...]:
        """Return the steps, those undone too, oldest first."""
        return tuple(self._log.steps) if self._log is not None else ()

    @property
    def position(self) -> int:
        """Return how many of the steps stand."""
        return self._log.position if self._log is not None else 0

    @property
    def size(self) -> int:
        """Return the bytes that the steps take on disk."""
        return self._log.size if self._log is not None else 0

    @property
    def most(self) -> int:
        """Return the bytes above which the oldest steps are forgotten."""
        return self._most

    def take_notes(self) -> tuple[str, ...]:
        """Return, once, the sentences that a user should read."""
        notes, self._notes = tuple(self._notes), []
        return notes

    # On opening

    def open(self) -> None:
        """Read the steps, and finish the last where a crash has cut it short."""
        if self._project.read_only or not self._path.exists():
            return
        try:
            self._log = HistoryLog(self._path)
        except (UnreadableFile, CannotWrite) as error:
            self._put_aside(error.fact)
            return
        if self._log.dropped:
            kept = f"; all of it is kept in {self._log.copy.name}" if self._log.copy else ""
            self._notes.append(
                f"The end of {self._path} was not whole ({self._log.dropped} bytes): what can be"
                f" undone is what stood before it{kept}."
            )
        self._finish_last()

    def _finish_last(self) -> None:
        assert self._log is not None
        for turn in self._log.turns[-1:]:
            for entry in sorted(turn.sources):  # those without any files follow when looked at
                with suppress(GeoCNNError, KeyError):  # it is told then
                    self._project.stored_labels(entry)
        with suppress(CannotWrite):
            self._settle_classes()

    def _settle_classes(self) -> None:
        turns = self._log.turns if self._log is not None else []
        with_classes = [turn for turn in turns if any(step.classes for step in turn.steps)]
        if not with_classes:
            return
        before, after = _classes_around(with_classes[-1].moves)
        now = self._project.classes
        if now == before and with_classes[-1] is turns[-1]:
            self._project.set_classes(after)
        elif now != after:
            self._put_aside(f"The classes in {self._project.folder} are not those of {self._path}")

    def settle(self, entry: str, book: LabelBook) -> None:
        """Compare the labels of a source with the steps, and bring them up where they are behind.

        Labels that a crash or damage has set back are brought to where the steps say; others
        put the history aside. It is done once for each source.
        """
        if self._project.read_only or entry in self._settled:
            return
        _ = book.store.mark  # may take long: not under the lock, nor at the first stroke
        with self._lock:
            if entry in self._settled:
                return
            self._books[entry] = book
            try:
                self._compare(entry, book)
            except CannotWrite as error:
                if entry not in self._late:
                    self._notes.append(f"The last step could not be finished. {error}")
                self._late[entry] = error
                return
            self._late.pop(entry, None)
            self._settled.add(entry)

    def _compare(self, entry: str, book: LabelBook) -> None:
        log = self._log
        if log is None:
            return
        try:
            agrees = brought_up(log, entry, book)
        except UnreadableFile as error:
            self._put_aside(error.fact)
            return
        if not agrees:
            self._put_aside(f"The labels in {book.folder} are not those of {self._path}")

    def _put_aside(self, fact: str) -> None:
        """Forget all steps; their file is kept under another name."""
        if self._log is not None:
            self._log.close()
        self._log = None
        with suppress(OSError):
            os.replace(self._path, self._path.with_name(ASIDE_FILE))
        self._notes.append(
            f"{fact}: what was done before cannot be undone any more (its steps are kept in"
            f" {ASIDE_FILE}); the labels are as they are on disk."
        )

    # Steps

    def do(
        self, text: str, parts: Iterable[tuple[str, LabelEdit]] = (), *,
        classes: Classes | None = None,
    ) -> Changed:  # fmt: skip
        """Make a step as `doing`, to its end, and tidy what has grown long."""
        changed = drawn(self.doing(text, parts, classes=classes))
        self.tidy()
        return changed

    def doing(
        self, text: str, parts: Iterable[tuple[str, LabelEdit]] = (), *,
        classes: Classes | None = None,
    ) -> Making:  # fmt: skip
        """Make a step: put it on disk, then into the labels of its sources and the classes.

        `parts` are ids of sources and edits, drawn one by one before anything changes. Undone
        steps are forgotten. A step that changes nothing is none. Each part is met twice; when
        this is closed before its end, steps, labels and classes are as before. Draw it on one
        thread, and change nothing else of the history meanwhile.

        Raises
        ------
        CannotWrite
            When the disk is full or the like; steps, labels and classes are then as before.
        """
        with self._lock:
            self._finish_late()
            log, now = self._writable(), self._project.classes
            pair = None if classes is None or classes == now else (now, classes)
            before = log.state()
            pieces = _pieces(parts, self._book)
            step = yield from log.writing(text[:200], pieces, pair, time.time(), self._marks)
            if step is None:
                return Changed()
            try:
                return (yield from self._make(((step, True),)))
            except BaseException:
                log.restore(before)
                raise

    def go_to(self, position: int) -> Changed:
        """Go where so many steps stand as `going_to`, to the end of it."""
        return drawn(self.going_to(position))

    def going_to(self, position: int) -> Making:
        """Take back or make again so many steps that `position` of them stand.

        It is drawn and closed as `doing`, and meets each part once.

        Raises
        ------
        CannotWrite, BadRequest
            When the disk is full or the like, or a source is not in the project; everything is
            then as before.
        UnreadableFile
            When the steps cannot be read any more; they are put aside, and nothing else changes.
        """
        with self._lock:
            self._finish_late()
            log = self._writable()
            moves = log.moves_to(min(max(position, 0), len(log.steps)))
            self._check_sources(moves)
            if self._log is not log:  # it did not agree with their labels
                return Changed()
            before = log.state()
            log.move(
                log.position + sum(1 if forward else -1 for _, forward in moves), self._marks()
            )
            try:
                return (yield from self._make(moves))
            except UnreadableFile as error:
                self._put_aside(error.fact)
                raise
            except BaseException:
                log.restore(before)
                raise

    def cells_to(self, position: int) -> int:
        """Return how many cells `going_to` meets."""
        log = self._log
        return sum(step.cells for step, _ in log.moves_to(position)) if log is not None else 0

    def drop_undone(self) -> None:
        """Forget the steps that are undone; raises `CannotWrite`."""
        with self._lock:
            if self._log is not None and self._log.position < len(self._log.steps):
                self._log.move(self._log.position, self._marks(), drop=True)

    def _finish_late(self) -> None:
        """Try again what a full disk has kept from being finished."""
        for entry in tuple(self._late):
            book = self._books.get(entry)
            if book is not None:
                self.settle(entry, book)
            if entry in self._late:
                raise self._late[entry]

    def _check_sources(self, moves: Moves) -> None:
        """Open the labels of all sources that moves change."""
        for entry in sorted(frozenset().union(*(step.sources for step, _ in moves))):
            try:
                if entry not in self._books and self._project.stored_labels(entry) is None:
                    raise BadRequest(
                        "That step changed labels of a source that has none any more",
                        "show that source first",
                    )
            except KeyError:
                raise BadRequest(
                    "That step changed labels of a source that was taken out of the project",
                    "put it back first",
                ) from None
        self._finish_late()

    def _writable(self) -> HistoryLog:
        if self._project.read_only:
            raise CannotWrite(
                f"Cannot change the project in {self._project.folder}", self._project.read_only
            )
        if self._log is None:
            HistoryLog.create(self._path)
            self._log = HistoryLog(self._path)
        return self._log

    def _book(self, entry: str) -> LabelBook:
        book = self._books.get(entry)
        if book is None:
            raise ValueError(f"the labels of {entry} are not open")
        return book

    def _marks(self) -> dict[str, int]:
        """Return the marks of the labels that are known to agree with the steps."""
        books = ((entry, self._books.get(entry)) for entry in sorted(self._settled))
        return {entry: book.store.mark for entry, book in books if book is not None}

    def _make(self, moves: Moves) -> Making:
        """Bring labels and classes, on disk and in memory, to where moves lead; or leave them."""
        assert self._log is not None
        changes = dict[str, "Change"]()
        classes = _classes_around(moves)[1] if any(step.classes for step, _ in moves) else None
        changed = Changed(classes=classes is not None)
        try:
            for entry, edit in self._log.edits(moves):
                if entry not in changes:
                    changes[entry] = self._book(entry).change()
                changes[entry].write(edit)
                changed.windows.setdefault(entry, []).append(edit.window)
                yield weighed(edit.mask.size, self._book(entry).store.shape)
            for change in changes.values():
                change.sync()
            if classes is not None:
                self._project.set_classes(classes)
        except BaseException:
            for change in changes.values():
                change.take_back()
            raise
        for change in changes.values():
            change.take_in()
        return changed

    @property
    def grown(self) -> bool:
        """Say whether something has grown so long that it should be tidied."""
        return self._has_old() or any(book.has_long_journal for book in self._books.values())

    def tidy(self) -> None:
        """Renew the files of labels whose journals have grown long; forget the oldest steps."""
        with self._lock:
            for book in self._books.values():
                book.tidy_long_journal()
            if self._has_old() and self._log is not None:
                with suppress(CannotWrite):  # it stays longer then
                    self._log.compact(self._most * 3 // 4, {**self._log.ends, **self._marks()})

    def _has_old(self) -> bool:
        """Say whether there are steps to be forgotten, and nothing needs them any more."""
        log = self._log
        if log is None or log.position < len(log.steps) or not log.turns:
            return False
        if log.size <= self._most and log.moved <= MOST_MOVES // 4:
            return False
        if len(log.steps) == 1 or log.turns[-1].sources - self._settled:
            return False
        unknown = frozenset().union(*(turn.sources for turn in log.turns)) - log.ends.keys()
        unknown -= self._settled  # labels that nobody has looked at may need older steps
        return not unknown or unknown.isdisjoint(entry.id for entry in self._project.sources)

    # At the end

    def forget(self, entry: str) -> None:
        """Compare a source again when its labels are next opened."""
        with self._lock:
            self._note_marks()
            self._settled.discard(entry)
            self._books.pop(entry, None)
            self._late.pop(entry, None)

    def close(self) -> None:
        """Note how the labels are left, and release the file; call it before they are closed."""
        with self._lock:
            self._note_marks()
            if self._log is not None:
                self._log.close()
            self._log = None

    def _note_marks(self) -> None:
        """Put the marks of labels on disk that are not known from it yet."""
        marks = self._marks()
        if self._log is not None and marks.keys() - self._log.ends.keys():
            with suppress(CannotWrite):  # they are looked at more closely then
                self._log.move(self._log.position, marks)


def _pieces(
    parts: Iterable[tuple[str, LabelEdit]], book_of: Callable[[str], LabelBook]
) -> Iterator[tuple[str, tuple[int, ...], LabelEdit]]:
    for entry, edit in parts:
        shape = book_of(entry).store.shape
        for piece in edit.pieces(PIECE_CELLS):
            yield entry, shape, piece


def _classes_around(moves: Moves) -> tuple[Classes, Classes]:
    """Return the classes before and after moves of which at least one changes them."""
    pairs = [
        step.classes if forward else step.classes[::-1] for step, forward in moves if step.classes
    ]
    return pairs[0][0], pairs[-1][1]
