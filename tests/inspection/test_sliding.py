"""A kernel at work, against torch and NumPy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from geocnn_gui.inspection.layers import feature_maps
from geocnn_gui.inspection.looking import Looker
from geocnn_gui.inspection.sliding import Slide, banded_matrix
from geocnn_gui.inspection.spec import Question

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 3), PAIRS, PAIRS, PAIRS, st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.booleans(), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_that_the_response_is_that_of_a_convolution_of_torch(
    inputs, form, stride, dilation, padding, flipped, seed
):
    random = np.random.default_rng(seed)
    data, kernel = random.normal(size=(inputs, 11, 9)), random.normal(size=(inputs, *form))
    slide = Slide(stride, padding, dilation, flipped=flipped)
    weight = torch.from_numpy(kernel.copy())[None]
    weight = weight.flip(2, 3) if flipped else weight
    expected = functional.conv2d(
        torch.from_numpy(data)[None], weight, stride=stride, padding=padding, dilation=dilation
    )[0, 0].numpy()
    found = slide.response(data, kernel)
    assert found.shape == expected.shape
    assert np.allclose(found, expected)
    row, column = (int(random.integers(n)) for n in found.shape)
    step = slide.step(data, kernel, row, column)
    assert step.response == pytest.approx(expected[row, column])
    assert np.array_equal(step.products, step.window * step.kernel)


@given(
    st.integers(1, 9), st.integers(1, 20), st.booleans(),
    st.sampled_from(["full", "same", "valid"]), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_that_the_banded_matrix_times_a_trace_is_what_numpy_gives(
    taps, length, flipped, mode, seed
):
    random = np.random.default_rng(seed)
    kernel, trace = random.normal(size=taps), random.normal(size=length)
    expected = (np.convolve if flipped else np.correlate)(trace, kernel, mode)
    matrix = banded_matrix(kernel, length, flipped=flipped, mode=mode)
    assert np.allclose(matrix @ trace, expected)


def test_that_the_matrix_is_one_band_of_equal_diagonals():
    matrix = banded_matrix(np.array([1.0, 2.0, 3.0]), 5, flipped=False)
    assert [set(np.diagonal(matrix, n)) for n in (-1, 0, 1)] == [{1.0}, {2.0}, {3.0}]
    assert not np.triu(matrix, 2).any()
    assert not np.tril(matrix, -2).any()


@pytest.mark.parametrize("layer", ["convs.0", "convs.2"])
def test_that_a_learned_kernel_responds_as_the_layer_does(subject_of, source, middle, layer):
    subject = subject_of()
    looker = Looker(Path("unused"), source)
    looker._subject = subject
    question = Question(middle, page="slide", layer=layer, channel=2)
    sliding = looker.see(question).sliding
    maps = feature_maps(subject, subject.look(middle), layer)
    assert np.allclose(sliding.response + sliding.bias, maps[2], atol=1e-5)
    flipped = looker.see(replace(question, flipped=True)).sliding
    assert np.array_equal(flipped.step.kernel, sliding.step.kernel[:, ::-1, ::-1])
    assert not np.allclose(flipped.response, sliding.response)


def test_that_the_box_of_a_first_kernel_lies_around_the_place(subject_of, source, middle):
    looker = Looker(Path("unused"), source)
    looker._subject = subject_of()
    rows, columns = looker.see(Question(middle, page="slide")).sliding.box
    assert (rows, columns) == (slice(73, 78), slice(83, 88))
