"""What a training learns from: whether sources go together, and how their values are scaled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.statistics import BandStatistics, estimate_statistics, require_live
from geocnn_gui.errors import BadRequest
from geocnn_gui.models.scaling import Scaling, default_mode, plain_statistics
from geocnn_gui.training.samples import require_small, trace_lengths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geocnn_gui.training.sections import Pair
    from geocnn_gui.training.spec import TrainingSpec

#: Cells of a trace around each by which it is standardised, where no sample says how many.
_TRACE_WINDOW = 256


def check_pairs(pairs: Sequence[Pair]) -> None:
    """Make sure that sources go together; raises `BadRequest` or `NoLiveData`."""
    if not pairs:
        raise BadRequest("There is nothing to train on", "open a file and paint some labels")
    first = pairs[0].source
    for pair in pairs:
        require_live(pair.source)
        if len(pair.source.bands) != len(first.bands) or pair.source.domain != first.domain:
            raise BadRequest(
                f"{pair.source.name} and {first.name} differ in kind or bands",
                "train on sources of one kind with the same bands",
            )


def scaling_of(pairs: Sequence[Pair], training: TrainingSpec) -> Scaling:
    """Return how values are scaled, by the spec or by what the sources are."""
    sources = [pair.source for pair in pairs]
    per_source = [estimate_statistics(source) for source in sources]
    mode = training.scaling
    if mode == "auto" and trace_lengths(sources):
        mode = "trace"
    if mode == "auto":
        # Values in a unit mean the same everywhere, which those scaled by each survey do not.
        learns = any(pair.target is not None for pair in pairs)
        mode = "stored" if learns else default_mode(pairs[0].source.domain)
    statistics = tuple(_pool(bands) for bands in zip(*per_source, strict=True))
    if mode in ("trace", "raw"):
        if mode == "raw":
            require_small(sources, statistics)
        plain = plain_statistics(len(statistics))
        return Scaling(mode=mode, statistics=plain, window=trace_lengths(sources) or _TRACE_WINDOW)
    return Scaling(mode=mode, statistics=statistics)


def _pool(bands: tuple[BandStatistics, ...]) -> BandStatistics:
    """Average one band's statistics over sources of equal weight."""
    return BandStatistics(
        median=float(np.mean([b.median for b in bands])),
        scale=float(np.mean([b.scale for b in bands])),
        low=min(b.low for b in bands), high=max(b.high for b in bands),
        minimum=min(b.minimum for b in bands), maximum=max(b.maximum for b in bands),
        exact=all(b.exact for b in bands),
    )  # fmt: skip
