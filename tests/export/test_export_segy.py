from __future__ import annotations

import struct
import threading

import numpy as np
import pytest
import segyio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geocnn_gui.data.segy_samples import IBM, decode
from geocnn_gui.data.source import Window, open_source
from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Note
from geocnn_gui.export.segy import encode
from geocnn_gui.export.table import export_prediction
from geocnn_gui.labels.classes import LabelClass

LINES = ["npra_line_cut.sgy", "f3_section_cut.sgy", "penobscot_crossline_cut.sgy"]


def _segyio_samples(path) -> np.ndarray:
    with segyio.open(path, ignore_geometry=True) as file:
        return file.trace.raw[:]


def _outside_samples(path, header) -> bytes:
    """All bytes of a SEG-Y but its samples."""
    data = path.read_bytes()
    traces = np.frombuffer(data[header.first_byte :], np.uint8)[
        : header.traces * header.trace_bytes
    ]
    heads = traces.reshape(header.traces, -1)[:, : header.header_bytes]
    tail = data[header.first_byte + header.traces * header.trace_bytes :]
    return data[: header.first_byte] + heads.tobytes() + tail


@pytest.mark.parametrize("name", [*LINES, "f3_cube_cut.sgy"])
def test_that_only_samples_differ_and_another_reader_finds_the_classes(
    name, files, predict, export, tmp_path
):
    out = tmp_path / "map.sgy"
    with open_source(files / name) as source:
        prediction = predict(source)
        export(prediction, source, out)
        header = source.header
        numbers = source.trace_numbers(Window.whole(source.shape)).ravel()
    assert out.stat().st_size == (files / name).stat().st_size
    assert _outside_samples(out, header) == _outside_samples(files / name, header)
    expected = np.zeros((header.traces, header.samples))
    cells = prediction.ids.reshape(-1, header.samples)
    expected[numbers[numbers >= 0]] = cells[numbers >= 0]
    np.testing.assert_array_equal(_segyio_samples(out), expected)


@pytest.mark.parametrize("name", LINES)
def test_that_the_source_is_left_alone(name, files, predict, export, tmp_path):
    before = (files / name).read_bytes()
    with open_source(files / name) as source:
        export(predict(source), source, tmp_path / "map.sgy")
    assert (files / name).read_bytes() == before


def test_that_our_own_reader_finds_the_classes_on_the_same_grid(files, predict, export, tmp_path):
    out = tmp_path / "cube.sgy"
    with open_source(files / "f3_cube_cut.sgy") as source:
        prediction = predict(source)
        export(prediction, source, out)
        axes = source.axes
    with open_source(out) as found:
        assert found.axes == axes
        present = found.trace_numbers(Window.whole(found.shape)) >= 0
        values = found.read(Window.whole(found.shape))
    np.testing.assert_array_equal(values, np.where(present[..., None], prediction.ids, 0))


def test_that_traces_outside_the_grid_hold_no_amplitudes(files, predict, export, tmp_path):
    """A doubled trace of a cube is in the file but not in its grid."""
    original = files / "f3_cube_cut.sgy"
    with open_source(original) as source:
        header = source.header
    data = original.read_bytes()
    doubled = tmp_path / "doubled.sgy"
    doubled.write_bytes(data + data[-header.trace_bytes :])
    with open_source(doubled) as source:
        numbers = source.trace_numbers(Window.whole(source.shape))
        prediction = predict(source)
        export(prediction, source, tmp_path / "map.sgy")
    outside = np.setdiff1d(np.arange(header.traces + 1), numbers)
    assert len(outside) >= 1
    assert not _segyio_samples(tmp_path / "map.sgy")[outside].any()


def test_that_confidence_keeps_its_fractions_where_samples_are_floats(
    files, predict, export, tmp_path
):
    with open_source(files / "npra_line_cut.sgy") as source:
        prediction = predict(source)
        events = export(prediction, source, tmp_path / "c.sgy", "confidence")
    np.testing.assert_allclose(
        _segyio_samples(tmp_path / "c.sgy"), prediction.confidence, rtol=1e-6
    )
    assert not [e for e in events if isinstance(e, Note)]


def test_that_confidence_becomes_percent_where_samples_are_integers(
    files, predict, export, tmp_path
):
    with open_source(files / "f3_cube_cut.sgy") as source:
        prediction = predict(source)
        events = export(prediction, source, tmp_path / "c.sgy", "confidence")
        numbers = source.trace_numbers(Window.whole(source.shape)).ravel()
    assert "percent" in next(e.text for e in events if isinstance(e, Note))
    cells = np.rint(prediction.confidence.reshape(len(numbers), -1) * 100)
    found = _segyio_samples(tmp_path / "c.sgy")
    np.testing.assert_array_equal(found[numbers[numbers >= 0]], cells[numbers >= 0])


def test_that_a_source_that_is_no_segy_is_refused(files, predict, export, tmp_path):
    with (
        open_source(files / "landsat_cut.tif") as source,
        pytest.raises(BadRequest, match=r"no SEG-Y file.*; choose a name that ends in \.tif or"),
    ):
        export(predict(source), source, tmp_path / "map.sgy")


def test_that_ids_beyond_the_samples_range_are_refused(files, predict, tmp_path):
    data = bytearray((files / "f3_cube_cut.sgy").read_bytes())
    with open_source(files / "f3_cube_cut.sgy") as source:
        header = source.header
    bytes_ = b"".join(
        bytes(data[at : at + 240]) + bytes(header.samples)
        for at in range(header.first_byte, len(data), header.trace_bytes)
    )
    data[3224:3226] = struct.pack(">H", 8)
    small = tmp_path / "small.sgy"
    small.write_bytes(bytes(data[: header.first_byte]) + bytes_)
    high = (LabelClass(id=200, name="x", color="#000000"),)
    with open_source(small) as source, pytest.raises(BadRequest, match="up to 127"):
        list(export_prediction(predict(source), source, high, tmp_path / "map.sgy"))


def test_that_a_reader_sees_only_valid_values_while_a_file_is_written(
    files, predict, export, tmp_path
):
    """Writers of SEG-Y have been known to swap bytes in the array that is on screen."""
    with open_source(files / "npra_line_cut.sgy") as source:
        prediction = predict(source)
        prediction.read_classes = lambda window: prediction.ids[window.slices]
        before, stop, seen = prediction.ids.copy(), threading.Event(), []

        def watch():
            while not stop.is_set():
                seen.append(np.array_equal(prediction.ids, before))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for number in range(5):
                export(prediction, source, tmp_path / f"{number}.sgy")
        finally:
            stop.set()
            watcher.join()
    assert seen
    assert all(seen)


values = st.one_of(
    st.integers(-255, 255).map(float),
    st.floats(-1e6, 1e6, width=32).filter(lambda v: v == 0 or abs(v) > 1e-6),
)


@settings(deadline=None)
@given(arrays(np.float64, 20, elements=values))
def test_that_ibm_floats_are_read_back(numbers):
    raw = encode(numbers, np.dtype(">u4"), IBM)
    found = decode(raw, IBM)
    np.testing.assert_allclose(found, numbers, rtol=1e-6)
    whole = numbers == np.rint(numbers)
    np.testing.assert_array_equal(
        found[whole & (np.abs(numbers) < 256)], numbers[whole & (np.abs(numbers) < 256)]
    )


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize(("code", "kind"), [(2, "i4"), (3, "i2"), (5, "f4"), (8, "i1"), (16, "u1")])
def test_that_every_format_holds_the_ids(order, code, kind):
    ids = np.arange(0, 128, dtype=np.uint8)
    raw = encode(ids, np.dtype(order + kind), code)
    assert raw.tobytes() == ids.astype(order + kind).tobytes()
    np.testing.assert_array_equal(decode(raw, code), ids)
