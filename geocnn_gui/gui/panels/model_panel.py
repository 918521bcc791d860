"""Choose a network, or open one that was trained before."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from geocnn_gui.gui.panels.freeze_line import FreezeLine, freeze_choices
from geocnn_gui.gui.panels.layers_line import LayersLine
from geocnn_gui.gui.panels.model_words import describe_card
from geocnn_gui.gui.panels.weights_line import WeightsLine
from geocnn_gui.gui.widgets.card import button, enable, grouped, label
from geocnn_gui.gui.widgets.choice_or_file import ChoiceOrFile
from geocnn_gui.gui.widgets.network_box import NetworkBox, Offer
from geocnn_gui.gui.widgets.spec_form import SpecForm
from geocnn_gui.models.cards import CARDS, NetworkCard, card_of
from geocnn_gui.models.spec import SPECS, LayersSpec, ModelSpec, PretrainedSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QShowEvent

    from geocnn_gui.data.source import Source
    from geocnn_gui.gui.session import Session
    from geocnn_gui.gui.widgets.choice_or_file import Ask
    from geocnn_gui.inference.outlook import Outlook

#: The network is looked at when nothing of it was changed for so long.
_WAIT_MS = 400
_GROUPS = {"pixels": "Name each pixel", "patches": "Name the middle of a patch"}
_OWN = "Own layers"


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
        self._kind = NetworkBox(self._offers)
        self._kind.setObjectName("model_kind")
        self._specs[session.model_spec.kind] = session.model_spec
        self._kind.setCurrentIndex(self._kind.findData(session.model_spec.kind))
        self._kind.currentIndexChanged.connect(self._on_kind)
        self._about = label(name="model_about", wrap=True)
        self._size = label(role="muted", name="model_size")
        self._cost = label(role="muted", name="model_cost", wrap=True)
        self._facts = label(role="muted", name="model_facts", wrap=True)
        self._place = QVBoxLayout()
        self._form: SpecForm | None = None
        self._freeze: FreezeLine | None = None
        self._own: LayersLine | None = None
        self._looked: tuple[ModelSpec, int, int] | None = None
        self._looking = QTimer(self, singleShot=True, interval=_WAIT_MS)
        self._looking.timeout.connect(self._look)
        self._card = label(role="muted", name="model_card", wrap=True)
        self._save = button("Save model as…", save_model, name="save_model")
        opening = button(
            "Open model…", open_model, name="open_model", tip="Predict with a saved model"
        )
        self._lay_out(opening)
        session.model_changed.connect(self._show_card)
        session.specs_restored.connect(self._show_spec)
        for signal in (session.specs_changed, session.source_changed, session.classes_changed,
                       session.target_changed):  # fmt: skip
            signal.connect(self._show_size)
        self._on_kind()
        self._show_card()

    def _lay_out(self, opening: QPushButton) -> None:
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addWidget(label("Network to train", role="title"))
        layout.addWidget(self._kind)
        layout.addWidget(self._about)
        facts = QVBoxLayout()
        facts.setSpacing(1)
        for line in (self._size, self._cost, self._facts):
            facts.addWidget(line)
        layout.addLayout(facts)
        layout.addLayout(self._place)
        layout.addSpacing(8)
        layout.addWidget(label("MODEL IN HAND", role="heading"))
        layout.addWidget(self._card)
        files = QHBoxLayout()
        files.setSpacing(8)
        files.addWidget(opening)
        files.addWidget(self._save)
        layout.addLayout(files)
        layout.addStretch(1)

    def _on_kind(self) -> None:
        spec = self._specs[self._kind.currentData()]
        self._forget_form()
        self._form = SpecForm(spec, ask_file=self._ask_weights)
        self._form.setObjectName("model_form")
        self._form.changed.connect(self._on_changed)
        self._place.addWidget(self._form)
        if isinstance(spec, PretrainedSpec):
            self._form.explain("weights", WeightsLine(self._session, use=self._use("weights")))
            self._freeze = FreezeLine(self._session, use=self._use("freeze"))
            self._form.explain("freeze", self._freeze)
            editor = self._form.editor("freeze")
            if isinstance(editor, ChoiceOrFile):
                editor.offer(freeze_choices(spec))
        if isinstance(spec, LayersSpec):
            self._own = LayersLine(self._session, use=self._use_layers)
            self._place.addWidget(self._own)
        card = card_of(spec.kind)
        self._about.setText(card.purpose)
        self._facts.setText(_facts(card))
        self._session.set_specs(model=spec)

    def _forget_form(self) -> None:
        for part in (self._own, self._form):
            if part is not None:
                self._place.removeWidget(part)
                part.hide()  # it goes a moment later
                part.deleteLater()
        self._form = self._freeze = self._own = self._looked = None

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

    def _use(self, name: str) -> Callable[[str], None]:
        """Return what sets a field of the form."""

        def take(value: str) -> None:
            editor = self._form.editor(name) if self._form is not None else None
            if isinstance(editor, ChoiceOrFile):
                editor.choose(value)

        return take

    def _use_layers(self, spec: LayersSpec) -> None:
        """Take a list of layers from its editor."""
        self._specs[spec.kind] = spec
        if self._form is not None:
            self._form.show_spec(spec)
        self._session.set_specs(model=spec)

    def _offers(self) -> tuple[Offer, ...]:
        """Return all networks, group by group, with their size for the data in hand."""
        cards = [card for name, card in CARDS.items() if name in SPECS]
        offers = [
            _offer(card, self._specs[card.name].parameters(*self._session.outlets))
            for card in cards
        ]
        order = [*_GROUPS.values(), _OWN]
        return tuple(sorted(offers, key=lambda offer: order.index(offer.group)))

    def _show_size(self) -> None:
        self._size.setText(_words(self._session.model_spec.parameters(*self._session.outlets)))
        if self.isVisible():
            self._looking.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Look at what the network costs, now that it is asked for."""
        super().showEvent(event)
        self._looking.start()

    def _look(self) -> None:
        """Count in the background what the network costs: that needs torch."""
        asked = (self._session.model_spec, *self._session.outlets)
        if asked != self._looked:
            self._session.look_at_network(*asked, lambda found: self._show_outlook(asked, found))

    def _show_outlook(self, asked: tuple[ModelSpec, int, int], found: Outlook | None) -> None:
        if asked != (self._session.model_spec, *self._session.outlets):
            return
        self._looked = asked
        if self._freeze is not None:
            self._freeze.show_outlook(found)
        self._cost.setText(_cost(found, self._session.source))

    def _show_card(self) -> None:
        card, path = self._session.model_card, self._session.model_path
        enable(self._save, self._session.why_no_model(), tip="Copy the model in hand to a file")
        if card is None or path is None:
            self._card.setText("None yet: train one, or open one that was trained before.")
            return
        self._card.setText(describe_card(card))
        self._card.setToolTip(str(path))


def _offer(card: NetworkCard, parameters: int) -> Offer:
    group = _OWN if card.name == "layers" else _GROUPS[card.task]
    return Offer(
        card.name, card.title, card.purpose, group, f"{card.least_patch} px",
        _short(parameters), str(card.year), card.origin,
    )  # fmt: skip


def _facts(card: NetworkCard) -> str:
    """Say of a network what it answers for, from what size on, and whose it is."""
    across = {1: "samples", 2: "pixels", 3: "samples"}[card.dims]
    return f"Patches of at least {card.least_patch} {across} · {card.origin}, {card.year}"


def _words(parameters: int) -> str:
    """Say how large a network is: "26 051 parameters", "11.2 million parameters"."""
    if parameters < 100_000:
        return f"{grouped(parameters)} parameters"
    if parameters < 1_000_000:
        return f"{grouped(round(parameters, -3))} parameters"
    return f"{parameters / 1e6:.1f} million parameters"


def _cost(found: Outlook | None, source: Source | None) -> str:
    """Say what a pass over the source takes: "One map of F3: 12.3 trillion multiply-adds"."""
    if found is None or source is None:
        return ""
    total = found.per_cell * math.prod(source.shape)
    for word, size in (("trillion", 1e12), ("billion", 1e9), ("million", 1e6)):
        if total >= size:
            return f"A map of {source.name}: {total / size:.3g} {word} multiply-adds"
    return f"A map of {source.name}: {grouped(round(total))} multiply-adds"


def _short(parameters: int) -> str:
    """Write a number of parameters in a narrow column: "486 k", "11.2 M"."""
    if parameters < 1_000_000:
        return f"{parameters / 1e3:.0f} k"
    return f"{parameters / 1e6:.1f} M"
