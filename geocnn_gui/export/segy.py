"""Write a prediction as a copy of its SEG-Y file in which only the samples differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from geocnn_gui.data.segy import SegySource
from geocnn_gui.data.segy_samples import IBM, RAW_TYPES
from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Event, Note, Progress
from geocnn_gui.export.layers import Layer, slabs
from geocnn_gui.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.segy_headers import FileHeader
    from geocnn_gui.data.source import Source

_CHUNK = 2**24


def export_segy(layer: Layer, source: Source, out: Path) -> Iterator[Event]:
    """Write a clone of the source's file: every header byte as it is, samples replaced.

    Samples keep the file's own number format; confidence becomes whole percent where that is
    an integer. Traces that are not in the source's grid and cells without a prediction are 0.

    Raises
    ------
    BadRequest
        When the source is no SEG-Y file, or its numbers are too small for the class ids.
    CannotWrite
        When the disk is full or the folder cannot be written to; an older file stays.
    """
    if not isinstance(source, SegySource) or source.path is None:
        raise BadRequest(f"{source.name} is no SEG-Y file", "export it as .tif or .npy")
    header = source.header
    percent = layer.what == "confidence" and header.raw_type.kind in "iu" and header.code != IBM
    if percent:
        yield Note(f"{out.name} holds confidence in percent: its samples are whole numbers.")
    _check_range(layer, source)
    chunks = -(-source.path.stat().st_size // _CHUNK)
    parts = slabs(layer.shape)
    total = chunks + len(parts)
    with replacing(out) as temporary:
        for done, _ in enumerate(_copy(source.path, temporary), 1):
            yield Progress(done, total, f"Copying {source.path.name}")
        written = np.zeros(header.traces, bool)
        with temporary.open("rb+") as file:
            for done, window in enumerate(parts, chunks + 1):
                values = layer.read(window).reshape(-1, header.samples)
                values = np.rint(values * 100) if percent else values
                numbers = source.trace_numbers(window).ravel()
                _write_traces(file, header, numbers, encode(values, header.raw_type, header.code))
                written[numbers[numbers >= 0]] = True
                yield Progress(done, total, f"Writing {out.name}")
            rest = np.flatnonzero(~written)
            _write_traces(file, header, rest, np.zeros((1, header.samples), header.raw_type))


def _check_range(layer: Layer, source: SegySource) -> None:
    highest = max((c.id for c in layer.classes), default=0)
    if layer.what == "classes" and source.header.code == 8 and highest > 127:
        raise BadRequest(
            f"{source.name} has 8-bit samples up to 127 and class ids go up to {highest}",
            "export it as .tif or .npy",
        )


def _copy(source: Path, target: Path) -> Iterator[None]:
    with source.open("rb") as old, target.open("wb") as new:
        while chunk := old.read(_CHUNK):
            new.write(chunk)
            yield


def _write_traces(file: BinaryIO, header: FileHeader, numbers: np.ndarray, raw: np.ndarray) -> None:
    """Write the samples `raw` (traces, or 1 for all, samples) of the traces `numbers`."""
    rows = np.broadcast_to(raw, (len(numbers), raw.shape[1]))
    for number, row in zip(numbers.tolist(), rows, strict=True):
        if number >= 0:
            file.seek(header.first_byte + number * header.trace_bytes + header.header_bytes)
            file.write(row.tobytes())


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
