"""A real line through the command line, and back through two other readers."""

from __future__ import annotations

import warnings

import numpy as np
import segyio

from geocnn_gui.data.source import open_source


def test_that_a_real_line_differs_in_nothing_but_its_samples(real_data, trained, geocnn, tmp_path):
    line, out = real_data / "segy" / "npra_31_81.sgy", tmp_path / "npra.sgy"
    assert geocnn("predict", trained.model, line, "--out", tmp_path / "npra.npy").code == 0
    assert geocnn("predict", trained.model, line, "--out", out).code == 0
    again = tmp_path / "again.sgy"
    assert geocnn("export", out, again).code == 0
    assert again.read_bytes() == out.read_bytes()
    with open_source(line) as source:
        header = source.header
    old, new = (np.fromfile(path, np.uint8) for path in (line, out))
    changed = np.flatnonzero(old != new) - header.first_byte
    assert changed.min() >= 0
    assert (changed % header.trace_bytes).min() >= header.header_bytes
    cells = np.load(tmp_path / "npra.npy")
    assert cells.any()
    with segyio.open(out, ignore_geometry=True) as file:
        by_segyio = file.trace.raw[:]
    np.testing.assert_array_equal(by_segyio, cells)
    np.testing.assert_array_equal(_by_obspy(out), by_segyio)


def _by_obspy(path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what obspy's own imports warn of
        from obspy.io.segy.segy import _read_segy

        return np.stack([trace.data for trace in _read_segy(str(path)).traces])
