"""Predict with the model in hand, and how the prediction is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QRadioButton, QSlider, QVBoxLayout, QWidget

from geocnn_gui.errors import ModelMismatch
from geocnn_gui.gui.panels.model_words import describe_card
from geocnn_gui.gui.widgets.card import Fold, button, enable, label
from geocnn_gui.gui.widgets.spec_form import SpecForm
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.models.compatibility import differences

if TYPE_CHECKING:
    from geocnn_gui.gui.session import Session


class PredictPanel(QWidget):
    """Step four: the section in view or everything; then classes or confidence as overlay."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("predict_panel")
        self._session = session
        self._model = label(role="muted", name="predict_model", wrap=True)
        self._warnings = label(role="warning", name="model_differences", wrap=True)
        self._section = button(
            "", lambda: session.start_prediction(whole=False), name="predict_section", primary=True
        )
        self._whole = button(
            "Predict all of it", lambda: session.start_prediction(whole=True), name="predict_whole"
        )
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addWidget(label("Predict", role="title"))
        for widget in (self._model, self._warnings, self._section, self._whole):
            layout.addWidget(widget)
        layout.addWidget(self._make_advanced())
        layout.addWidget(self._make_overlay())
        layout.addStretch(1)
        for signal in (session.source_changed, session.job_changed, session.model_changed,
                       session.section_changed):  # fmt: skip
            signal.connect(self._refresh)
        for signal in (session.overlay_changed, session.map_changed, session.view_changed):
            signal.connect(self._show_overlay)
        session.noted.connect(self._on_noted)
        self._refresh()
        self._show_overlay()

    def _make_advanced(self) -> QWidget:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self._form = SpecForm(self._session.prediction_spec)
        self._form.changed.connect(self._on_spec)
        self._check = button("Check tiling", self._session.check_tiling, name="check_tiling")
        self._found = label(role="muted", name="tiling_found", wrap=True)
        self._found.hide()
        for widget in (self._form, self._check, self._found):
            layout.addWidget(widget)
        fold = Fold("Advanced", content)
        fold.button.setObjectName("predict_advanced")
        return fold

    def _on_spec(self) -> None:
        spec = self._form.spec()
        assert isinstance(spec, PredictionSpec)
        self._session.set_prediction_spec(spec)

    def _on_noted(self, text: str) -> None:
        """Show what a check of the tiling has found."""
        if self._session.work == "check":
            self._found.setText(text)
            self._found.show()

    def _make_overlay(self) -> QWidget:
        self._overlay = QWidget()
        layout = QVBoxLayout(self._overlay)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(label("OVERLAY", role="heading"))
        line, group = QHBoxLayout(), QButtonGroup(self)
        self._choices: dict[str, QRadioButton] = {}
        for kind, text in (("classes", "Classes"), ("confidence", "Confidence"), ("none", "None")):
            choice = QRadioButton(text)
            choice.setObjectName(f"overlay_{kind}")
            choice.clicked.connect(lambda _=False, kind=kind: self._choose(kind))
            group.addButton(choice)
            line.addWidget(choice)
            self._choices[kind] = choice
        line.addStretch(1)
        self._opacity = QSlider(Qt.Orientation.Horizontal)
        self._opacity.setObjectName("overlay_opacity")
        self._opacity.setRange(0, 100)
        self._opacity.valueChanged.connect(
            lambda value: self._session.set_view(overlay_opacity=value / 100)
        )
        fade = QHBoxLayout()
        fade.addWidget(label("Opacity", role="muted"))
        fade.addWidget(self._opacity, 1)
        layout.addLayout(line)
        layout.addLayout(fade)
        return self._overlay

    def _refresh(self) -> None:
        session = self._session
        card = session.model_card
        self._model.setText(
            describe_card(card) if card is not None else "No model yet: train one or open one."
        )
        sections = session.section.axis is not None
        self._section.setText(f"{self._verb(whole=False)} {section_name(session)}  (Ctrl+R)")
        self._whole.setText(f"{self._verb(whole=True)} all of it")
        self._whole.setVisible(sections)
        reason = session.why_no_prediction()
        enable(self._check, reason, tip="How far tiles are from one pass over what is in view")
        enable(self._section, reason, tip="Classes and confidence of what is in view")
        enable(self._whole, reason, tip="Every section; tiles go to disk as they are done")
        warnings = self._differences()
        self._warnings.setText(warnings)
        self._warnings.setVisible(bool(warnings))

    def _verb(self, *, whole: bool) -> str:
        """Return what the button begins with: "Predict", or that a stopped task goes on."""
        record = self._session.unfinished_prediction(whole=whole)
        if record is None:
            return "Predict"
        return f"Continue ({100 * record.count // record.total} %)"

    def _differences(self) -> str:
        card, source = self._session.model_card, self._session.source
        if card is None or source is None:
            return ""
        try:
            return "\n".join(differences(card, source))
        except ModelMismatch as error:
            return str(error)

    def _choose(self, kind: str) -> None:
        if kind == "none":
            self._session.set_view(overlay_visible=False)
        else:
            self._session.set_view(overlay=kind, overlay_visible=True)

    def _show_overlay(self) -> None:
        view, store = self._session.view, self._session.shown_map
        self._overlay.setVisible(store is not None)
        if store is None:
            return
        values = store.target is not None
        self._choices["classes"].setText("Values" if values else "Classes")
        self._choices["confidence"].setVisible(not values)
        overlay = "classes" if values else view.overlay
        shown = overlay if view.overlay_visible else "none"
        self._choices[shown].setChecked(True)
        self._opacity.blockSignals(True)
        self._opacity.setValue(round(100 * view.overlay_opacity))
        self._opacity.blockSignals(False)


def section_name(session: Session) -> str:
    """Name what is in view: "inline 362", "the line", "the scene", "the samples"."""
    source, section = session.source, session.section
    if source is None:
        return "what is in view"
    if section.axis is None:
        return {"raster": "the scene", "samples": "the samples"}.get(source.kind, "the line")
    axis = source.axes[section.axis]
    return f"{axis.name} {axis.at(section.index):g} {axis.unit}".rstrip()
