"""The data, labels and predicted classes around a place, as much as is bearable to read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.gui.canvas.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.data.source import Section, Source
    from geocnn_gui.gui.canvas.tools.base import Host
    from geocnn_gui.gui.state import ShownMap
    from geocnn_gui.labels.store import LabelStore

#: So many cells are searched at once, and so many values are read for them in all and at a time.
MOST_CELLS, _MOST_VALUES, _AT_ONCE = 4_000_000, 64_000_000, 2_000_000
#: Beyond the view so much of it is searched on each side.
_MARGIN = 0.125
Block = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A block of a section of `shape` cells, all arrays (rows, columns).

    `values` float32 (bands in view, rows, columns); `live` bool; `labels` uint8; `predicted`
    uint8, None where no classes are shown.
    """

    rows: slice
    columns: slice
    shape: tuple[int, int]
    values: np.ndarray
    live: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray | None = None

    def place(self, cell: tuple[int, int]) -> tuple[int, int]:
        """Return a cell of the section as an index into the arrays."""
        return cell[0] - self.rows.start, cell[1] - self.columns.start

    def cuts(self, mask: np.ndarray) -> bool:
        """Say whether `mask` goes on beyond the block, as far as can be seen."""
        (rows, columns), box = self.shape, (self.rows, self.columns)
        sides = (
            (box[0].start > 0, mask[:1]), (box[0].stop < rows, mask[-1:]),
            (box[1].start > 0, mask[:, :1]), (box[1].stop < columns, mask[:, -1:]),
        )  # fmt: skip
        return any(inner and bool(side.any()) for inner, side in sides)


def block_around(host: Host, cell: tuple[int, int]) -> Block:
    """Return what to search around a cell: the section, or the view and a margin, or less."""
    rows, columns = shape = host.picture_shape
    most = most_cells(host)
    if rows * columns <= most:
        return slice(0, rows), slice(0, columns)
    seen = host.viewport.visible(host.size_f, shape)
    wide = [_widened(part, count) for part, count in zip(seen, shape, strict=True)]
    area = math.prod(part.stop - part.start for part in wide)
    share = math.sqrt(min(1.0, most / max(area, 1)))
    return _around(wide[0], cell[0], share), _around(wide[1], cell[1], share)


def most_cells(host: Host) -> int:
    """Return how many cells of the source in view are searched at most."""
    source = host.session.source
    return min(MOST_CELLS, _MOST_VALUES // max(len(source.bands), 1)) if source else MOST_CELLS


def reader_of(host: Host, block: Block, *, data: bool = True) -> Callable[[], Ground]:
    """Return what reads a block of the section in view; for a thread. Without `data`: labels only."""
    session = host.session
    source, book, section = session.source, session.labels, session.section
    assert source is not None
    assert book is not None
    shown, bands = session.shown_map, session.view.bands
    shown = shown if shown is not None and shown.target is None else None
    sections = host.questions.sections
    shape = host.picture_shape

    def read() -> Ground:
        others = _labels(source, section, block, book.store, shown)
        if not data:
            live = np.ones(others[0].shape, bool)
            return Ground(*block, shape, np.zeros((0, *live.shape), np.float32), live, *others)
        if sections.keeps(source, section):
            picture = sections.read(source, section, Part(*block), bands=bands)
            return Ground(*block, shape, picture.values, picture.live, *others)
        return Ground(*block, shape, *_read(source, section, block, bands), *others)

    return read


def _labels(
    source: Source, section: Section, block: Block, store: LabelStore, shown: ShownMap | None
) -> tuple[np.ndarray, np.ndarray | None]:
    plane = source.plane(section)
    window = plane.window(*block)
    labels = plane.picture(store.read(window))
    return labels, plane.picture(shown.read_classes(window)) if shown is not None else None


def _read(
    source: Source, section: Section, block: Block, bands: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return values of some bands and live cells, read strip by strip: files hold all bands."""
    rows, columns = block
    shape = rows.stop - rows.start, columns.stop - columns.start
    values, live = np.zeros((len(bands), *shape), np.float32), np.zeros(shape, bool)
    step = max(1, _AT_ONCE // max(shape[1] * len(source.bands), 1))
    for start in range(rows.start, rows.stop, step):
        part = slice(start, min(start + step, rows.stop))
        picture = source.read_picture(section, part, columns)
        inside = slice(part.start - rows.start, part.stop - rows.start)
        values[:, inside], live[inside] = picture.values[list(bands)], picture.live
    return values, live


def _widened(part: slice, count: int) -> slice:
    margin = int((part.stop - part.start) * _MARGIN)
    return slice(max(part.start - margin, 0), min(part.stop + margin, count))


def _around(part: slice, at: int, share: float) -> slice:
    """Return a share of `part` that holds `at`, in its middle where there is room."""
    size = max(int((part.stop - part.start) * share), 1)
    start = min(max(at - size // 2, part.start), max(part.stop - size, part.start))
    start = min(start, at)
    return slice(start, max(min(start + size, part.stop), at + 1))
