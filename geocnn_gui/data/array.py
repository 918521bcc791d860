"""NumPy arrays as sources: .npy and .npz files, and arrays in memory."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

import numpy as np

from geocnn_gui.data.source import Axis, Band, Picture, Source, Window
from geocnn_gui.errors import SeveralArrays, UnreadableFile

if TYPE_CHECKING:
    from geocnn_gui.data.source import Domain, Kind, Section

_MOST_BANDS = 16
#: Up to so many cells of a band are searched for data when a file is opened.
_PROBE_CELLS = 4_000_000
_DAMAGED = (ValueError, EOFError, OSError, zipfile.BadZipFile, KeyError)


class ArraySource(Source):
    """An array in memory or mapped from a file.

    `array` is ordered like `axes`, with the band axis in front for rasters. Samples that are
    NaN or infinite are not live. Subclasses and callers may set the remaining facts of `Source`
    (`spacing`, `crs`, `transform`, `nodata`, `notes`) on the object.
    """

    format = "NumPy"

    def __init__(
        self,
        array: np.ndarray,
        *,
        kind: Kind,
        axes: tuple[Axis, ...],
        bands: tuple[Band, ...],
        domain: Domain,
        name: str,
    ) -> None:
        lead = (len(bands),) if kind == "raster" else ()
        if array.shape != lead + tuple(axis.size for axis in axes):
            raise ValueError(f"array of shape {array.shape} does not match its axes")
        self.path = None
        self.name, self.kind, self.domain = name, kind, domain
        self.axes, self.bands = axes, bands
        self.dtype = array.dtype
        self._array = array
        self._empty: tuple[int, ...] = ()

    def read(self, window: Window) -> np.ndarray:
        """Return a copy of a window."""
        return np.array(self._array[self._slices(window)])

    def live(self, window: Window) -> np.ndarray:
        """Return where every band is finite and not nodata."""
        values = self._array[self._slices(window)]
        return self._live(values)

    def read_preview(
        self, section: Section, rows: slice, columns: slice, shape: tuple[int, int]
    ) -> Picture:
        """Read part of a section decimated; the cells between those shown are not touched."""
        plane = self.plane(section)
        sizes = rows.stop - rows.start, columns.stop - columns.start
        steps = [max(1, -(-n // m)) for n, m in zip(sizes, shape, strict=True)]
        cut = list(plane.window(rows, columns).slices)
        for axis, part, step in (
            (plane.row_axis, rows, steps[0]),
            (plane.column_axis, columns, steps[1]),
        ):
            cut[axis] = slice(part.start, part.stop, step)
        values = self._array[(slice(None), *cut) if self.banded else tuple(cut)]
        live = np.ascontiguousarray(plane.picture(self._live(values)))
        values = plane.picture(values)
        values = self.to_physical(values if self.banded else values[None])
        values[:, ~live] = 0
        return Picture(values, live)

    def to_physical(self, values: np.ndarray) -> np.ndarray:
        """Return float32 values; bands without data are 0."""
        physical = values.astype(np.float32)
        for band in self._empty:
            physical[band] = 0
        return physical

    def leave_out_empty_bands(self) -> None:
        """Let bands without a finite number mask nothing where others have some, and note them."""
        if self.dtype.kind != "f" or not self.banded:
            return
        step = max(1, int(np.sqrt(self._array[0].size / _PROBE_CELLS)))
        empty = [b for b, v in enumerate(self._array) if not np.isfinite(v[::step, ::step]).any()]
        if len(empty) < len(self.bands):
            self._empty = tuple(empty)
            self.notes += tuple(f"Band {b + 1} holds no data." for b in empty)

    def close(self) -> None:
        """Do nothing: the memory is released with the object."""

    def _live(self, values: np.ndarray) -> np.ndarray:
        live = np.ones(values.shape, bool)
        if values.dtype.kind == "f":
            live = np.isfinite(values)
        if self.nodata is not None:
            live &= values != self.nodata
        if not self.banded:
            return live
        return np.asarray(np.delete(live, self._empty, axis=0).all(axis=0))

    def _slices(self, window: Window) -> tuple[slice, ...]:
        return (slice(None), *window.slices) if self.banded else window.slices


def open_array(path: Path, *, key: str | None = None, domain: Domain = "imagery") -> ArraySource:
    """Open a .npy or .npz file of two or three dimensions as a memory map.

    Two dimensions are one band (row, column). Of three, a first axis of up to 16 is the bands,
    else a last axis of up to 16; otherwise the array is a cube (inline, crossline, sample).
    `key` picks one of several arrays of an .npz. A cube is always seismic; `domain="seismic"`
    reads anything else as a section with samples down the rows.

    Raises
    ------
    UnreadableFile
        When the file is damaged or holds no such array, or several and no `key` is given.
    """
    name, array = path.stem, _load(path, key)
    if array.ndim == 2:
        array = array[None]
    elif not _has_bands(array.shape):
        axes = (
            Axis("inline", "", 0.0, 1.0, array.shape[0]),
            Axis("crossline", "", 0.0, 1.0, array.shape[1]),
            Axis("time", "", 0.0, 1.0, array.shape[2]),
        )
        bands = (Band("amplitude"),)
        source = ArraySource(
            array, kind="cube", axes=axes, bands=bands, domain="seismic", name=name
        )
        source.notes = ("The axes are taken as inline, crossline and time, counted from 0.",)
        return _from_file(source, path)
    elif array.shape[0] > _MOST_BANDS:
        array = np.moveaxis(array, 2, 0)
    axes = (
        Axis("row", "px", 0.0, 1.0, array.shape[1]),
        Axis("column", "px", 0.0, 1.0, array.shape[2]),
    )
    bands = tuple(Band(f"Band {i}") for i in range(1, len(array) + 1))
    source = ArraySource(array, kind="raster", axes=axes, bands=bands, domain=domain, name=name)
    source.choices = {"domain": domain}
    source.leave_out_empty_bands()
    return _from_file(source, path)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Several values for each cell of a cube, mapped from a .npy: (values, inline, crossline, time)."""

    path: Path
    array: np.ndarray

    @classmethod
    def open(cls, path: Path) -> Stack:
        """Map a file of four dimensions; raises `UnreadableFile`."""
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except _DAMAGED as error:
            raise _damaged(path, error) from error
        if not isinstance(array, np.ndarray) or array.ndim != 4 or array.dtype.kind != "f":
            raise UnreadableFile(
                f"{path} does not hold several values for each cell of a cube",
                "give the .npy that was written beside the map",
            )
        return cls(path, array)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the cells per axis of the cube."""
        return self.array.shape[1:]

    def read(self, window: Window) -> np.ndarray:
        """Return a copy (values, *window.size)."""
        return np.array(self.array[(slice(None), *window.slices)])

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: the memory is released with the object."""


def _has_bands(shape: tuple[int, ...]) -> bool:
    return shape[0] <= _MOST_BANDS or shape[2] <= _MOST_BANDS


def _from_file(source: ArraySource, path: Path) -> ArraySource:
    source.path = path
    source.format = "NPZ" if path.suffix.lower() == ".npz" else "NPY"
    return source


def _load(path: Path, key: str | None) -> np.ndarray:
    try:
        if path.suffix.lower() == ".npz":
            return _load_npz(path, key)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except _DAMAGED as error:
        raise _damaged(path, error) from error
    if not isinstance(array, np.ndarray) or not _usable(array):
        what = f"an array of shape {array.shape} and type {array.dtype}"
        raise UnreadableFile(
            f"{path} holds {what}", "save numbers in two or three dimensions instead"
        )
    return array


def _usable(array: np.ndarray) -> bool:
    return array.ndim in (2, 3) and array.dtype.kind in "buif" and array.size > 0


def npz_members(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Return shape and number type of each array in an .npz file, reading their headers alone.

    Raises
    ------
    UnreadableFile
        When the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = {}
            for info in archive.infolist():
                with archive.open(info) as file:
                    shape, _, dtype = _read_npy_header(file)
                found[info.filename.removesuffix(".npy")] = shape, dtype
            return found
    except _DAMAGED as error:
        raise _damaged(path, error) from error


def load_member(path: Path, name: str) -> np.ndarray:
    """Return an array of an .npz file, mapped where it is stored; raises `UnreadableFile`."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _load_member(path, archive, archive.getinfo(f"{name}.npy"))
    except _DAMAGED as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UnreadableFile:
    return UnreadableFile(
        f"{path} is not a NumPy file that can be read ({error})".replace("\n", " "),
        "copy or save it again",
    )


def _load_npz(path: Path, key: str | None) -> np.ndarray:
    """Return the array `key`, or the only usable one."""
    with zipfile.ZipFile(path) as archive:
        members = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
        if key is not None and key not in members:
            raise UnreadableFile(
                f"{path} has no array named {key}", f"choose one of {', '.join(members)}"
            )
        names = [key] if key else [n for n in members if _fits(archive, members[n])]
        if not names:
            raise UnreadableFile(
                f"{path} holds no array of numbers in two or three dimensions",
                "save one with numpy.savez",
            )
        if len(names) > 1:
            raise SeveralArrays(path, "key", names)
        return _load_member(path, archive, members[names[0]])


def _fits(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    """Say from its header whether a member is an array we can show."""
    with archive.open(member) as file:
        shape, _, dtype = _read_npy_header(file)
    return len(shape) in (2, 3) and dtype.kind in "buif" and 0 not in shape


def _read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    if np.lib.format.read_magic(file) == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _load_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Map a stored member of an .npz; a compressed one has to be read into memory."""
    if member.compress_type != zipfile.ZIP_STORED:
        with archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    with path.open("rb") as file:
        file.seek(member.header_offset + 26)  # the lengths of name and extra field end its header
        lengths = int.from_bytes(file.read(2), "little") + int.from_bytes(file.read(2), "little")
        file.seek(member.header_offset + 30 + lengths)
        shape, fortran, dtype = _read_npy_header(file)
        order = "F" if fortran else "C"
        return np.memmap(path, dtype, "r", offset=file.tell(), shape=shape, order=order)
