"""Samples of a SEG-Y file: number formats, IBM floats, and which of the two a file really holds."""

from __future__ import annotations

import numpy as np

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
#: The bits of a 32-bit float that tell it from zero.
_VALUE_BITS = {IBM: 0x00FFFFFF, IEEE: 0x7FFFFFFF}
_ENOUGH_VALUES = 200
#: Sign and power of 16 of an IBM float, by its first byte; kept finite so that 0 times it is 0.
_IBM_POWERS = np.ldexp(
    np.where(np.arange(256) < 128, 1.0, -1.0),
    np.minimum(4 * (np.arange(256) % 128 - 64) - 24, 127),
).astype(np.float32)
_IBM_BLOCK = 1 << 16
#: 16 to the power 32 is 2 to the power 128, where float32 ends.
_LAST_IBM_EXPONENT = 64 + 32


def decode(raw: np.ndarray, code: int) -> np.ndarray:
    """Return raw samples of format `code` as native numbers; IBM floats become float32.

    `raw` may be of either byte order; it is left as it is.
    """
    if code == IBM:
        return _decode_ibm(raw)
    native = RAW_TYPES[code]
    if raw.dtype == np.dtype(native):
        return raw
    return raw.view(raw.dtype.str[0] + native).astype(native)


def _decode_ibm(raw: np.ndarray) -> np.ndarray:
    """Return IBM floats as float32: a sign, seven bits of a power of 16, a fraction of 24 bits.

    Exact, but for numbers beyond float32: they become infinite or 0. Libraries that shift bits
    instead get fractions wrong that do not begin with their first digit.
    """
    out = np.empty(raw.shape, np.float32)
    flat_in, flat_out = raw.reshape(-1), out.reshape(-1)
    with np.errstate(over="ignore", under="ignore"):
        for start in range(0, raw.size, _IBM_BLOCK):
            part = slice(start, start + _IBM_BLOCK)
            bits = flat_in[part].astype(np.uint32)
            power = _IBM_POWERS.take(bits >> np.uint32(24))
            bits &= np.uint32(0x00FFFFFF)
            np.multiply(bits.astype(np.float32), power, out=flat_out[part])
    return out


def finite(raw: np.ndarray, code: int) -> np.ndarray | None:
    """Return where raw samples are finite as float32 or float64; None where all must be."""
    if code == IBM:
        exponent = raw.view(np.uint8)[..., _leading_byte(raw) :: 4] & 0x7F
        return exponent <= _LAST_IBM_EXPONENT
    return np.isfinite(raw) if raw.dtype.kind == "f" else None


def _leading_byte(raw: np.ndarray) -> int:
    """Return where the byte with the sign lies among a sample's four."""
    return 0 if raw.dtype.str[0] == ">" else 3


def nonzero(raw: np.ndarray, code: int) -> np.ndarray:
    """Return where raw samples are not zero (nor minus zero, nor an IBM zero with exponent)."""
    if code not in _VALUE_BITS:
        return raw != 0
    mask = np.array(_VALUE_BITS[code], raw.dtype.str[0] + "u4").view(np.uint32)
    return (raw.view(np.uint32) & mask) != 0


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
        bits = raw.view(f"u{raw.itemsize}")  # quicker to compare than swapped floats, and NaN-safe
        dead |= (bits == bits[:, :1]).all(axis=1)
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
