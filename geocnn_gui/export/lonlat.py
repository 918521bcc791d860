"""Bring polygons of cells to longitude and latitude without moving edges off each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import shapely
from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from geocnn_gui.export.cell_area import placed

if TYPE_CHECKING:
    from rasterio import Affine

#: A straight edge of the map is a curve in degrees: it gets a vertex at every so-manyth cell.
_EVERY = 64
_METRES_PER_DEGREE = 111_320.0
_WGS84 = CRS.from_epsg(4326)


def decimals(affine: Affine, wkt: str | None) -> int:
    """Return how many decimals place a vertex to a thousandth of a cell; 7 (1 cm) at least."""
    crs = CRS.from_wkt(wkt) if wkt else None
    size = math.sqrt(abs(affine.determinant)) or 1.0
    degrees = size if crs is None or crs.is_geographic else size / _METRES_PER_DEGREE
    return int(min(max(7, math.ceil(-math.log10(degrees)) + 3), 12))


def to_lonlat(polygons: np.ndarray, affine: Affine, wkt: str) -> np.ndarray:
    """Return polygons (cells of the map) in degrees of WGS 84, holding together over 180 degrees.

    Vertices are added on the same lines for all, so that neighbours still share their edges.
    """
    if not len(polygons):
        return polygons
    crs = CRS.from_wkt(wkt)
    if not crs.is_geographic:
        polygons = _with_vertices(polygons)

    def moved(at: np.ndarray) -> np.ndarray:
        x, y = placed(affine, at[:, 0], at[:, 1])
        return np.stack(to_crs(crs, _WGS84, x, y)[:2], axis=1)

    return _within_180(shapely.transform(polygons, moved))


def _with_vertices(polygons: np.ndarray) -> np.ndarray:
    """Add vertices where edges cross the lines of every 64th cell."""
    kind, at, (rings, parts) = shapely.to_ragged_array(polygons)
    before, after = at[:-1], at[1:]
    low, high = np.minimum(before, after), np.maximum(before, after)
    # Edges run along one axis; between rings there is none.
    added = np.ceil(high / _EVERY) - np.floor(low / _EVERY) - 1
    added = np.maximum(added, 0).sum(axis=1).astype(np.int64)
    added[rings[1:-1] - 1] = 0
    number = np.append(added, 0) + 1
    start = np.cumsum(number) - number
    of = np.repeat(np.arange(len(at)), number)
    step = np.arange(len(of)) - start[of]
    along = np.sign(np.append(after - before, [[0, 0]], axis=0))[of]
    first = np.where(along > 0, np.floor(at[of] / _EVERY), np.ceil(at[of] / _EVERY))
    new = np.where(
        (step[:, None] > 0) & (along != 0), (first + along * step[:, None]) * _EVERY, at[of]
    )
    return shapely.from_ragged_array(kind, new, (np.append(start, len(of))[rings], parts))


def _within_180(polygons: np.ndarray) -> np.ndarray:
    """Mend polygons over the date line: no jump within them, and each side in its own part."""
    x = shapely.get_coordinates(polygons)[:, 0]
    if np.ptp(x) < 180:
        return polygons
    shifted = shapely.transform(polygons, lambda at: np.stack([at[:, 0] % 360, at[:, 1]], axis=1))
    bounds = shapely.bounds(polygons)
    jumps = bounds[:, 2] - bounds[:, 0] > 180
    result = polygons.copy()
    for at in np.flatnonzero(jumps):
        west = shapely.intersection(shifted[at], shapely.box(0, -90, 180, 90))
        east = shapely.intersection(shifted[at], shapely.box(180, -90, 360, 90))
        east = shapely.transform(east, lambda c: c - [360, 0])
        parts = [p for side in (west, east) for p in shapely.get_parts(side)]
        result[at] = shapely.multipolygons([p for p in parts if p.geom_type == "Polygon"])
    return result
