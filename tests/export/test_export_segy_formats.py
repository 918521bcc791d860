"""Number formats, odd headers, the comparison after writing, and full disks."""

from __future__ import annotations

import errno
import struct

import numpy as np
import pytest
import segyio

from geocnn_gui.data.source import Window, open_source
from geocnn_gui.errors import BadRequest, CannotWrite
from geocnn_gui.events import Note, Progress, Saved
from geocnn_gui.export import segy, table
from geocnn_gui.export.table import Material, Order
from geocnn_gui.labels.classes import LabelClass

KINDS = {
    1: "u4", 2: "i4", 3: "i2", 5: "f4", 6: "f8", 8: "i1", 10: "u4", 11: "u2", 16: "u1",
}  # fmt: skip
CLASSES = (
    LabelClass(id=1, name="Salt", color="#d55e00"), LabelClass(id=4, name="Gas", color="#56b4e9"),
)  # fmt: skip
SAMPLES, TRACES = 50, 8


@pytest.fixture
def write(tmp_path):
    """Write a line: extended text, headers full of bytes, odd ns words, and a trailer."""

    def write(code, *, order=">", trailer=b"", revision=1):
        random, kind = np.random.default_rng(code), np.dtype(order + KINDS[code])
        binary = bytearray(random.integers(0, 256, 400, np.uint8).tobytes())
        binary[96:100] = bytes(4)
        words = ((16, "H", 4000), (20, "H", SAMPLES), (24, "H", code), (54, "h", 1),
                 (304, "h", 1), (68, "i", 0), (306, "i", 0), (320, "Q", 0), (328, "i", 0))  # fmt: skip
        for at, form, value in words:
            struct.pack_into(order + form, binary, at, value)
        binary[300:302] = bytes([revision, 0])
        if revision > 1:
            struct.pack_into(order + "i", binary, 328, len(trailer) // 3200)
        data = bytearray(b"C 1 A LINE".ljust(3200)) + binary + b"MORE TEXT".ljust(3200)
        for number in range(TRACES):
            head = bytearray(random.integers(0, 256, 240, np.uint8).tobytes())
            struct.pack_into(order + "i", head, 20, 100 + number)
            for at in (4, 8, 16, 188, 192, 220, 224):
                struct.pack_into(order + "i", head, at, 0)
            struct.pack_into(order + "h", head, 108, 250)  # delay
            struct.pack_into(order + "HH", head, 114, SAMPLES + number, 4000)
            values = random.integers(1, 100, SAMPLES)
            raw = segy.encode(values, kind, code) if code != 10 else values.astype(kind)
            data += head + raw.tobytes()
        path = tmp_path / f"line_{code}.sgy"
        path.write_bytes(data + trailer)
        return path

    return write


def export(prediction, source, out, kind="classes", **more):
    return list(table.export(Order(kind, out, **more), Material(source, prediction, CLASSES)))


def outside(path, size) -> bytes:
    """All bytes of a line made here but its samples of `size` bytes."""
    data, at = path.read_bytes(), 6800
    heads = [data[:at]]
    for _ in range(TRACES):
        heads.append(data[at : at + 240])
        at += 240 + SAMPLES * size
    return b"".join([*heads, data[at:]])


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("code", [1, 2, 3, 5, 8])
def test_that_a_readable_format_is_kept(code, order, write, predict, tmp_path):
    path, out, size = write(code, order=order), tmp_path / "map.sgy", np.dtype(KINDS[code]).itemsize
    with open_source(path) as source:
        assert source.header.order == order
        assert source.axes[-1].first == 250
        prediction = predict(source)
        events = export(prediction, source, out)
    assert outside(out, size) == outside(path, size)
    assert not [e for e in events if isinstance(e, Note)]
    with open_source(out) as found:
        np.testing.assert_array_equal(found.read(Window.whole(found.shape)), prediction.ids)


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("code", [6, 10, 11, 16])
def test_that_a_format_few_read_becomes_ieee_and_says_so(code, order, write, predict, tmp_path):
    path, out, size = write(code, order=order), tmp_path / "map.sgy", np.dtype(KINDS[code]).itemsize
    with open_source(path) as source:
        prediction = predict(source)
        events = export(prediction, source, out)
    (note,) = [e.text for e in events if isinstance(e, Note)]
    assert f"format {code}" in note
    assert "format 5" in note
    expected = bytearray(outside(path, size))
    expected[3224:3226] = struct.pack(order + "H", 5)
    assert outside(out, 4) == bytes(expected)
    with segyio.open(out, ignore_geometry=True, endian="big" if order == ">" else "little") as file:
        np.testing.assert_array_equal(file.trace.raw[:], prediction.ids)


def test_that_int8_changes_the_code_and_the_length_only(write, predict, tmp_path):
    trailer = bytes(range(256)) * 25
    path, out = write(5, trailer=trailer[:6400], revision=2), tmp_path / "map.sgy"
    with open_source(path) as source:
        prediction = predict(source)
        export(prediction, source, out, samples="int8")
        export(prediction, source, tmp_path / "c.sgy", "confidence", samples="int8")
    expected = bytearray(outside(path, 4))
    expected[3224:3226] = struct.pack(">H", 8)
    assert outside(out, 1) == bytes(expected)
    assert out.read_bytes().endswith(trailer[:6400])
    for name, values in (("map", prediction.ids), ("c", np.rint(prediction.confidence * 100))):
        with open_source(tmp_path / f"{name}.sgy") as found:
            np.testing.assert_array_equal(found.read(Window.whole(found.shape)), values)


def test_that_the_probability_of_one_class_is_written(write, predict, tmp_path):
    with open_source(write(5)) as source:
        prediction = predict(source)
        export(prediction, source, tmp_path / "p.sgy", "probability", class_id=4)
    with open_source(tmp_path / "p.sgy") as found:
        values = found.read(Window.whole(found.shape))
    np.testing.assert_allclose(values, np.nan_to_num(prediction.probabilities[1]), rtol=1e-6)


def test_that_int8_is_refused_for_other_formats_and_high_ids(write, predict, tmp_path):
    high = (LabelClass(id=200, name="x", color="#000000"),)
    with open_source(write(5)) as source:
        with pytest.raises(BadRequest, match=r"map\.npy is no SEG-Y"):
            export(predict(source), source, tmp_path / "map.npy", samples="int8")
        order = Order("classes", tmp_path / "map.sgy", samples="int8")
        with pytest.raises(BadRequest, match="up to 127"):
            list(table.export(order, Material(source, predict(source), high)))


def test_that_arrays_handed_in_stay_as_they_are():
    for code, kind in KINDS.items():
        values = np.arange(1, 101, dtype=np.uint8)
        before = values.copy()
        raw = segy.encode(values, np.dtype(">" + kind), code)
        assert not np.shares_memory(raw, values)
        np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("at", [0, 3217, 3600 + 10, 6800 + 100, 6800 + 240 + 8, -1])
def test_that_a_byte_that_comes_back_wrong_keeps_the_old_file(
    at, write, predict, tmp_path, monkeypatch
):
    """A disk that fails in silence: text, binary header, trace header, sample, last byte."""
    out = tmp_path / "map.sgy"
    out.write_bytes(b"old")
    verified = segy._verified

    def spoil(clone, path):
        data = bytearray(path.read_bytes())
        data[at] ^= 0x41
        path.write_bytes(data)
        return verified(clone, path)

    monkeypatch.setattr(segy, "_verified", spoil)
    with open_source(write(5)) as source, pytest.raises(CannotWrite, match="not what was written"):
        export(predict(source), source, out)
    assert out.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_that_a_full_disk_at_any_write_keeps_the_old_file(write, predict, tmp_path, monkeypatch):
    from pathlib import Path

    out, path = tmp_path / "map.sgy", write(5)
    out.write_bytes(b"old")
    real, left = Path.open, [0]

    class Full:
        def __init__(self, file):
            self._file = file

        def write(self, data):
            if left[0] == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            left[0] -= 1
            return self._file.write(data)

        def __getattr__(self, name):
            return getattr(self._file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._file.close()

    def full(self, mode="r", *more, **options):
        file = real(self, mode, *more, **options)
        return Full(file) if mode == "wb" else file

    for allowed in range(3 + TRACES):
        left[0] = allowed
        with monkeypatch.context() as patched, open_source(path) as source:
            patched.setattr(Path, "open", full)
            with pytest.raises(CannotWrite, match=r"map\.sgy: the disk is full"):
                export(predict(source), source, out)
        assert out.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["line_5.sgy", "map.sgy"]


def test_that_stopping_at_any_step_keeps_the_old_file(write, predict, tmp_path):
    out, path = tmp_path / "map.sgy", write(5)
    out.write_bytes(b"old")
    with open_source(path) as source:
        steps = len(export(predict(source), source, tmp_path / "whole.sgy"))
        assert steps == 5  # headers, samples, both compared, saved
        for stop in range(1, steps):
            task = table.export(Order("classes", out), Material(source, predict(source), CLASSES))
            events = [next(task) for _ in range(stop)]
            task.close()
            assert all(isinstance(e, Progress) for e in events)
            assert out.read_bytes() == b"old"
        list(table.export(Order("classes", out), Material(source, predict(source), CLASSES)))
    assert out.read_bytes() == (tmp_path / "whole.sgy").read_bytes()


def test_that_the_source_is_never_written_onto_itself(write, predict, tmp_path):
    path = write(5)
    before = path.read_bytes()
    (tmp_path / "link.sgy").symlink_to(path)
    with open_source(path) as source:
        for out in (path, tmp_path / "link.sgy", tmp_path / "." / path.name):
            with pytest.raises(BadRequest, match="is the data file itself"):
                export(predict(source), source, out)
    assert path.read_bytes() == before


def test_that_progress_grows_to_the_end(write, predict, tmp_path):
    with open_source(write(5)) as source:
        events = export(predict(source), source, tmp_path / "map.sgy")
    steps = [e for e in events if isinstance(e, Progress)]
    assert [e.done for e in steps] == list(range(1, len(steps) + 1))
    assert {e.total for e in steps} == {len(steps)}
    assert events[-1] == Saved(tmp_path / "map.sgy", "prediction")
