"""A form made from a frozen pydantic spec: one line per field, advanced ones folded away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from geocnn_gui.gui.widgets.auto_number import AutoNumber
from geocnn_gui.gui.widgets.card import Fold, keep_from_wheel, label
from geocnn_gui.gui.widgets.choice_or_file import ChoiceOrFile
from geocnn_gui.gui.widgets.sizes_edit import SizesEdit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from geocnn_gui.gui.widgets.choice_or_file import Ask


class SpecForm(QWidget):
    """Edits one spec; `changed` tells when `spec()` would answer something else.

    A field's title is its label, its description the tooltip, its bounds those of the editor.
    `json_schema_extra` may say "advanced" (folded away) or "hidden" (kept as it is), and what
    a text field offers: "choices" (value -> words); `ask_file` asks for a file. "words" name the
    choices of a Literal, "zero" the number 0; "usual" is the property that says what "auto" stands
    for; with "when" or "unless" ({field: values}) a field shows only where the others say so. A
    value that the spec refuses shows its reason under the form and `spec()` keeps the last good
    one. `live`: numbers count while they are typed, not only once they are left.
    """

    changed = Signal()

    def __init__(
        self,
        spec: BaseModel,
        parent: QWidget | None = None,
        *,
        ask_file: Ask | None = None,
        live: bool = False,
    ) -> None:
        super().__init__(parent)
        self._spec, self._ask_file, self._live = spec, ask_file, live
        self._editors: dict[str, QWidget] = {}
        self._captions: dict[str, tuple[QGridLayout, QWidget]] = {}
        self._rows: dict[str, tuple[QWidget, QWidget]] = {}
        self._complaint = QLabel(self)
        self._complaint.setObjectName("spec_complaint")
        self._complaint.setProperty("role", "warning")
        self._complaint.setWordWrap(True)
        self._complaint.hide()
        plain, advanced = _form(), _form()
        folded = QWidget(self)
        folded.setLayout(advanced)
        for name, field in type(spec).model_fields.items():
            extra = _extra(field)
            if not extra.get("hidden"):
                self._add(name, field, (plain, advanced), advanced=bool(extra.get("advanced")))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(plain)
        if advanced.count():
            fold = Fold("Advanced", folded, self)
            fold.button.setObjectName("advanced")
            layout.addWidget(fold)
        else:
            folded.deleteLater()
        layout.addWidget(self._complaint)
        self._fit_rows()

    def spec(self) -> BaseModel:
        """Return the spec as it stands in the form."""
        return self._spec

    def show_spec(self, spec: BaseModel) -> None:
        """Show another spec of the same class; this is no change to be told of."""
        changed = [n for n in self._editors if getattr(spec, n) != getattr(self._spec, n)]
        self._spec = spec
        for name in changed:
            before = self._editors[name].blockSignals(True)
            _put(self._editors[name], getattr(spec, name))
            self._editors[name].blockSignals(before)
        self._fit_rows()

    def editor(self, name: str) -> QWidget:
        """Return the editor of a field."""
        return self._editors[name]

    def allow(self, name: str, why_not: str = "") -> None:
        """Let a field be changed, or show why it does not count; its value stays."""
        for part in self._rows[name]:
            part.setEnabled(not why_not)
            part.setToolTip(why_not or type(self._spec).model_fields[name].description or "")

    def explain(self, name: str, widget: QWidget) -> None:
        """Put a widget that says more in the place of a field's description."""
        form, caption = self._captions[name]
        form.replaceWidget(caption, widget)
        caption.deleteLater()
        widget.show()
        self._captions[name] = form, widget

    def _add(
        self, name: str, field: FieldInfo, forms: tuple[QGridLayout, ...], *, advanced: bool
    ) -> None:
        form = forms[advanced]
        editor = self._editor(field, getattr(self._spec, name))
        for part in (editor, *editor.findChildren(QWidget)):
            keep_from_wheel(part)
            if isinstance(part, QAbstractSpinBox):
                part.setKeyboardTracking(self._live)
        editor.setObjectName(f"field_{name}")
        editor.setToolTip(field.description or "")
        editor.setAccessibleDescription(field.description or "")
        _when_edited(editor, lambda: self._take())
        title = QLabel(field.title or name.replace("_", " ").capitalize())
        title.setProperty("role", "muted")
        title.setToolTip(field.description or "")
        title.setBuddy(editor)
        row = form.rowCount()
        form.addWidget(title, row, 0)
        form.addWidget(editor, row, 1)
        if field.description and not advanced:
            caption = label(field.description, role="caption", wrap=True)
            form.addWidget(caption, row + 1, 0, 1, 2)
            self._captions[name] = form, caption
        self._editors[name] = editor
        self._rows[name] = title, editor

    def _fit_rows(self) -> None:
        """Show the fields that apply, and what stands behind "auto"."""
        for name, (title, editor) in self._rows.items():
            extra = _extra(type(self._spec).model_fields[name])
            usual = extra.get("usual")
            if "when" in extra or "unless" in extra:
                applies = self._holds(extra.get("when", {}), all)
                applies = applies and not self._holds(extra.get("unless", {}), any)
                title.setVisible(applies)
                editor.setVisible(applies)
            if usual and isinstance(editor, AutoNumber):
                editor.show_usual(getattr(self._spec, usual))

    def _holds(self, rules: dict[str, list[Any]], how: Callable[[Iterable[bool]], bool]) -> bool:
        return how(getattr(self._spec, name) in values for name, values in rules.items())

    def _editor(self, field: FieldInfo, value: Any) -> QWidget:
        extra = _extra(field)
        choices = extra.get("choices")
        if isinstance(choices, dict):
            words = {key: str(text) for key, text in choices.items()}
            ask = None if extra.get("words_only") else self._ask_file
            return ChoiceOrFile(words, value, ask=ask)
        return _editor(field, value)

    def _take(self) -> None:
        for name, editor in self._editors.items():
            if isinstance(editor, SizesEdit) and (wrong := editor.complaint()):
                self._complain(name, wrong)
                return
        values = {name: _value(editor) for name, editor in self._editors.items()}
        try:
            spec = type(self._spec).model_validate({**self._spec.model_dump(), **values})
        except ValidationError as error:
            first = error.errors()[0]
            self._complain(str(first["loc"][0]) if first["loc"] else "", first["msg"])
            return
        self._complaint.hide()
        if spec != self._spec:
            self._spec = spec
            self._fit_rows()
            self.changed.emit()

    def _complain(self, name: str, wrong: str) -> None:
        title = type(self._spec).model_fields[name].title if name else ""
        self._complaint.setText(f"{title}: {wrong}".removeprefix(": "))
        self._complaint.show()


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _form() -> QGridLayout:
    form = QGridLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setHorizontalSpacing(12)
    form.setVerticalSpacing(2)
    form.setColumnStretch(1, 1)
    return form


def bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """Return the lowest and the highest value that a number field takes, None where open."""
    low = high = None
    for rule in field.metadata:
        low = getattr(rule, "ge", getattr(rule, "gt", low))
        high = getattr(rule, "le", getattr(rule, "lt", high))
    return low, high


def _editor(field: FieldInfo, value: Any) -> QWidget:
    parts = get_args(field.annotation)
    if any(get_origin(_plain(part)) is tuple for part in parts):
        words = {
            word: word for part in parts if get_origin(part) is Literal for word in get_args(part)
        }
        return SizesEdit(words | ({"window": None} if type(None) in parts else {}), value)
    if any(get_args(part) == ("auto",) for part in parts):
        number = next(part for part in parts if get_origin(part) is Annotated)
        low, high = bounds(FieldInfo.from_annotation(number))
        return AutoNumber(value, low or 0, high or 2**31 - 1, whole=get_args(number)[0] is int)
    if get_origin(field.annotation) is Literal:
        return _choice(get_args(field.annotation), value, _extra(field).get("words") or {})
    if isinstance(value, bool):
        check = QCheckBox()
        check.setChecked(value)
        return check
    if isinstance(value, str):
        return QLineEdit(value)
    low, high = bounds(field)
    if isinstance(value, int):
        box = QSpinBox()
        box.setRange(int(low if low is not None else -(2**31)), int(high or 2**31 - 1))
        box.setGroupSeparatorShown(True)
    else:
        box = _number(low, high, float(value))
    box.setSpecialValueText(_extra(field).get("zero", "") if low == 0 else "")
    box.setValue(value)
    return box


def _plain(annotation: Any) -> Any:
    """Return a type without its bounds."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _choice(options: tuple[Any, ...], value: Any, words: dict[str, str]) -> QComboBox:
    box = QComboBox()
    for option in options:
        box.addItem(words.get(option, str(option).replace("_", " ").capitalize()), option)
    box.setCurrentIndex(options.index(value))
    return box


def _number(low: float | None, high: float | None, value: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    small = 0 < value < 0.05
    box.setDecimals(4 if small else 2)
    box.setSingleStep(value / 5 if small else 0.05)
    box.setRange(low if low is not None else -1e9, high if high is not None else 1e9)
    box.setValue(value)
    return box


def _value(editor: QWidget) -> Any:
    match editor:
        case ChoiceOrFile() | AutoNumber() | SizesEdit():
            return editor.value()
        case QCheckBox():
            return editor.isChecked()
        case QComboBox():
            return editor.currentData()
        case QLineEdit():
            return editor.text()
        case QSpinBox() | QDoubleSpinBox():
            return editor.value()
    raise TypeError(type(editor).__name__)


def _put(editor: QWidget, value: Any) -> None:
    match editor:
        case QComboBox() if not isinstance(editor, SizesEdit):
            editor.setCurrentIndex(editor.findData(value))
        case QSpinBox() | QDoubleSpinBox():
            editor.setValue(value)
        case QCheckBox():
            editor.setChecked(value)
        case QLineEdit():
            editor.setText(value)
        case _:
            raise TypeError(type(editor).__name__)


def _when_edited(editor: QWidget, act: Any) -> None:
    match editor:
        case ChoiceOrFile() | AutoNumber() | SizesEdit():
            editor.changed.connect(act)
        case QCheckBox():
            editor.toggled.connect(act)
        case QComboBox():
            editor.currentIndexChanged.connect(act)
        case QLineEdit():
            editor.textChanged.connect(act)
        case QSpinBox() | QDoubleSpinBox():
            editor.valueChanged.connect(act)
