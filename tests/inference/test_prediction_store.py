from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geocnn_gui.data.source import Window
from geocnn_gui.errors import CannotWrite, UnreadableFile
from geocnn_gui.inference.store import PredictionStore


@st.composite
def windows(draw, shape):
    spans = [sorted(draw(st.tuples(st.integers(0, n - 1), st.integers(1, n)))) for n in shape]
    spans = [(a, max(b, a + 1)) for a, b in spans]
    return Window(tuple(a for a, _ in spans), tuple(b - a for a, b in spans))


@pytest.mark.parametrize("shape", [(5, 7), (4, 5, 6)])
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
@given(data=st.data())
def test_that_what_is_written_is_read_and_the_rest_is_0(
    shape, data, make_source, make_card, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("store")
    store = PredictionStore.create(folder, make_source(shape), make_card().classes)
    expected = np.zeros(shape, np.uint8)
    for value in (2, 5):
        window = data.draw(windows(shape))
        store.write(window, np.full(window.size, value, np.uint8), np.full(window.size, 0.5))
        expected[window.slices] = value
    store.finish(complete=True)
    opened = PredictionStore.open(folder)
    np.testing.assert_array_equal(opened.read_classes(Window.whole(shape)), expected)
    confidence = opened.read_confidence(Window.whole(shape))
    np.testing.assert_allclose(confidence, np.where(expected, 0.5, 0), atol=0.003)
    assert opened.complete
    assert [c.id for c in opened.classes] == [2, 5, 9]


def test_that_an_unfinished_store_says_so(make_source, make_card, tmp_path):
    PredictionStore.create(tmp_path / "run", make_source((3, 4)), make_card().classes)
    assert not PredictionStore.open(tmp_path / "run").complete


def test_that_confidence_without_a_class_is_0(make_source, make_card, tmp_path):
    store = PredictionStore.create(tmp_path / "run", make_source((2, 2)), make_card().classes)
    window = Window.whole((2, 2))
    store.write(window, np.array([[0, 2], [5, 0]]), np.ones((2, 2)))
    np.testing.assert_array_equal(store.read_confidence(window), [[0, 1], [1, 0]])


def test_that_a_full_disk_is_an_error_and_not_a_crash(
    make_source, make_card, tmp_path, monkeypatch
):
    store = PredictionStore.create(tmp_path / "run", make_source((5, 6)), make_card().classes)

    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(CannotWrite, match="the disk is full"):
        store.write(Window((0, 0), (2, 2)), np.ones((2, 2)), np.ones((2, 2)))


@pytest.mark.parametrize("damage", ["missing", "no card", "cut", "other shape"])
def test_that_a_damaged_store_is_refused(damage, make_source, make_card, tmp_path):
    folder = tmp_path / "run"
    if damage != "missing":
        PredictionStore.create(folder, make_source((40, 60)), make_card().classes)
    if damage == "no card":
        (folder / "card.json").unlink()
    elif damage == "cut":
        with (folder / "classes.npy").open("rb+") as file:
            file.truncate(500)
    elif damage == "other shape":
        np.save(folder / "confidence.npy", np.zeros((3, 3), np.uint8))
    with pytest.raises(UnreadableFile, match="no whole prediction"):
        PredictionStore.open(folder)


@pytest.mark.parametrize(
    ("model", "shape", "kept"),
    [("a 1", (4, 4), True), ("a 2", (4, 4), False), ("a 1", (4, 5), False), ("", (4, 4), False)],
)
def test_that_cells_are_added_only_to_a_prediction_by_the_same_model(
    model, shape, kept, make_source, make_card, tmp_path
):
    folder, first = tmp_path / "run", Window((0, 0), (2, 2))
    store = PredictionStore.create(folder, make_source((4, 4)), make_card().classes, model="a 1")
    store.write(first, np.full((2, 2), 5), np.ones((2, 2)))
    store.finish(complete=True)
    again = PredictionStore.create(folder, make_source(shape), make_card().classes, model=model)
    assert not PredictionStore.open(folder).complete
    again.write(Window((3, 3), (1, 1)), np.full((1, 1), 9), np.ones((1, 1)))
    opened = PredictionStore.open(folder)
    assert opened.shape == shape
    assert (opened.read_classes(first) == (5 if kept else 0)).all()
    assert opened.read_classes(Window((3, 3), (1, 1))) == 9


def test_that_who_looks_at_a_prediction_survives_its_replacement(make_source, make_card, tmp_path):
    """A mapped file that is cut short kills whoever reads it."""
    folder, whole = tmp_path / "run", Window.whole((300, 400))
    store = PredictionStore.create(folder, make_source((300, 400)), make_card().classes)
    store.write(whole, np.full((300, 400), 5), np.ones((300, 400)))
    looking = PredictionStore.open(folder)
    PredictionStore.create(folder, make_source((2, 2)), make_card().classes)
    assert (looking.read_classes(whole) == 5).all()
