"""What a training looks at: sources with labels, and which sections of them. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geocnn_gui.data.source import Section, Source
from geocnn_gui.labels.store import LabelSnapshot

_MOST_SECTIONS = 64
_MOST_CELLS = 500_000
_ENOUGH = 0.95


@dataclass(frozen=True)
class Pair:
    """A source and labels on its grid; `sections` None means those that hold the labels."""

    source: Source
    labels: LabelSnapshot
    sections: tuple[Section, ...] | None = None


def labelled_sections(source: Source, labels: LabelSnapshot) -> tuple[Section, ...]:
    """Return the sections that hold the labels, fullest first; of a 2-D source the only one.

    A painted cube gives the few sections that were painted, along whichever axis. A cube with
    labels everywhere gives `_MOST_SECTIONS` evenly spaced ones along its fullest axis.
    """
    if not source.section_axes:
        return (Section(),)
    cells = _labelled_cells(labels)
    total, chosen = len(cells), []
    while len(cells) > (1 - _ENOUGH) * total and len(chosen) < _MOST_SECTIONS:
        axis, index = _fullest(cells, source.shape)
        chosen.append(Section(axis, index))
        cells = cells[cells[:, axis] != index]
    if len(cells) > (1 - _ENOUGH) * total:
        return _evenly(chosen[0].axis or 0, _labelled_cells(labels))
    return tuple(chosen)


def _labelled_cells(labels: LabelSnapshot) -> np.ndarray:
    """Return indices int (n, 3) of labelled cells, thinned at random to a bounded number."""
    random = np.random.default_rng(0)
    share = min(1.0, _MOST_CELLS / max(1, sum(labels.counts.values())))
    parts = [np.zeros((0, 3), np.int64)]
    for window in labels.labelled_windows():
        found = np.argwhere(labels.read(window))
        if share < 1:
            found = found[random.random(len(found)) < share]
        parts.append(found + window.offset)
    return np.concatenate(parts)


def _fullest(cells: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int]:
    counts = [np.bincount(cells[:, axis], minlength=shape[axis]) for axis in range(3)]
    axis = int(np.argmax([c.max() for c in counts]))
    return axis, int(counts[axis].argmax())


def _evenly(axis: int, cells: np.ndarray) -> tuple[Section, ...]:
    held = np.unique(cells[:, axis])
    picked = np.unique(np.linspace(0, len(held) - 1, _MOST_SECTIONS).round().astype(int))
    return tuple(Section(axis, int(i)) for i in held[picked])
