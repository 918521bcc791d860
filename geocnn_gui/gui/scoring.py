"""The session's scores: a prediction against labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.gui.training import Training
from geocnn_gui.scoring.metrics import Confusion, Scores

if TYPE_CHECKING:
    from geocnn_gui.data.source import Source
    from geocnn_gui.inference.store import PredictionStore
    from geocnn_gui.labels.store import LabelSnapshot


@dataclass(frozen=True, slots=True)
class Score:
    """Figures of a prediction against labels, and in words what the labels were."""

    scores: Scores
    against: str
    caution: str = ""


class Scoring(Training):
    """State that can score what it predicts."""

    def start_scoring(self, path: Path | str | None = None) -> None:
        """Compare the prediction with the labels of the project, or with a label file."""
        if self.prediction is None or self.source is None or self.labels is None:
            return
        snapshot = None if path else self.labels.store.snapshot()
        store, source = self.prediction, self.source
        names = {c.id: c.name for c in (*store.classes, *self.classes)}
        caution = "" if snapshot is None else _caution(self.model_card, snapshot)

        def done(score: Score) -> None:
            if self.source is source:
                self.scored.emit(score)

        self._work_on(
            source, lambda: _score(store, source, snapshot or Path(path or ""), names, caution),
            done, "Scoring",
        )  # fmt: skip


def _caution(card: object, snapshot: LabelSnapshot) -> str:
    digests = getattr(getattr(card, "training", None), "labels_digest", ())
    if snapshot.digest in digests:
        return "The model was trained on these very labels: expect less where it has none."
    return "Labels the model was trained on flatter it; the held-out score in Runs does not."


def _score(
    store: PredictionStore,
    source: Source,
    truth: LabelSnapshot | Path,
    names: dict[int, str],
    caution: str,
) -> Score:
    from geocnn_gui.labels.files import read_label_file
    from geocnn_gui.labels.matching import fit_labels, is_named

    if isinstance(truth, Path):
        ours = tuple(
            c if is_named(c) else c.model_copy(update={"name": names.get(c.id, c.name)})
            for c in store.classes
        )
        file = fit_labels(
            read_label_file(truth, source), ours, names=(truth.name, "this prediction")
        )
        snapshot, against = file.snapshot, truth.name
        names = {**names, **{c.id: c.name for c in (*ours, *file.classes)}}
    else:
        snapshot, against = truth, "the labels of this project"
    confusion = Confusion()
    for window in snapshot.labelled_windows():
        confusion.add(snapshot.read(window), store.read_classes(window))
    return Score(confusion.scores(names), against, caution)
