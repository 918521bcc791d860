"""What is shown while nothing is open: open, continue, or try an example."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from geocnn_gui.gui.theme import app_icon
from geocnn_gui.gui.widgets.card import Card, button, label, link
from geocnn_gui.project.recent import recent_projects

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from PySide6.QtGui import QMouseEvent, QPaintEvent, QResizeEvent

    from geocnn_gui.gui.session import Session
    from geocnn_gui.project.recent import Recent

#: Name of an example -> title and what it is.
_EXAMPLES: dict[str, tuple[str, str]] = {
    "seismic": ("Seismic cube", "Folded layers, faults and a salt body to paint"),
    "scene": ("Satellite scene", "River, fields, forest and a town to paint"),
    "patches": ("Three structures", "Textbook patches: layered, faulted or dome?"),
    "traces": ("Three arrivals", "Textbook traces: noise, up or down?"),
    "denoise": ("Noise away", "A noisy line learns to look like the clean one"),
}
_WIDEST, _THUMBNAIL_HEIGHT = 1120, 112
#: Of these all is shown, nothing cut.
_WHOLE = ("patches", "traces")
_COVER = Qt.AspectRatioMode.KeepAspectRatioByExpanding
_MOST_RECENT = 5


class Welcome(QWidget):
    """The first page; the window accepts dropped files at any time."""

    def __init__(
        self, session: Session, *, ask_open: Callable[[], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self._session = session
        self._thumbnails: dict[str, _Thumbnail] = {}
        self._column = column = QWidget()
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
        cards.setSpacing(12)
        for name, (title, text) in _EXAMPLES.items():
            cards.addWidget(self._example(name, title, text), 1)
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
                "Open a SEG-Y line or cube, a GeoTIFF or picture, a NumPy array, or a folder of "
                "pictures by class – or drop it anywhere on this window.",
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

    def _example(self, name: str, title: str, text: str) -> Card:
        card = _ExampleCard(lambda: self._session.open_path(f"example:{name}"))
        thumbnail = self._thumbnails[name] = _Thumbnail(name)
        opener = link(
            "Open", lambda: self._session.open_path(f"example:{name}"), name=f"example_{name}",
            tip=f"Open the example: {title.lower()}",
        )  # fmt: skip
        opener.setAccessibleName(f"Open the example: {title}")
        card.body.addWidget(thumbnail)
        card.body.addWidget(label(title, role="title"))
        card.body.addWidget(label(text, role="muted", wrap=True), 1)
        card.body.addWidget(opener)
        return card

    def draw_thumbnails(self) -> None:
        """Draw the examples from their own data, in the background."""
        from geocnn_gui.data.synthetic import thumbnail

        for name, target in self._thumbnails.items():
            self._session.call(
                lambda name=name: thumbnail(name),
                target.show_pixels,
            )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the page as wide as is good to look at."""
        self._column.setFixedWidth(max(400, min(_WIDEST, self.width() - 8)))

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


class _Thumbnail(QLabel):
    """A picture that fills the width of its card, cut where it has other proportions."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(f"thumbnail_{name}")
        self.setFixedHeight(_THUMBNAIL_HEIGHT)
        self._whole = name in _WHOLE
        self.setMinimumWidth(20)

    def show_pixels(self, pixels: np.ndarray) -> None:
        """Show uint8 (rows, columns, 3 or 4)."""
        height, width, channels = pixels.shape
        layout = QImage.Format.Format_RGB888 if channels == 3 else QImage.Format.Format_RGBA8888
        image = QImage(pixels.tobytes(), width, height, channels * width, layout)
        self.setPixmap(QPixmap.fromImage(image))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        if self.pixmap().isNull():
            return
        ratio = self.devicePixelRatioF()
        how = Qt.AspectRatioMode.KeepAspectRatio if self._whole else _COVER
        fitted = self.pixmap().scaled(
            self.size() * ratio, how, Qt.TransformationMode.SmoothTransformation
        )
        fitted.setDevicePixelRatio(ratio)
        size = fitted.deviceIndependentSize()
        x, y = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
        QPainter(self).drawPixmap(QPointF(x, y), fitted)
