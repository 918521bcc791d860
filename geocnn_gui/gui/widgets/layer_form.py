"""What is chosen in a network of layers: its fields, and the sums behind its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import label
from geocnn_gui.gui.widgets.layer_tree import place_in
from geocnn_gui.gui.widgets.spec_form import SpecForm

if TYPE_CHECKING:
    from geocnn_gui.gui.widgets.layer_view import LayerView

_ABOUT_DATA = "What the first layer sees: a patch of the data with all its bands."
_ABOUT_HEAD = (
    "The last layer follows by itself: one output for each class. Softmax turns them into shares"
    " that sum to one."
)


class LayerForm(QWidget):
    """Edits the layer chosen, or the network as a whole where data or head is chosen.

    Signals
    -------
    changed: the layer, or the spec of the network, as the form has it now.
    """

    changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._title = label(role="title", name="layer_title", wrap=True)
        self._about = label(role="muted", name="layer_about", wrap=True)
        self._sums = label(role="muted", name="layer_sums", wrap=True)
        self._sums.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._place = QVBoxLayout()
        self._form: SpecForm | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(8)
        for widget in (self._title, self._about):
            column.addWidget(widget)
        column.addLayout(self._place)
        column.addWidget(self._sums)
        column.addStretch(1)

    def show_thing(self, view: LayerView, path: str) -> None:
        """Make the form anew for what the row called `path` is."""
        if self._form is not None:
            self._place.removeWidget(self._form)
            self._form.hide()  # it goes a moment later
            self._form.deleteLater()
            self._form = None
        place = place_in(path)
        thing = view.at(place) if place is not None else view.spec
        if not isinstance(thing, tuple):
            self._form = SpecForm(thing, live=True)
            self._form.setObjectName("layer_form")
            self._form.changed.connect(self._tell)
            self._place.addWidget(self._form)
            self._form.show()
        self.explain(view, path)

    def explain(self, view: LayerView, path: str) -> None:
        """Say what is chosen and how its figures come about."""
        place, row = place_in(path), view.rows.get(path)
        thing: Any = view.at(place) if place is not None else None
        if place is None:
            title, about = "The network as a whole", _ABOUT_HEAD if path == "head" else _ABOUT_DATA
        elif isinstance(thing, tuple):
            title, about = f"Branch {place[-1] + 1}", "Its layers see what enters the block."
        else:
            title = row.title if row is not None else ""
            about = (type(thing).__doc__ or "").splitlines()[0]
        self._title.setText(title)
        self._about.setText(about)
        self._sums.setText("\n".join(view.sums(path)))
        self._sums.setVisible(bool(self._sums.text()))

    def _tell(self) -> None:
        if self._form is not None:
            self.changed.emit(self._form.spec())
