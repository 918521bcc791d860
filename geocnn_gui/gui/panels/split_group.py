"""How the next training is scored: what is held out, why, and the split shown on the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import button, enable, label, link
from geocnn_gui.gui.widgets.spec_form import SpecForm
from geocnn_gui.scoring.split_spec import LEAKY

if TYPE_CHECKING:
    from geocnn_gui.gui.session import Session
    from geocnn_gui.scoring.split_spec import SplitSpec

_HINT = (
    "Click on a unit to hold it out{}, once more to keep it for the test, once more to train on it."
)


class SplitGroup(QWidget):
    """A form of the split, a button that shows it, and what it says of itself."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("split_group")
        self._session = session
        self._form = self._new_form()
        self._show = button("Show the split", self._toggle, name="show_split")
        self._move = button("Move units", self._take_tool, name="move_units")
        self._back = link(
            "Back to automatic", session.forget_choice, name="automatic_split",
            tip="Forget the units that were moved by hand",
        )  # fmt: skip
        self._fold = QComboBox()
        self._fold.setObjectName("shown_fold")
        self._fold.setAccessibleName("Fold that is shown")
        self._fold.setToolTip("Which fold is drawn with its buffer; clicks move units to it")
        self._fold.activated.connect(session.show_fold)
        self._words = label(role="muted", name="split_words", wrap=True)
        self._warning = label(role="warning", name="split_warnings", wrap=True)
        row = QHBoxLayout()
        row.setSpacing(8)
        for widget in (self._show, self._move):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self._back)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(label("HOW IT IS SCORED", role="heading"))
        layout.addWidget(self._form)
        layout.addLayout(row)
        layout.addWidget(self._fold)
        layout.addWidget(self._words)
        layout.addWidget(self._warning)
        for signal in (session.split_changed, session.source_changed, session.tool_changed,
                       session.project_changed):  # fmt: skip
            signal.connect(self._refresh)
        session.labels_changed.connect(lambda _: self._refresh())
        session.busy_changed.connect(lambda _: self._refresh())
        session.specs_restored.connect(self._show_spec)
        self._refresh()

    def _new_form(self) -> SpecForm:
        form = SpecForm(self._session.training_spec.split)
        form.setObjectName("split_form")
        form.changed.connect(self._on_form)
        return form

    def _on_form(self) -> None:
        split = cast("SplitSpec", self._form.spec())
        training = self._session.training_spec
        self._session.set_specs(training=training.model_copy(update={"split": split}))

    def _show_spec(self) -> None:
        """Fill the form with the spec of a project that was opened."""
        layout, old = self.layout(), self._form
        if layout is None or old.spec() == self._session.training_spec.split:
            return
        self._form = self._new_form()
        layout.replaceWidget(old, self._form)
        old.deleteLater()

    def _toggle(self) -> None:
        if self._session.split is None or self._session.split_outdated:
            self._session.show_split()
        else:
            self._session.hide_split()

    def _take_tool(self) -> None:
        self._session.set_tool("split" if self._session.tool != "split" else "pan")

    def _refresh(self) -> None:
        session, shown = self._session, self._session.split
        outdated = session.split_outdated and shown is not None
        text = "Show it again" if outdated else "Hide the split" if shown else "Show the split"
        self._show.setText(text)
        reason = "" if shown is not None and not outdated else session.why_no_split()
        enable(self._show, reason, tip="Draw on the data what the next training holds out")
        lacks = "" if shown is not None else "Show the split first."
        self._list_folds()
        to = f" in fold {session.shown_fold + 1}" if self._fold.count() > 1 else ""
        hint = _HINT.format(to)
        enable(self._move, session.why_read_only() or lacks, tip=hint)
        self._move.setText("Done" if session.tool == "split" else "Move units")
        self._back.setVisible(session.kept_split is not None)
        words = list(shown.plan.words) if shown is not None else []
        if outdated:
            words.insert(0, "Labels have changed since.")
        if shown is not None and session.tool == "split":
            words.append(hint)
        elif shown is None and session.kept_split is not None:
            words.append("Units that were moved by hand are held out.")
        self._words.setText(" ".join(words))
        self._words.setVisible(bool(words))
        warnings = shown.plan.warnings if shown is not None else ()
        self._warning.setText("\n".join(warnings))
        self._warning.setVisible(bool(warnings))

    def _list_folds(self) -> None:
        """Offer the folds of the plan that is shown, where there are several."""
        shown = self._session.split
        folds = 0 if shown is None or shown.plan.unit == LEAKY else shown.plan.folds
        if self._fold.count() != folds:
            self._fold.clear()
            self._fold.addItems([f"Fold {n} of {folds} shown" for n in range(1, folds + 1)])
        self._fold.setCurrentIndex(self._session.shown_fold if folds else -1)
        self._fold.setVisible(folds > 1)
