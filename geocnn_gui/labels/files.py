"""Labels from and to files that other programs know: rasters, pictures, SEG-Y and .npy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from geocnn_gui.data.source import Section, Source, Window, open_source
from geocnn_gui.errors import BadRequest, LabelsMismatch
from geocnn_gui.files import replacing, write_bytes
from geocnn_gui.labels.classes import Classes, classes_for
from geocnn_gui.labels.rasters import check_place, encode_raster, names_and_colors
from geocnn_gui.labels.samples import own_classes, own_labels
from geocnn_gui.labels.store import LabelSnapshot, LabelStore

if TYPE_CHECKING:
    from collections.abc import Iterator

HIGHEST = 254
_SLAB_CELLS = 2**22
_ARRAY_FILES = (".npy", ".npz")


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Labels read for a source, in its array order, and the classes found in them.

    `coloured`: the file holds colours and no ids, so that the ids mean nothing outside of it.
    """

    snapshot: LabelSnapshot
    classes: Classes
    coloured: bool = False


def read_label_file(path: Path, source: Source) -> LabelFile:
    """Read labels on the grid of `source`: a raster, a picture, a SEG-Y or an array file.

    0, nodata, NaN, alpha 0 and missing traces are unlabelled. In a picture with colours each
    one is a class, black is unlabelled. For a seismic line, SEG-Y and array files are (trace,
    sample), rasters have samples down; where only the other order fits, that one is taken.

    Raises
    ------
    UnreadableFile
        When the file is missing, damaged or of no known kind.
    LabelsMismatch
        When it lies on another grid, or holds other values than whole numbers 0-254.
    """
    path = Path(path)
    with open_source(path) as label:
        if label.samples is not None:
            return _own_labels(label, source)
        grid = grid_on(label, source)
        is_picture = label.kind == "raster" and path.suffix.lower() not in _ARRAY_FILES
        coloured = is_picture and len(label.bands) == 3
        values = _Colours(grid, path, source.shape) if coloured else _Ids(grid, path)
        store = LabelStore(source.shape)
        for window in slabs(source.shape):
            store.write(window, values.read(window))
    names, colors = names_and_colors(path) if is_picture and not coloured else ({}, {})
    found = classes_for(list(store.counts), names)
    colors |= values.colors
    classes = tuple(c.model_copy(update={"color": colors.get(c.id, c.color)}) for c in found)
    return LabelFile(store.snapshot(), classes, coloured)


def _own_labels(label: Source, source: Source) -> LabelFile:
    """Return the labels that a sample set brings along."""
    assert label.samples is not None
    if label.shape != source.shape:
        raise _wrong_size(label, source, label.shape)
    return LabelFile(own_labels(label.samples), own_classes(label.samples))


class Grid(Protocol):
    """A label file seen in the array order of the source; 0 where it is not live."""

    @property
    def banded(self) -> bool:
        """Say whether `read` puts a band axis in front."""
        ...

    def read(self, window: Window) -> np.ndarray:
        """Return (*window.size), with a band axis in front where `banded`."""
        ...


@dataclass(frozen=True)
class _Plain:
    """A label file in the source's own order, or with its two axes swapped."""

    label: Source
    swapped: bool = False

    @property
    def banded(self) -> bool:
        return self.label.banded

    def read(self, window: Window) -> np.ndarray:
        if self.swapped:
            window = Window(window.offset[::-1], window.size[::-1])
        values = self.label.read(window)
        if self.label.banded:  # traces are not masked: one of a single class looks dead
            values = np.where(self.label.live(window), values, 0)
        return values.swapaxes(-1, -2) if self.swapped else values


@dataclass(frozen=True)
class _Stacked:
    """A cube in an array file, of which one side is so short that it was taken for bands."""

    label: Source
    axis: int
    banded = False

    def read(self, window: Window) -> np.ndarray:
        offset, size = list(window.offset), list(window.size)
        first, count = offset.pop(self.axis), size.pop(self.axis)
        values = self.label.read(Window(tuple(offset), tuple(size)))
        return np.moveaxis(values[first : first + count], 0, self.axis)


def grid_on(label: Source, source: Source) -> Grid:
    """Find how a label file lies on a source; raises `LabelsMismatch`."""
    if source.kind == "cube" and label.banded:
        for axis in (0, 2):
            shape = list(label.shape)
            shape.insert(axis, len(label.bands))
            if tuple(shape) == source.shape and _is_array(label):
                return _Stacked(label, axis)
    if len(label.shape) != len(source.shape):
        raise _wrong_size(label, source, label.shape)
    swap = len(source.shape) == 2 and _swapped_by_convention(label, source)
    orders = (swap, not swap) if len(source.shape) == 2 else (False,)
    for swapped in orders:
        if source.shape == (label.shape[::-1] if swapped else label.shape):
            _check_bands(label)
            if label.kind == source.kind == "raster" and not swapped:
                check_place(label, source)
            _check_numbers(label, source)
            return _Plain(label, swapped)
    raise _wrong_size(label, source, label.shape[::-1] if swap else label.shape)


def _is_array(source: Source) -> bool:
    return source.path is not None and source.path.suffix.lower() in _ARRAY_FILES


def _swapped_by_convention(label: Source, source: Source) -> bool:
    """Say whether one is ordered by trace and the other a picture; arrays follow the other."""
    if _is_array(label) or _is_array(source):
        return False
    return (label.kind == "line") != (source.kind == "line")


def _check_bands(label: Source) -> None:
    allowed = (1,) if _is_array(label) or label.dtype != np.uint8 else (1, 3)
    if len(label.bands) not in allowed:
        raise LabelsMismatch(
            f"{_name(label)} has {len(label.bands)} bands but labels need one",
            "choose a label file, or save the band with the labels alone",
        )


def _check_numbers(label: Source, source: Source) -> None:
    """Compare the inline and crossline numbers of two SEG-Y cubes of one shape."""
    if not label.format.startswith("SEG-Y") or not source.format.startswith("SEG-Y"):
        return
    for theirs, ours in list(zip(label.axes, source.axes, strict=True))[:-1]:
        if label.kind == "cube" and (theirs.first, theirs.step) != (ours.first, ours.step):
            raise LabelsMismatch(
                f"{_name(label)} has {theirs.name}s {theirs.first:g}-{theirs.at(theirs.size - 1):g}"
                f" but {_name(source)} {ours.first:g}-{ours.at(ours.size - 1):g}",
                "choose the labels of this survey",
            )


def _wrong_size(label: Source, source: Source, shape: tuple[int, ...]) -> LabelsMismatch:
    """Compare the sizes in the order in which a user of the source names them."""
    words = {
        "line": "traces x samples", "raster": "columns x rows", "samples": "samples x sets"
    }  # fmt: skip
    theirs, ours = tuple(shape), source.shape
    if source.kind in ("raster", "samples"):
        theirs, ours = theirs[::-1], ours[::-1]
    sizes = [" x ".join(map(str, numbers)) for numbers in (theirs, ours)]
    order = words.get(source.kind, "inlines x crosslines x samples")
    return LabelsMismatch(
        f"{_name(label)} is {sizes[0]} but {_name(source)} needs {sizes[1]} ({order})",
        "choose labels drawn on this file, or cut or resample them to its grid",
    )


def _name(source: Source) -> str:
    return source.path.name if source.path else source.name


def ids_on(label: Source, source: Source, path: Path) -> Grid:
    """Return class ids that stand as numbers in the file `path`, on the grid of a source.

    Reading raises `LabelsMismatch` for other values than whole numbers 0-254.
    """
    return _Ids(grid_on(label, source), path)


class _Ids:
    """Class ids that stand in the file as numbers."""

    colors: dict[int, str]
    banded = False

    def __init__(self, grid: Grid, path: Path) -> None:
        self._grid, self._path, self.colors = grid, path, {}

    def read(self, window: Window) -> np.ndarray:
        """Return uint8 ids; raises `LabelsMismatch` for anything else."""
        values = self._grid.read(window)
        values = values[0] if self._grid.banded else values
        if values.dtype.kind == "f":
            values = np.where(np.isnan(values), 0, values)
        wrong = (values < 0) | (values > HIGHEST) | (values != np.floor(values))
        if wrong.any():
            raise LabelsMismatch(
                f"{self._path.name} holds {values[wrong][0]:.6g}, which is no class",
                f"choose a file of whole numbers 0-{HIGHEST}, where 0 is unlabelled",
            )
        return values.astype(np.uint8)


class _Colours:
    """Classes that stand in the file as colours, numbered in the order of their #rrggbb."""

    def __init__(self, grid: Grid, path: Path, shape: tuple[int, ...]) -> None:
        self._grid = grid
        codes: set[int] = set()
        for window in slabs(shape):
            codes.update(np.unique(self._codes(window)).tolist())
            if len(codes - {0}) > HIGHEST:
                raise LabelsMismatch(
                    f"{path.name} has more than {HIGHEST} colours, like a photograph",
                    "choose a picture with one plain colour per class, saved as PNG",
                )
        self._known = np.array(sorted(codes | {0}), np.uint32)
        self.colors = {i: f"#{c:06x}" for i, c in enumerate(self._known.tolist()) if i}

    def read(self, window: Window) -> np.ndarray:
        """Return uint8 ids."""
        return np.searchsorted(self._known, self._codes(window)).astype(np.uint8)

    def _codes(self, window: Window) -> np.ndarray:
        red, green, blue = self._grid.read(window).astype(np.uint32)
        return (red << 16) | (green << 8) | blue


def slabs(shape: tuple[int, ...]) -> Iterator[Window]:
    """Cut `shape` along its first axis into windows of about 4 million cells."""
    across = int(np.prod(shape[1:], dtype=np.int64))
    step = max(1, _SLAB_CELLS // across)
    step = step // 256 * 256 or step  # whole chunks
    for low in range(0, shape[0], step):
        size = (min(step, shape[0] - low), *shape[1:])
        yield Window((low, *[0] * (len(shape) - 1)), size)


def save_labels(path: Path, snapshot: LabelSnapshot, source: Source, classes: Classes = ()) -> None:
    """Write labels as .npy (array order), or as .tif or .png (a line has samples down).

    Raises
    ------
    BadRequest
        When the name's ending is another, a cube should become a picture, or `path` is the data.
    CannotWrite
        When the disk is full or the folder cannot be written to; an older file stays.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    _check_target(path, suffix, source)
    if suffix == ".npy":
        _save_array(path, snapshot)
        return
    plane = source.plane(Section())
    picture = plane.picture(snapshot.read(Window.whole(snapshot.shape)))
    known = classes_for([i for i in snapshot.counts if i not in {c.id for c in classes}])
    driver = "PNG" if suffix == ".png" else "GTiff"
    write_bytes(path, encode_raster(picture, source, (*classes, *known), driver=driver))


def _check_target(path: Path, suffix: str, source: Source) -> None:
    if suffix not in (".npy", ".tif", ".tiff", ".png"):
        raise BadRequest(
            f"Labels cannot be saved as {suffix or 'a file without ending'}",
            "choose a name that ends in .tif, .png or .npy",
        )
    if suffix != ".npy" and len(source.shape) != 2:
        raise BadRequest(
            f"{_name(source)} is a cube and {path.name} would be a picture",
            "choose a name that ends in .npy",
        )
    if source.path is not None and path.exists() and path.samefile(source.path):
        raise BadRequest(f"{path} is the data file itself", "choose another name")


def _save_array(path: Path, snapshot: LabelSnapshot) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": snapshot.shape}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for window in slabs(snapshot.shape):
            file.write(snapshot.read(window).data)
