"""Panels are built when they are first shown, and then show what the session holds."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QAbstractButton, QLabel, QTabBar, QWidget

from geocnn_gui.gui.panels.side import SidePanel

STEPS = ["Label", "Model", "Train", "Predict", "Score", "Export", "Inspect"]


@pytest.fixture
def late(window, session, paint, qtbot):
    """A side panel made after the work in the window, none of whose tabs were shown."""
    paint(0, 4, 1)
    panel = SidePanel(
        session, load_labels=print, save_labels=print, model=(print, print, print),
        score=(print, print), export=print,
    )  # fmt: skip
    qtbot.addWidget(panel)
    return panel


def _said(panel, name):
    page = panel.findChild(QWidget, f"{name.lower()}_panel")
    texts = [(each.objectName(), each.text()) for each in page.findChildren(QLabel)]
    buttons = [
        (b.objectName(), b.isEnabled(), b.toolTip()) for b in page.findChildren(QAbstractButton)
    ]
    return texts, buttons


@pytest.mark.parametrize("step", STEPS)
def test_that_a_panel_built_late_shows_what_one_built_early_does(window, late, step, qtbot):
    early = window.findChild(SidePanel)
    for panel in (early, late):
        tabs = panel.findChild(QTabBar, "steps")
        tabs.setCurrentIndex(STEPS.index(step))

    def same():
        assert _said(early, step) == _said(late, step)

    qtbot.waitUntil(same, timeout=10000)
