"""Records of earthquakes as a sample set: windows around the P and S arrivals, and of noise."""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.samples import Samples, SampleSource, damage_note
from geocnn_gui.data.source import Band, Spacing
from geocnn_gui.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: A record holds at most so many numbers, and so many are kept in memory.
_MOST_VALUES, _KEPT = 10_000_000, 64
_MOST_RECORDS = 100_000
_MOST_CHANNELS = 12
_CLASSES = ("P", "S", "Noise")
#: Middles of the windows of a pick lie so far from it, as a share of the window's length.
_SHIFTS = (-0.125, 0.0, 0.125)
#: How far the middle of a window of noise lies before the P pick, in windows.
_NOISE = (2.0, 3.0, 4.0)


def record_files(path: Path) -> list[Path]:
    """Return the .npz files of a folder that hold a record with picks, in order of their names."""
    files = sorted(p for p in path.glob("*.npz") if not p.is_symlink())
    return files[:_MOST_RECORDS] if files and _picks_in(files) else []


def _picks_in(files: Sequence[Path]) -> bool:
    for file in files[:8]:
        try:
            with zipfile.ZipFile(file) as archive:
                return {"data.npy", "itp.npy"} <= set(archive.namelist())
        except (OSError, zipfile.BadZipFile):
            continue
    return False


def open_records(
    path: Path, files: list[Path], *, window: float = 256, rate: float = 100.0
) -> SampleSource:
    """Open a folder of records: `data` (samples, components), the picks `itp` and `its` as indices.

    Each record gives up to nine traces of `window` samples, which the split keeps together: three
    around P, three around S (with the pick in the middle, and an eighth of the window to either
    side), three of the noise two to four windows before P. An S window whose middle part holds
    the P pick is left out, and so is what reaches beyond the record. `rate` is in samples a second.

    Raises
    ------
    UnreadableFile
        When no record can be read, or the window is out of range.
    """
    window = int(window)
    if not 16 <= window <= 65536 or rate <= 0:
        raise UnreadableFile(f"A window of {window} samples is out of range", "choose 16 to 65536")
    samples, damaged = RecordWindows(path, files, window), []
    samples.find(damaged)
    if not len(samples):
        raise UnreadableFile(
            f"{path} holds no record with a P pick in `itp`", "choose another folder"
        )
    source = SampleSource(
        samples, name=path.name, domain="seismic", path=path,
        bands=tuple(Band(f"Component {i + 1}") for i in range(samples.channels)),
    )  # fmt: skip
    source.format = "Folder of records"
    source.spacing = Spacing(sample_interval=1000 / rate, sample_unit="ms")
    source.choices = {"window": str(window), "rate": f"{rate:g}"}
    source.notes = (
        f"Windows of {window} samples ({window / rate:g} s at {rate:g} Hz) around P and S, and of "
        "noise before P; those of one record are held out together.",
        *((damage_note(damaged),) if damaged else ()),
    )
    return source


class RecordWindows(Samples):
    """Windows of records, read file by file; `find` lists them first."""

    dims = 1

    def __init__(self, path: Path, files: list[Path], window: int) -> None:
        self._path, self._files, self._window = path, files, window
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = Lock()
        self.size = (window, 1)
        self.channels = 0
        self.classes = tuple(enumerate(_CLASSES, 1))
        self._starts = np.zeros(0, np.int64)

    def find(self, damaged: list[str]) -> None:
        """List the windows of all records; names of damaged ones are added to `damaged`."""
        found: list[tuple[int, int, int]] = []
        names: list[str] = []
        for number, file in enumerate(self._files):
            try:
                length, channels, p, s = _facts(file)
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                damaged.append(file.name)
                continue
            self.channels = self.channels or channels
            if channels != self.channels:
                damaged.append(file.name)
                continue
            for label, start in _windows(length, p, s, self._window):
                found.append((number, label, start))
                names.append(f"{file.stem} {_CLASSES[label - 1]} at {start + self._window // 2}")
        table = np.array(found, np.int64).reshape(-1, 3)
        self.names, self.groups, self._starts = names, table[:, 0], table[:, 2]
        self.labels = table[:, 1].astype(np.uint8)

    def read(self, index: int) -> np.ndarray:
        """Return float32 (components, window, 1)."""
        assert self.groups is not None
        record, start = self._record(int(self.groups[index])), int(self._starts[index])
        return record[:, start : start + self._window, None].copy()

    def _record(self, number: int) -> np.ndarray:
        """Return a record, float32 (components, samples); the latest are kept."""
        with self._lock:
            if number in self._kept:
                self._kept.move_to_end(number)
                return self._kept[number]
        file = self._files[number]
        try:
            with np.load(file, allow_pickle=False) as archive:
                values = np.ascontiguousarray(archive["data"].astype(np.float32).T)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UnreadableFile(f"{file} is damaged", "copy it again or take it out") from error
        with self._lock:
            self._kept[number] = values
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return values


def _facts(file: Path) -> tuple[int, int, int, int | None]:
    """Return length, components, P and S pick of a record, reading no samples."""
    with zipfile.ZipFile(file) as archive, archive.open("data.npy") as member:
        read = (
            np.lib.format.read_array_header_1_0
            if np.lib.format.read_magic(member) == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(member)
    usable = len(shape) == 2 and 0 < shape[1] <= _MOST_CHANNELS and dtype.kind in "iuf"
    if not usable or shape[0] * shape[1] > _MOST_VALUES:
        raise ValueError(f"no record: {shape}")
    with np.load(file, allow_pickle=False) as archive:
        p = int(archive["itp"])
        s = int(archive["its"]) if "its" in archive.files else None
    return int(shape[0]), int(shape[1]), p, s


def _windows(length: int, p: int, s: int | None, window: int) -> list[tuple[int, int]]:
    """Return (label, first sample) of a record's windows."""
    middles = [(1, p + shift * window) for shift in _SHIFTS]
    if s is not None:
        middles += [
            (2, s + shift * window) for shift in _SHIFTS if s + shift * window - p > window / 8
        ]
    middles += [(3, p - far * window) for far in _NOISE]
    starts = [(label, round(middle) - window // 2) for label, middle in middles]
    return [(label, start) for label, start in starts if 0 <= start <= length - window]
