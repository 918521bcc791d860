"""What networks on encoders that others have trained have in common, and how weights get in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from geocnn_gui.errors import ModelMismatch
from geocnn_gui.models.base import SegmentationNet, Stage
from geocnn_gui.models.pretrained import read_weights, weights_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from geocnn_gui.models.spec import PretrainedSpec

_COUNTER = "num_batches_tracked"
#: What others put before the names of an encoder, and how they call what comes after it.
_WRAPPED = re.compile(r"^(module\.|model\.|backbone\.)+")
_HEADS = ("head.", "segmentation_head.", "ground.")


class PretrainedNet(SegmentationNet):
    """A network with an `encoder` that may have been trained elsewhere.

    What the spec freezes gets no gradient and stays in eval mode, the statistics of its batch
    norms too. What is learned further has a lower rate than what is fresh.
    """

    encoder: nn.Module
    #: Beginnings of names in weights files that the encoder leaves out.
    unused: tuple[str, ...] = ()

    def __init__(self, spec: PretrainedSpec) -> None:
        super().__init__()
        self._spec = spec

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages of the encoder, from the data upwards, then what comes after it."""
        after = [part for part in ("decoder", "head") if hasattr(self, part)]
        return (
            *self.encoder_stages(),
            *(Stage(name, name.capitalize(), (getattr(self, name),)) for name in after),
        )

    def encoder_stages(self) -> tuple[Stage, ...]:
        """Return the stages of the encoder; what is frozen is the first so many of them."""
        known = dict(self.encoder.named_modules())
        stages = [
            Stage(part.name, part.title, tuple(known[p] for p in part.paths if p in known))
            for part in self._spec.backbone.parts
        ]
        return tuple(stage for stage in stages if stage.modules)

    def parameter_groups(self, rate: float) -> list[dict[str, Any]]:
        """Return the pretrained parameters that learn, at the lower rate, and the fresh ones."""
        factor = self._spec.encoder_rate if self._spec.pretrained else 1.0
        known = [p for p in self.encoder.parameters() if p.requires_grad]
        inside = {id(p) for p in self.encoder.parameters()}
        fresh = [p for p in self.parameters() if id(p) not in inside]
        groups = [{"params": known, "lr": rate * factor}, {"params": fresh, "lr": rate}]
        return [group for group in groups if group["params"]]

    def train(self, mode: bool = True) -> PretrainedNet:
        """Set the mode of all that is not frozen; frozen parts stay in eval mode."""
        super().train(mode)
        for part in self._frozen():
            part.eval()
        return self

    def _freeze(self) -> None:
        for part in self._frozen():
            part.requires_grad_(False)

    def _frozen(self) -> Iterator[nn.Module]:
        for stage in self.encoder_stages()[: self._spec.frozen_stages]:
            yield from stage.modules


def first_layer(layer: nn.Conv2d, bands: int) -> nn.Conv2d:
    """Return a fresh first layer like `layer` for `bands`."""
    if bands == layer.in_channels:
        return layer
    assert isinstance(layer.padding, tuple)
    made = nn.Conv2d(
        bands, layer.out_channels, _pair(layer.kernel_size), stride=_pair(layer.stride),
        padding=_pair(layer.padding), bias=layer.bias is not None,
    )  # fmt: skip
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    return made


def _pair(numbers: tuple[int, ...]) -> tuple[int, int]:
    return numbers[0], numbers[1]


def load_pretrained(net: PretrainedNet, spec: PretrainedSpec) -> None:
    """Put the weights that `spec` names into `net`, all of the encoder or nothing.

    The file may hold the encoder as torchvision names its parts, with or without "module." or
    "encoder." before them, or a model of this program. A decoder and a head are taken where all
    of it fits, and stay fresh otherwise. Published weights expect bands of mean 0 and deviation
    1; robust deviations from the median (`models.scaling`) are close to that.

    Raises
    ------
    ModelMismatch
        When the weights are missing, damaged, or of another network.
    """
    if not spec.pretrained:
        return
    path, title = weights_path(spec), type(spec).model_fields["kind"].title or spec.weights
    known = spec.backbone
    parts = _sort(read_weights(spec), (*known.extra, *net.unused), known.deviation, known.first)
    wanted, name = net.encoder.state_dict(), f"{known.first}.weight"
    first = parts["encoder"].get(name)
    if first is not None and first.ndim == 4:
        parts["encoder"][name] = adapt_bands(first, wanted[name].shape[1])
    if misfits := _misfits(parts["encoder"], wanted):
        more = f", and {len(misfits) - 1} more" if len(misfits) > 1 else ""
        raise ModelMismatch(
            f"{path} does not fit {title}: {misfits[0]}{more}",
            f"choose weights of {known.title}, or none",
        )
    for name in ("encoder", "decoder", "head"):
        module = getattr(net, name, None)
        if module is not None and not _misfits(parts[name], module.state_dict()):
            module.load_state_dict({**module.state_dict(), **parts[name]})


def adapt_bands(kernels: Tensor, bands: int) -> Tensor:
    """Return first-layer kernels (n, bands, ...) made from kernels (n, k, ...).

    With fewer bands than k, kernels of bands that are missing are added to those that are there,
    in turn; with more, kernels are repeated in turn, each copy with its share. So the sum over
    the bands stays, and a picture that is the same in all bands (grey) gives exactly the response
    that it gives in k bands. One band takes the sum, k times the mean; with k bands nothing
    changes. Bands keep the order of the data.
    """
    kernels = kernels.float()  # so that shares of half-precision files stay exact
    known = kernels.shape[1]
    made = kernels.new_zeros(kernels.shape[0], bands, *kernels.shape[2:])
    for place in range(max(known, bands)):
        copies = -(-(bands - place % known) // known) if bands > known else 1
        made[:, place % bands] += kernels[:, place % known] / copies
    return made


def _sort(
    found: Mapping[str, Tensor], extra: tuple[str, ...], deviation: float, first: str
) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of a file by the part of a network that they belong to.

    Those whose names begin with `extra` are left out of the encoder. Published kernels of the
    `first` layer that expect another deviation than 1 are made to fit.
    """
    plain = {_WRAPPED.sub("", name): value for name, value in found.items()}
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "decoder": {}, "head": {}}
    for name, value in plain.items():
        part, _, rest = name.partition(".")
        if part in parts:
            parts[part][rest] = value
    encoder = parts["encoder"]
    if not encoder:
        encoder = {k: v for k, v in plain.items() if not k.startswith(_HEADS)}
        kernels = encoder.get(f"{first}.weight")
        if deviation != 1 and kernels is not None and kernels.is_floating_point():
            encoder[f"{first}.weight"] = kernels.float() * deviation
    parts["encoder"] = {k: v for k, v in encoder.items() if not k.startswith(extra)}
    return parts


def _misfits(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> list[str]:
    """Say what keeps `found` from being loaded; counters of batch norms may be missing."""
    texts = [f"{k} is missing" for k in wanted if k not in found and not k.endswith(_COUNTER)]
    texts += [f"it has no {k}" for k in found if k not in wanted]
    for name, value in found.items():
        sizes = [" x ".join(map(str, v.shape)) for v in (value, wanted.get(name, value))]
        if sizes[0] != sizes[1]:
            texts.append(f"{name} is {sizes[0]}, not {sizes[1]}")
        elif not name.endswith(_COUNTER) and not _is_plain(value):
            texts.append(f"{name} does not hold plain numbers")
    return texts


def _is_plain(value: Tensor) -> bool:
    dense = value.layout == torch.strided and value.is_floating_point()
    return dense and bool(value.isfinite().all())
