"""The headers of a SEG-Y file: text, binary, and the words of its traces."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.segy_samples import RAW_TYPES
from geocnn_gui.errors import UnreadableFile

if TYPE_CHECKING:
    from pathlib import Path

TEXT_BYTES, BINARY_BYTES, TRACE_HEADER_BYTES = 3200, 400, 240
_END_OF_TEXT = "((SEG: EndText))"
_BYTE_ORDER_CONSTANT = 16909060
_HAS_PREADV = hasattr(os, "preadv")  # not on Windows
#: First byte of a trace header word, counted from 1 -> its type.
TRACE_WORDS = {
    5: "i4", 9: "i4", 17: "i4", 21: "i4", 25: "i4", 37: "i4", 71: "i2", 73: "i4", 77: "i4",
    89: "i2", 109: "i2", 115: "u2", 117: "u2", 181: "i4", 185: "i4", 189: "i4", 193: "i4",
    215: "i2", 221: "i4", 225: "i4",
}  # fmt: skip


class FileBytes:
    """Bytes of a file at given places; may be used from several threads at once.

    Plain reads rather than a memory map: the pages of a map count as this program's memory, and
    a map of a file that shrinks ends the program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise self._unreadable(error) from error
        self._lock = threading.Lock()
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, offset: int, size: int) -> np.ndarray:
        """Return `size` bytes from `offset` (uint8)."""
        return self.gather(np.array([offset]), size)[0]

    def gather(self, offsets: np.ndarray, size: int) -> np.ndarray:
        """Return (len(offsets), size) bytes, one row per offset.

        Raises
        ------
        UnreadableFile
            When the file has become shorter, or the disk fails.
        """
        data = np.empty((len(offsets), size), np.uint8)
        if data.size == 0:
            return data
        rows = data.data.cast("B")
        try:
            for at, offset in zip(range(0, data.size, size), offsets.tolist(), strict=True):
                row = rows[at : at + size]
                if (count := self._read_some(row, offset)) != size:
                    self._read_rest(row[count:], offset + count)
        except OSError as error:
            raise self._unreadable(error) from error
        return data

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    def _read_some(self, buffer: memoryview, offset: int) -> int:
        if _HAS_PREADV:
            return os.preadv(self._file.fileno(), (buffer,), offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.readinto(buffer) or 0

    def _read_rest(self, buffer: memoryview, offset: int) -> None:
        """Go on where the system read less than asked for."""
        while buffer:
            if (count := self._read_some(buffer, offset)) == 0:
                raise UnreadableFile(
                    f"{self.path} ended while it was read", "copy or download it again"
                )
            buffer, offset = buffer[count:], offset + count

    def _unreadable(self, error: OSError) -> UnreadableFile:
        return UnreadableFile(
            f"{self.path} cannot be read ({error.strerror})",
            "check that it may be read and that its disk or network is there",
        )


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What the text and binary headers say, checked against the size of the file.

    `interval` is as in the header (microseconds, or thousandths of a metre or foot; 0 where not
    given); `first_byte` is where the first trace begins; `trace_bytes` includes its header of
    `header_bytes`.
    """

    text: str
    order: str  # ">" or "<"
    code: int
    samples: int
    interval: float
    feet: bool
    first_byte: int
    header_bytes: int
    trace_bytes: int
    traces: int
    notes: tuple[str, ...] = ()

    @property
    def raw_type(self) -> np.dtype:
        """Return the NumPy type of a sample in the file."""
        return np.dtype(self.order + RAW_TYPES[self.code])


def read_file_header(file: FileBytes) -> FileHeader:
    """Read the headers before the first trace and count the traces.

    Raises
    ------
    UnreadableFile
        When the file is no SEG-Y, ends inside a trace, or has a sample format nobody reads.
    """
    if file.size < TEXT_BYTES + BINARY_BYTES:
        raise _not_segy(file.path, "it is too short for the headers")
    text = _decode_text(file.read(0, TEXT_BYTES).tobytes())
    binary = _Binary(file.read(TEXT_BYTES, BINARY_BYTES).tobytes())
    code = binary.word(3225, "u2")
    if code not in RAW_TYPES:
        if binary.plain_rev and code in (4, 7, 15):
            raise UnreadableFile(
                f"{file.path} holds samples of format {code}, which is not supported",
                "convert it to IEEE floats first",
            )
        raise _not_segy(file.path, f"its sample format code is {code}")
    first = _first_trace(file, binary)
    extra = binary.word(3507, "i2") if binary.revision >= 2 else 0
    header_bytes = TRACE_HEADER_BYTES * (1 + (extra if 0 < extra < 100 else 0))
    end = file.size - _trailer_bytes(binary)
    samples, notes = _count_samples(file, binary, (first, header_bytes, end))
    trace_bytes = header_bytes + samples * np.dtype(RAW_TYPES[code]).itemsize
    traces, rest = divmod(end - first, trace_bytes)
    if rest:
        raise UnreadableFile(
            f"{file.path} ends inside a trace (it holds {traces:,} whole traces "
            f"of {samples:,} samples)",
            "copy or download it again",
        )
    return FileHeader(
        text=text, order=binary.order, code=code, samples=samples, interval=binary.interval,
        feet=binary.word(3255, "i2") == 2, first_byte=first, header_bytes=header_bytes,
        trace_bytes=trace_bytes, traces=traces, notes=notes,
    )  # fmt: skip


def read_words(file: FileBytes, header: FileHeader, numbers: np.ndarray) -> np.ndarray:
    """Return the header words of the traces `numbers`: a structured array, fields "w189" etc."""
    offsets = header.first_byte + numbers.astype(np.int64) * header.trace_bytes
    raw = file.gather(offsets, TRACE_HEADER_BYTES)
    kind = np.dtype(
        {
            "names": [f"w{byte}" for byte in TRACE_WORDS],
            "formats": [header.order + kind for kind in TRACE_WORDS.values()],
            "offsets": [byte - 1 for byte in TRACE_WORDS],
            "itemsize": TRACE_HEADER_BYTES,
        }
    )
    return raw.view(kind)[:, 0]


def is_depth(header: FileHeader, interval: float) -> tuple[bool, str]:
    """Guess whether samples are in depth, and say why in a few words."""
    text = re.sub(r"WATER\s*DEPTH|DEPTH POINT", "", header.text.upper())
    depth = len(re.findall(r"\b(?:DEPTH|PSDM|PRESDM|TVDSS|Z-DOMAIN)\b", text))
    time = len(re.findall(r"\b(?:TIME|TWT|TWTT|PSTM|PRESTM|MSEC|MS|MILLISECONDS?)\b", text))
    if depth != time:
        return depth > time, "the text header speaks of it"
    if 4 < interval < 100 or interval >= 10000:
        return True, f"an interval of {interval:g} is unusual for time"
    return False, "the sample interval is usual for it" if interval else "nothing says otherwise"


class _Binary:
    """The binary header: words by their byte counted from 1, in the byte order that makes sense."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.order = ">"
        if self.word(3297, "i4") != _BYTE_ORDER_CONSTANT:
            little = self._word("<", 3225, "u2") in RAW_TYPES and not self._sensible(">")
            if little or self._word("<", 3297, "i4") == _BYTE_ORDER_CONSTANT:
                self.order = "<"
        # The major revision is a byte of its own since 2.0, a fixed-point number before.
        self.revision = data[300] if self.order == ">" else max(data[300], data[301])

    def _sensible(self, order: str) -> bool:
        return 1 <= self._word(order, 3225, "u2") <= 16

    def _word(self, order: str, byte: int, kind: str):
        at = byte - 1 - TEXT_BYTES
        return np.frombuffer(self._data, order + kind, count=1, offset=at)[0].item()

    def word(self, byte: int, kind: str) -> int:
        return self._word(self.order, byte, kind)

    @property
    def plain_rev(self) -> bool:
        return self.revision in (0, 1, 2) and self.word(3221, "u2") > 0

    @property
    def samples(self) -> int:
        extended = self.word(3269, "i4") if self.revision >= 2 else 0
        return extended if extended > 0 else self.word(3221, "u2")

    @property
    def interval(self) -> float:
        extended = self._word(self.order, 3273, "f8") if self.revision >= 2 else 0.0
        return float(extended) if 0 < extended < 1e9 else float(self.word(3217, "u2"))


def _not_segy(path: Path, why: str) -> UnreadableFile:
    return UnreadableFile(f"{path} is not a SEG-Y file: {why}", "choose another file")


def _decode_text(data: bytes) -> str:
    """Return the 40 lines of a text header, EBCDIC or ASCII."""
    ebcdic = data.count(b"\x40") > data.count(b"\x20")
    text = data.decode("cp037" if ebcdic else "latin-1")
    return "\n".join(text[i : i + 80].rstrip(" \0") for i in range(0, len(text), 80))


def _first_trace(file: FileBytes, binary: _Binary) -> int:
    start = TEXT_BYTES + BINARY_BYTES
    if binary.revision >= 2 and 0 < (given := binary.word(3521, "u8")) < file.size:
        return given
    if binary.revision < 1:
        return start
    extra = binary.word(3505, "i2")
    if extra >= 0:
        return min(start + extra * TEXT_BYTES, file.size)
    for number in range(1, (file.size - start) // TEXT_BYTES + 1):
        text = _decode_text(file.read(start + (number - 1) * TEXT_BYTES, TEXT_BYTES).tobytes())
        if text.upper().startswith(_END_OF_TEXT.upper()) or number > 200:
            return start + number * TEXT_BYTES
    return start


def _trailer_bytes(binary: _Binary) -> int:
    count = binary.word(3529, "i4") if binary.revision >= 2 else 0
    return count * TEXT_BYTES if 0 < count < 1000 else 0


def _count_samples(
    file: FileBytes, binary: _Binary, span: tuple[int, int, int]
) -> tuple[int, tuple[str, ...]]:
    """Return the samples of a trace and notes; the count that divides the file is believed."""
    first, header_bytes, end = span
    if end - first < header_bytes:
        raise UnreadableFile(f"{file.path} holds no traces", "copy or download it again")
    size = np.dtype(RAW_TYPES[binary.word(3225, "u2")]).itemsize
    head = file.read(first, TRACE_HEADER_BYTES)
    in_trace = int(head[114:116].view(binary.order + "u2")[0])
    for samples in (binary.samples, in_trace):
        if samples and (end - first) % (header_bytes + samples * size) == 0:
            if samples == binary.samples:
                return samples, ()
            return samples, (
                f"The file header says {binary.samples:,} samples a trace, the traces "
                f"{samples:,}, which fits the file.",
            )
    if not (binary.samples or in_trace):
        raise _not_segy(file.path, "no header says how many samples a trace has")
    return binary.samples or in_trace, ()
