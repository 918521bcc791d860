"""Files far larger than memory: opened, shown and measured within bounds."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import rasterio

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/status"), reason="the system does not tell of memory as Linux"
)
GIGABYTE = 1 << 30
LOOK = """
import json, resource, sys
from geocnn_gui.data.source import open_source
from geocnn_gui.data.statistics import estimate_statistics, live_fraction
def peak():  # getrusage would count what the parent had in use when it began this process
    status = open("/proc/self/status").read()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])
resource.setrlimit(resource.RLIMIT_DATA, (3 << 29, 3 << 29))
with open_source(sys.argv[1]) as source:
    section = source.first_section()
    rows, columns = source.picture_shape(section)
    picture = source.read_preview(section, slice(0, rows), slice(0, columns), (900, 1500))
    estimate_statistics(source)
    part = source.read_picture(section, slice(0, min(rows, 512)), slice(0, min(columns, 512)))
    print(json.dumps({
        "shape": source.shape,
        "preview": picture.live.shape,
        "live": live_fraction(source),
        "corner": float(part.values[0, 0, 0]),
        "peak": peak(),
    }))
"""


@pytest.fixture
def big(tmp_path):
    """A folder whose files are emptied after the test, not kept as pytest keeps folders."""
    yield tmp_path
    for path in tmp_path.iterdir():
        os.truncate(path, 0)


def look(path) -> dict:
    """Open and show a file in a process of its own, with at most 1.5 GB of memory."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "profile",
    [{"tiled": True, "blockxsize": 512, "blockysize": 512}, {"blockysize": 1}],
    ids=["tiled", "striped"],
)
def test_that_ten_gigabytes_of_raster_need_little_memory(big, profile):
    path = big / "big.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=50_000, height=50_000, count=2, dtype="uint16",
        sparse_ok=True, bigtiff="YES", transform=rasterio.Affine(10, 0, 0, 0, -10, 0), **profile,
    ) as dataset:  # fmt: skip
        dataset.write(np.full((2, 1, 1), 7, "u2"), window=((0, 1), (0, 1)))
    with path.open("r+b") as file:
        file.truncate(max(path.stat().st_size, 10 * GIGABYTE))
    seen = look(path)
    assert seen["shape"] == [50_000, 50_000]
    assert seen["corner"] == 7
    assert seen["live"] == [1.0, False]
    assert seen["peak"] < 1.5 * GIGABYTE


def sparse_segy(path, traces: int, samples: int, lines: int = 0) -> None:
    """Write headers only where there are `lines`; everything else is a hole in the file."""
    header = bytearray(b"\x40" * 3200 + bytes(400))
    struct.pack_into(">h", header, 3216, 4000)
    struct.pack_into(">Hxxh", header, 3220, samples, 5)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(3600 + traces * (240 + 4 * samples))
        for number in range(traces if lines else 0):
            file.seek(3600 + number * (240 + 4 * samples) + 188)
            file.write(struct.pack(">ii", *divmod(number, traces // lines)) + bytes(44))
            file.write(struct.pack(">ff", 7, number % 5 + 1))


def test_that_ten_gigabytes_of_line_need_little_memory(big):
    path = big / "line.sgy"
    sparse_segy(path, 1_730_000, 1500)
    seen = look(path)
    assert path.stat().st_size > 10 * GIGABYTE
    assert seen["shape"] == [1_730_000, 1500]
    assert seen["preview"] == [750, 1500]
    assert seen["live"] == [0.0, False]
    assert seen["peak"] < 1.5 * GIGABYTE


def test_that_ten_gigabytes_of_cube_need_little_memory(big):
    path = big / "cube.sgy"
    sparse_segy(path, 60_000, 45_000, lines=200)
    seen = look(path)
    assert path.stat().st_size > 10 * GIGABYTE
    assert seen["shape"] == [200, 300, 45_000]
    assert seen["corner"] == 7
    assert seen["peak"] < 1.5 * GIGABYTE
