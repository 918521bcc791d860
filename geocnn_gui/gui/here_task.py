"""A training that begins with what Live looks with, and how Live stands beside it; no Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.files import write_bytes
from geocnn_gui.gui.run_tasks import new_run
from geocnn_gui.live.standing import HeldOut, standing
from geocnn_gui.models.architectures.unet_spec import UNetSpec
from geocnn_gui.models.survey_card import read_backbone_card
from geocnn_gui.models.unit_scores import UnitScores
from geocnn_gui.models.weights import read_card
from geocnn_gui.project.runs import MODEL_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.events import Event
    from geocnn_gui.gui.run_tasks import InView
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.live.standing import Standing
    from geocnn_gui.project.project import Project
    from geocnn_gui.project.split import KeptSplit
    from geocnn_gui.training.sections import Pair
    from geocnn_gui.training.spec import TrainingSpec


@dataclass(slots=True)
class Here:
    """A training from here: its run's folder and the backbone in use (None: fresh weights).

    `why` says why Live could not be scored on what was held out, where it could not.
    """

    folder: Path
    backbone: Path | None
    why: str = ""
    _scores: UnitScores | None = None

    @property
    def spec(self) -> UNetSpec:
        """Return the network that the backbone's weights fit; raises `ModelMismatch`."""
        if self.backbone is None:
            return UNetSpec.model_validate({})
        return read_backbone_card(self.backbone).spec

    def train(
        self,
        project: Project,
        view: InView,
        training: TrainingSpec,
        classes: Classes,
        *,
        split: KeptSplit | None,
    ) -> Iterator[Event]:
        """Train as `new_run` does, from the backbone as it is now, then score Live beside it.

        The run keeps its own copy of the backbone: that of the project goes on learning.
        """
        spec, start = self.spec, ""
        if self.backbone is not None:
            copy = self.folder / self.backbone.name
            write_bytes(copy, self.backbone.read_bytes())
            self.backbone, start = copy, str(copy)
        training = training.model_copy(update={"start": start})
        yield from new_run(
            project, view, (spec, training), classes, self.folder, split=split,
            after=lambda pairs, spec: self._score_live(pairs, classes, spec),
        )  # fmt: skip

    def _score_live(
        self, pairs: list[Pair], classes: Classes, training: TrainingSpec
    ) -> Iterator[Event]:
        from geocnn_gui import workflow
        from geocnn_gui.inference.memory import is_out_of_memory

        held = HeldOut(pairs, classes, self.spec, training.split)
        try:
            self._scores = yield from workflow.score_live(held, backbone=self.backbone)
        except GeoCNNError as error:
            self.why = str(error)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self.why = "Memory was short."

    def standing(self) -> Standing | None:
        """Return how Live stands beside the network; None where nothing could be held out."""
        try:
            return standing(self._scores, read_card(self.folder / MODEL_FILE).training)
        except GeoCNNError:  # the model is gone
            return None
