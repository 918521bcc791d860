"""Write what is predicted of a sample set as a table of text."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Window
from geocnn_gui.events import Event, Progress
from geocnn_gui.files import replacing
from geocnn_gui.labels.samples import own_labels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.samples import Samples
    from geocnn_gui.data.source import Source
    from geocnn_gui.export.layers import Layer
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.store import LabelSnapshot

_ROWS = 4096


def export_table(
    layer: Layer,
    source: Source,
    out: Path,
    *,
    labels: LabelSnapshot | None = None,
    named: Classes = (),
) -> Iterator[Event]:
    """Write `.csv`: a row for each sample with its name, its label and what is predicted.

    `labels` are ids of the classes `named`; without them those that the set came with are written.
    Beside the classes (id, name) stand the confidence and, where they are stored, the
    probabilities of all classes; of values there is one column. What is not predicted is empty.

    Raises
    ------
    CannotWrite
        When the disk is full or the folder cannot be written to; an older file stays.
    """
    samples = source.samples
    assert samples is not None
    if layer.what == "values":
        yield from _export_values(layer, samples, out)
        return
    names = {c.id: c.name for c in layer.classes}
    ours = {c.id: c.name for c in named} if labels is not None else dict(samples.classes)
    labels = labels or own_labels(samples)
    with replacing(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sample", "label", "class_id", "class", "confidence", *_titles(layer)])
        for start in range(0, len(samples), _ROWS):
            window = Window((0, start), (1, min(_ROWS, len(samples) - start)))
            ids = layer.prediction.read_classes(window)[0]
            confidence = layer.prediction.read_confidence(window)[0]
            shares = _shares(layer, window)
            given = labels.read(window)[0]
            for i, number in enumerate(ids.tolist()):
                row: list[object] = [
                    samples.names[start + i],
                    ours.get(int(given[i]), ""),
                    "",
                    "",
                    "",
                ]
                if number:
                    row[2:] = [number, names.get(number, f"Class {number}"), f"{confidence[i]:.4f}"]
                writer.writerow(row + [f"{v:.6f}" if number else "" for v in shares[:, i]])
            yield Progress(start + window.size[1], len(samples), f"Writing {out.name}")


def _export_values(layer: Layer, samples: Samples, out: Path) -> Iterator[Event]:
    assert layer.target is not None
    with replacing(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sample", layer.target.title])
        for start in range(0, len(samples), _ROWS):
            window = Window((0, start), (1, min(_ROWS, len(samples) - start)))
            for i, value in enumerate(layer.read(window)[0].tolist(), start):
                writer.writerow([samples.names[i], f"{value:.9g}" if np.isfinite(value) else ""])
            yield Progress(start + window.size[1], len(samples), f"Writing {out.name}")


def _stored(layer: Layer) -> bool:
    return bool(getattr(layer.prediction, "has_probabilities", False))


def _titles(layer: Layer) -> list[str]:
    return [f"p {c.name}" for c in layer.classes] if _stored(layer) else []


def _shares(layer: Layer, window: Window) -> np.ndarray:
    if not _stored(layer):
        return np.zeros((0, window.size[1]), np.float32)
    return layer.prediction.read_probabilities(window)[:, 0]  # type: ignore[attr-defined]
