"""Which values the colours span: `geocnn_gui.data.display`."""

from geocnn_gui.data.display import *  # noqa: F403
