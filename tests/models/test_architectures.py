"""Networks as published: sizes told without torch, a step, a file, a fresh process, weights."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file, save_file

from geocnn_gui.errors import ModelMismatch
from geocnn_gui.models import pretrained
from geocnn_gui.models.architectures.spec import (
    ClassifierSpec,
    DeepLabSpec,
    Encoder,
    EncoderSpec,
    FpnSpec,
    GoogLeNetSpec,
    InceptionSpec,
    LeNetSpec,
    MobileNetSpec,
    PretrainedSpec,
    ResNet34Spec,
    UNetEncoderSpec,
    UNetPlusPlusSpec,
    Vgg16Spec,
)
from geocnn_gui.models.architectures.table import BACKBONES
from geocnn_gui.models.cards import CARDS, card_of, least_of
from geocnn_gui.models.networks import build, build_for_training
from geocnn_gui.models.pretrained import fetch_weights, published
from geocnn_gui.models.spec import SPECS
from geocnn_gui.models.vision import torchvision
from geocnn_gui.models.weights import save_model
from tests.models.small_specs import LARGE, NAMES, patches_for, small
from tests.models.test_weights import a_card

BANDS = (1, 3, 5, 13)
#: Large files, or slow steps.
HEAVY = (
    *LARGE, "resnet18", "resnet34", "resnet50", "inception-v3", "convnext-tiny", "unet-resnet18",
    "unet-encoder", "unet++", "fpn", "deeplabv3+",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _seed(one_thread):
    torch.manual_seed(0)


def counted(spec, bands, classes):
    """Build a network without its contents, and count what it learns."""
    with torch.device("meta"):
        return sum(p.numel() for p in build(spec, bands, classes).parameters())


@pytest.mark.parametrize("bands", BANDS)
@pytest.mark.parametrize("name", SPECS)
def test_that_the_parameters_told_are_those_of_every_network(name, bands):
    for spec, classes in ((SPECS[name](), 2), (small(name), 7)):
        assert spec.parameters(bands, classes) == counted(spec, bands, classes)


@pytest.mark.parametrize("encoder", get_args(Encoder))
@pytest.mark.parametrize("kind", [UNetEncoderSpec, UNetPlusPlusSpec, FpnSpec, DeepLabSpec])
def test_that_the_parameters_told_are_those_on_every_encoder(kind, encoder):
    spec = kind(encoder=encoder)
    assert spec.parameters(5, 4) == counted(spec, 5, 4)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("alexnet", 61_100_840), ("vgg16", 138_357_544), ("resnet50", 25_557_032),
     ("googlenet", 6_624_904), ("convnext-tiny", 28_589_128)],
)  # fmt: skip
def test_that_the_published_sizes_are_told(name, parameters):
    assert SPECS[name]().parameters(3, 1000) == parameters


def test_that_lenet_has_its_published_size():
    assert LeNetSpec(patch=32).parameters(1, 10) == 61_706


def test_that_every_network_has_a_card_that_keeps_its_word():
    assert set(CARDS) == set(SPECS)
    for name in set(SPECS) - {"layers"}:
        card, spec = card_of(name), small(name)
        with torch.device("meta"):
            net = build(spec, 1, 2)
        assert card.title == type(spec).model_fields["kind"].title
        assert card.dims == net.dims
        assert card.least_patch == least_of(type(spec)(), name)
        assert "patch" in type(spec).model_fields or least_of(spec, name) == net.stride
        assert (card.task == "patches") == (
            net.training_labels(torch.zeros(1, 200, 200)).numel() == 1
        )


@pytest.mark.parametrize("name", [n for n in SPECS if "patch" in SPECS[n].model_fields])
def test_that_a_patch_below_the_least_is_refused_in_words(name):
    if name == "layers":
        pytest.skip("its least patch is what its layers need")
    least = card_of(name).least_patch
    SPECS[name](patch=least)
    with pytest.raises(ValueError, match=f"greater than or equal to {least}"):
        SPECS[name](patch=least - 4)


LOAD = """
import sys
import torch
from pathlib import Path
from safetensors.torch import load_file, save_file
from geocnn_gui.models.weights import load_model
torch.set_num_threads(1)
folder = Path(sys.argv[1])
inputs, outputs = load_file(folder / "inputs"), {}
with torch.inference_mode():
    for name, values in inputs.items():
        net, _ = load_model(folder / f"{name}.safetensors")
        outputs[name] = net.training_logits(values).contiguous()
save_file(outputs, folder / "outputs")
"""


def stepped(name, bands, folder):
    """Train a network for a step, save it, and return patches and what it says of them."""
    spec = small(name)
    net = build(spec, bands, 2).train()
    values = patches_for(net, bands)
    optimizer = torch.optim.SGD(net.parameter_groups(1e-3))
    before = {k: v.detach().clone() for k, v in net.named_parameters()}
    net.training_logits(values).square().mean().backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)  # as trainings do
    optimizer.step()
    assert any(not torch.equal(before[k], v) for k, v in net.named_parameters())
    card = a_card(spec)
    statistics = card.scaling.statistics * bands
    scaling = card.scaling.model_copy(update={"statistics": statistics})
    card = card.model_copy(update={"bands": ("amplitude",) * bands, "scaling": scaling})
    save_model(folder / f"{name}.safetensors", net, card)
    with torch.inference_mode():
        said = net.eval().training_logits(values)
    assert said.isfinite().all()
    return values, said


def check_in_a_fresh_process(networks, folder):
    """Compare what networks say here after a step with what their files say elsewhere."""
    found = {name: stepped(name, bands, folder) for name, bands in networks}
    save_file({name: values for name, (values, _) in found.items()}, folder / "inputs")
    subprocess.run([sys.executable, "-c", LOAD, str(folder)], check=True)
    outputs = load_file(folder / "outputs")
    for name, (_, said) in found.items():
        torch.testing.assert_close(outputs[name], said, atol=1e-5, rtol=1e-4)


def test_that_networks_learn_and_answer_the_same_in_a_fresh_process(tmp_path):
    names = [name for name in SPECS if name not in HEAVY]
    check_in_a_fresh_process([(n, BANDS[i % 4]) for i, n in enumerate(names)], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("bands", BANDS)
@pytest.mark.parametrize("name", SPECS)
def test_that_each_network_learns_and_answers_the_same_for_any_bands(name, bands, tmp_path):
    check_in_a_fresh_process([(name, bands)], tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()


@pytest.mark.parametrize("name", ["googlenet", "mobilenet-v3", "fpn", "deeplabv3+", "resnet18"])
def test_that_a_step_may_be_of_a_single_patch(name):
    net = build(small(name), 2, 3).train()
    net.training_logits(patches_for(net, 2, n=1)).square().mean().backward()
    assert net.head.weight.grad is not None


@pytest.mark.parametrize("name", NAMES)
def test_that_stages_hold_every_weight_once(name):
    net = build(small(name), 1, 2)
    inside = [id(p) for stage in net.stages() for part in stage.modules for p in part.parameters()]
    assert sorted(inside) == sorted(id(p) for p in net.parameters())


@pytest.mark.parametrize("name", [n for n in SPECS if issubclass(SPECS[n], PretrainedSpec)])
def test_that_all_up_to_a_stage_can_be_frozen(name):
    kind = SPECS[name]
    stage = kind.stage_names()[1]
    spec = kind(freeze=stage, weights="a.pth")
    with torch.device("meta"):
        net = build(spec, 3, 2)
    learns = [any(p.requires_grad for m in s.modules for p in m.parameters()) for s in net.stages()]
    assert learns[:2] == [False, False]
    assert all(learns[2:])
    with pytest.raises(ValueError, match=f"nothing, early, encoder, .*{stage}"):
        kind(freeze="roof")


# ---- Weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BACKBONES)
def test_that_the_weights_are_those_that_torchvision_publishes(name):
    models = torchvision().models
    maker = getattr(models, BACKBONES[name].maker)
    weights = models.get_model_weights(maker).IMAGENET1K_V1
    found = pretrained.PUBLISHED[name]
    assert found.url == weights.url
    assert abs(found.megabytes - weights.meta["_file_size"] * 1.048576) < 2


@pytest.mark.parametrize("name", ["googlenet", "mobilenet-v3", "efficientnet-b0"])
def test_that_a_published_file_fits_its_network_and_the_networks_on_it(name, tmp_path):
    path = tmp_path / "weights.pth"
    options = {"init_weights": True} if name == "googlenet" else {}
    theirs = getattr(torchvision().models, BACKBONES[name].maker)(weights=None, **options)
    torch.save(theirs.state_dict(), path)
    kinds = [SPECS[name]] if name == "googlenet" else [SPECS[name], FpnSpec, UNetEncoderSpec]
    for kind in kinds:
        chosen = {"encoder": name} if issubclass(kind, EncoderSpec) else {}
        net = build_for_training(kind(weights=str(path), **chosen), 3, 2)
        first = net.encoder.get_submodule(BACKBONES[name].first).weight
        theirs_first = theirs.get_submodule(BACKBONES[name].first).weight
        torch.testing.assert_close(first, theirs_first * BACKBONES[name].deviation)


def test_that_a_classifier_of_one_s_own_is_an_encoder_elsewhere(tmp_path):
    mine, path = MobileNetSpec(weights="none", patch=32), tmp_path / "mine.safetensors"
    net = build(mine, 1, 2)
    save_model(path, net, a_card(mine))
    other = build_for_training(DeepLabSpec(encoder="mobilenet-v3", weights=str(path)), 1, 2)
    assert torch.equal(other.encoder.features[3].block[0][0].weight,
                       net.encoder.features[3].block[0][0].weight)  # fmt: skip


@pytest.mark.parametrize("kind", [GoogLeNetSpec, InceptionSpec, ResNet34Spec])
def test_that_weights_of_another_network_are_refused_by_name(kind, resnet18, tmp_path):
    path = tmp_path / "r18.pth"
    torch.save(resnet18, path)
    with pytest.raises(ModelMismatch, match=f"choose weights of {kind().backbone.title}"):
        build_for_training(kind(weights=str(path)), 3, 2)


@pytest.mark.parametrize("spec", [Vgg16Spec(), FpnSpec(encoder="efficientnet-b0")])
def test_that_offline_the_very_file_is_named(spec, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("GEOCNN_WEIGHTS_URL", "nonsense")
    with pytest.raises(ModelMismatch, match=published(spec).name) as caught:
        list(fetch_weights(spec))
    assert f"put that file into {tmp_path}" in str(caught.value)


def test_that_dropout_reaches_the_dense_layers_of_old_networks():
    with torch.device("meta"):
        net = build(Vgg16Spec(dropout=0.3), 1, 2)
    assert {m.p for m in net.encoder.modules() if isinstance(m, torch.nn.Dropout)} == {0.3}
    assert isinstance(net.dropout, torch.nn.Dropout)
    assert net.dropout.p == 0
    assert issubclass(Vgg16Spec, ClassifierSpec)
