"""Labels that looked wrong and that a user has said to be right: kept, not asked about again."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from geocnn_gui.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from geocnn_gui.data.source import Plane, Section
    from geocnn_gui.labels.store import LabelSnapshot, LabelStore

_FILE = "kept.json"
#: Bytes of the file that are read at most, and regions that it holds at most; the oldest go.
_LARGEST, _MOST = 4 * 2**20, 10_000
_AT_ONCE = 4_000_000
_Cell = Annotated[int, Field(ge=0)]


class KeptLabels(BaseModel):
    """Labels of one class in a box of a section, as they were when they were said to be right.

    `mark` tells the cells of the class in the box from others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    axis: Annotated[int, Field(ge=0, le=2)] | None
    index: _Cell
    rows: tuple[_Cell, _Cell]
    columns: tuple[_Cell, _Cell]
    label: Annotated[int, Field(ge=1, le=254)]
    mark: int

    @classmethod
    def of(
        cls, labels: LabelStore | LabelSnapshot, plane: Plane, box: tuple[slice, slice], label: int
    ) -> KeptLabels:
        """Describe the labels of a class in a box, rows and columns, of a section."""
        rows, columns = box
        return cls(
            axis=plane.section.axis, index=plane.section.index, rows=(rows.start, rows.stop),
            columns=(columns.start, columns.stop), label=label,
            mark=_mark(labels, plane, rows, columns, label) or 0,
        )  # fmt: skip

    def holds(
        self, labels: LabelStore | LabelSnapshot, plane: Plane, cells: np.ndarray, label: int
    ) -> bool:
        """Say whether at least half of cells int (n, 2) of a class lie here, unchanged since."""
        section: Section = plane.section
        if (self.axis, self.index, self.label) != (section.axis, section.index, label):
            return False
        low, high = np.array([self.rows, self.columns]).T
        inside = ((cells >= low) & (cells < high)).all(axis=1)
        if 2 * np.count_nonzero(inside) < len(cells):
            return False
        rows, columns = slice(*self.rows), slice(*self.columns)
        return _mark(labels, plane, rows, columns, label) == self.mark


_ALL = TypeAdapter(tuple[KeptLabels, ...])


def read_kept(folder: Path) -> tuple[KeptLabels, ...]:
    """Return what is kept in the folder of a source's labels; nothing where that is damaged."""
    path = folder / _FILE
    try:
        if path.stat().st_size > _LARGEST:
            return ()
        return _ALL.validate_json(path.read_bytes())
    except (OSError, ValidationError):  # to be asked again does no harm
        return ()


def write_kept(folder: Path, kept: Sequence[KeptLabels]) -> None:
    """Write what is kept; raises `CannotWrite`."""
    write_bytes(folder / _FILE, _ALL.dump_json(tuple(kept)[-_MOST:]))


def _mark(
    labels: LabelStore | LabelSnapshot, plane: Plane, rows: slice, columns: slice, label: int
) -> int | None:
    """Return a sum over which cells of a box have a label; None where the box lies outside."""
    ends = (labels.shape[plane.row_axis], labels.shape[plane.column_axis])
    if rows.stop > ends[0] or columns.stop > ends[1]:  # a stranger's file
        return None
    mark, step = 1, max(1, _AT_ONCE // max(1, columns.stop - columns.start))
    for start in range(rows.start, rows.stop, step):
        part = slice(start, min(start + step, rows.stop))
        values = labels.read(plane.window(part, columns))
        mark = zlib.crc32(np.packbits(plane.picture(values) == label).tobytes(), mark)
    return mark
