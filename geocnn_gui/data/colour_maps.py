"""Colour tables: 256 colours each, made from a few anchors."""

from __future__ import annotations

from functools import cache

import numpy as np

#: Name -> evenly spaced anchor colours, from the lowest value to the highest.
COLOUR_MAPS: dict[str, tuple[str, ...]] = {
    "grey": ("#000000", "#ffffff"),
    "grey-reversed": ("#ffffff", "#000000"),
    "red-white-blue": (
        "#67001f", "#b2182b", "#d6604d", "#f4a582", "#fddbc7", "#f7f7f7",
        "#d1e5f0", "#92c5de", "#4393c3", "#2166ac", "#053061",
    ),
    "viridis": (
        "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c",
        "#28ae80", "#5ec962", "#addc30", "#fde725",
    ),
    "cividis": (
        "#00224e", "#123570", "#3b496c", "#575d6d", "#707173",
        "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838",
    ),
}  # fmt: skip
#: What the maps are called for a reader.
COLOUR_MAP_TITLES: dict[str, str] = {
    "grey": "Grey",
    "grey-reversed": "Grey, reversed",
    "red-white-blue": "Red-white-blue",
    "viridis": "Viridis",
    "cividis": "Cividis",
}
CONFIDENCE_MAP = "viridis"
#: Of values that swing around 0.
DIVERGING_MAP = "red-white-blue"


@cache
def colour_table(name: str) -> np.ndarray:
    """Return the 256 colours of a map, uint8 (256, 3), RGB; an unknown name gives grey."""
    anchors = np.array([rgb(c) for c in COLOUR_MAPS.get(name, COLOUR_MAPS["grey"])], float)
    at = np.linspace(0, len(anchors) - 1, 256)
    channels = [np.interp(at, np.arange(len(anchors)), anchors[:, i]) for i in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


def rgb(color: str) -> tuple[int, int, int]:
    """Return red, green and blue 0-255 of "#rrggbb"."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
