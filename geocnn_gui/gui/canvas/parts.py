"""Which cells of a section to hold for the screen, and how finely."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtCore import QSizeF

    from geocnn_gui.gui.canvas.viewport import Shape, Viewport

#: A picture of at most so many cells is held whole, so that panning needs no reading.
WHOLE = 2_000_000
#: Cells along the longer side of the coarse picture that stands in until the fine one comes.
COARSE = 512
#: How much beyond the view is read on each side, as a share of the view.
MARGIN = 0.125


@dataclass(frozen=True, slots=True)
class Part:
    """A block of a section's cells, every `step` (rows, columns) of them."""

    rows: slice
    columns: slice
    step: tuple[int, int] = (1, 1)

    @property
    def shape(self) -> Shape:
        """Return how many (rows, columns) the part has at its step."""
        return (
            -(-(self.rows.stop - self.rows.start) // self.step[0]),
            -(-(self.columns.stop - self.columns.start) // self.step[1]),
        )

    @property
    def empty(self) -> bool:
        """Say whether the part has no cells."""
        return 0 in self.shape

    def holds(self, rows: slice, columns: slice) -> bool:
        """Say whether all of a block of cells lies in the part."""
        return _inside(rows, self.rows) and _inside(columns, self.columns)

    def clip(self, rows: slice, columns: slice) -> tuple[slice, slice]:
        """Return the part of a block of cells that lies in this part; may be empty."""
        return _common(rows, self.rows), _common(columns, self.columns)


def coarse_part(shape: Shape) -> Part:
    """Return the whole section at a step that is quick to read."""
    step = max(1, *(-(-n // COARSE) for n in shape))
    return Part(slice(0, shape[0]), slice(0, shape[1]), (step, step))


def wanted_part(viewport: Viewport, size: QSizeF, shape: Shape, ratio: float, whole: int) -> Part:
    """Return the part to hold for a view of `size` pixels at device pixel `ratio`.

    Steps are powers of two, as the overviews of rasters are, with at least one cell a device
    pixel. The part is the whole section where that is at most `whole` cells, else the view and a
    margin.
    """
    step = (_step(viewport.y_scale * ratio), _step(viewport.x_scale * ratio))
    everything = Part(slice(0, shape[0]), slice(0, shape[1]), step)
    if math.prod(everything.shape) <= whole:
        return everything
    rows, columns = viewport.visible(size, shape)
    return Part(_widened(rows, step[0], shape[0]), _widened(columns, step[1], shape[1]), step)


def still_good(held: Part | None, wanted: Part, rows: slice, columns: slice) -> bool:
    """Say whether the part held serves for the visible block, so that nothing need be read."""
    return held is not None and held.step == wanted.step and held.holds(rows, columns)


def _step(scale: float) -> int:
    return 1 if scale >= 1 else 2 ** int(math.log2(1 / scale) + 1e-9)


def _widened(part: slice, step: int, count: int) -> slice:
    margin = int((part.stop - part.start) * MARGIN)
    start = max(part.start - margin, 0) // step * step
    stop = min(-(-(part.stop + margin) // step) * step, count)
    return slice(start, stop)


def _inside(inner: slice, outer: slice) -> bool:
    return outer.start <= inner.start and inner.stop <= outer.stop


def _common(a: slice, b: slice) -> slice:
    start = max(a.start, b.start)
    return slice(start, max(min(a.stop, b.stop), start))
