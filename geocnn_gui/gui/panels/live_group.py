"""Live on or off, what its backbone has learned, and learning longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import enable, label, link

if TYPE_CHECKING:
    from geocnn_gui.gui.session import Session


class LiveGroup(QWidget):
    """A switch, a line on the backbone, and how far its learning is."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("live_group")
        self._session = session
        self._switch = QCheckBox("Live: colour the section while I paint")
        self._switch.setObjectName("live_switch")
        self._switch.clicked.connect(session.live.set_on)
        self._knows = label(role="muted", name="live_backbone")
        self._longer = link("Learn longer", session.survey.learn_longer, name="learn_longer")
        self._bar = QProgressBar()
        self._bar.setObjectName("survey_progress")
        self._bar.setTextVisible(False)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self._knows, 1)
        line.addWidget(self._longer)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._switch)
        layout.addLayout(line)
        layout.addWidget(self._bar)
        for signal in (session.source_changed, session.live.toggled, session.survey.changed,
                       session.survey.saved):  # fmt: skip
            signal.connect(self._refresh)
        session.survey.progressed.connect(self._show_progress)
        self._refresh()

    def _refresh(self) -> None:
        live, survey = self._session.live, self._session.survey
        reason = live.why_not()
        enable(self._switch, reason, tip="Shift+L on the picture: strokes become a map at once")
        self._switch.setChecked(live.on and not reason)
        words = survey.words()
        self._knows.setText(f"Backbone: {words}" if words else "")
        enable(self._longer, survey.why_no_longer(),
               tip="Let it learn this survey without labels for longer, in the background")  # fmt: skip
        self._longer.setVisible(bool(words) and survey.job is None)
        self._bar.setVisible(survey.job is not None)
        self._show_progress()

    def _show_progress(self) -> None:
        progress = self._session.survey.progress
        self._bar.setRange(0, progress.total if progress is not None else 0)
        if progress is not None:
            self._bar.setValue(progress.done)
