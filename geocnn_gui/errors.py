"""Failures that a user can act on: each says what is wrong and the way out."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class GeoCNNError(Exception):
    """A failure with a `fact` (what is wrong, naming the file) and a `way_out` (what to do).

    `str(error)` is the one sentence that both shells show.
    """

    def __init__(self, fact: str, way_out: str) -> None:
        super().__init__(fact, way_out)
        self.fact = fact
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.fact}; {self.way_out}."


class UnreadableFile(GeoCNNError):
    """The file is missing, empty, truncated, or not of the kind its name says."""


class SeveralArrays(UnreadableFile):
    """A file holds several arrays: which one is meant is said by the reader's `choice`.

    `path` is the file, `names` are what can be chosen.
    """

    def __init__(self, path: Path, choice: str, names: Sequence[str]) -> None:
        listed = ", ".join(names)
        super().__init__(
            f"{path} holds several arrays ({listed})", f"choose one of them with {choice}=NAME"
        )
        self.path, self.choice, self.names = path, choice, tuple(names)


class NoLiveData(GeoCNNError):
    """Every sample of the source is masked."""


class LabelsMismatch(GeoCNNError):
    """Labels do not lie on the grid of the source they are meant for."""


class NotEnoughLabels(GeoCNNError):
    """Too few classes or labelled samples to train or to score."""


class ModelMismatch(GeoCNNError):
    """A model file cannot be used, or not on this source."""


class CannotWrite(GeoCNNError):
    """An output cannot be written: disk full, folder missing or read-only."""


class BadRequest(GeoCNNError):
    """What the user asked for contradicts itself or the data."""


class ProjectInUse(GeoCNNError):
    """Another window or process has the project open."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an `OSError` raised while writing `path` into `CannotWrite`.

    Raises
    ------
    CannotWrite
        With the fact (disk full, no permission, ...) and the way out.
    """
    try:
        yield
    except OSError as error:
        facts = {
            errno.ENOSPC: ("the disk is full", "free some space or choose another folder"),
            errno.EDQUOT: ("the disk quota is used up", "free some space or choose another folder"),
            errno.EFBIG: ("the file would be larger than allowed", "choose another folder or disk"),
            errno.EACCES: ("the folder may not be written to", "choose another folder"),
            errno.EROFS: ("the folder is read-only", "choose another folder"),
            errno.ENOENT: ("the folder does not exist", "create it or choose another one"),
        }
        fact, way_out = facts.get(error.errno or 0, (str(error), "choose another folder"))
        raise CannotWrite(f"Cannot write {path}: {fact}", way_out) from error
