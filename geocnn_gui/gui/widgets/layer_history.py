"""The steps that a network of layers has gone through, to undo and redo."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geocnn_gui.models.layers.spec import LayersSpec

_MOST = 500


class LayerHistory:
    """Holds the present spec, those before it and those that were taken back."""

    def __init__(self, spec: LayersSpec) -> None:
        self.spec = spec
        self.past: list[LayersSpec] = []
        self.future: list[LayersSpec] = []
        self._typing = ""

    def keep(self, spec: LayersSpec, *, typing: str = "") -> None:
        """Make `spec` the present; steps that name the same `typing` in a row are one to undo."""
        if not typing or typing != self._typing:
            self.past = [*self.past, self.spec][-_MOST:]
        self.spec, self._typing, self.future = spec, typing, []

    def pause(self) -> None:
        """End what is typed: the next change is a step of its own."""
        self._typing = ""

    def undo(self) -> bool:
        """Go one step back; say whether there was one."""
        return self._travel(self.past, self.future)

    def redo(self) -> bool:
        """Go one step on again; say whether there was one."""
        return self._travel(self.future, self.past)

    def _travel(self, source: list[LayersSpec], target: list[LayersSpec]) -> bool:
        if not source:
            return False
        target.append(self.spec)
        self.spec, self._typing = source.pop(), ""
        return True
