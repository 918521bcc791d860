"""What the mouse does to the picture: one small class per tool."""

from __future__ import annotations

from geocnn_gui.gui.canvas.tools.accept import AcceptTool
from geocnn_gui.gui.canvas.tools.base import Host, Tool
from geocnn_gui.gui.canvas.tools.brush import BrushTool
from geocnn_gui.gui.canvas.tools.pan import PanTool, SplitTool
from geocnn_gui.gui.canvas.tools.polygon import PolygonTool

__all__ = ["Host", "Tool", "make_tools"]


def make_tools(host: Host) -> dict[str, Tool]:
    """Return the tools by the names the session uses."""
    return {
        "pan": PanTool(host),
        "brush": BrushTool(host),
        "eraser": BrushTool(host, erases=True),
        "polygon": PolygonTool(host),
        "accept": AcceptTool(host),
        "split": SplitTool(host),
    }
