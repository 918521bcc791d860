"""A button to choose one band, or three for red, green and blue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QMenu,
    QToolButton,
    QWidget,
    QWidgetAction,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHANNELS = ("Red", "Green", "Blue")


class BandButton(QToolButton):
    """Shows which bands are drawn; its menu lists single bands and holds a choice of any three.

    Signals
    -------
    bands_chosen: a tuple of one or three band numbers, from 0.
    """

    bands_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self._natural: tuple[int, ...] | None = None
        self._bands: tuple[int, ...] = ()
        self._combos: tuple[QComboBox, ...] = ()
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolTip("Bands to draw: one through the colour map, or three as colours")
        self.setMenu(QMenu(self))

    def set_choices(self, names: Sequence[str], natural: tuple[int, ...] | None = None) -> None:
        """Offer these bands; `natural` are those the metadata calls red, green and blue."""
        if (tuple(names), natural) != (self._names, self._natural):
            self._names, self._natural = tuple(names), natural
            self._bands = ()

    def set_bands(self, bands: tuple[int, ...]) -> None:
        """Show which bands are drawn."""
        if bands == self._bands:
            return
        self._bands = bands
        names = [self._names[band] for band in bands if band < len(self._names)]
        self.setText(self._title(bands))
        self.setToolTip("Bands drawn: " + ", ".join(names))
        self._fill(bands)

    def _title(self, bands: tuple[int, ...]) -> str:
        if bands == self._natural:
            return "Natural colours"
        if len(bands) == 3:
            return "Bands " + " ".join(str(band + 1) for band in bands)
        name = self._names[bands[0]] if bands[0] < len(self._names) else ""
        return name if len(name) <= 18 else name[:17] + "\u2026"

    def _fill(self, bands: tuple[int, ...]) -> None:
        menu = self.menu()
        menu.clear()
        group = QActionGroup(menu)
        choices: list[tuple[tuple[int, ...], str]] = [
            ((i,), name) for i, name in enumerate(self._names)
        ]
        if self._natural is not None:
            choices.insert(0, (self._natural, "Natural colours"))
        for choice, name in choices:
            action = QAction(name, group, checkable=True, checked=choice == bands)
            action.triggered.connect(lambda _=False, chosen=choice: self.bands_chosen.emit(chosen))
            menu.addAction(action)
        if len(self._names) >= 3:
            menu.addSeparator()
            menu.addAction(self._three(menu, bands))

    def _three(self, menu: QMenu, bands: tuple[int, ...]) -> QWidgetAction:
        form = QWidget(menu)
        layout = QFormLayout(form)
        shown = bands if len(bands) == 3 else (self._natural or (0, 1, 2))
        self._combos = tuple(QComboBox(form) for _ in _CHANNELS)
        for combo, channel, band in zip(self._combos, _CHANNELS, shown, strict=True):
            combo.addItems(list(self._names))
            combo.setCurrentIndex(band)
            combo.activated.connect(self._choose_three)
            layout.addRow(channel, combo)
        action = QWidgetAction(menu)
        action.setDefaultWidget(form)
        return action

    def _choose_three(self) -> None:
        self.bands_chosen.emit(tuple(combo.currentIndex() for combo in self._combos))
