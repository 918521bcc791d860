"""A seismic line drawn from code with noise on it, and the same line without: to learn denoising.

Layers with lognormal thickness are folded and faulted, their reflectivity is convolved with a
wavelet. On it come band-limited random noise, dipping coherent noise and some bad traces.
"""

from __future__ import annotations

import numpy as np

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Spacing
from geocnn_gui.data.synthetic_fields import bell, blur, field

SHAPE = (640, 320)  # traces, samples
INTERVAL = 4.0  # ms
UNIT = "mPa"
#: Standard deviation of the line without noise, in `UNIT`.
_LEVEL = 1000.0
_MARGIN = 24
_FINE = 8  # impedance table entries per sample
#: Standard deviations of the two noises, as shares of the line's.
_RANDOM, _COHERENT = 0.7, 0.45
_BAD_TRACES = 0.03


def open_noisy_example(seed: int = 0) -> ArraySource:
    """Draw the line with noise: 640 traces, 320 samples of 4 ms, float32."""
    clean = _draw_line(seed)
    noisy = clean + _draw_noise(np.random.default_rng((seed, 7)), float(clean.std()))
    return _as_source(noisy, "Synthetic noisy line", seed)


def open_clean_example(seed: int = 0) -> ArraySource:
    """Draw the line without noise: what there is to learn from the noisy one."""
    return _as_source(_draw_line(seed), "Synthetic clean line", seed)


def _as_source(array: np.ndarray, name: str, seed: int) -> ArraySource:
    traces, samples = SHAPE
    axes = (Axis("trace", "", 1, 1, traces), Axis("time", "ms", 400, INTERVAL, samples))
    source = ArraySource(
        array.astype(np.float32), kind="line", axes=axes, bands=(Band("amplitude", UNIT),),
        domain="seismic", name=name,
    )  # fmt: skip
    source.format = "Synthetic"
    source.spacing = Spacing(sample_interval=INTERVAL, sample_unit="ms", trace_spacing=12.5)
    source.notes = (f"This example is drawn from code (seed {seed}).",)
    return source


def _draw_line(seed: int) -> np.ndarray:
    """Draw the line without noise, float32 (traces, samples)."""
    rng = np.random.default_rng((seed, 6))
    deposited = _deposition(rng)
    table = _impedance_table(rng)
    index = np.clip((deposited + 80) * _FINE, 0, len(table) - 1).astype(np.int64)
    reflectivity = np.diff(table[index], axis=1)
    line = reflectivity @ _wavelets()
    return (line * (_LEVEL / line.std())).astype(np.float32)


def _deposition(rng: np.random.Generator) -> np.ndarray:
    """Return the relative geological time of each cell in samples, with margins."""
    trace = np.arange(SHAPE[0], dtype=np.float32)[:, None]
    sample = np.arange(-_MARGIN, SHAPE[1] + _MARGIN + 1, dtype=np.float32)
    deposited = np.broadcast_to(sample, (SHAPE[0], sample.size)).copy()
    for at in np.linspace(70, SHAPE[0] - 70, 6) + rng.uniform(-25, 25, 6):
        dip, throw = rng.uniform(0.15, 0.4) * rng.choice((-1, 1)), rng.uniform(6, 14)
        offset = (trace - at - dip * (sample - SHAPE[1] / 2)) * np.sign(dip)
        share = np.exp(-np.abs(offset) / 60) * np.where(offset > 0, 0.6, -0.4)
        deposited -= throw * share
    folds = 12 * field(rng, (SHAPE[0], 1), (70, 0)) + 3 * field(rng, (SHAPE[0], 1), (18, 0))
    grown = 0.3 + 0.7 * np.clip(sample / SHAPE[1], 0, 1)
    return deposited - folds * grown - 0.05 * (trace - SHAPE[0] / 2)


def _impedance_table(rng: np.random.Generator) -> np.ndarray:
    """Return log impedance by relative geological time, beds of lognormal thickness."""
    size = (SHAPE[1] + 200) * _FINE
    count = size // 10
    tops = np.cumsum(rng.lognormal(np.log(3.2 * _FINE) - 0.3, 0.75, count))
    contrast = 0.05 * np.exp(0.3 * field(rng, (count,), (7,)))
    beds = contrast * rng.standard_normal(count)
    table = beds[np.minimum(np.searchsorted(tops, np.arange(size + _FINE)), count - 1)]
    total = np.cumsum(table)
    return (total[_FINE:] - total[:-_FINE]) / _FINE


def _wavelets() -> np.ndarray:
    """Return (samples with margins, samples): the mean of three Ricker wavelets around 36 Hz."""
    source = np.arange(-_MARGIN, SHAPE[1] + _MARGIN) + 0.5
    seconds = (np.arange(SHAPE[1]) - source[:, None]) * INTERVAL / 1000
    phases = [(np.pi * peak * seconds) ** 2 for peak in (20, 36, 54)]
    return np.mean([(1 - 2 * phase) * bell(phase) for phase in phases], axis=0)


def _draw_noise(rng: np.random.Generator, level: float) -> np.ndarray:
    random = blur(rng.standard_normal(SHAPE, dtype=np.float32), 1, 0.8)
    trace, sample = (np.arange(n, dtype=np.float32) for n in SHAPE)
    coherent = np.zeros(SHAPE, np.float32)
    for _ in range(5):  # linear moveout, as of waves that run along the line
        dip, wavelength = rng.uniform(1.2, 2.6) * rng.choice((-1, 1)), rng.uniform(12, 22)
        along = 2 * np.pi * (sample - dip * trace[:, None]) / wavelength + rng.uniform(0, 6)
        coherent += np.sin(along) * np.maximum(field(rng, SHAPE, (60, 50)), 0)
    noise = _RANDOM * random / random.std() + _COHERENT * coherent / coherent.std()
    bad = rng.random(SHAPE[0]) < _BAD_TRACES
    noise[bad] *= 3
    return noise * level
