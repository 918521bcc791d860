"""Write a prediction as a NumPy array file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.events import Event, Progress
from geocnn_gui.export.layers import Layer, slabs
from geocnn_gui.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Source


def export_array(layer: Layer, source: Source, out: Path) -> Iterator[Event]:
    """Write `.npy` in the array order of `source`: classes uint8, confidence float32.

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
    parts = slabs(layer.shape)
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for done, window in enumerate(parts, 1):
            file.write(np.ascontiguousarray(layer.read(window)).data)
            yield Progress(done, len(parts), f"Writing {out.name}")
