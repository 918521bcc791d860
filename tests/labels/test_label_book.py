from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from geocnn_gui.data.source import Window
from geocnn_gui.errors import CannotWrite, LabelsMismatch, UnreadableFile
from geocnn_gui.labels import book as book_module
from geocnn_gui.labels.book import LabelBook
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.labels.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (300, 270)
ALL = Window.whole(SHAPE)


def stroke(book: LabelBook, number: int) -> LabelEdit:
    """Return the edit that sets cells `number` .. `number + 4` of the first row to `number`."""
    return LabelEdit.paint(
        book.store, Window((0, number), (1, 5)), np.ones((1, 5), bool), number % 254 + 1
    )


def crash(book: LabelBook) -> None:
    """Leave the files as they are, as the end of the process would."""
    if book._journal is not None:
        book._journal.close()
        book._journal = None


def painted(folder: Path, strokes: int) -> list[np.ndarray]:
    """Paint into a book that is never closed; return the labels after 0, 1, ... strokes."""
    book = LabelBook(folder, SHAPE)
    states = [book.store.read(ALL)]
    for number in range(strokes):
        book.apply(stroke(book, number))
        states.append(book.store.read(ALL))
    crash(book)
    return states


def reopened(folder: Path) -> tuple[np.ndarray, str | None]:
    book = LabelBook(folder, SHAPE)
    labels = book.store.read(ALL)
    crash(book)
    return labels, book.recovered


class BookMachine(RuleBasedStateMachine):
    """Random strokes, imports, undo, redo, compaction and reopening beside a plain array."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.path = self.folder / str(len(list(self.folder.iterdir())))
        self.book = LabelBook(self.path, SHAPE)
        self.plain = np.zeros(SHAPE, np.uint8)
        self.undo: list[tuple[LabelEdit, np.ndarray]] = []

    def draw_window(self, data: st.DataObject) -> Window:
        offset = tuple(data.draw(st.integers(0, n - 1)) for n in SHAPE)
        size = tuple(
            data.draw(st.integers(1, min(80, n - o))) for o, n in zip(offset, SHAPE, strict=True)
        )
        return Window(offset, size)

    def do(self, edit: LabelEdit) -> None:
        self.undo.append((edit, self.book.store.read(ALL)))
        self.book.apply(edit)

    @rule(data=st.data(), value=st.integers(0, 254), seed=st.integers(0, 99))
    def paint(self, data, value, seed):
        window = self.draw_window(data)
        mask = np.random.default_rng(seed).random(window.size) < 0.5
        self.do(LabelEdit.paint(self.book.store, window, mask, value))
        self.plain[window.slices][mask] = value

    @rule(data=st.data(), seed=st.integers(0, 99))
    def bring_in(self, data, seed):
        window = self.draw_window(data)
        values = np.random.default_rng(seed).integers(0, 5, window.size, np.uint8)
        self.do(LabelEdit.replace(self.book.store, window, values))
        part = self.plain[window.slices]
        part[values > 0] = values[values > 0]

    @rule()
    def take_back(self):
        if self.undo:
            edit, before = self.undo.pop()
            self.book.apply(edit.inverse())
            self.plain[:] = before

    @rule()
    def compact(self):
        self.book.compact()

    @rule()
    def close_and_reopen(self):
        self.book.close()
        self.book = LabelBook(self.path, SHAPE)

    @rule()
    def lose_power_and_reopen(self):
        crash(self.book)
        self.book = LabelBook(self.path, SHAPE)

    @invariant()
    def holds_what_was_painted(self):
        np.testing.assert_array_equal(self.book.store.read(ALL), self.plain)
        assert self.book.recovered is None

    def teardown(self):
        self.book.close()


def test_that_labels_survive_any_order_of_edits_undo_and_reopening(tmp_path):
    machine = type("Machine", (BookMachine,), {"folder": tmp_path})
    case = machine.TestCase
    case.settings = settings(
        max_examples=25, stateful_step_count=20, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    case("runTest").debug()


def test_that_a_journal_cut_anywhere_gives_the_strokes_before_the_cut(tmp_path):
    states = painted(tmp_path / "whole", 4)
    journal = (tmp_path / "whole" / "labels.journal").read_bytes()
    sizes = []
    for strokes in range(5):
        painted(tmp_path / f"n{strokes}", strokes)
        path = tmp_path / f"n{strokes}" / "labels.journal"
        sizes.append(path.stat().st_size if path.exists() else 0)
    for cut in range(sizes[1], len(journal)):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "labels.journal").write_bytes(journal[:cut])
        whole = max(n for n, size in enumerate(sizes) if size <= cut)
        labels, recovered = reopened(folder)
        np.testing.assert_array_equal(labels, states[whole])
        assert (recovered is None) == (cut in sizes)
        assert (folder / "labels.journal").stat().st_size == sizes[whole]
        assert not (folder / "labels.journal.damaged").exists()
        assert reopened(folder)[1] is None


def test_that_painting_goes_on_after_a_torn_stroke(tmp_path):
    states = painted(tmp_path, 3)
    journal = tmp_path / "labels.journal"
    journal.write_bytes(journal.read_bytes()[:-5])
    with LabelBook(tmp_path, SHAPE) as book:
        assert "not whole" in str(book.recovered)
        book.apply(stroke(book, 2))
    np.testing.assert_array_equal(reopened(tmp_path)[0], states[3])


def test_that_damage_in_the_middle_is_told_and_a_copy_is_kept(tmp_path):
    states = painted(tmp_path, 6)
    journal = tmp_path / "labels.journal"
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 0xFF
    journal.write_bytes(content)
    labels, recovered = reopened(tmp_path)
    assert any((labels == state).all() for state in states[1:-1])
    assert "labels.journal.damaged" in str(recovered)
    assert (tmp_path / "labels.journal.damaged").read_bytes() == content


def test_that_a_tail_of_zeros_is_no_stroke(tmp_path):
    states = painted(tmp_path, 2)
    with (tmp_path / "labels.journal").open("ab") as file:
        file.write(bytes(4096))
    labels, recovered = reopened(tmp_path)
    np.testing.assert_array_equal(labels, states[2])
    assert recovered is not None


@pytest.mark.parametrize("name", ["write", "fsync"])
def test_that_a_full_disk_changes_neither_store_nor_journal(tmp_path, monkeypatch, name):
    book = LabelBook(tmp_path, SHAPE)
    book.apply(stroke(book, 1))
    before, journal = book.store.read(ALL), (tmp_path / "labels.journal").read_bytes()
    with monkeypatch.context() as patch:
        fill_disk(patch, book, name)
        with pytest.raises(CannotWrite, match="disk is full"):
            book.apply(stroke(book, 9))
    np.testing.assert_array_equal(book.store.read(ALL), before)
    assert (tmp_path / "labels.journal").read_bytes() == journal
    book.apply(stroke(book, 5))
    expected = book.store.read(ALL)
    book.close()
    np.testing.assert_array_equal(reopened(tmp_path)[0], expected)


def fill_disk(patch: pytest.MonkeyPatch, book: LabelBook, name: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if name == "fsync":
        patch.setattr(os, "fsync", full)
        return
    journal = book._journal
    assert isinstance(journal, Journal)

    class HalfFull:
        """A file whose disk takes ten more bytes."""

        def __init__(self, file) -> None:
            self.file, self.room = file, 10

        def write(self, data: memoryview) -> int:
            if not self.room:
                full()
            written = self.file.write(data[: self.room])
            self.room -= written
            return written

        def __getattr__(self, name: str):
            return getattr(self.file, name)

    patch.setattr(journal, "_file", HalfFull(journal._file))


def test_that_a_full_disk_while_compacting_loses_nothing(tmp_path, monkeypatch):
    book = LabelBook(tmp_path, SHAPE)
    book.apply(stroke(book, 1))
    book.compact()
    book.apply(stroke(book, 9))
    expected = book.store.read(ALL)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "writestr", full)
        with pytest.raises(CannotWrite):
            book.compact()
        book.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.journal", "labels.npz"]
    np.testing.assert_array_equal(reopened(tmp_path)[0], expected)


def test_that_a_crash_between_new_base_and_new_journal_is_harmless(tmp_path):
    states = painted(tmp_path, 3)
    old = (tmp_path / "labels.journal").read_bytes()
    LabelBook(tmp_path, SHAPE).close()
    assert not (tmp_path / "labels.journal").exists()
    (tmp_path / "labels.journal").write_bytes(old[:-20])  # as if it had not been removed
    with LabelBook(tmp_path, SHAPE) as book:
        np.testing.assert_array_equal(book.store.read(ALL), states[3])
        book.apply(stroke(book, 8))
        expected = book.store.read(ALL)
    np.testing.assert_array_equal(reopened(tmp_path)[0], expected)


def test_that_a_long_journal_is_taken_into_the_base_file(tmp_path, monkeypatch):
    monkeypatch.setattr(book_module, "JOURNAL_LIMIT", 200)
    states = painted(tmp_path, 12)
    assert (tmp_path / "labels.npz").exists()
    np.testing.assert_array_equal(reopened(tmp_path)[0], states[12])


def test_that_the_base_file_says_what_it_holds_and_numpy_reads_it(tmp_path):
    with LabelBook(tmp_path, SHAPE, axes=("trace", "time")) as book:
        book.apply(stroke(book, 0))
    with np.load(tmp_path / "labels.npz", allow_pickle=False) as archive:
        assert archive["0_0"][0, :6].tolist() == [1, 1, 1, 1, 1, 0]
        about = archive["labels.json"].decode()
    assert '"trace"' in about
    assert '"uint8"' in about


def test_that_several_edits_come_back_as_one_or_not_at_all(tmp_path):
    book = LabelBook(tmp_path, SHAPE)
    book.apply(stroke(book, 1))
    before = book.store.read(ALL)
    book.apply(stroke(book, 20), stroke(book, 40), stroke(book, 60))
    after = book.store.read(ALL)
    crash(book)
    np.testing.assert_array_equal(reopened(tmp_path)[0], after)
    journal = tmp_path / "labels.journal"
    journal.write_bytes(journal.read_bytes()[:-1])
    np.testing.assert_array_equal(reopened(tmp_path)[0], before)


def test_that_looking_writes_nothing(tmp_path):
    LabelBook(tmp_path / "labels", SHAPE).close()
    assert not (tmp_path / "labels").exists()


def test_that_labels_of_another_shape_are_refused_and_kept(tmp_path):
    painted(tmp_path, 2)
    content = (tmp_path / "labels.journal").read_bytes()
    with pytest.raises(LabelsMismatch, match="300 x 270 cells but the source now has 10 x 10"):
        LabelBook(tmp_path, (10, 10))
    assert (tmp_path / "labels.journal").read_bytes() == content
    LabelBook(tmp_path, SHAPE).close()
    with pytest.raises(LabelsMismatch):
        LabelBook(tmp_path, (10, 10))


@pytest.mark.parametrize("what", ["cut", "flipped", "empty", "text", "newer"])
def test_that_a_damaged_base_file_is_named_and_left_alone(tmp_path, what):
    LabelBook(tmp_path, SHAPE).close()
    painted(tmp_path, 5)
    LabelBook(tmp_path, SHAPE).close()
    base = tmp_path / "labels.npz"
    content = base.read_bytes()
    flipped = bytearray(content)
    flipped[content.index(b"0_0.npy") + 20] ^= 0xFF
    bad = {"cut": content[: len(content) // 2], "flipped": bytes(flipped), "empty": b"",
           "text": b"hello"}.get(what)  # fmt: skip
    if bad is None:
        with zipfile.ZipFile(base, "w") as archive:
            archive.writestr("labels.json", '{"version": 2}')
        bad = base.read_bytes()
    base.write_bytes(bad)
    with pytest.raises(UnreadableFile, match=r"labels\.npz"):
        LabelBook(tmp_path, SHAPE)
    assert base.read_bytes() == bad


def test_that_a_journal_without_its_base_file_is_not_taken_for_all(tmp_path):
    painted(tmp_path, 2)
    LabelBook(tmp_path, SHAPE).close()
    painted(tmp_path, 7)
    (tmp_path / "labels.npz").unlink()
    with pytest.raises(UnreadableFile, match="missing"):
        LabelBook(tmp_path, SHAPE)


def test_that_something_else_under_the_journals_name_is_left_alone(tmp_path):
    for content in (b"", b"hello", b"x" * 100):
        (tmp_path / "labels.journal").write_bytes(content)
        with pytest.raises(UnreadableFile, match=r"labels\.journal"):
            LabelBook(tmp_path, SHAPE)
        assert (tmp_path / "labels.journal").read_bytes() == content


PAINT_FOR_EVER = """
    import sys
    from pathlib import Path
    import numpy as np
    from geocnn_gui.data.source import Window
    from geocnn_gui.labels.book import LabelBook
    from geocnn_gui.labels.edit import LabelEdit

    book = LabelBook(Path(sys.argv[1]), (300, 270))
    number = int(book.store.read(Window((0, 0), (1, 1)))[0, 0])
    while True:
        number = number % 254 + 1
        edit = LabelEdit.paint(
            book.store, Window((0, 0), (300, 270)), np.ones((300, 270), bool), number
        )
        book.apply(edit)
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
        if number % 7 == 0:
            book.compact()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_that_a_killed_program_loses_no_stroke_that_it_showed(tmp_path):
    random = np.random.default_rng(1)
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PAINT_FOR_EVER), str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        shown = [process.stdout.readline()]
        time.sleep(random.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        shown += process.communicate()[0].splitlines()
        last = int(next(line for line in reversed(shown) if line.strip()))
        labels, _ = reopened(tmp_path)
        assert (labels == labels[0, 0]).all()
        assert labels[0, 0] in (last, last % 254 + 1)
