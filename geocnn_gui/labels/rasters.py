"""What only rasters carry: class names and colours, a place on the map, files in memory."""

from __future__ import annotations

import warnings
import xml.etree.ElementTree as ElementTree
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from geocnn_gui.errors import LabelsMismatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Source
    from geocnn_gui.labels.classes import Classes

_TAG = "CLASS_"
_BLOCK = 512


def names_and_colors(path: Path) -> tuple[dict[int, str], dict[int, str]]:
    """Return class names and "#rrggbb" colours by id, as far as a raster file gives them.

    Names come from band 1's CLASS_n tags, else from GDAL's category names; colours from its
    palette.
    """
    import rasterio

    with _unplaced_is_fine(), rasterio.open(path) as file:
        tags = file.tags(1)
        names = {
            int(key.removeprefix(_TAG)): text.strip()[:80]
            for key, text in tags.items()
            if key.startswith(_TAG) and key.removeprefix(_TAG).isdecimal() and text.strip()
        }
        try:
            palette = file.colormap(1)
        except ValueError:  # it has none
            palette = {}
    colors = {number: f"#{r:02x}{g:02x}{b:02x}" for number, (r, g, b, _) in palette.items()}
    return names or _category_names(path), colors


def _category_names(path: Path) -> dict[int, str]:
    """Read the names that GDAL keeps beside the file; none when there are none to be read."""
    try:
        root = ElementTree.parse(f"{path}.aux.xml").getroot()
    except (OSError, ElementTree.ParseError):
        return {}
    found = root.findall("./PAMRasterBand[@band='1']/CategoryNames/Category")
    texts = [(category.text or "").strip()[:80] for category in found]
    return {number: text for number, text in enumerate(texts) if text}


def check_place(label: Source, source: Source) -> None:
    """Raise `LabelsMismatch` when two rasters of one size say that they lie apart."""
    from rasterio.crs import CRS

    names = [s.path.name if s.path else s.name for s in (label, source)]
    way_out = "warp the labels to the grid of the data, or choose others"
    if label.crs and source.crs:
        theirs, ours = CRS.from_wkt(label.crs), CRS.from_wkt(source.crs)
        if theirs != ours:
            fact = f"{names[0]} is in {_short(theirs)} but {names[1]} in {_short(ours)}"
            raise LabelsMismatch(fact, way_out)
    if label.transform and source.transform and not _same_grid(label, source):
        places = [_place(s) for s in (label, source)]
        fact = f"{names[0]} {places[0]} but {names[1]} {places[1]}"
        raise LabelsMismatch(fact, way_out)


def _same_grid(label: Source, source: Source) -> bool:
    """Say whether all corners agree to half a cell (the usual shift of point rasters)."""
    rows, columns = source.shape
    corners = np.array([[0, 0, 1], [columns, 0, 1], [0, rows, 1], [columns, rows, 1]], float)
    ours, theirs = (np.array(s.transform, float).reshape(2, 3) for s in (source, label))
    apart = np.linalg.solve(ours[:, :2], (theirs - ours) @ corners.T)  # in cells
    return bool(np.abs(apart).max() <= 0.51)


def _place(source: Source) -> str:
    a, _, x, _, e, y = source.transform or (1, 0, 0, 0, 1, 0)
    return f"begins at x {x:.10g}, y {y:.10g} with cells of {abs(a):g} x {abs(e):g}"


def _short(crs: Any) -> str:
    return (
        crs.to_string() if len(crs.to_string()) < 40 else crs.to_dict().get("proj", "another CRS")
    )


def encode_raster(picture: np.ndarray, source: Source, classes: Classes, *, driver: str) -> bytes:
    """Return a "PNG" or "GTiff" file of uint8 ids (rows, columns) with the classes' palette.

    A GeoTIFF gets the CRS and affine of the source and the class names as CLASS_n tags; 0 is
    nodata.
    """
    from rasterio.io import MemoryFile

    profile = {"height": picture.shape[0], "width": picture.shape[1], "count": 1, "nodata": 0}
    if driver == "GTiff":
        profile |= {"tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK}
        profile |= {"compress": "deflate", **_georeference(source)}
    with _unplaced_is_fine(), MemoryFile() as memory:
        with memory.open(driver=driver, dtype="uint8", **profile) as file:
            file.write(picture, 1)
            colors = {c.id: (*bytes.fromhex(c.color[1:]), 255) for c in classes}
            file.write_colormap(1, {0: (0, 0, 0, 0), **colors})
            if driver == "GTiff":
                file.update_tags(1, **{f"{_TAG}{c.id}": c.name for c in classes})
        return bytes(memory.getbuffer())


def _georeference(source: Source) -> dict[str, Any]:
    from rasterio import Affine

    if source.kind != "raster":
        return {}
    place = {"crs": source.crs} if source.crs else {}
    return place | ({"transform": Affine(*source.transform)} if source.transform else {})


@contextmanager
def _unplaced_is_fine() -> Iterator[None]:
    """Keep rasterio from warning that a picture has no place on a map."""
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield
