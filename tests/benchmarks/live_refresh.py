"""From a stroke to a new map of 1,000 x 1,000 cells with 2,000 labelled ones, on kept features.

The live head and a filter bank with a random forest take turns in the same process. Each time a
stroke of 100 cells is added to the labels or taken away. Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from _live import TREES, filter_bank, forest, named_by, scaled
from _rows import head, milliseconds, row

from geocnn_gui import resources
from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, open_source
from geocnn_gui.inference.device import choose_device
from geocnn_gui.labels.classes import classes_for
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.live.features import Features
from geocnn_gui.live.loop import Live
from geocnn_gui.live.map import LiveMap
from geocnn_gui.models.survey import Backbone, load_backbone, new_backbone
from geocnn_gui.models.survey_card import BackboneCard

SEGY = Path(os.environ.get("GEOCNN_DATA", Path(__file__).parents[3] / "shared/data")) / "segy"
SIDE, LABELLED, STROKE = 1000, 2000, 100
#: What of it is seen.
WHOLE = slice(0, SIDE), slice(0, SIDE)
WINDOW = slice(0, 500), slice(0, 500)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=30)
    wish = parser.parse_args()
    source, labels = section(), both_labels()
    started = time.perf_counter()
    live = Live(Features(backbone(), source, device=choose_device("cpu")))
    for at in live.features.numbers(source.first_section(), *WHOLE):
        live.features.tile(source.first_section(), *at)
    made = time.perf_counter() - started
    started = time.perf_counter()
    bank = filter_bank(scaled(source))
    filtered = time.perf_counter() - started
    times: dict[str, list[float]] = {"window": [], "whole": [], "forest": []}
    for turn in range(wish.rounds + 1):
        painted = labels[turn % 2]
        found = [refresh(live, painted, seen) for seen in (WINDOW, WHOLE)]
        started = time.perf_counter()
        named_by(forest(bank, painted, 0), bank)
        found.append(time.perf_counter() - started)
        if turn:  # the first one warms up
            for name, seconds in zip(times, found, strict=True):
                times[name].append(seconds)
    head()
    text = f"{SIDE:,} x {SIDE:,}, {LABELLED:,} labelled, {wish.rounds} strokes"
    tell(f"live head to the window in view ({text})", times["window"], 300)
    tell("live head to the whole section", times["whole"], 600)
    tell(f"filter bank, forest of {TREES} trees, to the whole section", times["forest"], None)
    row("features, computed before: backbone; filter bank", f"{made:.2f} s; {filtered:.2f} s")


def section() -> ArraySource:
    """Return 1,000 x 1,000 cells of F3, mirrored where the file ends."""
    with open_source(SEGY / "f3_inline362.sgy") as line:
        values = scaled(line)[0]
    more = [(0, max(0, SIDE - size)) for size in values.shape]
    values = np.pad(values, more, mode="symmetric")[:SIDE, :SIDE]
    axes = Axis("row", "px", 0, 1, SIDE), Axis("column", "px", 0, 1, SIDE)
    return ArraySource(
        values[None], kind="raster", axes=axes, bands=(Band("amplitude"),), domain="seismic",
        name="section",
    )  # fmt: skip


def both_labels() -> tuple[np.ndarray, np.ndarray]:
    """Return labels without and with one stroke more, uint8 (rows, columns)."""
    painted = np.zeros((SIDE, SIDE), np.uint8)
    random = np.random.default_rng(0)
    for number in range(LABELLED // STROKE):
        row_, column = random.integers(0, SIDE - STROKE, 2)
        painted[row_ : row_ + 5, column : column + STROKE // 5] = 1 + number % 4
    before = painted.copy()
    before[row_ : row_ + 5, column : column + STROKE // 5] = 0
    return before, painted


def backbone() -> Backbone:
    """Return the one that comes with the program; what it has learned changes no time."""
    path = resources.backbone("seismic")
    if path is not None:
        return load_backbone(path)
    return new_backbone(BackboneCard(domain="seismic", bands=("amplitude",)))


def refresh(live: Live, painted: np.ndarray, seen: tuple[slice, slice]) -> float:
    """Return the seconds from changed labels to classes and confidence of what is seen."""
    source = live.features.source
    first, classes = source.first_section(), classes_for([1, 2, 3, 4])
    snapshot = LabelSnapshot.from_array(painted)
    started = time.perf_counter()
    head = live.learn(snapshot, classes, near=(first, *seen))
    assert head is not None
    for _ in live.draw(head, first, *seen, LiveMap(source, first, classes)):
        pass
    return time.perf_counter() - started


def tell(what: str, seconds: list[float], limit: float | None) -> None:
    middle, late = milliseconds(seconds), milliseconds(seconds, 95)
    text = f"{middle:.0f} ms, 95 % {late:.0f} ms"
    if limit is None:
        row(what, text)
    else:
        row(what, text, f"{limit:.0f} ms", within=middle <= limit)


if __name__ == "__main__":
    main()
