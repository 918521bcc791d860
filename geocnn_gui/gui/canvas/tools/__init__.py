"""What the mouse does to the picture: one small class per tool."""

from __future__ import annotations

from geocnn_gui.gui.canvas.tools.accept import AcceptTool
from geocnn_gui.gui.canvas.tools.base import Host, Tool
from geocnn_gui.gui.canvas.tools.between import BetweenTool
from geocnn_gui.gui.canvas.tools.brush import BrushTool
from geocnn_gui.gui.canvas.tools.edge import EdgeTool
from geocnn_gui.gui.canvas.tools.pan import PanTool, PickTool, SplitTool
from geocnn_gui.gui.canvas.tools.questions import Questions
from geocnn_gui.gui.canvas.tools.region import FillTool, WandTool
from geocnn_gui.gui.canvas.tools.vertices import LineTool, PolygonTool

__all__ = ["Host", "Questions", "Tool", "make_tools"]


def make_tools(host: Host) -> dict[str, Tool]:
    """Return the tools by the names the session uses."""
    return {
        "pan": PanTool(host),
        "brush": BrushTool(host),
        "eraser": BrushTool(host, erases=True),
        "polygon": PolygonTool(host),
        "line": LineTool(host),
        "fill": FillTool(host),
        "wand": WandTool(host),
        "edge": EdgeTool(host),
        "between": BetweenTool(host),
        "accept": AcceptTool(host),
        "pick": PickTool(host),
        "split": SplitTool(host),
    }
