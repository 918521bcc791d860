"""Other programs that may run a network on the processor, where they are installed."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from geocnn_gui.errors import BadRequest

if TYPE_CHECKING:
    from geocnn_gui.inference.spec import PredictionSpec
    from geocnn_gui.models.base import SegmentationNet

#: Maps pictures float32 (n, bands, h, w) to logits float32 (n, outputs, h, w).
Runtime = Callable[[Tensor], Tensor]
#: What each needs to be installed, and its name for people.
_NEEDS = {"openvino": ("openvino", "onnx"), "onnxruntime": ("onnxruntime", "onnx")}
TITLES = {"pytorch": "PyTorch", "openvino": "OpenVINO", "onnxruntime": "ONNX Runtime"}
#: Share of the pixels tried that must have the class of PyTorch, and how far values may differ.
_AGREEMENT, _APART = 0.998, 1e-2


def require_runtime(spec: PredictionSpec) -> None:
    """Make sure that the engine asked for is installed; raises `BadRequest`."""
    missing = [name for name in _NEEDS.get(spec.engine, ()) if find_spec(name) is None]
    if missing:
        raise BadRequest(
            f"{TITLES[spec.engine]} is not installed",
            f"install it (pip install {' '.join(missing)}), or leave the engine at pytorch",
        )


def make_runtime(net: SegmentationNet, sample: Tensor, spec: PredictionSpec) -> Runtime | None:
    """Return what runs `net` with the engine of `spec`; None where it answers otherwise.

    `sample` float32 (1, bands, h, w) is what both are asked about, whole and in part: a network
    whose way depends on the size of the picture comes out wrong on one of them.
    """
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # on what is taken as fixed: it is tried below
        plain = net.to("cpu", torch.float32)
        half = sample.shape[-1] // 2 // net.stride * net.stride
        parts = [sample] if half < net.stride else [sample, sample[..., :half].contiguous()]
        try:
            made = _MAKE[spec.engine](_Plain(plain).eval(), parts[-1], spec)
            same = all(_agree(plain(part), made(part)) for part in parts)
        except (RuntimeError, ValueError, TypeError, NotImplementedError):
            return None
    return made if same else None


class _Plain(nn.Module):
    """The network alone: pictures in, logits out."""

    def __init__(self, net: SegmentationNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: Tensor) -> Tensor:
        return self.net(pictures)


def _agree(truth: Tensor, found: Tensor) -> bool:
    if truth.shape != found.shape or not bool(found.isfinite().all()):
        return False
    if truth.shape[1] == 1:
        return bool((truth - found).abs().max() <= _APART)
    return float((truth.argmax(1) == found.argmax(1)).float().mean()) >= _AGREEMENT


def _onnx(net: nn.Module, sample: Tensor) -> bytes:
    """Return the network as an ONNX model for any number and size of pictures."""
    file, free = io.BytesIO(), {0: "n", 2: "height", 3: "width"}
    torch.onnx.export(
        net, (sample,), cast("Any", file), input_names=["pictures"], output_names=["logits"],
        dynamic_axes={"pictures": free, "logits": free}, opset_version=17, dynamo=False,
    )  # fmt: skip
    return file.getvalue()


def _openvino(net: nn.Module, sample: Tensor, spec: PredictionSpec) -> Runtime:
    """Run with OpenVINO, which must not report home that it was used."""
    sys.modules.setdefault("openvino_telemetry", cast("Any", None))  # as if not installed
    import openvino

    model = openvino.Core().read_model(_onnx(net, sample), b"")
    options: dict[str, Any] = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(), "PERFORMANCE_HINT": "LATENCY",
    }  # fmt: skip
    precision = {"float32": "f32", "bfloat16": "bf16"}.get(spec.precision)
    if precision is not None:
        options["INFERENCE_PRECISION_HINT"] = precision
    request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()

    def run(pictures: Tensor) -> Tensor:
        found = request.infer([pictures.contiguous().numpy()], share_outputs=False)
        return torch.from_numpy(found[0])

    return run


def _onnxruntime(net: nn.Module, sample: Tensor, spec: PredictionSpec) -> Runtime:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        _onnx(net, sample), options, providers=["CPUExecutionProvider"]
    )

    def run(pictures: Tensor) -> Tensor:
        (found,) = session.run(None, {"pictures": pictures.contiguous().numpy()})
        return torch.from_numpy(found)

    return run


_MAKE: dict[str, Callable[[nn.Module, Tensor, PredictionSpec], Runtime]] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
}
