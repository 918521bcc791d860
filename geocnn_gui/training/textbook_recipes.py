"""The two textbook examples as they were published: nets, trainings and figures; no torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from geocnn_gui.models.layers.presets import PRESETS
from geocnn_gui.scoring.split_spec import SplitSpec
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from geocnn_gui.models.layers.spec import LayersSpec

Example = Literal["patches", "traces"]


@dataclass(frozen=True, slots=True)
class Published:
    """What was published: training losses after epochs, and what came of what was held out."""

    epochs: tuple[int, ...]
    losses: tuple[float, ...]
    holdout_loss: float
    accuracy: float = 1.0
    class_accuracy: float = 1.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """An example: its net by the name of its layers, how it is trained, what was published."""

    net: str
    epochs: int
    rate: float
    parameters: int
    published: Published

    @property
    def model(self) -> LayersSpec:
        """Return the net; its weights begin as suits ReLU (He and others 2015), biases at 0."""
        return PRESETS[self.net].model_copy(update={"initial": "kaiming"})

    def training(self, seed: int, split: SplitSpec | None = None) -> TrainingSpec:
        """Return the training of a seed: all at once, by Adam at one rate, values as they are.

        Without a split nothing is held out.
        """
        return TrainingSpec(
            epochs=self.epochs, batch=0, optimizer="adam", learning_rate=self.rate,
            schedule="constant", weight_decay=0, clip=0, smoothing=0, average=False,
            precision="float32", augment=False, balance=False, scaling="raw",
            split=split or SplitSpec(share=0), patience=0, seed=seed,
        )  # fmt: skip


RECIPES: dict[Example, Recipe] = {
    "patches": Recipe(
        "textbook-patches", 240, 0.0015, 26_051,
        Published((1, 60, 120, 180, 240), (2.7561, 0.0423, 0.0014, 0.0003, 0.0001), 0.0001),
    ),
    "traces": Recipe(
        "textbook-traces", 60, 0.005, 4_211,
        Published((1, 15, 30, 45, 60), (1.1431, 0.2116, 0.0077, 0.0013, 0.0007), 0.0008),
    ),
}  # fmt: skip
