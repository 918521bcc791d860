"""Begin a training with what another model of this program has learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.errors import ModelMismatch
from geocnn_gui.models.backbones import adapt_bands
from geocnn_gui.models.weights import load_model

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from geocnn_gui.models.base import SegmentationNet


def warm_start(net: SegmentationNet, path: Path) -> bool:
    """Put the weights of a model file into a network of the same kind and sizes.

    Its last stage, the head, is taken where it fits and stays fresh for another number of
    classes; kernels for another number of bands are made to fit as `adapt_bands` does. Return
    whether the head was taken.

    Raises
    ------
    ModelMismatch
        When the file is missing, damaged, or a model of another kind or size.
    """
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
