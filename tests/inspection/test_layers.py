"""What the layers make of a window: against hooks, the network's own answer and cropping."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from geocnn_gui.data.source import Section, open_source
from geocnn_gui.errors import BadRequest
from geocnn_gui.inference.tiles import pad_to_stride
from geocnn_gui.inspection.attribution import attribute
from geocnn_gui.inspection.fields import theoretical_field, windows
from geocnn_gui.inspection.layers import feature_maps, kernels, layers_of
from geocnn_gui.inspection.spec import Place
from geocnn_gui.inspection.subject import Subject
from geocnn_gui.models.base import SegmentationNet
from geocnn_gui.models.layers.presets import PRESETS
from geocnn_gui.models.networks import build
from geocnn_gui.models.sample_form import sample_input
from geocnn_gui.models.scaling import scale_picture
from geocnn_gui.models.spec import SPECS, CnnSpec, UNetSpec
from tests.inspection.conftest import card_for

SMALL = UNetSpec(depth=2, width=8)


def test_that_feature_maps_are_what_a_hook_sees(subject_of, middle):
    subject = subject_of(SMALL)
    look = subject.look(middle)
    seen = {}
    layer = subject.net.down[1][0]
    hook = layer.register_forward_hook(lambda _m, _i, made: seen.update(made=made[0].clone()))
    with torch.inference_mode():
        subject.net(torch.from_numpy(look.values)[None])
    hook.remove()
    assert np.array_equal(feature_maps(subject, look, "down.1.0"), seen["made"].numpy())


def test_that_an_activation_in_place_does_not_change_what_the_layer_before_shows(
    subject_of, middle
):
    subject = subject_of(SMALL)
    look = subject.look(middle)
    before, after = (feature_maps(subject, look, f"down.0.{n}") for n in (1, 2))
    assert before.min() < 0
    assert np.array_equal(after, np.maximum(before, 0))


def test_that_layers_which_a_network_calls_by_itself_are_seen_too(subject_of, middle):
    subject = subject_of()
    look = subject.look(middle)
    names = [layer.name for layer in layers_of(subject, look)]
    assert names[:4] == ["convs.0", "convs.0.relu", "convs.0.max_pool", "convs.1"]
    conv = subject.net.convs[0]
    expected = functional.conv2d(torch.from_numpy(look.values)[None], conv.weight, conv.bias)[0]
    assert np.allclose(feature_maps(subject, look, "convs.0"), expected.detach(), atol=1e-6)
    pooled = functional.max_pool2d(expected.relu(), 2).detach()
    assert np.allclose(feature_maps(subject, look, "convs.0.max_pool"), pooled, atol=1e-6)


def test_that_a_layer_that_runs_twice_is_two_layers(subject_of, source, middle):
    class Twice(SegmentationNet):
        halo, stride, patch = 2, 1, 16

        def __init__(self):
            super().__init__()
            self.conv, self.act = nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(inplace=True)

        def forward(self, pictures):
            return self.act(-self.act(self.conv(pictures)))

    subject = subject_of(net=Twice())
    names = [layer.name for layer in layers_of(subject, subject.look(middle))]
    assert names == ["conv", "act", "act (2)"]


def test_that_kernels_are_the_weights(subject_of, middle):
    subject = subject_of()
    look = subject.look(middle)
    assert np.array_equal(
        kernels(subject, look, "convs.1"), subject.net.convs[1].weight.detach().numpy()
    )
    with pytest.raises(BadRequest, match="no kernels"):
        kernels(subject, look, "convs.0.relu")


def test_that_an_unknown_layer_is_refused_with_names_like_it(subject_of, middle):
    subject = subject_of()
    with pytest.raises(BadRequest, match=r"no layer convs\.9.*convs\.0"):
        feature_maps(subject, subject.look(middle), "convs.9")


@pytest.mark.parametrize("spec", [CnnSpec(patch=20, width=4), SMALL], ids=["cnn", "unet"])
@pytest.mark.parametrize("place", [(75, 85), (0, 0), (149, 169), (3, 160)])
def test_that_the_answer_is_that_of_the_whole_picture(subject_of, source, spec, place):
    subject = subject_of(spec)
    picture = source.read_picture(Section(), slice(0, 150), slice(0, 170))
    whole = pad_to_stride(scale_picture(picture, subject.statistics), subject.net.stride)
    with torch.inference_mode():
        shares = subject.net(torch.from_numpy(whole)[None])[0].softmax(0)[:, place[0], place[1]]
    found = [each.value for each in subject.outputs(subject.look(Place(Section(), *place)))]
    assert np.allclose(found, shares, atol=1e-5)


def test_that_a_place_outside_the_section_is_refused(subject_of):
    with pytest.raises(BadRequest, match="150 rows and 170 columns"):
        subject_of().look(Place(Section(), 150, 0))


def test_that_a_picture_smaller_than_the_patch_is_reflected(subject_of, tmp_path):
    path = tmp_path / "small.npy"
    np.save(path, np.arange(35, dtype=np.float32).reshape(5, 7))
    with open_source(path, domain="imagery") as small:
        subject = subject_of(where=small)
        look = subject.look(Place(Section(), 2, 3))
        middle = look.values[0, look.at[0] - 2 : look.at[0] + 3, look.at[1] - 3 : look.at[1] + 4]
        padded = np.pad(middle, ((8, 7), (7, 6)), mode="reflect")
    assert look.size == (20, 20)
    assert np.array_equal(look.values[0], padded)


#: One of each make; the others differ from these in their size.
QUICK = ("unet", "cnn", "unet-1d", "lenet5", "layers")
MAKES = (*QUICK, "unet-resnet18", "fpn", "googlenet", "inception-v3", "efficientnet-b0",
         "convnext-tiny")  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MAKES],
)
def test_that_networks_of_every_make_can_be_looked_at(name, source):
    spec = SPECS[name]()
    spec = spec.model_copy(update={"weights": "none"}) if hasattr(spec, "weights") else spec
    torch.manual_seed(0)
    subject = Subject(build(spec, 1, 3), card_for(spec, source), source)
    look = subject.look(Place(Section(), 70, 90), size=64)
    layers = layers_of(subject, look)
    assert sum(bool(layer.kernel) for layer in layers) >= 2
    assert sum(each.value for each in subject.outputs(look)) == pytest.approx(1)
    for layer in (layers[0], layers[len(layers) // 2], layers[-1]):
        maps = feature_maps(subject, look, layer.name)
        assert maps.shape == (layer.channels, *layer.size)
    assert attribute(subject, look, "grad-cam", output=1).values.shape == look.size
    field = theoretical_field(subject, look, layers[0].name)
    assert 1 <= field.size[0] <= 11


def test_that_a_network_of_volumes_looks_at_the_sections_around(tmp_path):
    path = tmp_path / "cube.npy"
    np.save(path, np.random.default_rng(2).normal(size=(20, 30, 24)).astype(np.float32))
    spec = SPECS["unet-3d"](depth=2, width=8)
    torch.manual_seed(0)
    with open_source(path) as cube:
        net = build(spec, 1, 3)
        net.patch = 8
        subject = Subject(net, card_for(spec, cube), cube)
        look = subject.look(Place(Section(0, 6), 10, 9))
        maps = feature_maps(subject, look, "down.0.0")
        assert look.values.shape[:2] == (1, 8)
        assert maps.shape[1:] == look.size
        assert len(subject.outputs(look)) == 3
        assert attribute(subject, look, "grad-cam", output=0).values.shape == look.size


@pytest.mark.parametrize("kind", ["patches", "traces"])
def test_that_a_sample_of_a_set_is_looked_at_whole(kind):
    spec, form = PRESETS[f"textbook-{kind}"], {"patches": (32, 32), "traces": (64, 1)}[kind]
    with open_source(f"example:{kind}") as source:
        assert source.samples is not None
        subject = Subject(build(spec, 1, 3), card_for(spec, source), source)
        look = subject.look(Place(Section(), 0, 7))
        maps = feature_maps(subject, look, layers_of(subject, look)[0].name)
        expected = sample_input(source.samples, 7, form, subject.statistics)
        assert look.size == maps.shape[1:] == form
        assert np.array_equal(look.values, expected)
        assert len(list(windows(subject, Section(), 3))) == 3
        assert attribute(subject, look, "integrated", output=0).values.shape == form
