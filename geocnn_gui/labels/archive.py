"""The base file of a label book: a zip of chunks as .npy, readable by `numpy.load`.

Members are "labels.json" (what the arrays mean) and one "I_J.npy" per chunk that holds a label,
uint8, C order, numbered along the source's axes. No pickles.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geocnn_gui.data.source import Window
from geocnn_gui.errors import LabelsMismatch, UnreadableFile
from geocnn_gui.files import replacing
from geocnn_gui.labels.store import CHUNK_SHAPES, LabelSnapshot, LabelStore

if TYPE_CHECKING:
    from pathlib import Path

_ABOUT = "labels.json"
#: More than any .npy header of a chunk takes.
_NPY_HEADER = 4096
_MEMBER = re.compile(r"[0-9]{1,9}(_[0-9]{1,9}){0,2}\.npy")
#: More cells than a chunk has, so that a stranger's file cannot unpack to any size.
_LARGEST_CHUNK = 2**24
#: More than labels.json takes.
_LONGEST_ABOUT = 65536
#: What a damaged zip, member or array raises.
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError, RecursionError,
    NotImplementedError, RuntimeError,
)  # fmt: skip


class ArchiveHeader(BaseModel):
    """What labels.json says; `axes` are the names in array order, "" where not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    axes: tuple[str, ...] = ()
    dtype: Literal["uint8"] = "uint8"
    order: Literal["C"] = "C"
    chunk_shape: tuple[Annotated[int, Field(ge=1)], ...]
    generation: Annotated[int, Field(ge=0)] = 0


def write_archive(
    path: Path, snapshot: LabelSnapshot, *, generation: int = 0, axes: tuple[str, ...] = ()
) -> None:
    """Replace `path` by the labels of `snapshot`, all or nothing; raises `CannotWrite`."""
    with replacing(path) as temporary:
        _write(temporary, snapshot, generation, axes)


def archive_bytes(snapshot: LabelSnapshot) -> bytes:
    """Return the labels of `snapshot` as `write_archive` writes them."""
    file = io.BytesIO()
    _write(file, snapshot, 0, ())
    return file.getvalue()


def _write(
    target: Path | io.BytesIO, snapshot: LabelSnapshot, generation: int, axes: tuple[str, ...]
) -> None:
    header = ArchiveHeader(
        shape=snapshot.shape,
        axes=axes,
        chunk_shape=CHUNK_SHAPES[len(snapshot.shape)],
        generation=generation,
    )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        _add(archive, _ABOUT, header.model_dump_json(indent=1).encode())
        for key, chunk in sorted(snapshot.chunks.items()):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(chunk), allow_pickle=False)
            _add(archive, "_".join(map(str, key)) + ".npy", member.getvalue())


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a member that bears no date, so that the same labels give the same bytes."""
    member = zipfile.ZipInfo(name)
    member.external_attr = 0o600 << 16
    archive.writestr(member, data, zipfile.ZIP_DEFLATED, compresslevel=1)


def read_archive(path: Path, shape: tuple[int, ...]) -> tuple[LabelStore, int]:
    """Return the labels and the generation of a base file.

    Raises
    ------
    UnreadableFile
        When it is damaged or from a newer version.
    LabelsMismatch
        When it belongs to a source of another shape.
    """
    return _read(path, path, shape)


def read_archive_header(path: Path) -> ArchiveHeader:
    """Return what labels.json of a base file says; raises `UnreadableFile`."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _about(path, archive)
    except _DAMAGED as error:
        raise _damaged(path) from error


def read_archive_bytes(data: bytes, path: Path, shape: tuple[int, ...]) -> LabelSnapshot:
    """Return labels that `archive_bytes` made; raises as `read_archive`, naming `path`."""
    return _read(io.BytesIO(data), path, shape)[0].snapshot()


def _read(file: Path | io.BytesIO, path: Path, shape: tuple[int, ...]) -> tuple[LabelStore, int]:
    try:
        with zipfile.ZipFile(file) as archive:
            header = _about(path, archive)
            check_shape(path, header.shape, shape)
            store = LabelStore(shape)
            for name in archive.namelist():
                if name.endswith(".npy"):
                    _read_chunk(archive, name, header, store)
    except _DAMAGED as error:
        raise _damaged(path) from error
    return store, header.generation


def _damaged(path: Path) -> UnreadableFile:
    return UnreadableFile(
        f"{path} is damaged", "restore it from a backup, or move it away to start anew"
    )


def _about(path: Path, archive: zipfile.ZipFile) -> ArchiveHeader:
    if archive.getinfo(_ABOUT).file_size > _LONGEST_ABOUT:
        raise ValueError(f"{_ABOUT} is far too long")
    data = json.loads(archive.read(_ABOUT))
    if not isinstance(data, dict):
        raise ValueError(f"{_ABOUT} is no object")
    header = _header(path, data)
    fits = len(header.chunk_shape) == len(header.shape)
    if not fits or math.prod(header.chunk_shape) > _LARGEST_CHUNK:
        raise ValueError(f"chunks of {header.chunk_shape}")
    return header


def _header(path: Path, data: dict[str, object]) -> ArchiveHeader:
    try:
        return ArchiveHeader.model_validate(data)
    except ValidationError:
        version = data.get("version")
        if isinstance(version, int) and version > 1:
            raise UnreadableFile(f"{path} was written by a newer GeoCNN", "update it") from None
        raise


def _read_chunk(
    archive: zipfile.ZipFile, name: str, header: ArchiveHeader, store: LabelStore
) -> None:
    if _MEMBER.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no chunk")
    key = [int(number) for number in name.removesuffix(".npy").split("_")]
    if archive.getinfo(name).file_size > math.prod(header.chunk_shape) + _NPY_HEADER:
        raise ValueError(f"{name} is larger than a chunk")
    with archive.open(name) as member:
        values = np.lib.format.read_array(member, allow_pickle=False)
        member.read()  # to the end, so that the checksum is compared
    if values.dtype != np.uint8 or values.ndim != len(key):
        raise ValueError(f"{name} is {values.dtype} {values.shape}")
    offset = tuple(k * step for k, step in zip(key, header.chunk_shape, strict=True))
    store.write(Window(offset, values.shape), values)


def check_shape(path: Path, shape: tuple[int, ...], needed: tuple[int, ...]) -> None:
    """Raise `LabelsMismatch` when stored labels have another shape than their source."""
    if tuple(shape) != tuple(needed):
        ours, theirs = (" x ".join(map(str, numbers)) for numbers in (shape, needed))
        raise LabelsMismatch(
            f"The labels in {path} are {ours} cells but the source now has {theirs}",
            "open the file they were painted on, or move the labels away to start anew",
        )
