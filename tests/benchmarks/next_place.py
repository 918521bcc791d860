"""Does it help to label where the program says? F3 61 is labelled, 211 is scored.

A simulated user makes 10 strokes at random places of section 61, then 20 more one by one: in the
first of the places named next, or at random places again. Strokes are 40 px long and 5 wide, in a
random direction, of the class that the truth has at the place, and clipped to it. The figure is
the mean IoU of the live head on section 211, which nobody has labelled.

Measured with six seeds: 0.510 / 0.546 after 20 / 30 strokes in the places named, 0.501 / 0.531 at
random: too little to tell from chance, and the ranking was chosen among twelve on these very data.
Ranking by the head's doubt alone lay 0.07 / 0.10 below random, which is why doubt counts little.

    python tests/benchmarks/next_place.py BACKBONE [--seeds 3]

BACKBONE is a file that `geocnn learn` has made of section 61.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from _rows import head, row

from geocnn_gui.data.source import Section, open_source
from geocnn_gui.inference.device import choose_device
from geocnn_gui.labels.classes import classes_for
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.live.features import Features
from geocnn_gui.live.loop import Live, named
from geocnn_gui.live.next import Ground, next_places
from geocnn_gui.models.survey import load_backbone

if TYPE_CHECKING:
    from collections.abc import Generator

_DATA = Path(os.environ.get("GEOCNN_DATA", Path(__file__).resolve().parents[3] / "shared/data"))
_FIRST, _MORE, _LENGTH, _WIDTH = 10, 20, 40, 5
_HERE = Section()


def _opened(line: int, what: str):
    return open_source(_DATA / "segy" / f"f3_crossline{line}_{what}.sgy")


def _truth(line: int) -> np.ndarray:
    with _opened(line, "labels") as source:
        height, width = source.picture_shape(_HERE)
        picture = source.read_picture(_HERE, slice(0, height), slice(0, width))
    return picture.values[0].astype(np.uint8)


def _stroke(truth: np.ndarray, row: int, column: int, angle: float) -> np.ndarray:
    rows, columns = np.indices(truth.shape)
    down, across = np.sin(angle), np.cos(angle)
    along = (rows - row) * down + (columns - column) * across
    aside = (columns - column) * down - (rows - row) * across
    inside = (abs(along) <= _LENGTH / 2) & (abs(aside) <= _WIDTH / 2)
    return inside & (truth == truth[row, column])


def _result(task: Generator):
    while True:
        try:
            next(task)
        except StopIteration as end:
            return end.value


class _User:
    """Labels a section, stroke by stroke."""

    def __init__(self, features: Features, truth: np.ndarray, seed: int) -> None:
        self.truth, self.random = truth, np.random.default_rng(seed)
        self.labels = np.zeros_like(truth)
        self.live = Live(features)
        self.classes = classes_for([i for i in np.unique(truth).tolist() if i])
        height, width = truth.shape
        self.near = _HERE, slice(0, height), slice(0, width)

    def at_random(self) -> tuple[int, int]:
        places = np.argwhere(self.truth)
        row, column = places[self.random.integers(len(places))]
        return int(row), int(column)

    def where_named(self) -> tuple[int, int]:
        live, snapshot = self.live, self.snapshot
        head = live.learn(snapshot, self.classes, near=self.near)
        if head is None or live.cells is None:
            return self.at_random()
        ground = Ground(live.features, snapshot, head, live.cells, self.classes, _HERE)
        place = _result(next_places(ground))[0]
        row, column = ((part.start + part.stop) // 2 for part in (place.rows, place.columns))
        return row, column

    @property
    def snapshot(self) -> LabelSnapshot:
        return LabelSnapshot.from_array(self.labels.T)

    def label(self, place: tuple[int, int]) -> None:
        mask = _stroke(self.truth, *place, self.random.uniform(0, np.pi))
        self.labels[mask] = self.truth[place]

    def score(self, features: Features, truth: np.ndarray) -> float:
        head = self.live.learn(self.snapshot, self.classes, near=self.near)
        if head is None:
            return 0.0
        height, width = truth.shape
        tiles = [features.tile(_HERE, *n)
                 for n in features.numbers(_HERE, slice(0, height), slice(0, width))]  # fmt: skip
        head = head.with_shares(_joined(tiles))
        said = np.zeros_like(truth)
        for tile in tiles:
            said[tile.rows, tile.columns] = named(head, tile)[0]
        return _mean_iou(said, truth)


def _joined(tiles):
    import torch

    return torch.cat([tile.sample for tile in tiles])


def _mean_iou(said: np.ndarray, truth: np.ndarray) -> float:
    found = []
    for one in np.unique(truth[truth > 0]):
        ours, theirs = (said == one) & (truth > 0), truth == one
        found.append((ours & theirs).sum() / (ours | theirs).sum())
    return float(np.mean(found))


def _figures(scores) -> str:
    figures = " / ".join(f"{score:.3f}" for score in scores)
    return f"mean IoU {figures} after 10 / 20 / 30 strokes"


def main() -> None:
    """Print a row for each seed, way and count of strokes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backbone", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    wish = parser.parse_args()
    device, backbone = choose_device(), load_backbone(wish.backbone)
    features = {n: Features(backbone, _opened(n, "amplitude"), device=device) for n in (61, 211)}
    truths = {n: _truth(n) for n in (61, 211)}
    head()
    every = {way: [] for way in ("named", "random")}
    for seed in range(wish.seeds):
        for way in every:
            user = _User(features[61], truths[61], seed)
            scores = []
            for count in range(1, _FIRST + _MORE + 1):
                named_next = way == "named" and count > _FIRST
                user.label(user.where_named() if named_next else user.at_random())
                if count in (_FIRST, 20, _FIRST + _MORE):
                    scores.append(user.score(features[211], truths[211]))
            every[way].append(scores)
            row(f"{way}, seed {seed}", _figures(scores))
    for way, rows in every.items():
        row(f"{way}, mean", _figures(np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
