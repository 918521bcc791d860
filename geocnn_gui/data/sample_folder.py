"""Folders as sample sets: images in one sub-folder per class, or records of waveforms."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from geocnn_gui.data.samples import IMAGES, Samples, SampleSource, damage_note, evenly
from geocnn_gui.data.source import Band
from geocnn_gui.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rasterio.io import DatasetReader

    from geocnn_gui.data.samples import Fit
    from geocnn_gui.data.source import Domain

_MOST_FILES = 1_000_000
#: Larger images are read smaller: what is learned from has a patch's size in any case.
_MOST_SIDE = 2048
#: So many images, evenly picked, say how large they are and how many bands they have.
_LOOKED_AT = 64
_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green, blue in grey (BT.601)


def open_folder(
    path: Path, *, domain: Domain | None = None, fit: Fit = "resize", **choices: str
) -> SampleSource:
    """Open a folder of images with one sub-folder per class, or of waveform records (.npz).

    Images may differ in size, depth and colours: whole numbers become 0 to 1 by the range of
    their type, grey and colour become what most of them are, where alpha is 0 there is no data.
    `fit` says how an image comes to a network's patch: "resize" shows all of it, "crop" its
    middle at its own scale. Records see `sample_records.open_records`, which takes `choices`.

    Raises
    ------
    UnreadableFile
        When the folder holds neither, or nothing in it can be read.
    """
    classes = class_folders(path)
    if not classes:
        from geocnn_gui.data.sample_records import open_records, record_files

        if files := record_files(path):
            return open_records(path, files, **{k: float(v) for k, v in choices.items()})
        raise UnreadableFile(
            f"{path} is a folder", "choose a file in it, or a folder with images of each class in "
            "a sub-folder of its own"
        )  # fmt: skip
    samples, notes = _read_folder(path, classes, fit=fit)
    colour = samples.bands == 3
    names = (
        ("red", "green", "blue") if colour else tuple(f"Band {i + 1}" for i in range(samples.bands))
    )
    bands = tuple(Band(n.capitalize() if colour else n, "", n if colour else None) for n in names)
    source = SampleSource(
        samples, name=path.name, domain=domain or "imagery", bands=bands, path=path
    )
    source.format = "Folder of images"
    source.choices = {"domain": source.domain, "fit": fit}
    source.notes = notes
    return source


def class_folders(path: Path) -> dict[str, list[Path]]:
    """Return the images of each sub-folder that holds some, sub-folders in order of their names."""
    found, total = {}, 0
    for folder in sorted((p for p in path.iterdir() if _is_plain(p) and p.is_dir()), key=_natural):
        files = sorted(_images(folder), key=_natural)
        total += len(files)
        if total > _MOST_FILES:
            raise UnreadableFile(f"{path} holds more than {_MOST_FILES:,} images", "choose a part")
        if files:
            found[folder.name] = files
    return found


def _is_plain(path: Path) -> bool:
    return not path.name.startswith((".", "_")) and not path.is_symlink()


def _images(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            file = Path(place, name)
            if file.suffix.lower() in IMAGES and _is_plain(file):
                yield file


def _natural(path: Path) -> list[tuple[int, str]]:
    """Order "a2" before "a10"."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in parts]


def _read_folder(
    path: Path, classes: dict[str, list[Path]], *, fit: Fit
) -> tuple[ImageFolder, tuple[str, ...]]:
    if len(classes) > 254:
        raise UnreadableFile(f"{path} has {len(classes)} sub-folders with images", "254 at most")
    files, labels, damaged = [], [], []
    for number, images in enumerate(classes.values(), 1):
        for image in images:
            if _is_whole(image):
                files.append(image)
                labels.append(number)
            else:
                damaged.append(str(image.relative_to(path)))
    looked = [found for i in evenly(len(files), _LOOKED_AT) if (found := _shape_of(files[i]))]
    if not looked:
        raise UnreadableFile(f"{path} holds no image that can be read", "choose another folder")
    samples = ImageFolder(path, files, np.array(labels, np.uint8), tuple(classes), looked, fit)
    return samples, samples.notes + ((damage_note(damaged),) if damaged else ())


def _is_whole(path: Path) -> bool:
    """Say from its first and last bytes whether an image is complete."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
            file.seek(max(0, size - 4096))
            tail = file.read(4096)
    except OSError:
        return False
    if head.startswith(b"\x89PNG"):
        return b"IEND" in tail
    if head.startswith(b"\xff\xd8"):
        return b"\xff\xd9" in tail
    return size > 8 and head[:2] in (b"II", b"MM")


def _shape_of(path: Path) -> tuple[int, int, int] | None:
    """Return bands as they are read, rows, columns; None of a damaged file."""
    try:
        with _opened(path) as image:
            return _colours(image), *_read_shape(image)
    except (RasterioError, OSError):
        return None


def _opened(path: Path) -> DatasetReader:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path)


def _colours(image: DatasetReader) -> int:
    if ColorInterp.palette in image.colorinterp:
        return 3
    return image.count - (ColorInterp.alpha in image.colorinterp)


def _read_shape(image: DatasetReader, side: int = _MOST_SIDE) -> tuple[int, int]:
    step = max(1.0, max(image.shape) / side)
    return max(1, round(image.height / step)), max(1, round(image.width / step))


class ImageFolder(Samples):
    """Images of a folder, read one by one; see `open_folder`."""

    dims = 2

    def __init__(
        self, path: Path, files: list[Path], labels: np.ndarray, classes: Sequence[str],
        looked: list[tuple[int, int, int]], fit: Fit,
    ) -> None:  # fmt: skip
        self._files, self.labels, self.fit = files, labels, fit
        self.names = [str(file.relative_to(path)) for file in files]
        self.classes = tuple((i, name[:80]) for i, name in enumerate(classes, 1))
        bands, rows, columns = (np.array(each) for each in zip(*looked, strict=True))
        # Colours win over grey, which can be shown in them.
        self.bands = int(np.bincount(bands).argmax()) if 3 not in bands else 3
        self.size = int(np.median(rows)), int(np.median(columns))
        self.notes: tuple[str, ...] = ()
        if len(set(zip(rows.tolist(), columns.tolist(), strict=True))) > 1:
            self.notes += (
                f"Images differ in size: {rows.min()} x {columns.min()} to {rows.max()} x "
                f"{columns.max()} (rows x columns) among those looked at.",
            )
        if len(set(bands.tolist())) > 1:
            shown = "colour" if self.bands == 3 else f"{self.bands} band(s)"
            self.notes += (f"Images differ in their bands; all are read as {shown}.",)

    def read(self, index: int) -> np.ndarray:
        """Return float32 (bands, rows, columns), 0 to 1 where the file has whole numbers."""
        return self.read_small(index, _MOST_SIDE)

    def read_small(self, index: int, side: int) -> np.ndarray:
        """Return an image of at most `side` cells across."""
        path = self._files[index]
        try:
            with _opened(path) as image:
                values = _values(image, _read_shape(image, side))
        except (RasterioError, OSError, MemoryError) as error:
            raise UnreadableFile(f"{path} is damaged", "copy it again or take it out") from error
        return self._in_bands(values, path)

    def _in_bands(self, values: np.ndarray, path: Path) -> np.ndarray:
        if len(values) == self.bands:
            return values
        if len(values) == 1:
            return np.repeat(values, self.bands, axis=0)
        if self.bands == 1 and len(values) == 3:
            return np.tensordot(_WEIGHTS, values, 1)[None]
        raise UnreadableFile(
            f"{path} has {len(values)} bands but the others {self.bands}", "take it out"
        )


def _values(image: DatasetReader, shape: tuple[int, int]) -> np.ndarray:
    """Return float32 (bands, *shape), NaN where alpha is 0."""
    raw = image.read(out_shape=(image.count, *shape), resampling=_resampling(image))
    alpha = None
    if ColorInterp.alpha in image.colorinterp:
        at = image.colorinterp.index(ColorInterp.alpha)
        alpha, raw = raw[at], np.delete(raw, at, axis=0)
    if ColorInterp.palette in image.colorinterp:
        table = np.zeros((int(raw.max()) + 1, 4), np.uint8)
        for number, colour in image.colormap(1).items():
            if number < len(table):
                table[number] = colour
        colours = np.moveaxis(table[raw[0]], -1, 0)
        raw, alpha = colours[:3], colours[3]
    top = np.iinfo(raw.dtype).max if raw.dtype.kind in "iu" else 1
    values = raw.astype(np.float32) / np.float32(top)
    if alpha is not None:
        values[:, alpha == 0] = np.nan
    return values


def _resampling(image: DatasetReader) -> Resampling:
    nearest = ColorInterp.palette in image.colorinterp
    return Resampling.nearest if nearest else Resampling.average
