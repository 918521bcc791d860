"""The session's look inside the model in hand: where, what of it, and what was seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Signal

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.in_use import SourceLeft
from geocnn_gui.gui.scoring import Scoring
from geocnn_gui.inspection.spec import Place, Question
from geocnn_gui.models.compatibility import differences

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Source
    from geocnn_gui.inspection.looking import Looker, Seen

#: The side panel in front of which places are looked at.
INSPECT = "Inspect"
#: Boxes on the data: what the network is given, what it can see, what it looks at, a kernel.
WINDOW, REACH, USED, KERNEL = "#ffffff", "#ff3b6b", "#ffb000", "#00d5e0"
Span = tuple[float, float]


@dataclass(frozen=True, eq=False)
class InspectOverlay:
    """What is drawn over the data: values (rows, columns) over `rows` x `columns`, and boxes.

    Rows and columns are positions in cells, (first, last). `signed` values are drawn around 0,
    others from 0 up. `boxes`: (rows, columns, colour). `place`: the cell that is looked at.
    """

    place: tuple[int, int]
    boxes: tuple[tuple[Span, Span, str], ...]
    values: np.ndarray | None = None
    rows: Span = (0.0, 0.0)
    columns: Span = (0.0, 0.0)
    signed: bool = False
    opacity: float = 0.7


class Inspecting(Scoring):
    """State that can look inside its model; one question at a time, only the newest waits.

    Signals
    -------
    inspect_changed: what is asked (`question`, `follows`), or whether an answer is awaited.
    seen_changed: `seen`, the last answer, or `unseen`, why there is none.
    """

    inspect_changed = Signal()
    seen_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.question: Question | None = None
        self.seen: Seen | None = None
        self.unseen = ""
        self.follows = True
        self.inspect_shown = True
        self._looking = False
        self._waiting_question: Question | None = None
        self._look_key: tuple[Path | None, Source | None] = (None, None)
        self._looker: Looker | None = None
        self.step_changed.connect(self._on_inspect_step)
        self.section_changed.connect(self._ask_of_section)
        self.source_changed.connect(self._forget_seen)
        self.model_changed.connect(self._on_other_model)

    @property
    def inspecting(self) -> bool:
        """Say whether the Inspect panel is in front."""
        return self.step == INSPECT

    @property
    def looking(self) -> bool:
        """Say whether an answer is awaited."""
        return self._looking

    def why_no_inspection(self) -> str:
        """Say what a look inside still lacks; "" when there can be one."""
        if self.source is None:
            return "Open a file first."
        if self.model_card is None or self.model_path is None:
            return "Train or open a model first."
        try:
            differences(self.model_card, self.source)
        except GeoCNNError as error:
            return str(error)
        return ""

    def set_question(self, **changes: Any) -> None:
        """Ask for another page, layer, map, class or manner; see `Question`."""
        if self.question is None:
            return
        if "layer" in changes or "page" in changes:
            changes = {"channel": 0, "band": 0, **changes}
        question = replace(self.question, **changes)
        if question != self.question:
            self._ask(question)

    def hover_cell(self, cell: tuple[int, int] | None) -> None:
        """Look at the cell under the cursor, where the look follows it."""
        if cell is not None and self.follows and self.inspecting:
            self._go_to(cell)

    def pin_cell(self, row: int, column: int) -> None:
        """Look at one cell from now on."""
        if self.inspecting and not self.why_no_inspection():
            self.follows = False
            self._go_to((row, column))
            self.inspect_changed.emit()

    def set_follows(self, follows: bool) -> None:
        """Follow the cursor, or stay at the place in view."""
        if follows != self.follows:
            self.follows = follows
            self.inspect_changed.emit()

    def show_inspection(self, shown: bool) -> None:
        """Draw what is seen over the data, or only its boxes."""
        self.inspect_shown = shown
        self.seen_changed.emit()

    def inspect_overlay(self) -> InspectOverlay | None:
        """Return what is to be drawn over the data; None while nothing is looked at."""
        seen = self.seen
        if seen is None or not self.inspecting or seen.question.place.section != self.section:
            return None
        if self.source is None or self.source.samples is not None:  # cells stand for samples
            return InspectOverlay((seen.question.place.row, seen.question.place.column), ())
        overlay = _overlay(seen)
        return overlay if self.inspect_shown else replace(overlay, values=None)

    # -- asking --------------------------------------------------------------------------------

    def _go_to(self, cell: tuple[int, int]) -> None:
        place = Place(self.section, *cell)
        question = self.question or Question(place)
        if question.place != place or self.question is None:
            self._ask(replace(question, place=place))

    def _on_inspect_step(self) -> None:
        if self.inspecting:
            self.set_tool("pan")  # a click pins the place
            self._ask_of_section()
        self.seen_changed.emit()

    def _on_other_model(self) -> None:
        if (self.model_path, self.source) != self._look_key:
            self._forget_seen()
            if self.question is not None:
                self.question = Question(self.question.place, page=self.question.page)
            self._ask_of_section()

    def _ask_of_section(self) -> None:
        """Look at the same cell of the section in view, or at its middle."""
        if not self.inspecting or self.source is None or self.why_no_inspection():
            return
        shape = self.source.picture_shape(self.section)
        held = self.question
        place = Place(self.section, shape[0] // 2, shape[1] // 2)
        if held is not None and held.place.row < shape[0] and held.place.column < shape[1]:
            place = replace(held.place, section=self.section)
        self._ask(replace(held, place=place) if held is not None else Question(place))

    def _forget_seen(self) -> None:
        self.seen, self.unseen, self._waiting_question = None, "", None
        if self._look_key[1] is not self.source:
            self.question = None
        self._look_key, self._looker = (None, None), None
        self.seen_changed.emit()
        self._ask_of_section()

    def _ask(self, question: Question) -> None:
        self.question = question
        if self.why_no_inspection():
            return
        self._waiting_question = question
        self.inspect_changed.emit()
        if not self._looking:
            self._look_next()

    def _look_next(self) -> None:
        question, source, model = self._waiting_question, self.source, self.model_path
        self._waiting_question = None
        if question is None or source is None or model is None or not self.inspecting:
            self.inspect_changed.emit()
            return
        self._looking, key = True, (model, source)
        looker = self._looker if key == self._look_key else None
        self._calls.start(
            self.in_use.bound(source, partial(_see, looker, model, source, question)),
            partial(self._on_seen, key), partial(self._on_not_seen, key),
            title="Looking inside the model",
        )  # fmt: skip

    def _on_seen(self, key: tuple[Path, Source], answer: tuple[Looker, Seen]) -> None:
        self._looking = False
        if key == (self.model_path, self.source):
            self._look_key, self._looker = key, answer[0]
            self.seen, self.unseen = answer[1], ""
            self.seen_changed.emit()
        self._look_next()

    def _on_not_seen(self, key: tuple[Path, Source], error: Exception) -> None:
        self._looking = False
        if key == (self.model_path, self.source) and not isinstance(error, SourceLeft):
            self.seen = None
            self.unseen = str(error) if isinstance(error, GeoCNNError) else "This went wrong."
            if not isinstance(error, GeoCNNError):
                self.report(error)
            self.seen_changed.emit()
        self._look_next()


def _see(
    looker: Looker | None, model: Path, source: Source, question: Question
) -> tuple[Looker, Seen]:
    """Answer a question, on a background thread: torch is loaded here."""
    from geocnn_gui.inspection.looking import Looker

    looker = looker or Looker(model, source)
    return looker, looker.see(question)


def _overlay(seen: Seen) -> InspectOverlay:
    look, question = seen.look, seen.question
    rows, columns = _span(look.rows), _span(look.columns)
    place = (question.place.row, question.place.column)
    window = (rows, columns, WINDOW)
    if question.page == "maps" and seen.maps is not None and len(seen.maps):
        values = seen.maps[min(question.channel, len(seen.maps) - 1)]
        down, across = _within(seen)
        signed = bool(values.min() < 0)
        return InspectOverlay(place, (window,), values, down, across, signed=signed, opacity=0.8)
    if question.page == "why" and seen.attribution is not None:
        return InspectOverlay(place, (window,), seen.attribution.values, rows, columns, signed=True)
    if question.page == "reach":
        return _reach_overlay(seen, place)
    sliding = seen.sliding
    if question.page == "slide" and sliding is not None:
        boxes, box = (window,), sliding.box
        if box is not None:
            boxes = (window, (_span(box[0]), _span(box[1]), KERNEL))
        return InspectOverlay(place, boxes, sliding.response, *_within(seen), signed=True)
    return InspectOverlay(place, (window,))


def _within(seen: Seen) -> tuple[Span, Span]:
    """Return the rows and columns of the section that the maps cover."""
    (top, bottom), (left, right) = seen.span
    row, column = seen.look.rows.start, seen.look.columns.start
    return (row + top, row + bottom), (column + left, column + right)


def _reach_overlay(seen: Seen, place: tuple[int, int]) -> InspectOverlay:
    boxes = []
    for field, colour in ((seen.theoretical, REACH), (seen.effective, USED)):
        if field is not None:
            boxes.append((_moved(field.rows, place[0]), _moved(field.columns, place[1]), colour))
    used = seen.effective
    if used is None:
        return InspectOverlay(place, tuple(boxes))
    return InspectOverlay(
        place, tuple(boxes), used.weights,
        _moved(used.map_rows, place[0]), _moved(used.map_columns, place[1]), opacity=0.75,
    )  # fmt: skip


def _span(part: slice) -> Span:
    return float(part.start), float(part.stop)


def _moved(part: slice, by: int) -> Span:
    return float(part.start + by), float(part.stop + by)
