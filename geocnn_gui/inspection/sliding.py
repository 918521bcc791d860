"""A kernel sliding over data: window, products, response; and for a trace the banded matrix.

Two ways: not flipped is the correlation that networks compute, flipped the convolution of
signal theory. Arrays are NumPy float64; nothing here needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Mode = Literal["full", "same", "valid"]


@dataclass(frozen=True, slots=True)
class Step:
    """A kernel at one spot: what lies under it, what is multiplied with what, and the sum.

    `window`, `kernel` and `products` are (inputs, rows, columns); the kernel is as it is laid
    on the data, flipped or not. `response` is the sum of the products, `bias` not added.
    `top`, `left`: the window's first cell in the data; data beyond their edges count as 0.
    """

    window: np.ndarray
    kernel: np.ndarray
    products: np.ndarray
    response: float
    top: int
    left: int


@dataclass(frozen=True, slots=True)
class Slide:
    """How a kernel (inputs, rows, columns) moves over data (inputs, h, w)."""

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    flipped: bool = False

    def laid(self, kernel: np.ndarray) -> np.ndarray:
        """Return the kernel as it is laid on the data."""
        return kernel[:, ::-1, ::-1] if self.flipped else kernel

    def shape(self, data: np.ndarray, kernel: np.ndarray) -> tuple[int, int]:
        """Return rows and columns of the response; 0 where the kernel is too large."""
        rows, columns = (
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(
                data.shape[1:], kernel.shape[1:], self.stride, self.padding, self.dilation,
                strict=True,
            )
        )  # fmt: skip
        return max(0, rows), max(0, columns)

    def step(self, data: np.ndarray, kernel: np.ndarray, row: int, column: int) -> Step:
        """Return the kernel at its response's cell (row, column)."""
        top, left = (
            at * s - p for at, s, p in zip((row, column), self.stride, self.padding, strict=True)
        )
        laid = self.laid(kernel).astype(np.float64)
        spots = [
            start + d * np.arange(k)
            for start, d, k in zip((top, left), self.dilation, kernel.shape[1:], strict=True)
        ]
        inside = [(at >= 0) & (at < n) for at, n in zip(spots, data.shape[1:], strict=True)]
        window = np.zeros(laid.shape)
        held = np.ix_(np.arange(len(data)), spots[0][inside[0]], spots[1][inside[1]])
        window[np.ix_(np.arange(len(data)), inside[0], inside[1])] = data[held]
        products = window * laid
        return Step(window, laid, products, float(products.sum()), int(top), int(left))

    def response(self, data: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        """Return the response everywhere, float64 (rows, columns): every `step` at once."""
        rows, columns = self.shape(data, kernel)
        padded = np.pad(
            data.astype(np.float64), [(0, 0), *((p, p) for p in self.padding)]
        )  # fmt: skip
        laid, total = self.laid(kernel), np.zeros((rows, columns))
        for k in range(kernel.shape[1]):
            for m in range(kernel.shape[2]):
                top, left = k * self.dilation[0], m * self.dilation[1]
                seen = padded[
                    :,
                    top : top + (rows - 1) * self.stride[0] + 1 : self.stride[0],
                    left : left + (columns - 1) * self.stride[1] + 1 : self.stride[1],
                ]
                total += np.tensordot(laid[:, k, m], seen, axes=1) if total.size else 0
        return total


def banded_matrix(
    kernel: np.ndarray, length: int, *, flipped: bool, mode: Mode = "same"
) -> np.ndarray:
    """Return the matrix whose product with a trace of `length` samples is a kernel's response.

    float64 (responses, length), one band of equal diagonals (Toeplitz): with `flipped` it gives
    what `numpy.convolve(trace, kernel, mode)` gives, without what `numpy.correlate` gives.
    """
    taps = np.asarray(kernel, np.float64)
    taps = taps if flipped else taps[::-1]
    whole = np.zeros((length + len(taps) - 1, length))
    for shift, tap in enumerate(taps):
        whole[shift : shift + length][np.diag_indices(length)] = tap
    if mode == "full":
        return whole
    if mode == "valid":
        short, long = sorted((len(taps), length))
        return whole[short - 1 : long]
    size = max(length, len(taps))
    start = _same_start(len(taps), length, flipped=flipped)
    return whole[start : start + size]


def _same_start(taps: int, length: int, *, flipped: bool) -> int:
    """Return where NumPy's "same" begins in "full": it leaves one more at the end or the start."""
    spare = min(taps, length) - 1
    return -(-spare // 2) if not flipped and taps > length else spare // 2
