"""The session's search for a learning rate: its curve, the rate it takes, and the way back."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import Signal

from geocnn_gui.events import RateFound, RateTried
from geocnn_gui.gui.from_here import FromHere
from geocnn_gui.gui.run_tasks import gather, with_choice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtCore import QObject

    from geocnn_gui.events import Event
    from geocnn_gui.gui.run_tasks import InView
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.project.project import Project
    from geocnn_gui.project.split import KeptSplit
    from geocnn_gui.training.spec import TrainingSpec

Rate = float | Literal["auto"]


class RateSearch(FromHere):
    """State that can look for the learning rate of the next training.

    rates_changed: `rates` (what was tried), `rate_found`, or what can be set back.
    """

    rates_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rates: list[RateTried] = []
        self.rate_found: float | None = None
        self.rate_before: Rate | None = None
        self._searched: Project | None = None
        self.project_changed.connect(self._forget_rates)

    def start_rate_search(self) -> None:
        """Try learning rates on the labels as they are now, and take the one that is suggested."""
        view = self._in_view()
        if self.project is None or view is None:
            return
        if reason := self.why_not_now():
            self.tell(reason, "warning")
            return
        specs = self.model_spec, self.training_spec
        task = _search(self.project, view, specs, self.classes, split=self.kept_split)
        self._searched = self.project
        self.rates, self.rate_found, self.rate_before = [], None, None
        self.rates_changed.emit()
        self._start(task, "rate", "Finding a learning rate")

    def set_rate_back(self) -> None:
        """Take the learning rate of before the search again."""
        if self.rate_before is not None:
            before, self.rate_before = self.rate_before, None
            self._take_rate(before)
            self.rates_changed.emit()

    def _take_rate(self, rate: Rate) -> None:
        self.set_specs(training=self.training_spec.model_copy(update={"learning_rate": rate}))

    def _on_event(self, event: Event) -> None:
        super()._on_event(event)
        if self.project is not self._searched:
            return  # it is another project's
        if isinstance(event, RateTried):
            self.rates.append(event)
            self.rates_changed.emit()
        elif isinstance(event, RateFound):
            self.rate_before, self.rate_found = self.training_spec.learning_rate, event.rate
            self._take_rate(event.rate)
            self.rates_changed.emit()

    def _forget_rates(self) -> None:
        if self.project is not self._searched:
            self.rates, self.rate_found, self.rate_before = [], None, None
            self.rates_changed.emit()


def _search(
    project: Project,
    view: InView,
    specs: tuple[ModelSpec, TrainingSpec],
    classes: Classes,
    *,
    split: KeptSplit | None,
) -> Iterator[Event]:
    """Try rates on the labels in view and on those of the project's other sources like it."""
    from geocnn_gui import workflow

    with ExitStack() as stack:
        chosen, notes = gather(project, view, stack)
        yield from notes
        training = with_choice(specs[1], split, [entry.id for entry, _ in chosen])
        yield from workflow.find_rate([pair for _, pair in chosen], specs[0], training, classes)
