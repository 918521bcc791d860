from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocnn_gui.export import styles
from geocnn_gui.export.tally import Tally
from geocnn_gui.labels.classes import LabelClass

NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=80)


@given(names=st.lists(NAMES, min_size=1, max_size=4))
def test_that_any_name_is_well_formed_and_comes_back(names):
    classes = tuple(
        LabelClass(id=3 * i + 1, name=name, color="#0a0b0c") for i, name in enumerate(names)
    )
    style = ElementTree.fromstring(styles.class_style(classes).decode("utf-8"))
    labels = [entry.get("label") for entry in style.iter("paletteEntry")]
    counts = np.zeros(256, int)
    notes = ElementTree.fromstring(styles.class_notes(classes, counts, Tally()).decode("utf-8"))
    categories = [category.text for category in notes.iter("Category")]
    table = [row[2].text for row in notes.iter("Row")]
    expected = [styles.clean(name) for name in names]
    assert labels == table == categories[1::3] == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ('sand "fine" & <coarse>', 'sand "fine" & <coarse>'),
        ("top\nbottom\r\n", "top bottom"),
        ("🌍 Überlauf 数据", "🌍 Überlauf 数据"),
        ("a\x00\x07b\x85c", "a b c"),
        ("\x01", "unnamed"),
    ],
)
def test_that_names_keep_all_but_control_characters(name, expected):
    assert styles.clean(name) == expected


def test_that_a_style_is_known_again_until_it_is_changed(tmp_path):
    path = tmp_path / "map.qml"
    assert not styles.is_foreign(path)
    path.write_bytes(styles.confidence_style(3))
    assert not styles.is_foreign(path)
    path.write_bytes(path.read_bytes().replace(b"0.50", b"half"))
    assert styles.is_foreign(path)
    path.unlink()
    path.mkdir()
    assert styles.is_foreign(path)


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), max_size=9), min_size=1, max_size=6)
)
def test_that_figures_of_parts_are_those_of_the_whole(parts):
    tally = Tally()
    for part in parts:
        values = np.array(part, np.float64)
        tally.add(values, ~np.isnan(values))
    values = np.concatenate([np.array(part, np.float64) for part in parts])
    there = values[~np.isnan(values)]
    assert (tally.cells, tally.count) == (values.size, there.size)
    if there.size:
        assert tally.mean == pytest.approx(there.mean(), abs=1e-6)
        assert tally.deviation == pytest.approx(there.std(), abs=1e-3, rel=1e-6)
        assert (tally.low, tally.high) == (there.min(), there.max())
