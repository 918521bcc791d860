"""Torch-free spec of a training: what the Train panel and `--set training.x=` configure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from geocnn_gui.models.spec import ADVANCED, Spec
from geocnn_gui.scoring.split_spec import SplitSpec


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
        json_schema_extra=ADVANCED,
    )
    batch: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=16, title="Batch", description="Patches in a step.", json_schema_extra=ADVANCED
    )
    learning_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        default=3e-3, title="Learning rate", description="Peak of the one-cycle schedule (AdamW).",
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
    scaling: Literal["auto", "survey", "stored"] = Field(
        default="auto", title="Scaling",
        description="survey: by each source's own statistics; stored: by the training data's.",
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
    patience: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=8, title="Patience", description="Epochs without a better score before it stops.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=0, title="Seed", description="Same seed, same data, same machine: same network.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _share_alone(cls, data: Any) -> Any:
        """Take what was written before splits had a spec: the share held out, as `holdout`."""
        if isinstance(data, dict) and "holdout" in data and "split" not in data:
            data = dict(data)
            data["split"] = {"share": data.pop("holdout")}
        return data
