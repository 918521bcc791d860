"""Open and write rasters tile by tile, noticing a full disk before GDAL does."""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from typing import TYPE_CHECKING, Any

import rasterio
from rasterio.env import set_gdal_config
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window as RasterWindow

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.data.source import Window

TILE = 512
#: GDAL keeps at most so many bytes of blocks, whatever it reads and writes.
_CACHE_BYTES = 64 << 20
#: So many bytes at most it was given and has not yet written, with room to spare.
_HELD_BACK = 4 * _CACHE_BYTES


def open_raster(path: Path, *args: Any, **options: Any) -> Any:
    """Open a raster through rasterio, without a word where it has no place on a map."""
    set_gdal_config("GDAL_CACHEMAX", _CACHE_BYTES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path, *args, **options)


def require_space(path: Path, written: int) -> None:
    """Raise before the disk is full: GDAL would notice late and complain on the terminal."""
    if shutil.disk_usage(path.parent).free < min(written, _HELD_BACK):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def raster_window(window: Window) -> RasterWindow:
    """Return a window (rows, columns) as rasterio's."""
    (row, column), (height, width) = window.offset, window.size
    return RasterWindow(column, row, width, height)  # pyright: ignore[reportCallIssue]
