"""How much memory is free, how much a network takes for a tile, and when it was too much."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from geocnn_gui.errors import GeoCNNError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.inference.device import Device
    from geocnn_gui.inference.spec import PredictionSpec

#: Share of what is free that a prediction takes: the rest is for others and for the file cache.
_SHARE = {"cpu": 0.5, "cuda": 0.8}
_GROUPS = Path("/sys/fs/cgroup")
#: A group without a limit says a number near 2^63.
_NO_LIMIT = 2**60
_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")


class NotEnoughMemory(GeoCNNError):
    """A task does not fit into memory, however small its steps are made."""


def budget(device: Device, spec: PredictionSpec) -> int:
    """Return the bytes that a prediction may take, from what the user says or is free now."""
    if spec.memory:
        return spec.memory * 10**6
    free = torch.cuda.mem_get_info()[0] if device.kind == "cuda" else free_memory()
    return int(free * _SHARE[device.kind])


def free_memory() -> int:
    """Return the bytes of main memory that this process can still take without swapping."""
    return max(0, min([_free_of_machine(), *_free_of_groups()]))


def _free_of_machine() -> int:
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return _free_of_windows()
    # Nothing says what is free: half of all there is.
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


class _Status(ctypes.Structure):
    """MEMORYSTATUSEX of Windows: two 32-bit numbers, then seven of 64 bits."""

    _fields_ = [("length", ctypes.c_uint32), ("load", ctypes.c_uint32),
                *((name, ctypes.c_uint64) for name in ("total", "free", "total_page", "free_page",
                                                       "total_virtual", "free_virtual", "more"))]  # fmt: skip


def _free_of_windows() -> int:
    status = _Status(length=ctypes.sizeof(_Status))
    library = getattr(ctypes, "windll").kernel32  # noqa: B009  absent elsewhere
    library.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.free)


def _free_of_groups(root: Path = _GROUPS, me: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Return what the limits of the control groups that hold this process leave, version 1 and 2.

    The cache of files counts as used there; what of it can be dropped is free.
    """
    found = []
    for folder, limit, usage in _group_files(root, me):
        with suppress(OSError, ValueError):
            most = int((folder / limit).read_text(encoding="ascii"))
            if most < _NO_LIMIT:
                used = int((folder / usage).read_text(encoding="ascii"))
                found.append(most - used + _droppable(folder))
    return found


def _group_files(root: Path, me: Path) -> list[tuple[Path, str, str]]:
    lines: list[str] = []
    with suppress(OSError):
        lines = me.read_text(encoding="utf-8").splitlines()
    found = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        one = "memory" in controllers.split(",")
        if one or not controllers:
            top = root / "memory" if one else root
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if one else (
                "memory.max", "memory.current")  # fmt: skip
            parts = Path(path.lstrip("/"))
            # In a container the path may be that outside; its own group is then the root.
            found += [(top / part, *names) for part in (parts, *parts.parents)]
    return found


def _droppable(folder: Path) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines():
            if line.startswith(("inactive_file ", "total_inactive_file ")):
                return int(line.split()[1])
    return 0


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether `error` means that memory did not suffice."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error).lower() for w in _WORDS)


def let_go() -> None:
    """Give back what is no longer needed."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


#: Parameters of glibc's mallopt: how many blocks are mapped apart, from how much free memory on
#: a heap shrinks, how much more than needed it grows; with what they are by default.
_MAPPED, _TRIM, _MORE = -4, -1, -2
_AMPLE = 2**30
_KEEP = ((_MAPPED, 0), (_TRIM, 2**30), (_MORE, 2**26))
_DEFAULT = ((_MAPPED, 65536), (_TRIM, 2**17), (_MORE, 2**17))


@contextmanager
def kept_memory(room: int) -> Iterator[None]:
    """Let freed memory stay with this process, which takes the same again for each tile.

    The C library of Linux maps every block above 32 MB anew and clears its pages: a fifth of the
    time of a large tile. At the end it is given back. Does nothing elsewhere, and in a small
    `room` (bytes), where blocks are small too and what lies between those that are kept counts.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" and room >= _AMPLE else None
    if library is None or not hasattr(library, "gnu_get_libc_version"):
        yield
        return
    for name, value in _KEEP:
        library.mallopt(name, value)
    try:
        yield
    finally:
        for name, value in _DEFAULT:
            library.mallopt(name, value)
        library.malloc_trim(0)


def in_words(number: float) -> str:
    """Write a number of bytes: "1.2 GB", "340 MB"."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{max(1, number / 1e6):.0f} MB"
