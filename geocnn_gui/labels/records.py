"""Files that grow by checked records: each its length, its CRC-32 and its bytes, little-endian.

A record is on disk or it is not: what a failed write has left is cut off, and a torn last one
is dropped on reading.
"""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

from geocnn_gui.errors import writing
from geocnn_gui.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

RECORD = struct.Struct("<II")
#: Bytes of the longest record, so that a stranger's file cannot ask for any memory.
LONGEST_RECORD = 2**28
_COPIED = 2**23


class RecordFile:
    """A file of records behind a header, open for appending.

    Read the header with `take_header`, then draw `records` to its end before the first `append`.
    `dropped` is the bytes that could not be used, `copy` where they are kept when they were more
    than a torn last record.
    """

    def __init__(
        self, path: Path, *, read_only: bool = False, longest: int = LONGEST_RECORD
    ) -> None:
        """Open a file of records of `longest` bytes; with `read_only` it is never changed.

        Raises `CannotWrite`.
        """
        self.path = path
        self._longest = longest
        self.dropped = 0
        self.copy: Path | None = None
        self._read_only = read_only
        with writing(path):
            self._file = path.open("rb" if read_only else "rb+", buffering=0)
        self._start = self._end = 0

    def take_header(self, size: int) -> bytes:
        """Return the next `size` bytes (or what there is); records begin behind them."""
        data = self._file.read(size)
        self._start = self._end = self._file.tell()
        return data

    @property
    def size(self) -> int:
        """Return the bytes of the records."""
        return self._end - self._start

    @property
    def place(self) -> int:
        """Return where the next record will stand."""
        return self._end

    def goes_on_at_end(self) -> None:
        """Take all there is for records that are known to be whole."""
        self._end = os.fstat(self._file.fileno()).st_size

    def pieces(self, start: int, stop: int, most: int) -> Iterator[bytes]:
        """Yield the bytes between two places, `most` at a time."""
        while start < stop:
            self._file.seek(start)
            piece = self._file.read(min(most, stop - start))
            if not piece:
                break
            start += len(piece)
            yield piece

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Yield where each whole record stands and its bytes, then cut off a bad tail.

        A torn last record was never acknowledged and is dropped. Damage further up keeps a copy
        of the whole file as "*.damaged".
        """
        length = os.fstat(self._file.fileno()).st_size
        while (payload := self._read(self._end, length)) is not None:
            at, self._end = self._end, self._end + RECORD.size + len(payload)
            yield at, payload
        self.dropped = length - self._end
        if not self.dropped or self._read_only:
            return
        if not self._torn(length):
            self.keep_copy()
        self.cut(self.size)

    def keep_copy(self) -> None:
        """Keep the file as it is beside it, as "*.damaged"; raises `CannotWrite`."""
        self.copy = self.path.with_name(self.path.name + ".damaged")
        length = os.fstat(self._file.fileno()).st_size
        with replacing(self.copy) as temporary, temporary.open("wb") as copy:
            for piece in self.pieces(0, length, _COPIED):
                copy.write(piece)

    def read_at(self, at: int) -> bytes | None:
        """Return the record that stands at a place; None where it is not whole any more."""
        return self._read(at, self._end)

    def _read(self, at: int, length: int) -> bytes | None:
        self._file.seek(at)
        head = self._file.read(RECORD.size)
        if len(head) < RECORD.size:
            return None
        size, crc = RECORD.unpack(head)
        if not 0 < size <= min(length - at - RECORD.size, self._longest):
            return None
        payload = self._file.read(size)
        return payload if len(payload) == size and zlib.crc32(payload) == crc else None

    def _torn(self, length: int) -> bool:
        """Say whether the bad bytes are one record that the file ends in."""
        self._file.seek(self._end)
        head = self._file.read(RECORD.size)
        if len(head) < RECORD.size:
            return True
        size = RECORD.unpack(head)[0]
        return size > 0 and self._end + RECORD.size + size >= length

    def append_records(self, payloads: Sequence[bytes], *, sync: bool = True) -> list[int]:
        """Write records and wait until they are on disk; return where each stands.

        Without `sync` they are on their way only: a program that is killed loses none, a loss of
        power may.

        Raises
        ------
        CannotWrite
            When the disk is full or the like; the file is then as before.
        """
        if max(map(len, payloads), default=0) > self._longest:
            raise ValueError("a record that could not be read again")
        places, at, parts = [], self._end, []
        for payload in payloads:
            places.append(at)
            parts += [RECORD.pack(len(payload), zlib.crc32(payload)), payload]
            at += RECORD.size + len(payload)
        with writing(self.path):
            try:
                self._write(b"".join(parts))
                if sync:
                    os.fsync(self._file.fileno())
            except OSError:
                with suppress(OSError):
                    self._file.truncate(self._end)
                raise
        self._end = at
        return places

    def _write(self, data: bytes) -> None:
        self._file.seek(self._end)
        self._file.truncate()  # what an earlier, failed write may have left
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def sync(self) -> None:
        """Wait until everything is on disk; raises `CannotWrite`."""
        with writing(self.path):
            os.fsync(self._file.fileno())

    def cut(self, size: int) -> None:
        """Keep the first `size` bytes of the records; raises `CannotWrite`."""
        self._end = self._start + size
        with writing(self.path):
            self._file.truncate(self._end)

    def close(self) -> None:
        """Release the file."""
        self._file.close()
