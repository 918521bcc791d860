"""Thumbnails of the samples in view, drawn on a thread and kept while there is room."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from geocnn_gui.errors import UnreadableFile
from geocnn_gui.gui.widgets.sample_picture import draw_sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QImage

    from geocnn_gui.data.samples import Samples
    from geocnn_gui.data.source import Source
    from geocnn_gui.gui.canvas.reader import Reader
    from geocnn_gui.gui.in_use import InUse
    from geocnn_gui.gui.widgets.sample_picture import Look

THUMBS = "thumbs"
#: So many are drawn before the first of them is shown.
_BATCH = 12
_KEPT_BYTES = 64_000_000


class Thumbs(QObject):
    """Draws what is wanted, nothing else; what was wanted before is forgotten.

    Signals
    -------
    drawn: there are new ones.
    """

    drawn = Signal()

    def __init__(self, reader: Reader, in_use: InUse, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reader, self._in_use = reader, in_use
        self._source: Source | None = None
        self._look: Look | None = None
        self._kept: OrderedDict[int, QImage | None] = OrderedDict()
        self._bytes = 0
        self._wanted: list[int] = []
        reader.answered.connect(self._on_answered)

    @property
    def kept(self) -> int:
        """Count the thumbnails that are drawn."""
        return len(self._kept)

    def take(self, source: Source | None, look: Look | None) -> None:
        """Draw another source, or the same in another way."""
        self._source, self._look = source, look
        self._kept.clear()
        self._wanted, self._bytes = [], 0
        self._reader.forget(THUMBS)

    def image(self, sample: int) -> QImage | None:
        """Return a thumbnail; None where it is not drawn, or cannot be."""
        return self._kept.get(sample)

    def is_damaged(self, sample: int) -> bool:
        """Say whether a sample was found to be unreadable."""
        return sample in self._kept and self._kept[sample] is None

    def want(self, samples: Sequence[int]) -> None:
        """Draw these, and no others that were wanted before."""
        for sample in samples:
            if sample in self._kept:
                self._kept.move_to_end(sample)
        self._wanted = [sample for sample in samples if sample not in self._kept]
        if not self._reader.waits_for(THUMBS):
            self._ask()

    def _ask(self) -> None:
        source, look = self._source, self._look
        if source is None or source.samples is None or look is None or not self._wanted:
            return
        batch, samples = self._wanted[:_BATCH], source.samples
        side = max(look.size.width(), look.size.height())

        def draw() -> dict[int, QImage | None]:
            return {i: drawn_small(samples, i, side, look) for i in batch}

        self._reader.ask(THUMBS, self._in_use.bound(source, draw))

    def _on_answered(self, topic: str, answer: dict[int, QImage | None]) -> None:
        if topic != THUMBS:
            return
        self._kept.update(answer)
        self._bytes += sum(image.sizeInBytes() for image in answer.values() if image is not None)
        while self._bytes > _KEPT_BYTES and len(self._kept) > len(answer):
            _, old = self._kept.popitem(last=False)
            self._bytes -= old.sizeInBytes() if old is not None else 0
        self._wanted = [sample for sample in self._wanted if sample not in answer]
        self.drawn.emit()
        self._ask()


def drawn_small(samples: Samples, index: int, side: int, look: Look) -> QImage | None:
    """Draw a sample no finer than `side` cells across; None where it is damaged."""
    try:
        values = samples.read(index) if samples.dims == 1 else samples.read_small(index, side)
    except UnreadableFile:
        return None
    return draw_sample(values, look)
