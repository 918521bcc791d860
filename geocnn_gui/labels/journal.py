"""Every edit of labels on disk before it shows: an append-only file of checked records.

Little-endian layout: header (magic, version, generation, axes, shape), then records of length,
CRC-32 and a deflated payload of one or more edits. An edit is its axes, flags, offset, size,
the mask as bits, and the value or values to set (those that stood there too, in a history).
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Window
from geocnn_gui.errors import UnreadableFile
from geocnn_gui.files import write_bytes
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.labels.records import RECORD, RecordFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MAGIC = b"GEOCNNLJ"
_VERSION = 1
_HEADER = struct.Struct("<8sHQB")
#: Bytes of edits in a record, and cells of an edit's window: what a file can ask for in memory.
_LARGEST = 2**28


class Journal(RecordFile):
    """The journal of one source's labels, open for appending.

    Call `replay` to its end before the first `append`. `generation` counts the base files that
    took in an earlier journal; `records_read` counts those replayed.
    """

    @staticmethod
    def create(path: Path, shape: tuple[int, ...], generation: int) -> None:
        """Put an empty journal at `path`, all or nothing; raises `CannotWrite`."""
        header = _HEADER.pack(_MAGIC, _VERSION, generation, len(shape))
        write_bytes(path, header + struct.pack(f"<{len(shape)}q", *shape))

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open a journal; raises `UnreadableFile` when it is none or from a newer version.

        One that is opened `read_only` is replayed as far as it is whole and never changed.
        """
        super().__init__(path, read_only=read_only)
        self.records_read = 0
        try:
            self.generation, self.shape = self._read_header()
        except BaseException:
            self.close()
            raise

    def _read_header(self) -> tuple[int, tuple[int, ...]]:
        way_out = "restore it from a backup, or move it away to go on without its strokes"
        try:
            magic, version, generation, axes = _HEADER.unpack(self.take_header(_HEADER.size))
            shape = struct.unpack(f"<{axes}q", self.take_header(8 * axes))
        except struct.error as error:
            raise UnreadableFile(f"{self.path} is cut short", way_out) from error
        if magic != _MAGIC:
            raise UnreadableFile(f"{self.path} is not a journal of labels", way_out)
        if version > _VERSION:
            raise UnreadableFile(f"{self.path} was written by a newer GeoCNN", "update GeoCNN")
        if not 1 <= axes <= 3 or min(shape) < 1:
            raise UnreadableFile(f"{self.path} is damaged", way_out)
        return generation, shape

    def replay(self) -> Iterator[LabelEdit]:
        """Yield the edits in order (`before` is not kept and reads 0), then cut off a bad tail.

        Raises `UnreadableFile` for a record that nobody here has written: its sum is right, but
        it unpacks to more than the labels can hold, or reaches outside them.
        """
        for _, payload in self.records():
            self.records_read += 1
            most = min(4 * math.prod(self.shape) + 2**20, _LARGEST)
            yield from unpacked(payload, self.shape, self.path, most=most)

    def append(self, edits: Sequence[LabelEdit], *, sync: bool = True) -> None:
        """Write the edits as one record and wait until it is on disk, as `append_records` does.

        Raises `CannotWrite`; the journal is then as before.
        """
        self.append_records([packed(edits)], sync=sync)


def packed(edits: Sequence[LabelEdit], *, both: bool = False) -> bytes:
    """Return edits as deflated bytes; with `both` what stood there before too."""
    return zlib.compress(b"".join(_encode(edit, both=both) for edit in edits), 1)


def unpacked(
    data: bytes, shape: tuple[int, ...], path: Path, *, most: int, both: bool = False
) -> Iterator[LabelEdit]:
    """Yield the edits of `packed` bytes of labels of `shape`.

    Raises `UnreadableFile`, naming `path`, where they unpack to more than `most` bytes, reach
    outside, or are none.
    """
    try:
        unpack = zlib.decompressobj()
        plain = unpack.decompress(data, most)
        if not unpack.eof:
            raise ValueError("too long")
        yield from _decode(plain, shape, both=both)
    except (zlib.error, struct.error, ValueError, OverflowError, MemoryError) as error:
        raise UnreadableFile(
            f"{path} is damaged", "restore it from a backup, or move it away"
        ) from error


def read_header(path: Path) -> tuple[int, tuple[int, ...]]:
    """Return the generation and the shape of a journal; raises as `Journal` does."""
    journal = Journal(path, read_only=True)
    journal.close()
    return journal.generation, journal.shape


def count_records(path: Path) -> int:
    """Count the whole records of a journal by their lengths, unread; raises as `Journal` does."""
    journal = Journal(path, read_only=True)
    try:
        with path.open("rb") as file:
            at, length, records = journal._start, os.fstat(file.fileno()).st_size, 0
            while at + RECORD.size <= length:
                file.seek(at)
                size = RECORD.unpack(file.read(RECORD.size))[0]
                at += RECORD.size + size
                records += bool(size) and at <= length
                if not size:
                    break
            return records
    finally:
        journal.close()


def _encode(edit: LabelEdit, *, both: bool) -> bytes:
    values = [edit.after, edit.before] if both else [edit.after]
    axes = edit.mask.ndim
    kinds = sum(1 << i for i, value in enumerate(values) if isinstance(value, int))
    head = struct.pack(f"<BB{2 * axes}q", axes, kinds, *edit.window.offset, *edit.window.size)
    cells = (bytes([each]) if isinstance(each, int) else each.tobytes() for each in values)
    return head + np.packbits(edit.mask).tobytes() + b"".join(cells)


def _check_window(window: Window, shape: tuple[int, ...]) -> None:
    axes = zip(window.offset, window.size, window.stop, shape, strict=True)
    if any(low < 0 or size < 0 or high > end for low, size, high, end in axes):
        raise ValueError("outside")
    if math.prod(window.size) > _LARGEST:
        raise ValueError("too large")


def _decode(payload: bytes, shape: tuple[int, ...], *, both: bool) -> Iterator[LabelEdit]:
    at = 0
    while at < len(payload):
        axes, kinds = struct.unpack_from("<BB", payload, at)
        numbers = struct.unpack_from(f"<{2 * axes}q", payload, at + 2)
        window = Window(numbers[:axes], numbers[axes:])
        _check_window(window, shape)
        at += 2 + 16 * axes
        bits = np.frombuffer(payload, np.uint8, math.ceil(window.cells / 8), at)
        mask = np.unpackbits(bits, count=window.cells).view(bool).reshape(window.size)
        at += bits.size
        found: list[np.ndarray | int] = [0, 0]
        for which in range(1 + both):
            cells = 1 if kinds >> which & 1 else int(np.count_nonzero(mask))
            values = np.frombuffer(payload, np.uint8, cells, at)
            found[which] = int(values[0]) if kinds >> which & 1 else values
            at += cells
        yield LabelEdit(window, mask, found[1], found[0])
