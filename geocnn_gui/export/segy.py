"""Write a prediction as a copy of its SEG-Y file in which only the samples differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from geocnn_gui.data.segy import SegySource, open_segy
from geocnn_gui.data.segy_headers import FileBytes
from geocnn_gui.data.segy_samples import FORMAT_NAMES, IBM, IEEE, RAW_TYPES
from geocnn_gui.errors import BadRequest, CannotWrite, UnreadableFile
from geocnn_gui.events import Event, Note, Progress
from geocnn_gui.export.layers import Layer, slabs
from geocnn_gui.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.segy_headers import FileHeader
    from geocnn_gui.data.source import Source, Window

#: Samples as the source has them, or whole numbers of one byte each.
Samples = Literal["source", "int8"]
INT8 = 8
#: What interpretation systems read; some take every other format for IBM floats.
_WIDELY_READ = (1, 2, 3, 5, INT8)
_CHUNK = 2**24
_CODE_AT = 3224


def export_segy(
    layer: Layer, source: Source, out: Path, *, samples: Samples = "source"
) -> Iterator[Event]:
    """Write a clone of the source's file: every header byte as it is, samples replaced.

    Samples keep the file's own number format where that is 1, 2, 3, 5 or 8; otherwise, and with
    `samples="int8"`, the format code in the binary header changes with them, and nothing else.
    Shares (0..1) become whole percent where samples are integers; values are floats always, and 0
    where there is none. Traces that are not in the
    source's grid and cells without a prediction are 0. The file takes its name after it was
    opened again and compared, samples with the prediction and all else with the source.

    Raises
    ------
    BadRequest
        When the source is no SEG-Y file, or the numbers are too small for the class ids.
    CannotWrite
        When the disk is full, the folder cannot be written to, or what is read back differs; an
        older file stays.
    """
    if not isinstance(source, SegySource) or source.path is None:
        raise BadRequest(f"{source.name} is no SEG-Y file", "export it as .tif or .npy")
    code = INT8 if samples == "int8" else source.header.code
    if layer.what == "values" and code not in (IBM, IEEE):
        if samples == "int8":
            raise BadRequest("Values do not fit into 8-bit samples", "leave the format as it is")
        code = IEEE
    clone = _Clone(layer, source, code if code in _WIDELY_READ else IEEE)
    _check_range(clone)
    yield from _notes(clone, out)
    with replacing(out) as temporary:
        for done, text in enumerate(_steps(clone, temporary, out), 1):
            yield Progress(done, clone.steps, f"{text} {out.name}")


@dataclass(frozen=True, slots=True)
class _Clone:
    """What is written: a layer in the traces of a source, as samples of format `code`."""

    layer: Layer
    source: SegySource
    code: int

    @property
    def header(self) -> FileHeader:
        return self.source.header

    @property
    def path(self) -> Path:
        assert self.source.path is not None
        return self.source.path

    @property
    def raw_type(self) -> np.dtype:
        return np.dtype(self.header.order + RAW_TYPES[self.code])

    @property
    def percent(self) -> bool:
        """Say whether shares become whole percent."""
        return self.layer.what not in ("classes", "values") and self.code not in (IBM, IEEE)

    @property
    def trace_bytes(self) -> int:
        return self.header.header_bytes + self.header.samples * self.raw_type.itemsize

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Return the traces in file order, cut into (first, count) of about 16 MB."""
        every, step = self.header.traces, max(1, _CHUNK // self.header.trace_bytes)
        return [(first, min(step, every - first)) for first in range(0, every, step)]

    @property
    def steps(self) -> int:
        """Count what is done: traces copied and compared, samples written and compared."""
        return 2 * (len(self.blocks) + len(slabs(self.layer.shape)))

    def values(self, window: Window) -> np.ndarray:
        """Return what should stand in the file's samples (*window.size), as plain numbers."""
        values = self.layer.read(window)
        if self.layer.what == "values":
            return np.nan_to_num(values, nan=0.0)
        return np.rint(values * 100) if self.percent else values

    def numbers(self, window: Window) -> np.ndarray:
        """Return the number in the file of each trace in `window`, flat; -1 for none."""
        return self.source.trace_numbers(window).ravel()


def _check_range(clone: _Clone) -> None:
    highest = max((c.id for c in clone.layer.classes), default=0)
    if clone.layer.what == "classes" and clone.code == INT8 and highest > 127:
        raise BadRequest(
            f"8-bit samples go up to 127 and the class ids of {clone.source.name} to {highest}",
            "export it as .tif or .npy, or with other samples",
        )


def _notes(clone: _Clone, out: Path) -> Iterator[Note]:
    theirs, ours = FORMAT_NAMES[clone.header.code], FORMAT_NAMES[clone.code]
    if clone.code != clone.header.code:
        why = "" if clone.code == INT8 else f", for few programs read {theirs}s"
        why = ", for values are no whole numbers" if clone.layer.what == "values" else why
        yield Note(
            f"{out.name} holds {ours}s (format {clone.code}) where {clone.path.name} holds "
            f"{theirs}s (format {clone.header.code}){why}; all else in its headers is the same."
        )
    if clone.layer.what == "values":
        yield Note(f"{out.name} holds 0 where nothing is predicted: SEG-Y knows no other sign.")
    if clone.percent:
        yield Note(f"{out.name} holds whole percent, because its samples are integers.")


def _steps(clone: _Clone, path: Path, out: Path) -> Iterator[str]:
    """Write, then read back; yield what is being done after each piece."""
    with path.open("wb") as file:
        for _ in _copy_headers(clone, file):
            yield "Writing"
        for window in slabs(clone.layer.shape):
            raw = encode(clone.values(window), clone.raw_type, clone.code)
            _write_traces(file, clone, clone.numbers(window), raw.reshape(-1, raw.shape[-1]))
            yield "Writing"
    for same in _verified(clone, path):
        if not same:
            raise _differs(out)
        yield "Checking"


def _differs(out: Path) -> CannotWrite:
    return CannotWrite(
        f"Cannot write {out}: what was read back is not what was written",
        "check the disk, let a running prediction end, and export again",
    )


def _copy_headers(clone: _Clone, file: BinaryIO) -> Iterator[None]:
    """Write everything that is not a sample, and 0 for every sample."""
    header = clone.header
    end = header.first_byte + header.traces * header.trace_bytes
    with clone.path.open("rb") as old:
        _copy(old, file, header.first_byte)
        for _, count in clone.blocks:
            block = np.frombuffer(_exactly(old, count * header.trace_bytes), np.uint8)
            new = np.zeros((count, clone.trace_bytes), np.uint8)
            new[:, : header.header_bytes] = block.reshape(count, -1)[:, : header.header_bytes]
            file.write(new.data)
            yield
        _copy(old, file, clone.path.stat().st_size - end)
    file.seek(_CODE_AT)
    file.write(_code_bytes(clone))


def _code_bytes(clone: _Clone) -> bytes:
    return np.array(clone.code, f"{clone.header.order}u2").tobytes()


def _copy(old: BinaryIO, new: BinaryIO, size: int) -> None:
    while size > 0:
        size -= new.write(_exactly(old, min(size, _CHUNK)))


def _exactly(file: BinaryIO, size: int) -> bytes:
    if len(data := file.read(size)) != size:
        raise UnreadableFile(f"{file.name} has become shorter", "copy or download it again")
    return data


def _write_traces(file: BinaryIO, clone: _Clone, numbers: np.ndarray, raw: np.ndarray) -> None:
    """Write samples (traces, samples) of the traces `numbers`; -1 is in no file."""
    start = clone.header.first_byte + clone.header.header_bytes
    for number, row in zip(numbers.tolist(), raw, strict=True):
        if number >= 0:
            file.seek(start + number * clone.trace_bytes)
            file.write(row.data)


def _verified(clone: _Clone, path: Path) -> Iterator[bool]:
    """Open the file again and say of each piece whether it holds what it should."""
    try:
        vertical = "depth" if clone.source.axes[-1].name == "depth" else "time"
        found = open_segy(path, vertical=vertical)
    except UnreadableFile:
        yield False
        return
    with found:
        if found.axes != clone.source.axes or found.header.traces != clone.header.traces:
            yield False
            return
        yield from _same_headers(clone, path)
        for window in slabs(clone.layer.shape):
            there = clone.source.trace_numbers(window) >= 0
            expected = np.where(there[..., None], clone.values(window), 0)
            yield np.allclose(found.read(window), expected, rtol=1e-6, atol=0)


def _same_headers(clone: _Clone, path: Path) -> Iterator[bool]:
    """Compare all that is no sample with the source; traces outside its grid must be empty."""
    outside = np.ones(clone.header.traces, bool)
    for window in slabs(clone.layer.shape):
        numbers = clone.numbers(window)
        outside[numbers[numbers >= 0]] = False
    old, new = FileBytes(clone.path), FileBytes(path)
    try:
        if not _same_frame(clone, old, new):
            yield False
        for first, count in clone.blocks:
            yield _same_block(clone, (old, new), (first, count), outside)
    except UnreadableFile:
        yield False
    finally:
        old.close()
        new.close()


def _same_frame(clone: _Clone, old: FileBytes, new: FileBytes) -> bool:
    """Compare what stands before the first trace and after the last one."""
    header = clone.header
    ends = [
        header.first_byte + header.traces * trace_bytes
        for trace_bytes in (header.trace_bytes, clone.trace_bytes)
    ]
    if old.size - ends[0] != new.size - ends[1]:
        return False
    code = slice(_CODE_AT, _CODE_AT + 2)
    first, ours = (file.read(0, header.first_byte) for file in (old, new))
    first[code] = np.frombuffer(_code_bytes(clone), np.uint8)
    tail = old.read(ends[0], old.size - ends[0])
    return np.array_equal(first, ours) and np.array_equal(tail, new.read(ends[1], len(tail)))


def _same_block(
    clone: _Clone, files: tuple[FileBytes, FileBytes], block: tuple[int, int], outside: np.ndarray
) -> bool:
    first, count = block
    heads = []
    for file, trace_bytes in zip(files, (clone.header.trace_bytes, clone.trace_bytes), strict=True):
        data = file.read(clone.header.first_byte + first * trace_bytes, count * trace_bytes)
        heads.append(data.reshape(count, -1))
    length = clone.header.header_bytes
    empty = heads[1][outside[first : first + count], length:]
    return np.array_equal(heads[0][:, :length], heads[1][:, :length]) and not empty.any()


def encode(values: np.ndarray, raw_type: np.dtype, code: int) -> np.ndarray:
    """Return `values` as raw samples of format `code`, a new array of `raw_type`."""
    if code == IBM:
        return _to_ibm(values).astype(raw_type)
    return values.astype(np.dtype(RAW_TYPES[code])).astype(raw_type)


def _to_ibm(values: np.ndarray) -> np.ndarray:
    """Return the bits of IBM floats, uint32: sign, 7 bits of a power of 16, 24 of a fraction."""
    fraction, power_of_2 = np.frexp(np.abs(values).astype(np.float64))
    power = -(-power_of_2 // 4)
    bits = np.rint(np.ldexp(fraction, power_of_2 - 4 * power + 24)).astype(np.int64)
    power, bits = np.where(bits >> 24, (power + 1, bits >> 4), (power, bits))
    sign = np.signbit(values.astype(np.float64)).astype(np.int64)
    return np.where(bits == 0, 0, sign << 31 | (power + 64) << 24 | bits).astype(np.uint32)
