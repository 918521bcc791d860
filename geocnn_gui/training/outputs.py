"""Whether what a network gives goes with what it is to learn, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Note
from geocnn_gui.models.architectures.spec import PretrainedSpec
from geocnn_gui.models.layers.heads import why_no_classes, with_value_head
from geocnn_gui.models.sample_form import way_to_read, why_not_read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.training.sections import Pair
    from geocnn_gui.training.spec import TrainingSpec

#: Losses of which nothing need be said where values are learned: the usual one, and their own.
_QUIET = ("cross-entropy", "mse")


def learns_values(pairs: Sequence[Pair]) -> bool:
    """Say whether pairs carry a continuous target."""
    return any(pair.target is not None for pair in pairs)


def spec_to_learn(spec: ModelSpec, pairs: Sequence[Pair]) -> ModelSpec:
    """Return the network that learns from `pairs`, with a linear head for values, not softmax."""
    return with_value_head(spec) if learns_values(pairs) else spec


def check_outputs(pairs: Sequence[Pair], spec: ModelSpec, training: TrainingSpec) -> Iterator[Note]:
    """Say what of the settings gives way.

    Raises
    ------
    BadRequest
        Where the network reads no such samples, or its head and what is learned differ.
    """
    for pair in pairs:
        if reason := why_not_read(spec, pair.source):
            raise BadRequest(reason, way_to_read(spec))
    if isinstance(spec, PretrainedSpec) and spec.freezes_in_vain:
        yield Note(
            f"Freezing needs weights to keep: with weights=none, freeze={spec.freeze} is of no "
            "effect and all layers learn.",
            warning=True,
        )
    if not learns_values(pairs):
        if reason := why_no_classes(spec):
            raise BadRequest(reason, "take softmax to name classes, or a target to learn values")
        return
    if with_value_head(spec) != spec:
        yield Note("A value is learned: the head is linear in place of softmax.")
    if training.loss not in _QUIET:
        yield Note(
            f"A value is learned by the squared error; the loss {training.loss} is for classes.",
            warning=True,
        )
