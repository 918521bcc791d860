from __future__ import annotations

import errno
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geocnn_gui.data.source import Window, open_source
from geocnn_gui.errors import BadRequest, CannotWrite, UnreadableFile
from geocnn_gui.inference.store import PredictionStore, stores_unasked


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


def _shares(ids, size, *, seed=0):
    """Return probabilities (classes, *size) whose highest is that of `ids`' index."""
    shares = np.random.default_rng(seed).dirichlet(np.ones(3), size).astype(np.float32)
    return np.moveaxis(shares, -1, 0), np.array(ids, np.uint8)[shares.argmax(-1)]


@pytest.mark.parametrize("shape", [(5, 7), (4, 5, 6)])
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
@given(data=st.data())
def test_that_probabilities_come_back_to_a_65535th(
    shape, data, make_source, make_card, tmp_path_factory
):
    folder, whole = tmp_path_factory.mktemp("store"), Window.whole(shape)
    store = PredictionStore.create(
        folder, make_source(shape), make_card().classes, probabilities=True
    )
    expected = np.full((3, *shape), np.nan, np.float32)
    for seed in range(2):
        window = data.draw(windows(shape))
        shares, ids = _shares((2, 5, 9), window.size, seed=seed)
        dead = data.draw(st.booleans())
        store.write(window, np.where(dead, 0, ids), shares.max(0), shares)
        expected[(slice(None), *window.slices)] = np.nan if dead else shares
    store.finish(complete=True)
    store.close()
    opened = PredictionStore.open(folder)
    assert opened.has_probabilities
    found, ids = opened.read_probabilities(whole), opened.read_classes(whole)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1.01 / 65535)
    live = ids > 0
    np.testing.assert_array_equal(np.isnan(found[0]), ~live)
    np.testing.assert_allclose(found[:, live].sum(axis=0), 1, atol=3 / 65535)
    likeliest = np.array([2, 5, 9])[found[:, live].argmax(axis=0)]
    np.testing.assert_array_equal(likeliest, ids[live])


def test_that_rounding_never_makes_another_class_the_likeliest(make_source, make_card, tmp_path):
    store = PredictionStore.create(
        tmp_path / "run", make_source((1, 3)), make_card().classes, probabilities=True
    )
    shares = np.array([[[0.4, 0.3, 1e-9]], [[0.4 + 1e-6, 0.3, 1e-9]], [[0.2, 0.4, 0.0]]])
    ids = np.array([[5, 9, 2]], np.uint8)
    store.write(Window.whole((1, 3)), ids, shares.max(0), shares)
    found = store.read_probabilities(Window.whole((1, 3)))
    np.testing.assert_array_equal(np.array([2, 5, 9])[found.argmax(axis=0)], ids)


def test_that_a_store_without_probabilities_says_so(make_source, make_card, tmp_path):
    store = PredictionStore.create(tmp_path / "run", make_source((2, 2)), make_card().classes)
    assert not store.has_probabilities
    assert not (tmp_path / "run" / "probabilities.npy").exists()
    with pytest.raises(BadRequest, match="holds no probabilities; predict again with"):
        store.read_probabilities(Window.whole((2, 2)))


@pytest.mark.parametrize(("first", "then"), [(True, False), (False, True), (False, False)])
def test_that_a_store_goes_on_with_and_without_probabilities(
    first, then, make_source, make_card, tmp_path
):
    folder, source, classes = tmp_path / "run", make_source((4, 4)), make_card().classes
    shares, ids = _shares((2, 5, 9), (2, 2))
    for wanted, at in ((first, (0, 0)), (then, (2, 2))):
        store = PredictionStore.create(folder, source, classes, model="a 1", probabilities=wanted)
        store.write(Window(at, (2, 2)), ids, shares.max(0), shares)
        store.finish(complete=True)
    opened = PredictionStore.open(folder)
    assert (opened.read_classes(Window((0, 0), (2, 2))) == ids).all()
    assert opened.has_probabilities == (first or then)
    if opened.has_probabilities:
        there = ~np.isnan(opened.read_probabilities(Window.whole((4, 4)))[0])
        assert there[2:, 2:].all()
        assert there[:2, :2].all() == first


def test_that_a_store_of_an_older_version_opens_and_goes_on(make_source, make_card, tmp_path):
    folder, first = tmp_path / "run", Window((0, 0), (2, 2))
    source, classes = make_source((4, 4)), make_card().classes
    store = PredictionStore.create(folder, source, classes, model="a 1")
    store.write(first, np.full((2, 2), 5), np.ones((2, 2)))
    store.finish(complete=True)
    card = json.loads((folder / "card.json").read_text())
    del card["arrays"]
    (folder / "card.json").write_text(json.dumps(card))
    assert not PredictionStore.open(folder).has_probabilities
    PredictionStore.create(folder, source, classes, model="a 1")
    assert (PredictionStore.open(folder).read_classes(first) == 5).all()


def test_that_the_card_says_how_the_arrays_are_to_be_read(make_source, make_card, tmp_path):
    folder, source = tmp_path / "run", make_source((4, 5, 6))
    PredictionStore.create(folder, source, make_card().classes, probabilities=True)
    arrays = json.loads((folder / "card.json").read_text())["arrays"]
    axes = [axis.name for axis in source.axes]
    assert [a["axes"] for a in arrays] == [axes, axes, ["class", *axes]]
    for array in arrays:
        found = np.load(folder / array["file"], mmap_mode="r")
        assert found.dtype.str == array["dtype"]
        assert found.flags.c_contiguous == (array["order"] == "C")
        assert found.ndim == len(array["axes"])


@pytest.mark.parametrize("shape", [(40, 60), (7, 20, 30)])
def test_that_only_what_is_written_takes_room(shape, make_source, make_card, tmp_path):
    """Windows across a cube must not claim all of it."""
    shape = (shape[0], 50 * shape[1], 50 * shape[2]) if len(shape) == 3 else (4000, 6000)
    source = make_source((2,) * len(shape))
    source.axes = tuple(replace(a, size=n) for a, n in zip(source.axes, shape, strict=True))
    store = PredictionStore.create(
        tmp_path / "run", source, make_card().classes, probabilities=True
    )
    window = Window((1,) * len(shape), (*(2,) * (len(shape) - 1), 300))
    store.write(window, np.full(window.size, 2), np.ones(window.size), np.ones((3, *window.size)))
    room = (tmp_path / "run" / "probabilities.npy").stat().st_blocks * 512
    assert room < 0.01 * 6 * np.prod(shape)


def test_that_a_full_disk_is_told_before_probabilities_are_written(
    make_source, make_card, tmp_path, monkeypatch
):
    store = PredictionStore.create(
        tmp_path / "run", make_source((5, 6)), make_card().classes, probabilities=True
    )
    asked = []

    def full(handle, offset, length):
        asked.append(length)
        if len(asked) > 4:  # two rows of classes, two of confidence
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(CannotWrite, match="the disk is full"):
        store.write(Window((0, 0), (2, 2)), np.ones((2, 2)), np.ones((2, 2)), np.ones((3, 2, 2)))
    assert not store.read_classes(Window.whole((5, 6))).any()


@pytest.mark.parametrize(
    ("shape", "unasked"), [((5000, 5000), True), ((9000, 9000), False), ((10, 10, 10), False)]
)
def test_that_small_pictures_keep_probabilities_unasked(shape, unasked, make_source, make_card):
    source = make_source((2,) * len(shape))
    source.axes = tuple(replace(a, size=n) for a, n in zip(source.axes, shape, strict=True))
    assert stores_unasked(source, make_card().classes) is unasked


def test_that_cells_of_other_data_never_stand_in_one_store(tmp_path, make_card):
    path, folder = tmp_path / "line.npy", tmp_path / "run"
    classes = make_card().classes
    np.save(path, np.random.default_rng(0).normal(size=(40, 60)).astype(np.float32))
    with open_source(path) as source:
        store = PredictionStore.create(folder, source, classes, model="a 1")
        whole = Window.whole(source.shape)
        store.write(whole, np.full(source.shape, 5, np.uint8), np.ones(source.shape))
        assert store.is_of(source)
        store.close()
    np.save(path, np.random.default_rng(1).normal(size=(40, 60)).astype(np.float32))
    with open_source(path) as source:
        assert not PredictionStore.open(folder).is_of(source)
        again = PredictionStore.create(folder, source, classes, model="a 1")
        assert not again.read_classes(whole).any()
        again.close()


def test_that_a_file_by_another_name_goes_on_with_its_prediction(tmp_path, make_card):
    folder, classes = tmp_path / "run", make_card().classes
    np.save(tmp_path / "line.npy", np.random.default_rng(0).normal(size=(40, 60)))
    for name, model in (("line", "a.safetensors 1"), ("moved", "b.safetensors 1")):
        with open_source(tmp_path / f"{name}.npy") as source:
            store = PredictionStore.create(folder, source, classes, model=model)
            whole = Window.whole(source.shape)
            if name == "line":
                store.write(whole, np.full(source.shape, 5, np.uint8), np.ones(source.shape))
            assert store.read_classes(whole).all()
            store.close()
        if name == "line":
            (tmp_path / "line.npy").rename(tmp_path / "moved.npy")
