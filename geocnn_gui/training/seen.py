"""Which labelled cells of a source a training sees: the model file tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geocnn_gui.data.source import Plane
from geocnn_gui.labels.store import LabelSnapshot, LabelStore
from geocnn_gui.models.ground import HELD_OUT, NEAR, TRAINED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from geocnn_gui.scoring.regions import PlaneSplit


Part = tuple[slice, slice]


@dataclass
class Seen:
    """The labelled, live cells of the sections of one source that may be trained on."""

    shape: tuple[int, ...]
    planes: list[Plane] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._cells = LabelStore(self.shape)

    def add(self, plane: Plane, part: Part, cells: np.ndarray) -> None:
        """Take the cells of a part of a section; `cells` is bool (rows, columns)."""
        _set(self._cells, plane, part, cells, TRAINED)

    def ground(
        self, fitted: Sequence[PlaneSplit], held: Sequence[Sequence[PlaneSplit]]
    ) -> LabelSnapshot:
        """Return each cell as trained on, held out, near to what was kept, or new: the test set.

        `fitted` is the split of each picture of the source that the network was fitted by,
        `held` those by which it was scored.
        """
        seen, marked = self._cells.snapshot(), LabelStore(self.shape)
        for number, part, cells in self._parts(seen):
            plane = self.planes[number]
            near = fitted[number].near_mask(*part)
            _set(marked, plane, part, cells & ~near, TRAINED)
            buffer = near & ~fitted[number].test_mask(*part)
            _set(marked, plane, part, cells & buffer, NEAR)
            for fold in held:
                _set(marked, plane, part, cells & fold[number].held_mask(*part), HELD_OUT)
        return marked.snapshot()

    def _parts(self, seen: LabelSnapshot) -> Iterator[tuple[int, Part, np.ndarray]]:
        windows = seen.labelled_windows()
        for number, plane in enumerate(self.planes):
            for window in windows:
                part = plane.cells(window)
                if part is not None:
                    yield number, part, plane.picture(seen.read(plane.window(*part))) > 0


def _set(store: LabelStore, plane: Plane, part: Part, cells: np.ndarray, value: int) -> None:
    if not cells.any():
        return
    window = plane.window(*part)
    values = store.read(window)
    values[plane.array(cells)] = value
    store.write(window, values)
