"""Menus of the editor of layers: what can be added, and what one can begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMenu, QPushButton

from geocnn_gui.gui.widgets.layer_tree import place_in
from geocnn_gui.models.layers import edits
from geocnn_gui.models.layers.presets import PRESETS, PURPOSES
from geocnn_gui.models.layers.spec import LAYERS, Inception

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.widgets.layer_view import LayerView
    from geocnn_gui.models.layers.edits import Place
    from geocnn_gui.models.layers.spec import LayersSpec


def menu_button(text: str, name: str) -> tuple[QPushButton, QMenu]:
    """Return a button and the menu that it opens."""
    made = QPushButton(text)
    made.setObjectName(name)
    made.setAutoDefault(False)
    menu = QMenu(made)
    menu.setObjectName(f"{name}_menu")
    menu.setToolTipsVisible(True)
    made.setMenu(menu)
    return made, menu


def fill_presets(menu: QMenu, begin: Callable[[LayersSpec], object]) -> None:
    """Offer the networks that one can begin with."""
    for name, spec in PRESETS.items():
        title = name.replace("-", " ").capitalize()
        action = menu.addAction(f"{title}\t{PURPOSES.get(name, '')}")
        action.setObjectName(f"preset_{name}")
        action.triggered.connect(lambda _=False, spec=spec: begin(spec))


class AddMenu:
    """Fills a menu with all layers: into the block or branch chosen, else after what is chosen."""

    def __init__(
        self,
        menu: QMenu,
        *,
        layer: Callable[[str, Place], object],
        branch: Callable[[Place], object],
    ) -> None:
        self._menu, self._layer, self._branch = menu, layer, branch

    def fill(self, view: LayerView, path: str) -> None:
        """Offer what can be added while the row called `path` is chosen."""
        self._menu.clear()
        place = place_in(path)
        if place is not None and isinstance(view.at(place), Inception):
            self._offer_branch(place)
        else:
            self._offer(self._menu, view.place_for_new(path))
        if place is None or not view.holds_layers(place):
            return
        if edits.is_branch(view.layers, place):
            place = place[:-1]
        self._menu.addSeparator()
        after = self._menu.addMenu("After the block")
        self._offer(after, (*place[:-1], place[-1] + 1))

    def _offer_branch(self, block: Place) -> None:
        action = self._menu.addAction("Branch")
        action.setObjectName("add_branch")
        action.triggered.connect(lambda: self._branch(block))

    def _offer(self, menu: QMenu, place: Place) -> None:
        for kind, layer in LAYERS.items():
            action = menu.addAction(layer.model_fields["layer"].title or kind)
            action.setObjectName(f"add_{kind}")
            action.setToolTip((layer.__doc__ or "").splitlines()[0])
            action.triggered.connect(lambda _=False, kind=kind: self._layer(kind, place))
