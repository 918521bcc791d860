"""How far the learning of the survey is: a slim line at the right of the status bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import duration, label, link

if TYPE_CHECKING:
    from geocnn_gui.gui.session import Session


class SurveyLine(QWidget):
    """Says how far it is and how long still, with Pause and Stop; hidden while nothing is learned."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("survey_line")
        self._session = session
        self._text = label(role="muted", name="survey_text")
        self._pause = link("Pause", session.survey.pause, name="survey_pause")
        self._stop = link("Stop", session.survey.stop, name="survey_stop",
                          tip="Stop learning; what is learned is kept")  # fmt: skip
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 12, 0)
        line.setSpacing(8)
        for widget in (self._text, self._pause, self._stop):
            line.addWidget(widget)
        session.survey.changed.connect(self._refresh)
        session.survey.progressed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        survey = self._session.survey
        job, progress = survey.job, survey.progress
        self.setVisible(job is not None)
        if job is None:
            return
        far = f" {progress.done}/{progress.total}" if progress is not None else ""
        left = progress.seconds_left if progress is not None else None
        rest = f", {duration(left)} left" if left is not None else " …"
        if job.paused:
            rest = ", paused" if survey.resting else ", waiting for the running task"
        self._text.setText(f"Learning this survey{far}{rest}")
        self._pause.setText("Go on" if survey.resting else "Pause")
        self._pause.setEnabled(not job.stopping)
        self._stop.setEnabled(not job.stopping)
