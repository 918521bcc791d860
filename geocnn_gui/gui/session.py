"""The one object that owns everything that is open; views read it and listen to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.data.source import EXAMPLES, open_source
from geocnn_gui.errors import GeoCNNError, SeveralArrays
from geocnn_gui.gui import opening
from geocnn_gui.gui.next_place import NextPlaces
from geocnn_gui.gui.placing import Placing
from geocnn_gui.gui.scoring import Score
from geocnn_gui.gui.state import CursorReadout, Message, Overlay, Tool, ViewState
from geocnn_gui.gui.suspecting import Suspecting
from geocnn_gui.gui.training import MODEL_FILE
from geocnn_gui.gui.why_here import WhyHere
from geocnn_gui.project.home import default_folder
from geocnn_gui.project.homes import entry_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Source
    from geocnn_gui.gui.opening import Opened
    from geocnn_gui.project.project import SourceEntry

__all__ = ["MODEL_FILE", "CursorReadout", "Message", "Overlay", "Score", "Session", "Tool",
           "ViewState"]  # fmt: skip
#: So many arrays of a file are offered as buttons.
_MOST_NAMES = 6


class Session(Placing):
    """Open, close and switch sources; see `State` for the attributes and the signals."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.next_places = NextPlaces(self)
        self.why_here = WhyHere(self)
        self.suspects = Suspecting(self)
        self._waiting: list[Path | str] = []
        self._open_again: Callable[[dict[str, str]], None] = lambda _: None

    def open_paths(self, paths: Sequence[Path | str]) -> None:
        """Open the first file that can be read; the others become sources of its project."""
        if self.busy:
            self.tell(f"{self.busy}: wait for it to end.", "warning")
            return
        self._waiting, self._adding = list(paths), False
        self._open_waiting()

    def _open_waiting(self) -> None:
        while self._waiting and not self.busy:
            path = self._waiting.pop(0)
            if self._adding:
                self.add_path(path)
            else:
                self.open_path(path)

    def open_path(self, path: Path | str, **choices: str) -> None:
        """Open a project, or a file or "example:NAME" with the project kept for it.

        `choices` are the reader's.
        """
        key = _key(path)
        if opening.is_project(key):
            self.open_project(key)
        elif self._has(key):
            self._adding = True  # its project is open here
            self.add_path(path, **choices)
        else:
            self._open_again = lambda more: self.open_path(path, **{**choices, **more})
            self._open(lambda: opening.open_work(key, choices), self._show, key)

    def _has(self, key: str) -> bool:
        """Say whether a file or example belongs to the project that is open."""
        if self.project is None:
            return False
        begun_for_it = default_folder(key) == self.project.folder
        return begun_for_it or entry_for(self.project, key) is not None

    def open_project(self, folder: Path | str) -> None:
        """Open a project in the background, given its folder or project.json, as it was left."""
        folder = Path(_key(folder))
        folder = folder.parent if folder.name == "project.json" else folder
        if self.project is not None and folder == self.project.folder:
            self.tell(f"{self.project.name} is open already.")
            self._open_waiting()
        else:
            self._open(lambda: opening.open_project(folder), self._show, folder.name)

    def add_path(self, path: Path | str, **choices: str) -> None:
        """Open a file as one more source of the project, or as the first."""
        project, key = self.project, _key(path)
        if project is None:
            self.open_path(path, **choices)
            return
        known = entry_for(project, key)
        if known is not None:
            self._show_known(known, key)
            return
        if reason := self.why_read_only():
            self.tell(f"Nothing can be added. {reason}", "warning")
            return
        if opening.is_project(key):
            self.tell(f"{key} is a folder: open it as a project of its own.", "warning")
            return
        self._open_again = lambda more: self.add_path(path, **{**choices, **more})
        self._open(
            lambda: open_source(key, **choices),
            lambda source: self._join(source, lambda: opening.place(project, key, source, choices)),
            key,
        )

    def _on_problem(self, problem: Exception) -> None:
        if not isinstance(problem, SeveralArrays):
            super()._on_problem(problem)
            return
        again, choice = self._open_again, problem.choice
        what = "the samples" if choice == "key" else "their labels"
        self.tell(
            f"{problem.path.name} holds several arrays: which of them are {what}?", "warning",
            actions=tuple(
                (name, lambda name=name: again({choice: name}))
                for name in problem.names[:_MOST_NAMES]
            ),
        )  # fmt: skip

    def _show_known(self, entry: SourceEntry, key: str) -> None:
        """Show a source of the project, whose file may have moved to `key`."""
        if entry.path == key:
            self.show_entry(entry.id)
        else:
            self.use_place(entry.id, key)

    def show_entry(self, entry_id: str) -> None:
        """Show another source of the project."""
        if self.project is not None and entry_id != self.entry_id:
            self._reopen(self.project.source(entry_id))

    def choose(self, **choices: str) -> None:
        """Read the source in view another way: `vertical` as "time" or "depth", and so on.

        The choice is kept with the project.
        """
        if self.project is None or self.source is None:
            return
        kept = self.project.source(self.entry_id).choices
        try:
            self.project.set_choices(self.entry_id, {**kept, **choices})
        except GeoCNNError as error:
            self.report(error)
            return
        self._reopen(self.project.source(self.entry_id))

    def _reopen(self, entry: SourceEntry) -> None:
        project = self.project
        if project is None:
            return
        if not entry.unchanged:
            self._ask_about(entry)
            return
        self._open(
            lambda: opening.open_with_labels(project, entry),
            lambda source: self._join(source, lambda: opening.show_again(project, entry, source)),
            entry.path,
        )

    def _tell_notes(self, opened: Opened) -> None:
        super()._tell_notes(opened)
        if opened.source is not None:
            self._tell_suggestion(opened.source)

    def _tell_suggestion(self, source: Source) -> None:
        """Offer to read a file as its samples speak for, where its header says otherwise."""
        suggested, now = (x.get("sample_format") for x in (source.suggestion, source.choices))
        if suggested is None or now is None:
            return
        names = {"ibm": "IBM", "ieee": "IEEE"}
        self.tell(
            f"{source.name} says {names[now]} floats but its samples look {names[suggested]}.",
            "warning",
            actions=(
                (f"Read as {names[suggested]}", lambda: self.choose(sample_format=suggested)),
                ("Keep", lambda: self.choose(sample_format=now)),
            ),
        )

    def shut_down(self) -> None:
        """Stop what runs, wait for it, and close everything: the last step of the window."""
        self.survey.close()
        self.live.close()
        super().shut_down()
        self.close_source()
        self._keep_timer.stop()


def _key(path: Path | str) -> str:
    """Return how a project knows a source: an example's name, or the absolute path."""
    return str(path) if str(path) in EXAMPLES else str(Path(path).expanduser().resolve())
