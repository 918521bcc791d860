"""What a window shows of a place: only what is asked for, with what stays the same kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from geocnn_gui.errors import BadRequest
from geocnn_gui.inspection.attribution import Attribution, attribute, best_layer
from geocnn_gui.inspection.fields import (
    Field,
    effective_field,
    span_of,
    theoretical_field,
    windows,
)
from geocnn_gui.inspection.layers import Layer, Tap, as_maps, kernels_of, layers_of, run
from geocnn_gui.inspection.sliding import Slide, Step
from geocnn_gui.inspection.spec import Question
from geocnn_gui.inspection.subject import Look, Output, Subject

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.data.source import Source

#: Samples of the trace that is shown with its banded matrix.
TRACE = 16
_SLIDING = (nn.Conv1d, nn.Conv2d)


@dataclass(frozen=True, slots=True)
class Sliding:
    """A kernel of a convolution at work at a place.

    `layer` is the convolution, `kernel` which of its kernels, of `kernels`; `band` which of its
    `bands` inputs is shown. `step`: the kernel at the place, of all inputs; `bias` is added to
    its response. `box`: the rows and columns of the section under the kernel, None where the
    layer does not see the data themselves. `response` float64 (rows, columns) over the window.
    `trace`, `taps`: samples of the input around the place and the kernel's middle column.
    """

    layer: str
    kernel: int
    kernels: int
    band: int
    bands: int
    step: Step
    bias: float
    box: tuple[slice, slice] | None
    response: np.ndarray
    trace: np.ndarray
    taps: np.ndarray


@dataclass(frozen=True, slots=True)
class Seen:
    """The answer to a question: what is the same on every page, and what its page shows.

    `maps` float32 (channels, rows, columns) of the layer, `span` where they lie in the window.
    """

    question: Question
    look: Look
    layers: tuple[Layer, ...]
    layer: str
    outputs: tuple[Output, ...]
    output: int
    maps: np.ndarray | None = None
    span: tuple[tuple[float, float], ...] = ()
    kernels: np.ndarray | None = None
    kernels_of: str = ""
    attribution: Attribution | None = None
    theoretical: Field | None = None
    effective: Field | None = None
    sliding: Sliding | None = None


class Looker:
    """Answers questions about one model and one source; to be asked from one thread at a time."""

    def __init__(self, model: Path, source: Source) -> None:
        self.model, self.source = model, source
        self._subject: Subject | None = None
        self._layers: tuple[Layer, ...] = ()
        self._kept: dict[Any, Any] = {}

    def see(self, question: Question) -> Seen:
        """Answer a question.

        Raises
        ------
        ModelMismatch, NoLiveData, BadRequest
            When the model does not fit or what is asked for is not there.
        """
        if self._subject is None:
            self._subject = Subject.open(self.model, self.source)
        subject = self._subject
        look = subject.look(question.place)
        self._layers = self._layers or layers_of(subject, look)
        names = [layer.name for layer in self._layers]
        layer = question.layer if question.layer in names else names[0]
        outputs = subject.outputs(look)
        output = question.output
        if output is None or not 0 <= output < len(outputs):
            output = int(np.argmax([each.logit for each in outputs]))
        page = getattr(self, f"_see_{question.page}")
        more = page(subject, look, question, layer, output)
        return Seen(question, look, self._layers, layer, outputs, output, **more)

    def _see_maps(
        self, subject: Subject, look: Look, question: Question, layer: str, output: int
    ) -> dict[str, Any]:
        with torch.inference_mode():
            tap = run(subject, look)[1].get(layer)
            maps = as_maps(tap, tap.made, subject, look).float().numpy()
        return {"maps": maps, "span": span_of(subject, look, layer)}

    def _see_kernels(
        self, subject: Subject, look: Look, question: Question, layer: str, output: int
    ) -> dict[str, Any]:
        name = self._convolution(layer)
        with torch.inference_mode():
            return {"kernels": kernels_of(run(subject, look)[1].get(name).module),
                    "kernels_of": name}  # fmt: skip

    def _see_why(
        self, subject: Subject, look: Look, question: Question, layer: str, output: int
    ) -> dict[str, Any]:
        deep = self._keep("deep", lambda: best_layer(subject, look))
        return {"attribution": attribute(subject, look, question.method, output=output, layer=deep)}

    def _see_reach(
        self, subject: Subject, look: Look, question: Question, layer: str, output: int
    ) -> dict[str, Any]:
        of = layer if question.of_layer else ""
        phase = look.at if subject.net.stride > 1 or not subject.patches else ()
        section = question.place.section
        return {
            "theoretical": self._keep(
                ("theoretical", of, phase), lambda: theoretical_field(subject, look, of)
            ),
            "effective": self._keep(
                ("effective", of, section.axis),
                lambda: effective_field(subject, list(windows(subject, section)), of),
            ),
        }

    def _see_slide(
        self, subject: Subject, look: Look, question: Question, layer: str, output: int
    ) -> dict[str, Any]:
        if subject.net.dims == 3:
            raise BadRequest(
                "Kernels of volumes do not slide over one section", "look at its feature maps"
            )
        name = self._convolution(layer, sliding=True)
        with torch.inference_mode():
            tap = run(subject, look)[1].get(name)
            sliding = _slide(tap, subject, look, question)
        return {"sliding": sliding, "span": span_of(subject, look, name)}

    def _convolution(self, layer: str, *, sliding: bool = False) -> str:
        """Return the layer itself where it has kernels, else the last before it that has."""
        names = [each.name for each in self._layers]
        kernelled = [
            at
            for at, each in enumerate(self._layers)
            if each.kernel and not (sliding and each.kind.startswith("ConvTranspose"))
        ]
        if not kernelled:
            raise BadRequest("The network has no convolution", "choose another network")
        before = [at for at in kernelled if at <= names.index(layer)]
        return names[before[-1] if before else kernelled[0]]

    def _keep(self, key: Any, make: Any) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


def _slide(tap: Tap, subject: Subject, look: Look, question: Question) -> Sliding:
    """Lay a kernel of a convolution on its input at the place."""
    module = tap.module
    assert isinstance(module, _SLIDING)
    data = as_maps(tap, tap.given, subject, look).double().numpy()
    weights = kernels_of(module).astype(np.float64)
    number = min(max(0, question.channel), len(weights) - 1)
    inputs = weights.shape[1]  # of one group
    first = number // (len(weights) // module.groups) * inputs
    data, kernel = data[first : first + inputs], weights[number]
    band = min(max(0, question.band), inputs - 1)
    how = _manner(module, flipped=question.flipped)
    shape = how.shape(data, kernel)
    at = [min(n - 1, a * n // size) for a, n, size in zip(look.at, shape, look.size, strict=True)]
    step = how.step(data, kernel, *at)
    row = min(data.shape[1] - 1, max(0, step.top + kernel.shape[1] // 2))
    column = min(data.shape[2] - 1, max(0, step.left + kernel.shape[2] // 2))
    top = min(max(0, row - TRACE // 2), max(0, data.shape[1] - TRACE))
    bias = 0.0 if module.bias is None else float(module.bias[number])
    return Sliding(
        tap.name, number, len(weights), band, inputs, step, bias,
        _box(step, look) if data.shape[1:] == look.size else None, how.response(data, kernel),
        data[band, top : top + TRACE, column], kernel[band, :, kernel.shape[2] // 2],
    )  # fmt: skip


def _box(step: Step, look: Look) -> tuple[slice, slice]:
    rows, columns = step.kernel.shape[1:]
    top, left = look.rows.start + step.top, look.columns.start + step.left
    return slice(top, top + rows), slice(left, left + columns)


def _manner(module: nn.Conv1d | nn.Conv2d, *, flipped: bool) -> Slide:
    """Return how a convolution moves; a 1-D one down its traces."""
    padding = module.padding
    if isinstance(padding, str):
        spans = zip(module.kernel_size, module.dilation, strict=True)
        padding = tuple(d * (k - 1) // 2 if padding == "same" else 0 for k, d in spans)
    sides = [
        (v[0], 1 if at != 1 else 0) if len(v) == 1 else (v[0], v[1])
        for at, v in enumerate((module.stride, padding, module.dilation))
    ]
    return Slide(*sides, flipped=flipped)
