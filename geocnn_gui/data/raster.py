"""Rasters read through rasterio: any number of bands, by window or from overviews."""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.env import set_gdal_config
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterWindow

from geocnn_gui.data.source import Axis, Band, Picture, Section, Source, Spacing, Window
from geocnn_gui.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rasterio.io import DatasetReader

    from geocnn_gui.data.source import Domain

#: GDAL keeps decoded blocks; its own choice, a share of the machine's memory, is too much.
_CACHE_BYTES = 64 << 20
#: Most bytes decoded for one preview where no overview helps.
_PREVIEW_BYTES = 128 << 20
#: Where data are looked for in a band that seems empty: all cells of up to so many, else a grid
#: of windows.
_PROBE_CELLS, _PROBE_SIDE, _PROBES = 16_000_000, 128, 8
_METRES_PER_DEGREE = 111_320.0
_FORMATS = {"GTiff": "GeoTIFF", "COG": "GeoTIFF"}
_COLOURS = {ColorInterp.red: "red", ColorInterp.green: "green", ColorInterp.blue: "blue"}


def open_raster(path: Path, *, domain: Domain = "imagery") -> RasterSource:
    """Open a raster; its headers are read, a block or two, and more where a band looks empty.

    `domain="seismic"` reads it as a section with samples down the rows.

    Raises
    ------
    UnreadableFile
        When the file is no raster, is damaged, or holds complex numbers or several images.
    """
    pool = _Pool(path)
    try:
        return RasterSource(path, pool, domain)
    except BaseException:
        pool.close()
        raise


class RasterSource(Source):
    """A raster (band, row, column); an alpha band is part of the mask, not a data band.

    A cell is live where no band is nodata, NaN or infinite, alpha is not 0 and an internal mask
    lets it through. An integer nodata value of 0 or the type's maximum is also an ordinary
    value: there every band must hold it. A band without any data beside others with data masks
    nothing: it reads as 0 in pictures, and `notes` names it.
    """

    kind = "raster"

    def __init__(self, path: Path, pool: _Pool, domain: Domain = "imagery") -> None:
        self.path, self.name = path, path.stem
        self.domain, self.choices = domain, {"domain": domain}
        self._pool = pool
        with self._reading() as dataset:
            _refuse_unusable(path, dataset)
            self.format = _FORMATS.get(str(dataset.driver), str(dataset.driver))
            alpha = [i for i, c in enumerate(dataset.colorinterp, 1) if c == ColorInterp.alpha]
            self._alpha = alpha[0] if alpha and dataset.count > 1 else None
            self._indexes = [i for i in range(1, dataset.count + 1) if i != self._alpha]
            self.dtype = np.dtype(dataset.dtypes[self._indexes[0] - 1])
            self._nodata = [dataset.nodatavals[i - 1] for i in self._indexes]
            self.nodata = self._nodata[0]
            self._scales = np.array([dataset.scales[i - 1] for i in self._indexes])
            self._offsets = np.array([dataset.offsets[i - 1] for i in self._indexes])
            self._masked = _has_internal_mask(dataset)
            self._factors = dataset.overviews(self._indexes[0])
            self._block = dataset.block_shapes[self._indexes[0] - 1]
            self.bands = _bands(dataset, self._indexes)
            self.crs = dataset.crs.to_wkt() if dataset.crs else None
            self.transform = None if dataset.transform.is_identity else dataset.transform[:6]
            self.axes, self.spacing = _grid(dataset)
            self.notes = _notes(dataset)
            self._check_last_block(dataset)
            self._empty: tuple[int, ...] = ()
            self._empty = self._find_empty(dataset)
            self.notes += tuple(_empty_note(self._indexes[b], self.bands[b]) for b in self._empty)

    def close(self) -> None:
        """Release the file."""
        self._pool.close()

    def read(self, window: Window) -> np.ndarray:
        """Read (bands, rows, columns) of a window in the file's own type."""
        with self._reading() as dataset:
            return dataset.read(self._indexes, window=_to_rasterio(window))

    def live(self, window: Window) -> np.ndarray:
        """Return which cells of a window are live."""
        with self._reading() as dataset:
            return self._read_both(dataset, _to_rasterio(window))[1]

    def read_picture(self, section: Section, rows: slice, columns: slice) -> Picture:
        """Read part of the raster at full resolution."""
        window = _to_rasterio(self.plane(section).window(rows, columns))
        with self._reading() as dataset:
            return self._picture(*self._read_both(dataset, window))

    def read_preview(
        self, section: Section, rows: slice, columns: slice, shape: tuple[int, int]
    ) -> Picture:
        """Read part of the raster decimated, by picking cells: no values are invented.

        The next finer overview is read where there is one. Otherwise single rows (of striped
        files) or cells of chosen blocks are read; where that would still be too much, the
        picture is coarser than asked for.
        """
        size = rows.stop - rows.start, columns.stop - columns.start
        if size[0] <= shape[0] and size[1] <= shape[1]:
            return self.read_picture(section, rows, columns)
        ratio = max(n / m for n, m in zip(size, shape, strict=True))
        level = max((i for i, f in enumerate(self._factors) if f <= ratio), default=None)
        if level is not None:
            with self._reading(level) as dataset:
                return self._picked(dataset, (rows, columns), shape)
        if ratio < 2 or size[0] * size[1] * self._cell_bytes <= _PREVIEW_BYTES // 5:
            with self._reading() as dataset:
                return self._picked(dataset, (rows, columns), shape)
        with self._reading() as dataset:
            return self._scattered(dataset, (rows, columns), shape)

    def to_physical(self, values: np.ndarray) -> np.ndarray:
        """Return float32 values with the scale and offset tags applied."""
        if np.all(self._scales == 1) and not self._offsets.any():
            return values.astype(np.float32)
        lead = (-1,) + (1,) * (values.ndim - 1)
        scaled = values * self._scales.reshape(lead) + self._offsets.reshape(lead)
        return scaled.astype(np.float32)

    @property
    def _cell_bytes(self) -> int:
        return self.dtype.itemsize * len(self._indexes)

    @contextmanager
    def _reading(self, level: int | None = None) -> Iterator[DatasetReader]:
        """Lend a handle; errors of the file become `UnreadableFile`."""
        try:
            with self._pool.handle(level) as dataset:
                yield dataset
        except RasterioError as error:
            raise _damaged(self.path) from error

    def _check_last_block(self, dataset: DatasetReader) -> None:
        """Read the last cell, which a truncated file does not have, where that is cheap."""
        block_bytes = int(np.prod(self._block)) * self._cell_bytes
        cells = dataset.width * dataset.height if dataset.driver != "GTiff" else 0
        if block_bytes <= 64 << 20 and cells <= 16_000_000:
            last = RasterWindow(dataset.width - 1, dataset.height - 1, 1, 1)  # type: ignore[call-arg]
            dataset.read(self._indexes, window=last)

    def _read_both(
        self, dataset: DatasetReader, window: RasterWindow
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return raw values (bands, rows, columns) and the live mask of a window."""
        values = dataset.read(self._indexes, window=window)
        live = np.ones(values.shape[1:], bool)
        if self._alpha is not None:
            live &= dataset.read(self._alpha, window=window) != 0
        if self._masked:
            live &= dataset.read_masks(self._indexes[0], window=window) != 0
        return values, live & self._valid(values)

    @property
    def _ordinary(self) -> bool:
        return all(_is_ordinary(nodata, self.dtype) for nodata in self._nodata)

    def _valid(self, values: np.ndarray) -> np.ndarray:
        """Return where no band is nodata, NaN or infinite; bands without any data do not count."""
        if self._ordinary:
            pairs = zip(values, self._nodata, strict=True)
            return ~np.all([_is_nodata(v, nodata) for v, nodata in pairs], axis=0)
        bands = [b for b in range(len(values)) if b not in self._empty]
        return ~np.any([_is_missing(values[b], self._nodata[b]) for b in bands], axis=0)

    def _find_empty(self, dataset: DatasetReader) -> tuple[int, ...]:
        """Return the bands (from 0) without data where others have some, as far as is looked."""
        block_bytes = int(np.prod(self._block)) * self.dtype.itemsize
        able = self.dtype.kind == "f" or any(nodata is not None for nodata in self._nodata)
        if len(self._indexes) == 1 or not able or self._ordinary or block_bytes > 64 << 20:
            return ()
        empty = list(range(len(self._indexes)))
        for window in _probes(dataset, len(empty)):
            empty = [b for b in empty if not self._has_data(dataset, b, window)]
            if not empty:
                break
        return tuple(empty) if len(empty) < len(self._indexes) else ()

    def _has_data(self, dataset: DatasetReader, band: int, window: RasterWindow) -> bool:
        try:
            values = dataset.read(self._indexes[band], window=window)
        except RasterioError:  # is said when the damaged part is read for its values
            return True
        return not _is_missing(values, self._nodata[band]).all()

    def _picture(self, values: np.ndarray, live: np.ndarray) -> Picture:
        physical = self.to_physical(values)
        physical[:, ~live] = 0
        for band in self._empty:
            physical[band, _is_missing(values[band], self._nodata[band])] = 0
        return Picture(physical, live)

    def _picked(
        self, dataset: DatasetReader, parts: tuple[slice, slice], shape: tuple[int, int]
    ) -> Picture:
        """Read the part from a handle of any level whole, and pick evenly spread cells of it."""
        scale = dataset.height / self.shape[0], dataset.width / self.shape[1]
        cells = [_picks(p, n, s) for p, n, s in zip(parts, shape, scale, strict=True)]
        cells = [np.minimum(c, n - 1) for c, n in zip(cells, dataset.shape, strict=True)]
        (top, left), (bottom, right) = [c[0] for c in cells], [c[-1] for c in cells]
        window = RasterWindow(left, top, right - left + 1, bottom - top + 1)  # type: ignore[call-arg]
        values, live = self._read_both(dataset, window)
        at = np.ix_(cells[0] - top, cells[1] - left)
        return self._picture(values[(slice(None), *at)], live[at])

    def _scattered(
        self, dataset: DatasetReader, parts: tuple[slice, slice], shape: tuple[int, int]
    ) -> Picture:
        """Read single rows, or single cells where even the blocks of rows are too many."""
        height, width = self._affordable(parts, shape)
        rows, columns = _picks(parts[0], height, 1), _picks(parts[1], width, 1)
        few = width < -(-(parts[1].stop - parts[1].start) // self._block[1])
        lines = []
        for row in rows.tolist():
            if few:
                cells = [self._read_both(dataset, _line(row, c, 1)) for c in columns.tolist()]
                line = tuple(np.concatenate(part, axis=-1) for part in zip(*cells, strict=True))
            else:
                span = _line(row, int(columns[0]), int(columns[-1] - columns[0]) + 1)
                values, live = self._read_both(dataset, span)
                line = values[..., columns - columns[0]], live[..., columns - columns[0]]
            lines.append(line)
        values, live = (np.concatenate(part, axis=-2) for part in zip(*lines, strict=True))
        return self._picture(values, live)

    def _affordable(self, parts: tuple[slice, slice], shape: tuple[int, int]) -> tuple[int, int]:
        """Return the rows and columns of a preview whose blocks are not too much to decode."""
        size = [p.stop - p.start for p in parts]
        picture = [min(n, m) for n, m in zip(size, shape, strict=True)]
        blocks = [-(-n // b) for n, b in zip(size, self._block, strict=True)]
        block_bytes = int(np.prod(self._block)) * self._cell_bytes
        while True:
            touched = [min(n, m) for n, m in zip(picture, blocks, strict=True)]
            if touched[0] * touched[1] * block_bytes <= _PREVIEW_BYTES or max(touched) == 1:
                return picture[0], picture[1]
            larger = int(touched[1] > touched[0])
            picture[larger] = max(1, touched[larger] * 3 // 4)


class _Pool:
    """Handles on one file: GDAL lets no two threads use the same one at once."""

    _opening = threading.Lock()  # catch_warnings is not safe between threads

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: dict[int | None, list[DatasetReader]] = {}
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def handle(self, level: int | None = None) -> Iterator[DatasetReader]:
        """Lend an idle handle at an overview level (None: full resolution), or a new one."""
        with self._lock:
            idle = self._idle.setdefault(level, [])
            dataset = idle.pop() if idle else None
        dataset = dataset or self._open(level)
        try:
            yield dataset
        finally:
            with self._lock:
                if self._closed:
                    dataset.close()
                else:
                    self._idle[level].append(dataset)

    def close(self) -> None:
        """Close every idle handle; lent ones close when they come back."""
        with self._lock:
            self._closed = True
            for idle in self._idle.values():
                while idle:
                    idle.pop().close()

    def _open(self, level: int | None) -> DatasetReader:
        set_gdal_config("GDAL_CACHEMAX", _CACHE_BYTES)
        choices: dict[str, Any] = {} if level is None else {"overview_level": level}
        try:
            with self._opening, warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                return rasterio.open(self._path, **choices)
        except RasterioError as error:
            raise UnreadableFile(
                f"{self._path} is not a raster that can be read, or it is damaged",
                "choose another file, or copy or download it again",
            ) from error


def _damaged(path: Path | None) -> UnreadableFile:
    return UnreadableFile(f"{path} is damaged or cut short", "copy or download it again")


def _refuse_unusable(path: Path, dataset: DatasetReader) -> None:
    if dataset.count == 0:
        raise UnreadableFile(
            f"{path} holds {len(dataset.subdatasets)} images rather than one",
            "export the one you want as a GeoTIFF",
        )
    if any(kind.startswith("complex") for kind in dataset.dtypes):
        raise UnreadableFile(f"{path} holds complex numbers", "export their magnitude as a GeoTIFF")


def _has_internal_mask(dataset: DatasetReader) -> bool:
    """Say whether the file carries a mask of its own, beside nodata and alpha."""
    flags = dataset.mask_flag_enums[0]
    return (MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags) or flags == []


def _bands(dataset: DatasetReader, indexes: list[int]) -> tuple[Band, ...]:
    """Name the bands as the file does; colours by its metadata, else by their names."""
    names = [dataset.descriptions[i - 1] or "" for i in indexes]
    colours = [_COLOURS.get(dataset.colorinterp[i - 1]) for i in indexes]
    if not any(colours):
        colours = [n.lower() if n.lower() in _COLOURS.values() else None for n in names]
    units = [dataset.units[i - 1] or "" for i in indexes]
    return tuple(
        Band(name or (colour.capitalize() if colour else f"Band {i}"), unit, colour)
        for i, name, unit, colour in zip(indexes, names, units, colours, strict=True)
    )


def _grid(dataset: DatasetReader) -> tuple[tuple[Axis, Axis], Spacing]:
    """Return the row and column axes and the size of a cell in metres."""
    t, (height, width) = dataset.transform, dataset.shape
    factor, unit = _linear_unit(dataset)
    size = None
    if factor is not None:
        size = float(np.sqrt(abs(t.determinant)) * factor)
    elif dataset.crs and dataset.crs.is_geographic:
        latitude = np.radians(t.d * width / 2 + t.e * height / 2 + t.f)
        size = float(np.sqrt(abs(t.determinant) * np.cos(latitude)) * _METRES_PER_DEGREE)
    if t.is_identity or not t.is_rectilinear or t.a == 0:
        plain = Axis("row", "px", 0.0, 1.0, height), Axis("column", "px", 0.0, 1.0, width)
        return plain, Spacing(pixel_size=size)
    rows = Axis("row", unit, t.f + t.e / 2, t.e, height)
    columns = Axis("column", unit, t.c + t.a / 2, t.a, width)
    return (rows, columns), Spacing(pixel_size=size)


def _linear_unit(dataset: DatasetReader) -> tuple[float | None, str]:
    """Return metres per map unit (None where the CRS has none) and the unit's short name."""
    if not dataset.crs:
        return None, ""
    if dataset.crs.is_geographic:
        return None, "degree"
    try:
        name, factor = dataset.crs.linear_units_factor
    except CRSError:
        return None, ""
    name = name.lower()
    return factor, "m" if name in ("metre", "meter") else "ft" if "foot" in name else name


def _notes(dataset: DatasetReader) -> tuple[str, ...]:
    notes = []
    if ColorInterp.palette in dataset.colorinterp:
        notes.append("A palette image: its values are read as class numbers, not as colours.")
    if dataset.gcps[0] and dataset.transform.is_identity:
        notes.append("Located by ground control points only; shown in rows and columns.")
    if not dataset.crs and not dataset.transform.is_identity:
        notes.append("The file gives positions but no coordinate system.")
    cells = dataset.width * dataset.height
    if cells > 100_000_000 and not dataset.overviews(1):
        notes.append("The file has no overviews, so views of much of it are coarse.")
    return tuple(notes)


def _probes(dataset: DatasetReader, bands: int) -> Iterator[RasterWindow]:
    """Yield windows to look for data in: the middle one, then all, or some of a large raster."""
    height, width = dataset.shape
    rows, columns = min(_PROBE_SIDE, height), min(_PROBE_SIDE, width)
    yield RasterWindow((width - columns) // 2, (height - rows) // 2, columns, rows)  # type: ignore[call-arg]
    if height * width * bands <= _PROBE_CELLS:
        yield RasterWindow(0, 0, width, height)  # type: ignore[call-arg]
        return
    for top in np.linspace(0, height - rows, _PROBES).astype(int).tolist():
        for left in np.linspace(0, width - columns, _PROBES).astype(int).tolist():
            yield RasterWindow(left, top, columns, rows)  # type: ignore[call-arg]


def _empty_note(number: int, band: Band) -> str:
    name = "" if band.name == f"Band {number}" else f" ({band.name})"
    return f"Band {number}{name} holds no data."


def _is_missing(values: np.ndarray, nodata: float | None) -> np.ndarray:
    """Return where one band holds its nodata value, NaN or infinity."""
    missing = _is_nodata(values, nodata)
    return missing | ~np.isfinite(values) if values.dtype.kind == "f" else missing


def _is_nodata(values: np.ndarray, nodata: float | None) -> np.ndarray:
    """Return where one band holds its nodata value."""
    if nodata is None or np.isnan(nodata):
        return np.zeros(values.shape, bool)  # NaN is masked in any case
    if values.dtype.kind == "f":
        # Tags are written with fewer digits than float32 extremes have.
        return np.isclose(values, nodata, rtol=1e-6, atol=0)
    info = np.iinfo(values.dtype)
    if not info.min <= nodata <= info.max or nodata != int(nodata):
        return np.zeros(values.shape, bool)
    return values == int(nodata)


def _is_ordinary(nodata: float | None, dtype: np.dtype) -> bool:
    """Say whether a nodata value may also be a measured one."""
    return nodata is not None and dtype.kind in "iu" and nodata in (0, np.iinfo(dtype).max)


def _picks(part: slice, count: int, scale: float) -> np.ndarray:
    """Return `count` cells (at most) spread evenly over `part`, on a grid of `scale` times."""
    size = part.stop - part.start
    count = min(count, size)
    middles = part.start + (np.arange(count) + 0.5) * size / count
    return (middles * scale).astype(np.int64)


def _line(row: int, column: int, width: int) -> RasterWindow:
    return RasterWindow(column, row, width, 1)  # type: ignore[call-arg]


def _to_rasterio(window: Window) -> RasterWindow:
    (row, column), (height, width) = window.offset, window.size
    return RasterWindow(column, row, width, height)  # type: ignore[call-arg]
