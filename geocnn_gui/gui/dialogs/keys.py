"""All keys on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import label

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What the mouse does, and keys that belong to a tool rather than to an action.
MOUSE = (
    ("Wheel", "Zoom at the cursor"),
    ("Middle drag, Space + drag", "Pan"),
    ("Double click", "Fit"),
    ("Shift+Wheel", "Opacity of the overlay"),
    ("Enter", "End the polygon or line, paint the smart edge"),
    ("Backspace", "Take a point or scribble back"),
    ("Esc", "Drop the shape in hand"),
)


class KeysDialog(QDialog):
    """Shows (key, what it does) in two columns; does not block the window."""

    def __init__(self, rows: Iterable[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("keys_dialog")
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.addWidget(
            label("Keys without Ctrl act while the picture has the focus.", role="muted")
        )
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        shown = [*rows, *MOUSE]
        half = -(-len(shown) // 2)
        for i, (key, text) in enumerate(shown):
            column = 3 * (i // half)
            grid.addWidget(label(key, role="figure"), i % half, column)
            grid.addWidget(label(text), i % half, column + 1)
        grid.setColumnMinimumWidth(2, 24)
        layout.addLayout(grid)
