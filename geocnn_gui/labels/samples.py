"""The labels that a sample set brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.labels.classes import PALETTE, Classes, LabelClass
from geocnn_gui.labels.store import LabelSnapshot

if TYPE_CHECKING:
    from geocnn_gui.data.samples import Samples


def own_classes(samples: Samples) -> Classes:
    """Return the classes of a sample set, coloured by their ids."""
    return tuple(
        LabelClass(id=i, name=name, color=PALETTE[(i - 1) % len(PALETTE)])
        for i, name in samples.classes
    )


def own_labels(samples: Samples) -> LabelSnapshot:
    """Return the labels of a sample set, in the shape of its source."""
    return LabelSnapshot.from_array(np.asarray(samples.labels, np.uint8)[None])
