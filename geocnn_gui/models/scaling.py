"""The scaling rule that travels with a model: how data become what a network reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from geocnn_gui.data.standardised import standardised
from geocnn_gui.data.statistics import BandStatistics, estimate_statistics
from geocnn_gui.models.spec import Spec

if TYPE_CHECKING:
    from geocnn_gui.data.source import Domain, Picture, Source

#: Beyond this many robust deviations values say "very large" and nothing else.
LIMIT = 5.0


Mode = Literal["survey", "stored", "trace", "raw"]


class Scaling(Spec):
    """`survey`: by each source's own statistics; `stored`: by the training data's.

    `trace`: each trace by itself, over `window` cells around each (`data.standardised`); `raw`:
    values as they are, which then lie within `LIMIT`. Amplitude units of seismic are arbitrary
    and differ between surveys, so `survey` is its rule, and from record to record, so `trace`
    is that of sets of traces; calibrated imagery means the same value everywhere, so `stored` is.
    """

    mode: Mode
    statistics: tuple[BandStatistics, ...]
    window: int = 0

    def view(self, source: Source) -> Source:
        """Return what is read instead of `source`: itself, or its traces standardised."""
        return standardised(source, self.window) if self.mode == "trace" else source

    def for_source(self, source: Source) -> tuple[BandStatistics, ...]:
        """Return the statistics by which pictures of `source` are scaled, one per band."""
        return estimate_statistics(source) if self.mode == "survey" else self.statistics


def plain_statistics(bands: int) -> tuple[BandStatistics, ...]:
    """Return statistics that leave values as they are."""
    same = BandStatistics(
        median=0, scale=1, low=-LIMIT, high=LIMIT, minimum=-LIMIT, maximum=LIMIT, exact=False
    )
    return (same,) * bands


def default_mode(domain: Domain) -> Literal["survey", "stored"]:
    """Return the rule that suits the domain."""
    return "survey" if domain == "seismic" else "stored"


def scale_picture(picture: Picture, statistics: tuple[BandStatistics, ...]) -> np.ndarray:
    """Return float32 (bands, rows, columns): robust deviations from the median, 0 where dead.

    (value - median) / scale, with scale a robust standard deviation, clipped to +-5.
    """
    return scale_values(picture.values, picture.live, statistics)


def scale_values(
    values: np.ndarray, live: np.ndarray, statistics: tuple[BandStatistics, ...]
) -> np.ndarray:
    """Do the same for values (bands, ...) of any size, `live` bool (...)."""
    form = (-1, *(1,) * live.ndim)
    median = np.array([s.median for s in statistics], np.float32).reshape(form)
    scale = np.array([s.scale for s in statistics], np.float32).reshape(form)
    values = np.clip((values - median) / scale, -LIMIT, LIMIT)
    values[:, ~live] = 0
    return values
