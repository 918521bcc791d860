"""Light and dark: one set of colours each, as palette and style sheet; icons in their tint."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import cache
from string import Template
from typing import TYPE_CHECKING, Literal, Protocol

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QStyleFactory
from shiboken6 import isValid

from geocnn_gui import resources

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

Mode = Literal["system", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours of one appearance, "#rrggbb"."""

    window: str
    card: str
    border: str
    text: str
    muted: str
    accent: str
    on_accent: str
    tint: str  # behind what is chosen
    hover: str
    warning: str
    error: str


LIGHT = Colours(
    window="#f4f5f7", card="#ffffff", border="#d9dde3", text="#1c2128", muted="#667085",
    accent="#2169c4", on_accent="#ffffff", tint="#d3e1f2", hover="#e8ebf0",
    warning="#a86400", error="#c0362c",
)  # fmt: skip
DARK = Colours(
    window="#1e2126", card="#262a31", border="#3a404a", text="#e6e9ee", muted="#99a2b0",
    accent="#4c9be8", on_accent="#0e1217", tint="#27394c", hover="#31363f",
    warning="#e5a445", error="#f0766b",
)  # fmt: skip

_SHEET = Template("""
QMainWindow, QDialog { background: $window; }
QFrame[card="true"] { background: $card; border: 1px solid $border; border-radius: 7px; }
QLabel[role="heading"] { color: $muted; font-weight: 600; letter-spacing: 1px; }
QLabel[role="title"] { font-weight: 600; }
QLabel[role="muted"] { color: $muted; }
QLabel[role="caption"] { color: $muted; font-size: 8pt; padding-bottom: 4px; }
QLabel[role="warning"] { color: $warning; }
QLabel[role="error"] { color: $error; }
QLabel[role="figure"] { font-weight: 600; }
QMenuBar { background: $window; padding: 2px 4px; }
QMenuBar::item { padding: 4px 9px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: $hover; }
QMenu { background: $card; border: 1px solid $border; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 8px; border-radius: 4px; margin: 0 2px; }
QMenu::item:selected { background: $tint; color: $text; }
QMenu::item:disabled { color: $muted; }
QMenu::separator { height: 1px; background: $border; margin: 4px 6px; }
QMenu::icon { padding-left: 8px; }
QToolBar { background: $window; border: none; spacing: 4px; padding: 2px 10px 6px 10px; }
QToolBar::separator { width: 1px; background: $border; margin: 7px 7px; }
QToolButton { border: none; border-radius: 6px; padding: 5px; background: transparent; }
QToolButton:hover { background: $hover; }
QToolButton:checked { background: $tint; }
QToolButton:pressed { background: $tint; }
QToolButton:focus { border: 1px solid $accent; padding: 4px; }
QToolButton[role="folded"] { padding-right: 16px; }
QToolButton[role="folded"]:focus { padding-right: 15px; }
QToolButton[role="folded"]::menu-button { border: none; background: transparent; width: 15px; }
QToolButton[role="folded"]::menu-button:hover { background: $tint; border-radius: 6px; }
QToolButton[role="fold"] { color: $muted; padding: 2px 0; }
QToolButton[role="fold"]:hover { background: transparent; color: $text; }
QPushButton { background: $card; border: 1px solid $border; border-radius: 6px;
  padding: 5px 12px; min-height: 18px; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $tint; }
QPushButton:focus { border-color: $accent; }
QPushButton:disabled { color: $muted; background: $window; }
QPushButton[primary="true"] { background: $accent; border-color: $accent; color: $on_accent;
  font-weight: 600; padding: 7px 12px; }
QPushButton[primary="true"]:hover { background: $accent_hover; }
QPushButton[primary="true"]:focus { border-color: $accent_focus; }
QPushButton[primary="true"]:disabled { background: $hover; border-color: $border; color: $muted; }
QPushButton[link="true"] { border: none; background: transparent; color: $accent; padding: 0;
  text-align: left; }
QPushButton[link="true"]:hover { text-decoration: underline; }
QTabBar { qproperty-drawBase: 0; background: transparent; }
QTabBar::tab { background: transparent; border: none; border-bottom: 2px solid transparent;
  color: $muted; padding: 4px 4px 5px 4px; margin: 0; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
QTabBar::tab:focus { color: $accent; }
QTreeWidget, QTableWidget, QListWidget, #step_table { background: transparent; border: none; outline: none; }
QTreeWidget::item, QListWidget::item { padding: 2px 0; border-radius: 4px; }
QTreeWidget::item:hover, QListWidget::item:hover { background: $hover; }
QTreeWidget::item:selected, QListWidget::item:selected, QTableWidget::item:selected,
#step_table::item:selected {
  background: $tint; color: $text; }
QTableWidget, #step_table { gridline-color: transparent; }
QHeaderView::section { background: transparent; color: $muted; border: none; padding: 2px 4px; }
QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: none; }
QScrollBar:vertical { background: transparent; width: 8px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 8px; margin: 0; }
QScrollBar::handle { background: $border; border-radius: 3px; min-height: 24px; min-width: 24px;
  margin: 1px; }
QScrollBar::handle:hover { background: $muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $border; }
QSlider::handle:horizontal { width: 14px; height: 14px; margin: -5px 0; border-radius: 7px;
  background: $accent; }
QSlider::handle:horizontal:disabled { background: $muted; }
QSlider::handle:horizontal:focus { border: 2px solid $text; width: 10px; height: 10px; }
QRadioButton::indicator { width: 12px; height: 12px; border: 1px solid $muted; border-radius: 7px;
  background: transparent; }
QRadioButton::indicator:hover, QRadioButton::indicator:focus { border-color: $accent; }
QRadioButton::indicator:checked { width: 6px; height: 6px; border: 4px solid $accent;
  background: $on_accent; }
QRadioButton::indicator:disabled { border-color: $border; }
QRadioButton:disabled { color: $muted; }
QProgressBar { background: $border; border: none; border-radius: 4px; max-height: 8px;
  min-height: 8px; }
QProgressBar::chunk { background: $accent; border-radius: 4px; }
QSplitter::handle { background: transparent; }
QStatusBar { background: $window; color: $muted; }
QStatusBar::item { border: none; }
QStatusBar QLabel { color: $muted; }
QToolTip { background: $card; color: $text; border: 1px solid $border; padding: 4px; }
QFrame[bar="info"] { background: $tint; border-radius: 6px; }
QFrame[bar="warning"] { background: $warning_back; border-radius: 6px; }
QFrame[bar="error"] { background: $error_back; border-radius: 6px; }
QFrame[bar] QPushButton { background: transparent; }
QPlainTextEdit { background: $card; border: 1px solid $border; border-radius: 4px; }
""")


class _Iconed(Protocol):
    def setIcon(self, icon: QIcon, /) -> None: ...


#: What shows an icon and must get it anew in another tint: weak reference, icon, colour's name.
_iconed: list[tuple[weakref.ref[_Iconed], str, str]] = []


def colours() -> Colours:
    """Return the colours in use."""
    return DARK if QApplication.palette().window().color().lightness() < 128 else LIGHT


def apply_theme(app: QApplication, mode: Mode) -> None:
    """Dress the whole program; "system" follows what the desktop says now."""
    dark = mode == "dark" or (
        mode == "system" and app.styleHints().colorScheme() == Qt.ColorScheme.Dark
    )
    chosen = DARK if dark else LIGHT
    if app.style().name() != "fusion":
        app.setStyle(QStyleFactory.create("Fusion"))
    app.setPalette(_palette(chosen))
    app.setStyleSheet(_sheet(chosen))
    living = []
    for reference, name, tint in _iconed:
        target = reference()
        if target is not None and isValid(target):
            target.setIcon(icon(name, getattr(chosen, tint)))
            living.append((reference, name, tint))
    _iconed[:] = living


def set_icon(target: _Iconed, name: str, *, tint: str = "text") -> None:
    """Give `target` an icon in one of the `Colours`, renewed whenever the theme changes."""
    target.setIcon(icon(name, getattr(colours(), tint)))
    _iconed[:] = [entry for entry in _iconed if entry[0]() not in (None, target)]
    _iconed.append((weakref.ref(target), name, tint))


@cache
def icon(name: str, colour: str) -> QIcon:
    """Return an icon drawn in `colour`, paler where disabled; raises `KeyError`."""
    made, drawing = QIcon(), _drawing(name, colour)
    for size in (16, 20, 24, 32, 48, 64):
        whole = _pixmap(drawing, size)
        made.addPixmap(whole)
        made.addPixmap(_paler(whole), QIcon.Mode.Disabled)
    return made


def app_icon() -> QIcon:
    """Return the program's own icon."""
    made, drawing = QIcon(), _drawing("app", "#2169c4")
    for size in (16, 32, 48, 128, 256):
        made.addPixmap(_pixmap(drawing, size))
    return made


def repolish(widget: QWidget, **properties: str) -> None:
    """Set properties that the style sheet looks at and let it look again."""
    for name, value in properties.items():
        widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def _drawing(name: str, colour: str) -> QSvgRenderer:
    text = resources.icon(name).read_text(encoding="utf-8").replace("currentColor", colour)
    return QSvgRenderer(QByteArray(text.encode()))


def _pixmap(drawing: QSvgRenderer, size: int) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    drawing.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap


def _paler(whole: QPixmap) -> QPixmap:
    """Return what is not to be used just now; drawing the SVG again would take ten times as long."""
    pixmap = QPixmap(whole.size())
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setOpacity(0.35)
    painter.drawPixmap(0, 0, whole)
    painter.end()
    return pixmap


def mix(one: str, other: str, share: float) -> str:
    """Return `share` of `one` in `other`, "#rrggbb"."""
    a, b = QColor(one), QColor(other)
    pairs = (a.redF(), b.redF()), (a.greenF(), b.greenF()), (a.blueF(), b.blueF())
    return QColor.fromRgbF(*(x * share + y * (1 - share) for x, y in pairs)).name()


def _sheet(c: Colours) -> str:
    names = {name: getattr(c, name) for name in Colours.__slots__}
    return _SHEET.substitute(
        names,
        accent_focus=mix(c.accent, c.text, 0.5),
        accent_hover=mix(c.accent, c.text, 0.88),
        warning_back=mix(c.warning, c.card, 0.18),
        error_back=mix(c.error, c.card, 0.18),
    )


def _palette(c: Colours) -> QPalette:
    role = QPalette.ColorRole
    table = {
        role.Window: c.window, role.WindowText: c.text, role.Base: c.card,
        role.AlternateBase: c.window, role.Text: c.text, role.Button: c.card,
        role.ButtonText: c.text, role.BrightText: c.error, role.Highlight: c.accent,
        role.HighlightedText: c.on_accent, role.Link: c.accent, role.Accent: c.accent,
        role.ToolTipBase: c.card, role.ToolTipText: c.text, role.PlaceholderText: c.muted,
        role.Light: c.card, role.Midlight: c.hover, role.Mid: c.border, role.Dark: c.border,
        role.Shadow: c.border,
    }  # fmt: skip
    palette = QPalette()
    for each, colour in table.items():
        palette.setColor(each, QColor(colour))
    for each in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, each, QColor(mix(c.muted, c.card, 0.7)))
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(c.border))
    return palette
