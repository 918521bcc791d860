"""Networks on volumes: what they learn from, what stays held out, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Section, Window
from geocnn_gui.data.statistics import estimate_statistics
from geocnn_gui.errors import BadRequest
from geocnn_gui.inference.device import choose_device
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.store import LabelStore
from geocnn_gui.models.layers.spec import Convolution, Dense, Flatten
from geocnn_gui.models.networks import build
from geocnn_gui.models.spec import LayersSpec, UNet3dSpec
from geocnn_gui.models.weights import read_card
from geocnn_gui.scoring.regions import PlaneSplit, project
from geocnn_gui.scoring.split_spec import SplitSpec
from geocnn_gui.training.augment import CHANGES, augment_volumes
from geocnn_gui.training.pictures import open_pictures
from geocnn_gui.training.run import Order, train
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.spec import TrainingSpec

SHAPE = (24, 26, 28)  # inlines, crosslines, samples
CLASSES = (
    LabelClass(id=1, name="Above", color="#999999"),
    LabelClass(id=2, name="Below", color="#d55e00"),
)
TINY = UNet3dSpec(depth=2, width=8, patch=16)


def cube(values: np.ndarray | None = None) -> ArraySource:
    """Return a cube whose lower half is louder, so that there is something to learn."""
    if values is None:
        values = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
        values[..., SHAPE[2] // 2 :] *= 4
    names = ("inline", "crossline", "time")
    axes = tuple(
        Axis(name, "ms" if name == "time" else "", 0, 1, size)
        for name, size in zip(names, values.shape, strict=True)
    )
    return ArraySource(
        values, kind="cube", axes=axes, bands=(Band("amplitude"),), domain="seismic", name="Cube"
    )


def labels(*inlines: int) -> LabelStore:
    store = LabelStore(SHAPE)
    truth = np.ones((1, *SHAPE[1:]), np.uint8)
    truth[..., SHAPE[2] // 2 :] = 2
    for inline in inlines:
        store.write(Window((inline, 0, 0), truth.shape), truth)
    return store


def pictures(source, store, *sections):
    pair = Pair(source, store.snapshot(), sections or None)
    opening = open_pictures([pair], CLASSES, estimate_statistics, volumes=True)
    while True:
        try:
            next(opening)
        except StopIteration as end:
            return end.value.all


def test_that_a_patch_is_the_cube_around_the_cell_with_the_section_in_the_middle():
    source = cube()
    found = pictures(source, labels(6, 8), Section(0, 6), Section(0, 8))
    values, numbers = found[0].patch(14, 13, (8, 8, 8))  # sample 14, crossline 13
    raw = source.to_physical(source.read(Window((2, 9, 10), (8, 8, 8))))
    (own,) = estimate_statistics(source)
    scaled = np.clip((raw - own.median) / own.scale, -5, 5).transpose(0, 2, 1)
    assert values.shape == (1, 8, 8, 8)
    np.testing.assert_allclose(values[0], scaled, rtol=1e-5)
    assert np.flatnonzero(numbers.any(axis=(1, 2))).tolist() == [4, 6]  # inlines 6 and 8
    assert (numbers[4, :4] == 1).all()
    assert (numbers[4, 4:] == 2).all()


def test_that_volumes_are_reflected_beyond_the_cube_and_have_no_labels_there():
    (picture,) = pictures(cube(), labels(0), Section(0, 0))
    values, numbers = picture.patch(0, 0, (8, 8, 8))
    np.testing.assert_array_equal(values[:, :4], values[:, 4:][:, ::-1])
    np.testing.assert_array_equal(values[:, :, :4], values[:, :, 4:][:, :, ::-1])
    assert not any(each.any() for each in (numbers[:4], numbers[:, :4], numbers[..., :4]))
    assert numbers[4, 4:, 4:].all()


def test_that_samples_stay_down_in_the_volumes_around_every_section():
    values = np.broadcast_to(np.arange(SHAPE[2], dtype=np.float32), SHAPE)
    store = LabelStore(SHAPE)
    store.write(Window((0, 0, 13), (24, 26, 1)), np.ones((24, 26, 1), np.uint8))
    store.write(Window((0, 12, 0), (24, 1, 28)), np.full((24, 1, 28), 2, np.uint8))
    sections = (Section(2, 13), Section(1, 12))
    for picture in pictures(cube(values.copy()), store, *sections):
        volume = picture.patch(12, 12, (8, 8, 8))[0][0]
        assert (np.diff(volume, axis=1) > 0).all()
        assert not np.diff(volume, axis=0).any()
        assert not np.diff(volume, axis=2).any()


def held_out(picture, first: int, stop: int, *, buffer: int = 0) -> PlaneSplit:
    boxes = np.array([[[first, stop], [0, 2**30], [0, 2**30]]])
    owners, none = np.ones(1, np.int64), np.zeros((0, 3, 2), np.int64)
    return PlaneSplit(
        picture.shape,
        project(boxes, owners, picture.plane),
        project(none, owners[:0], picture.plane),
        project(boxes, owners, picture.plane, grow=(buffer, 0, 0)),
    )


def test_that_labels_held_out_or_near_enter_no_volume():
    found = pictures(cube(), labels(5, 8, 9, 10, 11), *(Section(0, i) for i in (5, 8, 9, 10, 11)))
    for picture in found:
        picture.split = held_out(picture, 10, 12, buffer=1)
    numbers = found[1].patch(14, 13, (16, 8, 8))[1]  # inlines 0 to 15
    assert np.flatnonzero(numbers.any(axis=(1, 2))).tolist() == [5, 8]


def test_that_held_out_logits_are_those_of_the_volume_around_in_parts_too():
    (picture,) = pictures(cube(), labels(10), Section(0, 10))
    picture.split = held_out(picture, 10, 11)
    net = build(UNet3dSpec(depth=2, width=8, patch=32), 1, 2).eval()
    ((rows, columns, cost),) = picture.held_windows(net)
    assert (rows, columns, cost) == (slice(0, 28), slice(0, 26), 2 * 24 * 26 * 28)
    found = picture.logits(net, (rows, columns), choose_device("cpu"))
    whole = picture.cube.volume((0, 2, 1), (slice(0, 24), rows, columns))[0]
    wide = np.pad(whole, [(0, 0), (0, 0), (0, 0), (0, 2)], mode="reflect")
    with torch.inference_mode():
        truth = net(torch.from_numpy(wide)[None])[0, :, 10, :, :26]
    torch.testing.assert_close(found, truth)
    part = picture.logits(net, (slice(4, 12), slice(3, 7)), choose_device("cpu"))
    assert part.shape == (2, 8, 4)


def test_that_flips_move_values_and_labels_together_and_leave_samples_down():
    numbers = torch.randint(3, (6, 4, 4, 4), generator=torch.Generator().manual_seed(0))
    values = (numbers + 1).float()[:, None]
    plain = CHANGES["seismic"]
    quiet = type(plain)(True, 0, 0, 0, 0, 0)
    random = torch.Generator().manual_seed(1)
    changed, labels_too = augment_volumes(
        values.clone(), numbers.clone(), changes=quiet, random=random
    )
    torch.testing.assert_close(changed[:, 0], (labels_too + 1).float())
    torch.testing.assert_close(changed.sum((2, 4)), values.sum((2, 4)))
    assert not torch.equal(changed, values)


def training(**changes) -> TrainingSpec:
    usual = {"epochs": 1, "steps_per_epoch": 2, "batch": 2, "split": SplitSpec(buffer=0)}
    return TrainingSpec(**{**usual, **changes})


def order(tmp_path, spec, source=None, store=None, **changes) -> Order:
    store = store or labels(3, 9, 15, 21)
    pairs = [Pair(source or cube(), store.snapshot())]
    return Order(
        pairs, spec, training(**changes), CLASSES, tmp_path / "m.safetensors", choose_device("cpu")
    )


@pytest.mark.parametrize(
    "spec",
    [
        TINY,
        LayersSpec(dims=3, patch=12, layers=(Convolution(channels=4, kernel=3, padding="same"),)),
    ],
    ids=["unet-3d", "layers"],
)
def test_that_a_network_on_volumes_is_trained_scored_and_saved(tmp_path, spec):
    list(train(order(tmp_path, spec)))
    card = read_card(tmp_path / "m.safetensors")
    assert card.spec == spec
    assert card.training.holdout_iou is not None


def test_that_a_section_alone_is_refused_in_words(tmp_path):
    values = np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32)
    axes = (Axis("trace", "", 0, 1, 30), Axis("time", "ms", 0, 1, 40))
    line = ArraySource(
        values, kind="line", axes=axes, bands=(Band("amplitude"),), domain="seismic", name="Line"
    )
    store = LabelStore((30, 40))
    store.write(Window((0, 0), (30, 40)), np.tile(np.uint8([1, 2]), (30, 20)))
    with pytest.raises(BadRequest, match=r"Line is a single section.*volumes.*open a cube"):
        list(train(order(tmp_path, TINY, line, store)))


def test_that_layers_which_name_a_middle_only_are_refused_in_words(tmp_path):
    spec = LayersSpec(dims=3, patch=8, layers=(Flatten(), Dense(units=3)))
    with pytest.raises(BadRequest, match="keep the size"):
        list(train(order(tmp_path, spec)))
