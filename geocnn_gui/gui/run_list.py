"""The session's runs: past trainings, their models, names and notes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.predicting import Predicting
from geocnn_gui.gui.steps import Step
from geocnn_gui.project.runs import (
    Run,
    change_record,
    delete_run,
    deleted_runs,
    read_run,
    restore_run,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from PySide6.QtCore import QObject

    from geocnn_gui.events import EpochDone


class RunList(Predicting):
    """State that knows the runs of its project; `run_folder` is that of the training in hand.

    A training goes on when its project is left; what it says is heard in that project only.

    request_model_name: a Run whose model the user wants as a file; whoever can ask for a name
    answers with `save_run_model`.
    """

    request_model_name = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run_folder: Path | None = None
        self._epochs: list[EpochDone] = []

    @property
    def epochs(self) -> list[EpochDone]:
        """Return the epochs of the training in hand; none where it is another project's."""
        return [] if self._trains_elsewhere() else self._epochs

    def _trains_elsewhere(self) -> bool:
        """Say whether the training in hand is one of a project that was left."""
        if self.run_folder is None:
            return False
        return self.project is None or self.run_folder.parents[1] != self.project.folder

    def _on_epoch(self, event: EpochDone) -> None:
        self._epochs.append(event)
        if not self._trains_elsewhere():
            self.epoch_done.emit(event)

    def _forget_training(self) -> None:
        """Forget the last training; one that goes on is kept in hand."""
        if self.work != "train":
            self.run_folder, self._epochs = None, []

    @property
    def runs(self) -> tuple[Run, ...]:
        """Return the runs of the project as they are on disk, newest first."""
        folders = self.project.runs if self.project is not None else ()
        found = (read_run(folder) for folder in reversed(folders))
        return tuple(self._as_it_is(run) for run in found if run is not None)

    def _as_it_is(self, run: Run) -> Run:
        """Return a run that is going on here as such, also where files cannot be locked."""
        here = self.work == "train" and run.folder == self.run_folder
        return replace(run, state="running") if here else run

    def epochs_of(self, run: Run) -> tuple[EpochDone, ...]:
        """Return the epochs of a run, those of the training in hand too."""
        in_hand = run.folder == self.run_folder and self.work == "train"
        return tuple(self.epochs) if in_hand else run.epochs()

    def take_run(self, run: Run) -> None:
        """Predict with the model of a run from now on."""
        if run.model is not None and run.model != self.model_path:
            self.use_run(run.model)

    def why_no_change(self, run: Run) -> str:
        """Say why a run cannot be changed now; "" where it can."""
        if run.state == "running":
            return f"{run.title} is running: wait for it, or stop it."
        return self.why_read_only()

    def rename_run(self, run: Run, name: str) -> None:
        """Give a run a name; "" gives it back its number."""
        name = " ".join(name.split())[:200]
        self._change(run, name="" if name == f"Run {run.number}" else name)

    def note_run(self, run: Run, notes: str) -> None:
        """Keep notes with a run."""
        self._change(run, notes=notes.strip()[:100_000])

    def _change(self, run: Run, **changes: str) -> None:
        if why := self.why_no_change(run):
            self.tell(why, "warning")
            return
        try:
            change_record(run, **changes)
        except GeoCNNError as error:
            self.report(error)
        self.runs_changed.emit()

    def save_run_model(self, run: Run, path: Path | str) -> None:
        """Write the model of a run to one file, whole or not at all."""
        if run.model is not None:
            self.copy_model(run.model, path)

    # Deleting, and bringing back

    def why_no_deletion(self, run: Run) -> str:
        """Say why a run cannot be deleted now; "" where it can."""
        if self.work == "predict" and run.model is not None and run.model == self.model_path:
            return f"A prediction with {run.title} is running: wait for it, or stop it."
        return self.why_no_change(run)

    def delete_runs(self, runs: tuple[Run, ...]) -> None:
        """Put runs away; they can be brought back until the project is closed."""
        gone: list[Run] = []
        for run in runs:
            if why := self.why_no_deletion(run):
                self.tell(why, "warning")
                continue
            try:
                delete_run(run)
            except GeoCNNError as error:
                self.report(error)
                break
            gone.append(run)
        if not gone:
            return
        in_hand = next((run for run in gone if self._is_in_hand(run)), None)
        title = gone[0].title if len(gone) == 1 else f"{len(gone)} runs"
        restore = partial(self._restore, gone, in_hand)
        step = Step(f"Delete {title}", lambda: self._delete_again(gone), restore)
        self.steps.push(step)
        self._let_go(gone)
        undo = partial(self._take_back, step, restore)
        self.tell(f"{title} deleted.", actions=(("Undo", undo),))

    def _is_in_hand(self, run: Run) -> bool:
        return self.model_path is not None and self.model_path.parent == run.folder

    def _take_back(self, step: Step, restore: Callable[[], bool]) -> None:
        """Undo a deletion, also where other steps were made since, or its step is forgotten."""
        if self.steps.stands_last(step):
            self.steps.undo()
        else:
            restore()

    def _delete_again(self, runs: list[Run]) -> bool:
        try:
            for run in runs:
                if why := self.why_no_deletion(run):
                    self.tell(why, "warning")
                    return False
                delete_run(run)
        except GeoCNNError as error:
            self.report(error)
            return False
        self._let_go(runs)
        return True

    def _restore(self, runs: list[Run], in_hand: Run | None) -> bool:
        kept = {path.name for path in deleted_runs(runs[0].folder.parents[1])}
        try:
            for run in runs:
                if run.folder.name in kept:
                    restore_run(run)
                elif not run.folder.exists():
                    self.tell(f"{run.title} is gone: deleted runs are kept until the project is "
                              "closed.", "warning")  # fmt: skip
                    return False
        except GeoCNNError as error:
            self.report(error)
            return False
        if self.project is not None and runs[0].folder.parents[1] == self.project.folder:
            self.runs_changed.emit()
            if in_hand is not None:
                self.take_run(in_hand)
        return True

    def _let_go(self, gone: list[Run]) -> None:
        """Take the newest model that is left, where that in hand went."""
        if any(self._is_in_hand(run) for run in gone):
            left = next((run for run in self.runs if run.model is not None), None)
            if left is None:
                self._set_model(None)
                self.show_prediction(None)
            else:
                self.take_run(left)
        self.runs_changed.emit()
