from __future__ import annotations

import pytest

from geocnn_gui.gui.state import Message
from geocnn_gui.gui.widgets.message_bar import MessageBar


@pytest.fixture
def bar(qtbot):
    bar = MessageBar()
    qtbot.addWidget(bar)
    return bar


def test_that_an_error_is_read_before_a_question_and_the_question_after_it(bar):
    bar.show_message(Message("Continue?", "warning", actions=(("Yes", int),)))
    bar.show_message(Message("The disk is full.", "error"))
    assert bar.text == "The disk is full."
    bar.dismiss()
    assert bar.text == "Continue?"


def test_that_a_second_error_waits_for_the_first(bar):
    for text in ("One.", "Two."):
        bar.show_message(Message(text, "error"))
    assert bar.text == "One."
    bar.dismiss()
    assert bar.text == "Two."


def test_that_markup_in_a_message_is_shown_as_it_is(bar):
    bar.show_message(Message("<b>line</b>.sgy is missing.", "error"))
    assert bar.text_label.text() == "<b>line</b>.sgy is missing."
    assert bar.text_label.textFormat().name == "PlainText"
