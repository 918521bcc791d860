"""A training that begins with another model: what is taken, and what is refused."""

from __future__ import annotations

import json

import pytest
import torch
from training_lines import CLASSES, CPU, a_pair

from geocnn_gui.errors import ModelMismatch
from geocnn_gui.events import Note
from geocnn_gui.models.networks import build
from geocnn_gui.models.spec import SPECS, UNetSpec
from geocnn_gui.models.survey import load_backbone, new_backbone, save_backbone
from geocnn_gui.models.survey_card import BackboneCard
from geocnn_gui.models.warm_start import warm_start
from geocnn_gui.models.weights import load_model, metadata_of, read_card
from geocnn_gui.training.run import Order, train
from geocnn_gui.training.spec import TrainingSpec

UNET = UNetSpec(depth=2, width=8)
QUICK = TrainingSpec(epochs=1, steps_per_epoch=1, batch=2, refit=False, learning_rate=1e-9)


def learn(out, spec=UNET, **changes):
    training = QUICK.model_copy(update=changes)
    return list(train(Order([a_pair()], spec, training, CLASSES, out, CPU)))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    out = tmp_path_factory.mktemp("other") / "other.safetensors"
    learn(out, seed=5)
    return out


def same(one, two, name: str) -> bool:
    return torch.allclose(one.state_dict()[name], two.state_dict()[name], atol=1e-6)


def test_that_a_training_goes_on_from_another_model(model, tmp_path):
    events = learn(tmp_path / "m", start=str(model))
    texts = [e.text for e in events if isinstance(e, Note)]
    assert "Begins with the weights of other.safetensors; its head too." in texts
    (old, _), (new, _) = load_model(model), load_model(tmp_path / "m")
    assert same(old, new, "down.0.0.weight")
    assert same(old, new, "head.weight")


def test_that_other_classes_and_bands_get_a_fresh_head_and_fitting_kernels(model):
    torch.manual_seed(1)
    net = build(UNET, 3, 5)
    fresh = net.state_dict()["head.weight"].clone()
    assert not warm_start(net, model)
    old, _ = load_model(model)
    assert torch.equal(net.state_dict()["head.weight"], fresh)
    assert same(old, net, "merge.0.0.weight")
    kernels = net.state_dict()["down.0.0.weight"]
    torch.testing.assert_close(kernels.sum(1), old.state_dict()["down.0.0.weight"].sum(1))


@pytest.mark.parametrize(
    "spec", [UNetSpec(depth=3, width=8), UNetSpec(depth=2, width=16), SPECS["cnn"]()]
)
def test_that_a_model_of_other_sizes_is_refused(spec, model, tmp_path):
    with pytest.raises(ModelMismatch, match=r"\(U-Net\) does not fit this network"):
        learn(tmp_path / "m", spec, start=str(model))
    assert not (tmp_path / "m").exists()


def test_that_a_missing_model_is_refused_in_words(tmp_path):
    with pytest.raises(ModelMismatch, match="does not exist"):
        learn(tmp_path / "m", start=str(tmp_path / "nowhere.safetensors"))


CARD = BackboneCard(
    spec=UNET, domain="seismic", bands=("amplitude",), sources=("Line",), steps=400,
    licence="CC BY 4.0",
)  # fmt: skip


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    path = tmp_path_factory.mktemp("backbone") / "learned.safetensors"
    torch.manual_seed(3)
    save_backbone(path, new_backbone(CARD))
    return path


def test_that_all_of_a_backbone_is_taken_but_its_head(backbone):
    net = build(UNET, 1, 2)
    fresh = {k: v.clone() for k, v in net.state_dict().items() if k.startswith("head.")}
    assert not warm_start(net, backbone)
    known = load_backbone(backbone).net.state_dict()
    for name, value in net.state_dict().items():
        assert torch.equal(value, fresh[name] if name in fresh else known[name]), name


def test_that_a_backbone_of_other_bands_gets_fitting_kernels(backbone):
    net = build(UNET, 3, 2)
    warm_start(net, backbone)
    known = load_backbone(backbone).net.state_dict()
    kernels = net.state_dict()["down.0.0.weight"]
    torch.testing.assert_close(kernels.sum(1), known["down.0.0.weight"].sum(1))
    assert torch.equal(net.state_dict()["up.0.weight"], known["up.0.weight"])


def test_that_a_training_says_and_keeps_that_it_began_with_a_backbone(backbone, tmp_path):
    events = learn(tmp_path / "m", start=str(backbone))
    learned = "learned.safetensors (Line in 400 steps without labels)"
    texts = [e.text for e in events if isinstance(e, Note)]
    assert f"Begins with the survey backbone {learned}; the head is fresh." in texts
    training = read_card(tmp_path / "m").training
    assert training.began == f"survey backbone {learned}"
    assert training.licence == "CC BY 4.0"


def test_that_programs_that_know_of_no_beginning_read_the_model(backbone, tmp_path):
    learn(tmp_path / "m", start=str(backbone), licence="My own")
    said = json.loads(metadata_of(tmp_path / "m")["geocnn"])
    assert "began" not in said["training"]  # a key that they do not know is refused
    assert read_card(tmp_path / "m").training.licence == "My own"


def test_that_data_scaled_otherwise_than_the_backbone_knows_are_told_of(backbone, tmp_path):
    events = learn(tmp_path / "m", start=str(backbone), scaling="trace")
    texts = [e.text for e in events if isinstance(e, Note) and e.warning]
    assert any("scaling=survey would suit it better" in text for text in texts)


@pytest.mark.parametrize(
    "spec",
    [
        UNetSpec(depth=3, width=8), UNetSpec(depth=2, width=16), SPECS["cnn"](),
        UNetSpec(depth=2, width=8, norm="group"), UNetSpec(depth=2, width=8, residual=True),
        SPECS["unet-1d"](depth=2, width=8), SPECS["unet-3d"](depth=2, width=8),
    ],
)  # fmt: skip
def test_that_a_network_that_no_backbone_fits_is_refused_with_its_sizes(spec, backbone):
    net = build(spec, 1, 2)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(ModelMismatch, match=r"depth 2, width 8, normalisation batch"):
        warm_start(net, backbone)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_that_a_damaged_backbone_is_refused_in_words(backbone, tmp_path):
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(backbone.read_bytes()[:-100])
    with pytest.raises(ModelMismatch, match="damaged backbone"):
        learn(tmp_path / "m", start=str(torn))
    assert not (tmp_path / "m").exists()
