"""What the benchmarks of Live share: a filter bank and forest to stand beside, maps, scores."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui import workflow
from geocnn_gui.data.statistics import estimate_statistics
from geocnn_gui.labels.classes import classes_for
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.scaling import scale_picture

if TYPE_CHECKING:
    from geocnn_gui.data.source import Source

#: Widths of the filters in cells; five filters of each.
SIGMAS = (1.0, 2.0, 4.0, 8.0)
TREES = 100


def scaled(source: Source) -> np.ndarray:
    """Return the bands of a 2-D source as networks see them, float32 (bands, rows, columns)."""
    section = source.first_section()
    rows, columns = source.picture_shape(section)
    picture = source.read_picture(section, slice(0, rows), slice(0, columns))
    return scale_picture(picture, estimate_statistics(source))


def filter_bank(bands: np.ndarray) -> np.ndarray:
    """Return 20 features of each band, float32 (rows, columns, features).

    At each of four widths: Gaussian, size of the gradient, Laplacian, and both eigenvalues of
    the Hessian.
    """
    from scipy import ndimage

    found = []
    for band in bands:
        for sigma in SIGMAS:
            orders = ((0, 0), (2, 0), (0, 2), (1, 1))
            smooth, rows, columns, both = (
                ndimage.gaussian_filter(band, sigma, order=order) for order in orders
            )
            middle = (rows + columns) / 2
            apart = np.sqrt(((rows - columns) / 2) ** 2 + both**2)
            found += [
                smooth, ndimage.gaussian_gradient_magnitude(band, sigma), rows + columns,
                middle + apart, middle - apart,
            ]  # fmt: skip
    return np.stack(found, axis=-1).astype(np.float32)


def forest(features: np.ndarray, labels: np.ndarray, seed: int):
    """Fit a forest of scikit-learn to the labelled cells, with its defaults."""
    from sklearn.ensemble import RandomForestClassifier

    at = labels > 0
    return RandomForestClassifier(TREES, random_state=seed, n_jobs=-1).fit(features[at], labels[at])


def named_by(trees, features: np.ndarray) -> np.ndarray:
    """Return the class of each cell, uint8 (rows, columns)."""
    named = trees.predict(features.reshape(-1, features.shape[-1]))
    return named.reshape(features.shape[:2]).astype(np.uint8)


def live_map(
    source: Source, labels: np.ndarray, drawn: Source, backbone: Path | None
) -> np.ndarray:
    """Return classes uint8 (rows, columns) of `drawn` from labels (rows, columns) of `source`."""
    plane = source.plane(source.first_section())
    snapshot = LabelSnapshot.from_array(plane.array(labels))
    classes = classes_for(np.unique(labels[labels > 0]).tolist())
    pairs = [workflow.Pair(source, snapshot)]
    wish = workflow.MapWish(pairs, classes, drawn, backbone)
    with tempfile.TemporaryDirectory(prefix="geocnn-bench-") as folder:
        out = Path(folder) / "map.npy"
        for _ in workflow.live_to_file(wish, out):
            pass
        array = np.load(out)
    return drawn.plane(drawn.first_section()).picture(array)


def mean_iou(said: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean over the classes of the truth of intersection over union."""
    found = [
        ((said == number) & (truth == number)).sum() / ((said == number) | (truth == number)).sum()
        for number in np.unique(truth[truth > 0])
    ]
    return float(np.mean(found))
