"""Learn the two backbones that come with the program, from data that anyone may have.

    python packaging/learn_backbones.py --data FOLDER [--out FOLDER] [--steps N] [--seed N]
        [--only seismic|imagery]

FOLDER holds segy/npra_31_81.sgy, segy/penobscot_xl1155.sgy and imagery/eurosat/<class>/*.jpg; the
rest is drawn by the program. Nothing of the F3 survey or of Landsat is read, so that what the
backbones do there is about data that they have not seen. The files are written to
resources/backbones/, where a card beside each says what was measured.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from geocnn_gui.data.array import ArraySource  # noqa: E402  found in the checkout
from geocnn_gui.data.source import Axis, Band, Source, Window, open_source  # noqa: E402
from geocnn_gui.data.synthetic import open_scene_example, open_seismic_example  # noqa: E402
from geocnn_gui.events import Note, Progress, Saved  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from geocnn_gui.live.learn import Wish

STEPS = 500
#: Of the examples that are drawn. Seed 0, which the program shows, is left out.
SEEDS = (1, 2, 3)
#: EuroSAT's pictures are laid side by side in rasters of so many rows and columns of them.
MOSAIC, MOSAICS, SIDE = (10, 20), 4, 64
COLOURS = ("red", "green", "blue")

LICENCES = {
    "seismic": "CC BY-SA 4.0. Learned from NPRA Alaska 1981 line 31-81 (USGS, public domain), "
    "Penobscot 3D crossline 1155 (CC BY-SA, Nova Scotia Department of Energy / dGB Earth "
    "Sciences) and synthetic cubes of GeoCNN (MIT).",
    "imagery": "MIT. Learned from 800 pictures of EuroSAT (MIT, Helber et al. 2019; contains "
    "modified Copernicus Sentinel data) and synthetic scenes of GeoCNN (MIT).",
}


def main() -> None:
    """Learn what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "resources" / "backbones")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(LICENCES))
    wish = parser.parse_args()
    makers = {"seismic": seismic_sources, "imagery": imagery_sources}
    for domain in [wish.only] if wish.only else list(LICENCES):
        learn(domain, makers[domain], wish)


def learn(
    domain: str, sources: Callable[[Path, ExitStack], Sequence[Source]], wish: argparse.Namespace
) -> None:
    """Learn one backbone and print how far it is."""
    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.live.learn import Wish, learn_backbone

    out = wish.out / f"{domain}.safetensors"
    out.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        order: Wish = Wish(
            sources(wish.data, files), steps=wish.steps, seed=wish.seed, licence=LICENCES[domain]
        )
        for event in learn_backbone(order, out=out, device=choose_device("auto")):
            match event:
                case Progress() if event.done % 50 == 0:
                    print(f"{event.done} of {event.total}: {event.text}", flush=True)
                case Note():
                    print(event.text, flush=True)
                case Saved():
                    print(f"Saved {event.path}", flush=True)
                case _:
                    pass


def seismic_sources(data: Path, files: ExitStack) -> list[Source]:
    """Return the real lines and the drawn cubes."""
    lines = ("npra_31_81.sgy", "penobscot_xl1155.sgy")
    found: list[Source] = [files.enter_context(open_source(data / "segy" / n)) for n in lines]
    return found + [named(open_seismic_example(seed), seed) for seed in SEEDS]


def imagery_sources(data: Path, files: ExitStack) -> list[Source]:
    """Return mosaics of EuroSAT's pictures, shuffled, and drawn scenes in red, green and blue."""
    del files  # all of it is in memory
    paths = sorted((data / "imagery" / "eurosat").glob("*/*.jpg"))
    each = MOSAIC[0] * MOSAIC[1]
    if len(paths) < MOSAICS * each:
        sys.exit(f"{data} holds {len(paths)} pictures of EuroSAT, {MOSAICS * each} are wanted.")
    paths = [paths[i] for i in np.random.default_rng(0).permutation(len(paths))]
    made: list[Source] = [
        raster(mosaic(paths[i * each : (i + 1) * each]), f"EuroSAT, mosaic {i + 1}")
        for i in range(MOSAICS)
    ]
    return made + [coloured_scene(seed) for seed in SEEDS]


def mosaic(paths: Sequence[Path]) -> np.ndarray:
    """Return pictures side by side, uint8 (3, rows, columns)."""
    made = np.zeros((3, MOSAIC[0] * SIDE, MOSAIC[1] * SIDE), np.uint8)
    for number, path in enumerate(paths):
        row, column = (n * SIDE for n in divmod(number, MOSAIC[1]))
        with open_source(path) as picture:
            cells = picture.read(Window.whole(picture.shape))
        made[:, row : row + SIDE, column : column + SIDE] = cells[:3]
    return made


def coloured_scene(seed: int) -> Source:
    """Return the three colours of a drawn scene."""
    scene = open_scene_example(seed)
    names = [band.name for band in scene.bands]
    values = scene.read(Window.whole(scene.shape))
    return named(raster(values[[names.index(name) for name in COLOURS]], scene.name), seed)


def raster(values: np.ndarray, name: str) -> ArraySource:
    """Return an array (3, rows, columns) as a source."""
    axes = tuple(
        Axis(axis, "px", 0.0, 1.0, size)
        for axis, size in zip(("row", "column"), values.shape[1:], strict=True)
    )
    bands = tuple(Band(colour, "", colour) for colour in COLOURS)
    return ArraySource(values, kind="raster", axes=axes, bands=bands, domain="imagery", name=name)


def named(source: ArraySource, seed: int) -> ArraySource:
    """Return a drawn example with its seed in its name."""
    source.name = f"{source.name}, seed {seed}"
    return source


if __name__ == "__main__":
    main()
