"""The line at the bottom: where the cursor is, what lies there, what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QStatusBar, QWidget

from geocnn_gui.gui.panels.step_line import StepLine
from geocnn_gui.gui.panels.survey_line import SurveyLine
from geocnn_gui.gui.widgets.card import THIN_SPACE, label
from geocnn_gui.labels.classes import by_id

if TYPE_CHECKING:
    from geocnn_gui.gui.session import CursorReadout, Session

_MOST_VALUES = 6


class StatusLine(QStatusBar):
    """Follows the cursor."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status_line")
        self._session = session
        self._parts = {
            name: label(name=f"status_{name}")
            for name in ("position", "value", "label", "predicted")
        }
        for part in self._parts.values():
            part.setContentsMargins(8, 0, 16, 0)
            self.addWidget(part)
        self.addPermanentWidget(StepLine(session))
        self.addPermanentWidget(SurveyLine(session))
        session.cursor_changed.connect(self.show_readout)
        session.source_changed.connect(lambda: self.show_readout(None))

    def show_readout(self, readout: CursorReadout | None) -> None:
        """Say what lies under the cursor; nothing when it is elsewhere."""
        texts = dict.fromkeys(self._parts, "")
        if readout is not None:
            texts["position"] = "   ".join(readout.coordinates)
            texts["value"] = self._values(readout)
            texts["label"] = f"label: {self._class(readout.label)}" if readout.label else ""
            texts["predicted"] = self._predicted(readout)
        for name, text in texts.items():
            self._parts[name].setText(text)

    def _values(self, readout: CursorReadout) -> str:
        source = self._session.source
        if source is None or readout.values is None:
            return "no data" if source is not None else ""
        name = "amplitude" if source.domain == "seismic" else "value"
        shown = "  ".join(_number(v) for v in readout.values[:_MOST_VALUES])
        return f"{name} {shown}"

    def _predicted(self, readout: CursorReadout) -> str:
        if not readout.predicted:
            return ""
        store = self._session.shown_map
        if readout.estimate is not None and store is not None and store.target is not None:
            return f"predicted: {_number(readout.estimate)} {store.target.unit}".rstrip()
        sure = "" if readout.confidence is None else f" {readout.confidence:.2f}"
        word = "live" if self._session.live.shows else "predicted"
        return f"{word}: {self._class(readout.predicted)}{sure}"

    def _class(self, number: int) -> str:
        session = self._session
        found = by_id(session.classes, number)
        if found is None and session.shown_map is not None:
            found = by_id(session.shown_map.classes, number)
        return found.name if found is not None else f"class {number}"


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", THIN_SPACE).replace("-", "−")
    return f"{value:.4g}".replace("-", "−")
