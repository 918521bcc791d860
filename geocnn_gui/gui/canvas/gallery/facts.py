"""What the session knows of the samples in view: labels, predictions, records."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Window
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.canvas.gallery.arrange import Facts
from geocnn_gui.gui.canvas.gallery.one import Told
from geocnn_gui.labels.matching import fit_own_labels
from geocnn_gui.scoring.compare import WRONG

if TYPE_CHECKING:
    from geocnn_gui.gui.canvas.gallery.tiles import Words
    from geocnn_gui.gui.scoring import ErrorView
    from geocnn_gui.gui.session import Session


def facts_of(session: Session) -> Facts:
    """Read labels and predictions of every sample."""
    source, store = session.source, session.prediction
    n = source.shape[1] if source is not None else 0
    nothing = np.zeros(n, np.uint8)
    labels = nothing
    whole = Window.whole((1, n))
    if session.labels is not None:
        labels = session.labels.store.read(whole)[0]
    hidden = store is None or not session.view.overlay_visible
    if hidden or store is None or store.target is not None or session.labels is None:
        return Facts(labels, nothing, labels, np.zeros(n, np.float32))
    truth = labels
    with suppress(GeoCNNError):
        fitted = fit_own_labels(session.labels.store.snapshot(), session.classes, store.classes)
        truth = fitted.snapshot.read(whole)[0]
    return Facts(labels, store.read_classes(whole)[0], truth, store.read_confidence(whole)[0])


def marked_by(errors: ErrorView) -> np.ndarray:
    """Return bool (n,): the samples of the picked cell of the confusion matrix, or all errors."""
    marks = errors.marks
    found = marks.read_classes(Window.whole(marks.shape))[0]
    return found == WRONG if errors.pair is None else found > 0


def told_of(session: Session, facts: Facts, words: Words, sample: int, place: str) -> Told:
    """Say what is known of one sample."""
    source, store = session.source, session.prediction
    assert source is not None
    assert source.samples is not None
    groups = source.samples.groups
    record = f"Record {int(groups[sample]) + 1}" if groups is not None else ""
    told = Told(source.samples.names[sample], record, place, int(facts.labels[sample]))
    number = int(facts.predicted[sample])
    if store is None or not number:
        return told
    name = words.theirs.get(number, (f"Class {number}", ""))[0]
    wrong = bool(facts.wrong[sample])
    ids = [c.id for c in store.classes]
    shares: tuple[tuple[str, str, float, str], ...] = ()
    if store.has_probabilities:
        values = store.read_probabilities(Window((0, sample), (1, 1)))[:, 0, 0]
        shares = tuple(
            (*words.theirs[i], float(v), f"{v:.3f}") for i, v in zip(ids, values, strict=True)
        )
    text = f"{name}  {facts.confidence[sample]:.2f}" + (", wrong" if wrong else "")
    chosen = ids.index(number) if number in ids else -1
    return Told(told.name, told.record, place, told.label, text, wrong, shares, chosen)
