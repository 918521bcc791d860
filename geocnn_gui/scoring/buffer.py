"""How wide the ground between held out and trained on must be: measured, wanted, kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Plane

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from geocnn_gui.scoring.split import LabelledPlane
    from geocnn_gui.scoring.split_spec import SplitSpec

#: Of no class more labels than this are lost to the buffer.
MOST_LOST = 0.3
_FALLEN = float(np.exp(-1))
#: Values farther from the median than this many median absolute deviations are clipped.
_OUTLIER = 8.0

#: Cells down (rows; samples of a cube) and along (columns; inlines and crosslines of a cube).
Buffer = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Values float32 (bands, rows, columns) of a picture's part that holds labels, and which count.

    `live` bool (rows, columns). Of labels a band is a class: 1 where it is, else 0.
    """

    plane: Plane
    values: np.ndarray
    live: np.ndarray


def sample_windows(
    planes: Sequence[LabelledPlane], *, count: int = 12, side: int = 384, seed: int = 0
) -> list[tuple[int, slice, slice]]:
    """Return up to `count` windows around labelled cells: number of the picture, rows, columns.

    To measure the correlation length from: `side` cells wide where the picture is as large.
    """
    random = np.random.default_rng(seed)
    filled = [i for i, p in enumerate(planes) if len(p.cells.rows)]
    found = []
    for i in random.permutation(np.resize(filled, count if filled else 0)):
        cells, shape = planes[i].cells, planes[i].shape
        at = random.integers(len(cells.rows))
        spans = []
        for place, size in zip((cells.rows[at], cells.columns[at]), shape, strict=True):
            low = int(np.clip(place - side // 2, 0, max(size - side, 0)))
            spans.append((low, min(low + side, size)))
        found.append((int(i), *spans))
    return [(i, slice(*rows), slice(*columns)) for i, rows, columns in sorted(set(found))]


def correlation_length(samples: Sequence[Sample]) -> tuple[float, float] | None:
    """Measure over how many cells down and along labels (or data) resemble themselves.

    The length is the lag beyond which the absolute autocorrelation stays below 1/e, so that the
    swings of a seismic trace do not end it at the first zero. The autocorrelation is pooled over
    all lines of all windows and bands, each lag by its number of live pairs (masked, by Fourier
    transform: Marcotte, Computers & Geosciences 22, 1996), around the mean of all windows, with
    outliers clipped. Blocks should be as far apart as values depend on each other: Roberts et
    al., Ecography 40, 2017. Lags go up to half a window; where it has not fallen by then, that is
    the answer. Returns None without live values that vary.
    """
    ready = _standardised(samples)
    if not ready:
        return None
    down = [(v, m) for plane, v, m in ready if not _is_level(plane)]
    along = [(v.swapaxes(1, 2), m.T) for _, v, m in ready]
    along += [(v, m) for plane, v, m in ready if _is_level(plane)]
    length = _length(along)
    return (_length(down) if down else length), length


def _is_level(plane: Plane) -> bool:
    """Say whether a picture is a time slice, whose rows run along as its columns do."""
    return plane.ndim == 3 and plane.section.axis == 2


def _standardised(samples: Sequence[Sample]) -> list[tuple[Plane, np.ndarray, np.ndarray]]:
    """Return values of spread 1 per band, clipped, around their mean; 0 where not live."""
    samples = [s for s in samples if s.live.any()]
    if not samples:
        return []
    pooled = np.concatenate([s.values[:, s.live] for s in samples], axis=1)
    middle = np.median(pooled, axis=1)
    spread = np.median(np.abs(pooled - middle[:, None]), axis=1)
    spread = np.where(spread > 0, spread, pooled.std(axis=1))
    used = np.flatnonzero(spread > 0)
    if not len(used):
        return []

    def scaled(values: np.ndarray) -> np.ndarray:
        part = (values - middle[used, None]) / spread[used, None]
        return np.clip(part, -_OUTLIER, _OUTLIER)

    mean = scaled(pooled[used]).mean(axis=1, keepdims=True)
    ready = []
    for s in samples:
        flat = scaled(s.values[used].reshape(len(used), -1)) - mean
        values = np.where(s.live, flat.reshape(len(used), *s.live.shape), 0)
        ready.append((s.plane, values, s.live))
    return ready


def _length(pictures: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the length along axis 1 of values (bands, n, lines), live (n, lines)."""
    most = max(values.shape[1] for values, _ in pictures) // 2 + 1
    products, pairs = np.zeros(most), np.zeros(most)
    for values, live in pictures:
        lags = min(most, values.shape[1])
        products[:lags] += _self_products(values, lags)
        pairs[:lags] += _self_products(live[None].astype(float), lags) * len(values)
    known = pairs > 0.5
    rho = np.abs(np.where(known, products / np.maximum(pairs, 1), 0))
    rho /= max(rho[0], 1e-30)
    above = np.flatnonzero(rho >= _FALLEN)
    last = int(above[-1])
    if last + 1 >= most:
        return float(last)
    return last + float((rho[last] - _FALLEN) / (rho[last] - rho[last + 1]))


def _self_products(values: np.ndarray, lags: int) -> np.ndarray:
    """Sum x[i] x[i + lag] over bands, lines and i, for lags from 0."""
    n = values.shape[1]
    spectrum = np.fft.rfft(values, 2 * n, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).sum(axis=(0, 2))
    return np.fft.irfft(power, 2 * n)[:lags]


def wanted_buffer(
    spec: SplitSpec, reach: int, lengths: tuple[float, float] | None
) -> tuple[Buffer, str]:
    """Return the buffer before any cap, and where it comes from in words.

    `reach`: cells to each side that a network sees of; `lengths` as `correlation_length` says.
    """
    if spec.buffer != "auto":
        return (spec.buffer, spec.buffer), "as asked for"
    if lengths is None:
        return (reach, reach), "as far as the network sees"
    down, along = (min(reach, int(np.ceil(length))) for length in lengths)
    if down == along == reach:
        return (reach, reach), "as far as the network sees"
    return (down, along), "as far as the labels resemble themselves"


def widest_kept(wanted: Buffer, bearable: Callable[[Buffer], bool]) -> Buffer:
    """Return the widest buffer up to `wanted`, in its proportions, that is `bearable`.

    What is bearable at some width is so at every smaller one; no buffer always is.
    """
    if bearable(wanted):
        return wanted
    most = max(wanted)
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if bearable(_part(wanted, middle)):
            low = middle
        else:
            high = middle
    return _part(wanted, low)


def _part(wanted: Buffer, width: int) -> Buffer:
    most = max(wanted)
    return wanted[0] * width // most, wanted[1] * width // most


def along_axes(plane: Plane, buffer: Buffer) -> tuple[int, ...]:
    """Return the buffer's cells along each axis of a picture's source."""
    down, along = buffer
    if plane.ndim == 3:
        return along, along, down
    cells = [along] * plane.ndim
    cells[plane.row_axis] = down
    return tuple(cells)
