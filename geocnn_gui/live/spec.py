"""What a map by the live head is to be drawn of, and from what. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geocnn_gui.data.source import Section, Source
from geocnn_gui.labels.classes import Classes
from geocnn_gui.training.sections import Pair, labelled_sections


@dataclass(frozen=True, slots=True)
class MapWish:
    """What to draw, and from what.

    `pairs` are the labelled sources, `classes` those of their labels, `source` is what is drawn:
    one of them or another of their kind. `sections` None draws all of it. `backbone` None is one
    with fresh weights. `files` are those that the labels were read from.
    """

    pairs: Sequence[Pair]
    classes: Classes
    source: Source
    backbone: Path | None
    sections: Sequence[Section] | None = None
    files: tuple[Path, ...] = ()

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Return the files that are read, none of which is to be written over."""
        read = (self.backbone, self.source.path, *(pair.source.path for pair in self.pairs))
        return (*self.files, *(path for path in read if path is not None))

    @property
    def wanted(self) -> list[Section]:
        """Return the sections to draw; a cube is cut along the axis that most labels lie on."""
        if self.sections is not None or not self.source.section_axes:
            return list(self.sections or [Section()])
        found = [s for p in self.pairs for s in labelled_sections(p.source, p.labels)[:1]]
        axis = next((s.axis for s in found if s.axis is not None), 0)
        return [Section(axis, index) for index in range(self.source.shape[axis])]
