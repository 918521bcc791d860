"""What the benchmarks share: rows of the table, percentiles, memory, a private home."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def head() -> None:
    """Print the head of the table."""
    print("| what | measured | limit | |\n|---|---|---|---|")


def row(what: str, measured: str, limit: str = "", *, within: bool | None = None) -> None:
    """Print a row; `within` says whether the limit is kept (None: nothing to keep)."""
    verdict = {True: "within", False: "**over**", None: ""}[within]
    print(f"| {what} | {measured} | {limit} | {verdict} |", flush=True)


def milliseconds(seconds: Sequence[float], share: float = 50) -> float:
    """Return a percentile of times in milliseconds."""
    return float(np.percentile(seconds, share)) * 1000


def peak_memory() -> float:
    """Return the largest resident memory of this process so far, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def private_home() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that holds projects and settings, and needs no display."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    folder = tempfile.TemporaryDirectory(prefix="geocnn-bench-", ignore_cleanup_errors=True)
    os.environ["GEOCNN_HOME"] = folder.name
    return folder
