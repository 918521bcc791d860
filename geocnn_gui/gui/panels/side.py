"""The six steps as tabs, from label to export; and a look inside the model."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QStackedWidget, QTabBar, QWidget

from geocnn_gui.gui.widgets.card import Card, scrolled

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.export.segy import Samples
    from geocnn_gui.export.table import Kind
    from geocnn_gui.gui.session import Session
    from geocnn_gui.gui.widgets.choice_or_file import Ask


class SidePanel(Card):
    """One short panel at a time."""

    def __init__(
        self,
        session: Session,
        *,
        load_labels: Callable[[], None],
        save_labels: Callable[[], None],
        model: tuple[Callable[[], None], Callable[[], None], Ask],
        score: tuple[Callable[[], None], Callable[[], None]],
        export: Callable[[Kind, str, Samples], None],
    ) -> None:
        super().__init__()
        self.setObjectName("side_panel")
        #: What each tab shows: where its panel is, and what that takes beside the session.
        self._wanted: dict[str, tuple[str, dict[str, Any]]] = {
            "Label": ("label_panel:LabelPanel", {"load": load_labels, "save": save_labels}),
            "Model": (
                "model_panel:ModelPanel",
                {"open_model": model[0], "save_model": model[1], "choose_weights": model[2]},
            ),
            "Train": ("train_panel:TrainPanel", {"ask_file": model[2]}),
            "Predict": ("predict_panel:PredictPanel", {}),
            "Score": ("score_panel:ScorePanel", {"ask_file": score[0], "ask_report": score[1]}),
            "Export": ("export_panel:ExportPanel", {"ask": export}),
            "Inspect": ("inspect_panel:InspectPanel", {}),
        }
        self._session = session
        self.tabs = QTabBar()
        self.tabs.setObjectName("steps")
        self.tabs.setExpanding(False)
        self.tabs.setUsesScrollButtons(False)
        self._pages = QStackedWidget()
        for title in self._wanted:
            self.tabs.addTab(title)
            self._pages.addWidget(QWidget())
        self._build(self.tabs.tabText(0))
        self.tabs.currentChanged.connect(self._show)
        self.tabs.currentChanged.connect(lambda at: session.set_step(self.tabs.tabText(at)))
        session.step_changed.connect(lambda: self.show_step(session.step))
        self.body.addWidget(self.tabs)
        self.body.addWidget(self._pages, 1)
        self.setMinimumWidth(346)

    def build_all(self) -> None:
        """Build the panels that nobody has looked at yet."""
        for title in list(self._wanted):
            self._build(title)

    def _show(self, index: int) -> None:
        self._build(self.tabs.tabText(index))
        self._pages.setCurrentIndex(index)

    def _build(self, title: str) -> None:
        """Build a panel the first time it is shown: the window is there sooner."""
        where, options = self._wanted.pop(title, ("", {}))
        if not where:
            return
        module, _, name = where.partition(":")
        make = getattr(import_module(f"geocnn_gui.gui.panels.{module}"), name)
        index = [self.tabs.tabText(i) for i in range(self.tabs.count())].index(title)
        empty = self._pages.widget(index)
        self._pages.insertWidget(index, _page(make(self._session, **options)))
        if empty is not None:
            self._pages.removeWidget(empty)
            empty.deleteLater()
        self._pages.setCurrentIndex(self.tabs.currentIndex())  # removing a page moves on to another

    def show_step(self, title: str) -> None:
        """Bring a step to the front, by its tab's text."""
        for index in range(self.tabs.count()):
            if self.tabs.tabText(index) == title:
                self.tabs.setCurrentIndex(index)


def _page(panel: QWidget) -> QWidget:
    layout = panel.layout()
    if layout is not None:
        layout.setContentsMargins(0, 8, 4, 0)
    return scrolled(panel)
