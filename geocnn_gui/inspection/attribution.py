"""Which cells of the data speak for a class at a place: Grad-CAM, integrated gradients, occlusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from geocnn_gui.errors import BadRequest
from geocnn_gui.inspection.fields import span_of
from geocnn_gui.inspection.layers import as_maps, kernels_of, run
from geocnn_gui.inspection.spec import Method

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.inspection.layers import Tap
    from geocnn_gui.inspection.subject import Look, Subject

#: Steps along the way from no data to the data (fewer for volumes), and how many go through the network together.
STEPS, VOLUME_STEPS = 32, 8
_TOGETHER = 4
#: Squares across the window that occlusion covers one after another.
_SQUARES = 12


@dataclass(frozen=True, slots=True)
class Attribution:
    """What speaks for (above 0) and against an output at a place, float32 (rows, columns).

    `gap`: of integrated gradients, by how much the sum of all values misses the difference
    between the logit for the data and for no data, as a share of it; None of the others.
    """

    method: Method
    values: np.ndarray
    gap: float | None = None


def attribute(
    subject: Subject, look: Look, method: Method, *, output: int, layer: str = ""
) -> Attribution:
    """Attribute the logit of output number `output` at the place to the cells of the window.

    Raises
    ------
    BadRequest
        When Grad-CAM is asked of a layer that is not there or has no maps.
    """
    if method == "grad-cam":
        return Attribution(method, grad_cam(subject, look, layer, output=output))
    if method == "integrated":
        return integrated_gradients(subject, look, output=output)
    return Attribution(method, occlusion(subject, look, output=output))


def grad_cam(subject: Subject, look: Look, layer: str = "", *, output: int) -> np.ndarray:
    """Return Grad-CAM of a layer over the window, float32 (rows, columns), not below 0.

    ReLU of the sum of the layer's maps, each weighted by the mean of the logit's gradient over
    it (Selvaraju and others 2017), enlarged to the window. Without a name: the last convolution
    of the coarsest maps with more than one cell.
    """
    with torch.enable_grad():
        batch = subject.batch(look).requires_grad_(True)
        logits, taps = run(subject, look, batch)
        tap = taps.get(layer or _deepest_convolution(taps.found, subject, look))
        if not tap.made.requires_grad:
            raise BadRequest(f"{tap.name} does not lead to the answer", "choose another layer")
        (slopes,) = torch.autograd.grad(logits[0, output], tap.made, allow_unused=True)
    if slopes is None:
        raise BadRequest(f"{tap.name} does not lead to the answer", "choose another layer")
    dims = tuple(range(1, 3))
    maps, slopes = (as_maps(tap, t.detach(), subject, look) for t in (tap.made, slopes))
    if subject.net.dims == 1:  # other traces have no part in the answer
        at = look.at[1] * maps.shape[2] // look.size[1]
        maps, slopes = maps[..., at : at + 1], slopes[..., at : at + 1]
    cam = (maps * slopes.mean(dims, keepdim=True)).sum(0).relu()
    return _enlarged(cam.float().numpy(), subject, look, tap.name)


def integrated_gradients(subject: Subject, look: Look, *, output: int) -> Attribution:
    """Return integrated gradients (Sundararajan and others 2017) from no data (0) to the data.

    Bands are added up. The rule along the way is captum's Gauss-Legendre with `STEPS` steps.
    """
    from captum.attr import IntegratedGradients

    batch = subject.batch(look)
    ask = _asking(subject, look, batch, output)
    with torch.enable_grad():
        values, missed = IntegratedGradients(ask, multiply_by_inputs=True).attribute(
            _own(subject, look, batch), n_steps=VOLUME_STEPS if subject.net.dims == 3 else STEPS, internal_batch_size=_TOGETHER,
            return_convergence_delta=True,
        )  # fmt: skip
    with torch.inference_mode():
        own = _own(subject, look, batch)
        whole = float(ask(own)[0] - ask(torch.zeros_like(own))[0])
    gap = abs(float(missed.sum())) / abs(whole) if whole else 0.0
    return Attribution("integrated", _on_window(values, subject, look), gap)


def occlusion(subject: Subject, look: Look, *, output: int) -> np.ndarray:
    """Return how much the logit falls where a square of the window is covered by no data (0)."""
    from captum.attr import Occlusion

    batch = subject.batch(look)
    own = _own(subject, look, batch)
    spatial = own.shape[2:]
    square = [max(1, -(-n // _SQUARES)) for n in spatial]
    with torch.inference_mode():
        values = Occlusion(_asking(subject, look, batch, output)).attribute(
            own, sliding_window_shapes=(own.shape[1], *square),
            strides=(own.shape[1], *square), perturbations_per_eval=_TOGETHER,
        )  # fmt: skip
    return _on_window(values / own.shape[1], subject, look)


def best_layer(subject: Subject, look: Look) -> str:
    """Return the layer whose maps say most of the whole: the deepest convolution with a map."""
    with torch.inference_mode():
        return _deepest_convolution(run(subject, look)[1].found, subject, look)


def _deepest_convolution(found: dict[str, Tap], subject: Subject, look: Look) -> str:
    """Return the last convolution of the coarsest maps with more than one cell, else any layer."""
    cells = {
        name: as_maps(tap, tap.made, subject, look)[0].numel()
        for name, tap in found.items()
        if isinstance(tap.module, (nn.Conv1d, nn.Conv2d, nn.Conv3d))
    }
    wide = [name for name, number in cells.items() if number > 1]
    spread = [name for name in wide if max(kernels_of(found[name].module).shape[2:]) > 1]
    among = spread or wide or list(found)
    least = min(cells.get(name, 0) for name in among)
    return [name for name in among if cells.get(name, 0) == least][-1]


def _own(subject: Subject, look: Look, batch: Tensor) -> Tensor:
    """Return the one sample of a batch that the answer at the place comes from."""
    return batch[look.at[1]][None] if subject.in_traces else batch


def _asking(subject: Subject, look: Look, batch: Tensor, output: int) -> Callable[[Tensor], Tensor]:
    """Return what maps samples (n, bands, ...) to the logits (n,) of one output at the place."""

    def ask(samples: Tensor) -> Tensor:
        if subject.in_traces:
            return subject.net.training_logits(samples).flatten(1)[:, output]
        return subject.answers(samples, look)[:, output]

    return ask


def _on_window(values: Tensor, subject: Subject, look: Look) -> np.ndarray:
    """Add up the bands of an attribution (1, bands, ...) and lay it over the window."""
    flat = values.detach()[0].sum(0).float()
    if subject.in_traces:
        laid = torch.zeros(look.size)
        laid[:, look.at[1]] = flat[:, 0]
        return laid.numpy()
    return (flat[look.depth] if subject.net.dims == 3 else flat).numpy()


def _enlarged(cam: np.ndarray, subject: Subject, look: Look, layer: str) -> np.ndarray:
    """Return (rows, columns) of a layer as large as the window, bilinear, where its cells belong."""
    spans = span_of(subject, look, layer)
    for axis, (start, stop) in enumerate(spans):
        size, cells = look.size[axis], cam.shape[axis]
        if subject.net.dims == 1 and axis == 1:
            continue
        at = (np.arange(size) + 0.5 - start) / (stop - start) * cells - 0.5
        at = np.clip(at, 0, cells - 1)
        low = np.minimum(at.astype(int), max(0, cells - 2))
        share = np.expand_dims((at - low).astype(np.float32), 1 - axis)
        high = np.minimum(low + 1, cells - 1)
        cam = cam.take(low, axis) * (1 - share) + cam.take(high, axis) * share
    if subject.net.dims != 1:
        return cam
    laid = np.zeros(look.size, np.float32)
    laid[:, look.at[1]] = cam[:, 0]
    return laid
