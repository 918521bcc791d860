"""Which cells of its training data a model has seen: trained on, or held out for its score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from geocnn_gui.data.identity import identity_of
from geocnn_gui.labels.store import LabelSnapshot, LabelStore
from geocnn_gui.models.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from geocnn_gui.data.source import Source, Window

    #: A window, bool (*window.size), and the value that the masked cells take.
    Part = tuple[Window, np.ndarray, int]

#: Values of a ground: never seen, trained on, held out for the score, not trained on because too
#: near to what was kept from it.
NEW, TRAINED, HELD_OUT, NEAR = 0, 1, 2, 3


class GroundCard(Spec):
    """A source that a model was trained on: what it is called, which data, which labels."""

    name: str
    identity: str
    shape: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1, max_length=3)
    labels_digest: str


@dataclass(frozen=True, slots=True)
class Ground:
    """The cells of one source that a model has seen: `seen` holds `TRAINED`, `HELD_OUT`, `NEAR`."""

    card: GroundCard
    seen: LabelSnapshot

    @classmethod
    def mark(cls, source: Source, labels: LabelSnapshot, parts: Iterable[Part]) -> Ground:
        """Return the ground of a training on `labels` of `source`: each part sets its cells."""
        store = LabelStore(source.shape)
        for window, mask, value in parts:
            values = store.read(window)
            values[mask] = value
            store.write(window, values)
        card = GroundCard(
            name=source.name, identity=identity_of(source), shape=source.shape,
            labels_digest=labels.digest,
        )  # fmt: skip
        return cls(card, store.snapshot())


def ground_of(grounds: tuple[Ground, ...], source: Source) -> Ground | None:
    """Return what a model has seen of `source`; None where it was not trained on it."""
    identity = identity_of(source)
    for ground in grounds:
        if ground.card.identity == identity and ground.card.shape == source.shape:
            return ground
    return None
