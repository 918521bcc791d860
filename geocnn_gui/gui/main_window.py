"""The window: cards around the canvas, menus and toolbar from tables, and nothing else."""

from __future__ import annotations

import base64
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QApplication,
    QMainWindow,
    QMenu,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from geocnn_gui.gui import actions
from geocnn_gui.gui.canvas.gallery.view import Gallery
from geocnn_gui.gui.canvas.view import CanvasView
from geocnn_gui.gui.dialogs.about import AboutDialog, may_quit
from geocnn_gui.gui.dialogs.files import Asker
from geocnn_gui.gui.dialogs.keys import KeysDialog
from geocnn_gui.gui.panels.classes_panel import ClassesPanel
from geocnn_gui.gui.panels.project_panel import ProjectPanel
from geocnn_gui.gui.panels.runs_panel import RunsPanel
from geocnn_gui.gui.panels.side import SidePanel
from geocnn_gui.gui.panels.status import StatusLine
from geocnn_gui.gui.panels.welcome import Welcome
from geocnn_gui.gui.settings import read_settings, write_settings
from geocnn_gui.gui.state import LARGEST_BRUSH
from geocnn_gui.gui.theme import app_icon, apply_theme
from geocnn_gui.gui.widgets.card import Card, label
from geocnn_gui.gui.widgets.class_chips import ClassChips
from geocnn_gui.gui.widgets.fold_button import FoldButton
from geocnn_gui.gui.widgets.message_bar import MessageBar
from geocnn_gui.gui.widgets.tool_strip import ToolStrip
from geocnn_gui.project.recent import recent_projects

if TYPE_CHECKING:
    from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QShowEvent

    from geocnn_gui.gui.session import Session
    from geocnn_gui.gui.theme import Mode

#: Room for the frame that the window manager draws, in pixels.
_TITLE_BAR = 40
_COLUMNS, _ROWS = (240, 840, 330), (640, 168)


class MainWindow(QMainWindow):
    """Everything a user sees; what it does is in the session."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.session = session
        self.settings = read_settings()
        self.docks_hidden = False
        self._leaving = False
        self.asker = Asker(
            self, session, folder=self.settings.folder, folder_changed=self._keep_folder,
            cells=self.cells_in_view,
        )  # fmt: skip
        self.setWindowIcon(app_icon())
        self.setAcceptDrops(True)
        self.setMinimumSize(960, 600)
        self._canvas, self._gallery = CanvasView(session), Gallery(session)
        self._actions = actions.make_actions(self, self._canvas.canvas)
        self._lay_out()
        self._make_menus()
        self._make_toolbar()
        self.setStatusBar(StatusLine(session))
        self._restore()
        self._listen()
        self._refresh()

    # The parts

    def _lay_out(self) -> None:
        session = self.session
        self._left = _splitter(Qt.Orientation.Vertical, "left_column")
        self._left.addWidget(ProjectPanel(session))
        self._left.addWidget(ClassesPanel(session))
        self._left.setSizes([380, 260])
        self._messages = MessageBar()
        middle = Card()
        middle.setObjectName("canvas_card")
        middle.body.setContentsMargins(8, 8, 8, 8)
        self._nothing = label("Nothing is in view: click a source in the Project panel.",
                              role="muted", name="nothing_in_view")  # fmt: skip
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        middle.body.addWidget(self._canvas)
        middle.body.addWidget(self._gallery)
        middle.body.addWidget(self._nothing, 1)
        self._side = SidePanel(
            session, load_labels=self.asker.labels, save_labels=self.asker.labels_name,
            model=(self.asker.model, self.asker.model_name, self.asker.weights),
            score=(self.asker.truth, self.asker.report_name), export=self.asker.export_name,
        )  # fmt: skip
        self._columns = _splitter(Qt.Orientation.Horizontal, "columns")
        for widget in (self._left, middle, self._side):
            self._columns.addWidget(widget)
        self._columns.setStretchFactor(1, 1)
        self._runs = RunsPanel(session)
        self._rows = _splitter(Qt.Orientation.Vertical, "rows")
        self._rows.addWidget(self._columns)
        self._rows.addWidget(self._runs)
        self._rows.setStretchFactor(0, 1)
        self._welcome = Welcome(session, ask_open=self.asker.data)
        self._pages = QStackedWidget()
        self._pages.setObjectName("pages")
        self._pages.addWidget(self._welcome)
        self._pages.addWidget(self._rows)
        center = QWidget()
        column = QVBoxLayout(center)
        column.setContentsMargins(10, 0, 10, 0)
        column.setSpacing(8)
        column.addWidget(self._messages)
        column.addWidget(self._pages, 1)
        self.setCentralWidget(center)

    def _make_menus(self) -> None:
        self._recent = QMenu("Open &recent", self)
        self._recent.setObjectName("menu_recent")
        self._recent.aboutToShow.connect(self._fill_recent)
        for title, names in actions.MENUS.items():
            menu = self.menuBar().addMenu(title)
            menu.setObjectName(f"menu_{title.strip('&').lower()}")
            menu.setToolTipsVisible(True)
            for name in names:
                if name is None:
                    menu.addSeparator()
                elif name == "menu:recent":
                    menu.addMenu(self._recent)
                elif name == "menu:export":
                    self._add_exports(menu)
                else:
                    menu.addAction(self._actions[name])

    def _add_exports(self, menu: QMenu) -> None:
        exports = menu.addMenu("E&xport")
        exports.setObjectName("menu_export")
        exports.setToolTipsVisible(True)
        for name in actions.EXPORTS:
            exports.addAction(self._actions[name])

    def cells_in_view(self) -> tuple[slice, slice]:
        """Return the rows and columns of the section that are in view."""
        canvas = self._canvas.canvas
        return canvas.viewport.visible(canvas.size_f, canvas.picture_shape)

    def _show_folder(self, path: Path) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.resolve().parent)))

    def _make_toolbar(self) -> None:
        bar = QToolBar("Tools", self)
        bar.setObjectName("toolbar")
        bar.setMovable(False)
        bar.setIconSize(QSize(20, 20))
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        for name in actions.TOOLBAR:
            if name is None:
                bar.addSeparator()
            elif name in actions.FOLDS:
                bar.addWidget(FoldButton([self._actions[one] for one in actions.FOLDS[name]]))
            else:
                bar.addAction(self._actions[name])
        self._strip = ToolStrip(LARGEST_BRUSH)
        self._strip.size_changed.connect(self.session.set_brush_size)
        self._strip.changed.connect(lambda fields: self.session.set_tool_settings(**fields))
        self._chips = ClassChips()
        self._chips.chosen.connect(self._choose_class)
        bar.addWidget(self._strip)
        bar.addSeparator()
        bar.addWidget(self._chips)
        for name in ("live", "train", "predict", "export"):
            bar.addAction(self._actions[name])
            made = bar.widgetForAction(self._actions[name])
            if isinstance(made, QToolButton):
                made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
                made.setObjectName(f"toolbar_{name}")
        self.addToolBar(bar)

    # Following the session

    def _listen(self) -> None:
        session = self.session
        session.message.connect(self._messages.show_message)
        session.request_place.connect(self.asker.place)
        session.request_model_name.connect(self.asker.run_model_name)
        session.request_target.connect(self.asker.target)
        session.request_true_values.connect(self.asker.true_values)
        for each in (self._canvas, self._gallery):
            each.failed.connect(session.report)
        session.folder_wanted.connect(self._show_folder)
        session.source_changed.connect(self._on_source_changed)
        session.classes_changed.connect(self._show_classes)
        session.rules_changed.connect(self._show_locks)
        session.tool_changed.connect(self._show_tool)
        for signal in (session.source_changed, session.section_changed, session.view_changed,
                       session.tool_changed, session.job_changed, session.model_changed,
                       session.project_changed, session.specs_changed, session.target_changed,
                       session.overlay_changed, session.steps.changed,
                       session.busy_changed, session.labels_changed, session.rules_changed,
                       session.map_changed, session.live.toggled, session.survey.changed,
                       session.why_here.changed):  # fmt: skip
            signal.connect(self._refresh)
        for signal in (session.saved_changed, session.project_changed, session.source_changed):
            signal.connect(self._show_title)
        QApplication.styleHints().colorSchemeChanged.connect(self._on_scheme)
        self._show_tool()
        self._show_title()
        self._welcome.setFocus()

    def _refresh(self) -> None:
        actions.refresh(self, self._actions)

    def _on_source_changed(self) -> None:
        opened = self.session.project is not None
        source = self.session.source
        samples = source is not None and source.samples is not None
        self._canvas.setVisible(source is not None and not samples)
        self._gallery.setVisible(samples)
        self._nothing.setVisible(source is None)
        self._strip.setEnabled(not samples)
        self._pages.setCurrentWidget(self._rows if opened else self._welcome)
        if opened and samples:
            self._gallery.focus()
        elif opened:
            self._canvas.canvas.setFocus()
        self._show_classes()

    def _show_classes(self) -> None:
        self._chips.show_classes(self.session.classes, self.session.current_class)
        self._show_locks()

    def _show_locks(self) -> None:
        self._chips.show_locked(self.session.rules.locked)

    def _show_tool(self) -> None:
        session = self.session
        self._strip.show_tool(session.tool, session.brush_size, asdict(session.tool_settings))
        self._chips.show_current(self.session.current_class)

    def _show_title(self) -> None:
        session = self.session
        if session.project is None:
            self.setWindowTitle("GeoCNN")
            return
        name = session.source.name if session.source is not None else session.project.name
        if session.why_read_only():
            self.setWindowTitle(f"{name}, read-only – GeoCNN")
            return
        saved = f", saved {session.saved_at:%H:%M}" if session.saved_at is not None else ""
        self.setWindowTitle(f"{name}{saved} – GeoCNN")

    def pick_class(self, place: int) -> None:
        """Paint with the class at a place of the table from now on; 0 unlabels."""
        if place == 0:
            self.session.set_current_class(0)
        elif place <= len(self.session.classes):
            self.session.set_current_class(self.session.classes[place - 1].id)

    def _choose_class(self, number: int) -> None:
        """Paint with a class from now on; of a sample set, give it to what is selected."""
        if self._gallery.isVisibleTo(self):
            self._gallery.label_chosen(number)
        self.session.set_current_class(number)
        self._show_tool()

    def _keep_folder(self, folder: str) -> None:
        self.settings = self.settings.model_copy(update={"folder": folder})

    def _fill_recent(self) -> None:
        self._recent.clear()
        recent = [each for each in recent_projects() if each.exists]
        for each in recent:
            self._recent.addAction(
                each.source, lambda folder=each.folder: self.session.open_project(folder)
            )
        if not recent:
            self._recent.addAction("Nothing yet").setEnabled(False)

    # How it looks

    def set_theme(self, mode: Mode) -> None:
        """Dress the program light, dark, or as the system is."""
        self.settings = self.settings.model_copy(update={"theme": mode})
        self._on_scheme()
        self._refresh()

    def _on_scheme(self) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            apply_theme(app, self.settings.theme)
        self._show_classes()

    def toggle_docks(self) -> None:
        """Leave only the picture, or bring everything back."""
        self.docks_hidden = not self.docks_hidden
        for widget in (self._left, self._side, self._runs):
            widget.setVisible(not self.docks_hidden)
        self._refresh()

    def show_keys(self) -> None:
        """List all keys."""
        rows = [
            (action.shortcut().toString(), actions.ACTIONS[name].text.replace("&", "").rstrip("…"))
            for name, action in self._actions.items()
            if not action.shortcut().isEmpty() and not name.startswith("class_")
        ]
        KeysDialog([*rows, ("1 – 9, 0", "Class, unlabelled")], self).open()

    def show_about(self) -> None:
        """Say what this is."""
        AboutDialog(self).open()

    def _restore(self) -> None:
        settings = self.settings
        geometry = QByteArray(base64.b64decode(settings.geometry.encode("ascii", "ignore")))
        if not settings.geometry or not self.restoreGeometry(geometry):
            room = self.screen().availableSize() - QSize(0, _TITLE_BAR)
            self.resize(QSize(1440, 900).boundedTo(room))
        self._columns.setSizes(list(settings.columns if len(settings.columns) == 3 else _COLUMNS))
        self._rows.setSizes(list(settings.rows if len(settings.rows) == 2 else _ROWS))

    def _remember(self) -> None:
        geometry = base64.b64encode(self.saveGeometry().data()).decode()
        changes: dict[str, object] = {"geometry": geometry}
        if not self.docks_hidden:
            changes |= {
                "columns": tuple(self._columns.sizes()),
                "rows": tuple(self._rows.sizes()),
            }
        write_settings(self.settings.model_copy(update=changes))

    # Qt's events

    def showEvent(self, event: QShowEvent) -> None:
        """Draw the examples' thumbnails once the window stands."""
        super().showEvent(event)
        QTimer.singleShot(0, self._welcome.draw_thumbnails)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the first file dropped; more are added to its project, models are taken in hand."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        data = [path for path in paths if not path.lower().endswith(".safetensors")]
        for path in paths:
            if path not in data:
                self.session.use_run(Path(path))
        if data:
            self.session.open_paths(data)
        event.acceptProposedAction()

    def leave(self) -> None:
        """Close without asking: what runs is stopped and what it has is kept."""
        self._leaving = True
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask once where something runs; then stop it, keep what it has, and go."""
        asked = self.session.job is not None and not self._leaving
        if asked and not may_quit(self):
            event.ignore()
            return
        self._remember()
        self._canvas.close_reading()
        self._gallery.close_reading()
        self.session.shut_down()
        event.accept()


def _splitter(orientation: Qt.Orientation, name: str) -> QSplitter:
    splitter = QSplitter(orientation)
    splitter.setObjectName(name)
    splitter.setHandleWidth(8)
    splitter.setChildrenCollapsible(False)
    splitter.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
    return splitter
