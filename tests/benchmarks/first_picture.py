"""First picture and next section of files of ten gigabytes, each in a process of its own.

The files are sparse: holes read as zeros at the speed of memory, so these figures are those of
the program and the system call, without a slow disk. Cached pages are dropped before each file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _rows import head, peak_memory, row

VIEW = (900, 1400)  # rows, columns of the screen
LIMIT, SECTION_LIMIT, MEMORY_LIMIT = 2.0, 0.3, 1.5  # s, s, GB
SIDE, BANDS = 36_000, 4  # of the rasters
LINES, SAMPLES = 640, 6_000  # of the cube; long traces, so that headers take little of the disk


def write_raster(path: Path, *, tiled: bool) -> None:
    """Write 10.4 GB of uint16 without overviews."""
    import rasterio
    from rasterio.transform import from_origin

    with rasterio.open(
        path, "w", driver="GTiff", width=SIDE, height=SIDE, count=BANDS, dtype="uint16",
        BIGTIFF="YES", interleave="pixel", crs="EPSG:32632", tiled=tiled,
        transform=from_origin(6e5, 5.3e6, 10, 10),
        **({"blockxsize": 512, "blockysize": 512} if tiled else {}),
    ):  # fmt: skip
        pass


def write_cube(path: Path) -> None:
    """Write 9.9 GB of IEEE floats: every header, and the samples of the middle inline."""
    binary = bytearray(400)
    for at, value in ((16, 4000), (20, SAMPLES), (24, 5), (300, 0x0100), (302, 1)):
        binary[at : at + 2] = value.to_bytes(2, "big")
    size = 240 + 4 * SAMPLES
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(b"\x40" * 3200 + bytes(binary))
        file.truncate(3600 + LINES * LINES * size)
        for trace in range(LINES * LINES):
            inline, crossline = divmod(trace, LINES)
            words = np.zeros(60, ">i4")
            words[[0, 1, 47, 48]] = trace + 1, trace + 1, 100 + inline, 300 + crossline
            words.view(">i2")[[57, 58]] = SAMPLES, 4000
            os.pwrite(file.fileno(), words.tobytes(), 3600 + trace * size)
            if inline == LINES // 2:
                samples = rng.standard_normal(SAMPLES).astype(">f4")
                os.pwrite(file.fileno(), samples.tobytes(), 3840 + trace * size)


def forget(path: Path) -> None:
    """Ask the system to drop its cached pages of a file."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb+") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure(path: Path) -> dict[str, float]:
    """Open a file and read its first picture, then the next section along every axis."""
    start = time.perf_counter()
    from geocnn_gui.data.source import Section, open_source

    def picture(section: Section) -> float:
        begun = time.perf_counter()
        rows, columns = source.picture_shape(section)
        shown = source.read_preview(section, slice(0, rows), slice(0, columns), VIEW)
        if section == source.first_section() and not shown.live.any():
            raise SystemExit("nothing live in the first picture: the benchmark is wrong")
        return time.perf_counter() - begun

    with open_source(path) as source:
        picture(source.first_section())
        figures = {"first": time.perf_counter() - start}
        for axis in source.section_axes:
            index = source.shape[axis] // 2 + 7
            name = source.axes[axis].name
            figures[name] = picture(Section(axis, index))
            again = [picture(Section(axis, index + i)) for i in range(1, 6)]
            figures[f"next {name}"] = sorted(again)[2]
    return figures | {"memory": peak_memory()}


def report(path: Path, what: str) -> None:
    """Measure in a fresh process and print the rows."""
    forget(path)
    child = [sys.executable, __file__, "--measure", str(path)]
    figures = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
    first, memory = figures["first"], figures["memory"]
    size = f"{what}, {path.stat().st_size / 1e9:.1f} GB"
    row(f"first picture, {size}", f"{first:.2f} s", f"{LIMIT:.0f} s", within=first <= LIMIT)
    row("peak memory of it", f"{memory:.2f} GB", f"{MEMORY_LIMIT} GB", within=memory < MEMORY_LIMIT)
    for name in (n for n in figures if f"next {n}" in figures):
        later = figures[f"next {name}"]
        row(
            f"next section, {name}, no cache built",
            f"{later * 1000:.0f} ms (the first {figures[name] * 1000:.0f})",
            f"{SECTION_LIMIT * 1000:.0f} ms",
            within=later <= SECTION_LIMIT,
        )


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where about 4 GB may be written for a while")
    choices = parser.parse_args()
    if choices.measure:
        print(json.dumps(measure(choices.measure)))
        return
    with tempfile.TemporaryDirectory(dir=choices.folder, prefix="geocnn-bench-") as folder:
        head()
        for tiled, name in ((True, "tiled"), (False, "striped")):
            path = Path(folder) / f"{name}.tif"
            write_raster(path, tiled=tiled)
            report(path, f"GeoTIFF {name}")
            path.unlink()
        path = Path(folder) / "cube.sgy"
        write_cube(path)
        report(path, "SEG-Y cube")


if __name__ == "__main__":
    main()
