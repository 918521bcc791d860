"""One rule for which class of a label file is which of ours: by name, by colour, else by id."""

from __future__ import annotations

import numpy as np

from geocnn_gui.errors import LabelsMismatch
from geocnn_gui.labels.classes import Classes, LabelClass, by_id, new_class
from geocnn_gui.labels.files import LabelFile
from geocnn_gui.labels.store import LabelSnapshot, LabelStore


def merge_classes(
    ours: Classes, theirs: Classes, *, by_color: bool = False
) -> tuple[Classes, np.ndarray]:
    """Return our classes with the new ones of a file, and a table from its ids to ours.

    Where both sides have names, a class of the same name is the same class, one without a name
    of its own ("Class 3") is ours of that id, and any other is new. Otherwise classes of a
    colour picture (`by_color`) are ours of that colour or new, and those of other files ours of
    that id. A new class keeps its id where that is free. The table is uint8 (256,).
    """
    table = np.arange(256, dtype=np.uint8)
    named, merged = _both_named(ours, theirs), ours
    for one in theirs:
        same = _same(merged, one, named=named, by_color=by_color)
        if same is None:
            same = one if by_id(merged, one.id) is None else _renumbered(merged, one)
            merged = (*merged, same)
        elif not named and is_named(one) and not is_named(same):
            better = same.model_copy(update={"name": one.name})
            merged = tuple(better if c.id == same.id else c for c in merged)
        table[one.id] = same.id
    return merged, table


def fit_labels(file: LabelFile, ours: Classes, *, names: tuple[str, str]) -> LabelFile:
    """Return a label file with the ids of `ours`, to compare with what carries those.

    `names` are those of the label file and of what it is compared with.

    Raises
    ------
    LabelsMismatch
        When names or colours decide and the two do not know each other's.
    """
    merged, table = merge_classes(ours, file.classes, by_color=file.coloured)
    known = {c.id for c in ours}
    strangers = [c for c in file.classes if table[c.id] not in known]
    if _both_named(ours, file.classes):
        if len(strangers) == len(file.classes):
            raise LabelsMismatch(
                f"{names[0]} and {names[1]} have no class name in common",
                "give the classes the same names in both, or compare with other labels",
            )
    elif file.coloured and strangers:
        raise LabelsMismatch(
            f"{names[0]} has the colour {strangers[0].color}, which no class of {names[1]} has",
            "use the colours of those classes (a prediction keeps them as .tif), or save the "
            "labels as class numbers",
        )
    ids = {int(table[c.id]) for c in file.classes}
    snapshot = renumber(file.snapshot, table)
    return type(file)(snapshot, tuple(c for c in merged if c.id in ids))


def fit_own_labels(snapshot: LabelSnapshot, ours: Classes, known: Classes) -> LabelFile:
    """Return the labels of a project with the ids that a prediction of its own or another has.

    `ours` are the project's classes, `known` the prediction's. A class of the same name is the
    same; else one of the same id, unless another of ours carries its name: renaming a class
    after a training changes nothing, while the model of another project may number otherwise.
    """
    named = {c.name.casefold(): c for c in known if is_named(c)}
    claimed = {c.name.casefold() for c in ours if is_named(c)}
    table, merged = np.arange(256, dtype=np.uint8), known
    for one in ours:
        same = named.get(one.name.casefold()) or by_id(known, one.id)
        if same is not None and same.name.casefold() in claimed - {one.name.casefold()}:
            same = None
        if same is None:
            same = one if by_id(merged, one.id) is None else _renumbered(merged, one)
            merged = (*merged, same)
        table[one.id] = same.id
    fitted = renumber(snapshot, table)
    back = {int(table[c.id]): c for c in ours}
    classes = tuple(
        c if c.id not in back else back[c.id].model_copy(update={"id": c.id}) for c in merged
    )
    return LabelFile(fitted, classes)


def predicted_ids(ours: Classes, theirs: Classes) -> tuple[np.ndarray, Classes]:
    """Return a table from the ids of a prediction to ours, and the classes that we do not have.

    A class of the same name is the same; else that of the same id, where either has no name of
    its own. The table is uint8 (256,), 0 for what we do not have.
    """
    table, unknown = np.zeros(256, np.uint8), []
    for one in theirs:
        name = one.name.casefold()
        same = next((c for c in ours if c.name.casefold() == name), None) or by_id(ours, one.id)
        if same is None or (same.name.casefold() != name and is_named(same) and is_named(one)):
            unknown.append(one)
        else:
            table[one.id] = same.id
    return table, tuple(unknown)


def with_classes(ours: Classes, more: Classes) -> Classes:
    """Return our classes and `more` of them; each keeps its id and colour where that is free."""
    for one in more:
        ours = (*ours, one if by_id(ours, one.id) is None else _renumbered(ours, one))
    return ours


def renumber(snapshot: LabelSnapshot, table: np.ndarray) -> LabelSnapshot:
    """Return labels with every id replaced as `table` (uint8 (256,)) says."""
    if all(table[number] == number for number in snapshot.counts):
        return snapshot
    store = LabelStore(snapshot.shape)
    for window in snapshot.labelled_windows():
        store.write(window, table[snapshot.read(window)])
    return store.snapshot()


def is_named(one: LabelClass) -> bool:
    """Say whether a class has a name of its own, not the default "Class 3"."""
    return one.name != f"Class {one.id}"


def _both_named(ours: Classes, theirs: Classes) -> bool:
    return any(map(is_named, ours)) and any(map(is_named, theirs))


def _same(ours: Classes, one: LabelClass, *, named: bool, by_color: bool) -> LabelClass | None:
    if named and is_named(one):
        name = one.name.casefold()
        return next((c for c in ours if c.name.casefold() == name), None)
    if by_color and not named:
        return next((c for c in ours if c.color == one.color), None)
    return by_id(ours, one.id)


def _renumbered(ours: Classes, one: LabelClass) -> LabelClass:
    fresh = new_class(ours, one.name if is_named(one) else None)
    taken = one.color in {c.color for c in ours}
    return fresh if taken else fresh.model_copy(update={"color": one.color})
