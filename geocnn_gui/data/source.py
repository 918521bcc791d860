"""The one face of everything that can be opened: axes, bands, live samples, read(window)."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from geocnn_gui.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from geocnn_gui.data.samples import Samples

Kind = Literal["line", "cube", "raster", "samples"]
Domain = Literal["seismic", "imagery"]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a source: `size` cells whose centres stand at `first + i * step` in `unit`.

    `name` is the field's term: "inline", "crossline", "cdp", "trace", "time", "depth", "row",
    "column". `unit` is "ms", "m", "ft", "degree" or "" for a plain number.
    """

    name: str
    unit: str
    first: float
    step: float
    size: int

    @property
    def vertical(self) -> bool:
        """Say whether this is a trace's own axis, drawn downwards."""
        return self.name in ("time", "depth")

    @property
    def title(self) -> str:
        """Name the axis for a reader: "Two-way time (ms)", "Inline"."""
        names = {"time": "Two-way time", "cdp": "CDP", "row": "Northing", "column": "Easting"}
        plain = self.name in ("row", "column") and self.unit in ("", "px")
        name = self.name.capitalize() if plain else names.get(self.name, self.name.capitalize())
        return f"{name} ({self.unit})" if self.unit else name

    def at(self, index: float) -> float:
        """Return the coordinate of cell `index` (fractions allowed)."""
        return self.first + index * self.step

    def index_of(self, coordinate: float) -> int:
        """Return the nearest cell to `coordinate`, clipped to the axis."""
        return int(np.clip(round((coordinate - self.first) / self.step), 0, self.size - 1))


@dataclass(frozen=True, slots=True)
class Band:
    """One band; `colour` is "red", "green", "blue" where the file's metadata says so."""

    name: str
    unit: str = ""
    colour: str | None = None


@dataclass(frozen=True, slots=True)
class Spacing:
    """What one cell measures; None where the file does not say.

    `sample_interval` in `sample_unit` ("ms", "m", "ft"); `trace_spacing` and `pixel_size` in
    metres.
    """

    sample_interval: float | None = None
    sample_unit: str = ""
    trace_spacing: float | None = None
    pixel_size: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A box of cells in index space: `offset` and `size` per axis, half-open."""

    offset: tuple[int, ...]
    size: tuple[int, ...]

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> Window:
        """Return the window that covers an array of `shape`."""
        return cls((0,) * len(shape), tuple(shape))

    @classmethod
    def from_slices(cls, slices: tuple[slice, ...]) -> Window:
        """Return the window of bounded, step-one slices."""
        return cls(tuple(s.start for s in slices), tuple(s.stop - s.start for s in slices))

    @property
    def stop(self) -> tuple[int, ...]:
        """Return the first cell beyond the window, per axis."""
        return tuple(o + s for o, s in zip(self.offset, self.size, strict=True))

    @property
    def slices(self) -> tuple[slice, ...]:
        """Return the window as NumPy slices."""
        return tuple(slice(o, o + s) for o, s in zip(self.offset, self.size, strict=True))

    @property
    def cells(self) -> int:
        """Count the cells."""
        return int(np.prod(self.size, dtype=np.int64))

    def intersection(self, other: Window) -> Window | None:
        """Return the cells common to both, or None."""
        low = tuple(max(a, b) for a, b in zip(self.offset, other.offset, strict=True))
        high = tuple(min(a, b) for a, b in zip(self.stop, other.stop, strict=True))
        if any(a >= b for a, b in zip(low, high, strict=True)):
            return None
        return Window(low, tuple(b - a for a, b in zip(low, high, strict=True)))

    def relative_to(self, origin: tuple[int, ...]) -> Window:
        """Return the same cells counted from `origin`."""
        return Window(tuple(o - a for o, a in zip(self.offset, origin, strict=True)), self.size)


@dataclass(frozen=True, slots=True)
class Section:
    """A 2-D view: cell `index` along axis number `axis`; `axis` None is all of a 2-D source."""

    axis: int | None = None
    index: int = 0


@dataclass(frozen=True, slots=True)
class Plane:
    """How a section lies in its source's array: which axes are the picture's rows and columns.

    A picture has samples down and traces to the right in file order; rasters keep rows and
    columns; a time slice has inlines down and crosslines to the right.
    """

    section: Section
    ndim: int
    row_axis: int
    column_axis: int

    def window(self, rows: slice, columns: slice) -> Window:
        """Return the source window of picture cells `rows` x `columns` (bounded slices)."""
        offset, size = [0] * self.ndim, [1] * self.ndim
        for axis, part in ((self.row_axis, rows), (self.column_axis, columns)):
            offset[axis], size[axis] = part.start, part.stop - part.start
        if self.section.axis is not None:
            offset[self.section.axis] = self.section.index
        return Window(tuple(offset), tuple(size))

    def cells(self, window: Window) -> tuple[slice, slice] | None:
        """Return the picture rows and columns that `window` covers, None where it misses."""
        if self.section.axis is not None:
            at, low = self.section.index, window.offset[self.section.axis]
            if not low <= at < low + window.size[self.section.axis]:
                return None
        parts = window.slices
        return parts[self.row_axis], parts[self.column_axis]

    def picture(self, array: np.ndarray) -> np.ndarray:
        """Turn an array read from `window(...)`, (..., *window.size), into (..., rows, columns)."""
        lead = array.ndim - self.ndim
        if self.section.axis is not None:
            array = array.take(0, axis=lead + self.section.axis)
        return array if self.row_axis < self.column_axis else array.swapaxes(-1, -2)

    def array(self, picture: np.ndarray) -> np.ndarray:
        """Turn (..., rows, columns) back into (..., *window.size); the inverse of `picture`."""
        array = picture if self.row_axis < self.column_axis else picture.swapaxes(-1, -2)
        if self.section.axis is None:
            return array
        lead = array.ndim - 2
        return np.expand_dims(array, lead + self.section.axis)


@dataclass(frozen=True, slots=True)
class Picture:
    """Values of a section's part for display or a network.

    `values` float32 (bands, rows, columns), in physical units (scale and offset tags applied),
    0 where not live; `live` bool (rows, columns).
    """

    values: np.ndarray
    live: np.ndarray


class Source(ABC):
    """An opened survey or raster, read-only and never read whole.

    Arrays are ordered line (trace, sample), cube (inline, crossline, sample), raster
    (band, row, column); `axes` and `shape` leave the band axis out. Every reading method may be
    called from several threads at once.
    """

    path: Path | None
    name: str
    kind: Kind
    domain: Domain
    format: str
    dtype: np.dtype
    axes: tuple[Axis, ...]
    bands: tuple[Band, ...]
    spacing: Spacing = Spacing()
    crs: str | None = None  # WKT
    transform: tuple[float, float, float, float, float, float] | None = None  # affine a b c d e f
    nodata: float | None = None
    notes: tuple[str, ...] = ()  # what was guessed or looks odd, one sentence each
    #: Choices of `open_source` in force, and those that the samples speak for instead.
    choices: Mapping[str, str] = MappingProxyType({})
    suggestion: Mapping[str, str] = MappingProxyType({})
    #: What each cell of a sample set stands for; None of everything else.
    samples: Samples | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the cells per axis, without the band axis."""
        return tuple(axis.size for axis in self.axes)

    @property
    def banded(self) -> bool:
        """Say whether `read` puts a band axis in front."""
        return self.kind in ("raster", "samples")

    @abstractmethod
    def read(self, window: Window) -> np.ndarray:
        """Read a window in the file's own number type (IBM floats as float32).

        Returns (*window.size) for lines and cubes, (bands, *window.size) for rasters. Missing
        traces read as 0.
        """

    @abstractmethod
    def live(self, window: Window) -> np.ndarray:
        """Return bool (*window.size): False for nodata, NaN, alpha 0, dead or muted samples."""

    @abstractmethod
    def close(self) -> None:
        """Release the file."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def section_axes(self) -> tuple[int, ...]:
        """Return the axis numbers along which sections can be taken; () for a 2-D source."""
        return tuple(range(len(self.axes))) if len(self.axes) == 3 else ()

    def first_section(self) -> Section:
        """Return the section to show first: the only one, or the middle of the first axis."""
        return Section() if len(self.axes) == 2 else Section(0, self.axes[0].size // 2)

    def plane(self, section: Section) -> Plane:
        """Return how `section` lies in the array."""
        left = [i for i in range(len(self.axes)) if i != section.axis]
        rows, columns = left
        if self.axes[columns].vertical:
            rows, columns = columns, rows
        return Plane(section, len(self.axes), rows, columns)

    def picture_shape(self, section: Section) -> tuple[int, int]:
        """Return (rows, columns) of the whole section."""
        plane = self.plane(section)
        return self.shape[plane.row_axis], self.shape[plane.column_axis]

    def read_picture(self, section: Section, rows: slice, columns: slice) -> Picture:
        """Read part of a section at full resolution; `rows`, `columns` are bounded slices."""
        plane = self.plane(section)
        window = plane.window(rows, columns)
        values = plane.picture(self.read(window))
        live = np.ascontiguousarray(plane.picture(self.live(window)))
        values = values if self.banded else values[None]
        values = self.to_physical(values)
        values[:, ~live] = 0
        return Picture(values, live)

    def read_preview(
        self, section: Section, rows: slice, columns: slice, shape: tuple[int, int]
    ) -> Picture:
        """Read part of a section decimated to about `shape` (rows, columns), for display.

        The picture returned covers exactly `rows` x `columns`; it has at most `shape` cells
        and never more than the part itself. Readers override this where they can do it without
        reading every cell.
        """
        picture = self.read_picture(section, rows, columns)
        steps = [max(1, -(-n // m)) for n, m in zip(picture.live.shape, shape, strict=True)]
        return Picture(
            picture.values[:, :: steps[0], :: steps[1]], picture.live[:: steps[0], :: steps[1]]
        )

    def to_physical(self, values: np.ndarray) -> np.ndarray:
        """Return `values` (bands, ...) as a new float32 array in physical units."""
        return values.astype(np.float32)

    def map_position(
        self, section: Section, row: float, column: float
    ) -> tuple[float, float] | None:
        """Return map x, y of a picture cell where the file knows it, else None.

        (0, 0) is the centre of the first cell; a raster's affine counts from its corner.
        """
        if self.transform is None:
            return None
        a, b, c, d, e, f = self.transform
        x, y = column + 0.5, row + 0.5
        return a * x + b * y + c, d * x + e * y + f


#: Suffix -> "module:function" that opens it. Readers are added here, in one place.
READERS: dict[str, str] = {
    ".sgy": "geocnn_gui.data.segy:open_segy",
    ".segy": "geocnn_gui.data.segy:open_segy",
    ".seg": "geocnn_gui.data.segy:open_segy",
    ".npy": "geocnn_gui.data.array:open_array",
    ".npz": "geocnn_gui.data.sample_arrays:open_npz",
}
#: What opens any other suffix.
ANY_RASTER = "geocnn_gui.data.raster:open_raster"
#: What opens a folder.
ANY_FOLDER = "geocnn_gui.data.sample_folder:open_folder"
#: Names of the built-in examples, opened as "example:NAME".
EXAMPLES: dict[str, str] = {
    "example:seismic": "geocnn_gui.data.synthetic:open_seismic_example",
    "example:scene": "geocnn_gui.data.synthetic:open_scene_example",
    "example:patches": "geocnn_gui.data.textbook:open_patches",
    "example:traces": "geocnn_gui.data.textbook:open_traces",
    "example:denoise": "geocnn_gui.data.synthetic_denoise:open_noisy_example",
    "example:denoise-clean": "geocnn_gui.data.synthetic_denoise:open_clean_example",
}
#: Examples that come with values to learn, and the example that holds them.
EXAMPLE_TARGETS: dict[str, str] = {"example:denoise": "example:denoise-clean"}


def open_source(path: str | Path, **choices: Any) -> Source:
    """Open a file, a folder with a sample set, or a built-in example (see `EXAMPLES`).

    `choices` are the reader's own (for SEG-Y: `vertical="time"|"depth"`; for rasters, 2-D arrays
    and sample sets: `domain="seismic"|"imagery"`).

    Raises
    ------
    UnreadableFile
        When the file is missing, empty, damaged, or not what its name says.
    """
    if (example := EXAMPLES.get(str(path))) is not None:
        return _resolve(example)(**choices)
    path = Path(path)
    if not path.exists():
        raise UnreadableFile(f"{path} does not exist", "check the name and the folder")
    if path.is_dir():
        return _resolve(ANY_FOLDER)(path, **choices)
    if path.stat().st_size == 0:
        raise UnreadableFile(f"{path} is empty (0 bytes)", "copy or download it again")
    return _resolve(READERS.get(path.suffix.lower(), ANY_RASTER))(path, **choices)


def _resolve(target: str) -> Callable[..., Source]:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)
