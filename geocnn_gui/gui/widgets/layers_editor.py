"""The editor of a network of one's own layers: list, figures, drawing, undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from geocnn_gui.gui.widgets.card import Card, button, enable, label, plural, scrolled
from geocnn_gui.gui.widgets.layer_drawing import Box, Lane, LayerDrawing
from geocnn_gui.gui.widgets.layer_tree import LayerTree, counted, place_in
from geocnn_gui.gui.widgets.spec_form import SpecForm
from geocnn_gui.models.layers import edits
from geocnn_gui.models.layers.reckoning import reckoning
from geocnn_gui.models.layers.shapes import Outline, Row, outline
from geocnn_gui.models.layers.spec import LAYERS, Inception, LayersSpec, Residual

if TYPE_CHECKING:
    from geocnn_gui.models.layers.edits import Place

_UNDO_STEPS = 500
_TASKS = {"patches": "names the middle of a patch", "pixels": "names every pixel"}
_KINDS = {
    "convolution": "kernels", "transposed-convolution": "kernels", "residual": "kernels",
    "inception": "kernels", "pool": "pool", "global-pool": "pool", "dense": "dense",
}  # fmt: skip


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
        self._past: list[LayersSpec] = []
        self._future: list[LayersSpec] = []
        self._spec, self._outlets, self._typing = spec, (1, 2), ""
        self.tree, self.drawing = LayerTree(), LayerDrawing()
        self._form: SpecForm | None = None
        self._title = label(role="title", name="layer_title", wrap=True)
        self._about = label(role="muted", name="layer_about", wrap=True)
        self._sums = label(role="muted", name="layer_sums", wrap=True)
        self._sums.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._refusal = label(role="warning", name="layers_refusal", wrap=True)
        self._verdict = label(name="layers_verdict", wrap=True)
        self._place = QVBoxLayout()
        self._make_buttons()
        self._lay_out()
        self.tree.picked.connect(self._on_picked)
        self.drawing.picked.connect(self.tree.pick)
        self._show()
        self.resize(1060, 640)

    def spec(self) -> LayersSpec:
        """Return the network as it stands."""
        return self._spec

    def show_spec(self, spec: LayersSpec) -> None:
        """Show what was changed elsewhere, as a step that can be undone."""
        if spec != self._spec:
            self._keep(spec, "")
            self._refresh()

    def set_outlets(self, bands: int, classes: int) -> None:
        """Take what the data in hand has for the figures."""
        if (bands, classes) != self._outlets:
            self._outlets = bands, classes
            self._show()

    # The parts

    def _make_buttons(self) -> None:
        self._add = QPushButton("Add layer")
        self._add.setObjectName("add_layer")
        self._add.setAutoDefault(False)
        self._menu = QMenu(self._add)
        self._menu.setObjectName("add_layer_menu")
        self._menu.setToolTipsVisible(True)
        self._menu.aboutToShow.connect(self._fill_menu)
        self._add.setMenu(self._menu)
        self._double = button("Duplicate", self.duplicate, name="duplicate_layer", tip="Ctrl+D")
        self._up = button("Up", lambda: self.move_layer(-1), name="move_up", tip="Alt+Up")
        self._down = button("Down", lambda: self.move_layer(1), name="move_down", tip="Alt+Down")
        self._remove = button("Remove", self.remove, name="remove_layer", tip="Delete")
        self._undo = button("Undo", self.undo, name="layers_undo", tip="Ctrl+Z")
        self._redo = button("Redo", self.redo, name="layers_redo", tip="Ctrl+Shift+Z")
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
        picture = Card()
        picture.body.setContentsMargins(8, 8, 8, 4)
        picture.body.addWidget(self.drawing)
        picture.setFixedHeight(140)
        halves = QSplitter(Qt.Orientation.Horizontal)
        halves.setHandleWidth(8)
        halves.setChildrenCollapsible(False)
        halves.addWidget(self._left_card())
        halves.addWidget(self._right_card())
        halves.setStretchFactor(0, 1)
        halves.setSizes([740, 300])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(8)
        layout.addWidget(picture)
        layout.addWidget(halves, 1)

    def _left_card(self) -> Card:
        card = Card()
        row = QHBoxLayout()
        row.setSpacing(6)
        for each in (self._add, self._double, self._up, self._down, self._remove):
            row.addWidget(each)
        row.addStretch(1)
        row.addWidget(self._undo)
        row.addWidget(self._redo)
        card.body.addWidget(self.tree, 1)
        card.body.addWidget(self._refusal)
        card.body.addWidget(self._verdict)
        card.body.addLayout(row)
        return card

    def _right_card(self) -> QWidget:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(8)
        column.addWidget(self._title)
        column.addWidget(self._about)
        column.addLayout(self._place)
        column.addWidget(self._sums)
        column.addStretch(1)
        area: QScrollArea = scrolled(inside)
        card = Card()
        card.body.addWidget(area)
        return card

    def _fill_menu(self) -> None:
        """Offer all layers: into the block or branch chosen, else after the layer chosen."""
        self._menu.clear()
        for kind in LAYERS:
            self._offer(self._menu, kind, self._where())
        place = place_in(self.tree.path())
        if place is None or not self._is_holder(place):
            return
        self._menu.addSeparator()
        if isinstance(self._at(place), Inception):
            self._menu.addAction("Branch").triggered.connect(lambda: self._add_branch(place))
        if edits.is_branch(self._spec.layers, place):
            place = place[:-1]
        after = self._menu.addMenu("After the block")
        for kind in LAYERS:
            self._offer(after, kind, (*place[:-1], place[-1] + 1))

    def _offer(self, menu: QMenu, kind: str, place: Place) -> None:
        layer = LAYERS[kind]
        action = menu.addAction(layer.model_fields["layer"].title or kind)
        action.setObjectName(f"add_{kind}")
        action.setToolTip(_first_line(layer))
        action.triggered.connect(lambda: self.add(kind, place))

    # What a user does

    def add(self, kind: str, place: Place | None = None) -> None:
        """Put a new layer of a kind of `LAYERS` at a place; by default after the one chosen."""
        where = place if place is not None else self._where()
        entering = self._entering(where)
        layers = edits.inserted(self._spec.layers, where, edits.fresh(kind, entering[0]))
        self._change(layers, chosen=where)

    def duplicate(self) -> None:
        """Put a copy of the layer chosen after it."""
        place = place_in(self.tree.path())
        if place is not None:
            after = (*place[:-1], place[-1] + 1)
            self._change(edits.inserted(self._spec.layers, after, self._at(place)), chosen=after)

    def remove(self) -> None:
        """Take the layer or branch chosen out."""
        place = place_in(self.tree.path())
        if place is not None:
            self._change(edits.removed(self._spec.layers, place), chosen=place)

    def move_layer(self, step: int) -> None:
        """Move the layer chosen one place on (1) or back (-1)."""
        place = place_in(self.tree.path())
        if place is not None:
            layers, now = edits.moved(self._spec.layers, place, step)
            self._change(layers, chosen=now)

    def undo(self) -> None:
        """Take the last change back."""
        if self._past:
            self._future.append(self._spec)
            self._spec = self._past.pop()
            self._after_travel()

    def redo(self) -> None:
        """Make the change again that was taken back."""
        if self._future:
            self._past.append(self._spec)
            self._spec = self._future.pop()
            self._after_travel()

    def _after_travel(self) -> None:
        self._typing = ""
        self._refresh()
        self.changed.emit(self._spec)

    def _add_branch(self, place: Place) -> None:
        block = self._at(place)
        if isinstance(block, Inception):
            where = (*place, len(block.branches))
            self._change(edits.inserted(self._spec.layers, where, ()), chosen=where)

    def _change(self, layers: edits.Layers, *, chosen: Place) -> None:
        """Take another list; `chosen` is in hand then."""
        if layers == self._spec.layers:
            return
        if self._take({"layers": layers}, ""):
            self._show()
            self.tree.pick(".".join(map(str, chosen)))
            self._show_form()

    def _take(self, changes: dict[str, Any], typing: str) -> bool:
        """Take changed fields; say why where the spec refuses them."""
        try:
            spec = LayersSpec.model_validate({**dict(self._spec), **changes})
        except ValidationError as error:
            self._refusal.setText(error.errors()[0]["msg"])
            self._refusal.show()
            return False
        self._keep(spec, typing)
        self.changed.emit(spec)
        return True

    def _keep(self, spec: LayersSpec, typing: str) -> None:
        """Make `spec` the present; what is typed into one field is one step to undo."""
        if not typing or typing != self._typing:
            self._past = [*self._past, self._spec][-_UNDO_STEPS:]
        self._spec, self._typing, self._future = spec, typing, []

    # What is shown

    def _refresh(self) -> None:
        self._show()
        self._show_form()

    def _show(self) -> None:
        """Draw table, drawing and verdict anew."""
        self._refusal.hide()
        spec = self._spec
        self._outline = outline(spec, *self._outlets)
        self._rows = {row.path: row for row in self._outline.rows}
        data = (self._outlets[0], *(spec.patch,) * spec.dims)
        self.tree.show_rows(spec.layers, self._outline.rows, data=data)
        self.drawing.show_boxes([Box("data", "Data", data, "data"), *self._boxes()])
        self.drawing.show_current(self.tree.path())
        self._say()
        self._explain()
        enable(self._undo, "" if self._past else "Nothing to undo.", tip="Ctrl+Z")
        enable(self._redo, "" if self._future else "Nothing to redo.", tip="Ctrl+Shift+Z")

    def _boxes(self) -> list[Box]:
        return [
            Box(
                row.path, row.title, row.output, self._kind(row), bool(row.problem),
                self._lane(row.path),
            )
            for row in self._outline.rows
            if row.is_leaf
        ]  # fmt: skip

    def _lane(self, path: str) -> Lane | None:
        """Return which branch of an inception block a row lies in; None for those in none."""
        place = place_in(path) or ()
        for depth in range(1, len(place) - 1):
            block = self._at(place[:depth])
            if isinstance(block, Inception):
                return Lane(".".join(map(str, place[:depth])), place[depth], len(block.branches))
        return None

    def _kind(self, row: Row) -> str:
        place = place_in(row.path)
        if place is None:
            return "kernels" if row.path != "head" else "dense"
        return _KINDS.get(getattr(self._at(place), "layer", ""), "thin")

    def _say(self) -> None:
        found = self._outline
        self._verdict.setProperty("role", "error" if found.problem else "muted")
        self._verdict.setText(verdict(found))
        self._verdict.style().polish(self._verdict)

    def _on_picked(self, path: str) -> None:
        self.drawing.show_current(path)
        self._typing = ""
        self._show_form()

    def _show_form(self) -> None:
        """Make the form of what is chosen: a layer's, or that of the network as a whole."""
        if self._form is not None:
            self._place.removeWidget(self._form)
            self._form.hide()  # it goes a moment later
            self._form.deleteLater()
            self._form = None
        place = place_in(self.tree.path())
        thing = self._at(place) if place is not None else self._spec
        if not isinstance(thing, tuple):
            self._form = SpecForm(thing, live=True)
            self._form.setObjectName("layer_form")
            self._form.changed.connect(self._on_form)
            self._place.addWidget(self._form)
        self._explain()
        reason = "" if place is not None else "Choose a layer first."
        for each, tip in ((self._double, "Ctrl+D"), (self._up, "Alt+Up"),
                          (self._down, "Alt+Down"), (self._remove, "Delete")):  # fmt: skip
            enable(each, reason, tip=tip)

    def _explain(self) -> None:
        """Say what the thing chosen is, and the sums behind its figures."""
        path = self.tree.path()
        place = place_in(path)
        row = self._rows.get(path)
        thing = self._at(place) if place is not None else None
        if place is None or thing is None:
            self._title.setText("The network as a whole")
            self._about.setText(_ABOUT_HEAD if path == "head" else _ABOUT_DATA)
            self._sums.setText("")
        elif isinstance(thing, tuple):
            self._title.setText(f"Branch {place[-1] + 1}")
            self._about.setText("Its layers see what enters the block.")
            self._sums.setText("")
        else:
            self._title.setText(row.title if row is not None else "")
            self._about.setText(_first_line(type(thing)))
            sums = () if row is None or row.problem else reckoning(
                thing, self._entering(place), row.output
            )  # fmt: skip
            self._sums.setText("\n".join(sums))
        self._sums.setVisible(bool(self._sums.text()))

    def _on_form(self) -> None:
        if self._form is None:
            return
        path, spec = self.tree.path(), self._form.spec()
        place = place_in(path)
        if place is None:
            changes = dict(cast("LayersSpec", spec)) | {"layers": self._spec.layers}
        else:
            changes = {"layers": edits.replaced(self._spec.layers, place, cast("Any", spec))}
        if self._take(changes, f"typing {path}"):
            self._show()

    # Where things are

    def _at(self, place: Place) -> Any:
        return edits.at(self._spec.layers, place)

    def _is_holder(self, place: Place) -> bool:
        return isinstance(self._at(place), Residual | Inception | tuple)

    def _where(self) -> Place:
        """Return where a new layer goes."""
        path = self.tree.path()
        place = place_in(path)
        if place is None:
            return (len(self._spec.layers) if path == "head" else 0,)
        thing = self._at(place)
        if isinstance(thing, Residual | tuple):
            return (*place, len(edits.children(thing)))
        return (*place[:-1], place[-1] + 1)

    def _entering(self, place: Place) -> tuple[int, ...]:
        """Return channels and size of what enters the layer at a place."""
        if place[-1] > 0 and not edits.is_branch(self._spec.layers, place):
            before = self._rows.get(".".join(map(str, (*place[:-1], place[-1] - 1))))
            if before is not None:
                return before.output
        if len(place) == 1:
            return (self._outlets[0], *(self._spec.patch,) * self._spec.dims)
        return self._entering(place[:-1])


_ABOUT_DATA = "What the first layer sees: a patch of the data with all its bands."
_ABOUT_HEAD = (
    "The last layer follows by itself: one output for each class. Softmax turns them into shares"
    " that sum to one."
)


def verdict(found: Outline) -> str:
    """Say what a list of layers is as a network, or why it cannot be one."""
    if found.problem:
        return f"{found.problem[:1].upper()}{found.problem[1:]}."
    leaves = [row for row in found.rows if row.is_leaf]
    learns, costs = (sum(getattr(r, name) for r in leaves) for name in ("parameters", "operations"))
    return (
        f"{plural(learns, 'parameter')} · {counted(costs)} multiply-adds a patch · "
        f"{_TASKS[found.task or 'patches']}"
    )


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").splitlines()[0]
