"""Sample sets: patches, images or traces with one label each, as a source of 1 x n cells."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from itertools import islice
from typing import TYPE_CHECKING, Literal

import numpy as np

from geocnn_gui.data.source import Axis, Band, Picture, Source, Window
from geocnn_gui.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from geocnn_gui.data.source import Domain, Section

Fit = Literal["crop", "resize"]
#: Endings of images, in lower case.
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
#: So many names in a folder are looked at to see whether it holds samples.
_LOOKED_AT = 2000
#: Of more damaged samples only these are named.
_NAMED = 5


class Samples(ABC):
    """What a sample set holds.

    `names` one for each sample; `dims` 2 for patches and images, 1 for traces; `size` (rows,
    columns) of a usual sample, (length, 1) of a trace; `labels` uint8 (n,), ids from 1, 0 where
    unlabelled; `classes` (id, name) of all ids; `groups` int64 (n,), the record that each sample
    was cut from, or None; `fit` says how a sample comes to another size: its middle ("crop"),
    or all of it stretched ("resize"). Reading methods may be called from several threads.
    """

    names: Sequence[str]
    dims: Literal[1, 2]
    size: tuple[int, int]
    labels: np.ndarray
    classes: tuple[tuple[int, str], ...]
    groups: np.ndarray | None = None
    fit: Fit = "crop"

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def read(self, index: int) -> np.ndarray:
        """Return a sample, float32 (bands, rows, columns), a trace (bands, length, 1).

        NaN where it has no data. Raises `UnreadableFile` where it is damaged.
        """

    def read_small(self, index: int, side: int) -> np.ndarray:
        """Return a sample decimated to at most `side` cells across, for a thumbnail."""
        values = self.read(index)
        down, along = (max(1, -(-n // side)) for n in values.shape[1:])
        return values[:, ::down, ::along]

    def close(self) -> None:
        """Release what is open."""
        return


class SampleSource(Source):
    """A sample set as a picture of one row: each cell is a sample, its value the sample's mean.

    Of traces, whose mean says nothing, it is the root of the mean square. A sample that turns
    out to be damaged is not live, and the notes name it.
    """

    kind = "samples"

    def __init__(
        self,
        samples: Samples,
        *,
        name: str,
        domain: Domain,
        bands: tuple[Band, ...],
        dtype: np.dtype | str = "float32",
        path: Path | None = None,
    ) -> None:
        self.samples = self.set = samples
        self.name, self.path, self.domain, self.bands = name, path, domain, bands
        self.format, self.dtype = "Sample set", np.dtype(dtype)
        self.axes = Axis("set", "", 0, 1, 1), Axis("sample", "", 0, 1, len(samples))
        self._values = np.zeros((len(bands), len(samples)), np.float32)
        self._known = np.zeros(len(samples), bool)
        self._live = np.zeros(len(samples), bool)
        self._damaged: list[str] = []
        self._lock = threading.Lock()

    def read(self, window: Window) -> np.ndarray:
        """Return float32 (bands, rows, columns): the mean of each sample, 0 where damaged."""
        rows, columns = window.slices
        self._know(range(columns.start, columns.stop))
        return self._values[:, None, columns][:, : rows.stop - rows.start].copy()

    def live(self, window: Window) -> np.ndarray:
        """Return bool (rows, columns): False for damaged samples."""
        rows, columns = window.slices
        self._know(range(columns.start, columns.stop))
        return self._live[None, columns][: rows.stop - rows.start].copy()

    def read_preview(
        self, section: Section, rows: slice, columns: slice, shape: tuple[int, int]
    ) -> Picture:
        """Read every so-manieth sample; those between are not touched."""
        step = max(1, -(-(columns.stop - columns.start) // shape[1]))
        picked = range(columns.start, columns.stop, step)
        self._know(picked)
        height = rows.stop - rows.start
        values, live = (each[..., picked] for each in (self._values, self._live))
        return Picture(values[:, None][:, :height].copy(), live[None][:height].copy())

    def close(self) -> None:
        """Release the files."""
        self.set.close()

    def values(self, most: int) -> Iterator[np.ndarray]:
        """Yield float32 (bands, cells) of the readable samples, evenly picked, about `most` values.

        For statistics; NaN is left out.
        """
        cells = int(np.prod(self.set.size)) * len(self.bands)
        for index in evenly(len(self.set), max(1, most // max(cells, 1))):
            values = self._read(index)
            if values is not None:
                flat = values.reshape(len(values), -1)
                yield flat[:, np.isfinite(flat).all(axis=0)]

    @property
    def live_share(self) -> tuple[float, bool]:
        """Return the share of readable samples among those read, and whether all have been."""
        known = int(self._known.sum())
        return float(self._live.sum()) / max(known, 1), known == len(self._known)

    def _know(self, wanted: range) -> None:
        """Read the samples among `wanted` whose mean is not known yet."""
        for index in wanted:
            if not self._known[index]:
                self._read(index)

    def _read(self, index: int) -> np.ndarray | None:
        """Read a sample and remember its mean; None where it is damaged or holds nothing."""
        try:
            values = self.set.read(index)
        except UnreadableFile:
            values = None
        if values is not None and not np.isfinite(values).all(axis=0).any():
            values = None
        with self._lock:
            if values is None and not self._known[index]:
                before = damage_note(self._damaged)
                self._damaged.append(self.set.names[index])
                others = tuple(note for note in self.notes if note != before)
                self.notes = (*others, damage_note(self._damaged))
            if values is not None:
                power = 2 if self.set.dims == 1 else 1
                mean = np.nanmean(values.astype(np.float64) ** power, axis=(1, 2))
                self._values[:, index] = mean ** (1 / power)
                self._live[index] = True
            self._known[index] = True
        return values


def holds_samples(path: Path) -> bool:
    """Say from its first names whether a folder may hold images by class, or .npz records."""
    for name, is_folder in _names(path):
        if name.startswith((".", "_")):
            continue
        inner = _names(path / name) if is_folder else ()
        if any(each.lower().endswith(IMAGES) for each, _ in inner):
            return True
        if not is_folder and name.lower().endswith(".npz"):
            return True
    return False


def _names(path: Path) -> list[tuple[str, bool]]:
    try:
        with os.scandir(path) as entries:
            return [(each.name, each.is_dir()) for each in islice(entries, _LOOKED_AT)]
    except OSError:
        return []


def evenly(n: int, most: int) -> list[int]:
    """Return at most `most` of n indices, the middles of equal parts."""
    if n <= most:
        return list(range(n))
    return ((np.arange(most) + 0.5) * n / most).astype(int).tolist()


def damage_note(names: Sequence[str]) -> str:
    """Name what is damaged and left out."""
    shown = ", ".join(names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"Left out, for they are damaged or empty: {shown}{more}."


def named_labels(
    values: np.ndarray, names: Sequence[str] = ()
) -> tuple[np.ndarray, tuple[tuple[int, str], ...]]:
    """Return ids uint8 and (id, name) of labels given as whole numbers or as names.

    `names` are those of the numbers from 0, or of the numbers found, in order. Where 0 is among
    the numbers ids are one above them; where the largest is above 254 they are 1 to n. Negative
    numbers, NaN and empty names are unlabelled. Equal names are counted: "a", "a (2)". Raises
    `ValueError` above 254 classes, and for what is neither whole numbers nor names.
    """
    values = np.asarray(values)
    if values.dtype.kind in "SU":
        texts = values.astype(str)
        known = sorted(set(texts.tolist()) - {""})
        values = np.array([known.index(text) if text else -1 for text in texts.tolist()])
        names = known
    values = _whole(values)
    numbers = np.unique(values[values >= 0]).tolist()
    if len(numbers) > 254:
        raise ValueError("more than 254 classes")
    first = int(bool(numbers) and numbers[0] == 0)
    renumbered = max(numbers, default=0) + first > 254
    ids = range(1, len(numbers) + 1) if renumbered else [n + first for n in numbers]
    table = np.array([0, *ids], np.uint8)
    found = table[np.where(values < 0, 0, np.searchsorted(numbers, values) + 1)]
    named = dict(zip(numbers, names, strict=False)) if len(names) == len(numbers) else dict(
        enumerate(names))  # fmt: skip
    given = [named.get(n, "")[:80] or f"Class {n}" for n in numbers]
    return found, tuple(zip(ids, _distinct(given), strict=True))


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names, each that was there before with a number: "a", "a (2)"."""
    found: list[str] = []
    for name in names:
        number, own = 2, name
        while own in found or (own != name and own in names):
            own, number = f"{name[:72]} ({number})", number + 1
        found.append(own)
    return found


def _whole(values: np.ndarray) -> np.ndarray:
    """Return numbers as int64, -1 for NaN; raises `ValueError` where they are not whole."""
    if values.dtype.kind not in "biuf":
        raise ValueError("neither whole numbers nor names")
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), -1, values)
        if (odd := values[values != np.rint(values)]).size:
            raise ValueError(f"{odd[0]:g}, which is no whole number")
    if values.size and np.abs(values.astype(np.float64)).max() > 2.0**53:
        raise ValueError("numbers that are too large for classes")
    return values.astype(np.int64)
