"""The six steps as tabs, from label to export; and a look inside the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QStackedWidget, QTabBar, QWidget

from geocnn_gui.gui.panels.export_panel import ExportPanel
from geocnn_gui.gui.panels.inspect_panel import InspectPanel
from geocnn_gui.gui.panels.label_panel import LabelPanel
from geocnn_gui.gui.panels.model_panel import ModelPanel
from geocnn_gui.gui.panels.predict_panel import PredictPanel
from geocnn_gui.gui.panels.score_panel import ScorePanel
from geocnn_gui.gui.panels.train_panel import TrainPanel
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
        panels = {
            "Label": LabelPanel(session, load=load_labels, save=save_labels),
            "Model": ModelPanel(
                session, open_model=model[0], save_model=model[1], choose_weights=model[2]
            ),
            "Train": TrainPanel(session, ask_file=model[2]),
            "Predict": PredictPanel(session),
            "Score": ScorePanel(session, ask_file=score[0], ask_report=score[1]),
            "Export": ExportPanel(session, ask=export),
            "Inspect": InspectPanel(session),
        }  # fmt: skip
        self.tabs = QTabBar()
        self.tabs.setObjectName("steps")
        self.tabs.setExpanding(False)
        self.tabs.setUsesScrollButtons(False)
        self._pages = QStackedWidget()
        for title, panel in panels.items():
            self.tabs.addTab(title)
            self._pages.addWidget(_page(panel))
        self.tabs.currentChanged.connect(self._pages.setCurrentIndex)
        self.tabs.currentChanged.connect(lambda at: session.set_step(self.tabs.tabText(at)))
        session.step_changed.connect(lambda: self.show_step(session.step))
        self.body.addWidget(self.tabs)
        self.body.addWidget(self._pages, 1)
        self.setMinimumWidth(346)

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
