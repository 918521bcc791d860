from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Plane, Section, Window, open_source
from geocnn_gui.errors import UnreadableFile

SIZE = st.integers(1, 6)


@st.composite
def windows(draw, ndim: int = 3):
    offset = tuple(draw(st.integers(0, 9)) for _ in range(ndim))
    return Window(offset, tuple(draw(SIZE) for _ in range(ndim)))


@st.composite
def planes(draw):
    """A plane in a 2-D or 3-D array, and the shape of that array."""
    ndim = draw(st.sampled_from([2, 3]))
    shape = tuple(draw(st.integers(2, 7)) for _ in range(ndim))
    axis = draw(st.integers(0, 2)) if ndim == 3 else None
    left = draw(st.permutations([i for i in range(ndim) if i != axis]))
    index = draw(st.integers(0, shape[axis] - 1)) if axis is not None else 0
    return Plane(Section(axis, index), ndim, left[0], left[1]), shape


@st.composite
def parts(draw, size: int):
    start = draw(st.integers(0, size - 1))
    return slice(start, draw(st.integers(start + 1, size)))


# -- windows -----------------------------------------------------------------------------------


@given(windows())
def test_that_a_window_survives_slices(window):
    assert Window.from_slices(window.slices) == window
    assert np.zeros((20, 20, 20))[window.slices].shape == window.size
    assert window.cells == np.prod(window.size)


@given(windows(), windows())
def test_that_an_intersection_holds_the_common_cells(first, second):
    marks = np.zeros((16, 16, 16), int)
    marks[first.slices] += 1
    marks[second.slices] += 1
    common = first.intersection(second)
    assert common == second.intersection(first)
    if common is None:
        assert not (marks == 2).any()
    else:
        assert (marks[common.slices] == 2).all()
        assert common.cells == (marks == 2).sum()


@given(windows())
def test_that_a_window_relative_to_its_own_offset_is_a_whole_one(window):
    assert window.relative_to(window.offset) == Window.whole(window.size)


# -- planes ------------------------------------------------------------------------------------


@given(planes(), st.data(), st.sampled_from([(), (1,), (3,)]))
def test_that_a_picture_turns_back_into_the_array_it_came_from(plane_and_shape, data, lead):
    plane, shape = plane_and_shape
    rows = data.draw(parts(shape[plane.row_axis]))
    columns = data.draw(parts(shape[plane.column_axis]))
    array = np.arange(np.prod(lead + shape)).reshape(lead + shape)
    window = plane.window(rows, columns)
    cut = array[(..., *window.slices)]
    picture = plane.picture(cut)
    assert picture.shape == (*lead, rows.stop - rows.start, columns.stop - columns.start)
    np.testing.assert_array_equal(plane.array(picture), cut)
    assert plane.cells(window) == (rows, columns)


@given(planes(), st.data())
def test_that_a_picture_cell_is_the_array_cell_of_its_row_and_column(plane_and_shape, data):
    plane, shape = plane_and_shape
    row = data.draw(st.integers(0, shape[plane.row_axis] - 1))
    column = data.draw(st.integers(0, shape[plane.column_axis] - 1))
    array = np.arange(np.prod(shape)).reshape(shape)
    at = [0] * len(shape)
    at[plane.row_axis], at[plane.column_axis] = row, column
    if plane.section.axis is not None:
        at[plane.section.axis] = plane.section.index
    whole = plane.window(slice(0, shape[plane.row_axis]), slice(0, shape[plane.column_axis]))
    assert plane.picture(array[whole.slices])[row, column] == array[tuple(at)]


def test_that_a_window_beside_the_section_has_no_cells_in_it():
    plane = Plane(Section(0, 5), 3, 2, 1)
    assert plane.cells(Window((6, 0, 0), (3, 4, 4))) is None
    assert plane.cells(Window((3, 1, 2), (3, 4, 5))) == (slice(2, 7), slice(1, 5))


# -- sources -----------------------------------------------------------------------------------


def source(kind: str) -> ArraySource:
    axes = {
        "line": (Axis("cdp", "", 1, 1, 5), Axis("time", "ms", 0, 4, 7)),
        "cube": (
            Axis("inline", "", 100, 1, 4),
            Axis("crossline", "", 1, 1, 5),
            Axis("time", "ms", 0, 4, 7),
        ),
        "raster": (Axis("row", "px", 0, 1, 4), Axis("column", "px", 0, 1, 5)),
    }[kind]
    shape = (2,) * (kind == "raster") + tuple(a.size for a in axes)
    array = np.arange(np.prod(shape), dtype="int16").reshape(shape)
    bands = (Band("a"), Band("b")) if kind == "raster" else (Band("amplitude"),)
    domain = "imagery" if kind == "raster" else "seismic"
    return ArraySource(array, kind=kind, axes=axes, bands=bands, domain=domain, name=kind)


@pytest.mark.parametrize(
    ("kind", "section", "shape"),
    [
        ("line", Section(), (7, 5)),
        ("raster", Section(), (4, 5)),
        ("cube", Section(0, 2), (7, 5)),
        ("cube", Section(1, 2), (7, 4)),
        ("cube", Section(2, 2), (4, 5)),
    ],
)
def test_that_samples_run_down_and_traces_to_the_right(kind, section, shape):
    opened = source(kind)
    assert opened.picture_shape(section) == shape
    picture = opened.read_picture(section, slice(0, shape[0]), slice(0, shape[1]))
    array = opened.read(Window.whole(opened.shape))
    expected = {
        "line": lambda: array.T[None],
        "raster": lambda: array,
        "cube": lambda: (array.take(2, section.axis).T, array.take(2, 2))[section.axis == 2][None],
    }[kind]()
    np.testing.assert_array_equal(picture.values, expected)


def test_that_the_first_section_is_the_middle_one():
    assert source("cube").first_section() == Section(0, 2)
    assert source("line").first_section() == Section()


@given(
    st.floats(-1e6, 1e6),
    st.floats(0.01, 1e3),
    st.booleans(),
    st.integers(1, 500),
    st.integers(0, 499),
)
def test_that_an_axis_finds_the_cell_of_its_own_coordinate(first, step, falling, size, index):
    axis = Axis("time", "ms", first, -step if falling else step, size)
    index = min(index, size - 1)
    assert axis.index_of(axis.at(index)) == index
    assert axis.index_of(axis.at(-50)) == 0
    assert axis.index_of(axis.at(size + 50)) == size - 1


def test_that_missing_empty_and_folder_paths_are_said(tmp_path):
    empty = tmp_path / "empty.tif"
    empty.touch()
    for path, words in (
        (tmp_path / "no.sgy", "does not exist"),
        (empty, "is empty"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(UnreadableFile, match=words) as caught:
            open_source(path)
        assert str(path) in str(caught.value)


def test_that_suffixes_count_in_any_case(files, tmp_path):
    for name in ("LINE.SGY", "line.SegY"):
        path = tmp_path / name
        path.write_bytes((files / "npra_line_cut.sgy").read_bytes())
        with open_source(path) as opened:
            assert opened.format == "SEG-Y"
