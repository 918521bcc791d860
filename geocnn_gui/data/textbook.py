"""The two textbook examples: seismic patches and traces of three classes each, drawn from code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.sample_arrays import ArraySamples
from geocnn_gui.data.samples import SampleSource
from geocnn_gui.data.source import Band

if TYPE_CHECKING:
    from collections.abc import Sequence

PATCHES, PATCH_SIDE = 900, 32
TRACES, TRACE_LENGTH = 180, 64
PATCH_CLASSES = ("Layered", "Faulted", "Dome")
TRACE_CLASSES = ("Noise", "Positive arrival", "Negative arrival")


def draw_patches(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw patches float32 (900, 32, 32) in [0.03, 0.98] and their classes int (900,) from 0.

    x along columns and y along rows are linear on [-1, 1]. The class is drawn at random; an image
    is 0.50 + 0.22 sin(7 pi v) and noise of deviation 0.015. Layers: v = y + 0.04 sin(2 pi x).
    Fault: v = y + 0.22 [x > 0.08], and along it the image is darker. Dome: v = y + 0.55
    exp(-(x / 0.42)^2).
    """
    random = np.random.default_rng(seed)
    y, x = np.meshgrid(*[np.linspace(-1, 1, PATCH_SIDE)] * 2, indexing="ij")
    phases = np.stack([
        y + 0.04 * np.sin(2 * np.pi * x),
        y + 0.22 * (x > 0.08),
        y + 0.55 * np.exp(-((x / 0.42) ** 2)),
    ])  # fmt: skip
    clean = 0.50 + 0.22 * np.sin(7 * np.pi * phases)
    clean[1] -= 0.12 * np.exp(-(((x - 0.08) / 0.03) ** 2) / 2 - (y / 0.85) ** 2 / 2)
    classes = random.integers(0, len(phases), PATCHES)
    noise = 0.015 * random.standard_normal((PATCHES, PATCH_SIDE, PATCH_SIDE))
    return np.clip(clean[classes] + noise, 0.03, 0.98).astype(np.float32), classes


def draw_traces(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw traces float32 (180, 64) in [-1, 1] and their classes int (180,) from 0, in turn.

    Noise of deviation 0.03 and a slow wave 0.04 sin(2 pi (2.5 t + phase)), t linear on [0, 1];
    an arrival adds its polarity times (0.90 + 0.10 u) exp(-((i - centre) / width)^2 / 2), width
    2.6 + 0.8 u, its centre a whole number from 12 to 52. The mean is taken away.
    """
    random = np.random.default_rng(seed)
    classes = np.arange(TRACES) % len(TRACE_CLASSES)
    i, t = np.arange(TRACE_LENGTH), np.linspace(0, 1, TRACE_LENGTH)
    traces = 0.03 * random.standard_normal((TRACES, TRACE_LENGTH))
    phase = random.random((TRACES, 1))
    traces += 0.04 * np.sin(2 * np.pi * (2.5 * t + phase))
    polarity = np.array([0, 1, -1])[classes][:, None]
    height = 0.90 + 0.10 * random.random((TRACES, 1))
    centre = random.integers(12, 53, (TRACES, 1))
    width = 2.6 + 0.8 * random.random((TRACES, 1))
    traces += polarity * height * np.exp(-(((i - centre) / width) ** 2) / 2)
    traces -= traces.mean(axis=1, keepdims=True)
    return np.clip(traces, -1, 1).astype(np.float32), classes


def open_patches(seed: int = 0) -> SampleSource:
    """Open the patches as a sample set; labelled 1 layered, 2 faulted, 3 dome."""
    patches, classes = draw_patches(int(seed))
    return _source(patches[:, None], classes, PATCH_CLASSES, "Textbook patches", int(seed))


def open_traces(seed: int = 0) -> SampleSource:
    """Open the traces as a sample set; labelled 1 noise, 2 and 3 arrivals by their polarity."""
    traces, classes = draw_traces(int(seed))
    return _source(traces[:, None, :, None], classes, TRACE_CLASSES, "Textbook traces", int(seed))


def _source(
    array: np.ndarray, classes: np.ndarray, names: Sequence[str], name: str, seed: int
) -> SampleSource:
    ids = (classes + 1).astype(np.uint8)
    name = f"{name} (seed {seed})" if seed else name
    samples = ArraySamples(array, ids, tuple(enumerate(names, 1)))
    source = SampleSource(samples, name=name, domain="seismic", bands=(Band("amplitude"),))
    source.format = "Synthetic"
    source.choices = {"seed": str(seed)}
    source.notes = (
        f"This example is drawn from code (seed {seed}), so its true classes are known.",
    )
    return source
