"""Where the cursor is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from geocnn_gui.data.source import Axis, Section, Source

_SHORT_NAMES = {
    "inline": "IL", "crossline": "XL", "cdp": "CDP", "trace": "Trace", "time": "TWT",
    "depth": "Depth", "row": "Row", "column": "Column",
}  # fmt: skip
THIN_SPACE = "\u202f"
MINUS = "\u2212"


def number_text(value: float, digits: int | None = None) -> str:
    """Write a number for reading: thin spaces between thousands, a true minus sign.

    `digits` are the decimals; None keeps about five significant figures.
    """
    if digits is None:
        size = abs(value)
        if size and (size < 1e-4 or size >= 1e9):
            return f"{value:.3g}".replace("-", MINUS)
        whole = size >= 1e4 or value == int(value)
        digits = 0 if whole else 4 - int(np.floor(np.log10(max(size, 1))))
        text = f"{value:,.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{value:,.{digits}f}"
    return text.replace(",", THIN_SPACE).replace("-", MINUS)


def decimals_of(step: float) -> int:
    """Return the decimals that tell neighbouring cells of an axis apart."""
    size = abs(step)
    if size == 0 or abs(size - round(size)) < 1e-6 * size:
        return 0
    return int(np.clip(np.ceil(-np.log10(size)) + 1, 1, 8))


def axis_text(axis: Axis, index: float) -> str:
    """Write a cell's place along one axis: "TWT 1 232 ms", "IL 362"."""
    name = _SHORT_NAMES.get(axis.name, axis.name.capitalize())
    # Inline, crossline and CDP numbers are names: no spaces between their thousands.
    counted = axis.unit == ""
    at = axis.at(index)
    text = f"{at:g}" if counted and at == int(at) and abs(at) < 1e6 else None
    text = text or number_text(at, decimals_of(axis.step))
    return f"{name} {text} {axis.unit}".rstrip()


def position_texts(source: Source, section: Section, row: int, column: int) -> tuple[str, ...]:
    """Write where a picture cell lies: along every axis, and on the map where that is known."""
    place = source.map_position(section, row, column)
    if source.kind == "raster" and place is not None:
        digits = _map_digits(source)
        return (f"x {number_text(place[0], digits)}", f"y {number_text(place[1], digits)}")
    plane = source.plane(section)
    index = {plane.row_axis: row, plane.column_axis: column, section.axis: section.index}
    texts = tuple(axis_text(axis, index[i]) for i, axis in enumerate(source.axes))
    if place is not None:
        texts += (f"(x {number_text(place[0], 0)}  y {number_text(place[1], 0)})",)
    return texts


def _map_digits(source: Source) -> int:
    size = min((abs(axis.step) for axis in source.axes), default=1.0)
    return decimals_of(size) if size < 1 else int(size < 10)
