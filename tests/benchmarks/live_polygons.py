"""From half the training polygons of a Landsat scene to the other half, split by polygon.

The cells of the polygons that are held out are scored, and nothing else: mean IoU and mean
accuracy over the classes. Beside each other: a random forest on the bands, one on a filter bank,
and the live head on backbones (`--backbone NAME=FILE`). Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from _live import filter_bank, forest, live_map, mean_iou, named_by, scaled

from geocnn_gui import resources
from geocnn_gui.data.source import open_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.data.source import Source

DATA = Path(os.environ.get("GEOCNN_DATA", Path(__file__).parents[3] / "shared/data"))
LANDSAT = DATA / "imagery" / "landsat"


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--backbone", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--seeds", type=int, default=3)
    wish = parser.parse_args()
    source = open_source(LANDSAT / "LE70220491999322EDC01_stack.gtif")
    number, kind = polygons(source)
    bands = scaled(source)
    bank, plain = filter_bank(bands), np.moveaxis(bands, 0, -1)
    ways: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
        "bands, forest of 100": lambda t, seed: named_by(forest(plain, t, seed), plain),
        "filter bank, forest of 100": lambda t, seed: named_by(forest(bank, t, seed), bank),
    }
    files: dict[str, Path | None] = {"untrained": None}
    if (bundled := resources.backbone("imagery")) is not None:
        files["bundled"] = bundled
    for given in wish.backbone:
        name, _, path = given.rpartition("=")
        files[name] = Path(path)
    for name, file in files.items():
        ways[f"live head, backbone {name}"] = lambda labels, seed, file=file: live_map(
            source, labels, source, file
        )
    print("| polygons, split in halves | mean IoU, each seed | mean | class accuracy |\n"
          "|---|---|---|---|")  # fmt: skip
    for name, way in ways.items():
        row(name, [scores(way, number, kind, seed) for seed in range(wish.seeds)])


def polygons(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Return the polygon that each cell lies in, from 1, 0 in none, and the class of each."""
    import pyogrio
    import shapely
    from rasterio.features import rasterize
    from rasterio.transform import Affine

    _, _, shapes, fields = pyogrio.raw.read(LANDSAT / "training_data.shp")
    pairs = [(shape, n) for n, shape in enumerate(shapely.from_wkb(shapes), 1)]
    assert source.transform is not None
    number = rasterize(pairs, source.shape, transform=Affine(*source.transform), dtype="uint8")
    return number, np.concatenate([[0], fields[0]]).astype(np.uint8)


def halves(kind: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each polygon whether it is trained on, and whether it is held out.

    Half of each class are trained on, the larger half where they are odd.
    """
    random = np.random.default_rng(seed)
    trained = np.zeros(len(kind), bool)
    for each in np.unique(kind[kind > 0]):
        places = random.permutation(np.flatnonzero(kind == each))
        trained[places[: -(-len(places) // 2)]] = True
    return trained, ~trained & (kind > 0)


def scores(
    way: Callable[[np.ndarray, int], np.ndarray], number: np.ndarray, kind: np.ndarray, seed: int
) -> tuple[float, float]:
    """Return mean IoU and mean accuracy of the classes on the polygons held out."""
    trained, held = (kind[number] * each[number] for each in halves(kind, seed))
    said = np.where(held > 0, way(trained, seed), 0)
    right = [(said == k)[held == k].mean() for k in np.unique(held[held > 0])]
    return mean_iou(said, held), float(np.mean(right))


def row(name: str, found: list[tuple[float, float]]) -> None:
    each = " ".join(f"{score:.3f}" for score, _ in found)
    means = np.mean(found, axis=0)
    print(f"| {name} | {each} | {means[0]:.3f} | {means[1]:.3f} |", flush=True)


if __name__ == "__main__":
    main()
