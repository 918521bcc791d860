"""What a cell covers on the ground, in square metres where the coordinate system lets one say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform as to_crs

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Projections that stretch areas without bound towards the poles, by a word of their method.
_STRETCHING = ("mercator", "equidistant cylindrical", "plate carr", "equirectangular")
_BUT_NOT = ("transverse", "oblique")


@dataclass(frozen=True, slots=True)
class CellArea:
    """Gives the area of cells of a raster: on the ellipsoid, or one number for all.

    Degrees and the kin of Web Mercator are measured on the ellipsoid of the coordinate system;
    other projections in their own plane. `in_metres` is False where there is no coordinate
    system or it has no unit of length: then areas are in squares of the coordinates' unit.
    """

    affine: Affine
    crs: CRS | None
    geographic: CRS | None
    factor: float
    in_metres: bool

    @classmethod
    def of(cls, affine: Affine, wkt: str | None) -> CellArea:
        """Return how cells placed by `affine` in the coordinate system `wkt` are measured."""
        crs = CRS.from_wkt(wkt) if wkt else None
        if crs is None:
            return cls(affine, None, None, 1.0, in_metres=False)
        if (geographic := _measured_on(crs)) is not None:
            return cls(affine, crs, geographic, 1.0, in_metres=True)
        try:
            return cls(affine, crs, None, crs.linear_units_factor[1] ** 2, in_metres=True)
        except CRSError:
            return cls(affine, crs, None, 1.0, in_metres=False)

    def of_rows(self, start: int, stop: int, columns: int) -> np.ndarray:
        """Return float64 areas of rows `start` to `stop`, (rows, columns), (rows, 1) or (1, 1).

        One column is enough where rows are parallels.
        """
        if self.geographic is None or self.crs is None:
            return np.full((1, 1), abs(self.affine.determinant) * self.factor)
        across = 1 if self.affine.is_rectilinear and self.affine.a else columns
        column, row = np.meshgrid(np.arange(across + 1.0), np.arange(start, stop + 1.0))
        x, y = placed(self.affine, column, row)
        longitude, latitude = self._degrees(x, y)
        return _quadrangles(longitude, authalic(latitude, *_ellipsoid(self.geographic)))

    def width(self, row: float, column: float) -> float | None:
        """Return how many metres one column measures at a cell; None where that is unknown."""
        if not self.in_metres:
            return None
        if self.geographic is None:
            return float(np.hypot(self.affine.a, self.affine.d) * np.sqrt(self.factor))
        x, y = placed(self.affine, np.array([column, column + 1]), np.array([row, row]))
        longitude, latitude = self._degrees(x, y)
        major, minor = _ellipsoid(self.geographic)
        middle, squared = np.radians(latitude.mean()), 1 - (minor / major) ** 2
        normal = major / np.sqrt(1 - squared * np.sin(middle) ** 2)
        meridian = normal**3 * (1 - squared) / major**2
        east = (np.ptp(longitude) + 180) % 360 - 180
        across, up = np.radians(east) * np.cos(middle) * normal, np.radians(np.ptp(latitude))
        return float(np.hypot(across, up * meridian))

    def _degrees(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return longitude and latitude in degrees; latitude no further than the poles."""
        if self.crs != self.geographic:
            lists = to_crs(self.crs, self.geographic, x.ravel(), y.ravel())
            x, y = (np.reshape(part, x.shape) for part in lists[:2])
        degree = np.degrees(self.geographic.units_factor[1]) if self.geographic else 1.0
        return x * degree, np.clip(y * degree, -90, 90)


def placed(affine: Affine, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where an affine takes cell positions x (columns) and y (rows)."""
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


def authalic(latitude: np.ndarray, major: float, minor: float) -> np.ndarray:
    """Return the area in m2 of the ellipsoid's zone from the equator to each latitude, per radian.

    Degrees in; the closed form of the cylindrical equal-area projection (Snyder, "Map
    projections: a working manual", USGS Professional Paper 1395, equation 3-12).
    """
    sine = np.sin(np.radians(latitude))
    squared = 1 - (minor / major) ** 2
    if squared <= 0:
        return major**2 * sine
    eccentricity = np.sqrt(squared)
    curved = np.arctanh(eccentricity * sine) / eccentricity
    return minor**2 / 2 * (sine / (1 - squared * sine**2) + curved)


def _quadrangles(longitude: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return the area of each cell of a grid of corners in an equal-area plane."""
    first = longitude[:1, :1]  # near the date line, count on
    x = np.radians((longitude - first + 180) % 360 - 180)
    down, across = slice(1, None), slice(None, -1)
    one_x, one_y = x[down, down] - x[across, across], height[down, down] - height[across, across]
    two_x, two_y = x[across, down] - x[down, across], height[across, down] - height[down, across]
    return np.abs(one_x * two_y - two_x * one_y) / 2


def _measured_on(crs: CRS) -> CRS | None:
    """Return the geographic system to measure in, None where the plane's own areas will do."""
    if crs.is_geographic:
        return crs
    for part in _objects(crs.to_dict(projjson=True)):
        method = part.get("conversion", {}).get("method", {}).get("name", "").lower()
        if any(word in method for word in _STRETCHING) and not any(w in method for w in _BUT_NOT):
            return CRS.from_user_input(json.dumps(part["base_crs"]))
    return None


def _ellipsoid(crs: CRS) -> tuple[float, float]:
    """Return the major and minor half-axes in metres; WGS 84's where the system names none."""
    for part in _objects(crs.to_dict(projjson=True)):
        if "ellipsoid" not in part:
            continue
        shape = {k: _metres(v) for k, v in part["ellipsoid"].items() if k != "name"}
        major = shape.get("semi_major_axis") or shape.get("radius")
        if not major:
            continue
        if "semi_minor_axis" in shape:
            return major, shape["semi_minor_axis"]
        flattening = shape.get("inverse_flattening")
        return major, major * (1 - 1 / flattening) if flattening else major
    return 6378137.0, 6356752.314245179


def _metres(value: Any) -> float:
    """Return a number of PROJ's JSON, which may come with a unit."""
    if isinstance(value, dict) and "value" in value:
        unit = value.get("unit", "metre")
        return value["value"] * (unit["conversion_factor"] if isinstance(unit, dict) else 1)
    return value if isinstance(value, int | float) else 0.0


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within a JSON value, outer ones first."""
    if isinstance(value, dict):
        yield value
    for part in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from _objects(part)
