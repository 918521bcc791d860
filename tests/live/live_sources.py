"""Small sources and backbones for the tests of the live room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band
from geocnn_gui.models.architectures.unet_spec import UNetSpec
from geocnn_gui.models.survey import Backbone, new_backbone
from geocnn_gui.models.survey_card import BackboneCard

if TYPE_CHECKING:
    from geocnn_gui.data.source import Source

SMALL = UNetSpec.model_validate({"depth": 2, "width": 8})


def two_textures(shape: tuple[int, ...], *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 (traces, samples) or a cube, fine in one half and coarse in the other.

    The second array says which: 1 where it is fine, 2 where it is coarse.
    """
    rng = np.random.default_rng(seed)
    fine = rng.standard_normal(shape).astype(np.float32)
    steps = tuple(-(-n // 8) for n in shape)
    coarse = rng.standard_normal(steps).astype(np.float32)
    for axis in range(len(shape)):
        coarse = coarse.repeat(8, axis=axis)
    coarse = coarse[tuple(slice(0, n) for n in shape)]
    truth = np.ones(shape, np.uint8)
    truth[: shape[0] // 2] = 2
    return np.where(truth == 1, fine, coarse), truth


def open_values(values: np.ndarray) -> Source:
    """Return values (trace, sample) as a line, or (inline, crossline, sample) as a cube."""
    names = ("inline", "crossline", "time")[3 - values.ndim :]
    axes = tuple(
        Axis(name, "ms" if name == "time" else "", 0, 1, size)
        for name, size in zip(names, values.shape, strict=True)
    )
    return ArraySource(
        values, kind="line" if values.ndim == 2 else "cube", axes=axes,
        bands=(Band("amplitude"),), domain="seismic", name=f"Values {values.size}",
    )  # fmt: skip


def open_raster(values: np.ndarray) -> Source:
    """Return values (band, row, column) as imagery."""
    axes = tuple(
        Axis(name, "px", 0, 1, size)
        for name, size in zip(("row", "column"), values.shape[1:], strict=True)
    )
    return ArraySource(
        values, kind="raster", axes=axes, bands=tuple(Band(str(n)) for n in range(len(values))),
        domain="imagery", name=f"Raster {values.size}",
    )  # fmt: skip


def small_backbone(source: Source, *, seed: int = 0) -> Backbone:
    """Return an untrained backbone of two levels for a source, alike every time."""
    torch.manual_seed(seed)
    bands = tuple(band.name for band in source.bands)
    return new_backbone(BackboneCard(spec=SMALL, domain=source.domain, bands=bands))
