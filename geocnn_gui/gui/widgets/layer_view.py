"""A network of layers with its figures, and where things are in it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from geocnn_gui.gui.widgets.card import plural
from geocnn_gui.gui.widgets.layer_drawing import Box, Lane
from geocnn_gui.gui.widgets.layer_tree import counted, place_in
from geocnn_gui.models.layers import edits
from geocnn_gui.models.layers.reckoning import reckoning
from geocnn_gui.models.layers.shapes import Outline, Row, outline
from geocnn_gui.models.layers.spec import Inception, LayersSpec, Residual

if TYPE_CHECKING:
    from geocnn_gui.models.layers.edits import Layers, Place

_TASKS = {"patches": "names the middle of a patch", "pixels": "names every pixel"}
_KINDS = {
    "convolution": "kernels", "transposed-convolution": "kernels", "residual": "kernels",
    "inception": "kernels", "pool": "pool", "global-pool": "pool", "dense": "dense",
}  # fmt: skip


class LayerView:
    """What `spec` is for data with so many bands and classes."""

    def __init__(self, spec: LayersSpec, bands: int, classes: int) -> None:
        self.spec, self.outlets = spec, (bands, classes)
        self.data: tuple[int, ...] = (bands, *(spec.patch,) * spec.dims)

    @property
    def layers(self) -> Layers:
        """Return the list."""
        return self.spec.layers

    @cached_property
    def outline(self) -> Outline:
        """Return the figures."""
        return outline(self.spec, *self.outlets)

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Return the figures of each layer by its path."""
        return {row.path: row for row in self.outline.rows}

    def at(self, place: Place) -> Any:
        """Return the layer or branch at a place."""
        return edits.at(self.layers, place)

    def holds_layers(self, place: Place) -> bool:
        """Say whether it is a block or a branch."""
        return isinstance(self.at(place), Residual | Inception | tuple)

    def place_for_new(self, path: str) -> Place:
        """Return where a new layer goes while the row called `path` is chosen."""
        place = place_in(path)
        if place is None:
            return (len(self.layers) if path == "head" else 0,)
        thing = self.at(place)
        if isinstance(thing, Residual | tuple):
            return (*place, len(edits.children(thing)))
        return (*place[:-1], place[-1] + 1)

    def entering(self, place: Place) -> tuple[int, ...]:
        """Return channels and size of what enters the layer at a place."""
        if place[-1] > 0 and not edits.is_branch(self.layers, place):
            before = self.rows.get(".".join(map(str, (*place[:-1], place[-1] - 1))))
            if before is not None:
                return before.output
        return self.data if len(place) == 1 else self.entering(place[:-1])

    def sums(self, path: str) -> tuple[str, ...]:
        """Return the sums behind the figures of a layer, a line each."""
        place, row = place_in(path), self.rows.get(path)
        if place is None or row is None or row.problem:
            return ()
        return reckoning(self.at(place), self.entering(place), row.output)

    def verdict(self) -> str:
        """Say what the list is as a network, or why it cannot be one."""
        found = self.outline
        if found.problem:
            return f"{found.problem[:1].upper()}{found.problem[1:]}."
        leaves = [row for row in found.rows if row.is_leaf]
        learns, costs = (sum(getattr(r, n) for r in leaves) for n in ("parameters", "operations"))
        return (
            f"{plural(learns, 'parameter')} · {counted(costs)} multiply-adds a patch · "
            f"{self.task()}"
        )

    def task(self) -> str:
        """Say what the list does: "names every pixel"."""
        return _TASKS[self.outline.task or "patches"]

    def boxes(self) -> list[Box]:
        """Return what is drawn of it, from the data upwards."""
        drawn = [row for row in self.outline.rows if row.is_leaf]
        return [
            Box("data", "Data", self.data, "data"),
            *(Box(row.path, row.title, row.output, self._kind(row.path), bool(row.problem),
                  self._lane(row.path)) for row in drawn),
        ]  # fmt: skip

    def _kind(self, path: str) -> str:
        place = place_in(path)
        if place is None:
            return "dense" if path == "head" else "kernels"
        return _KINDS.get(getattr(self.at(place), "layer", ""), "thin")

    def _lane(self, path: str) -> Lane | None:
        """Return which branch of an inception block a row lies in; None for those in none."""
        place = place_in(path) or ()
        for depth in range(1, len(place) - 1):
            block = self.at(place[:depth])
            if isinstance(block, Inception):
                return Lane(".".join(map(str, place[:depth])), place[depth], len(block.branches))
        return None
