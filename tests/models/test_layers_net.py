"""Networks of a user's own layers: over pictures they answer what cropping patches gives."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from geocnn_gui.errors import BadRequest, UnreadableFile
from geocnn_gui.inference.folding import folded
from geocnn_gui.inference.tiles import tiles
from geocnn_gui.models.layers.files import layers_from, read_layers, write_layers
from geocnn_gui.models.layers.net import LayersNet
from geocnn_gui.models.layers.presets import PRESETS, PURPOSES
from geocnn_gui.models.layers.shapes import table
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
from geocnn_gui.models.measure import measure

RELU = Activation()
VALID = Convolution(channels=6, kernel=3, padding="valid")
BRANCHES = Inception(
    branches=(
        (Convolution(channels=4, kernel=4, stride=2, padding="valid"),),
        (Pool(window=3, stride=2, take="average"), Convolution(channels=4, kernel=1)),
    )
)
#: Networks that slide over a picture: every way to look and to pool, odd and even patches.
SLIDING = {
    "poolings": LayersSpec(
        patch=21,
        layers=(
            VALID, Normalisation(), RELU, Pool(take="average", window=3, stride=2), VALID,
            Pool(take="l2"), Flatten(), RELU, Dense(units=8), Activation(function="gelu"),
        ),
    ),
    "least": LayersSpec(
        patch=18,
        layers=(
            Convolution(channels=4, kernel=(3, 2), dilation=2, padding="valid"),
            Pool(take="minimum"), Residual(layers=(Convolution(channels=8, kernel=1, stride=2),)),
            GlobalPool(take="max"), Dropout(),
        ),
    ),
    "branches": LayersSpec(patch=16, layers=(VALID, BRANCHES, GlobalPool())),
    "traces": LayersSpec(dims=1, patch=19, layers=(VALID, Pool(take="l2"), BRANCHES, Flatten())),
}  # fmt: skip
#: Networks that pad or normalise by themselves, which have to be asked patch by patch.
ASKED = {
    "padded": LayersSpec(patch=12, step=3, layers=(Convolution(), Pool(), Flatten())),
    "instance": LayersSpec(
        patch=9, step=3, layers=(VALID, Normalisation(over="instance"), GlobalPool(take="max"))
    ),
    "group": LayersSpec(
        dims=1, patch=9, step=3,
        layers=(VALID, Normalisation(over="group", groups=3), Flatten()),
    ),
    "between": LayersSpec(patch=7, step=1, layers=(VALID, Flatten(), Normalisation(), Dense())),
    "transposed": LayersSpec(
        patch=8, step=3, layers=(TransposedConvolution(channels=4), GlobalPool())
    ),
}  # fmt: skip
#: Networks that name every place.
PIXELS = {
    "halved": PRESETS["every-pixel"].model_copy(update={"patch": 16}),
    "shrunk": LayersSpec(
        patch=16, layers=(VALID, Convolution(channels=4, kernel=3, padding="full"))
    ),
    "even": LayersSpec(
        patch=18,
        layers=(Convolution(channels=4, kernel=4), Pool(window=3), RELU,
                TransposedConvolution(channels=4, kernel=2, stride=3)),
    ),
    "traces": LayersSpec(dims=1, patch=16, layers=(Convolution(), Pool(), TransposedConvolution())),
}  # fmt: skip


def make(spec: LayersSpec, bands: int = 2) -> LayersNet:
    """Return the network with weights and statistics that tell places apart."""
    torch.manual_seed(0)
    net = LayersNet(spec.model_copy(update={"initial": "xavier"}), bands, 3)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean, -0.5, 0.5)
            nn.init.uniform_(part.running_var, 0.5, 2)
    return net.eval()


def crop(picture: torch.Tensor, net: LayersNet, row: int, column: int) -> torch.Tensor:
    """Return the patch whose middle is at `row`, `column`."""
    half, side = net.patch // 2, net.patch
    columns = (
        slice(column, column + 1) if net.dims == 1 else slice(column - half, column - half + side)
    )
    return picture[..., row - half : row - half + side, columns]


@pytest.mark.parametrize("spec", [*SLIDING.values(), *ASKED.values()], ids=[*SLIDING, *ASKED])
def test_that_a_picture_gets_what_cropping_every_patch_gives(spec):
    net = make(spec)
    side = spec.patch + 12
    picture = torch.randn(1, 2, side, side + 3)
    half, step = spec.patch // 2, net.stride
    with torch.inference_mode():
        whole = net(picture)
        assert whole.shape == (1, 3, side, side + 3)
        for row in range(half + (-half % step), side - half, step):
            for column in range(half + (-half % step), side - half, step):
                wanted = net.training_logits(crop(picture, net, row, column))
                torch.testing.assert_close(
                    whole[:, :, row, column], wanted[:, :, 0, 0], atol=1e-4, rtol=1e-4
                )
    assert whole.std() > 1e-3


@pytest.mark.parametrize("name", [*SLIDING, *ASKED])
def test_that_only_what_pads_or_normalises_by_itself_is_asked_in_steps(name):
    spec = {**SLIDING, **ASKED}[name]
    assert make(spec).stride == (1 if name in SLIDING else spec.step)


@pytest.mark.parametrize("shape", [(1, 40), (7, 23), (48, 61)])
@pytest.mark.parametrize(
    "spec", [*SLIDING.values(), *ASKED.values(), *PIXELS.values()],
    ids=[*SLIDING, *ASKED, *(f"pixels-{name}" for name in PIXELS)],
)  # fmt: skip
def test_that_tiles_of_own_layers_equal_the_whole(spec, shape):
    net = make(spec, 1)
    shape = tuple(-(-n // net.stride) * net.stride for n in shape)
    picture = torch.randn(1, 1, *shape)
    with torch.inference_mode():
        whole = net(picture)
        assert whole.shape[2:] == shape
        for tile in tiles(shape, halo=net.halo, stride=net.stride, core=4 * net.stride):
            part = net.logits_in(picture[..., tile.wide_rows, tile.wide_columns], *tile.core)
            torch.testing.assert_close(
                part, whole[..., tile.rows, tile.columns], atol=1e-4, rtol=1e-4
            )


def test_that_statistics_of_the_picture_have_no_finite_reach():
    norm = Normalisation(over="instance")
    assert not make(LayersSpec(layers=(Residual(layers=(Convolution(), norm)),))).finite
    assert make(PIXELS["halved"]).finite
    assert make(ASKED["instance"]).finite


def test_that_layers_on_volumes_name_middles_and_every_place():
    volume = torch.randn(1, 1, 9, 8, 10)
    net = make(LayersSpec(dims=3, patch=5, layers=(VALID, Flatten())), 1)
    with torch.inference_mode():
        whole = net(volume)
        middle = net.training_logits(volume[..., 2:7, 1:6, 3:8])
    assert middle.shape == (1, 3, 1, 1, 1)
    torch.testing.assert_close(whole[..., 4, 3, 5], middle[..., 0, 0, 0], atol=1e-4, rtol=1e-4)
    every = make(LayersSpec(dims=3, patch=8, layers=(Convolution(channels=4),)), 1)
    assert every(volume).shape == (1, 3, 9, 8, 10)
    with pytest.raises(BadRequest, match="sees volumes"):
        net(torch.zeros(1, 1, 9, 9))


def test_that_traces_are_trained_on_whether_alone_or_in_the_middle_of_a_picture():
    net = make(PRESETS["textbook-traces"], 1)
    assert net.form == (64, 1)
    picture = torch.randn(2, 1, 64, 9)
    torch.testing.assert_close(net.training_logits(picture), net.training_logits(picture[..., 4:5]))
    labels = torch.arange(64 * 9).reshape(1, 64, 9)
    assert net.training_labels(labels).tolist() == [[[32 * 9 + 4]]]


@pytest.mark.parametrize("how", ["normal", "kaiming", "xavier"])
def test_that_initial_weights_are_drawn_as_asked(how):
    torch.manual_seed(0)
    spec = LayersSpec(initial=how, layers=(Convolution(channels=64), Flatten(), Dense(units=40)))
    net = LayersNet(spec, 4, 3)
    weight, bias = net.layers[2].weight.detach(), net.layers[2].bias
    inputs = 64 * 32 * 32
    spreads = {
        "normal": 0.088,
        "kaiming": (2 / inputs) ** 0.5,
        "xavier": (2 / (inputs + 40)) ** 0.5,
    }
    assert float(weight.std()) == pytest.approx(spreads[how], rel=0.02)
    assert set(bias.tolist()) == {1.0 if how == "normal" else 0.0}
    if how == "normal":
        assert float(weight.abs().max()) <= 0.2


@pytest.mark.parametrize(
    ("head", "low", "high"),
    [("relu", 0, 1e9), ("sigmoid", 0, 1), ("tanh", -1, 1), ("linear", -1e9, 1e9)],
)
def test_that_a_continuous_head_keeps_its_range(head, low, high):
    net = make(SLIDING["least"].model_copy(update={"head": head}))
    with torch.inference_mode():
        values = net(20 * torch.randn(1, 2, 24, 24))
    assert float(values.min()) >= low
    assert float(values.max()) <= high


def test_that_folding_batch_norms_changes_no_answer():
    for spec in (SLIDING["poolings"], PIXELS["halved"], PRESETS["residual"]):
        net = make(spec)
        x = torch.randn(1, 2, 48, 48)
        made = folded(net)
        assert not any(isinstance(part, nn.BatchNorm2d) for part in made.modules())
        with torch.inference_mode():
            torch.testing.assert_close(made(x), net(x), atol=1e-4, rtol=1e-4)


def test_that_padding_is_no_data_to_a_pooling():
    picture = torch.full((1, 1, 4, 4), -2.0)
    for take, wanted in (("max", -2.0), ("minimum", -2.0), ("average", -2.0)):
        spec = LayersSpec(patch=4, layers=(Pool(take=take, window=3, stride=1, padding="same"),))
        assert LayersNet(spec, 1, 2).layers(picture).unique().tolist() == [wanted]
    spec = LayersSpec(patch=4, layers=(Pool(take="l2", window=2), Flatten()))
    assert LayersNet(spec, 1, 2).layers[0](picture).unique().tolist() == [4.0]


def test_that_an_impossible_list_is_not_built():
    with pytest.raises(BadRequest, match=r"layer 2 \(Max pooling 40x40\): its window spans 40"):
        LayersNet(LayersSpec(layers=(Convolution(), Pool(window=40))), 1, 2)


# ---- Files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_that_every_example_survives_its_file_and_can_be_built(name, tmp_path):
    path = tmp_path / "net.json"
    write_layers(path, PRESETS[name])
    assert layers_from(str(path)) == layers_from(name) == PRESETS[name]
    assert PURPOSES[name]
    net = LayersNet(PRESETS[name], 5, 4)
    assert PRESETS[name].parameters(5, 4) == sum(p.numel() for p in net.parameters())


DEEP = '{"layer":"residual","layers":[' * 5 + "]}" * 5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no list of layers"),
        ("[1, 2]", "no list of layers"),
        ('{"layers": [{"layer": "convolution", "kernel": 0}]}', "layer 1, kernel: "),
        ('{"layers": [{"layer": "dense", "units": 1e9}]}', "layer 1, units: "),
        ('{"layers": [{"layer": "import os"}]}', "layer 1"),
        ('{"layers": [' + '{"layer":"flatten"},' * 400 + '{"layer":"flatten"}]}', "400"),
        (f'{{"layers": [{DEEP}]}}', "deeper than 3"),
        ('{"layers": ' + "[" * 100_000, "no list of layers"),
        ('{"dims": 3, "patch": 4096}', "too large"),
        ('{"sides": 3}', "Extra inputs"),
        (" " * 1_000_001, "larger than any list"),
    ],
)
def test_that_a_strange_file_is_refused_in_words(content, reason, tmp_path):
    path = tmp_path / "net.json"
    path.write_text(content)
    with pytest.raises(UnreadableFile, match=reason) as caught:
        read_layers(path)
    assert "net.json" in str(caught.value)


def test_that_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnreadableFile, match="did you mean textbook-traces"):
        layers_from("textbook-trace")
    with pytest.raises(UnreadableFile, match="cannot be read"):
        layers_from("nowhere.json")


# ---- Measured ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "every-pixel"])
def test_that_measuring_agrees_with_the_table(name):
    spec = PRESETS[name]
    told = [row for row in table(spec, 2, 3, spec.patch) if row.is_leaf]
    found = measure(LayersNet(spec, 2, 3), 2, spec.patch)
    for what in ("parameters", "operations"):
        assert sum(getattr(r, what) for r in found) == sum(getattr(r, what) for r in told)
    assert found[-1].receptive_field == told[-1].receptive_field
    widest = {row.receptive_field for row in told if row.operations}
    assert {row.receptive_field for row in found if row.operations} == widest
