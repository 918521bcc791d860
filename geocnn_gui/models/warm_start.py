"""Begin a training with what another model of this program has learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.errors import ModelMismatch
from geocnn_gui.models.architectures.unet import UNet
from geocnn_gui.models.backbones import adapt_bands
from geocnn_gui.models.survey import for_bands, load_backbone
from geocnn_gui.models.survey_card import is_backbone
from geocnn_gui.models.weights import load_model

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from geocnn_gui.models.architectures.unet_spec import UNetSpec
    from geocnn_gui.models.base import SegmentationNet


def warm_start(net: SegmentationNet, path: Path) -> bool:
    """Put the weights of a model file or a survey backbone into a network of like kind and sizes.

    Its last stage, the head, is taken where it fits and stays fresh for another number of
    classes, or where a backbone has none; kernels for another number of bands are made to fit as
    `adapt_bands` does. Return whether the head was taken.

    Raises
    ------
    ModelMismatch
        When the file is missing, damaged, or a model of another kind or size.
    """
    if is_backbone(path):
        _take_backbone(net, path)
        return False
    other, card = load_model(path)
    found, wanted = dict(other.state_dict()), dict(net.state_dict())
    head = _head_of(net)
    first = next((name for name, value in wanted.items() if value.ndim > 2), "")
    if _other_bands(found.get(first), wanted.get(first)):
        found[first] = adapt_bands(found[first], wanted[first].shape[1])
    rest = [name for name in wanted if name not in head]
    wrong = [name for name in rest if not _fits(found.get(name), wanted[name])]
    wrong += [name for name in found if name not in wanted]
    if wrong:
        kind = type(card.spec).model_fields["kind"].title or card.spec.kind
        raise ModelMismatch(
            f"{path} ({kind}) does not fit this network: {wrong[0]} is missing or of another size",
            "choose a model of the same kind, depth and width, or begin with fresh weights",
        )
    whole = all(_fits(found.get(name), wanted[name]) for name in head)
    taken = [*rest, *head] if whole else rest
    net.load_state_dict({**wanted, **{name: found[name] for name in taken}})
    return whole


def _take_backbone(net: SegmentationNet, path: Path) -> None:
    """Put all weights of a survey backbone into a U-Net, but those of its head."""
    backbone = load_backbone(path)
    wanted = net.state_dict()
    found: dict[str, Tensor] = {}
    if isinstance(net, UNet) and net.dims == 2:
        first = next(value for value in wanted.values() if value.ndim > 2)
        bands = tuple(str(number) for number in range(first.shape[1]))
        found = for_bands(backbone, bands).net.state_dict()
    taken = {name: value for name, value in found.items() if not name.startswith("head.")}
    rest = [name for name in wanted if not name.startswith("head.")]
    if not taken or set(taken) != set(rest) or not all(_fits(taken[k], wanted[k]) for k in rest):
        sizes = _sizes_of(backbone.card.spec)
        raise ModelMismatch(
            f"{path} is the survey backbone of a U-Net with {sizes}, and does not fit this network",
            f"choose the U-Net with {sizes}, or begin with fresh weights",
        )
    net.load_state_dict({**wanted, **taken})


def _sizes_of(spec: UNetSpec) -> str:
    residual = " and residual" if spec.residual else ""
    return f"depth {spec.depth}, width {spec.width}, normalisation {spec.norm}{residual}"


def _head_of(net: SegmentationNet) -> list[str]:
    """Return the names of the tensors of the last stage that learns."""
    for stage in reversed(net.stages()):
        inside = {
            id(tensor)
            for part in stage.modules
            for tensor in part.state_dict(keep_vars=True).values()
        }
        names = [k for k, v in net.state_dict(keep_vars=True).items() if id(v) in inside]
        if names:
            return names
    return []


def _other_bands(found: Tensor | None, wanted: Tensor | None) -> bool:
    """Say whether two first kernels differ in their bands alone."""
    if found is None or wanted is None or found.ndim != wanted.ndim:
        return False
    same = found.shape[0] == wanted.shape[0] and found.shape[2:] == wanted.shape[2:]
    return same and found.shape[1] != wanted.shape[1]


def _fits(found: Tensor | None, wanted: Tensor) -> bool:
    return found is not None and found.shape == wanted.shape
