"""What is shown while nothing is open: open, continue, or try an example."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from geocnn_gui.gui.theme import app_icon
from geocnn_gui.gui.widgets.card import Card, button, label, link
from geocnn_gui.project.recent import recent_projects

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from PySide6.QtGui import QMouseEvent

    from geocnn_gui.data.synthetic import Example
    from geocnn_gui.gui.session import Session
    from geocnn_gui.project.recent import Recent

#: Name of an example -> title and what it is.
_EXAMPLES: dict[Example, tuple[str, str]] = {
    "seismic": ("Seismic cube", "Folded layers, faults and a salt body"),
    "scene": ("Satellite scene", "River, fields, forest and a town"),
}
_THUMBNAIL = QSize(280, 158)
_MOST_RECENT = 5


class Welcome(QWidget):
    """The first page; the window accepts dropped files at any time."""

    def __init__(
        self, session: Session, *, ask_open: Callable[[], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self._session = session
        self._thumbnails: dict[Example, QLabel] = {}
        column = QWidget()
        column.setFixedWidth(2 * _THUMBNAIL.width() + 72)
        self._layout = QVBoxLayout(column)
        self._layout.setSpacing(8)
        self._layout.addLayout(self._head(ask_open))
        self._busy = label(role="muted", name="welcome_busy")
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._layout.addWidget(self._busy)
        self._layout.addWidget(self._bar)
        session.busy_changed.connect(self._show_busy)
        self._show_busy("")
        self._layout.addSpacing(16)
        self._layout.addWidget(label("OR TRY AN EXAMPLE", role="heading"))
        cards = QHBoxLayout()
        cards.setSpacing(16)
        for name, (title, text) in _EXAMPLES.items():
            cards.addWidget(self._example(name, title, text))
        self._layout.addLayout(cards)
        self._layout.addSpacing(16)
        self._recent_head = label("RECENT", role="heading")
        self._layout.addWidget(self._recent_head)
        self._recent = QVBoxLayout()
        self._layout.addLayout(self._recent)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        outer = QVBoxLayout(self)
        outer.addStretch(2)
        outer.addWidget(column, 0, Qt.AlignmentFlag.AlignHCenter)
        outer.addStretch(3)
        session.source_changed.connect(self._list_recent)
        self._list_recent()

    def _head(self, ask_open: Callable[[], None]) -> QHBoxLayout:
        picture = QLabel()
        picture.setPixmap(app_icon().pixmap(QSize(56, 56)))
        words = QVBoxLayout()
        words.setSpacing(4)
        title = label("Paint a few strokes, get a map.", role="title", name="welcome_title")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.6)
        title.setFont(font)
        words.addWidget(title)
        words.addWidget(
            label(
                "Open a SEG-Y line or cube, a GeoTIFF or picture, or a NumPy array – "
                "or drop it anywhere on this window.",
                role="muted",
                wrap=True,
            )
        )
        opener = button("Open a file…", ask_open, name="welcome_open", primary=True, tip="Ctrl+O")
        line = QHBoxLayout()
        line.setSpacing(16)
        line.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(words, 1)
        line.addWidget(opener, 0, Qt.AlignmentFlag.AlignVCenter)
        return line

    def _example(self, name: Example, title: str, text: str) -> Card:
        card = _ExampleCard(lambda: self._session.open_path(f"example:{name}"))
        thumbnail = QLabel()
        thumbnail.setObjectName(f"thumbnail_{name}")
        thumbnail.setFixedHeight(_THUMBNAIL.height())
        thumbnail.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._thumbnails[name] = thumbnail
        opener = button(
            f"Open the {title.lower()}", lambda: self._session.open_path(f"example:{name}"),
            name=f"example_{name}",
        )  # fmt: skip
        card.body.addWidget(thumbnail)
        card.body.addWidget(label(title, role="title"))
        card.body.addWidget(label(text, role="muted", wrap=True))
        card.body.addWidget(opener)
        return card

    def draw_thumbnails(self) -> None:
        """Draw the examples from their own data, in the background."""
        from geocnn_gui.data.synthetic import thumbnail

        for name, target in self._thumbnails.items():
            self._session.call(
                lambda name=name: thumbnail(name),
                lambda pixels, target=target: _show_pixels(target, pixels),
            )

    def _show_busy(self, text: str) -> None:
        """Say what is being opened; keep the room for it, so that nothing jumps."""
        self._busy.setText(f"{text} …" if text else "")
        policy = self._bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._bar.setSizePolicy(policy)
        self._bar.setVisible(bool(text))

    def _list_recent(self) -> None:
        while (item := self._recent.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        recent = [r for r in recent_projects() if r.exists][:_MOST_RECENT]
        self._recent_head.setVisible(bool(recent))
        for number, each in enumerate(recent):
            self._recent.addWidget(self._recent_line(number, each))

    def _recent_line(self, number: int, each: Recent) -> QWidget:
        return link(
            each.source, lambda: self._session.open_project(each.folder), name=f"recent_{number}",
            tip=f"Continue {each.name}, last open {each.opened[:10]}",
        )  # fmt: skip


class _ExampleCard(Card):
    """A card that acts wherever it is clicked; its button is there for the keyboard."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self._act = act
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Open the example."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._act()


def _show_pixels(target: QLabel, pixels: np.ndarray) -> None:
    """Show uint8 (rows, columns, 3), cut to fill the label."""
    height, width, _ = pixels.shape
    image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    fitted = QPixmap.fromImage(image).scaled(
        _THUMBNAIL, Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )  # fmt: skip
    x, y = fitted.width() - _THUMBNAIL.width(), fitted.height() - _THUMBNAIL.height()
    target.setPixmap(fitted.copy(x // 2, y // 2, _THUMBNAIL.width(), _THUMBNAIL.height()))
