"""From 30 strokes a class on a section of F3 to a map of another section.

Beside each other, from the same strokes: a filter bank with a random forest, the live head on
backbones, and with `--networks EPOCHS` the U-Net of `geocnn train`, begun with and without one.
A backbone is a file, by name: `--backbone "survey, 400 steps=FILE"`; `geocnn learn` makes them.
Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from _live import filter_bank, forest, live_map, mean_iou, named_by, scaled
from warm_start import SEGY, _score, strokes

from geocnn_gui import resources
from geocnn_gui.data.source import open_source


def main() -> None:
    """Print a row for each way and direction."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--backbone", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--networks", type=int, default=0, metavar="EPOCHS")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lines", nargs=2, default=("61", "211"), metavar=("FROM", "TO"))
    wish = parser.parse_args()
    files: dict[str, Path | None] = {"untrained": None}
    if (bundled := resources.backbone("seismic")) is not None:
        files["bundled"] = bundled
    for given in wish.backbone:
        name, _, path = given.rpartition("=")
        files[name] = Path(path)
    print(f"| from strokes on {wish.lines[0]} | mean IoU on {wish.lines[1]}, each seed | mean "
          f"| unlabelled rest of {wish.lines[0]} |\n|---|---|---|---|")  # fmt: skip
    lines = [Line(number) for number in wish.lines]
    row("filter bank, forest of 100", [by_forest(*lines, seed) for seed in range(wish.seeds)])
    for name, file in files.items():
        found = [by_head(*lines, seed, file) for seed in range(wish.seeds)]
        row(f"live head, backbone {name}", found)
    if wish.networks:
        for name, file in files.items():
            begin = "fresh weights" if file is None else f"backbone {name}"
            found = [by_network(*lines, seed, file, wish.networks) for seed in range(wish.seeds)]
            row(f"U-Net trained {wish.networks} epochs, begun from {begin}", found)


class Line:
    """A labelled section: its source, its true classes (rows, columns), its filter bank."""

    def __init__(self, number: str) -> None:
        self.path = SEGY / f"f3_crossline{number}_amplitude.sgy"
        self.labels = SEGY / f"f3_crossline{number}_labels.sgy"
        self.source = open_source(self.path)
        with open_source(self.labels) as labels:
            rows, columns = labels.picture_shape(labels.first_section())
            picture = labels.read_picture(labels.first_section(), slice(0, rows), slice(0, columns))
        self.truth = picture.values[0].astype(np.uint8)
        self.bank: np.ndarray | None = None

    def filtered(self) -> np.ndarray:
        if self.bank is None:
            self.bank = filter_bank(scaled(self.source))
        return self.bank


Pair = tuple[float, float]


def by_forest(line: Line, other: Line, seed: int) -> Pair:
    labels = strokes(line.truth, seed)
    trees = forest(line.filtered(), labels, seed)
    return scores(line, other, labels, [named_by(trees, each.filtered()) for each in (line, other)])


def by_head(line: Line, other: Line, seed: int, file: Path | None) -> Pair:
    labels = strokes(line.truth, seed)
    maps = [live_map(line.source, labels, each.source, file) for each in (line, other)]
    return scores(line, other, labels, maps)


def scores(line: Line, other: Line, labels: np.ndarray, maps: list[np.ndarray]) -> Pair:
    """Return the mean IoU on the other line, and where this one is not labelled."""
    return mean_iou(maps[1], other.truth), mean_iou(
        np.where(labels > 0, 0, maps[0]), np.where(labels > 0, 0, line.truth)
    )


def by_network(line: Line, other: Line, seed: int, file: Path | None, epochs: int) -> Pair:
    """Train with defaults on all strokes: nothing is held out."""
    wish = argparse.Namespace(train=(line.path,), test=(other.path, other.labels), more=())
    begin = () if file is None else (f"training.start={file}",)
    begin = (*begin, f"training.epochs={epochs}")
    with tempfile.TemporaryDirectory(prefix="geocnn-bench-") as name:
        painted = Path(name) / "strokes.npy"
        np.save(painted, strokes(line.truth, seed).T)  # (trace, sample)
        score = _score(Path(name), wish, painted, f"training.seed={seed}", *begin)
    return score, float("nan")


def row(name: str, found: list[Pair]) -> None:
    each = " ".join(f"{score:.3f}" for score, _ in found)
    means = np.mean(found, axis=0)
    rest = "" if np.isnan(means[1]) else f"{means[1]:.3f}"
    print(f"| {name} | {each} | {means[0]:.3f} | {rest} |", flush=True)


if __name__ == "__main__":
    main()
