"""What a stroke gathers before it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.labels.edit import LabelEdit

#: A stroke in a box of more cells is written square by square, of so many cells a side.
_AT_ONCE, _SIDE = 512 * 512, 256


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


@dataclass(eq=False)
class Tally:
    """What a step of painting is called and paints, and what becomes of it.

    `value` is the one class id that all of it gets, None for several; `then` hears how many cells
    have `changed`. `asked` says whether any were to change, `free` whether the rules let one, and
    `differs` whether they spared one that was shown as painted.
    """

    value: int | None
    text: str = ""
    then: Callable[[int], object] | None = None
    asked: bool = False
    free: bool = False
    differs: bool = False
    changed: int = 0

    def count(self, part: StrokePart, free: np.ndarray, edit: LabelEdit) -> None:
        """Note what has become of a part of which the rules left some cells `free`."""
        self.asked |= part.asked
        self.free |= bool(free.any())
        self.differs |= free is not part.mask and not np.array_equal(free, part.mask)
        self.changed += edit.cells


def bounds(parts: list[StrokePart]) -> tuple[slice, slice]:
    """Return the rows and columns that the parts of a stroke lie in."""
    rows = slice(min(p.rows.start for p in parts), max(p.rows.stop for p in parts))
    columns = slice(min(p.columns.start for p in parts), max(p.columns.stop for p in parts))
    return rows, columns


def joined(parts: list[StrokePart]) -> tuple[int, Iterator[StrokePart]]:
    """Join the parts of one stroke: into one, or of a far stroke into one for each square of cells.

    A stroke across a large raster touches few cells of its bounding box, which is never held.
    Return how many cells are looked at, and the parts, each joined when it is drawn.
    """
    groups = [parts] if area(*bounds(parts)) <= _AT_ONCE else _squares(parts)
    return sum(area(*bounds(group)) for group in groups), (join(group) for group in groups)


def area(rows: slice, columns: slice) -> int:
    """Return how many cells a block has."""
    return (rows.stop - rows.start) * (columns.stop - columns.start)


def _squares(parts: list[StrokePart]) -> list[list[StrokePart]]:
    squares: dict[tuple[int, int], list[StrokePart]] = {}
    for part in parts:
        for key, piece in _cut(part):
            squares.setdefault(key, []).append(piece)
    return list(squares.values())


def only_value(parts: list[StrokePart]) -> int | None:
    """Return the class id that all parts have, None where there are several."""
    ids = {part.value if isinstance(part.value, int) else None for part in parts}
    return ids.pop() if len(ids) == 1 else None


def _cut(part: StrokePart) -> Iterator[tuple[tuple[int, int], StrokePart]]:
    for i in range(part.rows.start // _SIDE, -(-part.rows.stop // _SIDE)):
        for j in range(part.columns.start // _SIDE, -(-part.columns.stop // _SIDE)):
            rows, columns = _overlap(part.rows, i), _overlap(part.columns, j)
            inside = (slice(rows.start - part.rows.start, rows.stop - part.rows.start),
                      slice(columns.start - part.columns.start, columns.stop - part.columns.start))  # fmt: skip
            value = part.value if isinstance(part.value, int) else part.value[inside]
            yield (
                (i, j),
                replace(part, rows=rows, columns=columns, mask=part.mask[inside], value=value),
            )


def _overlap(cells: slice, square: int) -> slice:
    return slice(max(cells.start, square * _SIDE), min(cells.stop, (square + 1) * _SIDE))


def join(parts: list[StrokePart]) -> StrokePart:
    """Join the parts of one stroke into one over their bounding box."""
    rows, columns = bounds(parts)
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
