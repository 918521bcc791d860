"""What the tests of the history do to a project of two sources, also in a process of its own.

Run as a program, "history_deeds.py FOLDER DEED" does a deed on copies of a project, each killed
one write to the disk later than the one before, the copy "1", "2", ... of FOLDER.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import zipfile
from pathlib import Path

import numpy as np

from geocnn_gui.data.source import Window
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.project.project import Project

SHAPES = {"s1": (70, 300), "s2": (20, 30, 24)}
SALT = LabelClass(id=1, name="Salt", color="#d55e00")
SAND = LabelClass(id=2, name="Sand", color="#e69f00")
CHALK = LabelClass(id=3, name="Chalk", color="#0072b2")


def begin(folder: Path) -> None:
    """Make a project of two sources, two classes and two steps."""
    for name in SHAPES:
        np.save(folder / f"{name}.npy", np.full(SHAPES[name], int(name[1:])))
    with Project.create(folder / "work") as project:
        for name in SHAPES:
            project.add_source(folder / f"{name}.npy")
        project.set_classes((SALT, SAND))
        stroke(project, "s1", 3, 1)
        both(project, 4, (SALT, SAND, CHALK))


def edit(project: Project, entry: str, row: int, value: int) -> tuple[str, LabelEdit]:
    """Return the part of a step that sets three rows of a source."""
    store = project.labels(entry, SHAPES[entry]).store
    window = Window((row, *[0] * (len(store.shape) - 1)), (3, *store.shape[1:]))
    return entry, LabelEdit.paint(store, window, np.ones(window.size, bool), value)


def stroke(project: Project, entry: str, row: int, value: int) -> None:
    project.history.do("Paint", [edit(project, entry, row, value)])


def both(project: Project, row: int, classes: tuple[LabelClass, ...]) -> None:
    """Change both sources and the classes, in several records each."""
    parts = [edit(project, entry, at, 2) for at in (row, row + 4) for entry in SHAPES]
    project.history.do("Both", parts, classes=classes)


def tidy(project: Project) -> None:
    stroke(project, "s1", 20, 2)
    for entry in SHAPES:
        project.labels(entry, SHAPES[entry]).compact()


def forget(project: Project) -> None:
    """Paint where there is no room for older steps."""
    project.history._most = 200
    stroke(project, "s1", 30, 1)


def erase(project: Project) -> None:
    """Delete a class and its labels everywhere."""
    stores = {entry: project.labels(entry, SHAPES[entry]).store for entry in SHAPES}
    parts = (
        (entry, LabelEdit.paint(store, window, store.read(window) == 2, 0))
        for entry, store in stores.items()
        for window in store.snapshot().labelled_windows()
    )
    project.history.do("Delete Sand", parts, classes=(SALT, CHALK))


DEEDS = {
    "stroke": lambda p: stroke(p, "s1", 20, 2),
    "first stroke": lambda p: stroke(p, "s2", 12, 1),
    "both": lambda p: both(p, 12, (CHALK, SALT, SAND)),
    "delete class": erase,
    "undo": lambda p: p.history.go_to(1),
    "undo all": lambda p: p.history.go_to(0),
    "base file": tidy,
    "forget": forget,
    "close": lambda p: p.close(),
}


def held(project: Project) -> tuple[dict[str, np.ndarray], tuple[LabelClass, ...]]:
    """Return all labels and the classes."""
    labels = {}
    for entry, shape in SHAPES.items():
        labels[entry] = project.labels(entry, shape).store.read(Window.whole(shape))
    return labels, project.classes


class _Fragile:
    """A file whose writes are counted; the last one is cut in half."""

    def __init__(self, file, count) -> None:
        self.file, self.count = file, count

    def write(self, data):
        self.count(lambda: self.file.write(bytes(data)[: len(data) // 2]))
        return self.file.write(data)

    def truncate(self, *size):
        self.count()
        return self.file.truncate(*size)

    def __getattr__(self, name):
        return getattr(self.file, name)


def breakable() -> list[int]:
    """Count writes to the disk from now on; return how many are left, to be set.

    At the last one the process ends without a word.
    """
    left = [10**9]

    def count(half=lambda: None) -> None:
        left[0] -= 1
        if left[0] <= 0:
            half()
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(real):
        def call(*arguments, **more):
            count()
            return real(*arguments, **more)

        return call

    for name in ("fsync", "replace", "rename", "mkdir", "unlink"):
        setattr(os, name, counted(getattr(os, name)))
    Path.write_bytes = counted(Path.write_bytes)
    zipfile.ZipFile.writestr = counted(zipfile.ZipFile.writestr)
    opened = Path.open

    def fragile(self, mode="r", buffering=-1, **more):
        file = opened(self, mode, buffering, **more)
        return _Fragile(file, count) if buffering == 0 and "+" in mode else file

    Path.open = fragile
    return left


def main() -> None:
    folder, deed = Path(sys.argv[1]), sys.argv[2]
    number, ended = 0, False
    while not ended:
        number += 1
        copy = folder.parent / str(number)
        shutil.copytree(folder, copy)
        child = os.fork()
        if not child:
            left = breakable()
            project = Project.open(copy)
            for entry in SHAPES:
                project.labels(entry, SHAPES[entry])
            left[0] = number
            DEEDS[deed](project)
            os._exit(0)
        ended = os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    main()
