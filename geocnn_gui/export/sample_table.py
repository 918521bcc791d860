"""Write what is predicted of a sample set as a table of text."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Window
from geocnn_gui.events import Event, Progress
from geocnn_gui.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Source
    from geocnn_gui.export.layers import Layer

_ROWS = 4096


def export_table(layer: Layer, source: Source, out: Path) -> Iterator[Event]:
    """Write `.csv`: a row for each sample with its name and what is predicted.

    Beside the classes (id, name) stand the confidence and, where they are stored, the
    probabilities of all classes. What is not predicted is empty.

    Raises
    ------
    CannotWrite
        When the disk is full or the folder cannot be written to; an older file stays.
    """
    samples = source.samples
    assert samples is not None
    names = {c.id: c.name for c in layer.classes}
    with replacing(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sample", "class_id", "class", "confidence", *_titles(layer)])
        for start in range(0, len(samples), _ROWS):
            window = Window((0, start), (1, min(_ROWS, len(samples) - start)))
            ids = layer.prediction.read_classes(window)[0]
            confidence = layer.prediction.read_confidence(window)[0]
            shares = _shares(layer, window)
            for i, number in enumerate(ids.tolist()):
                row: list[object] = [samples.names[start + i], "", "", ""]
                if number:
                    row[1:] = [number, names.get(number, f"Class {number}"), f"{confidence[i]:.4f}"]
                writer.writerow(row + [f"{v:.6f}" if number else "" for v in shares[:, i]])
            yield Progress(start + window.size[1], len(samples), f"Writing {out.name}")


def _stored(layer: Layer) -> bool:
    return bool(getattr(layer.prediction, "has_probabilities", False))


def _titles(layer: Layer) -> list[str]:
    return [f"p {c.name}" for c in layer.classes] if _stored(layer) else []


def _shares(layer: Layer, window: Window) -> np.ndarray:
    if not _stored(layer):
        return np.zeros((0, window.size[1]), np.float32)
    return layer.prediction.read_probabilities(window)[:, 0]  # type: ignore[attr-defined]
