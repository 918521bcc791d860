"""The sources of the project, what lies over the one in view, and its facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSlider, QTreeWidget, QTreeWidgetItem, QWidget

from geocnn_gui.gui.theme import colours, icon
from geocnn_gui.gui.widgets.card import THIN_SPACE, Card, label, link

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent, QPoint

    from geocnn_gui.data.source import Source
    from geocnn_gui.gui.session import Session
    from geocnn_gui.project.project import SourceEntry

_ID = Qt.ItemDataRole.UserRole
_REMOVED = _ID + 1
_PUT_BACK = "Click to put it back into the project, with its labels"
_ICONS = {"line": "seismic", "cube": "cube", "raster": "raster", "samples": "samples"}
#: Layer -> its name in the tree.
_LAYERS = {"classes": "Prediction", "confidence": "Confidence", "labels": "Labels"}


class ProjectPanel(Card):
    """A tree of sources; a click on an eye shows or hides a layer, the slider fades it."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Project", parent)
        self.setObjectName("project_panel")
        self._session = session
        self._layer = "classes"
        self._tree = QTreeWidget(self)
        self._tree.setObjectName("project_tree")
        self._tree.setHeaderHidden(True)
        self._tree.setIndentation(16)
        self._tree.setIconSize(QSize(16, 16))
        self._tree.itemClicked.connect(self._on_clicked)
        self._tree.itemActivated.connect(self._on_clicked)
        self._tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._tree.customContextMenuRequested.connect(self._show_menu)
        self._facts = label(role="muted", name="source_facts", wrap=True)
        self._vertical = link("", self._switch_vertical, name="switch_vertical")
        self._domain = link("", self._switch_domain, name="switch_domain")
        self._opacity = QSlider(Qt.Orientation.Horizontal, self)
        self._opacity.setObjectName("layer_opacity")
        self._opacity.setRange(0, 100)
        self._opacity.valueChanged.connect(self._on_opacity)
        self._opacity_label = label("Opacity", role="muted")
        self._opacity_label.setBuddy(self._opacity)
        line = QHBoxLayout()
        line.addWidget(self._opacity_label)
        line.addWidget(self._opacity, 1)
        self.body.addWidget(self._tree, 1)
        self.body.addWidget(self._facts)
        self.body.addWidget(self._vertical)
        self.body.addWidget(self._domain)
        self.body.addLayout(line)
        session.project_changed.connect(self._fill)
        session.source_changed.connect(self._fill)
        session.overlay_changed.connect(self._fill)
        session.map_changed.connect(self._fill)
        session.view_changed.connect(self._mark)
        self._fill()

    def _fill(self) -> None:
        project, session = self._session.project, self._session
        self._tree.clear()
        for entry in project.sources if project is not None else ():
            item = QTreeWidgetItem(self._tree, [entry.name])
            item.setData(0, _ID, entry.id)
            item.setToolTip(0, _tip(entry, session.entry_id))
            if entry.id == session.entry_id and session.source is not None:
                kind, tint = _ICONS[session.source.kind], colours().accent
                self._add_layers(item)
            elif entry.unchanged:
                kind, tint = "folder", colours().accent
            else:
                kind, tint = "warning", colours().warning
            item.setIcon(0, icon(kind, tint))
        self._list_removed()
        source = session.source
        self._facts.setText(facts(source) if source is not None else "")
        self._facts.setVisible(source is not None)
        self._show_vertical(source)
        self._show_domain(source)
        self._mark()

    def _list_removed(self) -> None:
        for stored in self._session.removed:
            item = QTreeWidgetItem(self._tree, [f"Removed: {stored.name}"])
            item.setData(0, _REMOVED, stored.id)
            item.setToolTip(0, self._session.why_no_removal() or _PUT_BACK)
            item.setForeground(0, QColor(colours().muted))
            item.setIcon(0, icon("undo", colours().muted))

    def _add_layers(self, item: QTreeWidgetItem) -> None:
        layers = ["labels"]
        if (shown := self._session.shown_map) is not None:
            values = shown.target is not None
            layers = ["classes", "labels"] if values else ["classes", "confidence", "labels"]
        for layer in layers:
            live = layer == "classes" and self._session.live.shows
            name = "Live" if live else _LAYERS[layer]
            child = QTreeWidgetItem(item, [name])
            child.setData(0, _ID, layer)
            child.setToolTip(0, f"Show or hide: {name.lower()}")
        item.setExpanded(True)
        if self._layer not in layers:
            self._layer = "labels"

    def _show_vertical(self, source: Source | None) -> None:
        vertical = next((a for a in source.axes if a.vertical), None) if source else None
        shown = vertical is not None and source is not None and source.format.startswith("SEG-Y")
        self._vertical.setVisible(shown)
        if vertical is not None:
            other = "depth" if vertical.name == "time" else "time"
            self._vertical.setText(f"Read as {other} instead")
            self._vertical.setToolTip(f"The vertical axis is taken as {vertical.name}; change it")

    def _switch_vertical(self) -> None:
        source = self._session.source
        if source is not None:
            is_time = any(axis.name == "time" for axis in source.axes)
            self._session.choose(vertical="depth" if is_time else "time")

    def _show_domain(self, source: Source | None) -> None:
        able = source is not None and "domain" in source.choices and len(source.bands) == 1
        self._domain.setVisible(able)
        if source is not None:
            self._domain.setText(f"Treat as {_other_domain(source)} instead")
            self._domain.setToolTip(f"The file is taken as {source.domain}; change it")

    def _switch_domain(self) -> None:
        if self._session.source is not None:
            self._session.choose(domain=_other_domain(self._session.source))

    def _mark(self) -> None:
        """Draw the eyes and the slider as the view says."""
        for item in self._layer_items():
            layer = item.data(0, _ID)
            shown = self._shown(layer)
            tint = colours().muted
            item.setIcon(0, icon("eye" if shown else "eye-off", tint))
        usable = any(True for _ in self._layer_items())
        view = self._session.view
        value = view.labels_opacity if self._layer == "labels" else view.overlay_opacity
        self._opacity.setEnabled(usable)
        for part in (self._opacity, self._opacity_label):  # samples have frames, no overlay
            part.setVisible(self._session.cell_noun == "pixel")
        self._opacity.blockSignals(True)
        self._opacity.setValue(round(100 * value))
        self._opacity.blockSignals(False)
        what = _LAYERS[self._layer].lower()
        self._opacity.setToolTip(f"Opacity of the {what} (Shift+wheel on the picture)")

    def _layer_items(self) -> list[QTreeWidgetItem]:
        tops = [self._tree.topLevelItem(i) for i in range(self._tree.topLevelItemCount())]
        children = (t.child(i) for t in tops if t is not None for i in range(t.childCount()))
        return [child for child in children if child is not None]

    def _shown(self, layer: str) -> bool:
        view = self._session.view
        if layer == "labels":
            return view.labels_visible
        return view.overlay_visible and view.overlay == layer

    def _on_clicked(self, item: QTreeWidgetItem) -> None:
        what = item.data(0, _ID)
        if what is None:
            self._session.put_back(item.data(0, _REMOVED))
            return
        if what not in _LAYERS:
            self._session.show_entry(what)
            return
        self._layer = what
        if what == "labels":
            self._session.set_view(labels_visible=not self._session.view.labels_visible)
        elif self._shown(what):
            self._session.set_view(overlay_visible=False)
        else:
            self._session.set_view(overlay=what, overlay_visible=True)
        self._mark()

    def _show_menu(self, at: QPoint) -> None:
        """Offer what can be done with a source."""
        item = self._tree.itemAt(at)
        if item is None or item.data(0, _ID) in _LAYERS:
            return
        session, entry_id = self._session, item.data(0, _ID)
        menu = QMenu(self)
        menu.setObjectName("source_menu")
        menu.setToolTipsVisible(True)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if entry_id is None:
            self._offer_back(menu, item.data(0, _REMOVED))
            menu.popup(self._tree.viewport().mapToGlobal(at))
            return
        show = menu.addAction("Show", lambda: session.show_entry(entry_id))
        show.setEnabled(entry_id != session.entry_id)
        busy = session.busy
        rows = (
            ("Choose its file…", lambda: session.request_place.emit(entry_id), busy,
             "Say where the data of this source are now"),
            ("Remove from project", lambda: session.remove_source(entry_id),
             session.why_no_removal(), "Its labels are kept, and it can be put back"),
        )  # fmt: skip
        for text, act, reason, tip in rows:
            action = menu.addAction(text, act)
            action.setEnabled(not reason)
            action.setToolTip(reason or tip)
        menu.popup(self._tree.viewport().mapToGlobal(at))

    def _offer_back(self, menu: QMenu, entry_id: str) -> None:
        action, reason = menu.addAction("Put back"), self._session.why_no_removal()
        action.triggered.connect(lambda: self._session.put_back(entry_id))
        action.setEnabled(not reason)
        action.setToolTip(reason or _PUT_BACK)

    def _on_opacity(self, value: int) -> None:
        field = "labels_opacity" if self._layer == "labels" else "overlay_opacity"
        self._session.set_view(**{field: value / 100})

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icons in the new theme's tint."""
        super().changeEvent(event)
        if event.type() == event.Type.PaletteChange and hasattr(self, "_opacity_label"):
            self._fill()


def _tip(entry: SourceEntry, shown: str) -> str:
    if entry.state == "missing":
        return f"No longer at {entry.path}; click to look for it"
    if entry.state == "changed":
        return f"{entry.path} has changed since it was added; click to choose"
    return entry.path if entry.id == shown else "Show this source"


def facts(source: Source) -> str:
    """Say in a few lines what a source is, and what its reader had to guess."""
    sizes = _times([axis.size for axis in source.axes])
    if (samples := source.samples) is not None:
        each = f"{samples.size[0]} long" if samples.dims == 1 else _times(list(samples.size))
        sizes = f"{_times([len(samples)])} samples, {each}"
    parts = [source.format, sizes]
    vertical = next((axis for axis in source.axes if axis.vertical), None)
    if vertical is not None:
        parts.append(f"{vertical.name} every {vertical.step:g} {vertical.unit}".strip())
    if len(source.bands) > 1:
        parts.append(f"{len(source.bands)} bands")
    if source.spacing.pixel_size:
        parts.append(f"{source.spacing.pixel_size:g} m pixels")
    return "\n".join((" · ".join(parts), *source.notes))


def _times(sizes: list[int]) -> str:
    return " × ".join(f"{size:,}".replace(",", THIN_SPACE) for size in sizes)


def _other_domain(source: Source) -> str:
    return "imagery" if source.domain == "seismic" else "seismic"
