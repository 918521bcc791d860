"""Model files: one safetensors file with the card (spec, classes, scaling, spacing) inside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from geocnn_gui.errors import GeoCNNError, ModelMismatch
from geocnn_gui.files import write_bytes
from geocnn_gui.labels.archive import archive_bytes, read_archive_bytes
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.ground import Ground, GroundCard
from geocnn_gui.models.scaling import Scaling
from geocnn_gui.models.spec import ModelSpec, Spec, shareable
from geocnn_gui.models.target import Target
from geocnn_gui.models.unit_scores import UnitScores
from geocnn_gui.models.value_scores import ValueScores

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.models.networks import SegmentationNet

_KEY = "geocnn"
_GROUND = "ground."
#: What programs that do not know of it pass over: what a training began with.
_BEGAN = "geocnn-began"
_HEADER_LIMIT = 50_000_000


class CardSpacing(Spec):
    """What one cell of the training data measured; None where its file did not say."""

    sample_interval: float | None = None
    sample_unit: str = ""
    trace_spacing: float | None = None
    pixel_size: float | None = None


class TrainingSummary(Spec):
    """How a model came about: for the reader of its card, not for the program."""

    data: tuple[str, ...] = ()
    labels_digest: tuple[str, ...] = ()
    labelled_cells: dict[int, int] = Field(default={})
    seed: int = 0
    steps: int = 0
    seconds: float = 0.0
    device: str = ""
    stopped_early: bool = False
    #: Mean IoU and per-class IoU on what was held out; None where nothing could be held out, and
    #: for a class of which nothing was. All folds are pooled; the ends are of 95 % intervals.
    holdout_iou: float | None = None
    holdout_interval: tuple[float, float] | None = None
    holdout_class_iou: dict[int, float | None] = Field(default={})
    holdout_class_interval: dict[int, tuple[float, float] | None] = Field(default={})
    holdout_share: float = 0.0
    #: What was held out whole ("block"), how many of them, in how many folds, and their counts.
    holdout_by: str = ""
    holdout_units: int = 0
    holdout_folds: int = 0
    holdout_scores: UnitScores | None = None
    #: The buffer was narrower than it should be.
    holdout_optimistic: bool = False
    #: Of thin classes, with slack, at their best thresholds (`scoring.thin`).
    holdout_f1_tolerant: dict[int, float | None] = Field(default={})
    #: With single pixels held out, whose neighbours were trained on: says nothing of new ground.
    leaky_iou: float | None = None
    #: Of the network saved, on the test set, which training never saw.
    test_iou: float | None = None
    test_interval: tuple[float, float] | None = None
    test_units: int = 0
    refit: bool = False
    software: str = ""
    #: Under which its maker passes it on; of the data and labels that it was trained on.
    licence: str = ""
    #: What it began with, "" for fresh weights; kept beside the card.
    began: str = ""
    #: Of a continuous target, in its unit: figures on what was held out, on the test set, and on
    #: single pixels (leaky); intervals by figure.
    holdout_values: dict[str, float | None] = Field(default={})
    holdout_values_interval: dict[str, tuple[float, float] | None] = Field(default={})
    holdout_value_scores: ValueScores | None = None
    test_values: dict[str, float | None] = Field(default={})
    test_values_interval: dict[str, tuple[float, float] | None] = Field(default={})
    leaky_values: dict[str, float | None] = Field(default={})


class ModelCard(Spec):
    """What a model knows of itself; saved as JSON in its file."""

    #: 2 where there is a target: programs that know classes alone refuse such a file.
    version: Literal[1, 2] = 1
    spec: ModelSpec = Field(discriminator="kind")
    #: At least two, or none where it predicts a continuous `target`.
    classes: tuple[LabelClass, ...] = ()
    target: Target | None = None
    bands: tuple[str, ...] = Field(min_length=1)
    domain: Literal["seismic", "imagery"]
    scaling: Scaling
    spacing: CardSpacing = CardSpacing()
    #: Axes of a cube along which the network saw sections, the first is predicted by default.
    section_axes: tuple[int, ...] = ()
    training: TrainingSummary = TrainingSummary()
    #: Ids of classes whose labels are narrow, and the probability from which naming them is best.
    thin: tuple[int, ...] = ()
    thresholds: dict[int, float] = Field(default={})
    #: Sources it was trained on; which of their cells lies in the file: `read_grounds`.
    grounds: tuple[GroundCard, ...] = ()

    @model_validator(mode="after")
    def _either(self) -> ModelCard:
        if self.target is None and len(self.classes) < 2:
            raise ValueError("a model has two classes at least, or a target")
        if self.target is not None and self.classes:
            raise ValueError("a model has classes or a target, not both")
        return self

    @property
    def outputs(self) -> int:
        """Count what the network says of a pixel."""
        return 1 if self.target is not None else len(self.classes)

    @property
    def named(self) -> tuple[LabelClass, ...]:
        """Return the classes; of a target the one that stands for cells with a value."""
        return self.classes if self.target is None else (self.target.as_class,)


def save_model(
    path: Path, net: SegmentationNet, card: ModelCard, grounds: tuple[Ground, ...] = ()
) -> None:
    """Write `net`, `card` and what the net has seen to one file; raises `CannotWrite`."""
    import torch
    from safetensors.torch import save

    state = {k: v.detach().cpu().contiguous() for k, v in net.state_dict().items()}
    for number, ground in enumerate(grounds):
        packed = np.frombuffer(archive_bytes(ground.seen), np.uint8).copy()
        state[f"{_GROUND}{number}"] = torch.from_numpy(packed)
    changes = {"spec": shareable(card.spec), "grounds": tuple(g.card for g in grounds)}
    changes["version"] = 1 if card.target is None else 2
    card = card.model_copy(update=changes)
    # What older programs do not know of is left out where it says nothing.
    said = card.model_dump_json(exclude=_unsaid(card))
    metadata = {_KEY: said}
    if card.training.began:
        metadata[_BEGAN] = card.training.began
    write_bytes(path, save(state, metadata=metadata))


def _unsaid(card: ModelCard) -> dict[str, Any]:
    if card.target is not None:
        return {"training": {"began"}}
    values = [name for name in TrainingSummary.model_fields if "value" in name]
    return {"target": True, "training": {"began", *values}}


def read_card(path: Path) -> ModelCard:
    """Read the card of a model file without torch.

    Raises
    ------
    ModelMismatch
        When the file is no GeoCNN model, is damaged, or was written by a newer version.
    """
    metadata = metadata_of(path)
    data = metadata.get(_KEY)
    if data is None:
        raise not_a_model(path)
    try:
        content = json.loads(data)
        if isinstance(content, dict) and not _is_known(content):
            raise ModelMismatch(
                f"{path} was written by a newer version of GeoCNN", "update the program to use it"
            )
        return _with_beginning(ModelCard.model_validate_json(data), metadata.get(_BEGAN))
    except (ValidationError, ValueError) as error:
        raise ModelMismatch(
            f"{path} is a GeoCNN model with a damaged description",
            "train it again or ask for another copy",
        ) from error


def _with_beginning(card: ModelCard, began: object) -> ModelCard:
    if not isinstance(began, str):
        return card
    training = card.training.model_copy(update={"began": began})
    return card.model_copy(update={"training": training})


def _is_known(content: dict[str, Any]) -> bool:
    """Say whether a card is of a version that this program reads: 2 only where there is a target."""
    version = content.get("version", 1)
    return version == 1 or (version == 2 and content.get("target") is not None)


def load_model(path: Path) -> tuple[SegmentationNet, ModelCard]:
    """Load a network in eval mode on the CPU, with its card.

    Raises
    ------
    ModelMismatch
        As `read_card`, and when weights are missing, cut off or of other sizes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from geocnn_gui.models.networks import build

    card = read_card(path)
    net = build(card.spec, len(card.bands), card.outputs)
    try:
        state = load_file(path)
        net.load_state_dict({k: v for k, v in state.items() if not k.startswith(_GROUND)})
    except (SafetensorError, RuntimeError) as error:
        raise ModelMismatch(
            f"{path} is a damaged GeoCNN model", "copy it again or train it again"
        ) from error
    return net.eval(), card


def read_grounds(path: Path) -> tuple[Ground, ...]:
    """Return which cells of its training data a model has seen; () for one that does not say.

    Raises
    ------
    ModelMismatch
        As `read_card`, and when what it says is damaged.
    """
    from safetensors import SafetensorError, safe_open

    card = read_card(path)
    try:
        with safe_open(path, framework="numpy") as file:
            packed = [file.get_tensor(f"{_GROUND}{n}") for n in range(len(card.grounds))]
        return tuple(
            Ground(each, read_archive_bytes(data.tobytes(), path, each.shape))
            for each, data in zip(card.grounds, packed, strict=True)
        )
    except (SafetensorError, GeoCNNError) as error:
        raise ModelMismatch(
            f"{path} is a damaged GeoCNN model", "copy it again or train it again"
        ) from error


def metadata_of(path: Path) -> dict[str, Any]:
    """Return the metadata of a safetensors file: 8 bytes little-endian length, then JSON.

    Raises `ModelMismatch` for what is no such file.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_HEADER_LIMIT, path.stat().st_size):
                raise not_a_model(path)
            header = json.loads(file.read(length))
    except FileNotFoundError as error:
        raise ModelMismatch(f"{path} does not exist", "check the name and the folder") from error
    except IsADirectoryError as error:
        raise ModelMismatch(f"{path} is a folder", "choose a model file in it") from error
    except ValueError as error:  # no JSON, no UTF-8
        raise not_a_model(path) from error
    found = header.get("__metadata__") if isinstance(header, dict) else None
    return found if isinstance(found, dict) else {}


def not_a_model(path: Path) -> ModelMismatch:
    """Return what to raise for a file that holds no model."""
    return ModelMismatch(
        f"{path} is not a GeoCNN model", "choose a .safetensors file that this program has saved"
    )
