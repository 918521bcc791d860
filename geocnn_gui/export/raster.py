"""Write a prediction as a GeoTIFF that lies where its source lies, with names, colours, style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio import Affine
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from geocnn_gui import __version__
from geocnn_gui.data.source import Section, Window
from geocnn_gui.errors import CannotWrite
from geocnn_gui.events import Event, Note, Progress
from geocnn_gui.export import overviews, styles
from geocnn_gui.export.layers import Layer, squares
from geocnn_gui.export.tally import Tally
from geocnn_gui.export.tiles import TILE, open_raster, raster_window, require_space
from geocnn_gui.files import replacing_set

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Source

_ARRAYS = ("NPY", "NPZ")
#: What marks cells without a prediction by NaN; all else by 0.
_NAN = ("probabilities", "values")
_REDUCE = {
    "classes": overviews.mode_of_four,
    "confidence": overviews.mean_of_four_but_0,
    "probabilities": overviews.mean_of_four,
    "values": overviews.mean_of_four,
}


def export_raster(layer: Layer, source: Source, out: Path) -> Iterator[Event]:
    """Write a tiled, deflated GeoTIFF of a 2-D source, and what QGIS and GDAL read beside it.

    Classes are uint8 with palette, names and attribute table, 0 nodata; confidence is float32,
    0 nodata; probabilities are a float32 band for each class and one of confidence, their
    highest, NaN nodata; values are float32 with their name and unit, NaN nodata. CRS, affine or control points are the source's; a seismic line becomes
    a picture with samples down and traces to the right, without CRS. A long raster gets
    overviews. What was written is read back before it takes its name, together with
    `.aux.xml` and `.qml`; a style that this program did not write stays.

    Raises
    ------
    CannotWrite
        When the disk is full or the folder cannot be written to; older files stay.
    """
    picture = _Picture(layer, source)
    if source.kind == "raster" and "crs" not in picture.profile:
        yield Note(f"{out.name} is written without CRS because {source.name} has none.")
    companions, stale = [styles.notes_path(out), styles.style_path(out)], styles.stale_paths(out)
    if styles.is_foreign(companions[1]):
        companions.pop()
        yield Note(styles.kept(out))
    total = picture.steps
    with replacing_set(out, companions, stale=stale) as (temporary, *beside):
        temporary.touch()  # the system names a missing or closed folder better than GDAL
        done = 0
        for step in _translated(_steps(picture, temporary), out):
            done += step
            yield Progress(done, total, f"Writing {out.name}")
        for path, data in zip(beside, picture.companions(), strict=False):
            path.write_bytes(data)


def _translated(steps: Iterator[int], out: Path) -> Iterator[int]:
    """Turn GDAL's failures into one that a user understands."""
    try:
        yield from steps
    except (RasterioError, CPLE_BaseError) as error:
        raise CannotWrite(
            f"Cannot write {out}: the disk is full or failed",
            "free some space or choose another folder",
        ) from error


class _Picture:
    """What is written of a layer: bands of a picture, and the figures gathered on the way."""

    def __init__(self, layer: Layer, source: Source) -> None:
        self.layer, self.source = layer, source
        self.profile = _profile(layer, len(self.bands), source)
        self._plane = source.plane(Section())
        self._tallies = [Tally() for _ in self.bands]
        self._counts = np.zeros(256, np.int64)

    @property
    def bands(self) -> tuple[str, ...]:
        """Return the names of the bands."""
        if self.layer.what == "probabilities":
            return (*(styles.clean(c.name) for c in self.layer.classes), "confidence")
        if self.layer.target is not None:
            return (styles.clean(self.layer.target.name),)
        return ("class",) if self.layer.what == "classes" else ("confidence",)

    @property
    def shape(self) -> tuple[int, int]:
        """Return (rows, columns)."""
        return self.profile["height"], self.profile["width"]

    @property
    def steps(self) -> int:
        """Count the blocks to write and to read back, with those of the overviews."""
        shapes = [self.shape, *overviews.level_shapes(self.shape)]
        return 2 * sum(-(-rows // TILE) * -(-columns // TILE) for rows, columns in shapes)

    def block(self, window: Window) -> np.ndarray:
        """Return the values (bands, rows, columns) of a window of the picture."""
        values = self._plane.picture(self.layer.read(self._plane.window(*window.slices)))
        if self.layer.what != "probabilities":
            return values[None]
        return np.concatenate([values, values.max(axis=0, keepdims=True)])

    def count(self, block: np.ndarray) -> None:
        """Add a block to the figures."""
        if self.layer.what == "classes":
            self._counts[:] += np.bincount(block.ravel(), minlength=256)
        for tally, values in zip(self._tallies, block, strict=True):
            nan = self.layer.what in _NAN
            tally.add(values, ~np.isnan(values) if nan else values != 0)

    def companions(self) -> tuple[bytes, bytes]:
        """Return `.aux.xml` and `.qml`."""
        if self.layer.what == "classes":
            classes = self.layer.classes
            notes = styles.class_notes(classes, self._counts, self._tallies[0])
            return notes, styles.class_style(classes)
        if self.layer.what == "values":
            (tally,) = self._tallies
            return styles.float_notes(self._tallies), styles.value_style(tally)
        return styles.float_notes(self._tallies), styles.confidence_style(len(self.bands))


def _profile(layer: Layer, bands: int, source: Source) -> dict[str, Any]:
    height, width = source.picture_shape(Section())
    profile: dict[str, Any] = {
        "driver": "GTiff", "dtype": layer.dtype, "count": bands, "height": height, "width": width,
        "nodata": np.nan if layer.what in _NAN else 0, "tiled": True,
        "blockxsize": TILE, "blockysize": TILE, "interleave": "band", "compress": "deflate",
        "bigtiff": "if_safer",
    }  # fmt: skip
    if layer.what != "classes":
        profile["predictor"] = 3
    return profile | _place(source)


def _place(source: Source) -> dict[str, Any]:
    """Return what says where a source lies: CRS and affine, or control points."""
    place: dict[str, Any] = {} if source.crs is None else {"crs": source.crs}
    if source.transform is not None:
        return place | {"transform": Affine(*source.transform)}
    if source.kind != "raster" or source.path is None or source.format in _ARRAYS:
        return place
    with open_raster(source.path) as file:
        points, crs = file.gcps
    return place | {"gcps": points, "crs": crs} if points and crs else place


def _steps(picture: _Picture, path: Path) -> Iterator[int]:
    """Write and read back; yield 1 for each block, or 0."""
    yield from _write(picture, path)
    reduce = _REDUCE[picture.layer.what]
    if overviews.level_shapes(picture.shape):
        yield from overviews.add_overviews(path, picture.profile, reduce)
    for same in _verified(picture, path):
        if not same:
            raise RasterioError("it does not hold what was written, the disk may be full")
        yield 1


def _write(picture: _Picture, path: Path) -> Iterator[int]:
    with open_raster(path, "w", **picture.profile) as file:
        _describe(file, picture)
        for number, window in enumerate(squares(picture.shape, TILE), 1):
            block = picture.block(window)
            require_space(path, number * block.nbytes)
            file.write(block, window=raster_window(window))
            picture.count(block)
            yield 1


def _verified(picture: _Picture, path: Path) -> Iterator[bool]:
    """Read the file back: on a full disk GDAL may close a broken one without a word."""
    with open_raster(path) as file:
        for window in squares(picture.shape, TILE):
            found = file.read(window=raster_window(window))
            nan = found.dtype.kind == "f"
            yield np.array_equal(found, picture.block(window), equal_nan=nan)
    if overviews.level_shapes(picture.shape):
        yield from overviews.verify_overviews(path, _REDUCE[picture.layer.what])


def _describe(file: Any, picture: _Picture) -> None:
    layer, source = picture.layer, picture.source
    model, _, digest = layer.model.rpartition(" ")
    tags = {
        "SOFTWARE": f"GeoCNN {__version__}", "MODEL": model, "MODEL_DIGEST": digest,
        "SOURCE": source.path.name if source.path is not None else source.name,
    }  # fmt: skip
    file.update_tags(**{key: styles.clean(value) for key, value in tags.items() if value})
    for number, name in enumerate(picture.bands, 1):
        file.set_band_description(number, name)
    if layer.target is not None and layer.target.unit:
        file.set_band_unit(1, styles.clean(layer.target.unit))
    if layer.what != "classes":
        return
    file.update_tags(1, **{f"CLASS_{c.id}": styles.clean(c.name) for c in layer.classes})
    palette = {c.id: (*bytes.fromhex(c.color[1:]), 255) for c in layer.classes}
    file.write_colormap(1, {0: (0, 0, 0, 0), **palette})
