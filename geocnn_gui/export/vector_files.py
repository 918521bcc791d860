"""The files that polygons are written to, batch by batch: GeoPackage, Shapefile, GeoJSON."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import warnings
from abc import ABC, abstractmethod
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio
import pyogrio.raw
import shapely
from rasterio import Affine
from rasterio._err import CPLE_BaseError

from geocnn_gui.errors import BadRequest, CannotWrite
from geocnn_gui.export.cell_area import placed
from geocnn_gui.export.lonlat import decimals, to_lonlat
from geocnn_gui.export.styles import clean, is_foreign
from geocnn_gui.export.vector_style import RENDERER, class_qml
from geocnn_gui.labels.classes import Classes, LabelClass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


LAYER = "classes"
_KIND = "prediction"
_UNKNOWN_COLOR = "#808080"
_SQLITE_FILES = ("-journal", "-wal", "-shm")
_DBF_TEXT, _SHAPE_BYTES = 254, 2**31 - 1
#: The table in which QGIS looks for styles, and its place among the file's contents.
_STYLE_TABLE = """
CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
 f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
 f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
 useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
 update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')));
INSERT INTO gpkg_contents(table_name, data_type, identifier, description, last_change)
 VALUES('layer_styles', 'attributes', 'layer_styles', '', strftime('%Y-%m-%dT%H:%M:%fZ','now'));
"""
_STYLE_ROW = """
INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column,
 styleName, styleQML, styleSLD, useAsDefault, description, owner)
 VALUES ('', '', ?, 'geom', ?, ?, '', 1, 'Classes in their colours', '')
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Polygons in cells of the map (second, first axis) and what is said of each.

    `confidence` is the mean, 0..1, NaN where there is none; `area` in the layer's unit.
    """

    polygons: np.ndarray
    ids: np.ndarray
    cells: np.ndarray
    confidence: np.ndarray
    area: np.ndarray

    @classmethod
    def joined(cls, batches: list[Batch]) -> Batch:
        """Return one batch of several."""
        return cls(*(np.concatenate([getattr(b, f.name) for b in batches]) for f in fields(cls)))

    def pieces(self, most: int) -> Iterator[Batch]:
        """Yield the batch cut into such of at most so many polygons, one at least."""
        for start in range(0, max(len(self.ids), 1), most):
            yield self.take(slice(start, start + most))

    def take(self, which: np.ndarray | slice) -> Batch:
        """Return some of the polygons."""
        return Batch(*(getattr(self, field.name)[which] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class VectorLayer:
    """What is the same for every polygon; `section` is empty for a whole 2-D source.

    `styled` says whether a .qml may be written beside the file.
    """

    classes: Classes
    affine: Affine
    crs: str | None
    in_metres: bool
    section: str
    styled: bool

    def named(self, number: int) -> LabelClass:
        """Return the class with that id, or a grey one with a number for a name."""
        found = (c for c in self.classes if c.id == number)
        unknown = LabelClass(id=number, name=f"Class {number}", color=_UNKNOWN_COLOR)
        return next(found, unknown)

    def columns(self, batch: Batch) -> dict[str, np.ndarray]:
        """Return the fields, one array each."""
        count = len(batch.ids)
        ids, which = np.unique(batch.ids, return_inverse=True)
        known = [self.named(int(i)) for i in ids]
        found = {
            "class_id": batch.ids.astype(np.int32),
            "class_name": np.array([clean(c.name) for c in known], object)[which],
            "color": np.array([c.color for c in known], object)[which],
            "kind": np.full(count, _KIND, object),
            "confidence": np.round(batch.confidence, 6),
            "cells": batch.cells,
            "area_m2" if self.in_metres else "area_units": batch.area,
        }
        return found | ({"section": np.full(count, self.section, object)} if self.section else {})

    def placed(self, polygons: np.ndarray) -> np.ndarray:
        """Return polygons in map coordinates, outer rings clockwise as Shapefiles have them."""
        there = shapely.transform(
            polygons, lambda at: np.stack(placed(self.affine, at[:, 0], at[:, 1]), axis=1)
        )
        return shapely.orient_polygons(there, exterior_cw=True)


class VectorWriter(ABC):
    """Writes batches to `path`, which will be called `name`.

    `finish` completes the file and returns what a user should know, `close` ends in any case.
    """

    def __init__(self, path: Path, name: str, layer: VectorLayer) -> None:
        self.name = name
        self._path, self._layer = path, layer
        self._count, self._begun = 0, False

    def write(self, batch: Batch) -> None:
        """Add polygons; raises `OSError` or `CannotWrite`."""
        if len(batch.ids) or not self._begun:
            self._write(batch)
            self._begun = True
            self._count += len(batch.ids)

    @abstractmethod
    def _write(self, batch: Batch) -> None: ...

    @abstractmethod
    def finish(self) -> list[str]:
        """Complete the file and check it."""

    def _write_style(self) -> None:
        if self._layer.styled:
            self._path.with_suffix(".qml").write_bytes(class_qml(self._layer.classes))

    def close(self) -> None:
        """Remove what SQLite may leave beside an unfinished file."""
        for ending in _SQLITE_FILES:
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)


class _OgrWriter(VectorWriter):
    """Writes through GDAL, and asks for room first: GDAL tells late of a full disk, or not at all."""

    driver = ""

    def _write(self, batch: Batch) -> None:
        shapes = shapely.to_wkb(self._layer.placed(batch.polygons))
        columns = self._columns(batch)
        _require_space(self._path, sum(map(len, shapes)) + 200 * len(shapes))
        with _translated(self.name), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided")  # a note says so
            pyogrio.raw.write(
                self._path, shapes, list(columns.values()), list(columns), layer=self._name,
                driver=self.driver, geometry_type="Polygon", crs=self._layer.crs,
                encoding="UTF-8", append=self._begun, **self._options(),
            )  # fmt: skip

    @property
    def _name(self) -> str:
        return self._path.stem

    def _columns(self, batch: Batch) -> dict[str, np.ndarray]:
        return self._layer.columns(batch)

    def _options(self) -> dict[str, Any]:
        return {}

    def _verify(self) -> None:
        """Read the number of polygons and the last one back."""
        with _translated(self.name):
            info = pyogrio.read_info(self._path, layer=self._name, force_feature_count=True)
            if info["features"] != self._count:
                raise _failed(self.name)
            if self._count:
                last = pyogrio.raw.read(self._path, layer=self._name, skip_features=self._count - 1)
                shapely.from_wkb(last[2])


class GeoPackageWriter(_OgrWriter):
    """One layer, `classes`, with a spatial index and its style inside."""

    driver = "GPKG"

    @property
    def _name(self) -> str:
        return LAYER

    def finish(self) -> list[str]:
        """Add the style that QGIS loads by itself."""
        qml = class_qml(self._layer.classes).decode()
        with _translated(self.name), closing(sqlite3.connect(self._path)) as file, file:
            file.executescript(_STYLE_TABLE)
            file.execute(_STYLE_ROW, (LAYER, LAYER, qml))
        self._verify()
        return []


class ShapefileWriter(_OgrWriter):
    """The set of .shp, .shx, .dbf, .cpg and .prj, with a QGIS style beside it."""

    driver = "ESRI Shapefile"

    def __init__(self, path: Path, name: str, layer: VectorLayer) -> None:
        super().__init__(path, name, layer)
        self._shortened: dict[str, str] = {}

    def _columns(self, batch: Batch) -> dict[str, np.ndarray]:
        columns = self._layer.columns(batch)
        names = [clean(c.name) for c in self._layer.classes]
        short = {name: _cut(name) for name in names if _cut(name) != name}
        if short:
            columns["class_name"] = np.array(
                [short.get(name, name) for name in columns["class_name"]], object
            )
        self._shortened = short
        return columns

    def _write(self, batch: Batch) -> None:
        points = shapely.get_num_coordinates(batch.polygons).sum()
        grown = self._size(".shp") + 16 * int(points) + 100 * len(batch.ids)
        rows = self._size(".dbf") + 600 * len(batch.ids)
        if max(grown, rows) > _SHAPE_BYTES:
            raise BadRequest(
                f"{self.name} would be larger than the 2 GB that a Shapefile may have",
                "choose a name that ends in .gpkg",
            )
        super()._write(batch)

    def _size(self, suffix: str) -> int:
        path = self._path.with_suffix(suffix)
        return path.stat().st_size if path.exists() else 0

    def finish(self) -> list[str]:
        """Write the style and make sure that the set is whole."""
        self._write_style()
        self._verify()
        for suffix in (".shp", ".shx"):  # the header says how long the file is, in 16-bit words
            with self._path.with_suffix(suffix).open("rb") as file:
                file.seek(24)
                if 2 * int.from_bytes(file.read(4), "big") != self._size(suffix):
                    raise _failed(self.name)
        names = ", ".join(f'"{name}"' for name in self._shortened)
        return [f"Names are too long for a Shapefile and were cut: {names}."] if names else []


class GeoJsonWriter(VectorWriter):
    """A feature collection as RFC 7946 wants it: WGS 84, outer rings anticlockwise."""

    def __init__(self, path: Path, name: str, layer: VectorLayer) -> None:
        super().__init__(path, name, layer)
        self._digits = decimals(layer.affine, layer.crs)

    def _write(self, batch: Batch) -> None:
        columns = {name: values.tolist() for name, values in self._layer.columns(batch).items()}
        shapes = shapely.to_geojson(self._shapes(batch)).tolist()
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            if not self._begun:
                file.write('{"type": "FeatureCollection", "name": "classes", "features": [')
            for at, shape in enumerate(shapes):
                properties = {name: _finite(values[at]) for name, values in columns.items()}
                said = json.dumps(properties, ensure_ascii=False)
                file.write(",\n" if at or self._count else "\n")
                file.write(f'{{"type": "Feature", "properties": {said}, "geometry": {shape}}}')

    def _shapes(self, batch: Batch) -> np.ndarray:
        layer = self._layer
        if layer.crs is None:
            shapes = layer.placed(batch.polygons)
        else:
            try:
                shapes = to_lonlat(batch.polygons, layer.affine, layer.crs)
            except (ValueError, CPLE_BaseError, shapely.GEOSException) as error:
                raise BadRequest(
                    f"{self.name} cannot be written: longitude and latitude of part of the map "
                    "cannot be found",
                    "choose a name that ends in .gpkg",
                ) from error
        rounded = shapely.transform(shapes, lambda at: np.round(at, self._digits))
        return shapely.orient_polygons(rounded, exterior_cw=False)

    def finish(self) -> list[str]:
        """End the collection and write the style beside it."""
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write("\n]}\n")
        self._write_style()
        return []


WRITERS: dict[str, type[VectorWriter]] = {
    ".gpkg": GeoPackageWriter,
    ".geojson": GeoJsonWriter,
    ".shp": ShapefileWriter,
}


def companions(path: Path, *, has_crs: bool) -> list[Path]:
    """Return the files that are written beside `path` and belong to it.

    A style of the user's own, or of a raster of the same name, is not among them.
    """
    suffixes = {".gpkg": (), ".geojson": (".qml",), ".shp": (".shx", ".dbf", ".cpg", ".qml")}
    found = [path.with_suffix(suffix) for suffix in suffixes[path.suffix.lower()]]
    if path.suffix.lower() == ".shp" and has_crs:
        found.append(path.with_suffix(".prj"))
    return [one for one in found if one.suffix != ".qml" or not is_foreign(one, renderer=RENDERER)]


def stale(path: Path) -> list[Path]:
    """Return the files that may lie beside an older `path` and must not stay beside a new one."""
    if path.suffix.lower() == ".shp":
        endings = (".prj", ".qpj", ".qix", ".sbn", ".sbx", ".idm", ".ind", ".shp.xml")
        return [path.with_suffix(ending) for ending in endings]
    return [path.with_name(path.name + ending) for ending in _SQLITE_FILES]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _cut(name: str) -> str:
    return name.encode()[:_DBF_TEXT].decode("utf-8", "ignore")


def _require_space(path: Path, needed: int) -> None:
    if shutil.disk_usage(path.parent).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Turn failures of GDAL and SQLite into one that a user understands."""
    try:
        yield
    except (RuntimeError, sqlite3.Error, shapely.GEOSException) as error:
        raise _failed(name) from error


def _failed(name: str) -> CannotWrite:
    return CannotWrite(
        f"Cannot write {name}: the disk is full or failed",
        "free some space or choose another folder",
    )
