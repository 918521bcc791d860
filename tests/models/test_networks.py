import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geocnn_gui.models.networks import build
from geocnn_gui.models.spec import CnnSpec, LeNetSpec, UNet1dSpec, UNet3dSpec, UNetSpec
from tests.models.small_specs import NAMES, data_for, small


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bands", [1, 3, 5, 13])
def test_that_every_network_takes_any_number_of_bands(name: str, bands: int) -> None:
    net = build(small(name), bands, 4).eval()
    pictures = data_for(net, bands, 4 * net.stride, 6 * net.stride)
    with torch.inference_mode():
        logits = net(pictures)
    assert logits.shape == (2, 4, *pictures.shape[2:])


@settings(max_examples=8, deadline=None)
@given(
    side=st.sampled_from([20, 24, 32, 44]), row=st.integers(0, 11), column=st.integers(0, 13),
    kind=st.sampled_from([CnnSpec, LeNetSpec]),
)  # fmt: skip
def test_that_the_sliding_patch_network_equals_cropping_each_patch(
    side: int, row: int, column: int, kind: type[CnnSpec | LeNetSpec]
) -> None:
    net = build(kind(patch=side), 2, 3).eval()
    wide = torch.randn(1, 2, 12 + side - 1, 14 + side - 1)
    with torch.inference_mode():
        cropped = net.training_logits(wide[:, :, row : row + side, column : column + side])
        # The part whose patches lie inside `wide`: the middle of an even patch is side // 2.
        dense = net(wide)[:, :, side // 2 : 1 - side // 2, side // 2 : 1 - side // 2]
    assert dense.shape[-2:] == (12, 14)
    torch.testing.assert_close(dense[:, :, row, column], cropped[:, :, 0, 0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_that_nothing_beyond_the_halo_reaches_a_block_on_the_grid(depth: int) -> None:
    net = build(UNetSpec(depth=depth, width=8), 1, 2).eval().double()
    side = 2 * net.halo + 5 * net.stride
    x = torch.randn(1, 1, side, side, dtype=torch.double, requires_grad=True)
    first = net.halo + 2 * net.stride
    block = slice(first, first + net.stride)
    net(x)[0, 0, block, block].sum().backward()
    assert x.grad is not None
    rows, columns = torch.nonzero(x.grad[0, 0], as_tuple=True)
    low = min(int(rows.min()), int(columns.min()))
    high = max(int(rows.max()), int(columns.max()))
    reach = max(first - low, high - (first + net.stride - 1))
    assert net.halo - net.stride < reach <= net.halo  # enough, and no stride more


@pytest.mark.parametrize("residual", [False, True])
def test_that_a_trace_network_sees_each_trace_alone(residual: bool) -> None:
    net = build(UNet1dSpec(depth=2, width=8, residual=residual), 2, 3).eval()
    picture = torch.randn(1, 2, 64, 5)
    with torch.inference_mode():
        whole = net(picture)
        alone = net(picture[..., 3:4])
        picture[..., 2] = 0
        again = net(picture)
    torch.testing.assert_close(whole[..., 3:4], alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(whole[..., 3:], again[..., 3:], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(whole[..., 2], again[..., 2])


@pytest.mark.parametrize("first", [0, 32, 52])
def test_that_a_block_of_a_volume_needs_no_more_than_the_halo_around_it(first: int) -> None:
    net = build(UNet3dSpec(depth=2, width=8), 1, 2).eval()
    volume = torch.randn(1, 1, 84, 16, 12)
    low, high = max(0, first - net.halo), min(84, first + 4 + net.halo)
    with torch.inference_mode():
        whole = net(volume)[:, :, first : first + 4]
        part = net(volume[:, :, low:high])[:, :, first - low : first - low + 4]
    torch.testing.assert_close(part, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("norm", ["batch", "group", "instance", "none"])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("kind", [UNetSpec, UNet1dSpec, UNet3dSpec])
def test_that_a_u_net_of_any_make_learns(kind: type[UNetSpec], norm: str, residual: bool) -> None:
    spec = kind.model_validate({"depth": 2, "width": 8, "norm": norm, "residual": residual})
    net = build(spec, 3, 2).train()
    assert spec.parameters(3, 2) == sum(p.numel() for p in net.parameters())
    net.training_logits(data_for(net, 3, 8, 8)).square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters())


def test_that_the_patch_network_learns_from_middles_only() -> None:
    net = build(CnnSpec(patch=20, width=4), 1, 2)
    labels = torch.arange(20 * 20).reshape(1, 20, 20)
    assert net.training_labels(labels).tolist() == [[[10 * 20 + 10]]]
