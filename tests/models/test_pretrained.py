"""Weights of others: found, fetched, read without running anything, and refused in a sentence."""

from __future__ import annotations

import os
import socket

import pytest
import torch
from safetensors.torch import save_file

from geocnn_gui.errors import CannotWrite, ModelMismatch
from geocnn_gui.events import Progress
from geocnn_gui.models import pretrained
from geocnn_gui.models.networks import build, build_for_training
from geocnn_gui.models.pretrained import checkpoints_folder, fetch_weights, why_no_weights
from geocnn_gui.models.spec import CnnSpec, ResNetSpec, ResUNetSpec, UNetSpec
from geocnn_gui.models.vision import torchvision
from geocnn_gui.models.weights import save_model
from tests.models.test_weights import a_card

KINDS = [ResNetSpec, ResUNetSpec]


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("trapped",)


def test_that_the_cache_is_where_torch_keeps_it(monkeypatch, tmp_path):
    for name, value in (("TORCH_HOME", str(tmp_path)), ("XDG_CACHE_HOME", str(tmp_path / "c"))):
        monkeypatch.delenv("TORCH_HOME", raising=False)
        monkeypatch.setenv(name, value)
        assert str(checkpoints_folder()) == os.path.join(torch.hub.get_dir(), "checkpoints")


def test_that_the_weights_are_those_that_torchvision_names():
    url = torchvision().models.ResNet18_Weights.IMAGENET1K_V1.url
    assert pretrained.PUBLISHED["resnet18"].url == url


@pytest.mark.parametrize("kind", KINDS)
def test_that_the_encoder_begins_with_the_file_and_the_head_is_fresh(kind, resnet18, tmp_path):
    path = tmp_path / "r18.pth"
    torch.save(resnet18, path)
    net = build_for_training(kind(weights=str(path)), 3, 4)
    state = net.encoder.state_dict()
    for name in ("conv1.weight", "bn1.running_var", "layer4.1.conv2.weight"):
        assert torch.equal(state[name], resnet18[name].float())
    assert net.head.out_channels == 4


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {f"module.{k}": v for k, v in s.items()},
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: (
            {f"encoder.{k}": v for k, v in s.items() if not k.startswith("fc.")}
            | {"segmentation_head.0.weight": torch.zeros(2, 16, 3, 3)}
        ),
        lambda s: {k: v for k, v in s.items() if not k.endswith("num_batches_tracked")},
    ],
    ids=["parallel", "checkpoint", "smp", "old"],
)
def test_that_the_names_of_other_programs_are_understood(wrap, resnet18, tmp_path):
    path = tmp_path / "r18.pt"
    torch.save(wrap(resnet18), path)
    net = build_for_training(ResNetSpec(weights=str(path)), 1, 2)
    assert torch.equal(
        net.encoder.layer1[0].conv1.weight, resnet18["layer1.0.conv1.weight"].float()
    )


def test_that_a_safetensors_file_will_do(resnet18, tmp_path):
    path = tmp_path / "r18.safetensors"
    save_file(resnet18, path)
    net = build_for_training(ResUNetSpec(weights=str(path)), 3, 2)
    assert torch.equal(net.encoder.conv1.weight, resnet18["conv1.weight"].float())


@pytest.mark.parametrize("classes", [2, 5])
def test_that_a_model_of_one_s_own_is_taken_whole_but_for_a_head_of_other_classes(
    classes, tmp_path
):
    spec, path = ResUNetSpec(weights="none"), tmp_path / "mine.safetensors"
    mine = build(spec, 1, 2)
    save_model(path, mine, a_card(spec))
    net = build_for_training(ResUNetSpec(weights=str(path)), 1, classes)
    assert torch.equal(
        net.decoder.blocks[0].conv1[0].weight, mine.decoder.blocks[0].conv1[0].weight
    )
    assert torch.equal(net.encoder.conv1.weight, mine.encoder.conv1.weight)
    same_head = net.head.weight.shape == mine.head.weight.shape and torch.equal(
        net.head.weight, mine.head.weight
    )
    assert same_head == (classes == 2)


def spoil(state, **changes):
    return {**state, **changes}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: {k: v for k, v in s.items() if k != "bn1.bias"}, "bn1.bias is missing"),
        (
            lambda s: spoil(s, **{"layer2.0.conv1.weight": torch.zeros(128, 64, 1, 1)}),
            "layer2.0.conv1.weight is 128 x 64 x 1 x 1, not 128 x 64 x 3 x 3",
        ),
        (
            lambda s: spoil(s, **{"layer3.2.conv1.weight": torch.zeros(2)}),
            "it has no layer3.2.conv1.weight",
        ),
        (
            lambda s: spoil(s, **{"bn1.bias": torch.full((64,), torch.nan)}),
            "bn1.bias does not hold plain numbers",
        ),
        (lambda s: {"w": torch.zeros(2)}, "conv1.weight is missing, and"),
    ],
)
def test_that_weights_of_another_network_are_refused_naming_what_does_not_fit(
    change, says, resnet18, tmp_path
):
    path = tmp_path / "other.pth"
    torch.save(change(resnet18), path)
    with pytest.raises(ModelMismatch, match=says) as caught:
        build_for_training(ResNetSpec(weights=str(path)), 3, 2)
    assert "other.pth does not fit ResNet-18" in str(caught.value)


def test_that_a_model_of_another_kind_is_refused(tmp_path):
    spec, path = UNetSpec(depth=2, width=8), tmp_path / "unet.safetensors"
    save_model(path, build(spec, 1, 2), a_card(spec))
    with pytest.raises(ModelMismatch, match="does not fit U-Net on ResNet-18"):
        build_for_training(ResUNetSpec(weights=str(path)), 1, 2)


def test_that_a_file_that_wants_to_run_code_is_refused_and_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": Trap()}, "trap.pth")
    with pytest.raises(ModelMismatch, match="could run code"):
        build_for_training(ResNetSpec(weights=str(tmp_path / "trap.pth")), 3, 2)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("name", ["bad.pth", "bad.safetensors"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q\x00.", os.urandom(999)])
def test_that_a_damaged_file_is_refused_in_a_sentence(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelMismatch, match=name):
        build_for_training(ResNetSpec(weights=str(path)), 3, 2)


def test_that_a_truncated_file_is_refused_in_a_sentence(shelf, tmp_path):
    path = tmp_path / "half.pth"
    path.write_bytes(shelf.read_bytes()[:-100_000])
    with pytest.raises(ModelMismatch, match=r"half\.pth"):
        build_for_training(ResNetSpec(weights=str(path)), 3, 2)


def test_that_published_weights_are_downloaded_once_with_progress(cache, server, shelf):
    spec = ResNetSpec()
    assert "not on this machine" in why_no_weights(spec)
    steps = [e for e in fetch_weights(spec) if isinstance(e, Progress)]
    assert steps[-1].done == steps[-1].total == shelf.stat().st_size
    assert [p.name for p in cache.iterdir()] == [shelf.name]
    assert not why_no_weights(spec)
    server.shutdown()
    assert list(fetch_weights(spec)) == []
    build_for_training(spec, 3, 2)


def test_that_a_stopped_download_leaves_nothing(cache, server):
    task = fetch_weights(ResNetSpec())
    for event in task:
        if isinstance(event, Progress) and event.done:
            task.close()
    assert list(cache.iterdir()) == []


def test_that_what_is_not_the_published_file_is_not_kept(cache, server, shelf, monkeypatch):
    other = pretrained.Published("resnet18-00000000.pth", 1)
    monkeypatch.setitem(pretrained.PUBLISHED, "resnet18", other)
    (shelf.parent / other.name).write_bytes(b"<html>sign in</html>")
    with pytest.raises(ModelMismatch, match="what arrived is not that file"):
        list(fetch_weights(ResNetSpec()))
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "ftp://127.0.0.1", "nonsense"])
def test_that_without_a_network_the_file_and_its_folder_are_named(cache, monkeypatch, url, shelf):
    with socket.socket() as taken:  # bound, but nobody answers
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("GEOCNN_WEIGHTS_URL", url.format(port=taken.getsockname()[1]))
        with pytest.raises(ModelMismatch) as caught:
            list(fetch_weights(ResNetSpec()))
    assert shelf.name in str(caught.value)
    assert f"put that file into {cache}" in str(caught.value)


def test_that_a_disk_that_is_full_says_so(cache, server, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match="disk is full"):
        list(fetch_weights(ResNetSpec()))
    assert list(cache.iterdir()) == []


def test_that_damaged_weights_in_the_cache_are_not_trained_with(cache, shelf):
    cache.mkdir(parents=True)
    (cache / shelf.name).write_bytes(shelf.read_bytes()[:-1])
    with pytest.raises(ModelMismatch, match="is damaged"):
        build_for_training(ResNetSpec(), 3, 2)


@pytest.mark.parametrize("spec", [CnnSpec(), UNetSpec(), ResNetSpec(weights="none")])
def test_that_networks_without_weights_need_none(spec, cache):
    assert why_no_weights(spec) == ""
    assert list(fetch_weights(spec)) == []


def test_that_a_file_that_is_gone_is_named(tmp_path):
    spec = ResNetSpec(weights=str(tmp_path / "gone.pth"))
    assert "gone.pth" in why_no_weights(spec)
    with pytest.raises(ModelMismatch, match=r"gone\.pth does not exist"):
        list(fetch_weights(spec))
