"""The colour tables as Qt wants them: packed, with an opacity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.colour_maps import CONFIDENCE_MAP, colour_table, rgb

if TYPE_CHECKING:
    from geocnn_gui.labels.classes import Classes

_UNKNOWN_CLASS = (128, 128, 128)


def packed(table: np.ndarray, alpha: np.ndarray | int = 255) -> list[int]:
    """Return RGB colours (n, 3) as the 0xAARRGGBB numbers Qt wants."""
    table = table.astype(np.uint32)
    alpha = np.broadcast_to(np.asarray(alpha, np.uint32), len(table))
    return (alpha << 24 | table[:, 0] << 16 | table[:, 1] << 8 | table[:, 2]).tolist()


def class_colours(classes: Classes, opacity: float) -> list[int]:
    """Return the colour of every id 0-255; 0 is transparent, an id without a class is grey."""
    table = np.full((256, 3), _UNKNOWN_CLASS, np.uint8)
    for one in classes:
        table[one.id] = rgb(one.color)
    return packed(table, _alpha(opacity))


def confidence_colours(opacity: float, name: str = CONFIDENCE_MAP) -> list[int]:
    """Return the colour of levels 1-255 (0 to 1); level 0, no prediction, is clear."""
    table = colour_table(name)
    return packed(np.concatenate([table[:1], table[:-1]]), _alpha(opacity))


def _alpha(opacity: float) -> np.ndarray:
    alpha = np.full(256, round(255 * min(max(opacity, 0.0), 1.0)))
    alpha[0] = 0
    return alpha
