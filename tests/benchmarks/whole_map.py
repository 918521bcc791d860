"""Megapixels a second of a whole map, beside the bare forward pass and other programs' ways.

All ways classify the same pixels with the same network in one process, in turns. MONAI and ONNX
Runtime are measured where they are installed (`pip install monai onnxruntime onnx`).
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _rows import head, peak_memory, row

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import nn

CORE, CLASSES = 512, 4
Way = "Callable[[], np.ndarray]"


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=4096, help="pixels across")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--peers", action="store_true", help="MONAI and ONNX Runtime as well")
    wanted = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="geocnn-bench-") as folder:
        case = Case(Path(folder), wanted.side)
        ways: dict[str, Callable[[], np.ndarray]] = {
            "the program, `workflow.predict` into a store": case.program,
            f"bare forward pass, {case.fast}, tiles of 512, no halo": case.bare,
        }
        if wanted.peers:
            ways |= case.peers()
        best: dict[str, float] = {}
        maps: dict[str, np.ndarray] = {}
        for _ in range(wanted.turns):
            for name, way in ways.items():
                start = time.perf_counter()
                maps[name] = way()
                best[name] = min(best.get(name, np.inf), time.perf_counter() - start)
        case.report(best, maps)


class Case:
    """A random network, a file of smooth noise, and the ways to classify it."""

    def __init__(self, folder: Path, side: int) -> None:
        from geocnn_gui.data.source import open_source
        from geocnn_gui.inference.device import choose_device, probe_fast_cpu
        from geocnn_gui.models.weights import load_model

        self.folder, self.side = folder, side
        _write_data(folder / "map.npy", side)
        self.source = open_source(folder / "map.npy")
        self.model = folder / "model.safetensors"
        _write_model(self.model, self.source)
        self.net, self.card = load_model(self.model)
        self.device = probe_fast_cpu(self.net, (1, 1, CORE, CORE), device=choose_device("cpu"))
        self.fast = "bf16" if self.device.bf16 else "float32"
        self.values = self._scaled()
        self._run = 0

    def _scaled(self) -> np.ndarray:
        from geocnn_gui.data.source import Section
        from geocnn_gui.models.scaling import scale_picture

        picture = self.source.read_picture(Section(), slice(0, self.side), slice(0, self.side))
        return scale_picture(picture, self.card.scaling.for_source(self.source))

    def program(self) -> np.ndarray:
        """Predict as both shells do."""
        from geocnn_gui import workflow
        from geocnn_gui.data.source import Window
        from geocnn_gui.inference.store import PredictionStore

        self._run += 1
        folder = self.folder / f"prediction{self._run}"
        for _ in workflow.predict(self.model, self.source, folder=folder, device="cpu"):
            pass
        store = PredictionStore.open(folder)
        return store.read_classes(Window.whole(self.source.shape)) - 1

    def bare(self) -> np.ndarray:
        """Run nothing but the network over tiles that lie in memory, in the same precision."""
        import torch

        self.device.place(self.net)
        out = np.zeros((self.side, self.side), np.uint8)
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=self.device.bf16),
        ):
            for rows, columns in _squares(self.side):
                tile = torch.from_numpy(self.values[None, :, rows, columns].copy())
                tile = tile.to(memory_format=self.device.memory_format)
                out[rows, columns] = self.net(tile)[0, 0].float().numpy() > 0
        return out

    def whole(self) -> np.ndarray:
        """Return what one float32 pass over the whole map says."""
        import torch

        with torch.inference_mode():
            logits = self.net.float()(torch.from_numpy(self.values[None]))
        return _argmax(logits)

    def peers(self) -> dict[str, Callable[[], np.ndarray]]:
        """Return the ways of other programs that are installed."""
        found: dict[str, Callable[[], np.ndarray]] = {}
        try:
            from monai.inferers.utils import sliding_window_inference
        except ImportError:
            print("MONAI is not installed")
        else:
            found["MONAI sliding window 256, overlap 0.25, same precision"] = lambda: self._monai(
                sliding_window_inference
            )
        try:
            import onnxruntime
        except ImportError:
            print("ONNX Runtime is not installed")
        else:
            session = self._onnx(onnxruntime)
            found["ONNX Runtime float32, tiles of 512, overlap 15 %"] = lambda: self._slide(session)
        return found

    def _monai(self, sliding: Any) -> np.ndarray:
        import torch

        self.device.place(self.net)
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=self.device.bf16),
        ):
            logits = sliding(torch.from_numpy(self.values[None]), 256, 4, self.net, 0.25)
        return _argmax(logits)

    def _onnx(self, runtime: Any) -> Any:
        import torch

        path = self.folder / "net.onnx"
        torch.onnx.export(
            self.net.float(), (torch.rand(1, 1, CORE, CORE),), path, input_names=["input"],
            output_names=["logits"], opset_version=17, dynamo=False,
        )  # fmt: skip
        return runtime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def _slide(self, session: Any) -> np.ndarray:
        """Keep the cores of overlapping tiles, each padded where the map ends."""
        step = round(CORE * 0.85)
        edge = (CORE - step) // 2
        padded = np.pad(self.values, ((0, 0), (edge, CORE), (edge, CORE)))
        out = np.zeros((self.side, self.side), np.uint8)
        for row_ in range(0, self.side, step):
            for column in range(0, self.side, step):
                tile = padded[None, :, row_ : row_ + CORE, column : column + CORE]
                (logits,) = session.run(None, {"input": np.ascontiguousarray(tile)})
                core = logits[0].argmax(0)[edge : edge + step, edge : edge + step]
                part = out[row_ : row_ + step, column : column + step]
                part[:] = core[: part.shape[0], : part.shape[1]]
        return out

    def report(self, best: dict[str, float], maps: dict[str, np.ndarray]) -> None:
        """Print the table; pixels that differ are counted against the program's own map."""
        pixels = self.side**2
        names = list(best)
        bare = best[names[1]]
        head()
        for name in names:
            pace = pixels / best[name] / 1e6
            limit = "0.8 of the bare pass" if name == names[0] else ""
            share = bare / best[name]
            differ = "" if name == names[1] else self._differ(maps[name])
            row(name, f"{pace:.2f} Mpix/s, {share:.2f} of the bare pass{differ}", limit,
                within=share >= 0.8 if limit else None)  # fmt: skip
        row("peak memory of this process", f"{peak_memory():.1f} GB")

    def _differ(self, found: np.ndarray) -> str:
        if self.side > 2048:
            return ""
        if not hasattr(self, "_truth"):
            self._truth = self.whole()
        return f", {int((found != self._truth).sum()):,} pixels differ from one float32 pass"


def _argmax(logits: torch.Tensor) -> np.ndarray:
    return logits[0].float().permute(1, 2, 0).contiguous().argmax(-1).numpy().astype(np.uint8)


def _squares(side: int) -> list[tuple[slice, slice]]:
    cuts = [slice(at, min(at + CORE, side)) for at in range(0, side, CORE)]
    return [(rows, columns) for rows in cuts for columns in cuts]


def _write_data(path: Path, side: int) -> None:
    random = np.random.default_rng(0)
    coarse = random.normal(size=(side // 8 + 1, side // 8 + 1)).astype(np.float32)
    smooth = np.kron(coarse, np.ones((8, 8), np.float32))[:side, :side]
    np.save(path, smooth + 0.3 * random.normal(size=(side, side)).astype(np.float32))


def _write_model(path: Path, source: Any) -> nn.Module:
    import torch

    from geocnn_gui.data.statistics import estimate_statistics
    from geocnn_gui.labels.classes import LabelClass
    from geocnn_gui.models.networks import build
    from geocnn_gui.models.scaling import Scaling
    from geocnn_gui.models.spec import UNetSpec
    from geocnn_gui.models.weights import ModelCard, save_model

    torch.manual_seed(0)
    spec = UNetSpec.model_validate({})
    net = build(spec, 1, CLASSES).train()
    with torch.no_grad():  # give batch norm something else than zeros and ones
        for _ in range(3):
            net(torch.randn(4, 1, 128, 128))
    classes = tuple(
        LabelClass(id=i, name=f"Class {i}", color=f"#{40 * i:02x}8090")
        for i in range(1, CLASSES + 1)
    )
    card = ModelCard(
        spec=spec, classes=classes, bands=tuple(b.name for b in source.bands),
        domain=source.domain,
        scaling=Scaling(mode="survey", statistics=estimate_statistics(source)),
    )  # fmt: skip
    save_model(path, net.eval(), card)
    return net


if __name__ == "__main__":
    main()
