"""Write a prediction as polygons with exact cell edges: GeoPackage, GeoJSON, Shapefile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Section
from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Event, Progress, Saved
from geocnn_gui.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Source
    from geocnn_gui.export.layers import Prediction
    from geocnn_gui.labels.classes import Classes

DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".shp": "ESRI Shapefile"}


def export_vectors(
    prediction: Prediction,
    source: Source,
    classes: Classes,
    out: Path,
    *,
    section: Section = Section(),  # noqa: B008
) -> Iterator[Event]:
    """Write the class map of a 2-D source or of one section; last event `Saved(out, "polygons")`.

    Raises
    ------
    BadRequest
        When the ending is unknown or a whole cube is asked for.
    CannotWrite
        When the disk is full or the folder cannot be written to; an older file stays.
    """
    import pyogrio
    import shapely
    from rasterio import Affine
    from rasterio.features import shapes

    if out.suffix.lower() not in DRIVERS:
        raise BadRequest(f"{out} is no vector file", "choose .gpkg, .geojson or .shp")
    if len(source.shape) == 3 and section.axis is None:
        raise BadRequest(f"{source.name} is a cube", "choose one of its sections")
    plane = source.plane(section)
    rows, columns = source.picture_shape(section)
    ids = plane.picture(prediction.read_classes(plane.window(slice(0, rows), slice(0, columns))))
    yield Progress(0, 1, f"Writing {out.name}")
    found = list(
        shapes(
            np.ascontiguousarray(ids),
            ids > 0,
            4,
            Affine(*(source.transform or (1, 0, 0, 0, -1, 0))),
        )
    )
    named = {c.id: c for c in classes}
    values = [int(value) for _, value in found]
    with replacing(out) as temporary:
        pyogrio.raw.write(
            temporary,
            shapely.to_wkb(np.array([shapely.geometry.shape(s) for s, _ in found])),
            [
                np.array(values, np.int32),
                np.array([named[v].name for v in values], object),
                np.array([named[v].color for v in values], object),
            ],
            ["class_id", "class_name", "color"],
            layer="classes", driver=DRIVERS[out.suffix.lower()], geometry_type="Polygon", crs=source.crs,
        )  # fmt: skip
        yield Progress(1, 1, f"Writing {out.name}")
    yield Saved(out, "polygons")
