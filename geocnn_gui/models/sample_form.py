"""Bring samples of any size to the form of a network, and a network's answer to one per sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Picture
from geocnn_gui.models.scaling import scale_picture

if TYPE_CHECKING:
    from torch import Tensor

    from geocnn_gui.data.samples import Samples
    from geocnn_gui.data.source import Source
    from geocnn_gui.data.statistics import BandStatistics
    from geocnn_gui.models.base import SegmentationNet


def sample_input(
    samples: Samples, index: int, form: tuple[int, ...], statistics: tuple[BandStatistics, ...]
) -> np.ndarray:
    """Return a sample as a network reads it: float32 (bands, *form), scaled, 0 without data.

    Raises
    ------
    UnreadableFile
        Where it is damaged.
    """
    values = samples.read(index)
    live = np.asarray(np.isfinite(values).all(axis=0))
    scaled = scale_picture(Picture(np.where(live, values, 0), live), statistics)
    return to_form(scaled, form, resize=samples.fit == "resize")


def to_form(values: np.ndarray, form: tuple[int, ...], *, resize: bool) -> np.ndarray:
    """Return float32 (bands, *form): the middle of `values`, mirrored where they are smaller.

    With `resize` they are first scaled to cover the form, both ways alike.
    """
    if resize and values.shape[1:] != form:
        values = _scaled(values, form)
    for axis, side in enumerate(form, 1):
        start = values.shape[axis] // 2 - side // 2
        if start > 0 or values.shape[axis] > side:
            values = values.take(range(max(start, 0), max(start, 0) + side), axis)
        elif values.shape[axis] < side:
            pads = [(0, 0)] * 3
            pads[axis] = -start, side - values.shape[axis] + start
            values = np.pad(values, pads, mode="symmetric")
    return np.ascontiguousarray(values, np.float32)


def _scaled(values: np.ndarray, form: tuple[int, ...]) -> np.ndarray:
    import torch
    from torch.nn import functional

    factor = max(side / size for side, size in zip(form, values.shape[1:], strict=True))
    size = [max(side, round(n * factor)) for side, n in zip(form, values.shape[1:], strict=True)]
    picture = torch.from_numpy(np.ascontiguousarray(values))[None]
    options = {"size": size, "mode": "bilinear", "align_corners": False}
    return functional.interpolate(picture, **options, antialias=True)[0].numpy()


def log_shares(net: SegmentationNet, inputs: Tensor) -> Tensor:
    """Return the logarithm of each class's probability (n, classes) for inputs (n, bands, *form).

    Of a network that names every pixel it is the mean probability of all of them.
    """
    logits = net.training_logits(inputs).float().flatten(2)
    logs = logits.log_softmax(1)
    return logs[..., 0] if logs.shape[2] == 1 else logs.logsumexp(2) - np.log(logs.shape[2])


def mean_output(net: SegmentationNet, inputs: Tensor) -> Tensor:
    """Return the value (n, 1) that a network of values gives to inputs (n, bands, *form).

    Of a network that answers at every pixel it is the mean of all of them.
    """
    return net.training_logits(inputs).float().flatten(2).mean(2)


def why_not_read(spec: object, source: Source) -> str:
    """Say why a network cannot read the samples of a set, "" where it can or there are none."""
    samples, dims = source.samples, getattr(spec, "dims", 2)
    if samples is None or dims == samples.dims or dims > 2:  # of volumes more is asked elsewhere
        return ""
    size = " x ".join(map(str, samples.size))
    if dims == 1:
        return f"The samples of {source.name} are patches of {size}, and this network reads traces"
    length = samples.size[0]
    return f"The samples of {source.name} are traces of {length}, and this network reads pictures"


def way_to_read(spec: object) -> str:
    """Return what to choose where a network cannot read a set."""
    return f"choose a network on {'pictures' if getattr(spec, 'dims', 2) == 1 else 'traces'}"


def form_note(samples: Samples, form: tuple[int, ...]) -> str:
    """Say how samples come to a network's form; "" where they have it."""
    if samples.size == form:
        return ""
    ours, theirs = (" x ".join(map(str, size)) for size in (samples.size, form))
    if samples.dims == 1:
        ours, theirs = str(samples.size[0]), theirs if form[1] > 1 else str(form[0])
    if samples.fit == "resize":
        return f"Images (usually {ours}) are scaled to the {theirs} that the network reads."
    larger = samples.size[0] >= form[0] and samples.size[1] >= form[1]
    how = "their middle is taken" if larger else "they are mirrored at their borders"
    return f"Samples are {ours} and the network reads {theirs}: {how}."
