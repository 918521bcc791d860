from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocnn_gui.data.source import Window
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.labels.store import LabelSnapshot, LabelStore

SHAPES = [(300, 520), (1, 1), (70, 65, 130)]


def whole(labels: LabelStore | LabelSnapshot) -> np.ndarray:
    return labels.read(Window.whole(labels.shape))


def plain_counts(array: np.ndarray) -> dict[int, int]:
    ids, cells = np.unique(array[array > 0], return_counts=True)
    return dict(zip(ids.tolist(), cells.tolist(), strict=True))


@st.composite
def windows(draw: st.DrawFn, shape: tuple[int, ...]) -> Window:
    offset = tuple(draw(st.integers(0, n - 1)) for n in shape)
    size = tuple(draw(st.integers(0, n - o)) for o, n in zip(offset, shape, strict=True))
    return Window(offset, size)


def write_at_random(data: st.DataObject, store: LabelStore, plain: np.ndarray) -> None:
    window = data.draw(windows(store.shape))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    values = random.integers(0, data.draw(st.integers(1, 255)), window.size, np.uint8)
    store.write(window, values)
    plain[window.slices] = values


@given(st.data(), st.sampled_from(SHAPES))
def test_that_a_store_behaves_like_a_plain_array(data, shape):
    store, plain = LabelStore(shape), np.zeros(shape, np.uint8)
    for _ in range(data.draw(st.integers(1, 6))):
        write_at_random(data, store, plain)
        window = data.draw(windows(shape))
        np.testing.assert_array_equal(store.read(window), plain[window.slices])
    assert store.counts == plain_counts(plain)
    np.testing.assert_array_equal(whole(store), plain)


@given(st.data(), st.sampled_from(SHAPES))
def test_that_a_snapshot_does_not_see_later_writes(data, shape):
    store, plain = LabelStore(shape), np.zeros(shape, np.uint8)
    write_at_random(data, store, plain)
    snapshot, then = store.snapshot(), plain.copy()
    digest = snapshot.digest
    write_at_random(data, store, plain)
    np.testing.assert_array_equal(whole(snapshot), then)
    assert snapshot.counts == plain_counts(then)
    assert snapshot.digest == digest
    np.testing.assert_array_equal(whole(store), plain)


@given(st.data(), st.sampled_from(SHAPES))
def test_that_equal_labels_have_equal_digests_however_they_came_about(data, shape):
    store, plain = LabelStore(shape), np.zeros(shape, np.uint8)
    for _ in range(3):
        write_at_random(data, store, plain)
    assert LabelSnapshot.from_array(plain).digest == store.snapshot().digest
    plain.flat[0] += 1
    assert LabelSnapshot.from_array(plain).digest != store.snapshot().digest


def test_that_a_later_write_copies_only_the_chunk_it_touches():
    store = LabelStore((600, 600))
    store.write(Window.whole((600, 600)), 1)
    snapshot = store.snapshot()
    store.write(Window((0, 0), (10, 10)), 2)
    after = store.snapshot()
    shared = {k for k, chunk in snapshot.chunks.items() if chunk is after.chunks[k]}
    assert set(snapshot.chunks) - shared == {(0, 0)}


def test_that_a_thread_never_sees_half_a_write():
    store = LabelStore((300, 600))
    done, mixed = threading.Event(), []

    def look() -> None:
        while not done.is_set():
            snapshot = store.snapshot()
            mixed.extend(np.ptp(labels) for labels in (whole(snapshot), whole(store)))
            mixed.append(sum(snapshot.counts.values()) not in (0, 300 * 600))

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(300):
        store.write(Window.whole((300, 600)), number % 254 + 1)
    done.set()
    thread.join()
    assert mixed
    assert not any(mixed)


def test_that_a_store_can_start_from_a_snapshot_and_leaves_it_alone():
    snapshot = LabelSnapshot.from_array(np.full((300, 300), 3, np.uint8))
    store = LabelStore((300, 300), snapshot)
    store.write(Window((0, 0), (5, 5)), 0)
    assert store.counts == {3: 300 * 300 - 25}
    assert snapshot.counts == {3: 300 * 300}
    assert snapshot.read(Window((0, 0), (1, 1)))[0, 0] == 3


def test_that_labelled_windows_hold_every_label_and_no_empty_chunk():
    store = LabelStore((1000, 1000))
    store.write(Window((10, 10), (5, 5)), 1)
    store.write(Window((900, 900), (100, 100)), 2)
    store.write(Window((500, 10), (5, 5)), 3)
    store.write(Window((500, 10), (5, 5)), 0)
    assert store.snapshot().labelled_windows() == [
        Window((0, 0), (256, 256)),
        Window((768, 768), (232, 232)),
    ]


def test_that_a_window_beyond_the_source_is_refused():
    store = LabelStore((10, 10))
    with pytest.raises(ValueError, match="not inside"):
        store.write(Window((5, 5), (6, 1)), 1)
    with pytest.raises(ValueError, match="0-254"):
        LabelSnapshot.from_array(np.array([[300]]))


@given(st.data(), st.sampled_from(SHAPES))
def test_that_edits_can_be_undone_and_redone_to_the_cell(data, shape):
    store, plain = LabelStore(shape), np.zeros(shape, np.uint8)
    write_at_random(data, store, plain)
    past, edits = [plain.copy()], []
    for _ in range(3):
        window = data.draw(windows(shape))
        random = np.random.default_rng(data.draw(st.integers(0, 1000)))
        mask = random.random(window.size) < 0.5
        value = data.draw(st.integers(0, 254))
        edit = LabelEdit.paint(store, window, mask, value)
        edit.apply(store)
        plain[window.slices][mask] = value
        edits.append(edit)
        past.append(plain.copy())
        np.testing.assert_array_equal(whole(store), plain)
        assert edit.cells == np.count_nonzero(past[-1] != past[-2])
    for edit, before in zip(reversed(edits), reversed(past[:-1]), strict=True):
        edit.revert(store)
        np.testing.assert_array_equal(whole(store), before)
    for edit, after in zip(edits, past[1:], strict=True):
        edit.apply(store)
        np.testing.assert_array_equal(whole(store), after)


@pytest.mark.parametrize(("erase", "expected"), [(False, [1, 2, 3]), (True, [0, 2, 3])])
def test_that_zeros_of_an_import_erase_only_when_asked(erase, expected):
    store = LabelStore((1, 3))
    store.write(Window((0, 0), (1, 3)), np.array([[1, 1, 0]]))
    edit = LabelEdit.replace(
        store, Window.whole((1, 3)), np.array([[0, 2, 3]], np.uint8), erase=erase
    )
    edit.apply(store)
    assert whole(store).ravel().tolist() == expected
    edit.revert(store)
    assert whole(store).ravel().tolist() == [1, 1, 0]
