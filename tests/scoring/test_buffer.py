from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_planes import squares
from scipy import ndimage

from geocnn_gui.data.source import Plane, Section
from geocnn_gui.scoring.buffer import (
    Sample,
    correlation_length,
    sample_windows,
    wanted_buffer,
    widest_kept,
)
from geocnn_gui.scoring.regions import Boxes
from geocnn_gui.scoring.split_spec import SplitSpec

RASTER = Plane(Section(), 2, 0, 1)


def a_field(seed: int, lengths: tuple[float, float], shape=(384, 384), bands: int = 1) -> Sample:
    """Noise whose autocorrelation falls to 1/e after `lengths` cells down and along.

    An autoregression along each axis: its correlation is exp(-lag / length).
    """
    values = np.random.default_rng(seed).normal(size=(bands, *shape))
    for axis, length in enumerate(lengths, 1):
        values = autoregression(values, np.exp(-1 / length), axis)
    return Sample(RASTER, values.astype(np.float32), np.ones(shape, bool))


def autoregression(values: np.ndarray, keep: float, axis: int) -> np.ndarray:
    found = np.moveaxis(values.copy(), axis, 0)
    for i in range(1, len(found)):
        found[i] = keep * found[i - 1] + np.sqrt(1 - keep**2) * found[i]
    return np.moveaxis(found, 0, axis)


@pytest.mark.parametrize("lengths", [(4, 4), (3, 12), (20, 6)])
def test_that_the_correlation_length_of_a_known_field_is_found(lengths) -> None:
    measured = correlation_length([a_field(seed, lengths) for seed in range(3)])
    assert measured == pytest.approx(lengths, rel=0.2)


def test_that_noise_has_a_length_below_a_cell() -> None:
    noise = np.random.default_rng(0).normal(size=(2, 200, 200)).astype(np.float32)
    down, along = correlation_length([Sample(RASTER, noise, np.ones((200, 200), bool))])
    assert down < 1
    assert along < 1


def test_that_a_few_wild_values_and_dead_ground_change_little() -> None:
    sample = a_field(1, (6, 6), bands=2)
    random = np.random.default_rng(2)
    values = np.where(random.random(sample.values.shape) < 0.001, 1e9, sample.values)
    live = np.ones(sample.live.shape, bool)
    live[100:180, 50:300] = False
    values = np.where(live, values, -1e30).astype(np.float32)
    wild = correlation_length([Sample(RASTER, values, live)])
    assert wild == pytest.approx(correlation_length([sample]), rel=0.25)


def test_that_the_swings_of_a_wavelet_do_not_end_the_length_early() -> None:
    random = np.random.default_rng(3)
    time = np.arange(-40, 41)
    wavelet = np.cos(2 * np.pi * time / 16) * np.exp(-((time / 24) ** 2))
    traces = ndimage.convolve1d(random.normal(size=(400, 300)), wavelet, axis=0)
    sample = Sample(RASTER, traces[None].astype(np.float32), np.ones(traces.shape, bool))
    down, _ = correlation_length([sample])
    assert 12 < down < 40


def test_that_time_slices_tell_nothing_of_samples() -> None:
    field = a_field(4, (5, 5))
    level = Sample(Plane(Section(2, 10), 3, 0, 1), field.values, field.live)
    trace = Sample(Plane(Section(0, 10), 3, 2, 1), a_field(5, (15, 5)).values, field.live)
    assert correlation_length([level, trace]) == pytest.approx((15, 5), rel=0.3)
    down, along = correlation_length([level])
    assert down == along


def test_that_nothing_is_measured_where_nothing_varies() -> None:
    flat = np.full((1, 50, 50), 3.0, np.float32)
    assert correlation_length([Sample(RASTER, flat, np.ones((50, 50), bool))]) is None
    assert correlation_length([Sample(RASTER, flat, np.zeros((50, 50), bool))]) is None
    assert correlation_length([]) is None


@given(seed=st.integers(0, 99), rows=st.integers(20, 700), columns=st.integers(20, 700))
def test_that_windows_to_measure_lie_inside_and_hold_labels(seed, rows, columns) -> None:
    p = squares(seed, (rows, columns), classes=2, each=2, side=15)
    windows = sample_windows([p], count=4, side=256, seed=seed)
    assert windows
    for number, down, along in windows:
        assert number == 0
        assert (down.stop - down.start, along.stop - along.start) == (
            min(rows, 256), min(columns, 256),
        )  # fmt: skip
        assert down.start >= 0
        assert down.stop <= rows
        inside = (p.cells.rows >= down.start) & (p.cells.rows < down.stop)
        inside &= (p.cells.columns >= along.start) & (p.cells.columns < along.stop)
        assert inside.any()


def test_that_the_wanted_buffer_says_where_it_comes_from() -> None:
    spec = SplitSpec()
    assert wanted_buffer(spec, 46, None) == ((46, 46), "as far as the network sees")
    assert wanted_buffer(spec, 46, (99, 99)) == ((46, 46), "as far as the network sees")
    assert wanted_buffer(spec, 46, (2.1, 99))[0] == (3, 46)
    assert wanted_buffer(SplitSpec(buffer=7), 46, (2, 2)) == ((7, 7), "as asked for")


@given(wanted=st.tuples(st.integers(0, 60), st.integers(0, 60)), most=st.integers(0, 60))
def test_that_the_widest_bearable_buffer_is_kept(wanted, most) -> None:
    kept = widest_kept(wanted, lambda buffer: max(buffer) <= most)
    assert max(kept) == min(max(wanted), most)
    if max(wanted):
        for part, whole in zip(kept, wanted, strict=True):
            assert part == whole * max(kept) // max(wanted)


@given(
    seed=st.integers(0, 999), number=st.integers(0, 30), corner=st.tuples(*[st.integers(0, 40)] * 2),
    size=st.tuples(*[st.integers(1, 60)] * 2),
)  # fmt: skip
def test_that_boxes_are_painted_as_a_loop_would(seed, number, corner, size) -> None:
    random = np.random.default_rng(seed)
    low = random.integers(-20, 90, (number, 2))
    spans = np.stack([low, low + random.integers(0, 40, (number, 2))], 2).reshape(-1, 4)
    slow = np.zeros((130, 130), bool)
    for top, bottom, left, right in spans:
        slow[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    boxes = Boxes.of(spans, np.ones(number, int))
    window = tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))
    assert np.array_equal(boxes.cover(*window), slow[window])
    rows, columns = random.integers(0, 100, (2, 50))
    assert np.array_equal(boxes.covers(rows, columns), slow[rows, columns])
