"""Cubes through networks on volumes: whole, exact, blended, stopped, out of memory, dead."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Section, Window
from geocnn_gui.data.statistics import estimate_statistics
from geocnn_gui.events import Note, TileDone
from geocnn_gui.inference import volumes
from geocnn_gui.inference.device import choose_device
from geocnn_gui.inference.memory import NotEnoughMemory
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.inference.volume_tiles import Grid, VolumeBlender, VolumePlan
from geocnn_gui.inference.volumes import check_volumes, plain, predict_volumes
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.layers.spec import Activation, Convolution
from geocnn_gui.models.networks import build
from geocnn_gui.models.scaling import Scaling
from geocnn_gui.models.spec import LayersSpec, UNet3dSpec
from geocnn_gui.models.volumes import Cube
from geocnn_gui.models.weights import CardSpacing, ModelCard, TrainingSummary

SHAPE = (22, 26, 30)  # inlines, crosslines, samples
WHOLE = Window.whole(SHAPE)
CLASSES = tuple(LabelClass(id=i, name=f"Class {i}", color="#999999") for i in (1, 2, 3))
UNET = UNet3dSpec(depth=2, width=8, patch=16)
SHALLOW = LayersSpec(
    dims=3, patch=12,
    layers=(Convolution(channels=4, kernel=3, padding="same"), Activation()),
)  # fmt: skip


@pytest.fixture
def cube() -> ArraySource:
    return make_cube(np.random.default_rng(0).normal(size=SHAPE).astype(np.float32))


def make_cube(values: np.ndarray) -> ArraySource:
    names = ("inline", "crossline", "time")
    axes = tuple(
        Axis(name, "ms" if name == "time" else "", 0, 1, size)
        for name, size in zip(names, values.shape, strict=True)
    )
    return ArraySource(
        values, kind="cube", axes=axes, bands=(Band("amplitude"),), domain="seismic", name="Cube"
    )


def net_and_card(source, spec=UNET):
    torch.manual_seed(0)
    scaling = Scaling(mode="stored", statistics=estimate_statistics(source))
    card = ModelCard(
        spec=spec, classes=CLASSES, bands=("amplitude",), domain="seismic", scaling=scaling,
        spacing=CardSpacing(), section_axes=(0,),
        training=TrainingSummary.model_construct(),
    )  # fmt: skip
    return build(spec, 1, len(CLASSES)).eval(), card


def truth_of(net, card, source) -> np.ndarray:
    """Return probabilities (classes, inlines, crosslines, samples) of one pass over all."""
    values = Cube(source, card.scaling.for_source(source)).volume((0, 2, 1), (
        slice(0, SHAPE[0]), slice(0, SHAPE[2]), slice(0, SHAPE[1])))[0]  # fmt: skip
    pads = [(0, 0), *((0, -n % net.stride) for n in values.shape[1:])]
    wide = np.pad(values, pads, mode="reflect")
    with torch.inference_mode():
        shares = net(torch.from_numpy(wide)[None])[0].softmax(0).numpy()
    return shares[:, : SHAPE[0], : SHAPE[2], : SHAPE[1]].transpose(0, 1, 3, 2)


def run(tmp_path, net, card, source, *, sections=None, stop_after=0, **spec):
    """Predict; return the store and the events."""
    store = PredictionStore.create(tmp_path, source, CLASSES, model="m", probabilities=True)
    task = predict_volumes(
        net, card, source, store, device=choose_device("cpu"), sections=sections,
        spec=PredictionSpec(**spec),
    )  # fmt: skip
    events = []
    for event in task:
        events.append(event)
        if stop_after and sum(isinstance(e, TileDone) for e in events) == stop_after:
            break
    task.close()
    return store, events


def small_volumes(monkeypatch, core=12, overlap=4, *, blended=True):
    monkeypatch.setattr(
        volumes, "plan_volumes",
        lambda costs, axes, *_, **__: VolumePlan(
            axes=axes, core=core, overlap=overlap, blended=blended
        ),
    )  # fmt: skip


def test_that_a_cube_that_fits_goes_through_in_one_pass(tmp_path, cube):
    net, card = net_and_card(cube)
    store, events = run(tmp_path, net, card, cube)
    assert [(e.offset, e.size) for e in events if isinstance(e, TileDone)] == [((0, 0, 0), SHAPE)]
    truth = truth_of(net, card, cube)
    np.testing.assert_allclose(store.read_probabilities(WHOLE), truth, atol=3e-5)
    assert (store.read_classes(WHOLE) == truth.argmax(0) + 1).mean() > 0.999
    assert (store.complete, store.tiling) == (True, "exact")
    store.close()


def test_that_exact_volumes_equal_one_pass(tmp_path, cube, monkeypatch):
    net, card = net_and_card(cube, SHALLOW)
    small_volumes(monkeypatch, core=10, overlap=net.halo, blended=False)
    store, events = run(tmp_path, net, card, cube)
    assert sum(isinstance(e, TileDone) for e in events) == 27
    np.testing.assert_allclose(
        store.read_probabilities(WHOLE), truth_of(net, card, cube), atol=3e-5
    )
    store.close()


def test_that_a_shallow_network_is_not_blended(cube):
    net, card = net_and_card(cube, SHALLOW)
    plan = volumes.make_plan(
        net, card, cube, choose_device("cpu"), PredictionSpec(memory=1, tiling="exact")
    )
    assert (plan.blended, plan.overlap) == (False, net.halo)


def test_that_little_memory_gives_smaller_volumes(cube):
    net, card = net_and_card(cube)
    device = choose_device("cpu")
    wide = volumes.make_plan(net, card, cube, device, PredictionSpec(memory=4000))
    narrow = volumes.make_plan(net, card, cube, device, PredictionSpec(memory=1))
    assert not wide.overlap
    assert narrow.blended
    assert narrow.core < wide.core


def test_that_the_weights_of_blended_volumes_make_up_for_each_other():
    grid = Grid((30, 20, 26), VolumePlan(axes=(0, 1, 2), core=8, overlap=4, blended=True), 4)
    blender, shares = VolumeBlender(grid), torch.randn(2, 30, 20, 26)
    seen = np.zeros((30, 20, 26), int)
    for number in range(len(grid)):
        volume = grid.volume(number)
        blender.keep(number, shares[(slice(None), *volume.wide)])
        blended = blender.blend(number)
        torch.testing.assert_close(blended, shares[(slice(None), *volume.own)])
        seen[volume.own] += 1
        blender.drop(number)
    assert (seen == 1).all()
    assert not [n for n in blender._kept if grid.place(n)[0] < grid.counts[0] - 1]


def test_that_blended_volumes_are_near_one_pass_without_seams(tmp_path, cube, monkeypatch):
    net, card = net_and_card(cube, SHALLOW)
    small_volumes(monkeypatch, core=10, overlap=6)
    store, _ = run(tmp_path, net, card, cube)
    found, truth = store.read_probabilities(WHOLE), truth_of(net, card, cube)
    assert np.abs(found - truth).mean() < 0.01 * truth.std()
    assert store.tiling == "blended"
    store.close()


@pytest.mark.parametrize("stop_after", [1, 5, 14])
def test_that_a_continued_prediction_equals_an_uninterrupted_one_to_the_bit(
    tmp_path, cube, monkeypatch, stop_after
):
    net, card = net_and_card(cube)
    small_volumes(monkeypatch)
    whole, _ = run(tmp_path / "whole", net, card, cube)
    stopped, first = run(tmp_path / "parts", net, card, cube, stop_after=stop_after)
    assert not stopped.complete
    stopped.close()
    store, second = run(tmp_path / "parts", net, card, cube)
    tiles = [sum(isinstance(e, TileDone) for e in events) for events in (first, second)]
    assert tiles == [stop_after, 18 - stop_after]
    np.testing.assert_array_equal(store.read_probabilities(WHOLE), whole.read_probabilities(WHOLE))
    np.testing.assert_array_equal(store.read_confidence(WHOLE), whole.read_confidence(WHOLE))
    assert store.complete
    for each in (whole, store):
        each.close()


def test_that_a_section_asks_for_the_volumes_around_it_only(tmp_path, cube, monkeypatch):
    net, card = net_and_card(cube)
    small_volumes(monkeypatch)
    whole, _ = run(tmp_path / "whole", net, card, cube)
    store, events = run(tmp_path / "one", net, card, cube, sections=[Section(1, 3)])
    found = store.read_classes(WHOLE)
    assert found[:, 3].all()
    assert not found[:, -1].any()
    np.testing.assert_array_equal(found[:, 3], whole.read_classes(WHOLE)[:, 3])
    store.close()
    store, events = run(tmp_path / "one", net, card, cube)
    assert any(isinstance(e, Note) and "Going on: " in e.text for e in events)
    np.testing.assert_array_equal(store.read_probabilities(WHOLE), whole.read_probabilities(WHOLE))
    for each in (whole, store):
        each.close()


def test_that_dead_volumes_are_skipped_and_dead_cells_stay_0(tmp_path, monkeypatch):
    values = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    values[:, :, :20] = np.nan
    source = make_cube(values)
    net, card = net_and_card(source)
    small_volumes(monkeypatch, core=8, overlap=4)
    passes = []
    engine = volumes.VolumeEngine.shares
    monkeypatch.setattr(
        volumes.VolumeEngine, "shares", lambda self, v: passes.append(v.shape) or engine(self, v)
    )
    store, events = run(tmp_path, net, card, source)
    tiles = sum(isinstance(e, TileDone) for e in events)
    assert len(passes) < tiles
    found = store.read_classes(WHOLE)
    assert not found[:, :, :20].any()
    assert found[:, :, 20:].all()
    store.close()


def failing(monkeypatch, largest: int):
    """Let passes over more than `largest` cells run out of memory."""
    logits = volumes.VolumeEngine.logits

    def fail(self, data):
        if data[0].size > largest:
            raise MemoryError
        return logits(self, data)

    monkeypatch.setattr(volumes.VolumeEngine, "logits", fail)


def test_that_smaller_volumes_are_taken_where_memory_does_not_suffice(tmp_path, cube, monkeypatch):
    net, card = net_and_card(cube)
    failing(monkeypatch, 16**3)
    store, events = run(tmp_path, net, card, cube)
    said = [e.text for e in events if isinstance(e, Note) and e.warning]
    assert said == ["Out of memory: going on with volumes of 12 instead of larger ones, blended."]
    assert store.complete
    assert store.read_classes(WHOLE).all()
    store.close()


def test_that_no_memory_at_all_is_said_and_nothing_is_lost(tmp_path, cube, monkeypatch):
    net, card = net_and_card(cube)
    small_volumes(monkeypatch)
    run(tmp_path, net, card, cube, stop_after=3)[0].close()
    failing(monkeypatch, 1)
    with pytest.raises(NotEnoughMemory, match="smallest volume"):
        run(tmp_path, net, card, cube)
    monkeypatch.undo()
    store, events = run(tmp_path, net, card, cube)
    assert any(isinstance(e, Note) and "Going on: 3 of 18" in e.text for e in events)
    store.close()


def test_that_checking_says_the_difference_or_that_volumes_are_exact(cube):
    net, card = net_and_card(cube)
    *_, note = check_volumes(net, card, cube, device=choose_device("cpu"))
    assert "against one pass over 22 x 30 x 26 cells: probabilities differ by at most" in note.text
    net, card = net_and_card(cube, SHALLOW)
    spec = PredictionSpec(memory=1, tiling="exact")
    *_, note = check_volumes(net, card, cube, device=choose_device("cpu"), spec=spec)
    assert "Volumes are exact here" in note.text


def test_that_mirrored_volumes_are_averaged(cube):
    net, _ = net_and_card(cube)
    spec = PredictionSpec(flips=True)
    device = plain(choose_device("cpu"), spec)
    engine = volumes.VolumeEngine(net, device, spec, (8, 8, 8), 3)
    values = np.random.default_rng(1).normal(size=(1, 8, 8, 8)).astype(np.float32)
    one, other = engine.shares(values), engine.shares(values[..., ::-1].copy()).flip(-1)
    torch.testing.assert_close(one, other)
