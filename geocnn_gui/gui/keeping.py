"""What is in view and in hand, kept with the project and brought back with it."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError
from PySide6.QtCore import QTimer

from geocnn_gui.data.source import Section
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.exporting import Exporting
from geocnn_gui.gui.tooling import ToolSettings
from geocnn_gui.labels.classes import by_id
from geocnn_gui.labels.rules import PaintRules
from geocnn_gui.models.spec import spec_from_json
from geocnn_gui.project.copying import copy_project
from geocnn_gui.project.state import SourceView, WorkState, tolerant
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Source
    from geocnn_gui.events import Saved
    from geocnn_gui.gui.state import ViewState

#: Milliseconds between a change of the view and its saving.
KEEP_MS = 1000
_log = logging.getLogger(__name__)


class Keeping(Exporting):
    """State that is saved by itself, a moment after it changes, and restored on opening."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._views: dict[str, SourceView] = {}
        self._last_entry = ""
        self._keep_timer = QTimer(self)
        self._keep_timer.setSingleShot(True)
        self._keep_timer.setInterval(KEEP_MS)
        self._keep_timer.timeout.connect(self.keep_work)
        for signal in (self.section_changed, self.view_changed, self.tool_changed,
                       self.specs_changed, self.step_changed, self.source_changed,
                       self.rules_changed):  # fmt: skip
            signal.connect(self._keep_soon)
        self.live.toggled.connect(self._keep_soon)

    def _keep_soon(self) -> None:
        if self.project is not None and not self.why_read_only():
            self._keep_timer.start()

    def keep_work(self) -> None:
        """Save how the work stands; where that fails, the next change tries again."""
        self._keep_timer.stop()
        if self.project is None or self.why_read_only():
            return
        if self._stroke is not None:  # a hand that draws is not to be waited upon
            self._keep_timer.start()
            return
        self._note_view()
        ids = {entry.id for entry in self.project.sources}
        work = WorkState(
            source=self._last_entry, tool="pan" if self.tool in ("split", "pick") else self.tool,
            brush_size=self.brush_size, **asdict(self.tool_settings), current_class=self.current_class, step=self.step,
            only_unlabelled=self.rules.only_unlabelled, locked=tuple(sorted(self.rules.locked)),
            accept_from=self.accept_from, live=self.live.on, views={key: view for key, view in self._views.items() if key in ids},
        )  # fmt: skip
        model, training = (x.model_dump(mode="json") for x in (self.model_spec, self.training_spec))
        split = None if self.kept_split is None else self.kept_split.model_dump(mode="json")
        try:
            self.project.keep(work, model, training, split)
        except GeoCNNError as error:  # a view is not worth a message while one works
            _log.info("the view was not saved: %s", error)

    def _note_view(self) -> None:
        if self.source is not None and self.entry_id:
            self._last_entry = self.entry_id
            section = {"axis": self.section.axis, "index": self.section.index}
            self._views[self.entry_id] = tolerant(SourceView, {**asdict(self.view), **section})

    def _restore_view(self) -> None:
        """Show the source as it was left, as far as that fits it."""
        kept, source = self._views.get(self.entry_id), self.source
        if kept is None or source is None:
            return
        if kept.axis in source.section_axes and kept.axis is not None:
            last = source.shape[kept.axis] - 1
            self.section = Section(kept.axis, min(kept.index, last))
        self.view = _fitting(kept, self.view, source)

    def _restore_work(self) -> None:
        """Take in hand what was in hand when the project was left."""
        if self.project is None:
            return
        work = self.project.work
        self._views, self._last_entry = dict(work.views), work.source
        self.tool = "pan" if self.why_read_only() else work.tool
        self.brush_size = work.brush_size
        self.tool_settings = ToolSettings(
            brush_shape=work.brush_shape, tolerance=work.tolerance,
            wand_target=work.wand_target, stop_at_labels=work.stop_at_labels,
        )  # fmt: skip
        if by_id(self.classes, work.current_class) is not None:
            self.current_class = work.current_class
        known = {each.id for each in self.classes}
        self.rules = PaintRules(work.only_unlabelled, frozenset(work.locked) & known)
        self.accept_from = work.accept_from
        self.tool_changed.emit()
        self.rules_changed.emit()
        self.live.restore(work.live)
        self.set_step(work.step or self.step)
        self._restore_specs()

    def _restore_specs(self) -> None:
        model, training, _ = self.project.specs if self.project is not None else (None,) * 3
        if model is not None:
            with suppress(ValidationError):
                self.model_spec = spec_from_json(model)
        if training is not None:
            with suppress(ValidationError):
                self.training_spec = TrainingSpec.model_validate(training)
        self.specs_restored.emit()
        self.specs_changed.emit()

    def why_no_copy(self) -> str:
        """Say why the project cannot be copied now; "" when it can."""
        return "Open a file first." if self.project is None else self.why_not_now()

    def save_project_copy(self, folder: Path | str) -> None:
        """Copy the project, labels, predictions, runs and all, to a new folder."""
        if self.project is None or self.why_no_copy():
            return
        self.keep_work()
        folder = Path(folder)
        self._start(copy_project(self.project.folder, folder), "copy", f"Copying to {folder.name}")

    def _on_saved(self, event: Saved) -> None:
        super()._on_saved(event)
        if event.what == "project":
            self.tell(f"The project was copied to {event.path}.")


def _fitting(kept: SourceView, first: ViewState, source: Source) -> ViewState:
    """Return the view that was kept, where it can be drawn of this source."""
    values = kept.model_dump(exclude={"axis", "index", "bands", "low", "high"})
    fits = len(kept.bands) in (1, 3) and max(kept.bands) < len(source.bands)
    low, high = kept.low, kept.high
    if low is not None and high is not None and low >= high:
        low = high = None
    if not fits:
        low = high = None
    bands = kept.bands if fits else first.bands
    return replace(first, **values, bands=bands, low=low, high=high)
