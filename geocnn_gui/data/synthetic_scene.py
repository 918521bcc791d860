"""A small multispectral scene drawn from code: river, fields, forest, town, and the truth.

Every pixel is a mixture of pure materials with known reflectance; a point spread function, haze
and sensor noise make it an image. Lengths are in pixels of 10 m.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from geocnn_gui.data.synthetic_fields import blur, field

WATER, FIELDS, FOREST, TOWN, BARE = 1, 2, 3, 4, 5
SHAPE = (512, 512)
PIXEL = 10.0  # m
SCALE = 1e-4  # reflectance of one count
BANDS = ("blue", "green", "red", "nir", "swir1", "swir2")
#: Reflectance of pure materials in blue, green, red, near and two short-wave infrared bands.
MATERIALS = {
    "clear water": (0.040, 0.048, 0.034, 0.016, 0.009, 0.006),
    "turbid water": (0.060, 0.085, 0.075, 0.030, 0.012, 0.008),
    "soil": (0.075, 0.105, 0.145, 0.215, 0.290, 0.250),
    "crop": (0.028, 0.062, 0.034, 0.470, 0.210, 0.095),
    "straw": (0.075, 0.120, 0.170, 0.310, 0.370, 0.250),
    "blossom": (0.050, 0.150, 0.140, 0.480, 0.240, 0.120),
    "broadleaf": (0.024, 0.048, 0.026, 0.400, 0.175, 0.075),
    "conifer": (0.019, 0.034, 0.020, 0.235, 0.100, 0.042),
    "red roof": (0.070, 0.095, 0.175, 0.240, 0.270, 0.245),
    "grey roof": (0.140, 0.150, 0.160, 0.180, 0.200, 0.190),
    "bright roof": (0.300, 0.320, 0.340, 0.360, 0.360, 0.330),
    "asphalt": (0.080, 0.090, 0.100, 0.120, 0.140, 0.135),
    "gravel": (0.165, 0.205, 0.240, 0.290, 0.335, 0.305),
}
_NAMES = tuple(MATERIALS)
_HAZE = (0.018, 0.012, 0.007, 0.002, 0.0005, 0.0003)
#: How much the brightness varies from pixel to pixel within a class.
_TEXTURE = {WATER: 0.03, FIELDS: 0.045, FOREST: 0.17, TOWN: 0.12, BARE: 0.09}


class _Sketch:
    """Where the pixels lie that are drawn: every `step`-th of the scene."""

    def __init__(self, rng: np.random.Generator, step: int) -> None:
        self.rng, self.step = rng, step
        self.row = np.arange(0, SHAPE[0], step, dtype=np.float32)[:, None]
        self.column = np.arange(0, SHAPE[1], step, dtype=np.float32)
        self.shape = self.row.size, self.column.size

    def field(self, rows: float, columns: float) -> np.ndarray:
        """Draw a smooth random field of unit variance with these lengths in pixels."""
        return field(self.rng, SHAPE, (rows, columns), step=self.step)


class _Ground(NamedTuple):
    """The classes, and where the river, the town and the roads lie."""

    truth: np.ndarray
    bank: np.ndarray  # distance from the river's middle over its half width
    town: np.ndarray  # distance from the town's centre over its radius
    road: np.ndarray  # distance from the nearest road


def draw_scene(seed: int = 0, *, step: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Draw the scene, or every `step`-th of its pixels.

    Returns surface reflectance in counts of `SCALE`, uint16 (bands, rows, columns), and classes
    uint8 (rows, columns), `WATER` .. `BARE`.
    """
    rng = np.random.default_rng((seed, 2))
    sketch = _Sketch(rng, step)
    ground = _lay_out(sketch)
    shares = np.zeros((len(_NAMES), *sketch.shape), np.float32)
    _pour_water(shares, ground, sketch)
    _sow_fields(shares, ground, sketch)
    _plant_forest(shares, ground, sketch)
    _build_town(shares, ground, sketch)
    shares[_NAMES.index("gravel")][ground.truth == BARE] = 1
    spectra = np.array(list(MATERIALS.values()), np.float32)
    reflectance = np.tensordot(spectra.T, shares, 1) * _texture(ground.truth, sketch)
    return _photograph(reflectance, sketch), ground.truth


def _lay_out(sketch: _Sketch) -> _Ground:
    """Decide what is where."""
    rng, row, column = sketch.rng, sketch.row, sketch.column
    bank, inner = _river(sketch)
    centre = 318 + rng.uniform(-25, 25), 165 + rng.uniform(-25, 25)
    town = np.hypot((row - centre[0]) / 72, (column - centre[1]) / 92)
    town = town * (1 + 0.16 * sketch.field(22, 22) + 0.07 * sketch.field(5, 5))
    road = _roads(sketch, centre)
    rough = sketch.field(3, 3)
    wood = sketch.field(48, 48) + 0.12 * rough + 0.8 * (column - row) / 512
    lake = np.hypot((row - 110) / 26, (column - 118) / 40) + 0.13 * sketch.field(14, 14)
    pit = np.hypot((row - 420) / 15, (column - 408) / 20) + 0.12 * sketch.field(7, 7)
    bars = (bank < 1.3 + 0.3 * np.abs(inner)) & (inner > 0.5 + 0.25 * sketch.field(9, 9))
    truth = np.full(sketch.shape, FIELDS, np.uint8)
    truth[(wood > 0.3) & (lake > 1.12) & (bank > 1.6)] = FOREST
    truth[(bank > 1.25) & (bank < 2.1) & (rough > 0.2)] = FOREST  # trees along the banks
    truth[(town < 1) | (road < 0.8)] = TOWN
    truth[(pit < 1) | bars] = BARE
    truth[((bank < 1) & (road > 0.8)) | (lake < 1)] = WATER
    return _Ground(truth, bank, town, road)


def _river(sketch: _Sketch) -> tuple[np.ndarray, np.ndarray]:
    """Return distance from the middle over half the width, and how far on the inner bank."""
    rng, row = sketch.rng, np.arange(SHAPE[0], dtype=np.float32)[:, None]
    phase = rng.uniform(0, 2 * np.pi, 2)
    middle = 310 + 46 * np.sin(row / 70 + phase[0]) + 17 * np.sin(row / 27 + phase[1])
    middle = middle + 5 * field(rng, (SHAPE[0], 1), (14, 0))
    slope = np.gradient(middle, axis=0)
    bend = np.gradient(slope, axis=0)
    half = 5.5 + 0.8 * field(rng, (SHAPE[0], 1), (40, 0)) + 1.5 * row / SHAPE[0]
    across = ((sketch.column - middle) / np.sqrt(1 + slope**2))[:: sketch.step]
    return np.abs(across) / half[:: sketch.step], np.sign(across) * bend[:: sketch.step] * 40


def _roads(sketch: _Sketch, centre: tuple[float, float]) -> np.ndarray:
    """Return pixels from the nearest of three roads that meet in the town."""
    rng, row, column = sketch.rng, sketch.row, sketch.column
    nearest = np.full(sketch.shape, np.inf, np.float32)
    for heading in np.array([0.2, 1.25, 2.2]) + rng.uniform(-0.15, 0.15, 3):
        along = (column - centre[1]) * np.cos(heading) + (row - centre[0]) * np.sin(heading)
        across = (row - centre[0]) * np.cos(heading) - (column - centre[1]) * np.sin(heading)
        sway = rng.uniform(5, 9) * np.sin(along / rng.uniform(45, 70))
        nearest = np.minimum(nearest, np.abs(across - sway))
    return nearest


def _pour_water(shares: np.ndarray, ground: _Ground, sketch: _Sketch) -> None:
    """Fill river and lake; the river carries more silt, most of it near its banks."""
    silt = np.where(ground.bank < 1.5, 0.6 + 0.25 * ground.bank, 0.15)
    silt = np.clip(silt + 0.06 * sketch.field(12, 6), 0, 1)
    water = ground.truth == WATER
    shares[_NAMES.index("turbid water")][water] = silt[water]
    shares[_NAMES.index("clear water")][water] = 1 - silt[water]


def _sow_fields(shares: np.ndarray, ground: _Ground, sketch: _Sketch) -> None:
    """Cover the parcels with crops of all stages: bare, sprouting, full, in blossom, ripe."""
    rng = sketch.rng
    parcel, edge, tilt = _parcels(sketch)
    count = int(parcel.max()) + 1
    stage = rng.choice(5, count, p=[0.17, 0.2, 0.34, 0.07, 0.22])
    mean = np.array([0.03, 0.4, 0.88, 0.85, 0.12])[stage] + rng.normal(0, 0.05, count)
    dry = np.array([0.1, 0.04, 0.03, 0.0, 0.75])[stage] + rng.normal(0, 0.04, count)
    cover = mean[parcel] + 0.05 * sketch.field(6, 6) + 0.03 * np.sin(tilt * 2.1)
    cover = np.clip(np.where(edge, 0.75, cover), 0, 1).astype(np.float32)
    straw = np.clip(np.where(edge, 0.1, dry[parcel]), 0, 1 - cover)
    bloom = (stage[parcel] == 3) & ~edge
    fields = ground.truth == FIELDS
    shares[_NAMES.index("crop")][fields] = np.where(bloom, 0, cover)[fields]
    shares[_NAMES.index("blossom")][fields] = np.where(bloom, cover, 0)[fields]
    shares[_NAMES.index("straw")][fields] = straw[fields]
    shares[_NAMES.index("soil")][fields] = (1 - cover - straw)[fields]


def _parcels(sketch: _Sketch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return parcel numbers, their edges, and the distance across the rows of the crop.

    Districts (nearest of a few seeds) have each its own direction and size of parcels.
    """
    rng, row, column = sketch.rng, sketch.row, sketch.column
    seeds = rng.uniform(0, SHAPE[0], (16, 2)).astype(np.float32)
    down, right = row + 10 * sketch.field(40, 40), column + 10 * sketch.field(40, 40)
    squares = [(down - r) ** 2 + (right - c) ** 2 for r, c in seeds]
    district = np.argmin(squares, axis=0)
    angle = (rng.uniform(-0.25, 0.25, 16) + rng.choice([0.3, 1.1], 16)).astype(np.float32)
    wide, long = rng.uniform(13, 27, 16), rng.uniform(30, 65, 16)
    sine, cosine = np.sin(angle)[district], np.cos(angle)[district]
    across = (column * cosine + row * sine) / wide[district].astype(np.float32)
    strip = np.floor(across).astype(int)
    shift = rng.uniform(0, 1, 256)[(strip + 31 * district) % 256]
    along = (row * cosine - column * sine) / long[district] + shift
    cell = np.floor(along).astype(int)
    edge = ((across - strip) * wide[district] < 0.9) | ((along - cell) * long[district] < 0.9)
    parcel = (strip * 73 + cell * 179 + district * 283) % 1021
    return parcel, edge, across * wide[district]


def _plant_forest(shares: np.ndarray, ground: _Ground, sketch: _Sketch) -> None:
    """Plant stands of broadleaf and conifer, with a little of the other kind in each."""
    stand = 1 / (1 + np.exp(-6 * sketch.field(22, 22)))
    conifer = np.clip(0.12 + 0.76 * stand + 0.08 * sketch.field(1, 1), 0, 1)
    conifer = np.where(ground.bank < 2.2, 0.05, conifer)
    forest = ground.truth == FOREST
    shares[_NAMES.index("conifer")][forest] = conifer[forest]
    shares[_NAMES.index("broadleaf")][forest] = 1 - conifer[forest]


def _build_town(shares: np.ndarray, ground: _Ground, sketch: _Sketch) -> None:
    """Build streets, houses with gardens, and halls with bright roofs at one end of the town."""
    rng, row, column = sketch.rng, sketch.row, sketch.column
    turn = rng.uniform(0.1, 0.5)
    across = column * np.cos(turn) + row * np.sin(turn)
    along = row * np.cos(turn) - column * np.sin(turn)
    halls = (ground.town > 0.45) & (across > np.median(across[ground.town < 1]) + 24)
    kinds = ["red roof", "grey roof", "bright roof", "crop", "broadleaf", "asphalt"]
    house = _lots(rng, across, along, (1.6, 1.9), [0.34, 0.14, 0.02, 0.22, 0.14, 0.14])
    centre = _lots(rng, across, along, (2.2, 2.2), [0.46, 0.26, 0.04, 0.03, 0.04, 0.17])
    hall = _lots(rng, across, along, (5.5, 8.0), [0.04, 0.38, 0.12, 0.18, 0.04, 0.24])
    kind = np.where(halls, hall, np.where(ground.town < 0.35, centre, house))
    street = (across % 9.3 < 1.3) | (along % 13.7 < 1.3) | (ground.road < 0.8)
    paved = np.where(street, 1, 0) * np.where(ground.town < 1, 0.75, 1)
    town = ground.truth == TOWN
    for number, name in enumerate(kinds):
        built = 0.55 * (kind == number) + 0.45 * (
            blur(blur(kind == number, 0, 2 / sketch.step), 1, 2 / sketch.step)
        )
        share = (1 - paved) * built + paved * (name == "asphalt")
        shares[_NAMES.index(name)][town] = share[town]


def _lots(
    rng: np.random.Generator,
    across: np.ndarray,
    along: np.ndarray,
    size: tuple[float, float],
    odds: list[float],
) -> np.ndarray:
    """Return a kind of cover, drawn with `odds`, for lots of `size` pixels."""
    drawn = rng.choice(len(odds), 4093, p=odds)
    lot = np.floor(across / size[0]) * 389 + np.floor(along / size[1]) * 1009
    return drawn[lot.astype(int) % 4093]


def _texture(truth: np.ndarray, sketch: _Sketch) -> np.ndarray:
    """Return factors of brightness: fine grain by class, and a broad swell of the ground."""
    amount = np.zeros(256, np.float32)
    amount[list(_TEXTURE)] = list(_TEXTURE.values())
    grain = 0.75 * sketch.field(1, 1) + 0.65 * sketch.field(2.5, 2.5)
    return np.maximum(0.3, 1 + amount[truth] * grain + 0.03 * sketch.field(60, 60))


def _photograph(reflectance: np.ndarray, sketch: _Sketch) -> np.ndarray:
    """Look through optics and air: mixed pixels, haze that thickens eastwards, noise, counts."""
    width = 0.55 / sketch.step
    seen = blur(blur(reflectance, 1, width), 2, width)
    veil = 0.3 + 0.7 * sketch.column / SHAPE[1]
    veil = veil + 0.12 * sketch.field(90, 90)
    seen += np.array(_HAZE, np.float32)[:, None, None] * veil
    noise = sketch.rng.standard_normal(seen.shape, dtype=np.float32)
    seen += noise * (0.0008 + 0.006 * np.sqrt(np.maximum(seen, 0) * 0.2))
    return np.clip(np.rint(seen / SCALE), 1, 16000).astype(np.uint16)
