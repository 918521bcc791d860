"""Robust figures of a source's live samples, from all of them or from a bounded sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from pydantic import BaseModel, ConfigDict

from geocnn_gui.data.samples import SampleSource
from geocnn_gui.data.source import Section, Source, Window
from geocnn_gui.errors import NoLiveData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.data.source import Picture

#: Up to here (cells times bands) every sample counts and the figures are exact.
EXACT_SAMPLES = 4_000_000
_SAMPLE_SIDE = 768
_SAMPLE_SECTIONS = 5
#: Width of the 5th to 95th percentile of a normal distribution, in standard deviations.
_NORMAL_WIDTH = 3.29
#: Live samples (bands, n), the share of live cells, and whether that is all of them.
_Sample = tuple[np.ndarray, float, bool]
_latest: WeakKeyDictionary[Source, tuple[Section | None, _Sample]] = WeakKeyDictionary()


class BandStatistics(BaseModel):
    """Robust figures of one band's live samples, in physical units.

    `scale` is (95th - 5th percentile) / 3.29, a standard deviation that outliers do not move;
    it is never 0. `low` and `high` are the 2nd and 98th percentiles. `exact` says whether every
    live sample was used. Without any live sample all is 0 but `scale` and `high`, which are 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    median: float
    scale: float
    low: float
    high: float
    minimum: float
    maximum: float
    exact: bool


def estimate_statistics(
    source: Source, *, section: Section | None = None
) -> tuple[BandStatistics, ...]:
    """Return figures of every band, of the whole source or of one section."""
    samples, _, exact = _collect(source, section)
    return tuple(_figures(band, exact) for band in samples)


def histogram(
    source: Source, band: int, bins: int, *, section: Section | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return (counts int64 (bins,), edges float64 (bins + 1,)) of a band's live samples.

    The edges span the 0.1st to the 99.9th percentile, so that outliers do not squeeze the rest.
    """
    samples, _, _ = _collect(source, section)
    values = samples[band]
    if not values.size:
        return np.zeros(bins, np.int64), np.linspace(0.0, 1.0, bins + 1)
    low, high = (float(v) for v in np.percentile(values, (0.1, 99.9)))
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(values, bins, range=(low, high))
    return counts.astype(np.int64), edges.astype(np.float64)


def live_fraction(source: Source) -> tuple[float, bool]:
    """Return the share of live cells, 0-1, and whether every cell was looked at."""
    _, fraction, exact = _collect(source, None)
    return fraction, exact


def require_live(source: Source) -> None:
    """Make sure that the source has a live sample; a big one is searched block by block.

    Raises
    ------
    NoLiveData
        When every sample is masked.
    """
    fraction, exact = live_fraction(source)
    if fraction > 0:
        return
    if not exact and any(source.live(window).any() for window in _blocks(source)):
        return
    raise NoLiveData(
        f"{source.path or source.name} holds no live samples: all of it is nodata, zero or NaN",
        "choose another file",
    )


def describe(source: Source) -> dict[str, Any]:
    """Return the facts of a source as plain JSON values."""
    fraction, exact = live_fraction(source)
    return {
        "name": source.name,
        "kind": source.kind,
        "domain": source.domain,
        "format": source.format,
        "shape": list(source.shape),
        "axes": [
            {"name": a.name, "unit": a.unit, "first": a.first, "step": a.step, "size": a.size}
            for a in source.axes
        ],
        "bands": [band.name for band in source.bands],
        "dtype": str(source.dtype),
        "crs": source.crs,
        "transform": list(source.transform) if source.transform else None,
        "nodata": _json_number(source.nodata),
        "spacing": {
            "sample_interval": source.spacing.sample_interval,
            "sample_unit": source.spacing.sample_unit,
            "trace_spacing": source.spacing.trace_spacing,
            "pixel_size": source.spacing.pixel_size,
        },
        "live_fraction": fraction,
        "exact": exact,
        "notes": list(source.notes),
        **_sample_facts(source),
    }


def _sample_facts(source: Source) -> dict[str, Any]:
    """Return what a sample set holds beside: how many samples, of which size, of each class."""
    if (samples := source.samples) is None:
        return {}
    counts = np.bincount(samples.labels, minlength=256)
    groups = None if samples.groups is None else len(np.unique(samples.groups))
    return {
        "samples": len(samples),
        "sample_size": list(samples.size),
        "sample_classes": {name: int(counts[i]) for i, name in samples.classes},
        "records": groups,
    }


def _json_number(value: float | None) -> float | str | None:
    """Return NaN and infinity by name: JSON has no such numbers."""
    return str(value) if value is not None and not np.isfinite(value) else value


def _collect(source: Source, section: Section | None) -> _Sample:
    """Return the sample of a source or section; each source's latest one is remembered."""
    kept = _latest.get(source)
    if kept is None or kept[0] != section:
        kept = _latest[source] = section, _collect_anew(source, section)
    return kept[1]


def _collect_anew(source: Source, section: Section | None) -> _Sample:
    if isinstance(source, SampleSource) and section is None:
        return _collect_samples(source)
    values, live_cells, cells = [], 0, 0
    pictures, exact = _pictures(source, section)
    for picture in pictures:
        live = picture.live & np.isfinite(picture.values).all(axis=0)
        values.append(picture.values[:, live])
        live_cells += int(live.sum())
        cells += live.size
    joined = np.concatenate(values, axis=1)
    return joined, live_cells / max(1, cells), exact


def _collect_samples(source: SampleSource) -> _Sample:
    """Return values of the samples themselves, not of their means, and the share to be read."""
    values = [np.zeros((len(source.bands), 0), np.float32), *source.values(EXACT_SAMPLES)]
    live, exact = source.live_share
    return np.concatenate(values, axis=1), live, exact


def _pictures(source: Source, section: Section | None) -> tuple[Iterator[Picture], bool]:
    """Return pictures to take samples from, and whether they show every cell once."""
    cells = int(np.prod([n for i, n in enumerate(source.shape) if not _is_fixed(section, i)]))
    exact = cells * len(source.bands) <= EXACT_SAMPLES
    sections = _sections(source, section, every=exact)
    return (_picture(source, each, whole=exact) for each in sections), exact


def _is_fixed(section: Section | None, axis: int) -> bool:
    return section is not None and section.axis == axis


def _sections(source: Source, section: Section | None, *, every: bool) -> list[Section]:
    if section is not None:
        return [section]
    if len(source.axes) == 2:
        return [Section()]
    size = source.shape[0]
    if every:
        return [Section(0, i) for i in range(size)]
    # The middles of equal parts: the outermost sections of a survey are often empty.
    middles = (np.arange(_SAMPLE_SECTIONS) + 0.5) * size / _SAMPLE_SECTIONS
    return [Section(0, int(i)) for i in np.unique(middles.astype(int))]


def _picture(source: Source, section: Section, *, whole: bool) -> Picture:
    rows, columns = source.picture_shape(section)
    parts = slice(0, rows), slice(0, columns)
    if whole:
        return source.read_picture(section, *parts)
    side = max(64, int(_SAMPLE_SIDE / np.sqrt(max(1, len(source.bands) / 4))))
    return source.read_preview(section, *parts, (side, side))


def _figures(values: np.ndarray, exact: bool) -> BandStatistics:
    if not values.size:
        return BandStatistics(median=0, scale=1, low=0, high=1, minimum=0, maximum=0, exact=exact)
    points = np.percentile(values, (2, 5, 50, 95, 98))
    low, fifth, median, ninety_fifth, high = (float(p) for p in points)
    scale = (ninety_fifth - fifth) / _NORMAL_WIDTH or float(values.std(dtype=np.float64)) or 1.0
    return BandStatistics(
        median=median, scale=scale, low=low, high=high, exact=exact,
        minimum=float(values.min()), maximum=float(values.max()),
    )  # fmt: skip


def _blocks(source: Source) -> Iterator[Window]:
    """Yield windows of some million cells that cover the source, along its first axis."""
    rest = int(np.prod(source.shape[1:])) * len(source.bands)
    step = max(1, EXACT_SAMPLES // rest)
    for start in range(0, source.shape[0], step):
        size = min(step, source.shape[0] - start)
        whole = Window.whole(source.shape[1:])
        yield Window((start, *whole.offset), (size, *whole.size))
