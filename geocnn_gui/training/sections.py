"""What a training looks at: sources with labels, and which sections of them. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geocnn_gui.data.source import Section, Source
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.labels.targets import TargetValues

_MOST_SECTIONS = 64
_MOST_CELLS = 500_000


@dataclass(frozen=True)
class Pair:
    """A source and labels on its grid; `sections` None means those that hold the labels.

    With a `target` its values are learned instead of classes: where labels are painted, whatever
    their class, and everywhere where there are none.
    """

    source: Source
    labels: LabelSnapshot
    sections: tuple[Section, ...] | None = None
    target: TargetValues | None = None


def labelled_sections(source: Source, labels: LabelSnapshot) -> tuple[Section, ...]:
    """Return the sections that hold the labels, fullest first; of a 2-D source the only one.

    A painted cube gives every section that was painted, along whichever axis. A cube with
    labels nearly everywhere gives `_MOST_SECTIONS` evenly spaced ones along its fullest axis,
    and the fullest of each class that those would miss.
    """
    if not source.section_axes:
        return (Section(),)
    every = _labelled_cells(labels)
    left, chosen = every, []
    while len(left) and len(chosen) < _MOST_SECTIONS:
        chosen.append(_fullest(left, source.shape))
        left = _without(left, chosen[-1])
    if len(left) and chosen[0].axis is not None:
        chosen = _evenly(chosen[0].axis, every)
        chosen += _of_missing_classes(every, chosen, source.shape)
    return tuple(chosen)


def _labelled_cells(labels: LabelSnapshot) -> np.ndarray:
    """Return (n, 4) of labelled cells, three indices and the class id.

    Of classes with many cells a random part stands for all; small ones are complete.
    """
    random = np.random.default_rng(0)
    room = _MOST_CELLS / max(1, len(labels.counts))
    shares = np.ones(256)
    for number, count in labels.counts.items():
        shares[number] = min(1.0, room / count)
    parts = [np.zeros((0, 4), np.int64)]
    for window in labels.labelled_windows():
        values = labels.read(window)
        found = np.argwhere(values)
        ids = values[tuple(found.T)]
        taken = random.random(len(found)) < shares[ids]
        parts.append(np.column_stack([found[taken] + window.offset, ids[taken]]))
    return np.concatenate(parts)


def _fullest(cells: np.ndarray, shape: tuple[int, ...]) -> Section:
    counts = [np.bincount(cells[:, axis], minlength=shape[axis]) for axis in range(3)]
    axis = int(np.argmax([c.max() for c in counts]))
    return Section(axis, int(counts[axis].argmax()))


def _without(cells: np.ndarray, section: Section) -> np.ndarray:
    assert section.axis is not None
    return cells[cells[:, section.axis] != section.index]


def _evenly(axis: int, cells: np.ndarray) -> list[Section]:
    held = np.unique(cells[:, axis])
    picked = np.unique(np.linspace(0, len(held) - 1, _MOST_SECTIONS).round().astype(int))
    return [Section(axis, int(i)) for i in held[picked]]


def _of_missing_classes(
    cells: np.ndarray, chosen: list[Section], shape: tuple[int, ...]
) -> list[Section]:
    """Return the fullest section of each class that has no cell in those chosen."""
    left = cells
    for section in chosen:
        left = _without(left, section)
    total, missed = (np.bincount(each[:, 3], minlength=256) for each in (cells, left))
    added = [
        _fullest(cells[cells[:, 3] == number], shape)
        for number in np.flatnonzero((missed == total) & (total > 0))
    ]
    return list(dict.fromkeys(added))
