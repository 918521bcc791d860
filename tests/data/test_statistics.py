from __future__ import annotations

import json

import numpy as np
import pytest

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Section, open_source
from geocnn_gui.data.statistics import (
    BandStatistics,
    describe,
    estimate_statistics,
    histogram,
    live_fraction,
    require_live,
)
from geocnn_gui.errors import NoLiveData


def raster(values: np.ndarray) -> ArraySource:
    axes = (
        Axis("row", "px", 0, 1, values.shape[1]),
        Axis("column", "px", 0, 1, values.shape[2]),
    )
    bands = tuple(Band(f"{i}") for i in range(len(values)))
    return ArraySource(values, kind="raster", axes=axes, bands=bands, domain="imagery", name="r")


def cube(values: np.ndarray) -> ArraySource:
    names = (("inline", ""), ("crossline", ""), ("time", "ms"))
    axes = tuple(Axis(n, u, 0, 1, s) for (n, u), s in zip(names, values.shape, strict=True))
    band = (Band("amplitude"),)
    return ArraySource(values, kind="cube", axes=axes, bands=band, domain="seismic", name="c")


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(10, 3, shape).astype(np.float32)


def test_that_figures_of_a_small_source_are_exact():
    values = normal(2, 300, 200)
    values[1] *= 5
    for band, figures in zip(values, estimate_statistics(raster(values)), strict=True):
        assert figures.exact
        assert figures.minimum == band.min()
        assert figures.maximum == band.max()
        assert figures.median == pytest.approx(np.median(band))
        assert (figures.low, figures.high) == pytest.approx(np.percentile(band, (2, 98)))
        assert figures.scale == pytest.approx(band.std(), rel=0.03)


def test_that_masked_samples_and_outliers_do_not_count():
    values = normal(1, 300, 200)
    expected = estimate_statistics(raster(values))[0]
    spoilt = values.copy()
    spoilt[0, :150] = np.nan
    spoilt[0, 200, :5] = 1e9
    figures = estimate_statistics(raster(spoilt))[0]
    assert figures.median == pytest.approx(expected.median, rel=0.02)
    assert figures.scale == pytest.approx(expected.scale, rel=0.03)
    assert live_fraction(raster(spoilt)) == (0.5, True)


def test_that_the_scale_is_never_zero():
    constant = np.full((1, 50, 50), 7, np.uint8)
    assert estimate_statistics(raster(constant))[0].scale == 1
    nearly = constant.copy()
    nearly[0, 0, 0] = 9
    assert 0 < estimate_statistics(raster(nearly))[0].scale < 1


def test_that_one_section_can_be_asked_for():
    values = normal(20, 30, 40)
    values[5] += 100
    source = cube(values)
    assert estimate_statistics(source, section=Section(0, 5))[0].median == pytest.approx(110, abs=1)
    assert estimate_statistics(source)[0].median == pytest.approx(10, abs=1)
    assert estimate_statistics(source, section=Section(2, 3))[0].exact


def test_that_figures_of_a_large_source_come_from_a_sample_and_say_so(monkeypatch):
    monkeypatch.setattr("geocnn_gui.data.statistics.EXACT_SAMPLES", 10_000)
    for source in (cube(normal(60, 70, 80)), raster(normal(3, 500, 600))):
        for figures in estimate_statistics(source):
            assert not figures.exact
            assert figures.median == pytest.approx(10, abs=0.2)
            assert figures.scale == pytest.approx(3, rel=0.05)
        assert live_fraction(source) == (1.0, False)


def test_that_the_histogram_counts_live_samples():
    values = normal(1, 200, 200)
    values[0, :20] = np.nan
    counts, edges = histogram(raster(values), 0, 64)
    assert counts.shape == (64,)
    assert edges.shape == (65,)
    assert counts.sum() == pytest.approx(180 * 200 * 0.998, rel=1e-3)
    np.testing.assert_allclose(
        (edges[0], edges[-1]), np.nanpercentile(values, (0.1, 99.9)), rtol=1e-5
    )


def test_that_a_source_without_live_samples_has_neutral_figures():
    source = raster(np.full((1, 30, 30), np.nan, np.float32))
    assert estimate_statistics(source)[0].scale == 1
    assert histogram(source, 0, 8)[0].sum() == 0
    assert live_fraction(source) == (0, True)


def test_that_a_raster_of_nodata_opens_but_is_refused_where_data_are_needed(make_raster):
    path = make_raster(np.full((2, 40, 50), -9999, "int16"), nodata=-9999)
    with open_source(path) as source:
        assert live_fraction(source) == (0, True)
        with pytest.raises(NoLiveData) as caught:
            require_live(source)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert text.endswith(".")


@pytest.mark.parametrize("live", [True, False])
def test_that_a_single_live_sample_anywhere_in_a_large_source_is_found(monkeypatch, live):
    monkeypatch.setattr("geocnn_gui.data.statistics.EXACT_SAMPLES", 5_000)
    values = np.full((1, 2000, 2000), np.nan, np.float32)
    if live:
        values[0, 1717, 1501] = 1
    source = raster(values)
    assert live_fraction(source) == (0, False)
    if live:
        require_live(source)
    else:
        with pytest.raises(NoLiveData):
            require_live(source)


def test_that_real_files_have_live_samples_and_plausible_figures(files):
    with open_source(files / "npra_line_cut.sgy") as source:
        require_live(source)
        figures = estimate_statistics(source)[0]
        assert figures.minimum < figures.low < figures.median < figures.high < figures.maximum
        assert 0.9 < live_fraction(source)[0] <= 1


def test_that_a_description_is_json(files):
    with open_source(files / "landsat_cut.tif") as source:
        facts = json.loads(json.dumps(describe(source), allow_nan=False))
    assert facts["kind"] == "raster"
    assert facts["format"] == "GeoTIFF"
    assert facts["shape"] == [40, 36]
    assert facts["axes"][0] == {
        "name": "row", "unit": "m", "first": 1738800.0, "step": -30.0, "size": 40,
    }  # fmt: skip
    assert len(facts["bands"]) == 8
    assert facts["dtype"] == "int16"
    assert "UTM" in facts["crs"]
    assert (facts["live_fraction"], facts["exact"]) == (1.0, True)
    assert facts["spacing"]["pixel_size"] == 30


def test_that_a_nodata_of_nan_is_still_json(make_raster):
    with open_source(make_raster(normal(1, 20, 20), nodata=np.nan)) as source:
        assert json.loads(json.dumps(describe(source), allow_nan=False))["nodata"] == "nan"


def test_that_statistics_survive_json():
    figures = estimate_statistics(raster(normal(1, 20, 20)))[0]
    assert BandStatistics.model_validate_json(figures.model_dump_json()) == figures
