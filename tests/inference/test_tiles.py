from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geocnn_gui.inference.cost import Costs
from geocnn_gui.inference.plan import make_plan
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.inference.tiles import pad_to_stride, tile_count, tiles
from geocnn_gui.models.spec import SPECS as KINDS
from geocnn_gui.models.spec import (
    CnnSpec,
    DeepLabSpec,
    FpnSpec,
    LayersSpec,
    LeNetSpec,
    ResNetSpec,
    ResUNetSpec,
    UNet1dSpec,
    UNet3dSpec,
    UNetEncoderSpec,
    UNetPlusPlusSpec,
    UNetSpec,
)
from tests.models.small_specs import small

sides = st.integers(1, 150)
strides = st.sampled_from([1, 2, 4, 16, 64])


@settings(deadline=None)
@given(sides, sides, st.integers(0, 100), strides, st.integers(16, 128))
def test_that_cores_cover_every_cell_once(height, width, halo, stride, core):
    seen = np.zeros((height, width), int)
    found = list(tiles((height, width), halo=halo, stride=stride, core=core))
    for tile in found:
        seen[tile.rows, tile.columns] += 1
    assert (seen == 1).all()
    assert len(found) == tile_count((height, width), stride=stride, core=core)


@settings(deadline=None)
@given(sides, sides, st.integers(0, 100), strides, st.integers(16, 128))
def test_that_a_tile_looks_a_halo_further_or_to_the_edge(height, width, halo, stride, core):
    for tile in tiles((height, width), halo=halo, stride=stride, core=core):
        pairs = ((tile.rows, tile.wide_rows, height), (tile.columns, tile.wide_columns, width))
        for part, wide, size in pairs:
            assert wide.start % stride == 0
            assert wide.start == 0 or part.start - wide.start >= halo
            assert wide.stop == size or wide.stop - part.stop >= halo
            assert wide.stop == size or (wide.stop - wide.start) % stride == 0
        wide = np.arange(height * width).reshape(height, width)[tile.wide_rows, tile.wide_columns]
        whole = np.arange(height * width).reshape(height, width)[tile.rows, tile.columns]
        np.testing.assert_array_equal(wide[tile.core], whole)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), strides)
def test_that_padding_reaches_the_stride_and_keeps_the_picture(height, width, stride):
    values = np.arange(height * width, dtype=np.float32).reshape(1, height, width)
    padded = pad_to_stride(values, stride)
    for size, before in zip(padded.shape[1:], (height, width), strict=True):
        assert size % stride == 0
        assert size - before < stride
    np.testing.assert_array_equal(padded[:, :height, :width], values)
    assert set(np.unique(padded)) <= set(np.unique(values))


def _forward(net, values: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return net(torch.from_numpy(pad_to_stride(values, net.stride))[None])[0].numpy()


def _logits_in(net, values: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    padded = torch.from_numpy(pad_to_stride(values, net.stride))[None]
    with torch.inference_mode():
        return net.logits_in(padded, rows, columns)[0].numpy()


SPECS = (
    CnnSpec(patch=20, width=4), CnnSpec(patch=32, width=4),
    UNetSpec(depth=2, width=8), UNetSpec(depth=3, width=8), UNetSpec(depth=4, width=8),
    UNetSpec(depth=2, width=8, norm="none", residual=True), UNet1dSpec(depth=2, width=8),
    UNet1dSpec(depth=3, width=8, residual=True),
)  # fmt: skip
PATCHES = (
    ResNetSpec(patch=32), ResNetSpec(patch=34, step=12), LeNetSpec(patch=20), LeNetSpec(patch=32),
    LayersSpec(),
)  # fmt: skip
QUICK = ("googlenet", "efficientnet-b0", "mobilenet-v3")
#: Made of the same class as a ResNet-18 on patches.
MORE = [
    pytest.param(name, marks=pytest.mark.slow if name not in QUICK else ())
    for name in ("alexnet", "vgg16", "googlenet", "inception-v3", "resnet34", "resnet50",
                 "efficientnet-b0", "mobilenet-v3", "convnext-tiny")
]  # fmt: skip
DEEP = [ResUNetSpec(), UNetPlusPlusSpec(encoder="resnet18")]
DEEPER = [pytest.param(UNetEncoderSpec(encoder=name), marks=pytest.mark.slow)
          for name in ("resnet18", "resnet34", "resnet50")]  # fmt: skip
#: What sees the whole picture is blended; volumes are cut elsewhere.
GLOBAL = (
    FpnSpec(encoder="resnet18"), DeepLabSpec(encoder="resnet18"),
    UNetEncoderSpec(encoder="mobilenet-v3"), UNetSpec(depth=2, width=8, norm="instance"),
    UNet1dSpec(depth=2, width=8, norm="group"),
)  # fmt: skip


SHAPES = ((1, 100), (7, 31), (31, 7), (64, 131), (100, 1), (131, 256))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "spec", [*SPECS, *PATCHES], ids=lambda s: s.model_dump_json(exclude={"dropout"})
)
def test_that_tiles_put_together_equal_the_whole_picture(make_net, spec, shape):
    _check_tiles(make_net(spec), shape, core=48)


@pytest.mark.parametrize("name", MORE)
def test_that_tiles_of_every_patch_network_equal_the_whole_picture(make_net, name):
    net = make_net(small(name))
    for shape in ((7, 31), (33, 131)):
        _check_tiles(net, shape, core=48)


@pytest.mark.parametrize("shape", [(20, 640), (640, 7)])
@pytest.mark.parametrize("spec", [*DEEP, *DEEPER], ids=lambda s: f"{s.kind}-{s.backbone.name}")
def test_that_tiles_of_a_deep_encoder_equal_the_whole_picture(make_net, spec, shape):
    _check_tiles(make_net(spec), shape, core=192)


@pytest.mark.parametrize("spec", GLOBAL, ids=lambda s: f"{s.kind}")
def test_that_tiles_of_what_sees_the_whole_picture_are_blended(make_net, spec):
    net = make_net(spec)
    costs, asked = Costs(net, 1), PredictionSpec(tiling="exact")
    plan = make_plan(net, costs, (700, 900), 4e9, spec=asked, kind="cpu")
    assert not net.finite
    assert plan.blended
    (only,) = make_plan(net, costs, (64, 64), 4e9, spec=asked, kind="cpu").tiles((64, 64), 32)
    assert (only.wide_rows, only.wide_columns) == (slice(0, 64), slice(0, 64))


def test_that_every_kind_of_model_is_compared_with_the_whole():
    compared = {type(spec) for spec in (*SPECS, *PATCHES, *DEEP, *GLOBAL)}
    compared |= {KINDS[param.values[0]] for param in MORE}
    assert compared == set(KINDS.values()) - {UNet3dSpec}


def _check_tiles(net, shape, *, core):
    values = np.random.default_rng(1).normal(size=(1, *shape)).astype(np.float32)
    whole = _forward(net, values)
    for tile in tiles(shape, halo=net.halo, stride=net.stride, core=core):
        part = _logits_in(net, values[:, tile.wide_rows, tile.wide_columns], *tile.core)
        np.testing.assert_allclose(part, whole[:, tile.rows, tile.columns], atol=1e-4)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
@pytest.mark.parametrize(
    "spec", [*SPECS[2:5], SPECS[-2]], ids=lambda s: s.model_dump_json(exclude={"dropout"})
)
def test_that_a_part_of_a_pass_equals_that_part_of_the_whole(make_net, spec, data):
    net = make_net(spec)
    shape = [net.stride * data.draw(st.integers(1, 6)) for _ in range(2)]
    ends = [sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True)))
            for n in shape]  # fmt: skip
    rows, columns = (slice(*pair) for pair in ends)
    values = np.random.default_rng(2).normal(size=(1, *shape)).astype(np.float32)
    part = _logits_in(net, values, rows, columns)
    np.testing.assert_allclose(part, _forward(net, values)[:, rows, columns], atol=1e-4)
