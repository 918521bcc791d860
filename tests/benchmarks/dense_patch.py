"""Megapixels a second of a patch network at every pixel: dense, in batches of patches, one by one.

All ways name the same pixels with the same weights in float32 in one process. Where patches are
too slow to be cropped everywhere, they are cropped at pixels spread evenly over the picture and
the time is scaled up; the row says so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from _rows import head, peak_memory, row

CLASSES = 4


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=1000, help="pixels across")
    parser.add_argument("--batched", type=int, default=40_000, help="pixels cropped in batches")
    parser.add_argument("--single", type=int, default=2_000, help="pixels cropped one by one")
    wanted = parser.parse_args()
    case = Case(wanted.side)
    head()
    pixels = wanted.side**2
    start = time.perf_counter()
    dense = case.dense()
    best = pixels / (time.perf_counter() - start)
    row("dense pass, no tiles", f"{best / 1e6:.3f} Mpix/s")
    with tempfile.TemporaryDirectory(prefix="geocnn-bench-") as folder:
        start = time.perf_counter()
        found = case.program(Path(folder))
        pace = pixels / (time.perf_counter() - start)
    same = float((found == dense.argmax(0)).mean())
    row("the program, tiles into a store", f"{pace / 1e6:.3f} Mpix/s, {100 * same:.3f} % as dense")
    for name, count, batch in (
        ("unfold, batches of 512", wanted.batched, 512), ("cropped one by one", wanted.single, 1),
    ):  # fmt: skip
        case.compare(name, dense, min(count, pixels), batch, pace)
    row("peak memory of this process", f"{peak_memory():.1f} GB")


class Case:
    """A random patch network with the default spec, and a picture of noise."""

    def __init__(self, side: int) -> None:
        import torch

        from geocnn_gui.models.networks import build
        from geocnn_gui.models.spec import CnnSpec

        torch.manual_seed(0)
        self.spec = CnnSpec.model_validate({})
        self.net = build(self.spec, 1, CLASSES).eval()
        self.side = side
        values = np.random.default_rng(0).normal(size=(1, side, side)).astype(np.float32)
        self.values = np.clip(values, -5, 5)
        with torch.inference_mode():
            logits = self.net.training_logits(self._patches()[:, :9, 0].transpose(0, 1))
        with torch.no_grad():  # logits of the size that trained networks give
            self.net.head.weight *= 2 / logits.std()

    def dense(self) -> np.ndarray:
        """Return logits (classes, side, side) of one pass."""
        import torch

        with torch.inference_mode():
            return self.net(torch.from_numpy(self.values[None]))[0].numpy()

    def program(self, folder: Path) -> np.ndarray:
        """Return class numbers as both shells make them, in float32."""
        from geocnn_gui.data.array import ArraySource
        from geocnn_gui.data.source import Axis, Band, Window
        from geocnn_gui.data.statistics import BandStatistics
        from geocnn_gui.inference.device import choose_device
        from geocnn_gui.inference.predict import predict
        from geocnn_gui.inference.spec import PredictionSpec
        from geocnn_gui.inference.store import PredictionStore
        from geocnn_gui.labels.classes import LabelClass
        from geocnn_gui.models.scaling import Scaling
        from geocnn_gui.models.weights import ModelCard

        unit = BandStatistics(median=0, scale=1, low=-2, high=2, minimum=-5, maximum=5, exact=True)
        classes = tuple(
            LabelClass(id=i + 1, name=f"Class {i}", color="#808080") for i in range(CLASSES)
        )
        card = ModelCard(
            spec=self.spec, classes=classes, bands=("values",), domain="imagery",
            scaling=Scaling(mode="stored", statistics=(unit,)),
        )  # fmt: skip
        axes = tuple(Axis(name, "", 0.0, 1.0, self.side) for name in ("row", "column"))
        source = ArraySource(
            self.values[0], kind="line", axes=axes, bands=(Band("values"),), domain="imagery",
            name="noise",
        )  # fmt: skip
        store = PredictionStore.create(folder / "run", source, classes)
        spec = PredictionSpec(precision="float32")
        for _ in predict(self.net, card, source, store, device=choose_device("cpu"), spec=spec):
            pass
        return store.read_classes(Window.whole(source.shape)) - 1

    def compare(self, name: str, dense: np.ndarray, count: int, batch: int, pace: float) -> None:
        """Crop patches at `count` pixels; print how fast that is and how far from dense."""
        import torch

        patches = self._patches()
        places = np.linspace(0, self.side**2 - 1, count).astype(np.int64)
        found = np.empty((CLASSES, count), np.float32)
        start = time.perf_counter()
        with torch.inference_mode():
            for at in range(0, count, batch):
                rows, columns = np.divmod(places[at : at + batch], self.side)
                part = patches[:, rows, columns].transpose(0, 1).contiguous()
                logits = self.net.training_logits(part)[:, :, 0, 0]
                found[:, at : at + batch] = logits.T.numpy()
        took = time.perf_counter() - start
        rows, columns = np.divmod(places, self.side)
        apart = float(np.abs(found - dense[:, rows, columns]).max())
        scaled = "" if count == self.side**2 else f" (scaled up from {count:,} pixels)"
        row(
            name + scaled,
            f"{count / took / 1e6:.5f} Mpix/s, the program is {pace * took / count:.0f} times as"
            f" fast; logits differ by at most {apart:.1e} from dense",
            "1e-4", within=apart <= 1e-4,
        )  # fmt: skip

    def _patches(self):
        """Return a view of all patches (bands, rows, columns, patch, patch)."""
        import torch
        from torch.nn import functional

        before, patch = self.net.halo, self.net.patch
        pads = (before, before - 1, before, before - 1)
        padded = functional.pad(torch.from_numpy(self.values[None]), pads, mode="reflect")[0]
        return padded.unfold(1, patch, 1).unfold(2, patch, 1)


if __name__ == "__main__":
    main()
