"""Bring the labels of a source to where the steps of its project say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.labels.store import LabelStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geocnn_gui.labels.book import LabelBook
    from geocnn_gui.project.history_log import HistoryLog, Moves, Turn


def brought_up(log: HistoryLog, entry: str, book: LabelBook) -> bool:
    """Bring labels that a crash or damage has set back to where the steps say.

    Returns False for labels that no step has left so; they stay as they are.

    Raises
    ------
    UnreadableFile, CannotWrite
        When the steps cannot be read, or the labels not be written; these are then as before.
    """
    shapes = {part.shape for step in log.steps for part in step.parts if part.entry == entry}
    if shapes - {book.store.shape}:
        return False
    turns = [turn for turn in log.turns if entry in turn.sources]
    mark, end = book.store.mark, log.ends.get(entry)
    if mark == end or not turns:
        return True
    if end is None and _is_within(log, turns[-1], entry, book):
        _make(log, turns[-1:], entry, book)
        return True
    for number in reversed(range(len(turns))):
        if turns[number].marks.get(entry) == mark:
            _make(log, turns[number:], entry, book)
            return True
    return False


def _is_within(log: HistoryLog, turn: Turn, entry: str, book: LabelBook) -> bool:
    """Say whether the labels are before a turn, after it, or it was made in part.

    Taking all of it back leads from each of these to what it found.
    """
    store = LabelStore(book.store.shape, book.store.snapshot())
    back: Moves = tuple((step, not forward) for step, forward in reversed(turn.moves))
    for _, edit in log.edits(back, entry, store.shape):
        edit.apply(store)
    return store.mark == turn.marks.get(entry)


def _make(log: HistoryLog, turns: Sequence[Turn], entry: str, book: LabelBook) -> None:
    moves = tuple(move for turn in turns for move in turn.moves)
    change = book.change()
    try:
        for _, edit in log.edits(moves, entry, book.store.shape):
            change.write(edit)
        change.sync()
    except BaseException:
        change.take_back()
        raise
    change.take_in()
