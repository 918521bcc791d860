"""One button of the toolbar for several tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMenu, QToolButton, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QAction


class FoldButton(QToolButton):
    """Shows the action used last; its arrow opens the others."""

    def __init__(self, actions: Sequence[QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("fold_button")
        self.setProperty("role", "folded")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        self.setMenu(menu)
        for action in actions:
            menu.addAction(action)
            action.toggled.connect(lambda on, action=action: self._show(action, on))
        self.setDefaultAction(actions[0])

    def _show(self, action: QAction, on: bool) -> None:
        if on:
            self.setDefaultAction(action)
