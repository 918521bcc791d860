"""The editor of a network of one's own layers: list, figures, drawing, undo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.widgets.card import Card, button, enable, label, scrolled
from geocnn_gui.gui.widgets.layer_drawing import LayerDrawing
from geocnn_gui.gui.widgets.layer_form import LayerForm
from geocnn_gui.gui.widgets.layer_history import LayerHistory
from geocnn_gui.gui.widgets.layer_menus import AddMenu, fill_presets, menu_button
from geocnn_gui.gui.widgets.layer_tree import LayerTree, place_in
from geocnn_gui.gui.widgets.layer_view import LayerView
from geocnn_gui.models.layers import edits
from geocnn_gui.models.layers.files import read_layers, write_layers
from geocnn_gui.models.layers.spec import LayersSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.models.layers.edits import Layers, Place

_FILES = "Layers (*.json);;All files (*)"


class LayersEditor(QDialog):
    """Edits a `LayersSpec`; stands beside the window and blocks nothing.

    Every change shows at once in the table and is told by `changed`; it can be undone.

    Signals
    -------
    changed: the spec as it stands now.
    """

    changed = Signal(object)

    def __init__(self, spec: LayersSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("layers_editor")
        self.setWindowTitle("Layers of the network")
        self._history = LayerHistory(spec)
        self._view = LayerView(spec, 1, 2)
        self.tree, self.drawing, self._form = LayerTree(), LayerDrawing(), LayerForm()
        self._refusal = label(role="error", name="layers_refusal", wrap=True)
        self._verdict = label(name="layers_verdict", wrap=True)
        self._double = button("Duplicate", self.duplicate, name="duplicate_layer")
        self._up = button("Up", lambda: self.move_layer(-1), name="move_up")
        self._down = button("Down", lambda: self.move_layer(1), name="move_down")
        self._remove = button("Remove", self.remove, name="remove_layer")
        self._undo = button("Undo", self.undo, name="layers_undo")
        self._redo = button("Redo", self.redo, name="layers_redo")
        self._bind_keys()
        self._lay_out()
        self.tree.picked.connect(self._on_picked)
        self.drawing.picked.connect(self.tree.pick)
        self._form.changed.connect(self._on_form)
        self._refresh()
        self.tree.setFocus()
        self.resize(1060, 660)

    def spec(self) -> LayersSpec:
        """Return the network as it stands."""
        return self._history.spec

    def show_spec(self, spec: LayersSpec) -> None:
        """Show what was changed elsewhere, as a step that can be undone."""
        if spec != self.spec():
            self._history.keep(spec)
            self._refresh()

    def set_outlets(self, bands: int, classes: int) -> None:
        """Take what the data in hand has for the figures."""
        if (bands, classes) != self._view.outlets:
            self._view = LayerView(self.spec(), bands, classes)
            self._show()

    # The parts

    def _bind_keys(self) -> None:
        keys = {
            "Ctrl+D": self.duplicate, "Alt+Up": lambda: self.move_layer(-1),
            "Alt+Down": lambda: self.move_layer(1), "Ctrl+Z": self.undo,
            "Ctrl+Shift+Z": self.redo,
        }  # fmt: skip
        for key, act in keys.items():
            QShortcut(QKeySequence(key), self, act)
        QShortcut(
            QKeySequence("Delete"), self.tree, self.remove,
            context=Qt.ShortcutContext.WidgetShortcut,
        )  # fmt: skip

    def _lay_out(self) -> None:
        picture, side = Card(), Card()
        picture.body.setContentsMargins(8, 8, 8, 4)
        picture.body.addWidget(self.drawing)
        picture.setFixedHeight(140)
        side.body.addWidget(scrolled(self._form))
        halves = QSplitter(Qt.Orientation.Horizontal)
        halves.setHandleWidth(8)
        halves.setChildrenCollapsible(False)
        halves.addWidget(self._list_card())
        halves.addWidget(side)
        halves.setStretchFactor(0, 1)
        halves.setSizes([740, 300])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(8)
        layout.addLayout(self._top_row())
        layout.addWidget(picture)
        layout.addWidget(halves, 1)

    def _top_row(self) -> QHBoxLayout:
        begin, menu = menu_button("Begin with", "begin_with")
        fill_presets(menu, self.begin_with)
        opening = button("Open…", self._ask_open, name="open_layers", tip="A list in a file")
        saving = button("Save as…", self._ask_save, name="save_layers", tip="As a file")
        return _row([begin, opening, saving], [self._undo, self._redo])

    def _list_card(self) -> Card:
        add, menu = menu_button("Add layer", "add_layer")
        adding = AddMenu(menu, layer=self.add, branch=self._add_branch)
        menu.aboutToShow.connect(lambda: adding.fill(self._view, self.tree.path()))
        card = Card()
        for widget in (self.tree, self._refusal, self._verdict):
            card.body.addWidget(widget)
        card.body.setStretch(0, 1)
        card.body.addLayout(_row([add, self._double, self._up, self._down, self._remove], []))
        return card

    # What a user does

    def add(self, kind: str, place: Place) -> None:
        """Put a new layer of a kind of `LAYERS` at a place."""
        channels = self._view.entering(place)[0]
        self._change(edits.inserted(self._layers(), place, edits.fresh(kind, channels)), place)

    def _add_branch(self, block: Place) -> None:
        place = (*block, len(edits.children(self._view.at(block))))
        self._change(edits.inserted(self._layers(), place, ()), place)

    def duplicate(self) -> None:
        """Put a copy of what is chosen after it."""
        place = place_in(self.tree.path())
        if place is not None:
            after = (*place[:-1], place[-1] + 1)
            self._change(edits.inserted(self._layers(), after, self._view.at(place)), after)

    def remove(self) -> None:
        """Take the layer or branch chosen out."""
        place = place_in(self.tree.path())
        if place is not None:
            self._change(edits.removed(self._layers(), place), place)

    def move_layer(self, step: int) -> None:
        """Move what is chosen one place on (1) or back (-1)."""
        place = place_in(self.tree.path())
        if place is not None:
            self._change(*edits.moved(self._layers(), place, step))

    def begin_with(self, spec: LayersSpec) -> None:
        """Take another network in the place of this one; Undo brings it back."""
        if spec != self.spec():
            self._history.keep(spec)
            self._after_change()

    def undo(self) -> None:
        """Take the last change back."""
        if self._history.undo():
            self._after_change()

    def redo(self) -> None:
        """Make the change again that was taken back."""
        if self._history.redo():
            self._after_change()

    def open_file(self, path: str) -> None:
        """Take the list that a file holds; what is wrong with the file is said under the list."""
        try:
            self.begin_with(read_layers(Path(path)))
        except GeoCNNError as error:
            self._refuse(str(error))

    def save_file(self, path: str) -> None:
        """Write the list to a file."""
        try:
            write_layers(Path(path), self.spec())
        except GeoCNNError as error:
            self._refuse(str(error))

    def _ask_open(self) -> None:
        dialog = QFileDialog(self, "Open layers", "", _FILES)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        _ask(dialog, self.open_file)

    def _ask_save(self) -> None:
        dialog = QFileDialog(self, "Save layers", "", _FILES)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("json")
        dialog.selectFile("layers.json")
        _ask(dialog, self.save_file)

    # What changes, and what is shown

    def _layers(self) -> Layers:
        return self.spec().layers

    def _change(self, layers: Layers, place: Place) -> None:
        """Take another list; what is at `place` is chosen then."""
        if layers != self._layers() and self._take({"layers": layers}):
            self._show()
            self.tree.pick(".".join(map(str, place)))
            self._show_form()

    def _on_form(self, thing: Any) -> None:
        place = place_in(self.tree.path())
        if place is None:
            changes = {**dict(thing), "layers": self._layers()}
        else:
            changes = {"layers": edits.replaced(self._layers(), place, thing)}
        if self._take(changes, typing=f"in {self.tree.path()}"):
            self._show()

    def _take(self, changes: dict[str, Any], *, typing: str = "") -> bool:
        """Take changed fields; say why where the spec refuses them."""
        try:
            spec = LayersSpec.model_validate({**dict(self.spec()), **changes})
        except ValidationError as error:
            said = error.errors()[0]["msg"].removeprefix("Value error, ")
            self._refuse(f"{said[:1].upper()}{said[1:]}.")
            return False
        self._history.keep(spec, typing=typing)
        self.changed.emit(spec)
        return True

    def _refuse(self, reason: str) -> None:
        self._refusal.setText(reason)
        self._refusal.show()

    def _after_change(self) -> None:
        self._refresh()
        self.changed.emit(self.spec())

    def _refresh(self) -> None:
        self._show()
        self._show_form()

    def _show(self) -> None:
        """Draw table, drawing and verdict anew."""
        self._refusal.hide()
        self._view = view = LayerView(self.spec(), *self._view.outlets)
        self.tree.show_rows(view.layers, view.outline.rows, data=view.data)
        self.drawing.show_boxes(view.boxes())
        self.drawing.show_current(self.tree.path())
        self._verdict.setProperty("role", "error" if view.outline.problem else "muted")
        self._verdict.setText(view.verdict())
        self._verdict.style().polish(self._verdict)
        self._form.explain(view, self.tree.path())
        enable(self._undo, "" if self._history.past else "Nothing to undo.", tip="Ctrl+Z")
        enable(self._redo, "" if self._history.future else "Nothing to redo.", tip="Ctrl+Shift+Z")

    def _on_picked(self, path: str) -> None:
        self._history.pause()
        self.drawing.show_current(path)
        self._show_form()

    def _show_form(self) -> None:
        """Make the form of what is chosen, and say what can be done with it."""
        path = self.tree.path()
        self._form.show_thing(self._view, path)
        reason = "" if place_in(path) is not None else "Choose a layer first."
        for each, tip in ((self._double, "Ctrl+D"), (self._up, "Alt+Up"),
                          (self._down, "Alt+Down"), (self._remove, "Delete")):  # fmt: skip
            enable(each, reason, tip=tip)


def _row(left: list[Any], right: list[Any]) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(6)
    for widget in left:
        row.addWidget(widget)
    row.addStretch(1)
    for widget in right:
        row.addWidget(widget)
    return row


def _ask(dialog: QFileDialog, act: Callable[[str], None]) -> None:
    dialog.setObjectName("layers_file")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(act)
    dialog.open()
