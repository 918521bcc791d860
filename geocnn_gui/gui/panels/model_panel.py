"""Choose a network, or open one that was trained before."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import button, enable, label
from geocnn_gui.gui.widgets.spec_form import SpecForm
from geocnn_gui.models.spec import SPECS, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.session import Session
    from geocnn_gui.models.weights import ModelCard


class ModelPanel(QWidget):
    """Step two: the defaults suit most data; the form is made from the network's spec."""

    def __init__(
        self,
        session: Session,
        *,
        open_model: Callable[[], None],
        save_model: Callable[[], None],
    ) -> None:
        super().__init__()
        self.setObjectName("model_panel")
        self._session = session
        self._specs: dict[str, ModelSpec] = {
            kind: spec.model_validate({}) for kind, spec in SPECS.items()
        }
        self._kind = QComboBox()
        self._kind.setObjectName("model_kind")
        for kind, spec in self._specs.items():
            self._kind.addItem(title_of(spec), kind)
        self._kind.currentIndexChanged.connect(self._on_kind)
        self._about = label(role="muted", name="model_about", wrap=True)
        self._place = QVBoxLayout()
        self._form: SpecForm | None = None
        self._card = label(role="muted", name="model_card", wrap=True)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addWidget(label("Network to train", role="title"))
        layout.addWidget(self._kind)
        layout.addWidget(self._about)
        layout.addLayout(self._place)
        layout.addSpacing(8)
        layout.addWidget(label("MODEL IN HAND", role="heading"))
        layout.addWidget(self._card)
        layout.addWidget(
            button("Open model…", open_model, name="open_model", tip="Predict with a saved model")
        )
        self._save = button("Save model as…", save_model, name="save_model")
        layout.addWidget(self._save)
        layout.addStretch(1)
        session.model_changed.connect(self._show_card)
        session.specs_restored.connect(self._show_spec)
        self._on_kind()
        self._show_card()

    def _on_kind(self) -> None:
        spec = self._specs[self._kind.currentData()]
        if self._form is not None:
            self._place.removeWidget(self._form)
            self._form.deleteLater()
        self._form = SpecForm(spec)
        self._form.setObjectName("model_form")
        self._form.changed.connect(self._on_changed)
        self._place.addWidget(self._form)
        self._about.setText((type(spec).__doc__ or "").splitlines()[0])
        self._session.set_specs(model=spec)

    def _show_spec(self) -> None:
        """Show the spec of a project that was opened."""
        spec = self._session.model_spec
        if self._form is not None and self._form.spec() == spec:
            return
        self._specs[spec.kind] = spec
        at = self._kind.findData(spec.kind)
        if at == self._kind.currentIndex():
            self._on_kind()
        else:
            self._kind.setCurrentIndex(at)

    def _on_changed(self) -> None:
        if self._form is not None:
            spec = cast("ModelSpec", self._form.spec())
            self._specs[self._kind.currentData()] = spec
            self._session.set_specs(model=spec)

    def _show_card(self) -> None:
        card, path = self._session.model_card, self._session.model_path
        enable(self._save, self._session.why_no_model(), tip="Copy the model in hand to a file")
        if card is None or path is None:
            self._card.setText("None yet: train one, or open one that was trained before.")
            return
        self._card.setText(describe_card(card))
        self._card.setToolTip(str(path))


def title_of(spec: ModelSpec) -> str:
    """Return a network's name for people."""
    return type(spec).model_fields["kind"].title or spec.kind


def describe_card(card: ModelCard) -> str:
    """Say in a few words what a model is and what it was trained on."""
    parts = [title_of(card.spec), ", ".join(c.name for c in card.classes)]
    if card.training.data:
        parts.append(f"trained on {', '.join(card.training.data)}")
    if card.training.holdout_iou is not None:
        parts.append(f"held-out mean IoU {card.training.holdout_iou:.2f}")
    rules = {"survey": "scales by each survey's own statistics",
             "stored": "scales by its training data's statistics"}  # fmt: skip
    parts.append(rules[card.scaling.mode])
    return " · ".join(parts)
