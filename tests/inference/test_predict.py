from __future__ import annotations

import numpy as np
import pytest
import torch

from geocnn_gui.data.source import Section, Window
from geocnn_gui.events import Progress, TileDone
from geocnn_gui.inference.device import choose_device
from geocnn_gui.inference.predict import predict
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.models.spec import CnnSpec, ResNetSpec, UNetSpec

UNET = UNetSpec(depth=2, width=8)


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Stay in float32, so that predictions can be compared cell by cell."""
    monkeypatch.setattr("geocnn_gui.inference.device._GAIN", 1e9)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    """Cut into tiles of 512, so that small pictures have several."""
    monkeypatch.setattr("geocnn_gui.models.architectures.unet.UNet.core", 512)


@pytest.fixture
def run(make_net, make_card, tmp_path):
    """Predict a source with a random network; return the store and the events."""

    def run(source, model=UNET, *, card=None, stop_after=None, name="run", **options):
        card = card or make_card(model)
        store = PredictionStore.create(tmp_path / name, source, card.classes)
        events = []
        task = predict(make_net(model), card, source, store, device=choose_device("cpu"), **options)
        for event in task:
            events.append(event)
            if stop_after is not None and len(events) > stop_after:
                task.close()
        return PredictionStore.open(store.folder), events

    return run


def _whole(store: PredictionStore) -> np.ndarray:
    return store.read_classes(Window.whole(store.shape))


def _by_hand(net, source, section, ids) -> np.ndarray:
    """Predict one section in one pass, picture order."""
    shape = source.picture_shape(section)
    values = source.read_picture(section, slice(0, shape[0]), slice(0, shape[1])).values
    padded = np.pad(
        np.clip(values, -5, 5), [(0, 0), *((0, -n % net.stride) for n in shape)], mode="reflect"
    )
    with torch.inference_mode():
        logits = net(torch.from_numpy(padded)[None])[0].numpy()
    return np.array(ids, np.uint8)[logits[:, : shape[0], : shape[1]].argmax(0)]


SPECS = [UNET, CnnSpec(patch=20, width=4), ResNetSpec(patch=32, step=32)]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_that_a_line_of_several_tiles_equals_one_pass(run, make_net, make_source, make_card, spec):
    source = make_source((530, 540))
    store, events = run(source, spec)
    ids = [c.id for c in make_card().classes]
    expected = _by_hand(make_net(spec), source, Section(), ids).T
    assert np.mean(_whole(store) == expected) > 0.9999  # ties of rounding
    assert set(np.unique(_whole(store))) == set(ids)
    assert sum(isinstance(e, TileDone) for e in events) == 4
    assert store.complete


def test_that_progress_counts_up_to_its_total_and_knows_the_time_left(run, make_source):
    _, events = run(make_source((530, 40)))
    steps = [e for e in events if isinstance(e, Progress)]
    assert [e.done for e in steps] == [0, 1, 2]
    assert {e.total for e in steps} == {2}
    assert steps[-1].seconds_left == 0


def test_that_a_cube_is_cut_along_the_axis_of_the_training(run, make_net, make_source, make_card):
    source = make_source((6, 20, 24))
    store, _ = run(source, card=make_card(UNET, section_axes=(1,)))
    net, ids = make_net(UNET), [c.id for c in make_card().classes]
    for index in (0, 7, 19):
        expected = _by_hand(net, source, Section(1, index), ids)
        np.testing.assert_array_equal(_whole(store)[:, index, :], expected.T)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_that_only_the_sections_asked_for_are_predicted(run, make_source, axis):
    source = make_source((6, 7, 9))
    store, _ = run(source, sections=[Section(axis, 2)])
    predicted = _whole(store) > 0
    assert predicted.take(2, axis).all()
    assert predicted.sum() == predicted.take(2, axis).size


@pytest.mark.parametrize("shape", [(1, 50), (50, 1), (1, 1), (3, 5), (17, 33)])
def test_that_any_size_is_predicted(run, make_source, shape):
    store, _ = run(make_source(shape))
    assert (_whole(store) > 0).all()


def test_that_dead_cells_stay_0_and_dead_tiles_are_skipped(run, make_source, monkeypatch):
    source = make_source((520, 30))
    source._array[:512] = np.nan
    source._array[515, 3:9] = np.nan
    seen = []
    monkeypatch.setattr(
        "geocnn_gui.inference.engine.scale_picture",
        lambda picture, statistics: seen.append(picture) or picture.values,
    )
    store, events = run(source)
    np.testing.assert_array_equal(_whole(store) > 0, np.isfinite(source._array))
    confidence = store.read_confidence(Window.whole(store.shape))
    np.testing.assert_array_equal(confidence > 0, np.isfinite(source._array))
    assert len(seen) == 1
    assert sum(isinstance(e, TileDone) for e in events) == 2


def test_that_confidence_is_the_probability_of_the_class(run, make_net, make_source):
    source = make_source((40, 44))
    store, _ = run(source)
    with torch.inference_mode():
        values = torch.from_numpy(np.ascontiguousarray(source._array.T))[None, None]
        shares = make_net(UNET)(values).softmax(1).amax(1)[0].numpy().T
    found = store.read_confidence(Window.whole(store.shape))
    np.testing.assert_allclose(found, shares, atol=0.5 / 255 + 1e-4)


@pytest.mark.parametrize("shape", [(530, 44), (3, 20, 24)])
def test_that_every_probability_is_stored_where_there_is_room(
    shape, make_net, make_card, make_source, tmp_path
):
    source, card = make_source(shape), make_card(UNET)
    if len(shape) == 2:
        source._array[515, 3:9] = np.nan
    store = PredictionStore.create(tmp_path / "run", source, card.classes, probabilities=True)
    for _ in predict(make_net(UNET), card, source, store, device=choose_device("cpu")):
        pass
    whole = Window.whole(shape)
    found, ids = store.read_probabilities(whole), store.read_classes(whole)
    live = np.isfinite(source._array)
    assert found.shape == (3, *shape)
    np.testing.assert_array_equal(np.isnan(found), np.broadcast_to(~live, found.shape))
    np.testing.assert_allclose(found[:, live].sum(axis=0), 1, atol=4 / 65535)
    np.testing.assert_array_equal(np.array([2, 5, 9])[found[:, live].argmax(axis=0)], ids[live])
    confidence = store.read_confidence(whole)[live]
    np.testing.assert_allclose(found[:, live].max(axis=0), confidence, atol=0.6 / 255)


def test_that_flips_make_the_prediction_mirror_with_the_picture(run, make_source):
    source, mirrored = make_source((64, 48)), make_source((64, 48))
    mirrored._array = np.ascontiguousarray(source._array[::-1])
    plain = _whole(run(source, spec=PredictionSpec(flips=True), name="a")[0])
    turned = _whole(run(mirrored, spec=PredictionSpec(flips=True), name="b")[0])
    assert np.mean(plain == turned[::-1]) > 0.999
    single = _whole(run(mirrored, name="c")[0])
    assert np.mean(plain == single[::-1]) < 0.999


def test_that_stopping_leaves_a_readable_store_with_what_is_done(run, make_source):
    store, events = run(make_source((1030, 20)), stop_after=2)
    done = next(e for e in events if isinstance(e, TileDone))
    predicted = _whole(store) > 0
    assert predicted[Window(done.offset, done.size).slices].all()
    assert not predicted[512 * 2 :].any()
    assert not store.complete


def test_that_the_tile_is_on_disk_when_it_is_said_to_be_done(
    make_net, make_card, make_source, tmp_path
):
    source, card = make_source((530, 20)), make_card(UNET)
    store = PredictionStore.create(tmp_path / "run", source, card.classes)
    for event in predict(make_net(UNET), card, source, store, device=choose_device("cpu")):
        if isinstance(event, TileDone):
            window = Window(event.offset, event.size)
            assert (PredictionStore.open(store.folder).read_classes(window) > 0).all()
