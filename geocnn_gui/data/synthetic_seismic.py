"""A seismic cube drawn from code: folded and faulted layers, a slump, a salt dome, and the truth.

The earth is built backwards: every cell of today's cube is carried back through faults and folds
to the relative geological time of its deposition, which says its impedance. Impedance steps are
reflectivity; a time-variant Ricker wavelet makes it seismic. Lengths are in traces and samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geocnn_gui.data.synthetic_fields import bell, blur, field

LAYERED, CHAOTIC, FAULT, SALT = 1, 2, 3, 4
SHAPE = (96, 208, 224)  # inlines, crosslines, samples
INTERVAL = 4.0  # ms
_MARGIN = 24  # samples computed above and below, so that the wavelet finds no edge
_FINE = 8  # impedance table entries per sample
_UNCONFORMITY = 140.0  # relative geological time where the folded, faulted package ends
_SLUMP = 58.0  # relative geological time at which the slump came down
_RESOLVED = 2.0  # throw in samples below which a fault is not called one
_FAULT_ZONE = 2.5  # traces on either side of the plane


@dataclass(frozen=True, slots=True)
class Fault:
    """A normal fault: its plane, and a throw that dies out towards an elliptical tip line.

    The plane passes crossline `at` at the middle inline and at sample `depth`; `strike` and `dip`
    are crosslines per inline and per sample, `bend` curves it along strike. `throw` is the
    largest vertical offset in samples; `length` and `height` are the half axes of the tip line.
    Layers flatten out over `reach` traces and are dragged along within `drag` traces.
    """

    at: float
    depth: float
    strike: float
    dip: float
    bend: float
    throw: float
    centre: float
    length: float
    height: float
    reach: float = 70.0
    drag: float = 2.0

    def offset(self, inline: np.ndarray, crossline: np.ndarray, sample: np.ndarray) -> np.ndarray:
        """Return traces from the plane, positive on the side that went down."""
        along = inline - SHAPE[0] / 2
        plane = self.at + self.strike * along + self.bend * along**2
        plane = plane + self.dip * (sample - self.depth)
        return (crossline - plane) * np.float32(np.sign(self.dip))

    def throw_at(self, inline: np.ndarray, sample: np.ndarray) -> np.ndarray:
        """Return the vertical offset across the plane in samples."""
        radius = ((inline - self.centre) / self.length) ** 2
        radius = radius + ((sample - self.depth) / self.height) ** 2
        return self.throw * np.maximum(0, 1 - radius)


def draw_cube(seed: int = 0, *, inlines: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
    """Draw the cube, or some of its inlines with the same geology.

    Returns amplitudes float32 and classes uint8 (`LAYERED` .. `SALT`), both
    (inlines, crosslines, samples).
    """
    rng = np.random.default_rng((seed, 1))
    earth = _Earth(rng)
    inline = np.arange(SHAPE[0], dtype=np.float32)[inlines]
    impedance, truth = earth.build(inline, rng)
    return _record(np.diff(impedance, axis=-1), inline, rng), truth


class _Earth:
    """What does not depend on the cells asked for: horizons, faults, salt and rock tables."""

    def __init__(self, rng: np.random.Generator) -> None:
        traces = SHAPE[:2]
        self.upper = 3 * field(rng, traces, (45, 60)) - 0.07 * _centred(traces)
        self.lower = 9 * field(rng, traces, (40, 38)) + 0.04 * _centred(traces)
        self.relief = 1.5 * field(rng, traces, (7, 9))  # of the erosion surface
        self.slump_top = _SLUMP + 1.5 * field(rng, traces, (8, 9))
        self.slump_base = self.slump_top + self._slump_thickness(rng)
        self.facies = field(rng, (2, *traces), (0, 25, 30))
        self.dome = self._dome()
        self.salt_top = 228 - 88 * self.dome**0.8 + 1.6 * field(rng, traces, (3, 3))
        self.faults = draw_faults(rng)
        size = (SHAPE[2] + 200) * _FINE
        self.rocks = np.stack([_rock_table(rng, size) for _ in range(4)])
        self.slump_rock = 2.0 * _rock_table(rng, size, thickness=2.5, spread=0.1)

    @staticmethod
    def _dome() -> np.ndarray:
        inline = (np.arange(SHAPE[0], dtype=np.float32)[:, None] - 52) / 38
        crossline = (np.arange(SHAPE[1], dtype=np.float32) - 143) / 39
        return np.exp(-((inline**2 + crossline**2) ** 1.25))

    @staticmethod
    def _slump_thickness(rng: np.random.Generator) -> np.ndarray:
        crossline = np.arange(SHAPE[1], dtype=np.float32)
        inline = np.arange(SHAPE[0], dtype=np.float32)[:, None]
        snout = 128 + 0.2 * (inline - 48) + 6 * field(rng, (SHAPE[0], 1), (12, 0))
        taper = np.clip((snout - crossline) / 40, 0, 1) ** 0.5
        return (24 + 3 * field(rng, SHAPE[:2], (14, 16))) * taper

    def build(self, inline: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return log impedance (with margins) and classes of whole inlines."""
        rows = inline.astype(int)
        sample = np.arange(-_MARGIN, SHAPE[2] + _MARGIN + 1, dtype=np.float32)
        time, broken = self._unfault(inline, sample)
        uplift = self._uplift(rows, time)
        young = time + 0.75 * uplift - self.upper[rows, :, None]
        old = time + uplift - self.lower[rows, :, None]
        is_young = young + self.relief[rows, :, None] < _UNCONFORMITY
        impedance = self._layers(rows, young, old, is_young)
        slump = (young > self.slump_top[rows, :, None]) & (young < self.slump_base[rows, :, None])
        self._stir(impedance, young, slump, rng)
        salt = sample > self.salt_top[rows, :, None]
        inside = 0.03 * field(rng, impedance.shape, (3, 3, 1.5))
        np.copyto(impedance, 0.3 + inside, where=salt)
        truth = np.full(impedance.shape, LAYERED, np.uint8)
        truth[slump], truth[broken], truth[salt] = CHAOTIC, FAULT, SALT
        return impedance, np.ascontiguousarray(truth[..., _MARGIN : _MARGIN + SHAPE[2]])

    def _unfault(self, inline: np.ndarray, sample: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sample each cell stood at before faulting, and the cells in fault zones."""
        shape = (inline.size, SHAPE[1], sample.size)
        time = np.broadcast_to(sample, shape).astype(np.float32)
        broken = np.zeros(shape, bool)
        inline = inline[:, None, None]
        for fault in self.faults:
            columns = _columns_near(fault)
            crossline = np.arange(SHAPE[1], dtype=np.float32)[columns][:, None]
            offset = fault.offset(inline, crossline, sample)
            throw = fault.throw_at(inline, sample)
            time[:, columns] -= throw * _displacement(fault, offset)
            broken[:, columns] |= (np.abs(offset) < _FAULT_ZONE) & (throw > _RESOLVED)
        return time, broken

    def _uplift(self, rows: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return by how many samples the rising salt has lifted each cell."""
        grown = np.clip((time + 10) / 140, 0, 1)
        return 34 * self.dome[rows, :, None] * grown * grown * (1.6 - 0.6 * grown)

    def _layers(
        self, rows: np.ndarray, young: np.ndarray, old: np.ndarray, is_young: np.ndarray
    ) -> np.ndarray:
        """Look up log impedance by relative geological time; facies vary along a layer."""
        index = _table_index(np.where(is_young, young, old))
        first = np.where(is_young, self.rocks[0][index], self.rocks[2][index] + 0.04)
        second = np.where(is_young, self.rocks[1][index], self.rocks[3][index])
        facies = np.where(is_young, self.facies[0, rows, :, None], self.facies[1, rows, :, None])
        return first + 0.35 * facies * second

    def _stir(
        self, impedance: np.ndarray, young: np.ndarray, slump: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Replace the layers of the slump by broken, tumbled ones, in place."""
        tumbled = young + 4 * field(rng, impedance.shape, (4, 4, 7))
        tumbled += 2.4 * field(rng, impedance.shape, (1.5, 1.5, 5))
        np.copyto(impedance, self.slump_rock[_table_index(tumbled)], where=slump)


def draw_faults(rng: np.random.Generator) -> tuple[Fault, ...]:
    """Draw a domino set that dips to higher crosslines, and two faults against it."""
    faults = []
    for number in range(6):
        against = number >= 4
        at = (14 + 22 * number if not against else (100, 196)[number - 4]) + rng.uniform(-4, 4)
        faults.append(
            Fault(
                at=at,
                depth=rng.uniform(160, 190) if not against else rng.uniform(130, 165),
                strike=rng.uniform(-0.22, 0.22),
                dip=rng.uniform(0.09, 0.14) * (-1 if against else 1),
                bend=rng.uniform(-0.0012, 0.0012),
                throw=rng.uniform(7, 12) if not against else rng.uniform(5, 8),
                centre=rng.uniform(30, 66),
                length=rng.uniform(55, 110),
                height=rng.uniform(62, 95),
            )
        )
    return tuple(faults)


def _displacement(fault: Fault, offset: np.ndarray) -> np.ndarray:
    """Return the share of the throw that cells moved down, by their distance from the plane."""
    distance = np.abs(offset)
    share = np.maximum(0, 1 - distance / fault.reach) ** 2
    share *= 1 - 0.4 * np.exp(-distance / fault.drag)
    return share * np.where(offset > 0, np.float32(0.62), np.float32(-0.38))


def _columns_near(fault: Fault) -> slice:
    """Return the crosslines that a fault moves."""
    half = SHAPE[0] / 2
    wide = fault.reach + abs(fault.strike) * half + abs(fault.bend) * half**2
    wide += abs(fault.dip) * fault.height
    return slice(max(0, int(fault.at - wide)), min(SHAPE[1], int(fault.at + wide) + 1))


def _table_index(time: np.ndarray) -> np.ndarray:
    return np.clip((time + 80) * _FINE, 0, (SHAPE[2] + 200) * _FINE - 1).astype(np.int32)


def _rock_table(
    rng: np.random.Generator, size: int, *, thickness: float = 2.6, spread: float = 0.45
) -> np.ndarray:
    """Return log impedance of beds by relative geological time, smoothed over one sample.

    Beds have lognormal thickness (mean in samples); contrast waxes and wanes, so that quiet
    shales alternate with bright sequences.
    """
    count = int(3 * size / (thickness * _FINE)) + 8
    tops = np.cumsum(rng.lognormal(np.log(thickness * _FINE) - 0.3, 0.75, count))
    contrast = 0.05 * np.exp(spread * 1.6 * field(rng, (count,), (7,)))
    beds = contrast * rng.standard_normal(count)
    table = beds[np.searchsorted(tops, np.arange(size + _FINE))]
    total = np.cumsum(table)
    return ((total[_FINE:] - total[:-_FINE]) / _FINE).astype(np.float32)


def _record(reflectivity: np.ndarray, inline: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn reflectivity (with margins) into amplitudes: wavelet, resolution, noise, gains."""
    wavelet = _wavelet_matrix()
    traces = np.tensordot(reflectivity, wavelet, 1)
    if inline.size > 1:
        traces = blur(traces, 0, 0.7)
    traces = blur(traces, 1, 0.8)
    level = traces.std()
    noise = rng.standard_normal(reflectivity.shape, dtype=np.float32)
    noise = blur(np.tensordot(noise, wavelet, 1), 1, 0.45)
    traces += noise * (0.16 * level / noise.std())
    gain = 1 + 0.03 * rng.standard_normal((inline.size, SHAPE[1], 1), dtype=np.float32)
    return (1000 / level * traces * gain).astype(np.float32)


def _wavelet_matrix() -> np.ndarray:
    """Return (samples with margins, samples): column t holds the wavelet recorded at sample t.

    The wavelet is the mean of three Ricker wavelets, which gives the bandwidth of a processed
    survey; the earth takes the high frequencies with time.
    """
    source = np.arange(-_MARGIN, SHAPE[2] + _MARGIN) + 0.5
    target = np.arange(SHAPE[2])
    seconds = (target - source[:, None]) * INTERVAL / 1000
    peak = np.linspace(46, 33, SHAPE[2])
    matrix = sum(_ricker(seconds, peak * factor) for factor in (0.55, 1.0, 1.5))
    return np.asarray(matrix, np.float32)


def _ricker(seconds: np.ndarray, peak: np.ndarray) -> np.ndarray:
    phase = (np.pi * peak * seconds) ** 2
    return (1 - 2 * phase) * bell(phase)


def _centred(shape: tuple[int, int]) -> np.ndarray:
    return np.broadcast_to(np.arange(shape[1], dtype=np.float32) - shape[1] / 2, shape)
