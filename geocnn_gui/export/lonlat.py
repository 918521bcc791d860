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

#: A straight edge of the map is a curve in degrees: it gets a vertex at every so-manyth cell ...
_EVERY = 64
#: ... or after so many metres, so that neighbours of large cells hold together near a pole.
_LONGEST = 20_000
_METRES_PER_DEGREE = 111_320.0
_WGS84 = CRS.from_epsg(4326)
#: So near to a pole, or to half a turn, it is one: degrees.
_NEAR = 1e-7


def decimals(affine: Affine, wkt: str | None) -> int:
    """Return how many decimals place a vertex to a thousandth of a cell; 7 (1 cm) at least."""
    crs = CRS.from_wkt(wkt) if wkt else None
    size = _size(affine)
    degrees = size if crs is None or crs.is_geographic else size / _METRES_PER_DEGREE
    return int(min(max(7, math.ceil(-math.log10(degrees)) + 3), 12))


def _size(affine: Affine) -> float:
    return math.sqrt(abs(affine.determinant)) or 1.0


def to_lonlat(polygons: np.ndarray, affine: Affine, wkt: str) -> np.ndarray:
    """Return polygons (cells of the map) in degrees of WGS 84, cut at 180 degrees, whole at poles.

    Vertices are added on the same lines for all, so that neighbours still share their edges.
    Raises `ValueError` where a part of the map has no longitude and latitude.
    """
    if not len(polygons):
        return polygons
    crs = CRS.from_wkt(wkt)
    turns = crs.is_geographic
    polygons = shapely.orient_polygons(polygons, exterior_cw=affine.determinant < 0)
    if not turns:
        metres = _size(affine) * crs.linear_units_factor[1]
        polygons = _with_vertices(polygons, int(min(max(_LONGEST / metres, 1), _EVERY)))
    degrees = math.degrees(crs.units_factor[1]) if turns else 0.0

    def moved(at: np.ndarray) -> np.ndarray:
        x, y = placed(affine, at[:, 0], at[:, 1])
        lon, lat = (np.asarray(values) for values in to_crs(crs, _WGS84, x, y)[:2])
        if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
            raise ValueError("a part of the map has no longitude and latitude")
        if turns:  # degrees go on beyond 180 as they do in the map
            lon = lon + 360 * np.round((np.asarray(x) * degrees - lon) / 360)
        return np.stack([lon, lat], axis=1)

    return _within_180(shapely.transform(polygons, moved), unrolled=turns)


def _with_vertices(polygons: np.ndarray, every: int) -> np.ndarray:
    """Add vertices where edges cross the lines of every so-manyth cell."""
    kind, at, (rings, parts) = shapely.to_ragged_array(polygons)
    before, after = at[:-1], at[1:]
    low, high = np.minimum(before, after), np.maximum(before, after)
    # Edges run along one axis; between rings there is none.
    added = np.ceil(high / every) - np.floor(low / every) - 1
    added = np.maximum(added, 0).sum(axis=1).astype(np.int64)
    added[rings[1:-1] - 1] = 0
    number = np.append(added, 0) + 1
    start = np.cumsum(number) - number
    of = np.repeat(np.arange(len(at)), number)
    step = np.arange(len(of)) - start[of]
    along = np.sign(np.append(after - before, [[0, 0]], axis=0))[of]
    first = np.where(along > 0, np.floor(at[of] / every), np.ceil(at[of] / every))
    new = np.where(
        (step[:, None] > 0) & (along != 0), (first + along * step[:, None]) * every, at[of]
    )
    return shapely.from_ragged_array(kind, new, (np.append(start, len(of))[rings], parts))


def _within_180(polygons: np.ndarray, *, unrolled: bool) -> np.ndarray:
    """Cut what goes over 180 degrees there; a polygon with a pole in it reaches up to the pole.

    `unrolled` says that longitudes already go on beyond 180, without a jump.
    """
    west, south, east, north = shapely.bounds(polygons).T
    odd = np.maximum(np.abs(west), np.abs(east)) > 180 + _NEAR
    if not unrolled:
        odd |= (east - west > 180 - 2 * _NEAR) | (np.maximum(-south, north) > 90 - _NEAR)
    result = polygons.copy()
    for at in np.flatnonzero(odd):
        whole, around = (polygons[at], False) if unrolled else _unrolled(polygons[at])
        result[at] = _cut(whole, around=around)
    return result


def _cut(whole: shapely.Geometry, *, around: bool) -> shapely.Geometry:
    """Return what is cut at odd multiples of 180 degrees, its parts moved within 180.

    What goes `around` the world repeats itself: one turn is taken.
    """
    west, _, east, _ = shapely.bounds(whole)
    first, last = math.floor((west + 180) / 360), math.ceil((east + 180) / 360)
    parts = []
    for turn in (0,) if around else range(first, last):
        world = shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90)
        side = shapely.intersection(whole, world)
        side = _moved(side, -360 * turn)
        parts += [part for part in shapely.get_parts(side) if part.geom_type == "Polygon"]
    return parts[0] if len(parts) == 1 else shapely.multipolygons(parts)


def _moved(shape: shapely.Geometry, degrees: float) -> shapely.Geometry:
    return shapely.transform(shape, lambda at: at + np.array([degrees, 0.0]))


def _unrolled(polygon: shapely.Polygon) -> tuple[shapely.Geometry, bool]:
    """Return a polygon whose longitudes go on without a jump; say whether it holds a pole.

    Its outer ring turns left on the ground.
    """
    outer, turn = _without_jumps(np.asarray(polygon.exterior.coords))
    whole = _area(outer, turn, pole=90 * turn)
    for each in polygon.interiors:
        hole, turns = _without_jumps(np.asarray(each.coords))
        inside = _area(hole, turns, pole=-90 * turns)
        for shift in (0,) if turns else range(-720, 721, 360):
            moved = _moved(inside, shift)
            whole = shapely.difference(whole, moved)
    return whole, bool(turn)


def _area(ring: np.ndarray, turn: int, *, pole: float) -> shapely.Geometry:
    """Return what a ring encloses; of one around a pole five turns, all up to the pole."""
    if turn:
        ring = np.concatenate([ring[:-1] + np.array([360 * turn * k, 0]) for k in range(-2, 3)])
        ring = np.concatenate([ring, [[ring[-1, 0], pole], [ring[0, 0], pole]], ring[:1]])
    return shapely.make_valid(shapely.Polygon(ring))


def _without_jumps(ring: np.ndarray) -> tuple[np.ndarray, int]:
    """Return a closed ring going on beyond 180 degrees, and how often it goes around the world.

    Where an edge runs through a pole, the ring goes up to it and comes down on the other side.
    """
    polar = np.abs(ring[:-1, 1]) > 90 - _NEAR
    kept = np.flatnonzero(~polar)
    found = ring[:-1][kept]
    found = np.concatenate([found, found[:1]])
    steps = (np.diff(found[:, 0]) + 180) % 360 - 180
    gaps = np.diff(kept, append=kept[0] + len(polar)) > 1
    through = np.flatnonzero(gaps | (np.abs(steps) > 180 - 2 * _NEAR))
    turn = round(steps.sum() / 360)
    if turn and len(through):
        steps[through[0]] -= 360 * turn
        turn = 0
    found[1:, 0] = found[0, 0] + np.cumsum(steps)
    poles = 90 * np.sign(found[through, 1])
    up = np.stack([found[through, 0], poles], axis=1)
    down = np.stack([found[through + 1, 0], poles], axis=1)
    extra = np.stack([up, down], axis=1).reshape(-1, 2)
    return np.insert(found, np.repeat(through + 1, 2), extra, axis=0), turn
