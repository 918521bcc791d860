"""SEG-Y lines and cubes, read by window straight from the file."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

import numpy as np

from geocnn_gui.data.segy_geometry import Geometry, find_geometry
from geocnn_gui.data.segy_headers import (
    FileBytes,
    FileHeader,
    is_depth,
    read_file_header,
    read_words,
)
from geocnn_gui.data.segy_samples import (
    FORMAT_NAMES,
    IBM,
    IEEE,
    RAW_TYPES,
    decode,
    finite,
    live_ranges,
    looks_like,
    nonzero,
)
from geocnn_gui.data.source import Axis, Band, Picture, Section, Source, Spacing, Window

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK_BYTES = 16 << 20
#: Traces so short that reading past them costs less than skipping them.
_SHORT_TRACE_BYTES = 8192
_SMALL_FILE_BYTES = 256 << 20
_FEET = 0.3048


def open_segy(
    path: Path,
    *,
    vertical: Literal["time", "depth"] | None = None,
    sample_format: Literal["ibm", "ieee"] | None = None,
) -> SegySource:
    """Open a SEG-Y line or cube; the choices override what the file says or seems to say.

    Raises
    ------
    UnreadableFile
        When the file is no SEG-Y, ends inside a trace, or has an unsupported sample format.
    """
    file = FileBytes(path)
    try:
        header = read_file_header(file)
        geometry = find_geometry(file, header)
        return SegySource(file, header, geometry, vertical=vertical, sample_format=sample_format)
    except BaseException:
        file.close()
        raise


class SegySource(Source):
    """A line (trace, sample) or cube (inline, crossline, sample).

    Runs of exact zeros at either end of a trace and dead (constant) traces are not live, nor
    are NaN, infinity and missing traces. The range of live samples is kept per trace once the
    trace has been read whole. Windows that cut traces short in a file over 256 MB (time slices
    of a big cube) do not read whole traces for it: where a trace's range is not yet known, its
    exact zeros are masked instead.

    `choices` are the choices in force, `suggestion` those the data speak for, such as
    `{"sample_format": "ieee"}`.
    """

    domain = "seismic"
    format = "SEG-Y"

    def __init__(
        self,
        file: FileBytes,
        header: FileHeader,
        geometry: Geometry,
        *,
        vertical: str | None,
        sample_format: str | None,
    ) -> None:
        self.path, self.name = file.path, file.path.stem
        self.header, self.geometry = header, geometry
        self._file = file
        self._code = header.code
        if sample_format is not None and header.code in (IBM, IEEE):
            self._code = IBM if sample_format == "ibm" else IEEE
        self._raw = np.dtype(header.order + RAW_TYPES[self._code])
        self.kind = "line" if len(geometry.axes) == 1 else "cube"
        self.bands = (Band("amplitude"),)
        self.dtype = decode(np.zeros(1, self._raw), self._code).dtype
        # Live ranges per trace, counted from 1 so that fresh zeros mean "not known yet"; the
        # pages of these arrays take memory only as traces become known.
        self._start, self._stop = np.zeros((2, header.traces), np.int32)
        self._lock = threading.Lock()
        self._describe(vertical, chosen_format=sample_format is not None)

    def _describe(self, vertical: str | None, *, chosen_format: bool) -> None:
        """Set axes, spacing, notes, choices and suggestion."""
        words = read_words(self._file, self.header, np.arange(min(2, self.header.traces)))
        notes = [*self.header.notes, *self.geometry.notes]
        axis, guess = _vertical_axis(self.header, words, vertical)
        self.axes = (*self.geometry.axes, axis)
        notes += guess
        choices, suggestion = {"vertical": axis.name}, {}
        if self._code in (IBM, IEEE):
            choices["sample_format"] = "ibm" if self._code == IBM else "ieee"
            if not chosen_format and (wrong := self._mislabelled()):
                suggestion["sample_format"] = wrong
                other = FORMAT_NAMES[IBM if wrong == "ibm" else IEEE]
                notes.append(
                    f"The file says {FORMAT_NAMES[self._code]}s but its samples look like {other}s."
                )
        self.choices, self.suggestion = choices, suggestion
        self._coordinates = self._coordinate_words()
        known = axis.unit != ""
        self.spacing = Spacing(
            axis.step if known else None, axis.unit, self._trace_spacing(), pixel_size=None
        )
        self.notes = tuple(notes)

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    # -- samples -------------------------------------------------------------------------------

    def trace_numbers(self, window: Window) -> np.ndarray:
        """Return the number in the file (from 0; -1 missing) of each trace in `window`."""
        return self.geometry.numbers(*window.slices[:-1])

    def read(self, window: Window) -> np.ndarray:
        """Read a window; missing traces are 0."""
        numbers, samples = self.trace_numbers(window), window.slices[-1]
        return decode(self._raw_traces(numbers, samples), self._code)

    def live(self, window: Window) -> np.ndarray:
        """Return which samples of a window are live."""
        numbers, samples = self.trace_numbers(window), window.slices[-1]
        return self._live(numbers, samples, None)

    def read_picture(self, section: Section, rows: slice, columns: slice) -> Picture:
        """Read part of a section at full resolution."""
        return self._strided_picture(section, rows, columns, (1, 1))

    def read_preview(
        self, section: Section, rows: slice, columns: slice, shape: tuple[int, int]
    ) -> Picture:
        """Read part of a section decimated; traces between those shown are not read."""
        sizes = rows.stop - rows.start, columns.stop - columns.start
        steps = tuple(max(1, -(-n // m)) for n, m in zip(sizes, shape, strict=True))
        return self._strided_picture(section, rows, columns, steps)

    def _strided_picture(
        self, section: Section, rows: slice, columns: slice, steps: tuple[int, ...]
    ) -> Picture:
        plane = self.plane(section)
        window = plane.window(rows, columns)
        by_axis = {plane.row_axis: steps[0], plane.column_axis: steps[1]}
        *parts, samples = window.slices
        strided = [slice(p.start, p.stop, by_axis.get(axis, 1)) for axis, p in enumerate(parts)]
        numbers = self.geometry.numbers(*strided)
        raw = self._raw_traces(numbers, samples)
        live = self._live(numbers, samples, raw)
        every = by_axis.get(len(parts), 1)
        raw, live = raw[..., ::every], live[..., ::every]
        values = plane.picture(decode(np.ascontiguousarray(raw), self._code))
        live = np.ascontiguousarray(plane.picture(live))
        values = np.ascontiguousarray(values[None], dtype=np.float32)
        values[:, ~live] = 0
        return Picture(values, live)

    def _raw_traces(self, numbers: np.ndarray, samples: slice) -> np.ndarray:
        """Return raw samples (*numbers.shape, samples), 0 for missing traces."""
        flat, count = numbers.ravel(), samples.stop - samples.start
        out = np.zeros((flat.size, count), self._raw)
        present = np.flatnonzero(flat >= 0)
        if out.size and present.size:
            runs = np.flatnonzero(np.diff(flat[present]) != 1) + 1
            dense = count * self._raw.itemsize * 4 > self.header.trace_bytes
            short = self.header.trace_bytes <= _SHORT_TRACE_BYTES
            if (dense or short) and len(runs) < len(present) // 4:
                for part in np.split(present, runs):
                    self._read_run(out, part, int(flat[part[0]]), samples)
            else:
                out[present] = self._read_pieces(flat[present], samples)
        return out.reshape(*numbers.shape, count)

    def _read_run(self, out: np.ndarray, rows: np.ndarray, first: int, samples: slice) -> None:
        """Fill `rows` of `out` from consecutive traces, block by block with their headers."""
        header = self.header
        lead, wanted = self._span(samples)
        step = max(1, _BLOCK_BYTES // header.trace_bytes)
        for at in range(0, len(rows), step):
            part = rows[at : at + step]
            offset = header.first_byte + (first + at) * header.trace_bytes
            block = self._file.read(offset, len(part) * header.trace_bytes)
            block = block.reshape(len(part), -1)[:, lead : lead + wanted]
            out[part] = np.ascontiguousarray(block).view(self._raw)

    def _read_pieces(self, numbers: np.ndarray, samples: slice) -> np.ndarray:
        """Return the samples of traces anywhere in the file, one read each."""
        lead, wanted = self._span(samples)
        offsets = self.header.first_byte + lead + numbers * self.header.trace_bytes
        return self._file.gather(offsets, wanted).view(self._raw)

    def _span(self, samples: slice) -> tuple[int, int]:
        """Return where in a trace `samples` begin and how many bytes they take."""
        size = self._raw.itemsize
        lead = self.header.header_bytes + samples.start * size
        return lead, (samples.stop - samples.start) * size

    # -- live samples --------------------------------------------------------------------------

    def _live(self, numbers: np.ndarray, samples: slice, raw: np.ndarray | None) -> np.ndarray:
        """Return which samples are live; `raw` are the samples where they are read already."""
        flat, count = numbers.ravel(), samples.stop - samples.start
        whole = count == self.header.samples
        if not whole and (count * 4 > self.header.samples or self._small):
            self._learn(flat)
        elif whole and raw is not None:
            self._keep(flat, raw.reshape(flat.size, count))
        elif whole:
            self._learn(flat)
        known = (self._stop[flat] > 0) & (flat >= 0)
        cells = np.arange(samples.start, samples.stop)
        start, stop = self._start[flat] - 1, self._stop[flat] - 1
        live = (cells >= start[:, None]) & (cells < stop[:, None]) & known[:, None]
        unknown = ~known & (flat >= 0)
        if raw is None and (unknown.any() or self._raw.kind == "f" or self._code == IBM):
            raw = self._raw_traces(numbers, samples)
        if raw is not None:
            raw = raw.reshape(flat.size, count)
            live[unknown] = nonzero(raw[unknown], self._code)
            if (sane := finite(raw, self._code)) is not None:
                live &= sane
        return live.reshape(*numbers.shape, count)

    @property
    def _small(self) -> bool:
        return self.header.traces * self.header.trace_bytes <= _SMALL_FILE_BYTES

    def _learn(self, numbers: np.ndarray) -> None:
        """Read whole the traces whose live range is not known yet."""
        unknown = np.unique(numbers[(numbers >= 0) & (self._stop[numbers] == 0)])
        step = max(1, _BLOCK_BYTES // self.header.trace_bytes)
        for at in range(0, len(unknown), step):
            part = unknown[at : at + step]
            self._keep(part, self._raw_traces(part, slice(0, self.header.samples)))

    def _keep(self, numbers: np.ndarray, raw: np.ndarray) -> None:
        fresh = (numbers >= 0) & (self._stop[numbers] == 0)
        if not fresh.any():
            return
        start, stop = live_ranges(raw[fresh], self._code)
        with self._lock:
            self._start[numbers[fresh]] = start + 1
            self._stop[numbers[fresh]] = stop + 1

    # -- places --------------------------------------------------------------------------------

    def map_position(
        self, section: Section, row: float, column: float
    ) -> tuple[float, float] | None:
        """Return x, y of the trace under a picture cell, from its header."""
        plane = self.plane(section)
        at = [0] * len(self.axes)
        if section.axis is not None:
            at[section.axis] = section.index
        for axis, value in ((plane.row_axis, row), (plane.column_axis, column)):
            at[axis] = int(np.clip(round(value), 0, self.shape[axis] - 1))
        number = self.geometry.numbers(*(slice(i, i + 1) for i in at[:-1])).ravel()
        if number[0] < 0 or self._coordinates is None:
            return None
        words = read_words(self._file, self.header, number)
        x, y = _scaled(words, self._coordinates)
        return (float(x[0]), float(y[0])) if x[0] or y[0] else None

    def _trace_spacing(self) -> float | None:
        """Return the median distance in metres between neighbouring traces, None if not sane."""
        line = self._middle_line()
        first = np.unique(np.linspace(0, max(0, len(line) - 2), 100).astype(int))
        pairs = line[np.stack([first, np.minimum(first + 1, len(line) - 1)])]
        pairs = pairs[:, (pairs >= 0).all(axis=0)]
        if self._coordinates is None or pairs.size == 0:
            return None
        words = read_words(self._file, self.header, pairs.ravel())
        if np.any(words["w89"] > 1):
            return None  # arc seconds or degrees
        x, y = (c.reshape(2, -1) for c in _scaled(words, self._coordinates))
        spacing = float(np.median(np.hypot(x[1] - x[0], y[1] - y[0])))
        spacing *= _FEET if self.header.feet else 1
        return round(spacing, 3) if 0.1 <= spacing <= 1000 else None

    def _coordinate_words(self) -> tuple[str, str] | None:
        """Return the words of x and y: the CDP's, else the source's; None where neither varies."""
        numbers = np.unique(np.linspace(0, self.header.traces - 1, 50).astype(np.int64))
        words = read_words(self._file, self.header, numbers)
        for x, y in (("w181", "w185"), ("w73", "w77")):
            taken = int(x[1:]) in (self.geometry.layout or ())  # these hold line numbers here
            if not taken and (np.ptp(words[x]) or np.ptp(words[y])):
                return x, y
        return None

    def _middle_line(self) -> np.ndarray:
        """Return the trace numbers of the line, or of a cube's middle inline."""
        last = slice(0, self.geometry.axes[-1].size)
        if self.kind == "line":
            return self.geometry.numbers(last)
        middle = self.geometry.axes[0].size // 2
        return self.geometry.numbers(slice(middle, middle + 1), last)[0]

    def _mislabelled(self) -> str | None:
        """Return "ibm" or "ieee" when some 200 traces look like that and the file says otherwise."""
        numbers = np.unique(np.linspace(0, self.header.traces - 1, 200).astype(np.int64))
        count = min(self.header.samples, 2000)
        seen = looks_like(self._raw_traces(numbers, slice(0, count)), self._code)
        return None if seen == self._code else "ibm" if seen == IBM else "ieee"


def _scaled(words: np.ndarray, names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y with the coordinate scalar applied: > 0 multiplies, < 0 divides."""
    scalar = words["w71"].astype(float)
    multiplier, divisor = np.maximum(scalar, 1), np.maximum(-scalar, 1)
    return words[names[0]] * multiplier / divisor, words[names[1]] * multiplier / divisor


def _vertical_axis(
    header: FileHeader, words: np.ndarray, vertical: str | None
) -> tuple[Axis, list[str]]:
    """Return the sample axis, and a note where time or depth was guessed."""
    interval = header.interval or float(words["w117"][0])
    depth, why = is_depth(header, interval)
    notes = [] if vertical else [f"Read as {'depth' if depth else 'time'}: {why}."]
    depth = vertical == "depth" if vertical else depth
    first = float(words["w109"][0])
    if not interval:
        notes.append("No header gives the sample interval; samples are counted instead.")
        return Axis("depth" if depth else "time", "", 0.0, 1.0, header.samples), notes
    # Some write milliseconds or metres where thousandths belong.
    step = interval / 1000 if interval >= 100 else interval
    unit = ("ft" if header.feet else "m") if depth else "ms"
    return Axis("depth" if depth else "time", unit, first, step, header.samples), notes
