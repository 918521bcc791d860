"""Changes of a list of layers; each returns a new list and leaves the old one as it is.

A place is a tuple of numbers: (3,) is the fourth layer; (3, 1) the second layer in it where it is
a residual block, its second branch where it is an inception block; (3, 1, 0) the first layer of
that branch. `Row.path` of `geocnn_gui.models.layers.shapes` names layers in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geocnn_gui.models.layers.spec import (
    LAYERS,
    Activation,
    Convolution,
    Inception,
    Layer,
    Normalisation,
    Pool,
    Residual,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Place = tuple[int, ...]
Layers = tuple[Layer, ...]


def place_of(path: str) -> Place | None:
    """Return the place that a row's path names; None for the head and for shortcuts."""
    parts = path.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else None


def at(layers: Layers, place: Place) -> Layer | Layers:
    """Return the layer at a place, or the layers of the branch there."""
    found: Any = layers[place[0]]
    for number in place[1:]:
        found = _inside(found)[number]
    return found


def children(layer: Layer | Layers) -> tuple[Any, ...]:
    """Return the layers of a block or a branch, the branches of an inception block."""
    return _inside(layer)


def replaced(layers: Layers, place: Place, layer: Layer) -> Layers:
    """Return the list with another layer at a place."""
    return _changed(layers, place, lambda found, n: (*found[:n], layer, *found[n + 1 :]))


def inserted(layers: Layers, place: Place, layer: Layer | Layers) -> Layers:
    """Return the list with one layer (or branch) more, which then stands at `place`."""
    return _changed(layers, place, lambda found, n: (*found[:n], layer, *found[n:]))


def removed(layers: Layers, place: Place) -> Layers:
    """Return the list without the layer or branch at a place; a last branch is emptied instead."""
    if is_branch(layers, place) and len(children(at(layers, place[:-1]))) == 1:
        return _changed(layers, place, lambda found, n: ((),))
    return _changed(layers, place, lambda found, n: (*found[:n], *found[n + 1 :]))


def moved(layers: Layers, place: Place, step: int) -> tuple[Layers, Place]:
    """Return the list with a layer or branch one place on (1) or back (-1), and where it is then.

    At the end of a block a layer leaves it; at the ends of the list it stays.
    """
    siblings = children(at(layers, place[:-1])) if place[:-1] else layers
    to = (*place[:-1], place[-1] + step)
    if not 0 <= to[-1] < len(siblings):
        if len(place) == 1 or is_branch(layers, place):
            return layers, place
        to = _out(layers, place, step)
    thing = at(layers, place)
    return inserted(removed(layers, place), to, thing), to


def is_branch(layers: Layers, place: Place) -> bool:
    """Say whether a place is that of a branch."""
    return len(place) > 1 and isinstance(at(layers, place[:-1]), Inception)


def _out(layers: Layers, place: Place, step: int) -> Place:
    """Return the place beside the block that a layer leaves."""
    block = place[:-1]
    if is_branch(layers, block):
        block = block[:-1]
    return (*block[:-1], block[-1] + max(step, 0))


def _inside(layer: Any) -> tuple[Any, ...]:
    if isinstance(layer, tuple):
        return layer
    if isinstance(layer, Residual):
        return layer.layers
    return layer.branches if isinstance(layer, Inception) else ()


def _changed(
    thing: Any, place: Place, change: Callable[[tuple[Any, ...], int], tuple[Any, ...]]
) -> Any:
    """Return `thing` (layers, branch or block) with the list that `place` lies in changed."""
    number, deeper = place[0], place[1:]
    inside = _inside(thing)
    if deeper:
        new = (*inside[:number], _changed(inside[number], deeper, change), *inside[number + 1 :])
    else:
        new = change(inside, number)
    if isinstance(thing, tuple):
        return new
    name = "layers" if isinstance(thing, Residual) else "branches"
    return thing.model_copy(update={name: new})


def fresh(kind: str, channels: int) -> Layer:
    """Return a new layer of a kind of `LAYERS`; a block for data of so many channels."""
    if kind == "residual":
        conv = Convolution(channels=channels)
        return Residual(layers=(conv, Normalisation(), Activation(), conv, Normalisation()))
    if kind == "inception":
        part = max(1, channels // 4)
        one = Convolution(channels=part, kernel=1)
        three, five = (Convolution(channels=part, kernel=n) for n in (3, 5))
        pool = Pool(window=3, stride=1, padding="same")
        return Inception(branches=((one,), (one, three), (one, five), (pool, one)))
    made: Any = LAYERS[kind].model_validate({})
    return made
