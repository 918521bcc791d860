"""Write the prediction where other programs read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import button, enable, label

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.session import Session
    from geocnn_gui.gui.state import ExportWhat

_FORMATS = {
    "raster": "GeoTIFF with the scene's own grid, projection and class names; or a plain .npy.",
    "line": "SEG-Y with the line's own headers, a picture as TIFF, or a plain .npy.",
    "cube": "SEG-Y with the cube's own headers, or a plain .npy.",
}
_ARRAY_ONLY = "A plain .npy, in the order inline, crossline, sample: this source is no SEG-Y."


class ExportPanel(QWidget):
    """Step six: class map or confidence, in the format that the file's name says."""

    def __init__(self, session: Session, *, ask: Callable[[ExportWhat], None]) -> None:
        super().__init__()
        self.setObjectName("export_panel")
        self._session = session
        self._formats = label(role="muted", name="export_formats", wrap=True)
        self._extent = label(role="muted", name="export_extent", wrap=True)
        self._classes = button(
            "Export class map…  (Ctrl+E)", lambda: ask("classes"), name="export_classes",
            primary=True,
        )  # fmt: skip
        self._confidence = button(
            "Export confidence…", lambda: ask("confidence"), name="export_confidence"
        )
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addWidget(label("Export", role="title"))
        for widget in (self._formats, self._extent, self._classes, self._confidence):
            layout.addWidget(widget)
        layout.addStretch(1)
        for signal in (session.source_changed, session.overlay_changed, session.job_changed):
            signal.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        session = self._session
        kind = session.source.kind if session.source is not None else "raster"
        cloned = session.source is None or session.source.format == "SEG-Y" or kind != "cube"
        self._formats.setText(_FORMATS[kind] if cloned else _ARRAY_ONLY)
        partial = session.prediction is not None and kind == "cube"
        self._extent.setText(
            "Sections that were not predicted are written as 0 (unlabelled)." if partial else ""
        )
        self._extent.setVisible(partial)
        reason = session.why_no_export()
        enable(self._classes, reason, tip="One class number per pixel")
        enable(self._confidence, reason, tip="How sure the network is, 0 to 1")
