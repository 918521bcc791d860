"""What a stroke gathers before it is written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geocnn_gui.data.source import Section


@dataclass(frozen=True, slots=True, eq=False)
class StrokePart:
    """Part of a stroke: cells (bool) of a block of a section, and what they get.

    `value` is one class id, or uint8 of the mask's shape. `asked` says whether there were cells
    to change before the rules had their say.
    """

    section: Section
    rows: slice
    columns: slice
    mask: np.ndarray
    value: np.ndarray | int
    asked: bool = True


def join(parts: list[StrokePart]) -> StrokePart:
    """Join the parts of one stroke into one over their bounding box."""
    rows = slice(min(p.rows.start for p in parts), max(p.rows.stop for p in parts))
    columns = slice(min(p.columns.start for p in parts), max(p.columns.stop for p in parts))
    shape = rows.stop - rows.start, columns.stop - columns.start
    mask = np.zeros(shape, bool)
    ids = {part.value if isinstance(part.value, int) else -1 for part in parts}
    value = ids.pop() if len(ids) == 1 else -1
    values = np.zeros(shape, np.uint8) if value < 0 else value
    for part in parts:
        at = (slice(part.rows.start - rows.start, part.rows.stop - rows.start),
              slice(part.columns.start - columns.start, part.columns.stop - columns.start))  # fmt: skip
        mask[at] |= part.mask
        if isinstance(values, np.ndarray):
            np.copyto(values[at], part.value, where=part.mask, casting="unsafe")
    return StrokePart(parts[0].section, rows, columns, mask, values, any(p.asked for p in parts))
