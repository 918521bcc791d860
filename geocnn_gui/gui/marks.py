"""What is outlined on the picture: a place to label, strokes that are like, suspect labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from geocnn_gui.data.source import Section

if TYPE_CHECKING:
    import numpy as np

    from geocnn_gui.gui.state import State


class MarkedPart(Protocol):
    """A block of cells `rows` x `columns`, of which `mask` (bool) counts."""

    @property
    def rows(self) -> slice:
        """Return its rows."""
        ...

    @property
    def columns(self) -> slice:
        """Return its columns."""
        ...

    @property
    def mask(self) -> np.ndarray:
        """Return which cells count, bool (rows, columns)."""
        ...


Kind = Literal["place", "like", "suspect"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something outlined in a section: a box of cells, or the cells of `parts` in it."""

    kind: Kind
    section: Section
    rows: slice
    columns: slice
    parts: Sequence[MarkedPart] = ()


def where_words(session: State, section: Section) -> str:
    """Name a section for a sentence: "here", "on inline 362", "on the time slice 1232 ms"."""
    source = session.source
    if section == session.section or section.axis is None or source is None:
        return "here"
    axis = source.axes[section.axis]
    number = f"{axis.at(section.index):g} {axis.unit}".strip()
    return f"on the {axis.name} slice {number}" if axis.vertical else f"on {axis.name} {number}"


def class_name(session: State, number: int) -> str:
    """Return the name of a class."""
    return next((c.name for c in session.classes if c.id == number), f"class {number}")
