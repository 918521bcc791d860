"""Files written by an independent library, for the readers to read."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import segyio
from rasterio.errors import NotGeoreferencedWarning

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE_TYPES = {1: "f4", 2: "i4", 3: "i2", 5: "f4", 8: "i1", 10: "u4", 11: "u2", 16: "u1"}


@pytest.fixture(scope="session")
def files() -> Path:
    """The folder of small real files."""
    return Path(__file__).resolve().parents[1] / "files"


def write_segy(
    path: Path,
    traces: np.ndarray,
    words: dict[int, Any] | None = None,
    *,
    code: int = 5,
    endian: str = "big",
    binary: dict[int, int] | None = None,
    text: str | None = None,
) -> Path:
    """Write `traces` (traces, samples) with header words {first byte: value or values}."""
    spec = segyio.spec()
    spec.samples, spec.format = list(range(traces.shape[1])), code
    spec.tracecount, spec.endian = len(traces), endian
    with segyio.create(path, spec) as file:
        file.text[0] = text or segyio.tools.create_text_header({1: "A TEST"})
        file.bin.update({segyio.BinField.Interval: 4000, **(binary or {})})
        for number, trace in enumerate(traces):
            header = {key: _at(value, number) for key, value in (words or {}).items() if key < 221}
            file.header[number].update({segyio.su.ns: traces.shape[1], **header})
            # It converts the array it is given in place.
            file.trace[number] = np.array(trace, dtype=SAMPLE_TYPES[code])
    size = 240 + np.dtype(SAMPLE_TYPES[code]).itemsize * traces.shape[1]
    with path.open("r+b") as raw:  # words that the library does not know
        for key in (key for key in words or {} if key >= 221):
            for number in range(len(traces)):
                raw.seek(3600 + number * size + key - 1)
                raw.write(_at(words[key], number).to_bytes(4, endian, signed=True))
    return path


def _at(value: Any, number: int) -> int:
    return int(value) if np.isscalar(value) else int(value[number])


@pytest.fixture
def make_segy(tmp_path: Path) -> Callable[..., Path]:
    """Write a SEG-Y file `name` (default test.sgy); see `write_segy`."""

    def make(traces: np.ndarray, words: Any = None, name: str = "test.sgy", **more: Any) -> Path:
        return write_segy(tmp_path / name, traces, words, **more)

    return make


@pytest.fixture
def make_raster(tmp_path: Path) -> Callable[..., Path]:
    """Write a raster `name` (default test.tif) from (band, row, column)."""

    def make(
        values: np.ndarray,
        name: str = "test.tif",
        after: Callable[[Any], None] | None = None,
        **profile: Any,
    ) -> Path:
        profile = {"driver": "GTiff", "transform": rasterio.Affine(10, 0, 0, 0, -10, 0), **profile}
        count, height, width = values.shape
        path = tmp_path / name
        size = {"width": width, "height": height, "count": count, "dtype": values.dtype}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", **size, **profile) as dataset:
                dataset.write(values)
                if after:
                    after(dataset)
        return path

    return make
