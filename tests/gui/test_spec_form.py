"""Forms are made from specs: every field has its editor, every value is checked."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field, field_validator
from PySide6.QtWidgets import QAbstractButton, QComboBox, QDoubleSpinBox, QLabel, QSpinBox, QWidget

from geocnn_gui.gui.widgets.spec_form import SpecForm
from geocnn_gui.models.spec import SPECS, ResNetSpec, Spec
from geocnn_gui.training.spec import TrainingSpec


class ExampleSpec(Spec):
    """A spec with a field of every kind."""

    kind: Literal["example"] = Field("example", json_schema_extra={"hidden": True})
    odd: Annotated[int, Field(ge=3, le=99)] = Field(7, title="Odd", description="An odd number.")
    share: Annotated[float, Field(ge=0, le=0.5)] = Field(0.2, title="Share")
    rate: Annotated[float, Field(gt=0, le=1)] = Field(
        3e-3, title="Rate", json_schema_extra={"advanced": True}
    )
    mode: Literal["one", "two"] = Field("one", title="Mode")
    on: bool = Field(True, title="On")

    @field_validator("odd")
    @classmethod
    def _is_odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("must be odd")
        return value


@pytest.fixture
def form(qtbot):
    made = SpecForm(ExampleSpec())
    qtbot.addWidget(made)
    made.show()
    return made


def test_that_every_kind_of_field_reaches_the_spec(form, qtbot):
    with qtbot.waitSignal(form.changed):
        form.findChild(QSpinBox, "field_odd").setValue(9)
    form.findChild(QDoubleSpinBox, "field_share").setValue(0.35)
    form.findChild(QDoubleSpinBox, "field_rate").setValue(0.001)
    form.findChild(QComboBox, "field_mode").setCurrentIndex(1)
    form.findChild(QAbstractButton, "field_on").setChecked(False)
    assert form.spec() == ExampleSpec(odd=9, share=0.35, rate=0.001, mode="two", on=False)


def test_that_a_refused_value_is_explained_and_the_last_good_spec_kept(form):
    complaint = form.findChild(QLabel, "spec_complaint")
    form.findChild(QSpinBox, "field_odd").setValue(8)
    assert form.spec().odd == 7
    assert "must be odd" in complaint.text()
    assert complaint.isVisible()
    form.findChild(QSpinBox, "field_odd").setValue(11)
    assert form.spec().odd == 11
    assert not complaint.isVisible()


def test_that_bounds_are_those_of_the_spec(form):
    box = form.findChild(QSpinBox, "field_odd")
    assert (box.minimum(), box.maximum()) == (3, 99)


def test_that_advanced_fields_are_folded_and_hidden_ones_left_out(form):
    rate = form.findChild(QDoubleSpinBox, "field_rate")
    assert not rate.isVisible()
    form.findChild(QAbstractButton, "advanced").click()
    assert rate.isVisible()
    assert form.findChild(QWidget, "field_kind") is None


def test_that_a_text_is_one_of_its_words_or_a_file_that_is_asked_for(qtbot):
    form = SpecForm(ResNetSpec(), ask_file=lambda take: take("/data/a.pth"))
    qtbot.addWidget(form)
    ask, box = form.findChild(QAbstractButton, "choose_file"), form.findChild(QComboBox, "choice")
    with qtbot.waitSignal(form.changed):
        ask.click()
    assert form.spec() == ResNetSpec(weights="/data/a.pth")
    assert (box.currentText(), box.toolTip()) == ("a.pth", "/data/a.pth")
    with qtbot.waitSignal(form.changed):
        box.setCurrentIndex(box.findText("ImageNet"))
    ask.click()
    assert box.count() == 3
    assert form.spec() == ResNetSpec(weights="/data/a.pth")


def test_that_a_form_shows_the_file_of_its_spec(qtbot):
    form = SpecForm(ResNetSpec(weights="/data/a.pth"))
    qtbot.addWidget(form)
    assert form.spec() == ResNetSpec(weights="/data/a.pth")
    assert form.findChild(QComboBox, "choice").currentText() == "a.pth"
    assert form.findChild(QAbstractButton, "choose_file") is None


def test_that_more_can_be_said_in_the_place_of_a_description(form):
    told = QLabel("Seven is odd.")
    form.explain("odd", told)
    assert told.isVisible()
    assert told.parent() is form


@pytest.mark.parametrize("spec_class", [*SPECS.values(), TrainingSpec])
def test_that_every_spec_has_a_form_that_answers_its_defaults(qtbot, spec_class):
    form = SpecForm(spec_class())
    qtbot.addWidget(form)
    assert form.spec() == spec_class()
    shown = [
        name
        for name, field in spec_class.model_fields.items()
        if not (field.json_schema_extra or {}).get("hidden")
    ]
    assert all(form.editor(name).toolTip() for name in shown)


def test_that_fields_of_a_recipe_show_where_they_apply(qtbot):
    form = SpecForm(TrainingSpec())
    qtbot.addWidget(form)
    form.show()
    form.findChild(QAbstractButton, "advanced").click()
    momentum, optimizer = form.editor("momentum"), form.editor("optimizer")
    assert not momentum.isVisible()
    optimizer.setCurrentIndex(optimizer.findText("SGD with momentum"))
    assert momentum.isVisible()
    assert form.spec().optimizer == "momentum"
    form.editor("batch").setValue(0)
    assert form.editor("batch").text() == "All at once"
    assert not form.editor("steps_per_epoch").isVisible()


def test_that_auto_shows_the_rate_that_it_stands_for_and_small_ones_can_be_typed(qtbot):
    form = SpecForm(TrainingSpec())
    qtbot.addWidget(form)
    rate, optimizer = form.editor("learning_rate"), form.editor("optimizer")
    assert (rate.value(), rate.number.text()) == ("auto", "0.003")
    optimizer.setCurrentIndex(optimizer.findText("SGD"))
    assert (rate.value(), rate.number.text()) == ("auto", "0.01")
    rate.auto.click()
    rate.number.lineEdit().setText("3e-7")
    rate.number.interpretText()
    assert form.spec().learning_rate == pytest.approx(3e-7)
    rate.number.stepBy(1)
    assert form.spec().learning_rate == pytest.approx(3.75e-7)


def test_that_a_text_is_typed_into_the_licence(qtbot):
    form = SpecForm(TrainingSpec())
    qtbot.addWidget(form)
    box = form.editor("licence")
    qtbot.keyClicks(box, "CC BY-SA 4.0")
    assert form.spec().licence == "CC BY-SA 4.0"
