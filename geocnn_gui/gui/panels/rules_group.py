"""What painting leaves alone, and how sure a prediction must be to be accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSlider, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import enable, label

if TYPE_CHECKING:
    from geocnn_gui.gui.session import Session


class RulesGroup(QWidget):
    """A switch for only unlabelled cells, a slider for the least confidence accepted."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("rules_group")
        self._session = session
        self._only = QCheckBox()
        self._only.setObjectName("only_unlabelled")
        self._only.toggled.connect(session.set_only_unlabelled)
        self._least = QSlider(Qt.Orientation.Horizontal)
        self._least.setObjectName("accept_from")
        self._least.setRange(0, 99)
        self._least.setAccessibleName("Least confidence accepted")
        self._least.valueChanged.connect(lambda value: session.set_accept_from(value / 100))
        self._text = label(role="muted", name="accept_from_text")
        self._text.setMinimumWidth(self._text.fontMetrics().horizontalAdvance("0.00 or more"))
        line = QHBoxLayout()
        line.addWidget(label("Accept at", role="muted"))
        line.addWidget(self._least, 1)
        line.addWidget(self._text)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._only)
        layout.addLayout(line)
        for signal in (session.rules_changed, session.source_changed, session.overlay_changed,
                       session.map_changed):  # fmt: skip
            signal.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        session = self._session
        self._only.setText(f"Paint only unlabelled {session.cell_noun}s")
        reason = "Open a file first." if session.source is None else session.why_read_only()
        enable(self._only, reason, tip="What has a label keeps it; the eraser still erases (U)")
        for widget, value in (
            (self._only, session.rules.only_unlabelled),
            (self._least, round(100 * session.accept_from)),
        ):
            widget.blockSignals(True)
            if isinstance(widget, QCheckBox):
                widget.setChecked(bool(value))
            else:
                widget.setValue(int(value))
            widget.blockSignals(False)
        self._text.setText(f"{session.accept_from:.2f} or more" if session.accept_from else "any")
        samples = session.source is not None and session.source.samples is not None
        enable(
            self._least,
            "A sample set is labelled sample by sample." if samples else session.why_no_accepting(),
            tip="How sure the prediction must be where it is accepted as labels (key A)",
        )
