"""What the table of a list of layers says, against known figures and against torch."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from geocnn_gui.models.layers.net import LayersNet
from geocnn_gui.models.layers.presets import PRESETS
from geocnn_gui.models.layers.shapes import least_patch, outline, table
from geocnn_gui.models.layers.spec import (
    Activation,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Inception,
    LayersSpec,
    Normalisation,
    Pool,
    Residual,
    TransposedConvolution,
)

RELU = Activation()


def vgg16() -> LayersSpec:
    layers = []
    for channels, times in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers += [Convolution(channels=channels), RELU] * times + [Pool()]
    dense = (Dense(units=4096), RELU, Dropout())
    return LayersSpec(patch=224, layers=(*layers, Flatten(), *dense, *dense))


def alexnet() -> LayersSpec:
    pool = Pool(window=3, stride=2)
    layers = (
        Convolution(channels=64, kernel=11, stride=4, padding=2), RELU, pool,
        Convolution(channels=192, kernel=5, padding=2), RELU, pool,
        Convolution(channels=384), RELU, Convolution(channels=256), RELU,
        Convolution(channels=256), RELU, pool, Flatten(),
        Dropout(), Dense(units=4096), RELU, Dropout(), Dense(units=4096), RELU,
    )  # fmt: skip
    return LayersSpec(patch=224, layers=layers)


@pytest.mark.parametrize(
    ("spec", "bands", "classes", "parameters"),
    [
        (vgg16(), 3, 1000, 138_357_544),
        (alexnet(), 3, 1000, 61_100_840),
        (PRESETS["textbook-patches"], 1, 3, 26_051),
        (PRESETS["textbook-traces"], 1, 3, 4_211),
    ],
)
def test_that_known_networks_learn_as_many_numbers_as_is_known(spec, bands, classes, parameters):
    assert spec.parameters(bands, classes) == parameters
    assert outline(spec, bands, classes).problem == ""


def test_that_ten_kernels_on_three_channels_learn_280_numbers():
    (row, _) = table(LayersSpec(layers=(Convolution(channels=10),)), 3, 2, 32)
    assert row.parameters == 280
    assert row.operations == 270 * 32 * 32


def test_that_a_dense_layer_in_the_place_of_a_convolution_is_told():
    spec = LayersSpec(patch=256, layers=(Flatten(), Dense(units=1000)))
    _, dense, _ = table(spec, 1, 2, 256)
    assert dense.dense_parameters == dense.parameters == 65_536 * 1000 + 1000
    instead, _ = table(LayersSpec(patch=256, layers=(Pool(window=8),)), 1, 2, 256)
    assert instead.dense_parameters == (65_536 + 1) * 32 * 32


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ((Convolution(kernel=9, padding="valid"),) * 5, "its kernel spans 9, the data is 8"),
        ((Pool(window=40),), "its window spans 40, the data is 32"),
        ((Pool(padding=2),), "padding of 2 is not smaller than its window of 2"),
        ((Convolution(channels=6, groups=4),), "4 groups do not divide 2 channels"),
        ((Convolution(channels=5, groups=2),), "2 groups do not divide 5 kernels"),
        ((Convolution(kernel=(3, 3, 3)),), "kernel is given for 3 axes, where the data has 2"),
        ((Normalisation(over="group", groups=3),), "3 groups do not divide 2 channels"),
        ((GlobalPool(), Normalisation(over="instance")), "single value here"),
        ((Dense(),), "the data is still 2 x 32 x 32; put a flatten before it"),
        ((Flatten(), Convolution()), "put it before the flatten"),
        ((Residual(),), "it has no layers"),
        ((Residual(layers=(Convolution(padding="valid"),)),), "no 1x1 convolution does"),
        ((Residual(layers=(Flatten(),)),), "cannot stand in a block"),
        ((Inception(branches=((Pool(),), ())),), "its branches give 16 x 16 and 32 x 32"),
        ((Pool(),), "the layers leave 16 x 16 of 32 x 32"),
        ((Pool(window=3), TransposedConvolution(stride=3)), "32 is not a multiple of 3"),
        ((Flatten(), *(Dense(units=65536),) * 2), "learn 4,4"),
        ((TransposedConvolution(stride=64, channels=8192),), "too many"),
    ],
)
def test_that_an_impossible_layer_says_why_and_the_table_goes_on(layers, reason):
    spec = LayersSpec(layers=layers)
    rows = table(spec, 2, 3, 32)
    assert any(reason in row.problem for row in rows), [row.problem for row in rows]
    assert reason in outline(spec, 2, 3).problem
    assert rows[-1].path == "head"
    assert [row.path for row in rows if row.path.isdigit()] == [str(n) for n in range(len(layers))]


def test_that_a_layer_after_an_impossible_one_is_counted():
    first, second, _ = table(
        LayersSpec(layers=(Convolution(groups=7), Convolution(channels=10))), 3, 2, 32
    )
    assert (first.parameters, first.output) == (0, (3, 32, 32))
    assert second.parameters == 280


@pytest.mark.parametrize(("name", "least"), [("sliding", 20), ("lenet-like", 16), ("vgg-like", 8)])
def test_that_the_least_patch_can_be_built_and_a_smaller_one_not(name, least):
    spec = PRESETS[name]
    assert least_patch(spec) == least
    LayersNet(spec.model_copy(update={"patch": least}), 1, 2)
    assert outline(spec, 1, 2, least - 1).problem


def test_that_same_padding_gives_what_keras_gives_in_size():
    for stride in (1, 2, 3, 4):
        for size in range(1, 20):
            layer = Convolution(stride=stride, kernel=4)
            first, _ = table(LayersSpec(layers=(layer,)), 1, 2, size)
            assert first.output[1:] == (math.ceil(size / stride),) * 2


# ---- Against torch -----------------------------------------------------------------------------

numbers = st.integers(1, 3)
convolutions = st.builds(
    Convolution, channels=st.sampled_from([2, 4]), kernel=st.integers(1, 4), stride=numbers,
    padding=st.sampled_from(["valid", "same", "full", 1]), dilation=numbers,
    groups=st.sampled_from([1, 2]), bias=st.booleans(),
)  # fmt: skip
spreading = st.builds(
    TransposedConvolution, channels=st.sampled_from([2, 4]), kernel=numbers, stride=numbers,
    padding=st.sampled_from(["valid", "same", 1]), dilation=st.sampled_from([1, 2]),
)  # fmt: skip
pools = st.builds(
    Pool, take=st.sampled_from(["max", "average", "minimum", "l2"]), window=numbers,
    stride=st.none() | numbers, padding=st.sampled_from(["valid", "same"]),
)  # fmt: skip
norms = st.builds(
    Normalisation, over=st.sampled_from(["batch", "group", "instance"]), groups=st.just(2)
)
plain = st.one_of(convolutions, pools, norms, spreading, st.just(RELU))
chains = st.lists(plain, max_size=3).map(tuple)
blocks = st.one_of(
    st.builds(Residual, layers=chains),
    st.builds(Inception, branches=st.lists(chains, min_size=1, max_size=3).map(tuple)),
)
stacks = st.lists(st.one_of(plain, plain, blocks), max_size=5)
endings = st.sampled_from([(Flatten(), Dense(units=3)), (GlobalPool(),), ()])


@settings(max_examples=70, deadline=None)
@given(layers=stacks, ending=endings, dims=numbers, size=st.integers(6, 13))
def test_that_sizes_and_parameters_are_those_of_torch(layers, ending, dims, size):
    size = size if dims < 3 else 7
    spec = LayersSpec(dims=dims, patch=size, layers=(*layers, *ending))
    found = outline(spec, 2, 3)
    assume(not found.problem and found.last.values < 50_000)
    net = LayersNet(spec, 2, 3).eval()
    assert spec.parameters(2, 3) == sum(p.numel() for p in net.parameters())
    rows = [row for row in found.rows if row.path.isdigit()]
    x = torch.zeros(2, 2, *(size,) * dims)
    with torch.inference_mode():
        for row, part in zip(rows, net.layers, strict=True):
            x = part(x)
            flat = (*row.output, *(1,) * (dims + 1 - len(row.output)))
            assert tuple(x.shape[1:]) == flat, row
        assert net.head(x).shape[1] == 3


@settings(max_examples=40, deadline=None)
@given(layers=stacks, size=st.integers(40, 60))
def test_that_receptive_fields_are_where_gradients_come_from(layers, size):
    spec = LayersSpec(dims=1, patch=size, layers=(*layers, GlobalPool()))
    found = outline(spec, 2, 3)
    norms = any("normalisation" in row.title for row in found.rows)
    assume(not found.problem and not norms)
    *_, row, _, _ = found.rows if layers else (None, None, None)
    assume(row is not None and len(layers) and row.path == str(len(layers) - 1))
    net = LayersNet(spec, 2, 3).double()
    for parameter in net.parameters():
        torch.nn.init.uniform_(parameter, 0.1, 1)
    x = (torch.rand(1, 2, size, dtype=torch.double) + 0.5).requires_grad_()
    y = net.layers[: len(layers)](x)
    widest = 0
    for place in range(y.shape[2]):
        (slope,) = torch.autograd.grad(y[0, :, place].sum(), x, retain_graph=True)
        seen = torch.nonzero(slope[0].abs().sum(0)).flatten().tolist()
        widest = max(widest, seen[-1] - seen[0] + 1 if seen else 0)
    assert widest <= row.receptive_field[0]  # the edges may cut it, and maxima choose


def test_that_the_receptive_field_of_a_known_stack_is_exact():
    layers = (
        Convolution(kernel=5), Pool(take="average"), Convolution(kernel=3, dilation=2),
        TransposedConvolution(kernel=4, stride=2), Convolution(kernel=2), GlobalPool(),
    )  # fmt: skip
    spec = LayersSpec(dims=1, patch=64, layers=layers)
    fields = [row.receptive_field[0] for row in table(spec, 1, 2, 64)]
    assert fields[:3] == [5, 6, 14]
    net = LayersNet(spec, 1, 2).double()
    x = torch.rand(1, 1, 64, dtype=torch.double, requires_grad=True)
    y = net.layers[:5](x)
    widths = []
    for place in range(20, 40):
        (slope,) = torch.autograd.grad(y[0, :, place].sum(), x, retain_graph=True)
        seen = torch.nonzero(slope[0, 0]).flatten().tolist()
        widths.append(seen[-1] - seen[0] + 1)
    assert max(widths) == fields[4]
