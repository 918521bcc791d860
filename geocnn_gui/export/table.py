"""The one entry to every writer: the name's ending says the format."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Event, Saved
from geocnn_gui.export.layers import Layer, Prediction, What

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Source
    from geocnn_gui.labels.classes import Classes

#: Suffix -> "module:function" called with (layer, source, out). Writers are added here.
WRITERS: dict[str, str] = {
    ".tif": "geocnn_gui.export.raster:export_raster",
    ".tiff": "geocnn_gui.export.raster:export_raster",
    ".sgy": "geocnn_gui.export.segy:export_segy",
    ".segy": "geocnn_gui.export.segy:export_segy",
    ".npy": "geocnn_gui.export.array:export_array",
}


def export_prediction(
    prediction: Prediction, source: Source, classes: Classes, out: Path, what: What = "classes"
) -> Iterator[Event]:
    """Write the classes or the confidence of a prediction in the format that `out` names.

    The last event is `Saved(out, "prediction")` or `Saved(out, "confidence")`.

    Raises
    ------
    BadRequest
        When the format is unknown, does not suit the source, or `out` is the source itself.
    CannotWrite
        When the disk is full or the folder cannot be written to; an older file stays.
    """
    check_output(source, out)
    module, _, name = WRITERS[out.suffix.lower()].partition(":")
    layer = Layer(prediction, what, classes)
    yield from getattr(importlib.import_module(module), name)(layer, source, out)
    yield Saved(out, "prediction" if what == "classes" else "confidence")


def check_output(source: Source, out: Path) -> None:
    """Raise `BadRequest` where a prediction of `source` cannot be written to `out`."""
    suffix = out.suffix.lower()
    if suffix not in WRITERS:
        raise BadRequest(
            f"{out} has no ending that names a known format",
            "choose a name that ends in .tif, .sgy or .npy",
        )
    if out.exists() and not out.is_file():
        raise BadRequest(f"{out} is not a file", "choose another name")
    if source.path is not None and out.exists() and out.samefile(source.path):
        raise BadRequest(f"{out} is the data file itself", "choose another name")
    if len(source.shape) != 2 and suffix in (".tif", ".tiff"):
        raise BadRequest(
            f"{source.name} is a cube and {out.name} would be a picture",
            "choose a name that ends in .sgy or .npy",
        )
    if suffix in (".sgy", ".segy") and not source.format.startswith("SEG-Y"):
        raise BadRequest(
            f"{source.name} is no SEG-Y file, so {out.name} would have no headers",
            "choose a name that ends in .tif or .npy",
        )
