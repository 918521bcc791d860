"""The data as an image: values quantised to 8 bits under a colour table, or three bands as RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from geocnn_gui.data.source import Picture
from geocnn_gui.gui.canvas.parts import Part

if TYPE_CHECKING:
    from PySide6.QtCore import QSizeF

    from geocnn_gui.gui.canvas.viewport import Viewport

#: From so many device pixels a cell on, cells are drawn as sharp squares.
SHARP_CELL = 5.0


@dataclass(frozen=True, slots=True)
class Rendering:
    """How values become colours: (low, high) per band, and 256 packed colours for one band."""

    limits: tuple[tuple[float, float], ...]
    colours: tuple[int, ...] = ()


@dataclass(slots=True)
class _Piece:
    key: object
    part: Part
    picture: Picture
    image: QImage | None = None


class ImageItem:
    """A coarse picture of the whole section and a fine one of what is in view.

    A change of colours or limits works on the values held; nothing is read anew.
    """

    def __init__(self) -> None:
        self._coarse: _Piece | None = None
        self._fine: _Piece | None = None
        self._rendering: Rendering | None = None

    def fine_part(self, key: object) -> Part | None:
        """Return what the fine picture of `key` covers, None where there is none."""
        return self._fine.part if self._fine is not None and self._fine.key == key else None

    def value_at(self, key: object, row: int, column: int) -> np.ndarray | None:
        """Return a live cell's values float32 (bands,), None where they are not held exactly."""
        piece = self._fine
        if piece is None or piece.key != key or piece.part.step != (1, 1):
            return None
        row, column = row - piece.part.rows.start, column - piece.part.columns.start
        live = piece.picture.live
        if live.shape != piece.part.shape or not (0 <= row < len(live)):
            return None
        inside = 0 <= column < live.shape[1] and live[row, column]
        return piece.picture.values[:, row, column] if inside else None

    def has_coarse(self, key: object) -> bool:
        """Say whether the coarse picture of `key` is there."""
        return self._coarse is not None and self._coarse.key == key

    @property
    def empty(self) -> bool:
        """Say whether there is nothing to draw."""
        return self._coarse is None and self._fine is None

    def clear(self) -> None:
        """Forget the pictures."""
        self._coarse = self._fine = None

    def set_coarse(self, key: object, part: Part, picture: Picture) -> None:
        """Take the picture of a whole section; `key` says of which section and bands."""
        self._coarse = _Piece(key, part, picture)
        if self._fine is not None and self._fine.key != key:
            self._fine = None

    def set_fine(self, key: object, part: Part, picture: Picture) -> None:
        """Take the picture of what is in view; a coarse one of another key goes."""
        self._fine = _Piece(key, part, picture)
        if self._coarse is not None and self._coarse.key != key:
            self._coarse = None

    def set_rendering(self, rendering: Rendering) -> None:
        """Draw with these limits and colours from now on."""
        if rendering != self._rendering:
            self._rendering = rendering
            for piece in (self._coarse, self._fine):
                if piece is not None:
                    piece.image = None

    def paint(self, painter: QPainter, viewport: Viewport, size: QSizeF) -> None:
        """Draw what is in view onto a widget of `size`."""
        for piece in self._shown(viewport, size):
            if self._rendering is None or piece.part.empty:
                continue
            if len(piece.picture.values) != len(self._rendering.limits):
                continue  # of another choice of bands; the new one is on its way
            if piece.image is None:
                piece.image = rendered(piece.picture, self._rendering)
            sharp = _pixels_per_cell(painter, viewport, piece.part) >= SHARP_CELL
            hint = QPainter.RenderHint.SmoothPixmapTransform
            painter.setRenderHint(hint, not sharp)
            draw_part(painter, piece.image, piece.part, viewport, size)
            painter.setRenderHint(hint, False)

    def _shown(self, viewport: Viewport, size: QSizeF) -> list[_Piece]:
        """Return the pieces to draw; the coarse one only where the fine one leaves something."""
        fine, coarse = self._fine, self._coarse
        if fine is not None:
            if coarse is None:
                return [fine]
            shape = coarse.part.rows.stop, coarse.part.columns.stop
            if fine.part.holds(*viewport.visible(size, shape)):
                return [fine]
        return [piece for piece in (coarse, fine) if piece is not None]


def rendered(picture: Picture, rendering: Rendering) -> QImage:
    """Turn values into an image; cells that are not live are transparent."""
    levels = [
        quantised(band, low, high)
        for band, (low, high) in zip(picture.values, rendering.limits, strict=True)
    ]
    if len(levels) == 1:
        return _indexed(levels[0], picture.live, rendering.colours)
    return _true_colour(levels[:3], picture.live)


def quantised(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return `values` as uint8 levels 1-255 from `low` to `high`, cut off beyond."""
    width = high - low
    factor = np.float32(254 / width) if width else np.float32(0)
    levels = values * factor
    levels += np.float32(1.5) - np.float32(low) * factor
    np.clip(levels, 1, 255, out=levels)
    return levels.astype(np.uint8)


def draw_part(
    painter: QPainter, image: QImage, part: Part, viewport: Viewport, size: QSizeF
) -> None:
    """Draw the visible cells of an image that covers `part`, stretched to where they belong."""
    block_rows, block_columns = _blocks(part, image)
    rows, columns = part.clip(*viewport.visible(size, (part.rows.stop, part.columns.stop)))
    first, last = _span(rows, part.rows.start, block_rows, image.height())
    left, right = _span(columns, part.columns.start, block_columns, image.width())
    if first >= last or left >= right:
        return
    x = viewport.x_of(part.columns.start + left * block_columns)
    y = viewport.y_of(part.rows.start + first * block_rows)
    target = QRectF(
        x,
        y,
        viewport.x_of(part.columns.start + right * block_columns) - x,
        viewport.y_of(part.rows.start + last * block_rows) - y,
    )
    painter.drawImage(target, image, QRectF(left, first, right - left, last - first))


def _blocks(part: Part, image: QImage) -> tuple[float, float]:
    """Return the cells a pixel of the image spans, so that it covers exactly the part."""
    return (
        (part.rows.stop - part.rows.start) / image.height(),
        (part.columns.stop - part.columns.start) / image.width(),
    )


def _span(cells: slice, start: int, block: float, count: int) -> tuple[int, int]:
    """Return the image pixels that cover a run of cells, one more on each side."""
    first = max(int((cells.start - start) / block) - 1, 0)
    last = min(int((cells.stop - start) / block) + 2, count)
    return (first, last) if cells.stop > cells.start else (0, 0)


def _pixels_per_cell(painter: QPainter, viewport: Viewport, part: Part) -> float:
    scale = min(viewport.x_scale * part.step[1], viewport.y_scale * part.step[0])
    return scale * painter.device().devicePixelRatioF()


def _indexed(levels: np.ndarray, live: np.ndarray, colours: tuple[int, ...]) -> QImage:
    if not live.all():
        levels[~live] = 0
    levels = np.ascontiguousarray(levels)
    rows, columns = levels.shape
    image = QImage(levels.data, columns, rows, columns, QImage.Format.Format_Indexed8)
    image.setColorTable([0, *colours[1:]])
    return image.convertToFormat(_screen_format(live))


def _screen_format(live: np.ndarray) -> QImage.Format:
    """Return the format that Qt scales fastest; an indexed one takes several times as long."""
    kinds = QImage.Format
    return kinds.Format_RGB32 if live.all() else kinds.Format_ARGB32_Premultiplied


def _true_colour(levels: list[np.ndarray], live: np.ndarray) -> QImage:
    rows, columns = live.shape
    pixels = np.zeros((rows, columns, 4), np.uint8)
    for channel, level in enumerate(levels):
        np.copyto(pixels[..., channel], level, where=live)
    pixels[..., 3] = live * np.uint8(255)
    kind = QImage.Format.Format_RGBA8888_Premultiplied
    image = QImage(pixels.data, columns, rows, columns * 4, kind)
    return image.convertToFormat(_screen_format(live))
