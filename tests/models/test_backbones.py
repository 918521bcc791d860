"""Pretrained networks: any number of bands, frozen parts, lower rates, patches and tiles."""

from __future__ import annotations

import pytest
import torch

from geocnn_gui.models.backbones import adapt_bands
from geocnn_gui.models.networks import build, build_for_training
from geocnn_gui.models.spec import (
    CnnSpec,
    ResNetSpec,
    ResUNetSpec,
    UNetEncoderSpec,
    UNetPlusPlusSpec,
    UNetSpec,
    shareable,
    spec_from_json,
)


@pytest.fixture(autouse=True)
def _seed(one_thread):
    torch.manual_seed(0)


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 7, 13])
def test_that_a_grey_picture_answers_as_it_does_in_rgb(bands):
    kernels, grey = torch.randn(8, 3, 7, 7), torch.randn(1, 1, 20, 20)
    rgb = torch.conv2d(grey.expand(1, 3, 20, 20), kernels)
    adapted = adapt_bands(kernels, bands)
    many = torch.conv2d(grey.expand(1, bands, 20, 20), adapted)
    assert adapted.shape == (8, bands, 7, 7)
    torch.testing.assert_close(many, rgb, atol=1e-4, rtol=1e-4)


def test_that_three_bands_keep_their_kernels_and_more_share_them():
    kernels = torch.randn(8, 3, 7, 7)
    assert torch.equal(adapt_bands(kernels, 3), kernels)
    four = adapt_bands(kernels, 4)
    assert torch.equal(four[:, 0], kernels[:, 0] / 2)
    assert torch.equal(four[:, 3], kernels[:, 0] / 2)
    assert torch.equal(four[:, 1], kernels[:, 1])


@pytest.mark.parametrize("bands", [1, 3, 5])
def test_that_the_first_layer_of_a_file_fits_any_number_of_bands(bands, resnet18, tmp_path):
    path = tmp_path / "r18.pth"
    torch.save(resnet18, path)
    net = build_for_training(ResUNetSpec(weights=str(path)), bands, 2)
    summed = net.encoder.conv1.weight.sum(1)
    torch.testing.assert_close(summed, resnet18["conv1.weight"].float().sum(1))


@pytest.mark.parametrize("kind", [ResNetSpec, ResUNetSpec])
@pytest.mark.parametrize("freeze", ["nothing", "early", "encoder"])
def test_that_what_is_frozen_gets_no_gradient_and_keeps_its_statistics(kind, freeze):
    net = build(kind(freeze=freeze, weights="imagenet"), 1, 2).train()
    before = {k: v.clone() for k, v in net.encoder.state_dict().items()}
    net.training_logits(torch.randn(2, 1, 64, 64)).square().mean().backward()
    frozen = {"nothing": [], "early": ["bn1", "layer2"], "encoder": ["bn1", "layer2", "layer4"]}
    for name in ("bn1", "layer2", "layer4"):
        part = getattr(net.encoder, name)
        still = name in frozen[freeze]
        assert all((p.grad is None) == still for p in part.parameters())
        keys = [k for k in before if k.startswith(name) and k.endswith("running_mean")]
        after = net.encoder.state_dict()
        assert all(torch.equal(before[k], after[k]) == still for k in keys)
    assert net.head.weight.grad is not None


def test_that_without_weights_nothing_is_frozen_or_held_back():
    net = build(ResUNetSpec(weights="none", freeze="encoder"), 1, 2)
    assert all(p.requires_grad for p in net.parameters())
    assert {g["lr"] for g in net.parameter_groups(0.01)} == {0.01}


def test_that_the_encoder_learns_at_a_lower_rate():
    net = build(ResNetSpec(weights="imagenet", encoder_rate=0.2), 1, 2)
    known, fresh = net.parameter_groups(0.01)
    assert known["lr"] == pytest.approx(0.002)
    assert fresh["lr"] == 0.01
    together = [id(p) for p in (*known["params"], *fresh["params"])]
    assert sorted(together) == sorted(id(p) for p in net.parameters())
    only = build(ResNetSpec(weights="imagenet", freeze="encoder"), 1, 2).parameter_groups(0.01)
    assert [g["lr"] for g in only] == [0.01]


@pytest.mark.parametrize(("patch", "step"), [(32, 8), (34, 5)])
def test_that_the_grid_of_a_picture_is_the_answer_to_each_patch(patch, step):
    net = build(ResNetSpec(patch=patch, step=step), 2, 3).eval()
    picture = torch.randn(1, 2, 3 * patch // step * step, 3 * patch // step * step)
    row, column = (patch // step + 1) * step, (patch // step + 2) * step
    half = patch // 2
    around = picture[:, :, row - half : row + half, column - half : column + half]
    with torch.inference_mode():
        dense, single = net(picture), net.training_logits(around)
        between = dense[0, :, row, column : column + step + 1 : step].mean(-1)
        part = net.logits_in(picture, slice(7, 50), slice(row, row + 9))
    torch.testing.assert_close(dense[0, :, row, column], single[0, :, 0, 0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(part, dense[:, :, 7:50, row : row + 9], atol=1e-5, rtol=1e-4)
    if step % 2 == 0:
        middle = dense[0, :, row, column + step // 2]
        torch.testing.assert_close(middle, between, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "spec",
    [
        ResUNetSpec(),
        UNetPlusPlusSpec(encoder="resnet18"),
        *(
            pytest.param(kind(encoder=encoder), marks=pytest.mark.slow)
            for kind in (UNetEncoderSpec, UNetPlusPlusSpec)
            for encoder in ("resnet34", "resnet50")
        ),
    ],
    ids=lambda spec: f"{spec.kind}-{spec.backbone.name}",
)
def test_that_nothing_beyond_the_halo_of_the_encoder_reaches_a_block(spec):
    net = build(spec, 1, 2).eval().double()
    side, first = 2 * net.halo + 5 * 32, net.halo + 64
    x = torch.randn(1, 1, side, 32, dtype=torch.double, requires_grad=True)
    net(x)[0, 0, first : first + 32].sum().backward()
    assert x.grad is not None
    rows = torch.nonzero(x.grad[0, 0])[:, 0]
    reach = max(first - int(rows.min()), int(rows.max()) - (first + 31))
    assert net.halo - 32 < reach <= net.halo


@pytest.mark.parametrize(
    "spec", [CnnSpec(patch=24), UNetSpec(depth=3), ResNetSpec(), ResUNetSpec()]
)
@pytest.mark.parametrize(("bands", "classes"), [(1, 2), (7, 5)])
def test_that_the_parameters_told_are_those_of_the_network(spec, bands, classes):
    net = build(spec, bands, classes)
    assert spec.parameters(bands, classes) == sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("patch", [30, 33, 130])
def test_that_a_patch_that_is_too_small_or_odd_is_refused(patch):
    with pytest.raises(ValueError, match="patch"):
        ResNetSpec(patch=patch)


@pytest.mark.parametrize("path", ["/home/ada/weights/r18.pth", r"C:\Users\ada\r18.pth"])
def test_that_a_model_does_not_tell_where_its_weights_lay(path):
    assert shareable(ResNetSpec(weights=path)).weights == "r18.pth"
    assert shareable(ResNetSpec()).weights == "imagenet"
    assert shareable(UNetSpec()) == UNetSpec()


@pytest.mark.parametrize("weights", ["", "a\0b"])
def test_that_weights_that_can_be_no_file_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        spec_from_json({"kind": "resnet18", "weights": weights})
