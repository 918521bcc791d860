from __future__ import annotations

import os
import struct
import threading

import numpy as np
import pytest
import segyio
from hypothesis import given
from hypothesis import strategies as st

from geocnn_gui.data.segy_samples import IBM, IEEE, decode
from geocnn_gui.data.source import Section, Window, open_source
from geocnn_gui.errors import UnreadableFile

SAMPLES = 30


def smooth(traces: int, samples: int = SAMPLES, seed: int = 0) -> np.ndarray:
    """Band-limited noise of a few hundred units, as float32 (traces, samples)."""
    noise = np.random.default_rng(seed).normal(size=(traces, samples + 4))
    kernel = np.array([1, 4, 6, 4, 1]) * 20.0
    return np.stack([np.convolve(t, kernel, "valid") for t in noise]).astype(np.float32)


def cube_words(inlines: np.ndarray, crosslines: np.ndarray, pair=(189, 193)) -> dict:
    return {pair[0]: inlines.ravel(), pair[1]: crosslines.ravel()}


def grid(n: int = 4, m: int = 6) -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(np.arange(n) * 2 + 100, np.arange(m) * 3 + 700, indexing="ij")


def whole_picture(source, section=None):
    section = section or source.first_section()
    rows, columns = source.picture_shape(section)
    return source.read_picture(section, slice(0, rows), slice(0, columns))


# -- real files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "axes", "kind"),
    [
        ("npra_line_cut.sgy", [("cdp", 301, 24), ("time", 0, 400)], "line"),
        ("penobscot_crossline_cut.sgy", [("inline", 1300, 20), ("time", 0, 300)], "line"),
        ("f3_section_cut.sgy", [("cdp", 101, 40), ("time", 416, 100)], "line"),
        (
            "f3_cube_cut.sgy",
            [("inline", 111, 7), ("crossline", 875, 5), ("time", 4, 75)],
            "cube",
        ),
    ],
)
def test_that_real_files_open_with_their_axes(files, name, axes, kind):
    with open_source(files / name) as source:
        assert source.kind == kind
        assert [(a.name, a.first, a.size) for a in source.axes] == axes
        assert source.axes[-1].unit == "ms"
        assert source.axes[-1].step == 4
        assert source.spacing.sample_interval == 4


@pytest.mark.parametrize(
    "name",
    ["npra_line_cut.sgy", "penobscot_crossline_cut.sgy", "f3_section_cut.sgy", "f3_cube_cut.sgy"],
)
def test_that_samples_of_real_files_are_those_of_an_independent_reader(files, name):
    with segyio.open(files / name, ignore_geometry=True) as file:
        expected = file.trace.raw[:]
    with open_source(files / name) as source:
        values = source.read(Window.whole(source.shape))
    assert values.dtype == expected.dtype
    np.testing.assert_array_equal(values.reshape(expected.shape), expected)


def test_that_the_whole_real_files_open(real_data):
    shapes = {}
    for path in sorted((real_data / "segy").glob("*.sgy")):
        with open_source(path) as source:
            shapes[path.stem] = source.shape
            assert source.suggestion == {}
    assert shapes["npra_31_81"] == (534, 1501)
    assert shapes["penobscot_xl1155"] == (601, 1501)
    assert shapes["f3_cube_23x18x75"] == (23, 18, 75)
    assert shapes["f3_crossline61_amplitude"] == (951, 338)
    assert shapes["f3_inline362"] == (951, 463)


def test_that_a_line_knows_spacing_and_places_only_where_coordinates_are_sane(files):
    with open_source(files / "penobscot_crossline_cut.sgy") as source:
        assert source.spacing.trace_spacing == pytest.approx(12.5, abs=0.1)
        x, y = source.map_position(Section(), 10, 3)
        with segyio.open(source.path, ignore_geometry=True) as file:
            assert x == file.header[3][segyio.TraceField.CDP_X] / 10
            assert y == file.header[3][segyio.TraceField.CDP_Y] / 10
    with open_source(files / "npra_line_cut.sgy") as source:  # 181 and 185 hold other things
        assert source.spacing.trace_spacing is None
        assert source.map_position(Section(), 10, 3) is None


def test_that_a_cube_knows_the_place_of_each_picture_cell(files):
    path = files / "f3_cube_cut.sgy"
    with segyio.open(path, ignore_geometry=True) as file:
        x, y = (file.attributes(byte)[:].reshape(7, 5) / 10 for byte in (181, 185))
    with open_source(path) as source:
        assert source.spacing.trace_spacing == pytest.approx(25, abs=0.1)
        assert source.map_position(Section(0, 2), 40, 3) == (x[2, 3], y[2, 3])
        assert source.map_position(Section(1, 4), 40, 6) == (x[6, 4], y[6, 4])
        assert source.map_position(Section(2, 9), 5, 1) == (x[5, 1], y[5, 1])


# -- formats -----------------------------------------------------------------------------------


@pytest.mark.parametrize("endian", ["big", "little"])
@pytest.mark.parametrize("code", [1, 2, 3, 5, 8, 10, 11, 16])
def test_that_every_format_reads_in_both_byte_orders(make_segy, code, endian):
    traces = smooth(12)
    traces = traces if code in (1, 5) else np.clip(traces, *((0, 120) if code > 8 else (-120, 120)))
    traces = traces.astype(
        {1: "f4", 2: "i4", 3: "i2", 5: "f4", 8: "i1", 10: "u4", 11: "u2"}.get(code, "u1")
    )
    path = make_segy(traces, {21: np.arange(12) + 5}, code=code, endian=endian)
    with open_source(path) as source:
        assert source.dtype == traces.dtype
        assert source.axes[0].name == "cdp"
        np.testing.assert_allclose(source.read(Window.whole(source.shape)), traces, rtol=1e-6)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1), st.sampled_from("<>"))
def test_that_ibm_numbers_decode_exactly(bits, order):
    raw = np.array(bits, order + "u4")
    sign = np.where(raw >> 31, -1.0, 1.0)
    power = (raw >> 24 & 0x7F).astype(float) - 64
    exact = sign * (raw & 0xFFFFFF) / 2**24 * 16.0**power
    sane = np.abs(exact) < 2.0**127
    np.testing.assert_allclose(decode(raw, IBM)[sane], exact[sane], rtol=0, atol=2.0**-126)
    assert raw.tolist() == bits  # left as they were


def test_that_known_ibm_numbers_decode():
    raw = np.array([0x42640000, 0xC276A000, 0, 0x41100000, 0x40000000], ">u4")
    np.testing.assert_array_equal(decode(raw, IBM), np.float32([100, -118.625, 0, 1, 0]))


def test_that_ibm_numbers_beyond_float32_are_not_live(make_segy):
    path = make_segy(np.maximum(np.abs(smooth(4)), 1), code=IBM)
    with path.open("r+b") as file:
        file.seek(3600 + 240 + 4 * 7)
        file.write(bytes.fromhex("7fffffff"))
    with open_source(path) as source:
        picture = whole_picture(source)
        assert np.argwhere(~picture.live).tolist() == [[7, 0]]
        assert np.isfinite(picture.values).all()


@pytest.mark.parametrize("endian", ["big", "little"])
@pytest.mark.parametrize("true", [IBM, IEEE])
@pytest.mark.parametrize("said", [IBM, IEEE])
def test_that_mislabelled_floats_are_noticed_and_can_be_read_rightly(make_segy, true, said, endian):
    traces = smooth(60, 200)
    path = make_segy(traces, code=true, endian=endian)
    with path.open("r+b") as file:
        file.seek(3224)
        file.write(struct.pack(">h" if endian == "big" else "<h", said))
    with open_source(path) as source:
        wrong = true != said
        assert bool(source.suggestion) == wrong
        assert any("look like" in note for note in source.notes) == wrong
        choices = source.suggestion
    with open_source(path, **choices) as source:
        np.testing.assert_allclose(source.read(Window.whole(source.shape)), traces, rtol=1e-6)
        assert source.choices["sample_format"] == ("ibm" if true == IBM else "ieee")


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(1500, 2040, 4000),  # velocities within one power of two
        np.random.default_rng(0).integers(0, 5, 4000),  # classes
        np.random.default_rng(0).integers(-128, 128, 4000) + 0.5,
        np.random.default_rng(0).normal(size=4000) * 1e-6,
    ],
    ids=["velocity", "classes", "bytes", "small"],
)
@pytest.mark.parametrize("code", [IBM, IEEE])
def test_that_rightly_labelled_floats_raise_no_suspicion(make_segy, values, code):
    path = make_segy(values.astype(np.float32).reshape(20, 200), code=code)
    with open_source(path) as source:
        assert source.suggestion == {}


# -- geometry ----------------------------------------------------------------------------------

LAYOUTS = [
    (189, 193), (5, 21), (9, 21), (17, 25), (181, 185), (21, 25), (221, 21), (221, 225),
    (189, 17), (189, 21), (5, 17), (9, 17), (9, 193), (221, 193),
]  # fmt: skip


@pytest.mark.parametrize("crossline_first", [False, True])
@pytest.mark.parametrize("pair", LAYOUTS)
def test_that_every_known_layout_gives_the_cube(make_segy, pair, crossline_first):
    inlines, crosslines = grid()
    values = smooth(24).reshape(4, 6, SAMPLES)
    order = np.arange(24).reshape(4, 6)
    order = order.T.ravel() if crossline_first else order.ravel()
    words = {k: v[order] for k, v in cube_words(inlines, crosslines, pair).items()}
    words[1] = np.arange(24) + 1  # the trace counter of nearly every file
    with open_source(make_segy(values.reshape(24, -1)[order], words)) as source:
        assert source.kind == "cube"
        assert [(a.name, a.first, a.step, a.size) for a in source.axes[:2]] == [
            ("inline", 100, 2, 4),
            ("crossline", 700, 3, 6),
        ]
        np.testing.assert_array_equal(source.read(Window.whole(source.shape)), values)
        assert any(f"bytes {pair[0]} and {pair[1]}" in n for n in source.notes) == (
            pair != (189, 193)
        )


def test_that_any_trace_order_gives_the_same_cube(make_segy):
    inlines, crosslines = grid()
    values = smooth(24).reshape(4, 6, SAMPLES)
    order = np.random.default_rng(1).permutation(24)
    words = {k: v[order] for k, v in cube_words(inlines, crosslines).items()}
    with open_source(make_segy(values.reshape(24, -1)[order], words)) as source:
        np.testing.assert_array_equal(
            source.read(Window.whole(source.shape)), _along(source, values)
        )
        numbers = source.trace_numbers(Window.whole(source.shape))
        np.testing.assert_array_equal(order[numbers], _along(source, np.arange(24).reshape(4, 6)))


def _along(source, array):
    """Flip the axes that run downwards in the file."""
    flips = tuple(slice(None, None, 1 if a.step > 0 else -1) for a in source.axes[:2])
    return array[flips]


def test_that_pictures_keep_the_order_of_the_file(make_segy):
    inlines, crosslines = grid()
    words = cube_words(inlines[:, ::-1], crosslines[:, ::-1])
    values = smooth(24)
    with open_source(make_segy(values, words)) as source:
        assert (source.axes[1].first, source.axes[1].step) == (715, -3)
        np.testing.assert_array_equal(whole_picture(source, Section(0, 0)).values[0], values[:6].T)


def test_that_missing_traces_and_null_traces_are_masked_cells(make_segy):
    inlines, crosslines = grid(10, 10)
    words = cube_words(inlines, crosslines)
    keep = np.ones(100, bool)
    keep[[13, 14, 57]] = False
    keep[90:95] = False
    words = {k: v[keep] for k, v in words.items()}
    words[189][5] = words[193][5] = 0  # a null trace
    values = smooth(100)
    expected = keep.copy()
    expected[5] = False
    with open_source(make_segy(values[keep], words)) as source:
        assert source.shape == (10, 10, SAMPLES)
        live = source.live(Window.whole(source.shape))
        np.testing.assert_array_equal(live.all(axis=2).ravel(), expected)
        np.testing.assert_array_equal(live.any(axis=2).ravel(), expected)
        read = source.read(Window.whole(source.shape)).reshape(100, -1)
        np.testing.assert_array_equal(read[expected], values[expected])
        assert not read[~expected].any()
        assert source.map_position(Section(0, 1), 0, 3) is None
        assert any(note.startswith("9 cells of the grid hold no trace") for note in source.notes)
        slice_live = whole_picture(source, Section(2, 7)).live
        np.testing.assert_array_equal(slice_live.ravel(), expected)


def test_that_a_repeated_trace_is_reported_and_the_first_used(make_segy):
    inlines, crosslines = grid(5, 5)
    words = {k: np.append(v, v[7]) for k, v in cube_words(inlines, crosslines).items()}
    values = smooth(26)
    with open_source(make_segy(values, words)) as source:
        np.testing.assert_array_equal(
            source.read(Window((1, 2, 0), (1, 1, SAMPLES)))[0, 0], values[7]
        )
        assert any(note.startswith("1 traces repeat") for note in source.notes)


def test_that_gathers_are_a_line_with_a_note(make_segy):
    inlines, crosslines = grid(3, 4)
    words = {k: np.repeat(v, 5) for k, v in cube_words(inlines, crosslines).items()}
    words[37] = np.tile(np.arange(5) * 100, 12)
    with open_source(make_segy(smooth(60), words)) as source:
        assert source.kind == "line"
        assert source.axes[0].name == "trace"
        assert any("no regular grid" in note for note in source.notes)


def test_that_shot_records_are_a_line_and_no_cube(make_segy):
    shot, channel = np.meshgrid(np.arange(8), np.arange(12), indexing="ij")
    words = {9: shot.ravel() + 1, 13: channel.ravel() + 1, 37: channel.ravel() * 25}
    words[21] = (2 * shot + channel).ravel() + 100
    with open_source(make_segy(smooth(96), words)) as source:
        assert source.kind == "line"


@pytest.mark.parametrize(
    ("words", "name", "first", "step"),
    [
        ({}, "trace", 1, 1),
        ({21: np.arange(20) * 2 + 50}, "cdp", 50, 2),
        ({21: 950 - np.arange(20)}, "cdp", 950, -1),
        ({21: np.arange(20) ** 2}, "trace", 1, 1),
        ({189: 362, 193: np.arange(20) + 300}, "crossline", 300, 1),
        ({189: np.arange(20) + 300, 193: 7, 21: np.arange(20) + 1}, "inline", 300, 1),
    ],
)
def test_that_the_trace_axis_of_a_line_is_named_by_what_progresses(
    make_segy, words, name, first, step
):
    with open_source(make_segy(smooth(20), words)) as source:
        axis = source.axes[0]
        assert (source.kind, axis.name, axis.first, axis.step) == ("line", name, first, step)


def test_that_one_trace_is_a_line(make_segy):
    with open_source(make_segy(smooth(1))) as source:
        assert source.shape == (1, SAMPLES)
        assert whole_picture(source).live.all()


@pytest.mark.parametrize(("scalar", "factor"), [(-100, 0.01), (-1, 1), (0, 1), (1, 1), (10, 10)])
def test_that_the_coordinate_scalar_is_applied(make_segy, scalar, factor):
    words = {71: scalar, 73: np.arange(20) * 4000, 77: np.arange(20) * 3000}
    with open_source(make_segy(smooth(20), words)) as source:
        assert source.map_position(Section(), 0, 4) == pytest.approx(
            (16000 * factor, 12000 * factor)
        )
        distance = 5000 * factor
        expected = pytest.approx(distance) if distance <= 1000 else None
        assert source.spacing.trace_spacing == expected


@pytest.mark.parametrize("crossline_first", [False, True])
@pytest.mark.parametrize("broken", [False, True])
def test_that_a_big_cube_is_found_without_reading_every_header(
    make_segy, monkeypatch, broken, crossline_first
):
    monkeypatch.setattr("geocnn_gui.data.segy_geometry.FULL_SCAN", 1000)
    inlines, crosslines = np.meshgrid(np.arange(70) + 5, np.arange(80) * 2, indexing="ij")
    values = np.arange(5600, dtype=np.float32).reshape(70, 80) + 1
    if crossline_first:
        inlines, crosslines, values = inlines.T, crosslines.T, values.T
    keep = np.ones(5600, bool)
    keep[[2345, 2346, 4000][: 3 * broken]] = False
    words = {k: v[keep] for k, v in cube_words(inlines, crosslines).items()}
    traces = np.repeat(values.ravel()[keep, None], 4, axis=1) * [1, 2, 3, 4]
    with open_source(make_segy(traces, words)) as source:
        assert (source.geometry.table is not None) == broken
        assert [(a.first, a.step, a.size) for a in source.axes[:2]] == [(5, 1, 70), (0, 2, 80)]
        read = source.read(Window((0, 0, 2), (70, 80, 1)))[..., 0]
        expected = (values.ravel() * 3 * keep).reshape(values.shape)
        np.testing.assert_array_equal(read, expected.T if crossline_first else expected)


def test_that_a_big_line_keeps_its_cdp_axis(make_segy, monkeypatch):
    monkeypatch.setattr("geocnn_gui.data.segy_geometry.FULL_SCAN", 1000)
    with open_source(make_segy(smooth(3000, 4), {21: np.arange(3000) + 7})) as source:
        assert (source.kind, source.axes[0].name, source.axes[0].first) == ("line", "cdp", 7)


# -- time, depth, intervals --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "interval", "name", "unit", "step"),
    [
        ("A STACK", 4000, "time", "ms", 4),
        ("PSTM STACK, TWT IN MS", 2000, "time", "ms", 2),
        ("PRESTACK DEPTH MIGRATION, DEPTH SECTION", 5000, "depth", "m", 5),
        ("A SECTION", 10, "depth", "m", 10),
        ("A SECTION", 12500, "depth", "m", 12.5),
        ("WATER DEPTH IN BYTE 61", 4000, "time", "ms", 4),
        ("A SECTION", 4, "time", "ms", 4),
        ("A SECTION", 500, "time", "ms", 0.5),
    ],
)
def test_that_time_or_depth_is_guessed_said_and_switched(
    make_segy, text, interval, name, unit, step
):
    header = segyio.tools.create_text_header({1: text})
    path = make_segy(
        smooth(5), {109: 100}, text=header, binary={segyio.BinField.Interval: interval}
    )
    with open_source(path) as source:
        axis = source.axes[-1]
        assert (axis.name, axis.unit, axis.step, axis.first) == (name, unit, step, 100)
        assert source.spacing.sample_unit == unit
        assert any(note.startswith(f"Read as {name}") for note in source.notes)
    other = "depth" if name == "time" else "time"
    with open_source(path, vertical=other) as source:
        assert source.axes[-1].name == other
        assert source.choices["vertical"] == other
        assert not any(note.startswith("Read as") for note in source.notes)


def test_that_an_interval_only_in_the_traces_counts_and_a_missing_one_is_said(make_segy):
    zero = {segyio.BinField.Interval: 0}
    with open_source(make_segy(smooth(5), {117: 2000}, binary=zero)) as source:
        assert source.axes[-1].step == 2
    with open_source(make_segy(smooth(5), binary=zero, name="none.sgy")) as source:
        assert (source.axes[-1].step, source.axes[-1].unit) == (1, "")
        assert source.spacing.sample_interval is None
        assert any("sample interval" in note for note in source.notes)


def test_that_an_ascii_text_header_is_read(make_segy):
    path = make_segy(smooth(5))
    with path.open("r+b") as file:
        file.write(b"C 1 DEPTH MIGRATED".ljust(3200))
    with open_source(path) as source:
        assert source.header.text.startswith("C 1 DEPTH MIGRATED")
        assert source.axes[-1].name == "depth"


def test_that_extended_text_headers_are_skipped(make_segy):
    path = make_segy(smooth(5), binary={segyio.BinField.SEGYRevision: 1})
    data = path.read_bytes()
    for count in (2, -1):
        header = bytearray(data[:3600])
        header[3504:3506] = struct.pack(">h", count)
        header[3500] = 1
        extra = "((SEG: Something))".encode("cp037").ljust(3200, b"\x40")
        extra += "((SEG: EndText))".encode("cp037").ljust(3200, b"\x40")
        path.write_bytes(bytes(header) + extra + data[3600:])
        with open_source(path) as source:
            np.testing.assert_array_equal(source.read(Window.whole(source.shape)), smooth(5))


# -- live samples ------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1, 3, 5])
def test_that_muted_ends_and_dead_traces_are_not_live(make_segy, code):
    values = np.maximum(np.abs(smooth(6)), 1)
    values[0, :5] = 0
    values[1, -7:] = 0
    values[2] = 0
    values[3] = 42
    values[4, 10:14] = 0  # zeros inside a trace are samples like others
    expected = np.ones(values.shape, bool)
    expected[0, :5] = expected[1, -7:] = expected[2] = expected[3] = False
    with open_source(make_segy(np.round(values), code=code)) as source:
        np.testing.assert_array_equal(source.live(Window.whole(source.shape)), expected)
        part = Window((0, 3), (6, 8))
        np.testing.assert_array_equal(source.live(part), expected[:, 3:11])
        picture = whole_picture(source)
        np.testing.assert_array_equal(picture.live, expected.T)
        assert not picture.values[:, ~picture.live].any()


def test_that_part_of_a_trace_is_masked_by_the_whole_trace_even_when_asked_first(make_segy):
    values = np.maximum(np.abs(smooth(4)), 1)
    values[1, 12:] = 0
    values[2, 12:14] = 0
    with open_source(make_segy(values)) as source:
        live = source.live(Window((0, 12), (4, 2)))
        np.testing.assert_array_equal(live, [[1, 1], [0, 0], [1, 1], [1, 1]])


def test_that_nan_and_infinity_are_not_live(make_segy):
    values = np.maximum(np.abs(smooth(4)), 1)
    values[1, 5], values[2, 6] = np.nan, np.inf
    with open_source(make_segy(values)) as source:
        picture = whole_picture(source)
        assert np.isfinite(picture.values).all()
        assert np.argwhere(~picture.live).tolist() == [[5, 1], [6, 2]]


def test_that_a_time_slice_of_a_big_cube_masks_zeros_until_traces_are_known(make_segy, monkeypatch):
    monkeypatch.setattr("geocnn_gui.data.segy._SMALL_FILE_BYTES", 0)
    inlines, crosslines = grid(4, 6)
    values = np.maximum(np.abs(smooth(24)), 1)
    values[3, 10] = 0  # a zero crossing
    values[5, 8:] = 0  # a mute
    with open_source(make_segy(values, cube_words(inlines, crosslines))) as source:
        before = whole_picture(source, Section(2, 10)).live
        assert np.argwhere(~before).tolist() == [[0, 3], [0, 5]]
        whole_picture(source, Section(0, 0))
        after = whole_picture(source, Section(2, 10)).live
        assert np.argwhere(~after).tolist() == [[0, 5]]


# -- sections, previews, threads ---------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_that_sections_of_a_cube_are_cuts_of_the_whole(make_segy, axis):
    inlines, crosslines = grid(4, 6)
    values = smooth(24).reshape(4, 6, SAMPLES)
    with open_source(make_segy(values.reshape(24, -1), cube_words(inlines, crosslines))) as source:
        section = Section(axis, 2)
        cut = values.take(2, axis=axis)
        cut = cut if axis == 2 else cut.T
        rows, columns = slice(1, cut.shape[0] - 1), slice(2, cut.shape[1])
        picture = source.read_picture(section, rows, columns)
        np.testing.assert_array_equal(picture.values[0], cut[rows, columns])
        preview = source.read_preview(
            section, slice(0, cut.shape[0]), slice(0, cut.shape[1]), (3, 2)
        )
        steps = -(-cut.shape[0] // 3), -(-cut.shape[1] // 2)
        np.testing.assert_array_equal(preview.values[0], cut[:: steps[0], :: steps[1]])


def test_that_a_preview_reads_only_the_traces_it_shows(make_segy, monkeypatch):
    with open_source(make_segy(smooth(400, 50))) as source:
        read = []
        gather = source._file.gather

        def counted(offsets, size):
            read.append(len(offsets) * size)
            return gather(offsets, size)

        monkeypatch.setattr(source._file, "gather", counted)
        preview = source.read_preview(Section(), slice(0, 50), slice(0, 400), (50, 20))
        assert preview.live.shape == (50, 20)
        assert sum(read) <= 20 * (240 + 50 * 4)


def test_that_many_threads_read_the_same_samples(make_segy):
    inlines, crosslines = grid(8, 9)
    values = np.maximum(np.abs(smooth(72)), 1).reshape(8, 9, SAMPLES)
    values[:, :, :4] = 0
    failures = []

    def work(source, seed):
        random = np.random.default_rng(seed)
        for _ in range(50):
            axis = int(random.integers(3))
            index = int(random.integers(values.shape[axis]))
            cut = values.take(index, axis=axis)
            picture = whole_picture(source, Section(axis, index))
            cut = cut if axis == 2 else cut.T
            if not np.array_equal(picture.values[0], cut) or not np.array_equal(
                picture.live, cut > 0
            ):
                failures.append((axis, index))

    with open_source(make_segy(values.reshape(72, -1), cube_words(inlines, crosslines))) as source:
        threads = [threading.Thread(target=work, args=(source, seed)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_that_closing_twice_is_fine(make_segy):
    source = open_source(make_segy(smooth(5)))
    source.close()
    source.close()


# -- bad files ---------------------------------------------------------------------------------


def sentence(path) -> str:
    with pytest.raises(UnreadableFile) as caught:
        open_source(path)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert text.endswith(".")
    return text


def test_that_a_file_cut_inside_a_trace_says_how_many_traces_are_whole(make_segy):
    path = make_segy(smooth(10))
    os.truncate(path, 3600 + 7 * (240 + SAMPLES * 4) + 100)
    text = sentence(path)
    assert "7 whole traces" in text
    assert "copy or download it again" in text


def test_that_a_real_file_cut_inside_a_trace_is_refused(files, tmp_path):
    path = tmp_path / "cut.sgy"
    path.write_bytes((files / "npra_line_cut.sgy").read_bytes()[:-1000])
    assert "23 whole traces" in sentence(path)


@pytest.mark.parametrize(
    "content",
    [
        b"Dear reader, this is a text.\n" * 400,
        bytes(20_000),
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40,
        b"short",
        np.random.default_rng(3).bytes(50_000),
    ],
    ids=["text", "zeros", "png", "short", "random"],
)
def test_that_other_files_named_segy_are_refused(tmp_path, content):
    path = tmp_path / "other.sgy"
    path.write_bytes(content)
    assert "is not a SEG-Y file" in sentence(path)


def test_that_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.sgy"
    path.touch()
    assert "is empty" in sentence(path)


def test_that_headers_without_traces_are_refused(make_segy, tmp_path):
    path = tmp_path / "headers.sgy"
    path.write_bytes(make_segy(smooth(5)).read_bytes()[:3600])
    assert "download" in sentence(path)


def test_that_a_file_that_shrinks_while_open_is_reported(make_segy):
    path = make_segy(smooth(50))
    with open_source(path) as source:
        os.truncate(path, 4000)
        with pytest.raises(UnreadableFile, match="ended while it was read"):
            source.read(Window.whole(source.shape))


def test_that_a_sample_count_only_in_the_traces_is_believed(make_segy):
    path = make_segy(smooth(10))
    with path.open("r+b") as file:
        file.seek(3220)
        file.write(struct.pack(">h", 77))
    with open_source(path) as source:
        np.testing.assert_array_equal(source.read(Window.whole(source.shape)), smooth(10))
        assert any("which fits the file" in note for note in source.notes)
