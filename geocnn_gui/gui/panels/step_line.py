"""How far a large step of labels is: a slim line at the right of the status bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import label, link

if TYPE_CHECKING:
    from geocnn_gui.events import Progress
    from geocnn_gui.gui.session import Session


class StepLine(QWidget):
    """Says what is being made and how far it is, with Stop; hidden while nothing is."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("step_line")
        self._steps = session.steps
        self._text = label(name="step_text")
        self._stop = link("Stop", session.steps.stop, name="step_stop",
                          tip="Stop it; labels and classes stay as they were")  # fmt: skip
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 12, 0)
        line.setSpacing(8)
        line.addWidget(self._text)
        line.addWidget(self._stop)
        session.steps.busy_changed.connect(self._refresh)
        session.steps.progressed.connect(self._show)
        self._refresh()

    def _refresh(self) -> None:
        steps = self._steps
        self.setVisible(bool(steps.busy))
        self._text.setText(f"Stopping: {steps.busy}" if steps.stopping else f"{steps.busy} …")
        self._stop.setEnabled(not steps.stopping)

    def _show(self, progress: Progress) -> None:
        if self._steps.busy and not self._steps.stopping:
            self._text.setText(progress.text)
