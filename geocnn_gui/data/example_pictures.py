"""Small pictures of the examples, drawn quickly from their own data."""

from __future__ import annotations

import numpy as np

from geocnn_gui.data import synthetic_denoise, textbook
from geocnn_gui.data.source import Window

#: (rows, columns) of a picture.
SIZE = 180, 320
#: Traces are drawn in a blue that shows on white and on black.
_INK = (45, 124, 214)
_GAP = 8


def patches_picture() -> np.ndarray:
    """Draw two rows of one patch of each class: uint8 (rows, columns, 4), clear between them."""
    patches, classes = textbook.draw_patches(0)
    side = (SIZE[0] - _GAP) // 2
    picture = np.zeros((2 * side + _GAP, 3 * side + 2 * _GAP, 4), np.uint8)
    cells = np.arange(side) * textbook.PATCH_SIDE // side
    for row in range(2):
        for number in range(3):
            patch = patches[np.flatnonzero(classes == number)[row]][np.ix_(cells, cells)]
            top, left = row * (side + _GAP), number * (side + _GAP)
            box = picture[top : top + side, left : left + side]
            box[..., :3] = (patch * 255).astype(np.uint8)[..., None]
            box[..., 3] = 255
    return picture


def traces_picture() -> np.ndarray:
    """Draw a trace of each class, one below the other: uint8 (rows, columns, 4)."""
    traces, classes = textbook.draw_traces(0)
    rows, columns = SIZE
    picture = np.zeros((rows, columns, 4), np.uint8)
    picture[..., :3] = _INK
    at = np.linspace(0, textbook.TRACE_LENGTH - 1, columns + 1)
    pixels = np.arange(rows)[:, None]
    for place, number in enumerate((1, 0, 2)):
        trace = traces[np.flatnonzero(classes == number)[0]]
        middle = rows * (0.42, 0.5, 0.58)[place] + (place - 1) * rows * 0.16
        line = middle - 0.30 * rows * np.interp(at, np.arange(len(trace)), trace)
        low = np.minimum(line[:-1], line[1:]) - 1.3
        high = np.maximum(line[:-1], line[1:]) + 1.3
        cover = np.clip(np.minimum(high, pixels + 1) - np.maximum(low, pixels), 0, 1)
        picture[..., 3] = np.maximum(picture[..., 3], (cover * 255).astype(np.uint8))
    return picture


def denoise_picture() -> np.ndarray:
    """Draw the middle of the line, noisy on the left, clean on the right: uint8 (..., 3)."""
    whole = Window.whole(synthetic_denoise.SHAPE)
    noisy = synthetic_denoise.open_noisy_example().read(whole)
    clean = synthetic_denoise.open_clean_example().read(whole)
    half = SIZE[1] // 2
    left = (noisy.shape[0] - SIZE[1]) // 2
    top = (noisy.shape[1] - SIZE[0]) // 2
    part = slice(left, left + half), slice(left + half, left + 2 * half)
    rows = slice(top, top + SIZE[0])
    section = np.concatenate([noisy[part[0], rows], clean[part[1], rows]]).T
    limit = np.percentile(np.abs(clean), 98)
    grey = (np.clip(section / (2 * limit) + 0.5, 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
