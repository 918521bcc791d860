"""Lists of layers are edited as a whole; what is not touched stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocnn_gui.models.layers import edits
from geocnn_gui.models.layers.presets import PRESETS
from geocnn_gui.models.layers.reckoning import reckoning
from geocnn_gui.models.layers.shapes import outline
from geocnn_gui.models.layers.spec import (
    LAYERS,
    Activation,
    Convolution,
    Dense,
    Flatten,
    Inception,
    LayersSpec,
    Pool,
    Residual,
)

CONV, RELU, POOL = Convolution(), Activation(), Pool()
NESTED = (
    CONV,
    Residual(layers=(CONV, RELU)),
    Inception(branches=((POOL,), (CONV, RELU))),
    Flatten(),
)


def places(layers, above=()):
    """Name every place of a list, those of branches too."""
    for number, layer in enumerate(layers):
        place = (*above, number)
        yield place
        yield from places(edits.children(layer), place)


EVERY = list(places(NESTED))


@pytest.mark.parametrize("place", EVERY)
def test_that_what_is_inserted_can_be_removed_again(place):
    thing = () if edits.is_branch(NESTED, place) else Dense()
    grown = edits.inserted(NESTED, place, thing)
    assert edits.at(grown, place) == thing
    assert edits.removed(grown, place) == NESTED


def test_that_a_layer_within_a_branch_is_replaced_alone():
    changed = edits.replaced(NESTED, (2, 1, 0), Convolution(channels=99))
    assert edits.at(changed, (2, 1, 0)) == Convolution(channels=99)
    assert edits.replaced(changed, (2, 1, 0), CONV) == NESTED


@given(st.sampled_from(EVERY), st.sampled_from([-1, 1]))
def test_that_moving_keeps_every_layer(place, step):
    def leaves(layers):
        return sorted(
            repr(edits.at(layers, p)) for p in places(layers)
            if not edits.children(edits.at(layers, p)) and edits.at(layers, p) != ()
        )  # fmt: skip

    thing = edits.at(NESTED, place)
    after, now = edits.moved(NESTED, place, step)
    assert edits.at(after, now) == thing
    assert leaves(after) == leaves(NESTED) or len(place) > 1


def test_that_a_layer_leaves_its_block_at_the_end():
    after, now = edits.moved(NESTED, (1, 1), 1)
    assert now == (2,)
    assert after[1] == Residual(layers=(CONV,))
    assert after[2] == RELU
    after, now = edits.moved(NESTED, (2, 1, 0), -1)
    assert now == (2,)
    assert after[3] == Inception(branches=((POOL,), (RELU,)))


def test_that_the_ends_of_the_list_hold():
    assert edits.moved(NESTED, (0,), -1) == (NESTED, (0,))
    assert edits.moved(NESTED, (3,), 1) == (NESTED, (3,))


@pytest.mark.parametrize("kind", LAYERS)
def test_that_a_new_layer_of_each_kind_stands_where_it_is_put(kind):
    at = 7 if kind in ("flatten", "dense") else 2
    layers = edits.inserted(LayersSpec().layers, (at,), edits.fresh(kind, 8))
    found = outline(LayersSpec(layers=layers), 1, 3)
    assert next(row.problem for row in found.rows if row.path == str(at)) == ""


def test_that_the_sums_are_those_of_the_textbook():
    conv = Convolution(channels=10, kernel=3)
    lines = reckoning(conv, (3, 32, 32), (10, 32, 32))
    assert lines[0] == "Size: floor((32 + 2 − 3) / 1) + 1 = 32"
    assert lines[1] == "Parameters: (3 × 3 × 3 + 1) × 10 = 280"
    dense = reckoning(Dense(units=1000), (65536,), (1000,))
    assert dense == ("Parameters: 65,536 × 1,000 + 1,000 = 65,537,000",)


@pytest.mark.parametrize("name", PRESETS)
def test_that_sums_agree_with_the_table(name):
    """Every "= n" of parameters and sizes is the figure of the row."""
    spec = PRESETS[name]
    before = (2, *(spec.patch,) * spec.dims)
    for row in outline(spec, 2, 3).rows:
        place = edits.place_of(row.path) if row.path != "head" else None
        if place is None or len(place) > 1:
            continue
        for line in reckoning(edits.at(spec.layers, place), before, row.output):
            result = int(line.rpartition("= ")[2].partition(",")[0].replace(",", "") or 0)
            if line.startswith("Size"):
                assert result == row.output[1]
            if line.startswith("Parameters"):
                assert line.count(f"= {row.parameters:,}") == 1
        before = row.output
