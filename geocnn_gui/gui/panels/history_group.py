"""The steps of the project, in the Label panel: look at them, go to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import Fold, label, plural
from geocnn_gui.gui.widgets.step_table import StepLine, StepTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QShowEvent

    from geocnn_gui.gui.session import Session
    from geocnn_gui.gui.steps import StepRow

_MIB = 2**20


class HistoryGroup(QWidget):
    """A fold with every step that can be undone or made again."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("history_group")
        self._session = session
        self.table = StepTable()
        self.table.wanted.connect(self._go)
        self._size = label(role="muted", name="history_size", wrap=True)
        content = _Content(self._fill)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        column.addWidget(self._size)
        self.fold = Fold("History", content)
        self.fold.button.setObjectName("history_fold")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fold)
        session.steps.changed.connect(self._on_changed)
        session.request_history.connect(self._unfold)

    def _unfold(self) -> None:
        self.fold.unfold()
        self.table.setFocus()

    def _on_changed(self) -> None:
        if self.table.isVisible():  # a long list costs nothing where nobody looks
            self._fill()

    def _fill(self) -> None:
        steps = self._session.steps
        project = self._session.project
        names = {e.id: e.name for e in project.sources} if project is not None else {}
        lines = [StepLine("Before these steps", tip="Take all of them back")]
        lines += [_line(row, names) for row in steps.rows]
        self.table.show_steps(lines, steps.position)
        self.table.setEnabled(not self._session.why_read_only())
        share = f"{_bytes(steps.size)} of {steps.most // _MIB} MiB on disk"
        self._size.setText(
            f"{plural(len(steps.rows), 'step')}, {share}; beyond that the oldest are forgotten. "
            "Click one to go there."
            if steps.rows else
            "Nothing to undo yet. Steps are kept with the project, over a restart too."
        )  # fmt: skip

    def _go(self, line: int) -> None:
        if line != self._session.steps.position and not self._session.why_read_only():
            self._session.go_to_step(line)


class _Content(QWidget):
    """Fills the list when it comes into sight."""

    def __init__(self, fill: Callable[[], None]) -> None:
        super().__init__()
        self._fill = fill

    def showEvent(self, event: QShowEvent) -> None:
        """Fill the list."""
        super().showEvent(event)
        self._fill()


def _bytes(size: int) -> str:
    return f"{size / _MIB:.1f}" if size > _MIB else f"{-(-size // 1024)} KiB"


def _line(row: StepRow, names: dict[str, str]) -> StepLine:
    where = ", ".join(names.get(each, "a removed source") for each in sorted(row.sources))
    several = len(names) > 1 or row.sources - names.keys()
    text = f"{row.text} · {where}" if where and several else row.text
    tip = text if row.kept else f"{text}\nCan be undone until the project is closed."
    return StepLine(text, row.time, tip)
