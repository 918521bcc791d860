"""The scaling rule that travels with a model: how data become what a network reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from geocnn_gui.data.statistics import BandStatistics, estimate_statistics
from geocnn_gui.models.spec import Spec

if TYPE_CHECKING:
    from geocnn_gui.data.source import Domain, Picture, Source

#: Beyond this many robust deviations values say "very large" and nothing else.
LIMIT = 5.0


class Scaling(Spec):
    """`survey`: by each source's own statistics; `stored`: by the training data's.

    Amplitude units of seismic are arbitrary and differ between surveys, so `survey` is its
    rule; calibrated imagery means the same value everywhere, so `stored` is.
    """

    mode: Literal["survey", "stored"]
    statistics: tuple[BandStatistics, ...]

    def for_source(self, source: Source) -> tuple[BandStatistics, ...]:
        """Return the statistics by which pictures of `source` are scaled, one per band."""
        return estimate_statistics(source) if self.mode == "survey" else self.statistics


def default_mode(domain: Domain) -> Literal["survey", "stored"]:
    """Return the rule that suits the domain."""
    return "survey" if domain == "seismic" else "stored"


def scale_picture(picture: Picture, statistics: tuple[BandStatistics, ...]) -> np.ndarray:
    """Return float32 (bands, rows, columns): robust deviations from the median, 0 where dead.

    (value - median) / scale, with scale a robust standard deviation, clipped to +-5.
    """
    median = np.array([s.median for s in statistics], np.float32)[:, None, None]
    scale = np.array([s.scale for s in statistics], np.float32)[:, None, None]
    values = np.clip((picture.values - median) / scale, -LIMIT, LIMIT)
    values[:, ~picture.live] = 0
    return values
