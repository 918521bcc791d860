"""Write a prediction as a GeoTIFF that lies where its source lies."""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterWindow

from geocnn_gui import __version__
from geocnn_gui.data.source import Section, Window
from geocnn_gui.errors import CannotWrite
from geocnn_gui.events import Event, Note, Progress
from geocnn_gui.export.layers import Layer, squares
from geocnn_gui.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Plane, Source

_TILE = 512
#: GDAL holds back at most about this much of what it was given before it writes.
_HELD_BACK = 256 << 20


def export_raster(layer: Layer, source: Source, out: Path) -> Iterator[Event]:
    """Write a tiled, deflated GeoTIFF of a 2-D source: classes uint8 with palette and names, or float32.

    0 is nodata. CRS and affine are the source's; a seismic line becomes a picture with samples
    down and traces to the right, without CRS. What was written is read back before it takes its
    name.

    Raises
    ------
    CannotWrite
        When the disk is full or the folder cannot be written to; an older file stays.
    """
    plane = source.plane(Section())
    shape = source.picture_shape(Section())
    if source.kind == "raster" and source.crs is None:
        yield Note(f"{out.name} is written without CRS because {source.name} has none.")
    total = 2 * len(list(squares(shape, _TILE)))
    with replacing(out) as temporary:
        temporary.touch()  # the system names a missing or closed folder better than GDAL
        done = 0
        for step in (_write, _verify):
            for _ in _translated(step(layer, plane, source, temporary), out):
                done += 1
                yield Progress(done, total, f"Writing {out.name}")


def _translated(steps: Iterator[None], out: Path) -> Iterator[None]:
    """Turn GDAL's failures into one that a user understands."""
    try:
        yield from steps
    except (RasterioError, CPLE_BaseError) as error:
        raise CannotWrite(
            f"Cannot write {out}: the disk is full or failed",
            "free some space or choose another folder",
        ) from error


def _open(path: Path, *args: Any, **options: Any) -> Any:
    with warnings.catch_warnings():  # a section has no place on a map, and need not say so
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path, *args, **options)


def _profile(layer: Layer, source: Source) -> dict[str, Any]:
    height, width = source.picture_shape(Section())
    profile: dict[str, Any] = {
        "driver": "GTiff", "dtype": layer.dtype, "count": 1, "height": height, "width": width,
        "nodata": 0, "tiled": True, "blockxsize": _TILE, "blockysize": _TILE,
        "compress": "deflate", "bigtiff": "if_safer",
    }  # fmt: skip
    if source.crs is not None:
        profile["crs"] = source.crs
    if source.transform is not None:
        profile["transform"] = rasterio.Affine(*source.transform)
    return profile


def _write(layer: Layer, plane: Plane, source: Source, path: Path) -> Iterator[None]:
    with _open(path, "w", **_profile(layer, source)) as file:
        _describe(file, layer)
        for number, window in enumerate(squares((file.height, file.width), _TILE), 1):
            _require_space(path, number * _TILE**2 * layer.dtype.itemsize)
            file.write(_block(layer, plane, window), 1, window=_raster_window(window))
            yield


def _require_space(path: Path, written: int) -> None:
    """Raise before the disk is full: GDAL would notice late and complain on the terminal."""
    if shutil.disk_usage(path.parent).free < min(written, _HELD_BACK):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _verify(layer: Layer, plane: Plane, source: Source, path: Path) -> Iterator[None]:
    """Read the file back: on a full disk GDAL may close a broken one without a word."""
    with _open(path) as file:
        for window in squares((file.height, file.width), _TILE):
            found = file.read(1, window=_raster_window(window))
            if not np.array_equal(found, _block(layer, plane, window)):
                raise RasterioError("it does not hold what was written, the disk may be full")
            yield


def _block(layer: Layer, plane: Plane, window: Window) -> np.ndarray:
    return plane.picture(layer.read(plane.window(*window.slices)))


def _raster_window(window: Window) -> RasterWindow:
    (row, column), (height, width) = window.offset, window.size
    return RasterWindow(column, row, width, height)  # pyright: ignore[reportCallIssue]


def _describe(file: Any, layer: Layer) -> None:
    file.update_tags(SOFTWARE=f"GeoCNN {__version__}")
    file.set_band_description(1, "class" if layer.what == "classes" else "confidence")
    if layer.what != "classes":
        return
    file.update_tags(1, **{f"CLASS_{c.id}": c.name for c in layer.classes})
    palette = {c.id: (*bytes.fromhex(c.color[1:]), 255) for c in layer.classes}
    file.write_colormap(1, {0: (0, 0, 0, 0), **palette})
