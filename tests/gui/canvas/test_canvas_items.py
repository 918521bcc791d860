"""Images and overlays as pixels, without a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import shiboken6
from canvas_sources import cube_source, line_source
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QSizeF
from PySide6.QtGui import QImage, QPainter

from geocnn_gui.data.colour_maps import COLOUR_MAP_TITLES, COLOUR_MAPS, colour_table
from geocnn_gui.data.source import Picture, Section, Window
from geocnn_gui.gui.canvas.colour_maps import class_colours, packed
from geocnn_gui.gui.canvas.image_item import ImageItem, Rendering, quantised
from geocnn_gui.gui.canvas.index_item import IndexItem, aligned, thinned
from geocnn_gui.gui.canvas.overlays import (
    class_levels,
    confidence_levels,
    label_levels,
    picture_levels,
)
from geocnn_gui.gui.canvas.parts import Part
from geocnn_gui.gui.canvas.reader import Reader, SectionReader, averaged
from geocnn_gui.gui.canvas.viewport import Viewport
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.store import LabelStore

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtWidgets import QApplication

RED = LabelClass(id=1, name="Sand", color="#ff0000")
BLUE = LabelClass(id=2, name="Salt", color="#0000ff")
GREY = Rendering(((-1.0, 1.0),), tuple(packed(colour_table("grey"))))


def whole(shape: tuple[int, int], step: tuple[int, int] = (1, 1)) -> Part:
    return Part(slice(0, shape[0]), slice(0, shape[1]), step)


def drawn(item: ImageItem | IndexItem, viewport: Viewport, width: int, height: int) -> np.ndarray:
    """What an item draws over black, uint8 (height, width, 3) RGB."""
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    item.paint(painter, viewport, QSizeF(width, height))
    painter.end()
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(height, width, 4)
    return pixels[..., 2::-1].copy()


def picture(values: np.ndarray) -> Picture:
    return Picture(values.astype(np.float32), np.ones(values.shape[-2:], bool))


def test_that_zero_is_the_middle_of_the_colours_and_values_beyond_are_cut_off() -> None:
    levels = quantised(np.array([-9, -1, 0, 1, 9], np.float32), -1, 1)
    assert levels.tolist() == [1, 1, 128, 255, 255]


def test_that_limits_of_no_width_still_give_levels() -> None:
    assert quantised(np.array([5, 6], np.float32), 5, 5).tolist() == [1, 1]


def test_that_every_colour_map_has_a_title_and_256_colours() -> None:
    assert COLOUR_MAPS.keys() == COLOUR_MAP_TITLES.keys()
    for name in COLOUR_MAPS:
        assert colour_table(name).shape == (256, 3)


def test_that_a_picture_is_drawn_where_its_cells_are() -> None:
    item = ImageItem()
    item.set_rendering(GREY)
    values = np.full((1, 2, 3), -1.0)
    values[0, 1, 2] = 1.0
    item.set_fine("k", whole((2, 3)), picture(values))
    pixels = drawn(item, Viewport(0, 0, 10, 20), 30, 40)
    assert (pixels[25:, 25:] == 255).all()
    assert (pixels[:20] < 2).all()


def test_that_masked_cells_show_what_is_behind() -> None:
    item = ImageItem()
    item.set_rendering(GREY)
    live = np.array([[True, False]])
    item.set_fine("k", whole((1, 2)), Picture(np.ones((1, 1, 2), np.float32), live))
    pixels = drawn(item, Viewport(0, 0, 20, 20), 40, 20)
    assert (pixels[:, :20] == 255).all()
    assert (pixels[:, 20:] == 0).all()


def test_that_three_bands_are_red_green_and_blue() -> None:
    item = ImageItem()
    item.set_rendering(Rendering(((0, 1), (0, 1), (0, 1))))
    values = np.array([1.0, 0.0, 0.5]).reshape(3, 1, 1)
    item.set_fine("k", whole((1, 1)), picture(values))
    assert drawn(item, Viewport(0, 0, 10, 10), 10, 10)[5, 5].tolist() == [255, 1, 128]


def test_that_other_limits_redraw_the_values_held() -> None:
    item = ImageItem()
    item.set_rendering(GREY)
    item.set_fine("k", whole((1, 1)), picture(np.full((1, 1, 1), 0.5)))
    before = drawn(item, Viewport(0, 0, 10, 10), 10, 10)[5, 5, 0]
    item.set_rendering(Rendering(((-0.5, 0.5),), GREY.colours))
    assert before < 200
    assert drawn(item, Viewport(0, 0, 10, 10), 10, 10)[5, 5, 0] == 255


def test_that_the_coarse_picture_shows_around_the_fine_one() -> None:
    item = ImageItem()
    item.set_rendering(GREY)
    item.set_coarse("k", whole((4, 4), (4, 4)), picture(np.full((1, 1, 1), 1.0)))
    fine = Part(slice(0, 4), slice(0, 2))
    item.set_fine("k", fine, picture(np.full((1, 4, 2), -1.0)))
    pixels = drawn(item, Viewport(0, 0, 10, 10), 40, 40)
    assert (pixels[:, :20] < 2).all()
    assert (pixels[:, 20:] == 255).all()


def test_that_a_picture_of_another_section_replaces_the_coarse_one() -> None:
    item = ImageItem()
    item.set_coarse("old", whole((4, 4), (4, 4)), picture(np.ones((1, 1, 1))))
    item.set_fine("new", whole((4, 4)), picture(np.ones((1, 4, 4))))
    assert not item.has_coarse("old")
    assert item.fine_part("old") is None


def test_that_averaging_counts_live_cells_only() -> None:
    live = np.array([[True, False], [True, True], [False, False]])
    values = np.where(live, np.array([[4.0, 9], [2, 3], [9, 9]]), 0)[None]
    result = averaged(Picture(values.astype(np.float32), live), (2, 2))
    assert result.values[0].tolist() == [[3.0], [0.0]]
    assert result.live.tolist() == [[True], [False]]


def test_that_opacity_mixes_a_class_with_what_is_below() -> None:
    item = IndexItem()
    item.set_colours(class_colours((RED,), 0.5))
    item.set_levels(whole((1, 2)), np.array([[1, 0]], np.uint8))
    pixels = drawn(item, Viewport(0, 0, 10, 10), 20, 10)
    assert pixels[5, 5].tolist() == pytest.approx([128, 0, 0], abs=1)
    assert pixels[5, 15].tolist() == [0, 0, 0]


def test_that_a_recoloured_class_is_drawn_in_its_new_colour() -> None:
    item = IndexItem()
    item.set_colours(class_colours((RED,), 1.0))
    item.set_levels(whole((2, 2)), np.ones((2, 2), np.uint8))
    drawn(item, Viewport(0, 0, 10, 10), 20, 20)
    assert item.set_colours(class_colours((RED.model_copy(update={"color": "#00ff00"}),), 1.0))
    assert drawn(item, Viewport(0, 0, 10, 10), 20, 20)[5, 5].tolist() == [0, 255, 0]


@settings(max_examples=60)
@given(st.data())
def test_that_updating_a_block_is_the_same_as_reading_all_anew(data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    step = (data.draw(st.sampled_from([1, 2, 4])), data.draw(st.sampled_from([1, 2, 4])))
    labels = np.random.default_rng(rows).integers(0, 3, (rows, columns)).astype(np.uint8)
    held = whole((rows, columns), step)
    item = IndexItem()
    item.set_levels(held, thinned(labels, step))
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    block = (
        slice(top, data.draw(st.integers(top + 1, rows))),
        slice(left, data.draw(st.integers(left + 1, columns))),
    )
    labels[block] = 2
    part = aligned(held, *block)
    assert part is not None
    item.update(part, thinned(labels[part.rows, part.columns], step))
    assert np.array_equal(item.levels, thinned(labels, step))


@settings(max_examples=60)
@given(st.data())
def test_that_a_painted_mask_shows_before_it_is_read(data: st.DataObject) -> None:
    step = (data.draw(st.sampled_from([1, 2, 4])), data.draw(st.sampled_from([1, 2, 4])))
    held = Part(slice(8, 36), slice(4, 40), step)
    top, left = data.draw(st.integers(0, 38)), data.draw(st.integers(0, 40))
    bottom, right = data.draw(st.integers(top + 1, 40)), data.draw(st.integers(left + 1, 42))
    mask = np.random.default_rng(top).random((bottom - top, right - left)) < 0.5
    item = IndexItem()
    item.set_levels(held, np.zeros(held.shape, np.uint8))
    item.paint_mask(slice(top, bottom), slice(left, right), mask, 2)
    labels = np.zeros((40, 42), np.uint8)
    labels[top:bottom, left:right][mask] = 2
    assert np.array_equal(item.levels, thinned(labels[held.rows, held.columns], step))


@pytest.mark.parametrize("section", [Section(0, 3), Section(1, 2), Section(2, 5)])
def test_that_labels_of_a_cube_are_read_as_the_section_lies(section: Section) -> None:
    source = cube_source()
    labels = np.random.default_rng(1).integers(0, 3, source.shape).astype(np.uint8)
    store = LabelStore(source.shape)
    store.write(Window.whole(source.shape), labels)
    plane = source.plane(section)
    rows, columns = source.picture_shape(section)
    part = Part(slice(1, rows), slice(0, columns - 1))
    expected = labels.take(section.index, axis=section.axis)
    expected = expected if section.axis == 2 else expected.T
    assert np.array_equal(label_levels(store, plane, part), expected[1:, : columns - 1])


def test_that_sparse_labels_of_a_huge_line_are_thinned_by_chunk() -> None:
    source = line_source(3000, 3000)
    store = LabelStore(source.shape)
    labels = np.zeros(source.shape, np.uint8)
    labels[250:260, 511:513] = 1
    labels[2999, 2999] = 2
    store.write(Window.whole(source.shape), labels)
    part = whole((3000, 3000), (8, 4))
    found = label_levels(store, source.plane(Section()), part)
    assert np.array_equal(found, thinned(np.ascontiguousarray(labels.T), (8, 4)))


def test_that_predictions_are_read_with_their_confidence(tmp_path: Path) -> None:
    source = line_source(12, 10)
    store = PredictionStore.create(tmp_path / "p", source, (RED, BLUE))
    ids = np.random.default_rng(2).integers(0, 3, source.shape).astype(np.uint8)
    sure = np.linspace(0, 1, ids.size).reshape(ids.shape)
    store.write(Window.whole(source.shape), ids, sure)
    plane, part = source.plane(Section()), Part(slice(0, 10), slice(0, 12), (3, 2))
    assert np.array_equal(picture_levels(class_levels(store), plane, part), ids.T[::3, ::2])
    levels = confidence_levels(store)(Window.whole(source.shape))
    assert (levels[ids == 0] == 0).all()
    shares = (levels[ids > 0] - 1.0) / 254
    assert shares == pytest.approx(sure[ids > 0], abs=0.005)


def test_that_a_small_section_is_read_once_for_all_zooms(monkeypatch: pytest.MonkeyPatch) -> None:
    source, reader = line_source(), SectionReader()
    first = reader.read(source, Section(), whole((30, 40)), bands=(0,))
    monkeypatch.setattr(source, "read_picture", None)
    again = reader.read(source, Section(), whole((30, 40), (2, 2)), bands=(0,))
    assert again.values.shape == (1, 15, 20)
    assert again.values[0, 0, 0] == pytest.approx(first.values[0, 0, :2].mean())


def test_that_a_reader_closes_quietly_when_qt_was_quicker(qapp: QApplication) -> None:
    reader = Reader()
    shiboken6.delete(reader._pool)
    reader.close()
    assert not reader.busy
