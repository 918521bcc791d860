"""The session's exports: results to files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.gui.scoring import Scoring

if TYPE_CHECKING:
    from geocnn_gui.events import Saved
    from geocnn_gui.gui.state import ExportWhat


class Exporting(Scoring):
    """State that can write its results."""

    def why_no_export(self) -> str:
        """Say what an export still lacks; "" when it can start."""
        if self.prediction is None:
            return "Predict first; there is nothing to write yet."
        return "Wait for the running task, or stop it." if self.job is not None else ""

    def export_prediction(self, path: Path | str, what: ExportWhat) -> None:
        """Write the prediction in view to a file; the ending says the format."""
        from geocnn_gui.export.table import export_prediction

        if self.prediction is None or self.source is None:
            return
        store, path = self.prediction, Path(path)
        task = export_prediction(store, self.source, store.classes, path, what)
        self._start(task, "export", f"Writing {path.name}")

    def _on_saved(self, event: Saved) -> None:
        super()._on_saved(event)
        if self.work == "export":
            name = "Confidence" if event.what == "confidence" else "Prediction"
            self.tell(f"{name} saved to {event.path}.")
