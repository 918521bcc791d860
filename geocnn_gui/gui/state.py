"""What the session knows and says: its signals, its plain state, and how things are shown."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from PySide6.QtCore import QObject, Signal

from geocnn_gui.data.source import Section
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.in_use import InUse, SourceLeft
from geocnn_gui.gui.jobs import Calls
from geocnn_gui.gui.live import LiveState
from geocnn_gui.gui.steps import Steps
from geocnn_gui.gui.surveying import Survey
from geocnn_gui.labels.rules import PaintRules

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import numpy as np

    from geocnn_gui.data.source import Source, Window
    from geocnn_gui.data.statistics import BandStatistics
    from geocnn_gui.gui.jobs import Job
    from geocnn_gui.inference.store import PredictionStore
    from geocnn_gui.labels.book import LabelBook
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.models.target import Target
    from geocnn_gui.models.weights import ModelCard
    from geocnn_gui.project.project import Project

Tool = Literal["pan", "brush", "eraser", "polygon", "line", "fill", "wand", "edge", "between",
               "accept", "pick", "split"]  # fmt: skip
Overlay = Literal["none", "classes", "confidence"]
Shown = Literal["live", "network"]
Kind = Literal["info", "warning", "error"]
LARGEST_BRUSH = 200
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ViewState:
    """How the data and what lies over it are drawn.

    `bands` holds one band number, drawn through `colour_map`, or three (red, green, blue).
    `low` and `high` clip in data units; None means from the statistics. Opacities are 0-1.
    """

    colour_map: str = "grey"
    bands: tuple[int, ...] = (0,)
    low: float | None = None
    high: float | None = None
    gain: float = 1.0
    overlay: Overlay = "classes"
    overlay_visible: bool = True
    overlay_opacity: float = 0.5
    labels_visible: bool = True
    labels_opacity: float = 0.8
    lock_aspect: bool = False


@dataclass(frozen=True, slots=True)
class CursorReadout:
    """What lies under the cursor: ready texts ("CDP 742", "TWT 1 232 ms") and plain values.

    `values` are those of the bands in view, None where the sample is dead or not read yet;
    `label` and `predicted` are class ids, 0 for none; `confidence` is 0-1; `estimate` the value that was
    predicted, where values are.
    """

    coordinates: tuple[str, ...]
    values: tuple[float, ...] | None = None
    label: int = 0
    predicted: int = 0
    confidence: float | None = None
    estimate: float | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence for the bar above the canvas, with ways out as buttons."""

    text: str
    kind: Kind = "info"
    details: str = ""
    actions: tuple[tuple[str, Callable[[], object]], ...] = ()


class ShownMap(Protocol):
    """What is drawn over the data: a map of classes with their confidence, or of values.

    Windows are in the source's array order; any thread may read.
    """

    @property
    def classes(self) -> Classes:
        """Return the classes that the ids stand for."""
        ...

    @property
    def target(self) -> Target | None:
        """Return what the values are, None where there are classes."""
        ...

    def read_classes(self, window: Window) -> np.ndarray:
        """Return class ids uint8 (*window.size); 0 where nothing is predicted, or no data lies."""
        ...

    def read_confidence(self, window: Window) -> np.ndarray:
        """Return confidence float32 0..1 (*window.size)."""
        ...

    def read_values(self, window: Window) -> np.ndarray:
        """Return values float32 (*window.size), NaN where there are none; only with a target."""
        ...


def first_view(source: Source) -> ViewState:
    """Return how `source` is shown first: colours where the file names them, else grey."""
    if source.domain == "seismic":
        return ViewState()
    return ViewState(bands=_colour_bands(source), lock_aspect=True)


def _holds(store: PredictionStore, source: Source, section: Section) -> bool:
    """Say whether a prediction holds anything along three lines across and down a section."""
    plane = source.plane(section)
    rows, columns = source.picture_shape(section)
    for part in (1, 2, 3):
        row, column = rows * part // 4, columns * part // 4
        across = plane.window(slice(row, row + 1), slice(0, columns))
        down = plane.window(slice(0, rows), slice(column, column + 1))
        if store.read_classes(across).any() or store.read_classes(down).any():
            return True
    return False


def _colour_bands(source: Source) -> tuple[int, ...]:
    named = {band.colour: i for i, band in enumerate(source.bands)}
    if {"red", "green", "blue"} <= named.keys():
        return named["red"], named["green"], named["blue"]
    return (0, 1, 2) if len(source.bands) >= 3 else (0,)


class State(QObject):
    """Everything that is open. Views read the attributes and listen to the signals.

    Signals
    -------
    project_changed: another project or list of sources. source_changed: another source, or
    none. section_changed, view_changed, tool_changed, classes_changed, overlay_changed: the
    attribute of that name (`overlay_changed`: another prediction). map_changed: `shown_map` is
    another one, or none, because Live came or went. labels_changed: a Window.
    tile_done: a Window whose prediction is on disk. model_changed: another model to predict
    with. specs_changed: what the next training takes; specs_restored: those of a project that was
    opened. step_changed: the side panel in front. job_changed: a job began, paused, resumed or ended. progressed, epoch_done: that event
    of the running job. noted: a remark of it. runs_changed: the list of runs. scored: a Score.
    busy_changed: `busy`. message: a Message. cursor_changed: a CursorReadout or None. saved_changed: `saved_at`.
    rules_changed: `rules` or `accept_from`.
    """

    project_changed = Signal()
    source_changed = Signal()
    section_changed = Signal()
    view_changed = Signal()
    statistics_changed = Signal()
    labels_changed = Signal(object)
    classes_changed = Signal()
    tool_changed = Signal()
    overlay_changed = Signal()
    map_changed = Signal()
    tile_done = Signal(object)
    model_changed = Signal()
    specs_changed = Signal()
    specs_restored = Signal()
    step_changed = Signal()
    job_changed = Signal()
    progressed = Signal(object)
    epoch_done = Signal(object)
    runs_changed = Signal()
    noted = Signal(str)
    scored = Signal(object)
    busy_changed = Signal(str)
    message = Signal(object)
    cursor_changed = Signal(object)
    saved_changed = Signal()
    rules_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.project: Project | None = None
        self.source: Source | None = None
        self.entry_id = ""
        self.section = Section()
        self.labels: LabelBook | None = None
        self.classes: Classes = ()
        self.current_class = 1
        self.tool: Tool = "pan"
        self.brush_size = 12
        self.rules = PaintRules()
        self.accept_from = 0.0  # the least confidence of a prediction that is accepted
        self.step = ""
        self.statistics: tuple[BandStatistics, ...] | None = None
        self.view = ViewState()
        self.prediction: PredictionStore | None = None
        self.shown: Shown = "live"  # which of the two maps, where Live is on
        self._predicted: tuple[object, Section] | None = None  # a section that it holds
        self.model_path: Path | None = None
        self.model_card: ModelCard | None = None
        self.job: Job | None = None
        self.reading = ""  # short work of `_work_on` and opening
        self.saved_at: datetime | None = None
        self.steps = Steps(self)
        self.steps.busy_changed.connect(lambda: self.busy_changed.emit(self.busy))
        self.in_use = InUse()
        self._calls = Calls(self)
        self.survey = Survey(self)
        self.live = LiveState(self)

    def set_section(self, section: Section) -> None:
        """Show another section; one outside the source is clipped to it."""
        if self.source is None:
            return
        if section.axis is not None:
            last = self.source.shape[section.axis] - 1
            section = replace(section, index=min(max(section.index, 0), last))
        if section != self.section:
            self.section = section
            self.section_changed.emit()

    def step_section(self, steps: int) -> None:
        """Go `steps` sections on (or back) along the axis in view."""
        if self.section.axis is not None:
            self.set_section(replace(self.section, index=self.section.index + steps))

    def set_view(self, **changes: Any) -> None:
        """Change fields of `view`."""
        view = replace(self.view, **changes)
        if view != self.view:
            self.view = view
            self.view_changed.emit()

    @property
    def cell_noun(self) -> str:
        """Name what carries a label: "pixel", of a sample set "sample"."""
        return "sample" if self.source is not None and self.source.samples is not None else "pixel"

    @property
    def shown_map(self) -> ShownMap | None:
        """Return the map that is drawn over the data, None where there is none."""
        return self.live.map if self.live.shows else self.prediction

    @property
    def network_in_front(self) -> bool:
        """Say whether the network's prediction is to be seen rather than Live's map.

        Where it holds nothing of the section in view, Live's is.
        """
        store, seen = self.prediction, (self.prediction, self.section)
        if self.shown == "live" or store is None or self.source is None:
            self._predicted = None
            return False
        if self._predicted != seen and _holds(store, self.source, self.section):
            self._predicted = seen
        return self._predicted == seen

    def why_read_only(self) -> str:
        """Say why nothing of the project can be changed; "" where it can."""
        return self.project.read_only if self.project is not None else ""

    def set_step(self, title: str) -> None:
        """Bring another of the side panels to the front."""
        if title != self.step:
            self.step = title
            self.step_changed.emit()

    def set_tool(self, tool: Tool) -> None:
        """Take another tool in hand; only the hand in a project that is read-only."""
        if tool != "pan" and self.why_read_only():
            return
        if tool != self.tool:
            self.tool = tool
            self.tool_changed.emit()

    def set_brush_size(self, cells: int) -> None:
        """Set the width of brush and eraser in cells."""
        cells = min(max(int(cells), 1), LARGEST_BRUSH)
        if cells != self.brush_size:
            self.brush_size = cells
            self.tool_changed.emit()

    def step_brush_size(self, direction: int) -> None:
        """Make the brush about a quarter wider (1) or narrower (-1), by one cell at least."""
        step = max(1, math.floor(self.brush_size / 4))
        self.set_brush_size(self.brush_size + direction * step)

    def set_current_class(self, number: int) -> None:
        """Paint with another class from now on; 0 paints "unlabelled"."""
        known = number == 0 or any(c.id == number for c in self.classes)
        if known and number != self.current_class:
            self.current_class = number
            self.tool_changed.emit()

    def set_cursor(self, readout: CursorReadout | None) -> None:
        """Pass on what lies under the cursor; None when it has left the picture."""
        self.cursor_changed.emit(readout)

    def tell(self, text: str, kind: Kind = "info", **more: Any) -> None:
        """Put a sentence into the message bar; `more` are fields of `Message`."""
        self.message.emit(Message(text, kind, **more))

    def report(self, error: BaseException) -> None:
        """Tell the user of an error: its own sentence, or that it is a bug, with details."""
        if isinstance(error, GeoCNNError):
            self.tell(str(error), "error")
            return
        _log.error("reported to the user", exc_info=error)
        details = f"{type(error).__name__}: {error}"
        self.tell("Something went wrong that should not; the log holds more.", "error",
                  details=details)  # fmt: skip

    def call(self, function: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Call a short function in the background and bring its result here; errors are told."""
        self._calls.start(function, done, self.report)

    def _look_at(
        self, source: Source, read: Callable[[], Any], done: Callable[[Any], object]
    ) -> None:
        """Call what reads a source in the background; nothing is heard of it out of view."""

        def in_view(act: Callable[[Any], object]) -> Callable[[Any], None]:
            def run(answer: object) -> None:
                if self.source is source:
                    act(answer)

            return run

        self._calls.start(self.in_use.bound(source, read), in_view(done), in_view(self.report))

    def _work_on(
        self, source: Source, read: Callable[[], Any], done: Callable[[Any], object], title: str
    ) -> None:
        """Call what the user asked of a source in the background, one thing at a time."""
        if self.busy:
            self.tell(f"{self.busy}: wait for it to end.", "warning")
            return

        def finish(act: Callable[[Any], object]) -> Callable[[Any], None]:
            def run(answer: object) -> None:
                self._set_busy("")
                if not isinstance(answer, SourceLeft):
                    act(answer)

            return run

        self._set_busy(title)
        self._calls.start(self.in_use.bound(source, read), finish(done), finish(self.report))

    @property
    def busy(self) -> str:
        """Say what short work runs in the background, or which large step; "" while nothing does."""
        return self.reading or self.steps.busy

    def _set_busy(self, text: str) -> None:
        self.reading = text
        self.busy_changed.emit(self.busy)
