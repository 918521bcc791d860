"""Which stages of a pretrained network keep their weights: a drawing to click, and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import label
from geocnn_gui.gui.widgets.freeze_drawing import FreezeDrawing
from geocnn_gui.models.cards import card_of
from geocnn_gui.models.spec import PretrainedSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.session import Session
    from geocnn_gui.inference.outlook import Outlook


class FreezeLine(QWidget):
    """Draws the stages of the network of the session; `use` takes the value of `freeze`."""

    def __init__(self, session: Session, *, use: Callable[[str], None]) -> None:
        super().__init__()
        self.setObjectName("freeze_line")
        self._session, self._use = session, use
        self._outlook: Outlook | None = None
        self.drawing = FreezeDrawing()
        self.drawing.picked.connect(self._on_picked)
        self._text = label(role="caption", name="freeze_text", wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3, 2, 0, 4)
        layout.setSpacing(2)
        layout.addWidget(self.drawing)
        layout.addWidget(self._text)
        session.specs_changed.connect(self.refresh)
        self.refresh()

    def show_outlook(self, outlook: Outlook | None) -> None:
        """Take the sizes of the stages, once they are known."""
        self._outlook = outlook
        self.refresh()

    def refresh(self) -> None:
        """Draw the stages as the spec has them."""
        spec = self._session.model_spec
        if not isinstance(spec, PretrainedSpec):
            return  # another network was chosen; this goes with its form
        rest = ["Head"]
        if self._outlook is not None:
            names = spec.stage_names()
            rest = [part.title for part in self._outlook.stages if part.name not in names]
        titles = stage_titles(spec)
        self.drawing.setEnabled(spec.pretrained)
        self.drawing.show_stages(tuple(titles.values()), rest, frozen=spec.frozen_stages)
        self._text.setText(self._sentence(spec, titles))

    def _sentence(self, spec: PretrainedSpec, titles: dict[str, str]) -> str:
        if not spec.pretrained:
            return "Without weights to begin with there is nothing to keep: all of it learns."
        frozen = spec.frozen_stages
        if not frozen:
            return "Click a stage: it and all before it keep their weights, the rest learns."
        last = tuple(titles.values())[frozen - 1]
        return f"All up to {last} keeps its weights.{self._learns(spec)}{self._once()}"

    def _once(self) -> str:
        """Say what becomes of the features of frozen stages, which never change."""
        if card_of(self._session.model_spec.kind).task != "patches":
            return ""
        copies = self._session.training_spec.frozen_copies
        if not copies:
            return " Keep features (Train, Advanced) computes theirs once: many times quicker."
        what = "augmentation is off" if copies == 1 else f"{copies} changed copies of each patch"
        return f" Their features are computed once and kept; {what}."

    def _learns(self, spec: PretrainedSpec) -> str:
        """Say which share of the parameters still learns."""
        if self._outlook is None:
            return ""
        names = spec.stage_names()[: spec.frozen_stages]
        total = sum(part.parameters for part in self._outlook.stages)
        kept = sum(part.parameters for part in self._outlook.stages if part.name in names)
        return (
            f" {100 * (total - kept) / total:.2g} % of {total / 1e6:.1f} million parameters learn."
        )

    def _on_picked(self, stages: int) -> None:
        spec = self._session.model_spec
        if isinstance(spec, PretrainedSpec):
            names = spec.stage_names()
            whole = "encoder" if stages == len(names) else names[stages - 1]
            self._use(whole if stages else "nothing")


def stage_titles(spec: PretrainedSpec) -> dict[str, str]:
    """Return name -> title of the stages that can be frozen, from the data upwards."""
    titles = {part.name: part.title for part in spec.backbone.parts}
    return {name: titles.get(name, name) for name in spec.stage_names()}


def freeze_choices(spec: PretrainedSpec) -> dict[str, str]:
    """Return what can be frozen, in words."""
    words = {"nothing": "Nothing", "early": "Early half", "encoder": "Encoder"}
    return words | {name: f"Up to {title}" for name, title in stage_titles(spec).items()}
