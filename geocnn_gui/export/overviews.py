"""Smaller copies of a large GeoTIFF inside it, so that other programs draw it at once.

GDAL builds them in one call that cannot be stopped and holds back every other thread of Python.
Here each is written as a file of its own, block by block, and its directory and blocks are then
chained behind those of the large one, which is all that an overview is (TIFF 6.0: a directory
whose NewSubfileType is 1).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from geocnn_gui.export.layers import squares
from geocnn_gui.export.tiles import TILE, open_raster, raster_window, require_space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Window

    Reduce = Callable[[np.ndarray], np.ndarray]

#: A raster gets overviews when it is longer than this, down to one that fits in a block.
_LARGE = 2048
_CHUNK = 2**24
_SUBFILE_TYPE, _TILE_OFFSETS = 254, 324
#: Bytes of one value by TIFF's number of its type.
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
          16: 8, 17: 8, 18: 8}  # fmt: skip
_INTEGERS = {3: "H", 4: "I", 16: "Q"}


def level_shapes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the rows and columns of the overviews of a raster, each half of the one before."""
    shapes = []
    while max(shape) > (TILE if shapes else _LARGE):
        shape = -(-shape[0] // 2), -(-shape[1] // 2)
        shapes.append(shape)
    return shapes


def add_overviews(path: Path, profile: dict[str, Any], reduce: Reduce) -> Iterator[int]:
    """Add overviews to a tiled GeoTIFF written with `profile`; yield 1 for each block, or 0.

    `reduce` halves (bands, 2 h, 2 w) to (bands, h, w).

    Raises
    ------
    OSError, RasterioError
        When the disk is full or fails.
    """
    before = path
    levels = [
        path.with_name(f"{path.stem}.{number}{path.suffix}")
        for number, _ in enumerate(level_shapes((profile["height"], profile["width"])), 1)
    ]
    try:
        for level in levels:
            yield from _write_level(before, level, profile, reduce)
            before = level
        for level in levels:
            yield from _append(path, level)
            level.unlink()
    finally:
        for level in levels:
            level.unlink(missing_ok=True)


def verify_overviews(path: Path, reduce: Reduce) -> Iterator[bool]:
    """Read the overviews back; yield for each block whether it is what `reduce` makes of it."""
    with open_raster(path) as file:
        count = len(level_shapes(file.shape))
        if len(file.overviews(1)) != count:
            yield False
            return
    for number in range(count):
        coarser = {} if number == 0 else {"overview_level": number - 1}
        with open_raster(path, **coarser) as fine, open_raster(path, overview_level=number) as file:
            for window in squares(file.shape, TILE):
                found = file.read(window=raster_window(window))
                yield np.array_equal(found, _halved(fine, window, reduce), equal_nan=True)


def _write_level(
    before: Path, level: Path, profile: dict[str, Any], reduce: Reduce
) -> Iterator[int]:
    with open_raster(before) as fine:
        rows, columns = (-(-n // 2) for n in fine.shape)
        form = "YES" if _is_big(before) else "NO"
        profile = profile | {"height": rows, "width": columns, "bigtiff": form}
        for key in ("crs", "transform", "gcps"):  # said once, by the raster itself
            profile.pop(key, None)
        with open_raster(level, "w", **profile) as file:
            if profile["dtype"] == np.uint8:
                file.write_colormap(1, fine.colormap(1))
            for number, window in enumerate(squares((rows, columns), TILE), 1):
                block = _halved(fine, window, reduce)
                require_space(level, number * block.nbytes)
                file.write(block, window=raster_window(window))
                yield 1


def _halved(fine: Any, window: Window, reduce: Reduce) -> np.ndarray:
    """Return the cells of `window` in the next overview of an open raster."""
    (row, column), (height, width) = window.offset, window.size
    size = min(2 * height, fine.height - 2 * row), min(2 * width, fine.width - 2 * column)
    values = fine.read(window=raster_window(type(window)((2 * row, 2 * column), size)))
    odd = [(0, -n % 2) for n in size]
    return reduce(np.pad(values, [(0, 0), *odd], mode="edge"))


def mode_of_four(values: np.ndarray) -> np.ndarray:
    """Return the commonest of each 2 x 2 cells (bands, 2 h, 2 w), the first of equals."""
    a, b, c, d = _corners(values)
    of_last = np.where((b == c) | (b == d), b, np.where(c == d, c, a))
    return np.where((a == b) | (a == c) | (a == d), a, of_last)


def mean_of_four(values: np.ndarray) -> np.ndarray:
    """Return the mean of each 2 x 2 cells (bands, 2 h, 2 w), of those that are not NaN."""
    return _mean(values, np.nan)


def mean_of_four_but_0(values: np.ndarray) -> np.ndarray:
    """Return the mean of each 2 x 2 cells (bands, 2 h, 2 w), of those that are not 0."""
    return _mean(np.where(values == 0, np.nan, values), 0)


def _mean(values: np.ndarray, missing: float) -> np.ndarray:
    corners = np.stack(_corners(values))
    there = ~np.isnan(corners)
    count = there.sum(axis=0)
    total = np.where(there, corners, 0).sum(axis=0)
    return np.where(count, total / np.maximum(count, 1), missing).astype(values.dtype)


def _corners(values: np.ndarray) -> list[np.ndarray]:
    return [values[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]


@dataclass(frozen=True, slots=True)
class _Form:
    """How numbers stand in a TIFF file: byte order, and offsets of 4 bytes or (BigTIFF) 8."""

    order: str
    big: bool

    @property
    def offset(self) -> struct.Struct:
        """Return the form of an offset."""
        return struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def count(self) -> struct.Struct:
        """Return the form of a directory's number of entries."""
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def entry(self) -> struct.Struct:
        """Return the form of an entry: tag, type, number of values, values or their offset."""
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))


def _is_big(path: Path) -> bool:
    with path.open("rb") as file:
        return _form_of(file).big


def _form_of(file: BinaryIO) -> _Form:
    file.seek(0)
    head = file.read(4)
    order = "<" if head[:2] == b"II" else ">"
    return _Form(order, struct.unpack(f"{order}H", head[2:])[0] == 43)


def _append(path: Path, level: Path) -> Iterator[int]:
    """Copy the only directory of `level`, with its blocks, behind the last one of `path`."""
    with path.open("rb+") as file, level.open("rb") as part:
        form = _form_of(file)
        shift = file.seek(0, 2)
        shift += file.write(bytes(-shift % 16))
        while chunk := part.read(_CHUNK):
            file.write(chunk)
            yield 0
        pointer = _first_pointer(form)
        entries, _ = _read_directory(part, form, _follow(part, form, pointer))
        moved = [_moved(file, part, form, entry, shift) for entry in entries]
        kind = (
            _SUBFILE_TYPE,
            4,
            1,
            struct.pack(f"{form.order}I", 1).ljust(form.offset.size, b"\0"),
        )
        at = file.seek(0, 2)
        at += file.write(bytes(-at % 16))
        file.write(form.count.pack(len(moved) + 1))
        file.writelines(form.entry.pack(*entry) for entry in [kind, *moved])
        file.write(form.offset.pack(0))
        while following := _follow(file, form, pointer):
            _, pointer = _read_directory(file, form, following)
        file.seek(pointer)
        file.write(form.offset.pack(at))


def _first_pointer(form: _Form) -> int:
    """Return where a file says where its first directory is."""
    return 8 if form.big else 4


def _follow(file: BinaryIO, form: _Form, pointer: int) -> int:
    file.seek(pointer)
    return form.offset.unpack(file.read(form.offset.size))[0]


def _read_directory(
    file: BinaryIO, form: _Form, at: int
) -> tuple[list[tuple[int, int, int, bytes]], int]:
    """Return the entries of the directory at `at`, and where it says where the next one is."""
    file.seek(at)
    (count,) = form.count.unpack(file.read(form.count.size))
    entries = list(form.entry.iter_unpack(file.read(count * form.entry.size)))
    return entries, file.tell()


def _moved(
    file: BinaryIO, part: BinaryIO, form: _Form, entry: tuple[int, int, int, bytes], shift: int
) -> tuple[int, int, int, bytes]:
    """Return an entry of `part` as it must be in `file`, where the part lies `shift` bytes on."""
    tag, kind, count, value = entry
    length = _BYTES[kind] * count
    outside = length > form.offset.size
    (at,) = form.offset.unpack(value)
    if tag != _TILE_OFFSETS:
        return tag, kind, count, form.offset.pack(at + shift) if outside else value
    if outside:
        part.seek(at)
        value = part.read(length)
    blocks = struct.unpack(f"{form.order}{count}{_INTEGERS[kind]}", value[:length])
    data = b"".join(form.offset.pack(block + shift if block else 0) for block in blocks)
    if len(data) > form.offset.size:
        end = file.seek(0, 2)
        file.write(data)
        data = form.offset.pack(end)
    return tag, 16 if form.big else 4, count, data
