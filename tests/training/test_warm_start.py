"""A training that begins with another model: what is taken, and what is refused."""

from __future__ import annotations

import pytest
import torch
from training_lines import CLASSES, CPU, a_pair

from geocnn_gui.errors import ModelMismatch
from geocnn_gui.events import Note
from geocnn_gui.models.networks import build
from geocnn_gui.models.spec import SPECS, UNetSpec
from geocnn_gui.models.warm_start import warm_start
from geocnn_gui.models.weights import load_model
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
