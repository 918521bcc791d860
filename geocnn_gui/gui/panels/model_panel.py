"""Choose a network, or open one that was trained before."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import button, enable, grouped, label, link
from geocnn_gui.gui.widgets.choice_or_file import ChoiceOrFile
from geocnn_gui.gui.widgets.spec_form import SpecForm
from geocnn_gui.models.pretrained import IMAGENET, weights_path, why_no_weights
from geocnn_gui.models.spec import SPECS, ModelSpec, PretrainedSpec
from geocnn_gui.scoring.intervals import score_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.session import Session
    from geocnn_gui.gui.widgets.choice_or_file import Ask
    from geocnn_gui.models.weights import ModelCard


class ModelPanel(QWidget):
    """Step two: the defaults suit most data; the form is made from the network's spec."""

    def __init__(
        self,
        session: Session,
        *,
        open_model: Callable[[], None],
        save_model: Callable[[], None],
        choose_weights: Ask,
    ) -> None:
        super().__init__()
        self.setObjectName("model_panel")
        self._session, self._ask_weights = session, choose_weights
        self._specs: dict[str, ModelSpec] = {
            kind: spec.model_validate({}) for kind, spec in SPECS.items()
        }
        self._kind = QComboBox()
        self._kind.setObjectName("model_kind")
        for kind, spec in self._specs.items():
            self._kind.addItem(title_of(spec), kind)
        self._kind.currentIndexChanged.connect(self._on_kind)
        self._about = label(role="muted", name="model_about", wrap=True)
        self._size = label(role="muted", name="model_size")
        self._place = QVBoxLayout()
        self._form: SpecForm | None = None
        self._card = label(role="muted", name="model_card", wrap=True)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addWidget(label("Network to train", role="title"))
        layout.addWidget(self._kind)
        layout.addWidget(self._about)
        layout.addLayout(self._place)
        layout.addWidget(self._size)
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
        for signal in (session.specs_changed, session.source_changed, session.classes_changed):
            signal.connect(self._show_size)
        self._on_kind()
        self._show_card()

    def _on_kind(self) -> None:
        spec = self._specs[self._kind.currentData()]
        if self._form is not None:
            self._place.removeWidget(self._form)
            self._form.deleteLater()
        self._form = SpecForm(spec, ask_file=self._ask_weights)
        self._form.setObjectName("model_form")
        self._form.changed.connect(self._on_changed)
        self._place.addWidget(self._form)
        if isinstance(spec, PretrainedSpec):
            self._form.explain("weights", WeightsLine(self._session, use=self._use_weights))
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
            before = self._specs[spec.kind]
            self._specs[spec.kind] = spec
            self._session.set_specs(model=spec)
            if getattr(spec, "weights", None) != getattr(before, "weights", None):
                self._session.check_weights()

    def _use_weights(self, value: str) -> None:
        editor = self._form.editor("weights") if self._form is not None else None
        if isinstance(editor, ChoiceOrFile):
            editor.choose(value)

    def _show_size(self) -> None:
        source = self._session.source
        bands = len(source.bands) if source is not None else 3
        classes = max(2, len(self._session.classes))
        self._size.setText(_words(self._session.model_spec.parameters(bands, classes)))

    def _show_card(self) -> None:
        card, path = self._session.model_card, self._session.model_path
        enable(self._save, self._session.why_no_model(), tip="Copy the model in hand to a file")
        if card is None or path is None:
            self._card.setText("None yet: train one, or open one that was trained before.")
            return
        self._card.setText(describe_card(card))
        self._card.setToolTip(str(path))


class WeightsLine(QWidget):
    """Says whether the weights that a training begins with are here, and the ways out if not."""

    def __init__(self, session: Session, *, use: Callable[[str], None]) -> None:
        super().__init__()
        self.setObjectName("weights")
        self._session = session
        self._text = label(role="caption", name="weights_line", wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._download = link(
            f"Download ({IMAGENET.megabytes} MB)", session.start_download,
            name="download_weights",
        )  # fmt: skip
        self._ways = QWidget()
        ways = QHBoxLayout(self._ways)
        ways.setContentsMargins(3, 2, 0, 6)
        ways.setSpacing(16)
        ways.addWidget(self._download)
        ways.addWidget(link("Go without", lambda: use("none"), name="no_weights"))
        ways.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._text)
        layout.addWidget(self._ways)
        session.specs_changed.connect(self.refresh)
        session.job_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Look whether the weights are here."""
        spec = self._session.model_spec
        if not isinstance(spec, PretrainedSpec):
            return  # another network was chosen; this line goes with its form
        missing, published = why_no_weights(spec), spec.weights == "imagenet"
        self._text.setText(_weights_sentence(spec, missing))
        self._text.setProperty("role", "warning" if missing else "caption")
        self._text.setIndent(3 if missing else -1)  # where the captions of other fields begin
        self._text.style().polish(self._text)
        self._ways.setVisible(bool(missing))
        self._download.setVisible(published)
        enable(self._download, self._session.why_not_now(), tip=IMAGENET.url)

    def changeEvent(self, event: QEvent) -> None:
        """Look again when the user comes back, perhaps from putting the file there."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.refresh()


def _weights_sentence(spec: PretrainedSpec, missing: str) -> str:
    path = weights_path(spec)
    if not spec.pretrained:
        return "Learns from your labels alone; nothing is frozen."
    if spec.weights != "imagenet":
        return missing or f"Begins with {path}."
    if missing:
        return f"{missing} By hand: put {path.name} into {path.parent}."
    return f"ImageNet weights found in {path.parent}."


def _words(parameters: int) -> str:
    """Say how large a network is: "11.2 million parameters"."""
    if parameters < 1_000_000:
        return f"{grouped(round(parameters, -3))} parameters"
    return f"{parameters / 1e6:.1f} million parameters"


def title_of(spec: ModelSpec) -> str:
    """Return a network's name for people."""
    return type(spec).model_fields["kind"].title or spec.kind


def describe_card(card: ModelCard) -> str:
    """Say in a few words what a model is and what it was trained on."""
    parts = [title_of(card.spec), ", ".join(c.name for c in card.classes)]
    if card.training.data:
        parts.append(f"trained on {', '.join(card.training.data)}")
    if card.training.holdout_iou is not None:
        said = card.training
        words = score_words(
            said.holdout_iou, said.holdout_interval, said.holdout_units, said.holdout_by
        )
        parts.append(f"held-out mean IoU {words}")
        if said.holdout_optimistic:
            parts.append("may be optimistic")
        if said.test_iou is not None:
            parts.append(f"test set {score_words(said.test_iou, said.test_interval)}")
    rules = {"survey": "scales by each survey's own statistics",
             "stored": "scales by its training data's statistics"}  # fmt: skip
    parts.append(rules[card.scaling.mode])
    return " · ".join(parts)
