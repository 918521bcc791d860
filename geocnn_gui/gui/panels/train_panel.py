"""What is learned from, for how long, and the button that starts it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QVBoxLayout, QWidget

from geocnn_gui.gui.census import Census
from geocnn_gui.gui.panels.label_panel import labelled_sentence
from geocnn_gui.gui.panels.model_words import title_of
from geocnn_gui.gui.panels.rate_group import RateGroup
from geocnn_gui.gui.panels.split_group import SplitGroup
from geocnn_gui.gui.panels.target_group import TargetGroup
from geocnn_gui.gui.widgets.auto_number import AutoNumber
from geocnn_gui.gui.widgets.card import button, enable, label
from geocnn_gui.gui.widgets.class_bars import ClassBars
from geocnn_gui.gui.widgets.spec_form import SpecForm

if TYPE_CHECKING:
    from PySide6.QtGui import QShowEvent

    from geocnn_gui.gui.session import Session
    from geocnn_gui.gui.widgets.choice_or_file import Ask
    from geocnn_gui.training.spec import TrainingSpec

#: Labels are counted when nothing was painted for so long.
_WAIT_MS = 300

#: Fields that have no use where values are learned.
_OF_CLASSES = ("loss", "focus", "smoothing", "balance")
_NO_CLASSES = "A value is learned: the loss is the mean squared error, and there are no classes."


class TrainPanel(QWidget):
    """Step three: one button; what it lacks is said beside it."""

    def __init__(self, session: Session, *, ask_file: Ask | None = None) -> None:
        super().__init__()
        self.setObjectName("train_panel")
        self._session, self._ask_file = session, ask_file
        self._title = label(role="title", name="train_title")
        self._sentence = label(role="muted", name="train_sentence", wrap=True)
        self._form = SpecForm(session.training_spec, ask_file=ask_file)
        self._form.setObjectName("training_form")
        self._form.changed.connect(self._on_form)
        self._device = label(role="muted", name="device_line", wrap=True)
        self._train = button("Train  (Ctrl+T)", session.start_training, name="train", primary=True)
        self._reason = label(role="muted", name="train_reason", wrap=True)
        self._bars = ClassBars(logarithmic=True)
        self._few = label(role="warning", name="few_cells", wrap=True)
        self._counting = QTimer(self, singleShot=True, interval=_WAIT_MS)
        self._counting.timeout.connect(self._count)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        rates = RateGroup(session)
        target = TargetGroup(session)
        for widget in (
            self._title,
            target,
            self._sentence,
            self._form,
            rates,
            self._device,
            self._train,
        ):
            layout.addWidget(widget)
        layout.addWidget(self._reason)
        layout.addSpacing(4)
        layout.addWidget(SplitGroup(session))
        layout.addSpacing(4)
        self._heading = label("LABELLED PIXELS", role="heading")
        layout.addWidget(self._heading)
        layout.addWidget(self._bars)
        layout.addWidget(self._few)
        layout.addStretch(1)
        for signal in (session.source_changed, session.classes_changed, session.job_changed,
                       session.specs_changed, session.project_changed):  # fmt: skip
            signal.connect(self._refresh)
        session.labels_changed.connect(self._refresh)
        session.target_changed.connect(self._refresh)
        session.specs_changed.connect(self._show_rate)
        session.noted.connect(self._on_noted)
        session.specs_restored.connect(self._show_spec)
        self._device.setText(_cores())
        self._refresh()

    def _refresh(self) -> None:
        session = self._session
        self._title.setText(f"Train the {title_of(session.model_spec)}")
        others = len(session.project.sources) - 1 if session.project is not None else 0
        more = " Labels of the project's other sources like this one count too."
        self._sentence.setText(labelled_sentence(session) + (more if others > 0 else ""))
        self._sentence.setVisible(not session.learns_values)
        self._heading.setVisible(not session.learns_values)
        self._bars.setVisible(not session.learns_values)
        for name in _OF_CLASSES:
            self._form.allow(name, _NO_CLASSES if session.learns_values else "")
        if session.project is None:
            self._show_census(Census({}, {}, 0))
        elif self.isVisible() and not self._counting.isActive():
            self._counting.start()
        reason = session.why_no_training()
        enable(self._train, reason, tip="Learn from the labels as they are now")
        self._reason.setText(reason if session.source is not None else "")
        self._reason.setVisible(bool(self._reason.text()))

    def showEvent(self, event: QShowEvent) -> None:
        """Count anew what was painted meanwhile."""
        super().showEvent(event)
        self._count()

    def _count(self) -> None:
        self._session.count_classes(self._show_census)

    def _show_census(self, census: Census) -> None:
        classes = self._session.classes
        self._bars.show_counts(tuple((c.name, c.color, census.cells.get(c.id, 0)) for c in classes))
        self._few.setText("\n".join(census.warnings(classes)))
        self._few.setVisible(bool(self._few.text()))

    def _on_form(self) -> None:
        split = {"split": self._session.training_spec.split}  # its own form has it
        spec = cast("TrainingSpec", self._form.spec())
        self._session.set_specs(training=spec.model_copy(update=split))

    def _show_spec(self) -> None:
        """Fill the form with the spec of a project that was opened."""
        layout, old = self.layout(), self._form
        if layout is None or old.spec() == self._session.training_spec:
            return
        self._form = SpecForm(self._session.training_spec, ask_file=self._ask_file)
        self._form.setObjectName("training_form")
        self._form.changed.connect(self._on_form)
        layout.replaceWidget(old, self._form)
        old.deleteLater()
        self._refresh()

    def _show_rate(self) -> None:
        """Show a learning rate that was found, or set back."""
        rate, editor = self._session.training_spec.learning_rate, self._form.editor("learning_rate")
        if isinstance(editor, AutoNumber) and editor.value() != rate:
            self._form.blockSignals(True)  # the rest of the form may not be that of the spec yet
            editor.set_value(rate)
            self._form.blockSignals(False)

    def _on_noted(self, text: str) -> None:
        """Name the device that the run has found."""
        if text.startswith("Training on "):
            self._device.setText("Device: " + text.removeprefix("Training on ").rstrip("."))


def _cores() -> str:
    """Name the processor; a GPU is looked for when a run starts, because that needs torch."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"Device: a GPU if there is one, else CPU, {cores} core{'' if cores == 1 else 's'}"
