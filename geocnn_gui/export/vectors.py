"""Write a prediction as polygons with exact cell edges: GeoPackage, GeoJSON, Shapefile."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from rasterio import Affine

from geocnn_gui.data.source import Plane, Section
from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Event, Note, Progress, Saved
from geocnn_gui.export.cell_area import CellArea
from geocnn_gui.export.layers import Prediction
from geocnn_gui.export.polygons import Tracer
from geocnn_gui.export.styles import kept
from geocnn_gui.export.vector_files import (
    WRITERS,
    Batch,
    VectorLayer,
    VectorWriter,
    companions,
    stale,
)
from geocnn_gui.files import replacing_set

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Source
    from geocnn_gui.export.polygons import Regions
    from geocnn_gui.labels.classes import Classes

_STRIP_CELLS = 2**20
_BATCH = 20_000
_WHOLE = Section()


def export_vectors(
    prediction: Prediction,
    source: Source,
    classes: Classes,
    out: Path,
    *,
    section: Section = _WHOLE,
    minimum_cells: int = 1,
) -> Iterator[Event]:
    """Write the class map of a 2-D source, or of one section of a cube, as polygons.

    Fields: `class_id`, `class_name`, `color`, `kind` ("prediction"), `cells`, `confidence` (the
    mean, 0..1, null where there is none), and `area_m2`; or `area_units`, in squares of the
    coordinates' unit, where there is no coordinate system. Polygons lie in the source's
    coordinate system (in GeoJSON longitude and latitude of WGS 84), those of a seismic section
    in its axes' units with time and depth counted downwards from 0 as negative numbers.
    Polygons below `minimum_cells` are left out, and their cells stay empty. The last event is
    `Saved(out, "polygons")`.

    Strips of the map are read one after the other; only polygons that reach the newest strip
    are held in memory.

    Raises
    ------
    BadRequest
        When the ending is unknown, or all of a cube or a section that is not there is asked for.
    CannotWrite
        When the disk is full, the folder cannot be written to or the format holds no more; the
        older files stay.
    """
    check_vectors(source, out, section)
    job = _Job.of(prediction, source, section)
    yield from _notes(source, out, job)
    beside = companions(out, has_crs=job.crs is not None)
    old = [path for path in stale(out) if path not in beside]
    layer = job.layer(classes, source, styled=out.with_suffix(".qml") in beside)
    if out.suffix.lower() != ".gpkg" and not layer.styled:
        yield Note(kept(out))
    with replacing_set(out, beside, stale=old) as temporaries:
        writer = WRITERS[out.suffix.lower()](temporaries[0], out.name, layer)
        with closing(writer):
            yield from _write(job, writer, minimum_cells)
            notes = writer.finish()
    yield from (Note(text) for text in notes)
    yield Saved(out, "polygons")


def _write(job: _Job, writer: VectorWriter, minimum_cells: int) -> Iterator[Progress]:
    """Trace the map and hand the polygons on, some ten thousand at a time."""
    strips, waiting, count = job.strips(), [], 0
    for done, regions in enumerate(job.trace(strips), 1):
        progress = Progress(done, len(strips) + 1, f"Writing {writer.name}")
        waiting.append(_batch(regions, minimum_cells))
        count += len(waiting[-1].ids)
        if count >= _BATCH or done == progress.total:
            for piece in Batch.joined(waiting).pieces(_BATCH):
                writer.write(piece)
                yield progress
            waiting, count = [], 0
        else:
            yield progress


def check_vectors(source: Source, out: Path, section: Section = _WHOLE) -> None:
    """Raise `BadRequest` where polygons of `source` cannot be written to `out`."""
    if out.suffix.lower() not in WRITERS:
        raise BadRequest(
            f"{out} has no ending that names a format for polygons",
            "choose a name that ends in .gpkg, .geojson or .shp",
        )
    if out.exists() and not out.is_file():
        raise BadRequest(f"{out} is not a file", "choose another name")
    if source.path is not None and out.exists() and out.samefile(source.path):
        raise BadRequest(f"{out} is the data file itself", "choose another name")
    if len(source.shape) == 3 and section.axis is None:
        raise BadRequest(
            f"{source.name} is a cube and polygons are flat", "choose one of its sections"
        )
    if section.axis is not None and (
        section.axis not in source.section_axes
        or not 0 <= section.index < source.shape[section.axis]
    ):
        raise BadRequest(f"{source.name} has no such section", "choose another one")


@dataclass(frozen=True, slots=True)
class _Job:
    """What is traced: the map, cut into strips along its slower axis, and where its cells lie.

    `affine` takes (second, first) axis of the map as stored to coordinates.
    """

    prediction: Prediction
    plane: Plane
    shape: tuple[int, int]
    affine: Affine
    crs: str | None
    measure: CellArea

    @classmethod
    def of(cls, prediction: Prediction, source: Source, section: Section) -> _Job:
        plane, shape = source.plane(section), source.picture_shape(section)
        affine, crs = _placed(source, plane), source.crs if section.axis is None else None
        if plane.row_axis > plane.column_axis:  # traces are rows on disk, columns in the picture
            affine = Affine(affine.b, affine.a, affine.c, affine.e, affine.d, affine.f)
            shape = shape[1], shape[0]
        return cls(prediction, plane, shape, affine, crs, CellArea.of(affine, crs))

    def layer(self, classes: Classes, source: Source, *, styled: bool) -> VectorLayer:
        """Return what is the same for every polygon."""
        section = self.plane.section
        where = ""
        if section.axis is not None:
            axis = source.axes[section.axis]
            where = f"{axis.name} {axis.at(section.index):g}"
        return VectorLayer(classes, self.affine, self.crs, self.measure.in_metres, where, styled)

    def strips(self) -> list[slice]:
        rows, columns = self.shape
        thick = max(1, _STRIP_CELLS // columns)
        return [slice(at, min(at + thick, rows)) for at in range(0, rows, thick)]

    def trace(self, strips: list[slice]) -> Iterator[Regions]:
        """Yield the polygons that are whole after each strip, and the rest."""
        tracer = Tracer(self.shape[1])
        for strip in strips:
            area = self.measure.of_rows(strip.start, strip.stop, self.shape[1])
            yield tracer.add(*self._read(strip), area)
        yield tracer.finish()

    def _read(self, strip: slice) -> tuple[np.ndarray, np.ndarray]:
        across = slice(0, self.shape[1])
        turned = self.plane.row_axis > self.plane.column_axis
        window = self.plane.window(*((across, strip) if turned else (strip, across)))
        parts = self.prediction.read_classes(window), self.prediction.read_confidence(window)
        pictures = (self.plane.picture(part) for part in parts)
        first, second = (p.T if turned else p for p in pictures)
        return np.ascontiguousarray(first), np.ascontiguousarray(second)


def _placed(source: Source, plane: Plane) -> Affine:
    """Return what takes the picture's (column, row) corners to coordinates."""
    if source.transform is not None:
        return Affine(*source.transform)
    across, down = source.axes[plane.column_axis], source.axes[plane.row_axis]
    if source.banded:  # as GIS programs place a picture that has no place
        return Affine(1, 0, 0, 0, -1, 0)
    sign = -1 if down.vertical else 1
    return Affine(
        across.step, 0, across.at(-0.5), 0, sign * down.step, sign * down.at(-0.5)
    )  # fmt: skip


def _notes(source: Source, out: Path, job: _Job) -> Iterator[Note]:
    if source.kind == "raster" and job.crs is None:
        plain = " as plain coordinates" if out.suffix.lower() == ".geojson" else ""
        yield Note(f"{out.name} is written{plain} without CRS because {source.name} has none.")
    elif source.kind != "raster":
        across, down = source.axes[job.plane.column_axis], source.axes[job.plane.row_axis]
        minus = ", negative downwards" if down.vertical else ""
        yield Note(f"{out.name} has no CRS: x is {across.title}, y is {down.title}{minus}.")


def _batch(regions: Regions, minimum_cells: int) -> Batch:
    """Return the polygons, still in cells of the map, with what is said of each."""
    lengths = np.diff(regions.ring_starts)
    closing = np.insert(
        np.arange(len(regions.vertices)), regions.ring_starts[1:], regions.ring_starts[:-1]
    )
    polygons = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON,
        regions.vertices[closing][:, ::-1].astype(np.float64),
        (np.concatenate([[0], np.cumsum(lengths + 1)]), regions.region_starts),
    )
    mean = regions.confidence / np.maximum(regions.cells, 1)
    batch = Batch(polygons, regions.ids, regions.cells, mean, regions.area)
    return batch if minimum_cells <= 1 else batch.take(regions.cells >= minimum_cells)
