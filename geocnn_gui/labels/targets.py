"""A continuous value for every cell of a source, read from a file of the same grid."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.identity import identity_of
from geocnn_gui.data.source import Source, Window
from geocnn_gui.errors import BadRequest, LabelsMismatch
from geocnn_gui.labels.files import Grid, grid_on

if TYPE_CHECKING:
    from geocnn_gui.data.source import Plane


@dataclass(frozen=True)
class TargetValues:
    """The values to be learned, on the grid of a source; made by `target_on`.

    `mark` is the same for the same file, band and way of reading it.
    """

    name: str
    unit: str
    mark: str
    file: Source
    _grid: Grid

    def read(self, window: Window) -> np.ndarray:
        """Return float32 (*window.size) in physical units, NaN where there is no value."""
        values = self._grid.read(window)
        return values[0] if self._grid.banded else values

    def picture(self, plane: Plane, rows: slice, columns: slice) -> np.ndarray:
        """Return float32 (rows, columns) of a section's part, NaN where there is no value."""
        return plane.picture(self.read(plane.window(rows, columns)))


def target_on(
    file: Source, source: Source, *, band: int | None = None, name: str = "", unit: str = ""
) -> TargetValues:
    """See a file of values in the array order of `source`.

    `band` counts from 0 and is needed where the file has several. `name` and `unit` take the
    place of those that the file says. Nodata, NaN, infinity, alpha 0 and dead traces are no
    value. The order of the axes is found as for labels.

    Raises
    ------
    LabelsMismatch
        When it lies on another grid.
    BadRequest
        When the band is missing, or does not exist.
    """
    stacked = source.kind == "cube" and file.banded
    own = _name(file)
    if not stacked:
        band = _band(file, own, band)
    view = _Physical(file, None if stacked else band)
    try:
        grid = grid_on(view, source)
    except LabelsMismatch as error:
        raise LabelsMismatch(
            error.fact.replace("labels need", "a target needs"),
            "choose a target on the grid of the data, or cut or resample it to that",
        ) from error
    chosen = file.bands[band or 0]
    several = len(file.bands) > 1 and not stacked
    read = sorted((k, v) for k, v in file.choices.items() if k != "vertical")
    mark = hashlib.sha256(f"{identity_of(file)} {band} {read}".encode()).hexdigest()[:16]
    return TargetValues(
        name=(name or (f"{own} {chosen.name}" if several else own))[:80],
        unit=(unit or chosen.unit)[:40], mark=mark, file=file, _grid=grid,
    )  # fmt: skip


def _name(file: Source) -> str:
    return file.path.stem if file.path is not None else file.name


def _band(file: Source, name: str, band: int | None) -> int:
    count = len(file.bands)
    if band is None and count > 1:
        raise BadRequest(
            f"{name} has {count} bands and a target is one value for each cell",
            f"choose one of its bands, 1 to {count}",
        )
    if not 0 <= (band or 0) < count:
        raise BadRequest(
            f"{name} has no band {(band or 0) + 1}", f"choose one of its bands, 1 to {count}"
        )
    return band or 0


class _Physical(Source):
    """A source whose numbers are float32 in physical units, NaN where it is not live.

    With `band` it has that band alone.
    """

    def __init__(self, file: Source, band: int | None) -> None:
        self._file, self._band = file, slice(None) if band is None else slice(band, band + 1)
        self.path, self.name, self.kind, self.domain = file.path, file.name, file.kind, file.domain
        self.format, self.axes, self.bands = file.format, file.axes, file.bands[self._band]
        self.crs, self.transform, self.dtype = file.crs, file.transform, np.dtype(np.float32)

    def read(self, window: Window) -> np.ndarray:
        values = self._file.read(window)
        values = self._file.to_physical(values if self.banded else values[None])
        values[:, ~self._file.live(window)] = np.nan
        values[~np.isfinite(values)] = np.nan
        return values[self._band] if self.banded else values[0]

    def live(self, window: Window) -> np.ndarray:
        return np.ones(window.size, bool)

    def close(self) -> None:
        self._file.close()
