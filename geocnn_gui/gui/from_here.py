"""The session's training from here: begun with what Live looks with, shown where it is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.here_task import Here
from geocnn_gui.gui.training import Training

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from geocnn_gui.gui.state import Shown
    from geocnn_gui.live.standing import Standing
    from geocnn_gui.project.project import Project

_SHOW_LIVE, _SHOW_NETWORK = "Show Live", "Show the network"


class FromHere(Training):
    """State that trains a network from where Live is, while Live goes on.

    Live lies over the data until a network has proved better on what was held out, or a
    prediction was asked for; the user can turn to either at any time.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._here: Here | None = None  # in training
        self._judged: Here | None = None  # trained, and being predicted
        self._verdict: tuple[Project | None, str] = None, ""
        self._shown_of: Project | None = None
        self.live.toggled.connect(self._on_live_toggled)
        self._in_front = False
        for signal in (self.section_changed, self.tile_done, self.overlay_changed):
            signal.connect(self._look_again)
        self.project_changed.connect(self._on_other_project)

    # What is shown

    def show_map(self, shown: Shown) -> None:
        """Let Live's map or the network's prediction lie over the data, where there are both."""
        if shown != self.shown:
            self.shown = shown
            self.map_changed.emit()

    def why_no_choice(self) -> str:
        """Say why there are no two maps to choose between; "" where there are."""
        if not self.live.on or self.live.why_not():
            return "Turn Live on first."
        return "" if self.prediction is not None else "Predict first."

    @property
    def verdict(self) -> str:
        """Return what the last training from here came to beside Live; "" where there was none."""
        project, text = self._verdict
        return text if project is self.project else ""

    def _on_live_toggled(self, on: bool) -> None:
        if on:
            self.show_map("live")

    def _look_again(self) -> None:
        """Tell where another of the two maps is to be seen, as that of a section is drawn or not."""
        if self.live.on and self.network_in_front != self._in_front:
            self._in_front = not self._in_front
            self.map_changed.emit()

    def _on_other_project(self) -> None:
        if self._shown_of is not self.project:
            self._shown_of = self.project
            self.show_map("live")

    def start_prediction(self, *, whole: bool = False) -> None:
        """Predict the section in view, or the whole source, and show that."""
        super().start_prediction(whole=whole)
        if self.work == "predict" and self._judged is None and self.live.on:
            self.show_map("network")
            self.tell("The prediction is shown; Live goes on beneath it.",
                      actions=((_SHOW_LIVE, lambda: self.show_map("live")),))  # fmt: skip

    # Training

    def why_no_training_from_here(self) -> str:
        """Say what a training from here still lacks; "" when it can start."""
        if reason := self.live.why_not():
            return reason
        if reason := self.why_read_only() or self.why_not_now():
            return reason
        if self.learns_values:
            return "Values are learned here, and Live names classes: press Train."
        if self._labelled_classes() < 2 and not self._has_unseen_labels():
            return "Paint a few strokes of at least two classes, then train."
        return ""

    def train_from_here(self) -> None:
        """Train the U-Net from the backbone in use, on all labels as they are now.

        Painting and Live go on. When it has ended, what is in view is predicted, and shown where
        the network is better than Live on what was held out.
        """
        view = self._in_view()
        if self.project is None or view is None:
            return
        if reason := self.why_no_training_from_here():
            self.tell(reason, "warning")
            return
        try:
            here = Here(self.project.new_run_folder(), self.live.backbone_file)
            spec = here.spec
        except GeoCNNError as error:
            self.report(error)
            return
        task = here.train(
            self.project, view, self.training_spec, self.classes, split=self.kept_split
        )
        self._here, self._judged, self._verdict = here, None, (None, "")
        self._begin(here.folder, task, spec)

    def _after_training(self, outcome: str) -> None:
        here, self._here = self._here, None
        ours = here is not None and self.run_folder == here.folder
        self._judged = here if ours and outcome == "succeeded" else None
        super()._after_training(outcome)
        if self._judged is not None and self.work != "predict":
            self._judged = None
            self.tell("The network is trained; it cannot predict what is in view.")

    def _on_job_ended(self, outcome: str) -> None:
        judged = self._judged if self.work == "predict" else None
        super()._on_job_ended(outcome)
        if judged is not None:
            self._judged = None
            self._judge(judged, whole=outcome == "succeeded")

    def _judge(self, here: Here, *, whole: bool) -> None:
        """Say which is better on what was held out, and show the network where it is."""
        found = here.standing()
        text = _in_words(found, here.why)
        self._verdict = self.project, text
        if not self.live.on or not whole or self.prediction is None:
            self.tell(text)
        elif found is not None and found.network_is_better:
            self.show_map("network")
            self.tell(f"{text} It is shown now.",
                      actions=((_SHOW_LIVE, lambda: self.show_map("live")),))  # fmt: skip
        else:
            self.tell(f"{text} Live stays.",
                      actions=((_SHOW_NETWORK, lambda: self.show_map("network")),))  # fmt: skip
        self.map_changed.emit()


def _in_words(found: Standing | None, why: str = "") -> str:
    """Return what a training from here came to, as a sentence."""
    if found is None and why:
        return f"The network is trained; Live could not be scored beside it. {why}"
    if found is None:
        return "The network is trained, but nothing was held out to compare it with Live."
    if round(found.head, 2) == round(found.network, 2):
        return f"Network and Live are alike on what was held out ({found.words})."
    better = "The network" if found.network_is_better else "Live"
    return f"{better} is better on what was held out ({found.words})."
