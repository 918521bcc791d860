"""The search for a learning rate, in the Train panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from geocnn_gui.gui.theme import colours
from geocnn_gui.gui.widgets.card import Fold, button, enable, label, link
from geocnn_gui.gui.widgets.rate_curve import RateCurve

if TYPE_CHECKING:
    from geocnn_gui.gui.session import Session

_TIP = "Train up to 100 steps at rates from 1e-6 to 10, look where the loss falls, and take a rate"


class RateGroup(QWidget):
    """One line, folded; under it the button, the curve, and what was taken."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("rate_group")
        self._session = session
        self._find = button("Find rate", session.start_rate_search, name="find_rate")
        self._back = link("Set back", session.set_rate_back, name="set_rate_back")
        self._said = label(role="muted", name="rate_sentence", wrap=True)
        self._curve = RateCurve()
        content = QWidget()
        row = QHBoxLayout()
        for widget in (self._find, self._back):
            row.addWidget(widget)
        row.addStretch(1)
        inside = QVBoxLayout(content)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(row)
        inside.addWidget(self._curve)
        inside.addWidget(self._said)
        self._fold = Fold("Find a learning rate", content, self)
        self._fold.button.setObjectName("rate_fold")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._fold)
        for signal in (session.rates_changed, session.job_changed, session.labels_changed,
                       session.source_changed, session.classes_changed, session.specs_changed):  # fmt: skip
            signal.connect(self._refresh)
        self._refresh()

    def changeEvent(self, event: QEvent) -> None:
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._refresh()

    def _refresh(self) -> None:
        session, c = self._session, colours()
        enable(self._find, session.why_no_training(), tip=_TIP)
        self._back.setVisible(session.rate_before is not None)
        self._curve.show_rates(session.rates, session.rate_found, (c.accent, c.muted))
        self._said.setText(self._sentence())

    def _sentence(self) -> str:
        session = self._session
        if session.work == "rate":
            return "Each step has a higher rate; Stop ends the search, nothing is changed."
        before, found = session.rate_before, session.rate_found
        if found is None:
            return "" if session.rates else f"{_TIP}."
        if before is None:
            return f"{found:.2g} was suggested; the rate of before is back."
        was = f"auto, {session.training_spec.model_copy(update={'learning_rate': 'auto'}).rate:.2g}"
        was = was if before == "auto" else f"{before:.2g}"
        return f"{found:.2g} is taken, a tenth of where the loss was lowest; it was {was}."
