"""Smooth random fields and blurs for the synthetic examples, by matrix products alone."""

from __future__ import annotations

import numpy as np


def field(
    rng: np.random.Generator, shape: tuple[int, ...], lengths: tuple[float, ...], *, step: int = 1
) -> np.ndarray:
    """Draw a smooth random field float32 of unit variance; lengths in cells, 0 for none.

    White noise on a coarse grid is spread by Gaussian weights, one axis after the other. `step`
    computes only every so many cells of the same field.
    """
    weights = [_spread(n, length)[::step] for n, length in zip(shape, lengths, strict=True)]
    out = rng.standard_normal([w.shape[1] for w in weights], dtype=np.float32)
    for axis, weight in enumerate(weights):
        out = np.moveaxis(np.tensordot(weight, out, (1, axis)), 0, axis)
    return out


def _spread(size: int, length: float) -> np.ndarray:
    """Return Gaussian weights (cells, knots) whose rows keep the variance."""
    if length <= 0:
        return np.eye(size, dtype=np.float32)
    step = max(1.0, length)
    knots = np.arange(-2 * step, size + 2 * step, step)
    weight = bell(0.5 * ((np.arange(size)[:, None] - knots) / (0.8 * length)) ** 2)
    return (weight / np.sqrt((weight**2).sum(axis=1, keepdims=True))).astype(np.float32)


def blur(array: np.ndarray, axis: int, width: float) -> np.ndarray:
    """Return `array` smoothed along `axis` by a Gaussian of standard deviation `width` cells."""
    place = np.arange(array.shape[axis])
    kernel = bell(0.5 * ((place - place[:, None]) / width) ** 2).astype(np.float32)
    kernel /= kernel.sum(axis=1, keepdims=True)
    return np.moveaxis(np.tensordot(kernel, array, (1, axis)), 0, axis)


def bell(exponent: np.ndarray) -> np.ndarray:
    """Return exp(-exponent), exactly 0 where negligible: denormal numbers are very slow."""
    return np.where(exponent < 18, np.exp(-np.minimum(exponent, 18)), 0)
