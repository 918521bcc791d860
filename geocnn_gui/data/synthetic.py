"""The built-in examples: a seismic cube and a multispectral scene, with their ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from geocnn_gui.data import synthetic_scene, synthetic_seismic
from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Section, Source, Spacing

if TYPE_CHECKING:
    from geocnn_gui.data.source import Domain, Kind

Example = Literal["seismic", "scene"]

_CLASSES: dict[str, tuple[tuple[int, str, str], ...]] = {
    "seismic": (
        (synthetic_seismic.LAYERED, "Layered", "#999999"),
        (synthetic_seismic.CHAOTIC, "Chaotic", "#e69f00"),
        (synthetic_seismic.FAULT, "Fault", "#d55e00"),
        (synthetic_seismic.SALT, "Salt", "#56b4e9"),
    ),
    "scene": (
        (synthetic_scene.WATER, "Water", "#0072b2"),
        (synthetic_scene.FIELDS, "Fields", "#f0e442"),
        (synthetic_scene.FOREST, "Forest", "#009e73"),
        (synthetic_scene.TOWN, "Town and roads", "#d55e00"),
        (synthetic_scene.BARE, "Bare ground", "#cc79a7"),
    ),
}
_EPSG = 32632  # UTM zone 32 north
_CORNER = 600_000.0, 5_345_120.0  # easting, northing of the scene's upper left corner
_RADIUS = 2  # of the brush that painted the starter labels, in cells
_STEPS = 22  # cells a stroke is long
_TURNS = (0.0, 0.3, -0.3, 0.6, -0.6, 1.0, -1.0, 1.5, -1.5)  # radians tried to stay in a class


class SyntheticSource(ArraySource):
    """An example in memory; `truth` is the class of every cell, uint8 of the source's shape."""

    format = "Synthetic"

    def __init__(
        self,
        array: np.ndarray,
        *,
        truth: np.ndarray,
        scale: float,
        kind: Kind,
        axes: tuple[Axis, ...],
        bands: tuple[Band, ...],
    ) -> None:
        domain: Domain = "seismic" if kind == "cube" else "imagery"
        name = "Synthetic cube" if kind == "cube" else "Synthetic scene"
        super().__init__(array, kind=kind, axes=axes, bands=bands, domain=domain, name=name)
        self.truth = truth
        self._scale = np.float32(scale)

    def to_physical(self, values: np.ndarray) -> np.ndarray:
        """Return float32 values; the scene's counts become reflectance."""
        return values.astype(np.float32) * self._scale


def open_seismic_example(seed: int = 0) -> SyntheticSource:
    """Draw the seismic cube: 96 inlines, 208 crosslines, 224 samples of 4 ms, float32."""
    amplitudes, truth = synthetic_seismic.draw_cube(seed)
    inlines, crosslines, samples = synthetic_seismic.SHAPE
    interval = synthetic_seismic.INTERVAL
    source = SyntheticSource(
        amplitudes,
        truth=truth,
        scale=1,
        kind="cube",
        axes=(
            Axis("inline", "", 100, 1, inlines),
            Axis("crossline", "", 300, 1, crosslines),
            Axis("time", "ms", 400, interval, samples),
        ),
        bands=(Band("amplitude"),),
    )
    source.spacing = Spacing(sample_interval=interval, sample_unit="ms", trace_spacing=25)
    source.notes = (_note(seed),)
    return source


def open_scene_example(seed: int = 0) -> SyntheticSource:
    """Draw the scene: 6 bands of 512 x 512 pixels of 10 m, reflectance in counts, uint16."""
    from rasterio.crs import CRS

    counts, truth = synthetic_scene.draw_scene(seed)
    (rows, columns), pixel = synthetic_scene.SHAPE, synthetic_scene.PIXEL
    east, north = _CORNER
    colours = ("blue", "green", "red")
    source = SyntheticSource(
        counts,
        truth=truth,
        scale=synthetic_scene.SCALE,
        kind="raster",
        axes=(
            Axis("row", "m", north - pixel / 2, -pixel, rows),
            Axis("column", "m", east + pixel / 2, pixel, columns),
        ),
        bands=tuple(
            Band(name, "reflectance", name if name in colours else None)
            for name in synthetic_scene.BANDS
        ),
    )
    source.crs = CRS.from_epsg(_EPSG).to_wkt()
    source.transform = (pixel, 0.0, east, 0.0, -pixel, north)
    source.spacing = Spacing(pixel_size=pixel)
    source.notes = (_note(seed),)
    return source


def _note(seed: int) -> str:
    return f"This example is drawn from code (seed {seed}), so its true classes are known."


def example_classes(name: Example) -> tuple[tuple[int, str, str], ...]:
    """Return (id, name, colour) of an example's classes."""
    return _CLASSES[name]


def true_labels(source: Source) -> np.ndarray:
    """Return the class of every cell, uint8 of `source.shape`, for an example.

    Raises
    ------
    TypeError
        When the source is no example.
    """
    if not isinstance(source, SyntheticSource):
        raise TypeError(f"{source.name} is no built-in example")
    return source.truth.copy()


def starter_labels(source: Source) -> np.ndarray:
    """Return what an example opens with: some brush strokes of every class, else 0.

    The scene is painted as a whole, the cube on its first section and two more inlines.
    Returns uint8 of `source.shape`.
    """
    truth = true_labels(source)
    labels = np.zeros_like(truth)
    rng = np.random.default_rng(5)
    for section in _painted_sections(source):
        plane = source.plane(section)
        rows, columns = source.picture_shape(section)
        slices = plane.window(slice(0, rows), slice(0, columns)).slices
        strokes = _paint(plane.picture(truth[slices]), rng)
        labels[slices] = plane.array(strokes)
    return labels


def _painted_sections(source: Source) -> tuple[Section, ...]:
    if not source.section_axes:
        return (source.first_section(),)
    middle, quarter = source.shape[0] // 2, source.shape[0] // 4
    return tuple(Section(0, middle + move) for move in (0, -quarter, quarter))


def _paint(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paint a picture of classes with strokes; big classes get more of them."""
    painted = np.zeros_like(truth)
    for number in np.unique(truth):
        inside = truth == number
        touched = np.zeros_like(inside)
        for start in _starts(_eroded(inside), round(5 + 15 * np.sqrt(inside.mean())), rng):
            for row, column in _stroke(_eroded(inside), start, rng):
                touched[_near(row), _near(column)] = True
        painted[touched & inside] = number
    return painted


def _near(cell: float) -> slice:
    middle = round(cell)
    return slice(max(0, middle - _RADIUS), middle + _RADIUS + 1)


def _starts(inside: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw cells of `inside`, each the one of a few that is farthest from those before."""
    cells = np.argwhere(inside)
    chosen = [rng.choice(cells)]
    while len(chosen) < count:
        some = rng.choice(cells, 6)
        away = np.abs(some[:, None] - np.array(chosen)).max(axis=2).min(axis=1)
        chosen.append(some[away.argmax()])
    return chosen


def _stroke(
    inside: np.ndarray, start: np.ndarray, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Wander from `start`, turning where the class would be left."""
    place, heading = start.astype(float), rng.uniform(0, 2 * np.pi)
    way = [(place[0], place[1])]
    for _ in range(_STEPS):
        heading += rng.normal(0, 0.15)
        for turn in _TURNS:
            ahead = place + np.array((np.sin(heading + turn), np.cos(heading + turn)))
            if _holds(inside, ahead):
                place, heading = ahead, heading + turn
                way.append((place[0], place[1]))
                break
    return way


def _holds(inside: np.ndarray, place: np.ndarray) -> bool:
    row, column = (round(x) for x in place)
    within = 0 <= row < inside.shape[0] and 0 <= column < inside.shape[1]
    return within and bool(inside[row, column])


def _eroded(mask: np.ndarray) -> np.ndarray:
    """Return the cells whose four neighbours lie in the mask too; all of it where none does."""
    framed = np.pad(mask, 1, mode="edge")
    inner = mask & framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
    return inner if inner.any() else mask


def thumbnail(name: str) -> np.ndarray:
    """Draw a small picture of an example quickly: uint8 (rows, columns, 3), or 4 with alpha."""
    if name in ("patches", "traces", "denoise"):
        from geocnn_gui.data import example_pictures

        return getattr(example_pictures, f"{name}_picture")()
    if name == "seismic":
        middle = synthetic_seismic.SHAPE[0] // 2
        section = synthetic_seismic.draw_cube(inlines=slice(middle, middle + 1))[0][0].T
        limit = np.percentile(np.abs(section), 98)
        grey = _stretched(section, -limit, limit)
        return np.repeat(grey[..., None], 3, axis=2)
    counts = synthetic_scene.draw_scene(step=3)[0][[2, 1, 0]]
    low, high = np.percentile(counts, (2, 98), axis=(1, 2))[..., None, None]
    return np.ascontiguousarray(_stretched(counts, low, high).transpose(1, 2, 0))


def _stretched(values: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    return (np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)
