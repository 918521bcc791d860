"""Every edit of labels on disk before it shows: an append-only file of checked records.

Little-endian layout: header (magic, version, generation, axes, shape), then records of length,
CRC-32 and a deflated payload of one or more edits. An edit is its axes, a flag, offset, size,
the mask as bits, and the value or values to set.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Window
from geocnn_gui.errors import UnreadableFile, writing
from geocnn_gui.files import write_bytes
from geocnn_gui.labels.edit import LabelEdit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MAGIC = b"GEOCNNLJ"
_VERSION = 1
_HEADER = struct.Struct("<8sHQB")
_RECORD = struct.Struct("<II")


class Journal:
    """The journal of one source's labels, open for appending.

    Call `replay` to its end before the first `append`. `generation` counts the base files that
    took in an earlier journal; `records` counts those read; `dropped` is the bytes that the
    replay could not use, `copy` where they are kept when they were more than a torn last record.
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
        self.path = path
        self.dropped = 0
        self.records = 0
        self.copy: Path | None = None
        self._read_only = read_only
        with writing(path):
            self._file = path.open("rb" if read_only else "rb+", buffering=0)
        try:
            self.generation, self.shape = self._read_header()
        except BaseException:
            self._file.close()
            raise
        self._start = self._end = self._file.tell()

    @property
    def size(self) -> int:
        """Return the bytes of the records."""
        return self._end - self._start

    def _read_header(self) -> tuple[int, tuple[int, ...]]:
        way_out = "restore it from a backup, or move it away to go on without its strokes"
        try:
            header = self._file.read(_HEADER.size)
            magic, version, generation, axes = _HEADER.unpack(header)
            shape = struct.unpack(f"<{axes}q", self._file.read(8 * axes))
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

        A torn last record was never acknowledged and is dropped. Damage further up keeps a copy
        of the whole file as "*.damaged".
        """
        length = os.fstat(self._file.fileno()).st_size
        while (payload := self._read_record(length)) is not None:
            self.records += 1
            yield from self._edits(payload)
        self.dropped = length - self._end
        if not self.dropped or self._read_only:
            return
        if not self._torn(length):
            self._file.seek(0)
            self.copy = self.path.with_name(self.path.name + ".damaged")
            write_bytes(self.copy, self._file.read())
        with writing(self.path):
            self._file.truncate(self._end)

    def _edits(self, payload: bytes) -> Iterator[LabelEdit]:
        """Yield the edits of a record.

        Raises `UnreadableFile` for one that nobody here has written: its sum is right, but it
        unpacks to more than the labels can hold, or reaches outside them.
        """
        most = 4 * math.prod(self.shape) + 2**20
        try:
            unpack = zlib.decompressobj()
            data = unpack.decompress(payload, most)
            if not unpack.eof:
                raise ValueError("too long")
            for edit in _decode(data):
                if min(edit.window.offset) < 0 or any(
                    a > b for a, b in zip(edit.window.stop, self.shape, strict=True)
                ):
                    raise ValueError("outside")
                yield edit
        except (zlib.error, struct.error, ValueError, OverflowError, MemoryError) as error:
            raise UnreadableFile(
                f"{self.path} is damaged", "restore it from a backup, or move it away"
            ) from error

    def _read_record(self, length: int) -> bytes | None:
        """Read the record at the end of the good part; None where there is no whole one."""
        self._file.seek(self._end)
        head = self._file.read(_RECORD.size)
        if len(head) < _RECORD.size:
            return None
        size, crc = _RECORD.unpack(head)
        if not 0 < size <= length - self._end - _RECORD.size:
            return None
        payload = self._file.read(size)
        if len(payload) < size or zlib.crc32(payload) != crc:
            return None
        self._end += _RECORD.size + size
        return payload

    def _torn(self, length: int) -> bool:
        """Say whether the bad bytes are one record that the file ends in."""
        self._file.seek(self._end)
        head = self._file.read(_RECORD.size)
        if len(head) < _RECORD.size:
            return True
        size = _RECORD.unpack(head)[0]
        return size > 0 and self._end + _RECORD.size + size >= length

    def append(self, edits: Sequence[LabelEdit]) -> None:
        """Write the edits as one record and wait until it is on disk.

        Raises
        ------
        CannotWrite
            When the disk is full or the like; the journal is then as before.
        """
        payload = zlib.compress(b"".join(_encode(edit) for edit in edits), 1)
        record = _RECORD.pack(len(payload), zlib.crc32(payload)) + payload
        with writing(self.path):
            try:
                self._write(record)
            except OSError:
                with suppress(OSError):
                    self._file.truncate(self._end)
                raise
        self._end += len(record)

    def _write(self, record: bytes) -> None:
        self._file.seek(self._end)
        self._file.truncate()  # what an earlier, failed write may have left
        rest = memoryview(record)
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Release the file."""
        self._file.close()


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
            while at + _RECORD.size <= length:
                file.seek(at)
                size = _RECORD.unpack(file.read(_RECORD.size))[0]
                at += _RECORD.size + size
                records += bool(size) and at <= length
                if not size:
                    break
            return records
    finally:
        journal.close()


def _encode(edit: LabelEdit) -> bytes:
    one = isinstance(edit.after, int)
    axes = edit.mask.ndim
    head = struct.pack(f"<BB{2 * axes}q", axes, one, *edit.window.offset, *edit.window.size)
    values = bytes([edit.after]) if isinstance(edit.after, int) else edit.after.tobytes()
    return head + np.packbits(edit.mask).tobytes() + values


def _decode(payload: bytes) -> Iterator[LabelEdit]:
    at = 0
    while at < len(payload):
        axes, one = struct.unpack_from("<BB", payload, at)
        numbers = struct.unpack_from(f"<{2 * axes}q", payload, at + 2)
        window = Window(numbers[:axes], numbers[axes:])
        at += 2 + 16 * axes
        bits = np.frombuffer(payload, np.uint8, math.ceil(window.cells / 8), at)
        mask = np.unpackbits(bits, count=window.cells).astype(bool).reshape(window.size)
        at += bits.size
        cells = 1 if one else int(np.count_nonzero(mask))
        values = np.frombuffer(payload, np.uint8, cells, at)
        at += cells
        yield LabelEdit(window, mask, 0, int(values[0]) if one else values)
