"""Samples of a SEG-Y file: number formats, IBM floats, and which of the two a file really holds."""

from __future__ import annotations

import numpy as np
import segyio._segyio  # binds the name that segyio.tools.native looks up

#: Format code -> NumPy type of the raw samples (without byte order).
RAW_TYPES = {
    1: "u4", 2: "i4", 3: "i2", 5: "f4", 6: "f8", 8: "i1",
    9: "i8", 10: "u4", 11: "u2", 12: "u8", 16: "u1",
}  # fmt: skip
FORMAT_NAMES = {
    1: "IBM float", 2: "32-bit integer", 3: "16-bit integer", 5: "IEEE float",
    6: "IEEE double", 8: "8-bit integer", 9: "64-bit integer", 10: "unsigned 32-bit integer",
    11: "unsigned 16-bit integer", 12: "unsigned 64-bit integer", 16: "unsigned 8-bit integer",
}  # fmt: skip
IBM, IEEE = 1, 5
_ENOUGH_VALUES = 200


def decode(raw: np.ndarray, code: int) -> np.ndarray:
    """Return raw samples of format `code` as native numbers; IBM floats become float32.

    `raw` may be of either byte order; it is left as it is.
    """
    if code == IBM:
        flat = np.array(raw, dtype=">u4").ravel()
        return segyio.tools.native(flat.view(np.float32), copy=False).reshape(raw.shape)
    native = RAW_TYPES[code]
    if raw.dtype == np.dtype(native):
        return raw
    return raw.view(raw.dtype.str[0] + native).astype(native)


def nonzero(raw: np.ndarray, code: int) -> np.ndarray:
    """Return where raw samples are not zero (minus zero counts as zero)."""
    if code in (IBM, IEEE):
        bits = raw.view(raw.dtype.str[0] + "u4")
        return (bits << np.uint32(1)) != 0 if bits.dtype.isnative else _magnitude(bits) != 0
    return raw != 0


def _magnitude(bits: np.ndarray) -> np.ndarray:
    """Return the bits of swapped 32-bit floats without their sign (the low byte's top bit)."""
    return bits.view("<u4" if bits.dtype.str[0] == ">" else ">u4") & np.uint32(0xFFFFFF7F)


def live_ranges(raw: np.ndarray, code: int) -> tuple[np.ndarray, np.ndarray]:
    """Return per trace the first live sample and the one after the last.

    `raw` holds whole traces (traces, samples). Runs of exact zeros at either end are not live;
    a constant trace is dead: its range is empty (0, 0).
    """
    alive = nonzero(raw, code)
    samples = raw.shape[1]
    start = alive.argmax(axis=1)
    stop = samples - alive[:, ::-1].argmax(axis=1)
    dead = ~alive[np.arange(len(raw)), start]
    if samples > 1:
        dead |= (raw == raw[:, :1]).all(axis=1)
    start[dead] = stop[dead] = 0
    return start, stop


def looks_like(raw: np.ndarray, code: int) -> int:
    """Return IBM or IEEE, whichever the raw 32-bit samples look like; `code` when unsure.

    A normalised IBM float never has a zero in the first hexadecimal digit of its fraction. The
    same four bits of an IEEE float are the last bit of its exponent and three of its fraction:
    where that exponent bit is 0, they are all zero in every sixth to eighth number.
    """
    if code not in (IBM, IEEE):
        return code
    bits = raw.astype("u4") if code == IBM else raw.view(raw.dtype.str[0] + "u4").astype("u4")
    bits = np.unique(bits.ravel() & np.uint32(0x7FFFFFFF))
    even = bits[(bits != 0) & (bits & np.uint32(0x00800000) == 0)]
    if len(even) < _ENOUGH_VALUES:
        return code
    share = float(np.mean(even & np.uint32(0x00700000) == 0))
    if code == IBM and 0.05 < share < 0.35:
        return IEEE
    if code == IEEE and share < 0.002 and _plausible_ibm(bits):
        return IBM
    return code


def _plausible_ibm(bits: np.ndarray) -> bool:
    """Say whether most magnitudes, read as IBM floats, lie between 1e-9 and 1e12."""
    exponent = (bits >> np.uint32(24)).astype(int) - 64
    return bool(np.mean((exponent > -8) & (exponent < 11)) > 0.95)
