import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geocnn_gui.models.networks import build
from geocnn_gui.models.spec import SPECS, CnnSpec, UNetSpec


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("bands", [1, 3, 5, 13])
def test_that_every_network_takes_any_number_of_bands(name: str, bands: int) -> None:
    net = build(SPECS[name](), bands, 4).eval()
    with torch.inference_mode():
        logits = net(torch.randn(2, bands, 4 * net.stride, 6 * net.stride))
    assert logits.shape == (2, 4, 4 * net.stride, 6 * net.stride)


@settings(max_examples=8, deadline=None)
@given(side=st.sampled_from([20, 24, 32, 44]), row=st.integers(0, 11), column=st.integers(0, 13))
def test_that_the_sliding_patch_network_equals_cropping_each_patch(
    side: int, row: int, column: int
) -> None:
    net = build(CnnSpec(patch=side, width=4), 2, 3).eval()
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


def test_that_the_patch_network_learns_from_middles_only() -> None:
    net = build(CnnSpec(patch=20, width=4), 1, 2)
    labels = torch.arange(20 * 20).reshape(1, 20, 20)
    assert net.training_labels(labels).tolist() == [[[10 * 20 + 10]]]
