"""Random walks between scribbles: each cell takes the class that a walker reaches first.

After L. Grady, Random walks for image segmentation, IEEE PAMI 28 (2006), 1768-1783.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: How strongly a step between unlike cells is avoided; differences count in standard deviations.
_SHARPNESS = 10.0
#: Every step keeps this much of a chance, so that each cell is reached.
_FLOOR = 1e-5
#: Above so many cells along a side, the walk on every other cell is the first guess.
_COARSEST = 48
_RESIDUE, _ROUNDS = 1e-3, 400


def random_walk(values: np.ndarray, live: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return the class of every cell, uint8 (rows, columns).

    `values` are float (bands, rows, columns), `live` bool (rows, columns); `seeds` are uint8
    (rows, columns) class ids, 0 where the walk decides. A seed keeps its class; a dead cell, and
    one that no walk leads from to any seed, stays 0. The same input gives the same classes.
    """
    seeds = np.where(live, seeds, 0).astype(np.uint8)
    ids = np.unique(seeds[seeds > 0])
    reached = _reached(live, seeds)
    if ids.size < 2:
        return np.where(reached, ids[0] if ids.size else 0, 0).astype(np.uint8)
    scaled = _scaled(values, live)
    chances = _chances(scaled, live, np.where(seeds > 0, np.searchsorted(ids, seeds), -1), ids.size)
    classes = np.where(reached, ids[chances.argmax(axis=0)], 0).astype(np.uint8)
    return np.where(seeds > 0, seeds, classes)


def _reached(live: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    parts = np.zeros(live.shape, np.int32)
    ndimage.label(live, output=parts)
    return live & np.isin(parts, np.unique(parts[seeds > 0]))


def _scaled(values: np.ndarray, live: np.ndarray) -> np.ndarray:
    """Return the values in standard deviations of their band's live cells."""
    scaled = np.zeros(values.shape, np.float64)
    for out, band in zip(scaled, values, strict=True):
        spread = float(band[live].std(dtype=np.float64))
        out[live] = band[live] / (spread if spread > 0 else 1.0)
    return scaled


def _chances(values: np.ndarray, live: np.ndarray, seeds: np.ndarray, count: int) -> np.ndarray:
    """Return the chance (count, rows, columns) of reaching a seed of each number first."""
    guess = _guess(values, live, seeds, count)
    laplacian = _laplacian(values, live)
    flat = seeds.ravel()
    known = flat >= 0
    free = np.flatnonzero(~known & live.ravel())
    chances = np.zeros((count, flat.size))
    chances[flat[known], np.flatnonzero(known)] = 1.0
    inner = laplacian[free][:, free]
    border = laplacian[free][:, np.flatnonzero(known)]
    for number in range(count - 1):  # all chances together are 1
        wanted = -(border @ chances[number, known])
        chances[number, free] = _solved(inner, wanted, guess[number].ravel()[free])
    chances[-1, free] = 1.0 - chances[:-1, free].sum(axis=0)
    return chances.reshape(count, *seeds.shape)


def _guess(values: np.ndarray, live: np.ndarray, seeds: np.ndarray, count: int) -> np.ndarray:
    """Return a first guess of the chances: those of a walk on blocks of 2 x 2 cells."""
    rows, columns = seeds.shape
    if max(rows, columns) <= _COARSEST:
        return np.full((count, rows, columns), 1.0 / count)
    alive = _blocks(live.astype(np.float64))
    mean = _blocks(values * live) / np.maximum(alive, 1.0)
    marks = -_blocks(-seeds.astype(np.float64), np.minimum).astype(np.int64)
    coarse = _chances(mean, alive > 0, np.where(alive > 0, marks, -1), count)
    return coarse.repeat(2, axis=1).repeat(2, axis=2)[:, :rows, :columns]


def _blocks(array: np.ndarray, join: np.ufunc = np.add) -> np.ndarray:
    for axis in (-2, -1):
        array = join.reduceat(array, np.arange(0, array.shape[axis], 2), axis=axis)
    return array


def _laplacian(values: np.ndarray, live: np.ndarray) -> csr_array:
    """Return the weighted Laplacian of the cells, (cells, cells); dead cells have no neighbours."""
    from scipy import sparse

    number = np.arange(live.size).reshape(live.shape)
    ones, others, weights = [], [], []
    for axis in (0, 1):
        near, far = _pairs(live.ndim, axis)
        both = live[near] & live[far]
        apart = np.square(values[(slice(None), *far)] - values[(slice(None), *near)]).mean(axis=0)
        ones.append(number[near][both])
        others.append(number[far][both])
        weights.append(np.exp(-_SHARPNESS * apart[both]) + _FLOOR)
    one, other, weight = (np.concatenate(each) for each in (ones, others, weights))
    size = (live.size, live.size)
    links = sparse.coo_array((weight, (one, other)), size)
    links = (links + links.T).tocsr()
    return (sparse.diags_array(links.sum(axis=1)) - links).tocsr()


def _pairs(ndim: int, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    near = tuple(slice(None, -1) if i == axis else slice(None) for i in range(ndim))
    far = tuple(slice(1, None) if i == axis else slice(None) for i in range(ndim))
    return near, far


def _solved(matrix: csr_array, wanted: np.ndarray, guess: np.ndarray) -> np.ndarray:
    from scipy import sparse
    from scipy.sparse.linalg import cg

    diagonal = matrix.diagonal()
    scale = sparse.diags_array(1.0 / np.where(diagonal > 0, diagonal, 1.0))
    answer, _ = cg(matrix, wanted, guess, rtol=_RESIDUE, maxiter=_ROUNDS, M=scale)
    return answer
