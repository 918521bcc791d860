"""How the tools in hand work, and the class that is picked from the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from geocnn_gui.gui.state import State
from geocnn_gui.labels.classes import by_id

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from geocnn_gui.gui.state import Tool

BrushShape = Literal["round", "square"]
WandTarget = Literal["data", "prediction"]
#: A tolerance that any value is within.
ANY_VALUE = 100


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """What the tools take from the strip beside them.

    `tolerance` is in percent of the spread of the data, from its 2nd to its 98th percentile;
    at 100 any value is near enough. `stop_at_labels`: regions grow only over cells that carry the
    same label as the one clicked, or none if that has none.
    """

    brush_shape: BrushShape = "round"
    tolerance: int = 10
    wand_target: WandTarget = "data"
    stop_at_labels: bool = True


class Tooling(State):
    """State with tools that can be set, and that knows the cell under the cursor."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tool_settings = ToolSettings()
        self._cursor_cell: tuple[int, int] | None = None
        self._tool_before: Tool = "brush"

    def set_tool_settings(self, **changes: Any) -> None:
        """Change fields of `tool_settings`; a tolerance is held within 0 to 100."""
        settings = replace(self.tool_settings, **changes)
        held = min(max(round(settings.tolerance), 0), ANY_VALUE)
        settings = replace(settings, tolerance=held)
        if settings != self.tool_settings:
            self.tool_settings = settings
            self.tool_changed.emit()

    def set_tool(self, tool: Tool) -> None:
        """Take another tool in hand; the pick gives back the one before it."""
        if self.tool not in ("pick", "pan"):
            self._tool_before = self.tool
        super().set_tool(tool)

    def note_cursor(self, cell: tuple[int, int] | None) -> None:
        """Note the cell (row, column) under the cursor; None when it has left the picture."""
        self._cursor_cell = cell

    def start_pick(self) -> None:
        """Pick the class under the cursor, or take the pick in hand where there is no cursor."""
        if self._cursor_cell is None:
            self.set_tool("pick")
        else:
            self.pick_class(*self._cursor_cell)

    def pick_class(self, row: int, column: int) -> None:
        """Paint from now on with the class of a cell: its label, else what is predicted there."""
        number = self._class_at(row, column)
        if by_id(self.classes, number) is None:
            self.tell(f"This {self.cell_noun} has no class to pick: it has no label and none of the "
                      "project's classes is predicted in view.")  # fmt: skip
            return
        self.set_current_class(number)
        if self.tool == "pick":
            self.set_tool(self._tool_before)

    def _class_at(self, row: int, column: int) -> int:
        if self.source is None or self.labels is None:
            return 0
        plane = self.source.plane(self.section)
        window = plane.window(slice(row, row + 1), slice(column, column + 1))
        label = int(self.labels.store.read(window).flat[0])
        shown, view = self.shown_map, self.view
        seen = view.overlay_visible and view.overlay == "classes"
        if label or shown is None or shown.target is not None or not seen:
            return label
        return int(shown.read_classes(window).flat[0])
