"""Checkpoints: a training as it stood after an epoch, in one safetensors file beside its model.

Tensors (network, averaged network, optimiser, best weights, random states) as they are,
everything else as JSON in the file's metadata. Torch-free to import.
"""

from __future__ import annotations

import json
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from geocnn_gui.data.identity import identity_of
from geocnn_gui.errors import BadRequest, CannotWrite, GeoCNNError, UnreadableFile
from geocnn_gui.events import EpochDone, Note
from geocnn_gui.files import replacing
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.scaling import Scaling
from geocnn_gui.models.spec import ModelSpec, Spec
from geocnn_gui.models.value_scores import ValueScores
from geocnn_gui.scoring.intervals import UnitScores
from geocnn_gui.scoring.thin import ThinCount
from geocnn_gui.training.beginning import Beginning
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from geocnn_gui.data.source import Source
    from geocnn_gui.training.sections import Pair

    Tensors = Mapping[str, Tensor]

Stage = Literal["holdout", "refit"]
STAGES: dict[str, str] = {"holdout": "held-out run", "refit": "refit"}
_KEY = "geocnn-checkpoint"
_VERSION = 2
_HEADER_LIMIT = 50_000_000
#: So much of an epoch's time may writing take, or so many seconds; else not every one is written.
_SHARE, _SHORT = 0.25, 0.25


class SourceMark(Spec):
    """Which data and labels a training began with; `sections` are (axis, index), None for all."""

    name: str
    identity: str
    shape: tuple[int, ...]
    labels_digest: str
    sections: tuple[tuple[int | None, int], ...] | None = None
    target: str = ""


class DeviceMark(Spec):
    """How the network ran: other fast paths give other roundings.

    `patches` went through at once; 0 stands for a whole batch.
    """

    kind: str
    channels_last: bool
    bf16: bool
    patches: int = 0


class FitCard(Spec):
    """What a stage has reached; its best weights are tensors of the file."""

    best_epoch: int = 0
    best_iou: float | None = None
    top_iou: float = 0.0
    confusion: tuple[tuple[int, ...], ...] | None = None
    units: UnitScores | None = None
    steps: int = 0
    finished: bool = False
    values: ValueScores | None = None
    lowest: float | None = None
    thin: tuple[ThinCount, ...] | None = None


class FittingCard(Spec):
    """What drives the steps, beside tensors: settings of the optimiser, schedule, sampler."""

    groups: tuple[dict[str, Any], ...]
    schedule: dict[str, Any]
    sampler: dict[str, Any]


class CheckpointCard(Spec):
    """Everything of a checkpoint that is no tensor; `epoch` of `epochs` of `stage` is done.

    `held` are the held-out runs begun so far, one for each fold; the last goes on where `stage`
    says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    version: Literal[2] = _VERSION
    model: ModelSpec = Field(discriminator="kind")
    training: TrainingSpec
    classes: tuple[LabelClass, ...]
    sources: tuple[SourceMark, ...]
    scaling: Scaling
    device: DeviceMark
    seconds: float
    stage: Stage
    epoch: int
    epochs: int
    held: tuple[FitCard, ...]
    folds: int = 1
    refit: FitCard
    fitting: FittingCard
    log: tuple[EpochDone, ...]
    beginning: Beginning = Beginning()
    checksum: int = 0

    @property
    def reached(self) -> str:
        """Say how far it is: "epoch 3 of 12 of the held-out run"."""
        where = STAGES[self.stage]
        if self.stage == "holdout" and self.folds > 1:
            where += f" {len(self.held)} of {self.folds}"
        return f"epoch {self.epoch} of {self.epochs} of the {where}"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read: tensors on the CPU, named "part.name"."""

    path: Path
    card: CheckpointCard
    tensors: Tensors

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of one part, without its name."""
        start = f"{name}."
        return {k[len(start) :]: v for k, v in self.tensors.items() if k.startswith(start)}

    def damaged(self) -> UnreadableFile:
        """Return the error for a checkpoint whose tensors do not fit its own description."""
        return _damaged(self.path)


def tell_replaced(path: Path | None) -> Iterator[Note]:
    """Say that a new training takes the place of the one that `path` keeps, if it does."""
    if path is not None and path.exists():
        yield Note(
            f"{path} keeps a training that was broken off; this one takes its place (to resume "
            "would have gone on with it)."
        )


class Keeper:
    """Keeps the state after every epoch on disk, where that does not hold the training up.

    Every epoch is written while writing is quick, or short against an epoch. Where it is neither
    the newest state waits in memory until enough time has passed, or until `flush`, which a stop
    calls too. A disk that takes no more is told once; the file that stood
    there stays.
    """

    def __init__(self, path: Path | None) -> None:
        """Keep it at `path`; None keeps nothing."""
        self._path = path
        self._pending: tuple[CheckpointCard, Tensors] | None = None
        self._next = 0.0
        self._told = False

    def keep(self, card: CheckpointCard, tensors: Tensors) -> Note | None:
        """Take the state after an epoch; return what the user should hear, if anything."""
        if self._path is None:
            return None
        if time.monotonic() < self._next:
            self._pending = card, {name: tensor.cpu().clone() for name, tensor in tensors.items()}
            return None
        try:
            self._write(self._path, card, tensors)
        except CannotWrite as error:
            if self._told:
                return None
            self._told = True
            return Note(
                f"Training goes on, but could not be continued after a break: {error}",
                warning=True,
            )
        return None

    def _write(self, path: Path, card: CheckpointCard, tensors: Tensors) -> None:
        start = time.monotonic()
        try:
            write_checkpoint(path, card, tensors)
            self._pending = None
        finally:
            now = time.monotonic()
            took = now - start
            self._next = now + (0 if took < _SHORT else took / _SHARE)

    def flush(self) -> None:
        """Write what waits, as far as the disk takes it."""
        if self._path is not None and self._pending is not None:
            with suppress(CannotWrite):
                self._write(self._path, *self._pending)

    def remove(self) -> None:
        """Forget everything: the training has ended."""
        self._pending = None
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)


def write_checkpoint(path: Path, card: CheckpointCard, tensors: Tensors) -> None:
    """Replace `path`, all or nothing; raises `CannotWrite`.

    The format is safetensors; it is written here piece by piece, because the library holds the
    interpreter while it copies and writes, and the window would stand still.
    """
    header: dict[str, Any] = {}
    parts, at, checksum = [], 0, 0
    for name in sorted(tensors):
        values = _bytes(tensors[name])
        header[name] = {
            "dtype": _dtype_names()[tensors[name].dtype], "shape": list(tensors[name].shape),
            "data_offsets": [at, at + len(values)],
        }  # fmt: skip
        at, checksum = at + len(values), zlib.crc32(values, checksum)
        parts.append(values)
    card = card.model_copy(update={"checksum": checksum})
    header["__metadata__"] = {_KEY: card.model_dump_json()}
    data = json.dumps(header).encode()
    data += b" " * (-len(data) % 8)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(len(data).to_bytes(8, "little") + data)
        for values in parts:
            file.write(values)


def _bytes(tensor: Tensor) -> memoryview:
    """Return a tensor's values in array order, little-endian, without a copy where possible."""
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def _dtype_names() -> dict[Any, str]:
    import torch

    return {
        torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
        torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL",
    }  # fmt: skip


def read_card(path: Path) -> CheckpointCard:
    """Read what a checkpoint says of itself, without torch.

    Raises
    ------
    UnreadableFile
        When there is none, or it is damaged, something else, or from a newer version.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_HEADER_LIMIT, path.stat().st_size):
                raise _foreign(path)
            header = json.loads(file.read(length))
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read ({error.strerror})", "train from the beginning"
        ) from error
    except ValueError as error:  # no JSON, no UTF-8
        raise _foreign(path) from error
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    text = metadata.get(_KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise _foreign(path)
    try:
        if json.loads(text).get("version") != _VERSION:
            raise UnreadableFile(
                f"{path} was written by another version of GeoCNN", "continue it with that one"
            )
        return CheckpointCard.model_validate_json(text)
    except (ValidationError, ValueError, AttributeError) as error:
        raise _damaged(path) from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint whole; raises as `read_card`."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    card = read_card(path)
    try:
        # Copies, so that the file can be replaced while they are in use.
        tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise _damaged(path) from error
    checksum = 0
    for name in sorted(tensors):
        checksum = zlib.crc32(_bytes(tensors[name]), checksum)
    if checksum != card.checksum:
        raise _damaged(path)
    return Checkpoint(path, card, tensors)


def _foreign(path: Path) -> UnreadableFile:
    return UnreadableFile(f"{path} is no checkpoint of a training", "train from the beginning")


def _damaged(path: Path) -> UnreadableFile:
    return UnreadableFile(f"{path} is damaged", "train from the beginning")


def identity(source: Source) -> str:
    """Return what tells whether a source is the same data.

    Raises
    ------
    UnreadableFile
        When its file has gone.
    """
    try:
        return identity_of(source)
    except OSError as error:
        raise UnreadableFile(
            f"{source.path} cannot be read ({error.strerror})", "put it back where it was"
        ) from error


def mark(pair: Pair) -> SourceMark:
    """Describe the data and labels of a pair; raises as `identity`."""
    source, sections = pair.source, pair.sections
    return SourceMark(
        name=source.name, identity=identity(source), shape=source.shape,
        labels_digest=pair.labels.digest,
        sections=None if sections is None else tuple((s.axis, s.index) for s in sections),
        target="" if pair.target is None else pair.target.mark,
    )  # fmt: skip


def require_same_data(card: CheckpointCard, marks: Sequence[SourceMark]) -> None:
    """Make sure that a training goes on with what it began with; raises `BadRequest`."""
    if len(marks) != len(card.sources):
        raise _other(
            f"The training began with another number of data files "
            f"({len(card.sources)}, not {len(marks)})"
        )
    for now, then in zip(marks, card.sources, strict=True):
        if (now.identity, now.shape) != (then.identity, then.shape):
            raise _other(f"{now.name} is not the data that the training began with ({then.name})")
        if now.labels_digest != then.labels_digest:
            raise _other(f"The labels of {now.name} are not those that the training began with")
        if now.target != then.target:
            raise _other(f"The target of {now.name} is not the one that the training began with")
        if now.sections != then.sections:
            raise _other(f"The training began with other sections of {now.name}")


def require_same_specs(card: CheckpointCard, model: ModelSpec, training: TrainingSpec) -> None:
    """Make sure that a training goes on by the settings it began with; raises `BadRequest`."""
    for group, then, now in (("model", card.model, model), ("training", card.training, training)):
        before, after = (
            _flat((each.settled() if isinstance(each, TrainingSpec) else each).model_dump())
            for each in (then, now)
        )
        for key, value in sorted(before.items(), key=lambda each: each[0] != "kind"):
            if value != after.get(key):
                raise _other(f"The training began with {group}.{key}={value}, not {after.get(key)}")


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """Return {"a": {"b": 1}} as {"a.b": 1}."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = _flat(value) if isinstance(value, dict) else {"": value}
        found.update({f"{key}.{name}".removesuffix("."): each for name, each in inner.items()})
    return found


def _other(fact: str) -> GeoCNNError:
    return BadRequest(fact, "continue it with the same, or train from the beginning")
