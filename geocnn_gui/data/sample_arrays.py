"""Patches or traces with their labels in an .npz file, as a sample set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.array import load_member, npz_members, open_array
from geocnn_gui.data.samples import Samples, SampleSource, named_labels
from geocnn_gui.data.source import Band
from geocnn_gui.errors import SeveralArrays, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from geocnn_gui.data.samples import Fit
    from geocnn_gui.data.source import Domain, Source

_MOST_BANDS = 16
#: A last or middle axis this short holds the components of a trace.
_COMPONENTS = 4
_LABELS = ("labels", "label", "y", "classes", "class", "patch_class", "target", "targets")
_DATA = ("patches", "traces", "images", "samples", "data", "x")
_GROUPS = ("groups", "group", "records", "record")
#: Whole numbers of at most so many values, patch by patch, look like labels of every pixel.
_FEW_VALUES = 32

Members = dict[str, tuple[tuple[int, ...], np.dtype]]


class ArraySamples(Samples):
    """Samples in an array float or whole (n, bands, rows, columns), in memory or mapped."""

    def __init__(
        self,
        array: np.ndarray,
        labels: np.ndarray,
        classes: tuple[tuple[int, str], ...],
        *,
        groups: np.ndarray | None = None,
        fit: Fit = "crop",
    ) -> None:
        self._array, self.labels, self.classes = array, labels, classes
        self.dims = 1 if array.shape[3] == 1 else 2
        self.size = array.shape[2], array.shape[3]
        self.groups, self.fit = groups, fit
        noun = "trace" if self.dims == 1 else "patch"
        self.names = [f"{noun} {i}" for i in range(len(array))]

    def read(self, index: int) -> np.ndarray:
        """Return float32 (bands, rows, columns); infinite numbers are no data."""
        values = self._array[index].astype(np.float32)
        return np.where(np.isfinite(values), values, np.nan)


def open_npz(
    path: Path,
    *,
    key: str | None = None,
    labels: str | None = None,
    domain: Domain | None = None,
    fit: Fit = "crop",
) -> Source:
    """Open an .npz file: with labels for the entries of an array a sample set, else one array.

    The array is (n, length) or (n, components, length) of traces, (n, rows, columns) or
    (n, bands, rows, columns) of patches; components or bands may also come last. Labels are n
    whole numbers (below 0 or NaN: unlabelled) or names. `key` and `labels` name them where there are
    several; `class_names` gives the names of numbers from 0, `groups` the records. One band
    is read as seismic, more as imagery, unless `domain` says so.

    Raises
    ------
    UnreadableFile
        When the file is damaged, or what is what cannot be told.
    """
    members = npz_members(path)
    pick = _pick(path, members, key, labels)
    if pick is None:
        return open_array(path, key=key, domain=domain or "imagery")
    source = _open(path, members, pick, domain, fit)
    source.choices = {"key": pick[0], "labels": pick[1], "domain": source.domain, "fit": fit}
    return source


def _open(
    path: Path, members: Members, pick: tuple[str, str], domain: Domain | None, fit: Fit
) -> SampleSource:
    data, marks = load_member(path, pick[0]), load_member(path, pick[1]).ravel()
    names = (
        load_member(path, "class_names").ravel().astype(str).tolist()
        if "class_names" in members
        else ()
    )
    try:
        ids, classes = named_labels(marks, names)
    except ValueError as error:
        raise UnreadableFile(f"{path}: {pick[1]} holds {error}", "choose other labels") from error
    array, axis = _arranged(data)
    samples = ArraySamples(array, ids, classes, groups=_records(path, members, pick[0]), fit=fit)
    bands = array.shape[1]
    titles = ("amplitude",) if bands == 1 else tuple(f"Band {i + 1}" for i in range(bands))
    source = SampleSource(
        samples, name=path.stem, path=path, dtype=data.dtype, bands=tuple(map(Band, titles)),
        domain=domain or ("seismic" if bands == 1 or samples.dims == 1 else "imagery"),
    )  # fmt: skip
    source.format = "NPZ"
    source.notes = (f"{pick[0]} holds {_told(samples, array, axis)}, {pick[1]} a label for each.",
                    *_name_notes(names, classes))  # fmt: skip
    return source


def _name_notes(names: Sequence[str], classes: tuple[tuple[int, str], ...]) -> tuple[str, ...]:
    """Say which classes have got another name than `class_names` gives, or none there."""
    given = {name[:80] for name in names}
    new = [name for _, name in classes if names and name not in given]
    unnamed = [name for name in new if name.startswith("Class ")]
    counted = [name for name in new if name not in unnamed]
    return (
        *((f"class_names has no name for {', '.join(unnamed)}.",) if unnamed else ()),
        *((f"class_names gives one name twice: {', '.join(counted)}.",) if counted else ()),
    )


def _records(path: Path, members: Members, data: str) -> np.ndarray | None:
    """Return the number of each sample's record; None where the file tells none."""
    shape = members[data][0]
    given = [n for group in _GROUPS for n in members if n.lower() == group and n != data]
    fitting = [n for n in given if members[n][0] in (shape[:1], (shape[0], 1))]
    if not given:
        return None
    if not fitting:  # without them parts of one record would be held out from one another
        raise _miscounted(path, given[0], members[given[0]][0], shape)
    return np.unique(load_member(path, fitting[0]).ravel(), return_inverse=True)[1]


def _pick(
    path: Path, members: Members, key: str | None, labels: str | None
) -> tuple[str, str] | None:
    """Return the names of data and labels; None where the file is no sample set."""
    for name in (key, labels):
        if name is not None and name not in members:
            raise UnreadableFile(
                f"{path} has no array named {name}", f"choose one of {', '.join(members)}"
            )
    marks = _marks(members, labels)
    arrays = [
        name for name, (shape, dtype) in members.items()
        if len(shape) in (2, 3, 4) and dtype.kind in "buif" and 0 not in shape
        and name not in marks and key in (None, name)
    ]  # fmt: skip
    lengths = {members[name][0][0] for name in marks}
    data = [name for name in arrays if members[name][0][0] in lengths]
    if not data:
        _refuse(path, members, arrays, [m for m in marks if labels or m.lower() in _LABELS])
        if labels is not None:
            raise UnreadableFile(f"{path}: {labels} has no array that it labels", "choose others")
        return None
    if len(data) > 1:
        data = [n for n in data if not _looks_like_labels(path, n, members)] or data
    found = _the_one(path, data, _DATA, "key")
    marks = [name for name in marks if members[name][0][0] == members[found][0][0]]
    marks = [name for name in marks if members[name][1].kind in "biuSU"] or marks
    return found, _the_one(path, marks, _LABELS, "labels")


def _marks(members: Members, chosen: str | None) -> list[str]:
    """Return what may be labels: the chosen, else those of a usual name, else whole numbers."""
    flat = {name for name, (shape, _) in members.items() if _is_flat(shape)}
    if chosen is not None:
        return [chosen] if chosen in flat else []
    lowered = {name.lower(): members[name][0] for name in members}
    usual = [
        name for name in members
        if name in flat and name.lower() in _LABELS and not _is_other(name, members, lowered)
    ]  # fmt: skip
    return usual or [
        name for name, (shape, dtype) in members.items()
        if len(shape) == 1 and shape[0] > 1 and dtype.kind in "iuSU"
        and name.lower() not in (*_GROUPS, *_LABELS, "class_names")
    ]  # fmt: skip


def _is_other(name: str, members: Members, lowered: dict[str, tuple[int, ...]]) -> bool:
    """Say whether an array called as labels are is an axis (y beside x), or names of classes."""
    if name.lower() == "y":
        return len(lowered.get("x", ())) == 1
    shape, dtype = members[name]
    entries = {s[0] for s in lowered.values() if len(s) in (2, 3, 4)}
    return name.lower() in ("class", "classes") and dtype.kind in "SU" and shape[0] not in entries


def _is_flat(shape: tuple[int, ...]) -> bool:
    """Say whether an array is (n,) or (n, 1)."""
    return len(shape) in (1, 2) and shape[0] > 0 and shape[1:] in ((), (1,))


def _refuse(path: Path, members: Members, arrays: list[str], marks: list[str]) -> None:
    """Refuse labels that are not as many as the samples."""
    if not marks or not arrays:
        return
    usual = [name for name in _DATA if name in arrays]
    name = usual[0] if usual else max(arrays, key=lambda n: len(members[n][0]))
    raise _miscounted(path, marks[0], members[marks[0]][0], members[name][0])


def _miscounted(
    path: Path, name: str, given: tuple[int, ...], shape: tuple[int, ...]
) -> UnreadableFile:
    traces = len(shape) == 2 or (len(shape) == 3 and min(shape[1:]) <= _COMPONENTS)
    noun = "traces" if traces else "patches"
    count = f"{math.prod(given):,} value{'' if math.prod(given) == 1 else 's'}"
    return UnreadableFile(
        f"{path}: {name} holds {count} for {shape[0]:,} {noun}", "save one for each of them"
    )


def _the_one(path: Path, names: list[str], usual: tuple[str, ...], choice: str) -> str:
    """Return the only one, or the first of the usual names."""
    known = [name for name in usual if name in {n.lower() for n in names}]
    if len(names) > 1 and not known:
        raise SeveralArrays(path, choice, names)
    return next((n for n in names if known and n.lower() == known[0]), names[0])


def _looks_like_labels(path: Path, name: str, members: Members) -> bool:
    if members[name][1].kind not in "bui":
        return False
    return len(np.unique(load_member(path, name)[:64])) <= _FEW_VALUES


def _arranged(data: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the samples as (n, bands, rows, columns), and the axis that was taken as bands."""
    if data.ndim == 2:
        return data[:, None, :, None], ""
    if data.ndim == 3:
        if data.shape[2] <= _COMPONENTS:
            return np.moveaxis(data, 2, 1)[..., None], "last"
        if data.shape[1] <= _COMPONENTS:
            return data[..., None], "second"
        return data[:, None], ""
    last = _bands_last(data.shape)
    return (np.moveaxis(data, 3, 1), "last") if last else (data, "second")


def _bands_last(shape: tuple[int, ...]) -> bool:
    """Tell (n, rows, columns, bands) from (n, bands, rows, columns): rows and columns are equal."""
    if shape[3] <= _COMPONENTS and shape[1] == shape[2]:
        return True
    return shape[2] != shape[3] and shape[1] > _MOST_BANDS


def _told(samples: Samples, array: np.ndarray, axis: str) -> str:
    """Say how an array was taken: "40 patches of 16 x 16 in 3 bands (the last axis)"."""
    trace = samples.dims == 1
    noun, parts = ("trace", "component") if trace else ("patch", "band")
    many = noun if len(array) == 1 else {"trace": "traces", "patch": "patches"}[noun]
    size = f"{array.shape[2]:,}" + (" samples" if trace else f" x {array.shape[3]:,}")
    parts += "" if array.shape[1] == 1 else "s"
    bands = f" in {array.shape[1]:,} {parts} (the {axis} axis)" if axis else ""
    return f"{len(array):,} {many} of {size}{bands}"
