"""Draw a sample, a patch or a trace, as a picture; may be called from any thread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPolygonF


@dataclass(frozen=True, slots=True)
class Look:
    """How samples are drawn: `size` in pixels of the screen, one or three `bands`.

    `limits` (low, high) of each of these bands, None for those of the sample itself; `table`
    uint8 (256, 3) colours a single band; `ink` "#rrggbb" draws traces.
    """

    size: QSize
    bands: tuple[int, ...]
    limits: tuple[tuple[float, float], ...] | None
    table: np.ndarray
    ink: str


def draw_sample(values: np.ndarray, look: Look) -> QImage:
    """Draw float32 (bands, rows, columns), a trace where there is one column, into `look.size`."""
    return _wiggle(values[:, :, 0], look) if values.shape[2] == 1 else _patch(values, look)


def _patch(values: np.ndarray, look: Look) -> QImage:
    """Return a patch, its proportions kept, its cells sharp where they are enlarged."""
    shown = [values[band] for band in look.bands if band < len(values)] or [values[0]]
    levels = [_levels(band, _limits(band, look, n)) for n, band in enumerate(shown)]
    pixels = look.table[levels[0]] if len(levels) == 1 else np.stack(levels, axis=2)
    alpha = np.where(np.isfinite(values).all(axis=0), 255, 0)[..., None]
    pixels = np.ascontiguousarray(np.concatenate([pixels, alpha], axis=2), np.uint8)
    rows, columns = pixels.shape[:2]
    image = QImage(pixels.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGBA8888)
    enlarged = columns < look.size.width() and rows < look.size.height()
    how = (Qt.TransformationMode.FastTransformation if enlarged
           else Qt.TransformationMode.SmoothTransformation)  # fmt: skip
    return image.scaled(look.size, Qt.AspectRatioMode.KeepAspectRatio, how)


def _limits(band: np.ndarray, look: Look, number: int) -> tuple[float, float]:
    if look.limits is not None and number < len(look.limits):
        return look.limits[number]
    finite = band[np.isfinite(band)]
    low, high = np.percentile(finite, (2, 98)) if finite.size else (0.0, 1.0)
    return float(low), float(high)


def _levels(band: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    low, high = limits
    shares = (np.nan_to_num(band) - low) / (high - low if high > low else 1)
    return (np.clip(shares, 0, 1) * 255).astype(np.uint8)


def _wiggle(values: np.ndarray, look: Look) -> QImage:
    """Return components (bands, length) one below the other, time to the right."""
    width, height = look.size.width(), look.size.height()
    image = QImage(look.size, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    ink = QColor(look.ink)
    faint = QColor(ink)
    faint.setAlpha(46)
    room = height / len(values)
    values = np.nan_to_num(values - np.nanmean(values, axis=1, keepdims=True))
    peak = max(float(np.abs(values).max()), 1e-30)
    peak = max(peak, (peak * _usual(look)) ** 0.5)  # quiet ones look quieter, and can be seen
    for number, trace in enumerate(values):
        middle = (number + 0.5) * room
        lines = _envelope(trace / peak, width)
        x = np.linspace(2, width - 2, lines.shape[1])
        low, high = (middle - 0.46 * room * side for side in lines)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(faint)
        above = np.minimum(high, middle)
        painter.drawPolygon(_line(np.r_[x, x[-1], x[0]], np.r_[above, middle, middle]))
        painter.setPen(ink)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if lines.shape[1] == len(trace):
            painter.drawPolyline(_line(x, high))
        else:
            painter.drawPolyline(_line(np.repeat(x, 2), np.stack([high, low], 1).ravel()))
    painter.end()
    return image


def _usual(look: Look) -> float:
    return 0.0 if look.limits is None else max(abs(v) for pair in look.limits for v in pair)


def _envelope(trace: np.ndarray, width: int) -> np.ndarray:
    """Return lowest and highest (2, columns) of each column of pixels; the trace where it is short."""
    if len(trace) <= 2 * width:
        return np.stack([trace, trace])
    edges = np.linspace(0, len(trace), width + 1).astype(int)[:-1]
    return np.stack([np.minimum.reduceat(trace, edges), np.maximum.reduceat(trace, edges)])


def _line(x: np.ndarray, y: np.ndarray) -> QPolygonF:
    return QPolygonF([QPointF(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)])


def centred(image: QImage, room: QRectF) -> QRectF:
    """Return where an image lies in the middle of `room`, in units of the screen."""
    size = image.deviceIndependentSize()
    left = room.center().x() - size.width() / 2
    return QRectF(left, room.center().y() - size.height() / 2, size.width(), size.height())
