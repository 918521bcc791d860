"""Torch-free spec of a training: what the Train panel and `--set training.x=` configure."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, model_validator

from geocnn_gui.models.spec import ADVANCED, Spec
from geocnn_gui.scoring.split_spec import SplitSpec

Optimizer = Literal["adamw", "adam", "sgd", "momentum", "adagrad", "rmsprop"]
Schedule = Literal["one-cycle", "constant", "step", "cosine", "plateau"]
Loss = Literal["cross-entropy", "weighted", "focal", "dice", "mse"]
_T = TypeVar("_T")
Auto = Literal["auto"] | _T
OPTIMIZERS: dict[str, Any] = {
    "adamw": "AdamW", "adam": "Adam", "sgd": "SGD", "momentum": "SGD with momentum",
    "adagrad": "AdaGrad", "rmsprop": "RMSProp",
}  # fmt: skip
SCHEDULES: dict[str, Any] = {
    "one-cycle": "One cycle", "constant": "Constant", "step": "Steps", "cosine": "Cosine",
    "plateau": "On a plateau",
}  # fmt: skip
LOSSES: dict[str, Any] = {
    "cross-entropy": "Cross-entropy", "weighted": "Weighted cross-entropy", "focal": "Focal",
    "dice": "Dice and cross-entropy", "mse": "Squared error",
}  # fmt: skip
#: The rates that their authors, or the usual libraries, begin with.
RATES: dict[str, float] = {
    "adamw": 3e-3, "adam": 1e-3, "sgd": 1e-2, "momentum": 1e-2, "adagrad": 1e-2, "rmsprop": 1e-3,
}  # fmt: skip


class TrainingSpec(Spec):
    """How long, how fast and with which changes to the data a network is trained."""

    epochs: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=12,
        title="Epochs",
        description="Rounds over the labels; stops early when it stops helping.",
    )
    steps_per_epoch: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=28,
        title="Steps per epoch",
        description="Batches in a round.",
        json_schema_extra={"advanced": True, "unless": {"batch": [0]}},
    )
    batch: Annotated[int, Field(ge=0, le=1024)] = Field(
        default=16, title="Batch",
        description="Patches in a step; 1 takes one sample at a time, 0 all at once: one step in "
        "a round, on every labelled cell.",
        json_schema_extra={"advanced": True, "zero": "All at once"},
    )  # fmt: skip
    optimizer: Optimizer = Field(
        default="adamw", title="Optimiser",
        description="How weights follow the gradients: SGD, SGD with momentum, AdaGrad, RMSProp "
        "(decay 0.9), Adam (0.9, 0.999), AdamW.",
        json_schema_extra={"advanced": True, "words": OPTIMIZERS},
    )  # fmt: skip
    learning_rate: Auto[Annotated[float, Field(gt=0, le=10)]] = Field(
        default="auto", title="Learning rate",
        description="Of fresh weights, at its peak; auto takes what is usual for the optimiser.",
        json_schema_extra={"advanced": True, "usual": "rate"},
    )  # fmt: skip
    momentum: Annotated[float, Field(ge=0, le=0.999)] = Field(
        default=0.9, title="Momentum", description="Share of the last change that is kept.",
        json_schema_extra={"advanced": True, "when": {"optimizer": ["momentum"]}},
    )  # fmt: skip
    schedule: Schedule = Field(
        default="one-cycle", title="Schedule",
        description="How the rate goes: one cycle up and down, constant, in steps (a tenth after "
        "one half and three quarters), a cosine down to 0, or a tenth where the loss stays (plateau).",
        json_schema_extra={"advanced": True, "words": SCHEDULES},
    )  # fmt: skip
    weight_decay: Auto[Annotated[float, Field(ge=0, le=1)]] = Field(
        default="auto", title="Weight decay",
        description="Pull of the weights towards 0; auto: 0.01 with AdamW, else none.",
        json_schema_extra={"advanced": True, "usual": "decay"},
    )  # fmt: skip
    clip: Annotated[float, Field(ge=0, le=1000)] = Field(
        default=1.0, title="Clip", description="Longest gradient of a step; 0 clips nothing.",
        json_schema_extra={"advanced": True, "zero": "Off"},
    )  # fmt: skip
    loss: Loss = Field(
        default="cross-entropy", title="Loss",
        description="What is made small; weighted: every class alike over all labels; focal: hard "
        "cells count more; dice: overlap and cross-entropy; mse: squared error of the probabilities.",
        json_schema_extra={"advanced": True, "words": LOSSES},
    )  # fmt: skip
    focus: Annotated[float, Field(ge=0, le=10)] = Field(
        default=2.0, title="Focus", description="Exponent of the focal loss; 0 is cross-entropy.",
        json_schema_extra={"advanced": True, "when": {"loss": ["focal"]}},
    )  # fmt: skip
    smoothing: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.05, title="Label smoothing",
        description="Share of every label that is spread over all classes.",
        json_schema_extra={
            "advanced": True, "when": {"loss": ["cross-entropy", "weighted", "dice"]},
        },
    )  # fmt: skip
    average: bool = Field(
        default=True, title="Average weights",
        description="Score and keep a running average of the weights, steadier than the last.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    start: Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")] = Field(
        default="", title="Begin with",
        description="Weights to begin with: fresh ones, those of a GeoCNN model of the same kind "
        "and sizes, or a survey backbone for the U-Net; with other classes its head stays fresh.",
        json_schema_extra={
            "advanced": True, "choices": {"": "Fresh weights"},
            "accepts": "the name of a GeoCNN model or backbone file, or nothing",
        },
    )  # fmt: skip
    frozen_copies: Annotated[int, Field(ge=0, le=64)] = Field(
        default=0, title="Keep features",
        description="With frozen stages of a patch classifier: their features are computed once "
        "and kept, many times quicker. 1: augmentation is off; more: so many changed copies of "
        "each patch; 0: computed anew in each step.",
        json_schema_extra={"advanced": True, "zero": "Off"},
    )  # fmt: skip
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", title="Precision",
        description="auto: bfloat16 where the processor computes it, else float32.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    augment: bool = Field(
        default=True,
        title="Augment",
        description="Flips, stretch, gain and noise that suit the data.",
    )
    balance: bool = Field(
        default=True,
        title="Balance classes",
        description="Rare classes are drawn more often and weigh more.",
    )
    scaling: Literal["auto", "survey", "stored", "trace", "raw"] = Field(
        default="auto", title="Scaling",
        description="survey: by each source's own statistics; stored: by the training data's; "
        "trace: each trace by itself; raw: values as they are.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    split: SplitSpec = Field(
        default=SplitSpec(), title="How it is scored",
        description="Which labels are kept aside for the score.",
        json_schema_extra={"hidden": True},
    )  # fmt: skip
    refit: bool = Field(
        default=True, title="Refit",
        description="After the scored run, fit a fresh network to all labels; off keeps the "
        "scored network, where there is one fold.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    patience: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=8, title="Patience",
        description="Epochs without a better score before it stops; 0 never stops early.",
        json_schema_extra={"advanced": True, "zero": "Never"},
    )  # fmt: skip
    licence: Annotated[str, Field(max_length=200)] = Field(
        default="", title="Licence",
        description="Kept in the model file: under which terms the data allow it to be passed on.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=0, title="Seed", description="Same seed, same data, same machine: same network.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip

    @property
    def rate(self) -> float:
        """Return the learning rate of fresh weights, at its peak."""
        return RATES[self.optimizer] if self.learning_rate == "auto" else self.learning_rate

    @property
    def decay(self) -> float:
        """Return the weight decay."""
        usual = 1e-2 if self.optimizer == "adamw" else 0.0
        return usual if self.weight_decay == "auto" else self.weight_decay

    @property
    def steps(self) -> int:
        """Return the steps of an epoch."""
        return self.steps_per_epoch if self.batch else 1

    def settled(self) -> TrainingSpec:
        """Return the same training with its numbers in the place of "auto"."""
        return self.model_copy(update={"learning_rate": self.rate, "weight_decay": self.decay})

    @model_validator(mode="before")
    @classmethod
    def _share_alone(cls, data: Any) -> Any:
        """Take what was written before splits had a spec: the share held out, as `holdout`."""
        if isinstance(data, dict) and "holdout" in data and "split" not in data:
            data = dict(data)
            data["split"] = {"share": data.pop("holdout")}
        return data
