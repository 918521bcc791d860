"""Write a prediction as a NumPy array file."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from geocnn_gui.events import Event, Progress
from geocnn_gui.export.layers import Layer, slabs
from geocnn_gui.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Source, Window


def export_array(layer: Layer, source: Source, out: Path) -> Iterator[Event]:
    """Write `.npy` in the array order of `source`: classes uint8, confidence float32.

    Probabilities are float32 (classes, ...), the classes in the order of `layer.classes`, NaN
    where nothing is predicted.

    Raises
    ------
    CannotWrite
        When the disk is full or the folder cannot be written to; an older file stays.
    """
    header = {
        "descr": np.lib.format.dtype_to_descr(layer.dtype),
        "fortran_order": False,
        "shape": layer.shape,
    }
    every = len(layer.classes) if layer.what == "probabilities" else 1
    parts = slabs(layer.prediction.shape, values=every)
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()
        for done, window in enumerate(parts, 1):
            _write(file, start, layer, window)
            yield Progress(done, len(parts), f"Writing {out.name}")


def _write(file: BinaryIO, start: int, layer: Layer, window: Window) -> None:
    """Write a slab behind the header, which ends at byte `start`; one piece for each class."""
    rest = int(np.prod(layer.prediction.shape[1:], dtype=np.int64))
    each = layer.prediction.shape[0] * rest
    values = layer.read(window).reshape(-1, *window.size)
    for number, piece in enumerate(values):
        file.seek(start + (number * each + window.offset[0] * rest) * layer.dtype.itemsize)
        file.write(np.ascontiguousarray(piece).data)
