"""A network of one's own layers in small, and the way to its editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import button, label
from geocnn_gui.gui.widgets.layer_drawing import LayerDrawing
from geocnn_gui.gui.widgets.layer_view import LayerView
from geocnn_gui.gui.widgets.layers_editor import LayersEditor
from geocnn_gui.models.spec import LayersSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.session import Session


class LayersLine(QWidget):
    """Draws the layers of the session's network; `use` takes another list from the editor."""

    def __init__(self, session: Session, *, use: Callable[[LayersSpec], None]) -> None:
        super().__init__()
        self.setObjectName("layers_line")
        self._session, self._use = session, use
        self._editor: LayersEditor | None = None
        self.drawing = LayerDrawing()
        self.drawing.setObjectName("layers_picture")
        self.drawing.picked.connect(self.edit)
        self._verdict = label(name="layers_problem", wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.drawing)
        layout.addWidget(self._verdict)
        layout.addWidget(
            button("Edit layers…", self.edit, name="edit_layers", tip="Add, change and move layers")
        )
        for signal in (session.specs_changed, session.source_changed, session.classes_changed,
                       session.target_changed):  # fmt: skip
            signal.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Draw the layers as they are, here and in the editor."""
        spec = self._session.model_spec
        if not isinstance(spec, LayersSpec):
            return  # another network was chosen; this goes with its form
        view = LayerView(spec, *self._session.outlets)
        self.drawing.show_boxes(view.boxes())
        problem = view.outline.problem
        self._verdict.setProperty("role", "error" if problem else "muted")
        self._verdict.setText(view.verdict() if problem else f"As it is, it {view.task()}.")
        self._verdict.style().polish(self._verdict)
        if self._editor is not None:
            self._editor.set_outlets(*view.outlets)
            self._editor.show_spec(spec)

    def edit(self, path: str = "") -> None:
        """Open the editor, or bring it to the front; `path` is chosen there."""
        spec = self._session.model_spec
        if self._editor is None and isinstance(spec, LayersSpec):
            self._editor = LayersEditor(spec, self)
            self._editor.changed.connect(self._use)
            self.refresh()
        if self._editor is not None:
            if path:
                self._editor.tree.pick(path)
            self._editor.show()
            self._editor.raise_()
            self._editor.activateWindow()
