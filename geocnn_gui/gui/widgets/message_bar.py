"""The bar above the canvas: one sentence at a time, a way out, details to unfold and copy."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from geocnn_gui.gui.theme import repolish, set_icon
from geocnn_gui.gui.widgets.card import button, label

if TYPE_CHECKING:
    from collections.abc import Callable

#: An information goes by itself after so long; warnings and errors stay.
INFO_MS = 8000
_MOST_WAITING = 8


#: What must be read first: a message of a higher rank pushes one of a lower rank aside.
_RANKS = {"info": 0, "warning": 1, "error": 2}


class MessageBar(QFrame):
    """Shows messages (anything with text, kind, details, actions); hidden while there is none.

    An error or warning takes the place of an information at once; everything else waits its
    turn, and the close button says how many do.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message_bar")
        self._waiting: deque[Any] = deque(maxlen=_MOST_WAITING)
        self._shown: Any = None
        self._icon = QToolButton(self)
        self._icon.setEnabled(True)
        self._icon.setIconSize(QSize(18, 18))
        self._icon.setFocusPolicy(self._icon.focusPolicy().NoFocus)
        self._text = label(name="message_text", wrap=True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)  # file names may look like markup
        self._text.setTextInteractionFlags(self._text.textInteractionFlags().TextSelectableByMouse)
        self._more = button("Details", self._toggle_details, name="message_details")
        self._copy = button("Copy", self._copy_details, name="message_copy")
        self._actions: list[QPushButton] = []
        self._close = QToolButton(self)
        self._close.setObjectName("message_close")
        self._close.clicked.connect(self.dismiss)
        self._details = QPlainTextEdit(self)
        self._details.setObjectName("message_details_text")
        self._details.setReadOnly(True)
        self._details.setMaximumHeight(120)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        self._lay_out()
        self.hide()

    def _lay_out(self) -> None:
        self._line = QHBoxLayout()
        self._line.setSpacing(8)
        self._line.addWidget(self._icon)
        self._line.addWidget(self._text, 1)
        for widget in (self._more, self._copy, self._close):
            self._line.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 4, 4)
        layout.addLayout(self._line)
        layout.addWidget(self._details)
        set_icon(self._close, "close")

    @property
    def text(self) -> str:
        """Return the sentence shown, "" for none."""
        return self._shown.text if self._shown is not None else ""

    def show_message(self, message: Any) -> None:
        """Show a message now, or after those that must be read first."""
        if self._shown is not None and message.text == self._shown.text:
            return
        if self._shown is None or (self._shown.kind == "info" and not self._shown.actions):
            self._put(message)
        elif _RANKS[message.kind] > _RANKS[self._shown.kind]:
            self._waiting.appendleft(self._shown)  # what it offers comes back
            self._put(message)
        else:
            self._waiting.append(message)
            self._name_close()

    def dismiss(self) -> None:
        """Take the message away and show the next, if any."""
        if self._waiting:
            self._put(self._waiting.popleft())
        else:
            self._shown = None
            self._timer.stop()
            self.hide()

    def clear(self) -> None:
        """Forget every message."""
        self._waiting.clear()
        self.dismiss()

    def _put(self, message: Any) -> None:
        self._shown = message
        self._text.setText(message.text)
        tint = {"warning": "warning", "error": "error"}.get(message.kind, "accent")
        set_icon(self._icon, message.kind, tint=tint)
        self._details.setPlainText(message.details)
        self._details.hide()
        self._more.setVisible(bool(message.details))
        self._copy.setVisible(bool(message.details))
        self._set_actions(message.actions)
        self._name_close()
        repolish(self, bar=message.kind)
        self.setVisible(True)
        if message.kind == "info" and not message.actions:
            self._timer.start(INFO_MS)
        else:
            self._timer.stop()

    def _set_actions(self, actions: tuple[tuple[str, Callable[[], object]], ...]) -> None:
        for old in self._actions:
            self._line.removeWidget(old)
            old.deleteLater()
        self._actions = []
        for number, (text, act) in enumerate(actions):
            made = button(text, lambda act=act: self._act(act), name=f"message_action_{number}")
            self._line.insertWidget(2 + number, made)
            self._actions.append(made)

    def _act(self, act: Callable[[], object]) -> None:
        self.dismiss()
        act()

    def _name_close(self) -> None:
        waiting = len(self._waiting)
        self._close.setToolTip(f"Close ({waiting} more)" if waiting else "Close")

    def _toggle_details(self) -> None:
        self._details.setVisible(self._details.isHidden())

    def _copy_details(self) -> None:
        QGuiApplication.clipboard().setText(f"{self.text}\n{self._details.toPlainText()}")

    @property
    def text_label(self) -> QLabel:
        """Return the label of the sentence."""
        return self._text
