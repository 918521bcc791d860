"""Small arrays as images: around zero in red, white and blue, or from zero up."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage

from geocnn_gui.data.colour_maps import colour_table


def value_image(values: np.ndarray, *, signed: bool, opacity: float | None = None) -> QImage:
    """Return (rows, columns) as an image of as many pixels.

    `signed` values are drawn around 0 up to the largest size; others from the least to the
    largest. With an `opacity` 0-1 cells are the clearer the less they say.
    """
    values = np.nan_to_num(np.asarray(values, np.float32))
    low = -float(np.abs(values).max()) if signed else float(min(values.min(), 0.0))
    high = -low if signed else float(values.max())
    shares = (values - low) / (high - low) if high > low else np.full(values.shape, 0.5 * signed)
    levels = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
    table = colour_table("red-white-blue")[::-1] if signed else colour_table("viridis")
    pixels = np.empty((*values.shape, 4), np.uint8)
    pixels[..., :3] = table[levels]
    pixels[..., 3] = 255
    if opacity is not None:
        says = np.abs(2 * shares - 1) if signed else shares
        pixels[..., 3] = np.rint(255 * opacity * np.sqrt(np.clip(says, 0, 1)))
    rows, columns = values.shape
    image = QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_RGBA8888)
    return image.copy()


def grey_image(values: np.ndarray) -> QImage:
    """Return (rows, columns) as a grey image, from the least value to the largest."""
    values = np.nan_to_num(np.asarray(values, np.float32))
    low, high = float(values.min()), float(values.max())
    levels = np.rint((values - low) * (255 / (high - low or 1.0))).astype(np.uint8)
    levels = np.ascontiguousarray(levels)
    rows, columns = levels.shape
    return QImage(levels.data, columns, rows, columns, QImage.Format.Format_Grayscale8).copy()
