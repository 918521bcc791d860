"""Specs of every network, as small as they go, for tests that ask all of them the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from geocnn_gui.models.architectures.spec import ClassifierSpec, EncoderSpec, ResNetSpec
from geocnn_gui.models.cards import card_of
from geocnn_gui.models.spec import SPECS, ModelSpec

if TYPE_CHECKING:
    from torch import Tensor

    from geocnn_gui.models.base import SegmentationNet

#: These hold hundreds of megabytes.
LARGE = ("alexnet", "vgg16")
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in SPECS]


def small(name: str) -> ModelSpec:
    """Return the spec of a network with its smallest patch, encoder or depth.

    Networks that are quick as they are keep their defaults.
    """
    kind = SPECS[name]
    if kind is ResNetSpec:
        return kind()
    if issubclass(kind, ClassifierSpec):
        return kind(patch=card_of(name).least_patch, step=16, weights="none")
    if issubclass(kind, EncoderSpec):
        return kind(encoder="resnet18", weights="none")
    return kind(depth=2, width=8) if name in ("unet-1d", "unet-3d") else kind()


def data_for(net: SegmentationNet, bands: int, rows: int, columns: int, n: int = 2) -> Tensor:
    """Return random pictures, or volumes of the same section, that `net` takes."""
    depth = (rows,) if net.dims == 3 else ()
    return torch.randn(n, bands, *depth, rows, columns)


def patches_for(net: SegmentationNet, bands: int, n: int = 2) -> Tensor:
    """Return random training patches, of volumes small ones."""
    form = (4 * net.stride,) * 3 if net.dims == 3 else net.form
    return torch.randn(n, bands, *form)
