"""The session's exports: results to files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal

from geocnn_gui.gui.inspecting import Inspecting

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtCore import QObject

    from geocnn_gui.events import Saved
    from geocnn_gui.export.figure import FigureSpec
    from geocnn_gui.export.segy import Samples
    from geocnn_gui.export.table import Kind, Material

#: Rows and columns of the section in view.
Cells = tuple[slice, slice]
_TITLES: dict[str, str] = {
    "classes": "Class map", "values": "Values", "confidence": "Confidence", "probabilities": "Probabilities",
    "polygons": "Polygons", "figure": "Figure",
}  # fmt: skip


class Exporting(Inspecting):
    """State that can write its results.

    Signals
    -------
    folder_wanted: a file whose folder the user wants to see.
    """

    folder_wanted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._exporting: tuple[Kind, Path] | None = None
        self._beside: list[Path] = []

    def main_kind(self, kind: Kind) -> Kind:
        """Return what the export of a prediction means: its classes, or its values."""
        values = self.prediction is not None and self.prediction.target is not None
        return "values" if kind == "classes" and values else kind

    def why_no_export(self, kind: Kind = "classes") -> str:
        """Say what an export still lacks; "" when it can start."""
        if self.source is None:
            return "Open a file first."
        if self.job is not None:
            return "Wait for the running task, or stop it."
        if self.prediction is None and kind != "figure":
            return "Predict first; there is nothing to write yet."
        from geocnn_gui.export.table import why_none

        section = self.section if self.section.axis is not None else None
        material = self._material()
        return "" if material is None else why_none(self.main_kind(kind), material, section)

    def start_export(
        self,
        path: Path | str,
        kind: Kind = "classes",
        *,
        samples: Samples = "source",
        cells: Cells | None = None,
    ) -> None:
        """Write what is shown of the prediction to a file; the ending says the format.

        `cells` are the rows and columns in view, for a figure; None takes all.
        """
        from geocnn_gui import workflow
        from geocnn_gui.export.table import Order

        path, material = Path(path), self._material(labels=True)
        if material is None or self._source_has_changed():
            return
        section = self.section if self.section.axis is not None else None
        figure = self._figure(cells) if kind == "figure" else None
        order = Order(kind, path, section, samples=samples, figure=figure)
        if self._start(workflow.export(order, material), "export", f"Writing {path.name}"):
            self._exporting, self._beside = (kind, path), []

    def ask_extent(self, done: Callable[[str], object]) -> None:
        """Find in the background what of the source is not predicted; hand on a sentence."""
        from geocnn_gui.export.extent import extent_of
        from geocnn_gui.inference.store import PredictionStore

        source, store = self.source, self.prediction
        if source is not None and store is not None:
            folder = store.folder  # what is shown was opened before all was predicted
            self._look_at(source, lambda: extent_of(PredictionStore.open(folder), source), done)

    def _material(self, *, labels: bool = False) -> Material | None:
        from geocnn_gui.export.table import Material

        if self.source is None:
            return None
        store, book = self.prediction, self.labels
        predicted = store.classes if store is not None else ()
        known = {one.id for one in predicted}
        return Material(
            self.source, store, (*predicted, *(c for c in self.classes if c.id not in known)),
            book.store.snapshot() if labels and book is not None else None,
            others=tuple(Path(each.path) for each in self.project.sources) if self.project else (),
            named=self.classes,
        )  # fmt: skip

    def _figure(self, cells: Cells | None) -> FigureSpec:
        """Return what the canvas shows."""
        from geocnn_gui.export.figure import FigureSpec

        view, labels = self.view, self.labels
        rows, columns = ((part.start, part.stop) for part in cells) if cells else (None, None)
        overlaid = view.overlay_visible and self.prediction is not None
        return FigureSpec(
            section=self.section if self.section.axis is not None else None,
            rows=rows, columns=columns, bands=view.bands, colour_map=view.colour_map,
            low=view.low, high=view.high, gain=view.gain,
            overlay=view.overlay if overlaid else "none", overlay_opacity=view.overlay_opacity,
            labels=view.labels_visible and labels is not None and bool(labels.store.counts),
            labels_opacity=view.labels_opacity,
        )  # fmt: skip

    def _on_saved(self, event: Saved) -> None:
        super()._on_saved(event)
        if self.work != "export" or self._exporting is None:
            return
        kind, path = self._exporting
        if event.path != path:
            self._beside.append(event.path)
            return
        names = ", ".join(sorted(each.name for each in self._beside))
        beside = f", with {names} beside it" if names else ""
        self.tell(
            f"{_TITLES[kind]} saved to {path}{beside}.",
            actions=(("Show in folder", lambda: self.folder_wanted.emit(path)),),
        )
